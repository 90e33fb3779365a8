#pragma once

#include <span>
#include <vector>

#include "transform/transform.h"

namespace adjoint {

/// A group of outputs and the inputs they depend on; groups have no input in common.
struct LocalGroup {
  std::vector<std::size_t> outputs, inputs;
  JacobianMode mode = JacobianMode::Reverse;  ///< the one chosen
  double forwardCost = 0, reverseCost = 0;    ///< estimated operations of each
  /// One derivative: an entry of the Jacobian that is not zero by the function's structure.
  struct Entry {
    std::size_t output, input;
  };
  std::vector<Entry> entries;  ///< by output, then by input
};

/// The Jacobian of a function of scalars by the inputs `wrt`, without its structural zeros.
struct LocalJacobian {
  TapePtr tape;  ///< inputs: those of the function; outputs: the entries of all groups
  std::vector<LocalGroup> groups;
};

/// Estimated operations of the Jacobian, each group in its cheaper mode or in the one given.
double localCost(const Tape& t, std::span<const std::size_t> wrt, JacobianMode mode);

LocalJacobian localJacobian(const TapePtr& t, std::span<const std::size_t> wrt, JacobianMode mode);

}  // namespace adjoint

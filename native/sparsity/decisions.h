#pragma once

#include <span>
#include <vector>

#include "sparsity/constants.h"
#include "tape/tape.h"

namespace adjoint {

/// A value that decides, at one point, on which elements a node depends: the condition of `where`,
/// indices, which elements are extreme, or a partial that is constant in pieces.
struct Decision {
  NodeId node = kNoNode;
  std::size_t operand = 0;  ///< the condition or indices, else the one whose partial it is
};

/// The decisions of nodes that depend on inputs of interest, in the order of nodes. What constants
/// decide is decided at every point.
std::vector<Decision> decisionsOf(const Tape& t, const std::vector<bool>& active,
                                  Constants& constants);

/// A tape with the function's inputs that computes its decisions, an output each of the shape of
/// the operand.
TapePtr decisionTape(const TapePtr& t, std::span<const std::size_t> wrt);

}  // namespace adjoint

#pragma once

#include <unordered_map>
#include <vector>

#include "sparsity/index_map.h"
#include "tape/tape.h"

namespace adjoint {

/// Where the elements of a transpose, broadcast, slice or flip are in its operand.
Linear linearOf(const Tape& t, const Node& node);

/// Values that depend on no input, computed when they are asked for.
class Constants {
 public:
  explicit Constants(const Tape& t);

  /// Row-major elements; null where the value depends on an input, or on an operation that is not
  /// computed here.
  const std::vector<double>* of(NodeId id);
  /// The same as indices of an axis of this extent; null also where one is outside of it.
  const std::vector<std::int64_t>* indices(NodeId id, std::int64_t extent);

 private:
  void compute(NodeId id);
  void gather(const Node& node, std::vector<double>& out) const;

  const Tape& tape_;
  std::vector<bool> isConstant_;
  std::unordered_map<NodeId, std::vector<double>> values_;
  std::unordered_map<NodeId, std::vector<std::int64_t>> indices_;
};

}  // namespace adjoint

#pragma once

#include <cstdint>
#include <vector>

#include "ops/op.h"
#include "tape/tape.h"

namespace adjoint {

constexpr int kAbsent = -1;  ///< the operand is the same along the axis
constexpr int kMixed = -2;   ///< the operation mixes elements along the axis

/// The axis of operand k that runs with axis p of the result, or one of the two above.
int linkedAxis(const Tape& t, const Node& node, std::size_t k, int p);

/// Inputs and constants.
bool isLeaf(const Node& node);

/// Axes of at least `minExtent` that run together, over the whole tape.
class AxisClasses {
 public:
  AxisClasses(const Tape& t, std::int64_t minExtent);

  std::uint32_t classOf(NodeId id, int axis) { return find(number(id, axis)); }

  static constexpr int kNone = -1, kSeveral = -2;
  /// The axis of a value that belongs to the class.
  int axisIn(NodeId id, std::uint32_t of);

 private:
  std::uint32_t number(NodeId id, int axis) const {
    return first_[id] + static_cast<std::uint32_t>(axis);
  }
  std::uint32_t find(std::uint32_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::uint32_t a, std::uint32_t b) { parent_[find(a)] = find(b); }

  const Tape& tape_;
  std::vector<std::uint32_t> first_, parent_;
};

}  // namespace adjoint

#include "transform/lane_axes.h"

#include <algorithm>
#include <numeric>

#include "ops/row.h"

namespace adjoint {

int linkedAxis(const Tape& t, const Node& node, std::size_t k, int p) {
  const auto& attrs = t.attrs(node);
  const Shape& to = t.shape(node);
  const auto operands = t.operands(node);
  const Shape& from = t.shape(operands[k]);
  const auto at = static_cast<std::size_t>(p);
  switch (opOf(node)) {
    case Op::StopGradient:
      return p;
    case Op::Reshape: {
      // The same extent after as many elements.
      std::int64_t before = 1;
      for (std::size_t i = 0; i < at; ++i) before *= to[i];
      std::int64_t product = 1;
      for (std::size_t q = 0; q < from.size(); ++q) {
        if (product == before && from[q] == to[at]) return static_cast<int>(q);
        product *= from[q];
      }
      return kMixed;
    }
    case Op::Transpose:
      return static_cast<int>(attrs[at]);
    case Op::BroadcastTo: {
      const int q = p - static_cast<int>(to.size() - from.size());
      return q < 0 || from[static_cast<std::size_t>(q)] != to[at] ? kAbsent : q;
    }
    case Op::Slice:
      return attrs[3 * at] == 0 && attrs[3 * at + 1] == from[at] && attrs[3 * at + 2] == 1 ? p
                                                                                           : kMixed;
    case Op::Place:
      return from[at] == to[at] ? p : kMixed;
    case Op::Flip:
      return std::ranges::count(attrs, p) == 0 ? p : kMixed;
    case Op::Concat:
      return p != attrs[0] ? p : kMixed;
    case Op::Gather: {
      const auto axis = static_cast<int>(attrs[0]);
      const auto width = static_cast<int>(t.shape(operands[1]).size());
      const bool isIndex = p >= axis && p < axis + width;
      if (k == 1) return isIndex ? p - axis : kAbsent;
      return isIndex ? kAbsent : p < axis ? p : p - width + 1;
    }
    case Op::ScatterSum: {
      const auto axis = static_cast<int>(attrs[0]);
      const auto width = static_cast<int>(t.shape(operands[0]).size());
      if (p == axis) return kMixed;
      return k == 0 ? kAbsent : p < axis ? p : p - 1 + width;
    }
    case Op::Sum:
    case Op::ReduceMax:
    case Op::ReduceMin: {
      int q = 0;
      for (int kept = 0;; ++q) {
        if (std::ranges::binary_search(attrs, static_cast<std::int64_t>(q))) continue;
        if (kept++ == p) return q;
      }
    }
    case Op::CumSum:
    case Op::LinearRecurrence:
    case Op::ArgSort:
      return p != attrs[0] ? p : kMixed;
    case Op::ArgMax:
    case Op::ArgMin:
      return p < attrs[0] ? p : p + 1;
    case Op::BatchMatMul: {
      const auto rank = static_cast<int>(to.size());
      if (p < rank - 2) return p;
      return (p == rank - 2) == (k == 0) ? p : kAbsent;
    }
    case Op::Custom:
    case Op::Loop:
    case Op::Item:
      return kMixed;
    default:
      return rowOf(node).kernel != nullptr ? p : kMixed;
  }
}

bool isLeaf(const Node& node) {
  const Op op = opOf(node);
  return op == Op::Input || op == Op::Data || op == Op::Constant || op == Op::Iota;
}

AxisClasses::AxisClasses(const Tape& t, std::int64_t minExtent)
    : tape_(t), first_(t.size() + 1, 0) {
  for (NodeId id = 0; id < t.size(); ++id)
    first_[id + 1] = first_[id] + static_cast<std::uint32_t>(t.shape(id).size());
  parent_.resize(first_[t.size()]);
  std::iota(parent_.begin(), parent_.end(), 0u);
  for (NodeId id = 0; id < t.size(); ++id) {
    const Node& node = t.node(id);
    if (isLeaf(node)) continue;
    const auto operands = t.operands(node);
    for (int p = 0; p < static_cast<int>(t.shape(id).size()); ++p) {
      if (t.shape(id)[static_cast<std::size_t>(p)] < minExtent) continue;
      for (std::size_t k = 0; k < operands.size(); ++k) {
        const int q = linkedAxis(t, node, k, p);
        if (q >= 0) join(number(id, p), number(operands[k], q));
      }
    }
  }
}

int AxisClasses::axisIn(NodeId id, std::uint32_t of) {
  int result = kNone;
  for (int p = 0; p < static_cast<int>(tape_.shape(id).size()); ++p) {
    if (classOf(id, p) != of) continue;
    if (result != kNone) return kSeveral;
    result = p;
  }
  return result;
}

}  // namespace adjoint

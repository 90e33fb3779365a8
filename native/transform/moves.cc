#include "transform/moves.h"

#include <algorithm>

namespace adjoint {

namespace {

std::vector<Move> movesOfConcat(const Tape& t, const Node& node) {
  std::vector<Move> result;
  const auto axis = static_cast<std::size_t>(t.attrs(node)[0]);
  const std::vector<std::int64_t> strides = rowMajorStrides(t.shape(node));
  std::int64_t start = 0;
  for (const NodeId part : t.operands(node)) {
    const Shape& from = t.shape(part);
    result.push_back(
        {result.size(), from, 0, start * strides[axis], rowMajorStrides(from), strides});
    start += from[axis];
  }
  return result;
}

}  // namespace

bool movesData(Op op) {
  switch (op) {
    case Op::Reshape:
    case Op::Transpose:
    case Op::BroadcastTo:
    case Op::Slice:
    case Op::Place:
    case Op::Flip:
    case Op::StopGradient:
      return true;
    default:
      return false;
  }
}

std::vector<std::int64_t> knownIndices(const Tape& t, NodeId indices, std::int64_t size) {
  const Node& node = t.node(indices);
  std::vector<std::int64_t> result;
  const auto add = [&](double x) {
    const bool isInside = x >= 0 && x < static_cast<double>(size) &&
                          x == static_cast<double>(static_cast<std::int64_t>(x));
    if (isInside) result.push_back(static_cast<std::int64_t>(x));
    return isInside;
  };
  bool isKnown = false;
  if (node.op == tapeop::kData) {
    isKnown = std::ranges::all_of(t.data(node), add);
  } else if (node.op == tapeop::kConstant && add(Tape::constantValue(node))) {
    isKnown = true;
    result.resize(static_cast<std::size_t>(t.count(indices)), result[0]);
  }
  if (!isKnown) result.clear();
  return result;
}

std::vector<Move> movesOf(const Tape& t, const Node& node) {
  const Op op = opOf(node);
  if (op == Op::Concat) return movesOfConcat(t, node);
  if (!movesData(op)) return {};
  const Shape& from = t.shape(node.operand[0]);
  const Shape& to = t.shape(node);
  const auto& attrs = t.attrs(node);
  const std::vector<std::int64_t> rowMajor = rowMajorStrides(from);
  Move move;
  move.extents = op == Op::Place ? from : to;
  move.toStrides = rowMajorStrides(to);
  move.fromStrides = rowMajor;
  switch (op) {
    case Op::Reshape:
      move.extents = {elementCount(to)};
      move.fromStrides = move.toStrides = {1};
      break;
    case Op::Transpose:
      for (std::size_t k = 0; k < to.size(); ++k)
        move.fromStrides[k] = rowMajor[static_cast<std::size_t>(attrs[k])];
      break;
    case Op::BroadcastTo:
      move.fromStrides.assign(to.size(), 0);
      for (std::size_t k = 0; k < from.size(); ++k) {
        const std::size_t at = k + to.size() - from.size();
        if (from[k] == to[at]) move.fromStrides[at] = rowMajor[k];
      }
      break;
    case Op::Slice:
      for (std::size_t k = 0; k < from.size(); ++k) {
        move.from += rowMajor[k] * attrs[3 * k];
        move.fromStrides[k] *= attrs[3 * k + 2];
      }
      break;
    case Op::Place:
      for (std::size_t k = 0; k < from.size(); ++k) {
        move.to += move.toStrides[k] * attrs[3 * k];
        move.toStrides[k] *= attrs[3 * k + 2];
      }
      break;
    case Op::Flip:
      for (const std::int64_t axis : attrs) {
        const auto k = static_cast<std::size_t>(axis);
        move.from += (to[k] - 1) * rowMajor[k];
        move.fromStrides[k] = -rowMajor[k];
      }
      break;
    default:
      break;
  }
  return {move};
}

}  // namespace adjoint

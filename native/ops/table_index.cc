#include "ops/table_index.h"

#include "ops/build.h"

namespace adjoint {

using namespace ex;

Expr tableIndex(Expr indices, Expr positions, std::int64_t size, std::int64_t count) {
  const auto or_ = [](Expr a, Expr b) { return apply(Op::LogicalOr, {a, b}); };
  const Expr isPast = apply(Op::GreaterEqual, {indices, full(indices, static_cast<double>(size))});
  const Expr isBefore = apply(Op::Less, {indices, full(indices, 0)});
  const Expr isBetween = apply(Op::NotEqual, {indices, floor(indices)});
  // tableIndexAt reads this form.
  const Expr past = indices + full(indices, static_cast<double>(count - size));
  const Expr outside = apply(Op::Where, {isPast, past, indices});
  return apply(Op::Where, {or_(or_(isPast, isBefore), isBetween), outside, positions});
}

namespace {

/// What is repeated, where the value is that.
const Node& unrepeated(const Tape& t, NodeId id) {
  while (opOf(t.node(id)) == Op::BroadcastTo) id = t.operands(t.node(id))[0];
  return t.node(id);
}

}  // namespace

std::optional<TableIndex> tableIndexAt(const Tape& t, NodeId id) {
  const auto isOf = [&](NodeId node, Op op) { return opOf(t.node(node)) == op; };
  const auto operand = [&](NodeId node, std::size_t k) { return t.operands(t.node(node))[k]; };
  if (!isOf(id, Op::Where) || !isOf(operand(id, 0), Op::LogicalOr)) return {};
  const NodeId outside = operand(id, 1), range = operand(operand(id, 0), 0);
  const NodeId isBetween = operand(operand(id, 0), 1);
  if (!isOf(outside, Op::Where) || !isOf(range, Op::LogicalOr)) return {};
  const NodeId indices = operand(outside, 2);
  const NodeId isPast = operand(range, 0), isBefore = operand(range, 1);
  const auto compares = [&](NodeId node, Op op) {
    return isOf(node, op) && operand(node, 0) == indices;
  };
  if (operand(outside, 0) != isPast || !compares(isPast, Op::GreaterEqual) ||
      !compares(isBefore, Op::Less) || !compares(isBetween, Op::NotEqual) ||
      !isOf(operand(isBetween, 1), Op::Floor) || operand(operand(isBetween, 1), 0) != indices)
    return {};
  const Node& size = unrepeated(t, operand(isPast, 1));
  const Node& zero = unrepeated(t, operand(isBefore, 1));
  if (size.op != tapeop::kConstant || zero.op != tapeop::kConstant ||
      Tape::constantValue(zero) != 0)
    return {};
  return TableIndex{indices, operand(id, 2), static_cast<std::int64_t>(Tape::constantValue(size))};
}

AxisIndex givenIndex(const Tape& t, NodeId indices, AxisIndex found) {
  for (;;) {
    const auto made = tableIndexAt(t, indices);
    if (!made) return found;
    if (found.value >= static_cast<double>(found.size))
      found.value -= static_cast<double>(found.size - made->size);
    found.size = made->size;
    indices = made->indices;
  }
}

}  // namespace adjoint

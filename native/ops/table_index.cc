#include "ops/table_index.h"

#include "ops/build.h"

namespace adjoint {

using namespace ex;

Expr tableIndex(Expr indices, Expr positions, std::int64_t size, std::int64_t count) {
  const auto or_ = [](Expr a, Expr b) { return apply(Op::LogicalOr, {a, b}); };
  const Expr isPast = apply(Op::GreaterEqual, {indices, full(indices, static_cast<double>(size))});
  const Expr isBefore = apply(Op::Less, {indices, full(indices, 0)});
  const Expr isBetween = apply(Op::NotEqual, {indices, floor(indices)});
  // givenIndex reads this form.
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

/// What tableIndex was given; no indices where the value is none of its.
struct TableIndex {
  NodeId indices = kNoNode;
  std::int64_t size = 0;
};

TableIndex readTableIndex(const Tape& t, NodeId id) {
  const Node& choice = t.node(id);
  if (opOf(choice) != Op::Where) return {};
  const Node& outside = t.node(t.operands(choice)[1]);
  if (opOf(outside) != Op::Where) return {};
  const NodeId indices = t.operands(outside)[2];
  const Node& isPast = t.node(t.operands(outside)[0]);
  if (opOf(isPast) != Op::GreaterEqual || t.operands(isPast)[0] != indices) return {};
  const Node& size = unrepeated(t, t.operands(isPast)[1]);
  if (size.op != tapeop::kConstant) return {};
  return {indices, static_cast<std::int64_t>(Tape::constantValue(size))};
}

}  // namespace

AxisIndex givenIndex(const Tape& t, NodeId indices, AxisIndex found) {
  for (;;) {
    const TableIndex made = readTableIndex(t, indices);
    if (made.indices == kNoNode) return found;
    if (found.value >= static_cast<double>(found.size))
      found.value -= static_cast<double>(found.size - made.size);
    found.size = made.size;
    indices = made.indices;
  }
}

}  // namespace adjoint

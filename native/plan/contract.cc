#include "plan/contract.h"

#include <algorithm>

#include "ops/build.h"
#include "plan/plan.h"
#include "transform/copy.h"

namespace adjoint {

namespace {

/// The product behind reshapes and broadcasts, or kNoNode: a batch puts them between a product that
/// all lanes share and its sum, and must round as a single call does. A square is a product too.
NodeId productBehind(const Tape& t, NodeId id) {
  for (;; id = t.node(id).operand[0]) {
    const Op op = opOf(t.node(id));
    if (op == Op::Mul || op == Op::Square) return id;
    if (op != Op::Reshape && op != Op::BroadcastTo) return kNoNode;
  }
}

/// Which operand of a sum is fused: the left one if both are products. Two equal ones are not, so
/// that x - x is 0 whatever x is.
enum class Side { None, Left, Right };

Side fusedSide(const Tape& t, const Node& node) {
  const Op op = opOf(node);
  if (op != Op::Add && op != Op::Sub) return Side::None;
  const NodeId left = productBehind(t, node.operand[0]);
  const NodeId right = productBehind(t, node.operand[1]);
  if (left == right) return Side::None;
  return left != kNoNode ? Side::Left : Side::Right;
}

/// `factor` of the product, seen through what stands between the product and `id`.
Expr throughViews(const Tape& t, NodeId id, NodeId product, Expr factor) {
  std::vector<NodeId> views;
  for (; id != product; id = t.node(id).operand[0]) views.push_back(id);
  for (std::size_t i = views.size(); i-- > 0;) {
    const Shape& shape = t.shape(views[i]);
    const bool isReshape = opOf(t.node(views[i])) == Op::Reshape;
    factor = isReshape ? ex::reshape(factor, shape) : ex::broadcastTo(factor, shape);
  }
  return factor;
}

bool hasContractions(const Tape& t) {
  return std::any_of(t.nodes().begin(), t.nodes().end(),
                     [&](const Node& node) { return fusedSide(t, node) != Side::None; });
}

}  // namespace

TapePtr contractMultiplyAdds(const TapePtr& t) {
  if (!kFusedProducts || !hasContractions(*t)) return t;
  Builder builder;
  builder.setSharing(false);
  builder.reserve(t->size());
  Copier copier(builder, *t);
  std::vector<NodeId> map(t->size(), kNoNode);
  for (NodeId id = 0; id < t->size(); ++id) {
    const Node& node = t->node(id);
    builder.setOrigin(node.origin);
    if (node.op == tapeop::kInput) {
      map[id] = builder.input(t->inputs()[node.attr].name, t->shape(node), node.dtype);
      continue;
    }
    const Side side = fusedSide(*t, node);
    if (side == Side::None) {
      map[id] = copier.copyMapped(node, map);
      continue;
    }
    const bool left = side == Side::Left;
    const NodeId term = node.operand[left ? 0 : 1];
    const NodeId product = productBehind(*t, term);
    const bool isSquare = opOf(t->node(product)) == Op::Square;
    const auto factor = [&](std::size_t k) {
      return throughViews(*t, term, product, {&builder, map[t->node(product).operand[k]]}).id;
    };
    const Op fused = opOf(node) == Op::Add ? Op::Fma : left ? Op::Fms : Op::Fnma;
    const NodeId first = factor(0);
    const NodeId operands[3] = {first, isSquare ? first : factor(1),
                                map[node.operand[left ? 1 : 0]]};
    map[id] = builder.append(code(fused), node.dtype, t->shape(node), operands);
  }
  std::vector<Port> outputs = t->outputs();
  for (Port& port : outputs) port.node = map[port.node];
  return builder.finish(std::move(outputs));
}

}  // namespace adjoint

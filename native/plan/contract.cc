#include "plan/contract.h"

#include "ops/build.h"
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

bool isProduct(const Tape& t, NodeId id) { return productBehind(t, id) != kNoNode; }

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
  for (const Node& node : t.nodes()) {
    const Op op = opOf(node);
    if ((op == Op::Add || op == Op::Sub) &&
        (isProduct(t, node.operand[0]) || isProduct(t, node.operand[1]))) {
      return true;
    }
  }
  return false;
}

}  // namespace

TapePtr contractMultiplyAdds(const TapePtr& t) {
  if (!hasContractions(*t)) return t;
  Builder builder;
  builder.setSharing(false);
  builder.reserve(t->size());
  Copier copier(builder, *t);
  std::vector<NodeId> map(t->size(), kNoNode);
  for (NodeId id = 0; id < t->size(); ++id) {
    const Node& node = t->node(id);
    builder.setOrigin(node.origin);
    const Op op = opOf(node);
    if (node.op == tapeop::kInput) {
      map[id] = builder.input(t->inputs()[node.attr].name, t->shape(node), node.dtype);
      continue;
    }
    const bool isSum = op == Op::Add || op == Op::Sub;
    const bool left = isSum && isProduct(*t, node.operand[0]);
    if (!left && !(isSum && isProduct(*t, node.operand[1]))) {
      map[id] = copier.copyMapped(node, map);
      continue;
    }
    const NodeId term = node.operand[left ? 0 : 1];
    const NodeId product = productBehind(*t, term);
    const bool isSquare = opOf(t->node(product)) == Op::Square;
    const auto factor = [&](std::size_t k) {
      return throughViews(*t, term, product, {&builder, map[t->node(product).operand[k]]}).id;
    };
    const Op fused = op == Op::Add ? Op::Fma : left ? Op::Fms : Op::Fnma;
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

#include "plan/contract.h"

#include "ops/op.h"
#include "transform/copy.h"

namespace adjoint {

namespace {

/// A square is the product of a value with itself.
bool isProduct(const Tape& t, NodeId id) {
  const Op op = opOf(t.node(id));
  return op == Op::Mul || op == Op::Square;
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
    const Node& product = t->node(node.operand[left ? 0 : 1]);
    const Op fused = op == Op::Add ? Op::Fma : left ? Op::Fms : Op::Fnma;
    const NodeId second = product.operand[opOf(product) == Op::Square ? 0 : 1];
    const NodeId operands[3] = {map[product.operand[0]], map[second],
                                map[node.operand[left ? 1 : 0]]};
    map[id] = builder.append(code(fused), node.dtype, t->shape(node), operands);
  }
  std::vector<Port> outputs = t->outputs();
  for (Port& port : outputs) port.node = map[port.node];
  return builder.finish(std::move(outputs));
}

}  // namespace adjoint

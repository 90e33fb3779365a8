#include "sparsity/decisions.h"

#include "ops/row.h"
#include "sparsity/row_structure.h"
#include "transform/copy.h"
#include "transform/rules.h"

namespace adjoint {

namespace {

bool isKnown(const Tape& t, const Node& node, Constants& constants) {
  switch (opOf(node)) {
    case Op::Where:
      return constants.of(node.operand[0]) != nullptr;
    case Op::Loop: {
      const LoopAttributes loop = LoopAttributes::read(t, node);
      if (loop.trips == LoopTrips::While) return false;
      return loop.trips == LoopTrips::Fixed || constants.of(t.operands(node).back()) != nullptr;
    }
    case Op::Gather: {
      const Shape& from = t.shape(node.operand[0]);
      const auto axis = static_cast<std::size_t>(t.attrs(node)[0]);
      return constants.indices(node.operand[1], from[axis]) != nullptr;
    }
    default:
      return constants.indices(node.operand[0], t.attrs(node)[1]) != nullptr;
  }
}

/// The number of steps that a loop on the builder's tape takes.
NodeId stepsOf(Builder& builder, const RuleSite& site, const LoopAttributes& loop) {
  if (loop.trips == LoopTrips::Counted) return site.x[stepsOperand(loop)].id;
  const auto position = static_cast<std::int64_t>(itemCount(site.tape, site.node)) - 1;
  return builder.append(code(Op::Item), DType::F64, {}, {&site.y.id, 1}, {&position, 1});
}

}  // namespace

std::size_t stepsOperand(const LoopAttributes& loop) {
  return loop.trips == LoopTrips::While ? loop.constants : loop.inputs();
}

std::vector<Decision> decisionsOf(const Tape& t, const std::vector<bool>& active,
                                  Constants& constants) {
  std::vector<Decision> result;
  for (NodeId id = 0; id < t.size(); ++id) {
    if (!active[id]) continue;
    const Node& node = t.node(id);
    switch (opOf(node)) {
      case Op::Where:
      case Op::ScatterSum:
        if (!isKnown(t, node, constants)) result.push_back({id, 0});
        break;
      case Op::Gather:
        if (!isKnown(t, node, constants)) result.push_back({id, 1});
        break;
      case Op::Loop:
        if (!isKnown(t, node, constants))
          result.push_back({id, stepsOperand(LoopAttributes::read(t, node))});
        break;
      case Op::ReduceMax:
      case Op::ReduceMin:
        result.push_back({id, 0});
        break;
      default: {
        if (rowOf(node).family != Family::Elementwise) break;
        const auto operands = t.operands(node);
        const RowStructure& structure = structureOf(opOf(node));
        for (std::size_t k = 0; k < operands.size(); ++k) {
          if (active[operands[k]] && structure.operands[k].isDecided) result.push_back({id, k});
        }
      }
    }
  }
  return result;
}

TapePtr decisionTape(const TapePtr& t, std::span<const std::size_t> wrt) {
  Constants constants(*t);
  const std::vector<Decision> decisions = decisionsOf(*t, activeNodes(*t, wrt), constants);
  Builder builder;
  Copier copier(builder, *t);
  std::vector<NodeId> map(t->size(), kNoNode);
  for (const Port& port : t->inputs())
    map[port.node] = builder.input(port.name, t->shape(port.node), t->node(port.node).dtype);
  std::vector<Port> ports;
  auto next = decisions.begin();
  for (NodeId id = 0; id < t->size(); ++id) {
    const Node& node = t->node(id);
    builder.setOrigin(node.origin);
    if (node.op != tapeop::kInput) map[id] = copier.copyMapped(node, map);
    for (; next != decisions.end() && next->node == id; ++next) {
      std::vector<Expr> x;
      for (const NodeId operand : t->operands(node)) x.push_back({&builder, map[operand]});
      const RuleSite site{*t, node, builder, x, {&builder, map[id]}};
      const bool isExtreme = opOf(node) == Op::ReduceMax || opOf(node) == Op::ReduceMin;
      const Expr decision =
          isExtreme ? extremesOf(site).chosen
          : opOf(node) == Op::Loop
              ? Expr{&builder, stepsOf(builder, site, LoopAttributes::read(*t, node))}
          : rowOf(node).family == Family::Elementwise ? partialsOf(site)[next->operand]
                                                      : x[next->operand];
      ports.push_back({"decision", decision.id});
    }
  }
  return builder.finish(std::move(ports));
}

}  // namespace adjoint

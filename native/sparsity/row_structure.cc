#include "sparsity/row_structure.h"

#include <unordered_map>

#include "ops/row.h"
#include "transform/rules.h"

namespace adjoint {

namespace {

/// The partials' formulas, written down with their operands as inputs, and differentiated once more
/// as far as it takes to know what is zero.
RowStructure makeStructure(const Row& row) {
  RowStructure structure;
  if (row.partials == nullptr) return structure;
  Builder builder;
  const auto arity = static_cast<std::size_t>(row.arity);
  std::array<Expr, 3> x;
  for (std::size_t k = 0; k < arity; ++k)
    x[k] = {&builder, builder.input(std::string(1, static_cast<char>('a' + k)), {})};
  // Rows of families take any number here.
  constexpr std::int64_t number = 1;
  NodeId operands[3] = {x[0].id, x[1].id, x[2].id};
  const Expr y{&builder, apply(builder, row.op, {operands, arity}, {&number, 1})};
  const Partials partials = row.partials({x[0], x[1], x[2], y, number});
  std::vector<Port> ports;
  for (std::size_t k = 0; k < arity; ++k) ports.push_back({"d", partials[k].id});
  const TapePtr t = builder.finish(std::move(ports));
  for (std::size_t k = 0; k < arity; ++k) {
    const NodeId partial = t->outputs()[k].node;
    const Node& node = t->node(partial);
    const bool isConstant = node.op == tapeop::kConstant;
    bool isInPieces = !isConstant;
    for (std::size_t by = 0; by < arity; ++by) {
      const std::size_t input[] = {by};
      if (!activeNodes(*t, input)[partial]) continue;
      isInPieces = false;
      structure.interacts[k][by] = structure.interacts[by][k] = true;
    }
    structure.operands[k] = {!isConstant || Tape::constantValue(node) != 0, isInPieces};
  }
  return structure;
}

}  // namespace

const RowStructure& structureOf(Op op) {
  static const std::unordered_map<OpCode, RowStructure> structures = [] {
    std::unordered_map<OpCode, RowStructure> result;
    for (const Row& row : allRows()) {
      if (row.kernel != nullptr) result.emplace(code(row.op), makeStructure(row));
    }
    return result;
  }();
  return structures.at(code(op));
}

}  // namespace adjoint

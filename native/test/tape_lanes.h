#pragma once

#include <cstdint>
#include <vector>

#include "ops/expr.h"
#include "ops/row.h"
#include "tape/tape.h"

namespace adjoint::testing {

/// Evaluates a tape of scalars with the elementwise kernels, every node an array of `lanes` values.
/// inputs[i] holds the values of input i; gives those of the outputs.
inline std::vector<std::vector<double>> evaluateLanes(
    const Tape& tape, const std::vector<std::vector<double>>& inputs, std::size_t lanes) {
  std::vector<std::vector<double>> values(tape.size());
  std::size_t nextInput = 0;
  for (std::size_t i = 0; i < tape.inputs().size(); ++i) {
    values[tape.inputs()[i].node] = inputs[nextInput++];
  }
  for (NodeId id = 0; id < tape.size(); ++id) {
    const Node& node = tape.node(id);
    if (node.op == tapeop::kInput) continue;
    std::vector<double>& out = values[id];
    if (node.op == tapeop::kConstant) {
      out.assign(lanes, Tape::constantValue(node));
      continue;
    }
    out.resize(lanes);
    const double* x[3] = {};
    const auto operands = tape.operands(node);
    for (std::size_t i = 0; i < operands.size(); ++i) x[i] = values[operands[i]].data();
    const auto& attrs = tape.attrs(node);
    rowOf(node).kernel(out.data(), x[0], x[1], x[2], lanes,
                       attrs.empty() ? 0 : static_cast<int>(attrs[0]));
  }
  std::vector<std::vector<double>> outputs;
  for (const Port& port : tape.outputs()) outputs.push_back(values[port.node]);
  return outputs;
}

/// The value of a row and its partials, as a tape of scalars with an input an operand.
inline TapePtr tapeOfRow(const Row& row, int attr) {
  Builder builder;
  static const char* const kNames[] = {"a", "b", "c"};
  std::vector<NodeId> operands;
  for (int i = 0; i < row.arity; ++i) {
    const bool isBool = row.operandType == DType::Bool || (row.family == Family::Where && i == 0);
    operands.push_back(builder.input(kNames[i], {}, isBool ? DType::Bool : DType::F64));
  }
  std::vector<std::int64_t> attrs;
  if (attr != 0) attrs.push_back(attr);
  const NodeId y = apply(builder, row.op, operands, attrs);
  std::vector<Port> outputs{{"y", y}};
  if (row.partials) {
    RowArgs args;
    Expr* const slots[] = {&args.a, &args.b, &args.c};
    for (std::size_t i = 0; i < operands.size(); ++i) *slots[i] = {&builder, operands[i]};
    args.y = {&builder, y};
    args.n = attr;
    for (const Expr& p : row.partials(args)) outputs.push_back({"d", p.id});
  }
  return builder.finish(std::move(outputs));
}

/// Attributes with which a row is tested.
inline std::vector<int> attrsOf(Op op) {
  switch (op) {
    case Op::Exp2Deriv:
    case Op::Polygamma:
      return {1, 2, 3};
    case Op::SincDeriv:
      return {1, 2, 3, 4};
    case Op::PowDeriv:
      return {1, 16, 2, 17, 32};
    case Op::HypotDeriv:
      return {1, 16, 2, 17, 32};
    case Op::Atan2Deriv:
      return {2, 3, 4, 5};
    case Op::Gaussian:
      return {0, 1, 2, 3};
    default:
      return {0};
  }
}

}  // namespace adjoint::testing

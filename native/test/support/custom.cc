#include "test/support/custom.h"

#include "test/support/evaluator.h"
#include "transform/transform.h"

namespace adjoint::testing {

namespace {

TapePtr tangentsOf(const TapePtr& primal) {
  const std::size_t m = primal->outputs().size();
  std::vector<std::size_t> positions;
  for (std::size_t k = 0; k < m; ++k) positions.push_back(m + k);
  return selectOutputs(jvp(primal, allInputs(*primal)), positions);
}

/// The vjp as a rule wants it: x..., y..., yBar... -> xBar...
TapePtr cotangentsOf(const TapePtr& primal) {
  const TapePtr pulled = vjp(primal, allInputs(*primal));
  const std::size_t n = primal->inputs().size();
  const std::size_t m = primal->outputs().size();
  Builder builder;
  std::vector<NodeId> arguments;
  for (const Port& port : primal->inputs()) {
    arguments.push_back(builder.input(port.name, primal->shape(port.node)));
  }
  for (const Port& port : primal->outputs()) {
    builder.input("y_" + port.name, primal->shape(port.node));
  }
  for (const Port& port : primal->outputs()) {
    arguments.push_back(builder.input("bar_" + port.name, primal->shape(port.node)));
  }
  const std::vector<NodeId> results = inlineTape(builder, *pulled, arguments);
  std::vector<Port> ports;
  for (std::size_t i = 0; i < n; ++i) ports.push_back({primal->inputs()[i].name, results[m + i]});
  return builder.finish(std::move(ports));
}

}  // namespace

std::shared_ptr<const CustomRule> makeRule(const TapePtr& primal, bool hasJvp, bool hasVjp) {
  auto rule = std::make_shared<CustomRule>();
  rule->name = "rule";
  rule->primal = primal;
  if (hasJvp) rule->jvp = tangentsOf(primal);
  if (hasVjp) rule->vjp = cotangentsOf(primal);
  return rule;
}

std::vector<Expr> callCustom(Builder& builder, const std::shared_ptr<const CustomRule>& rule,
                             const std::vector<Expr>& operands) {
  std::vector<NodeId> ids;
  for (const Expr& x : operands) ids.push_back(x.id);
  const auto attr = static_cast<std::int64_t>(builder.addRule(rule));
  const NodeId call = builder.append(code(Op::Custom), DType::F64, {}, ids, {&attr, 1});
  std::vector<Expr> results;
  std::int64_t position = 0;
  for (const Port& port : rule->primal->outputs()) {
    const NodeId item = builder.append(code(Op::Item), rule->primal->node(port.node).dtype,
                                       rule->primal->shape(port.node), {&call, 1}, {&position, 1});
    results.push_back({&builder, item});
    ++position;
  }
  return results;
}

}  // namespace adjoint::testing

#include "transform/loops.h"

#include "transform/rules.h"
#include "transform/transform.h"

namespace adjoint {

LoopActivity loopActivity(const Tape& t, const Node& loop, const std::vector<bool>& operands) {
  const LoopAttributes attributes = LoopAttributes::read(t, loop);
  const Tape& step = *t.rule(attributes.rule).primal;
  LoopActivity result;
  for (std::size_t i = 0; i < attributes.inputs(); ++i) {
    const bool isNumber = step.node(step.inputs()[i].node).dtype == DType::F64;
    result.inputs.push_back(operands[i] && isNumber);
  }
  for (bool isSettled = false; !isSettled;) {
    isSettled = true;
    std::vector<std::size_t> wrt;
    for (std::size_t i = 0; i < result.inputs.size(); ++i) {
      if (result.inputs[i]) wrt.push_back(i);
    }
    const std::vector<bool> nodes = activeNodes(step, wrt);
    result.outputs.clear();
    for (const Port& port : step.outputs()) result.outputs.push_back(nodes[port.node]);
    for (std::size_t k = 0; k < attributes.carries; ++k) {
      const std::size_t input = attributes.constants + k;
      if (result.outputs[k] && !result.inputs[input]) {
        result.inputs[input] = true;
        isSettled = false;
      }
      result.outputs[k] = result.inputs[input];
    }
  }
  return result;
}

std::vector<bool> reachedNodes(const Tape& t, const std::vector<bool>& active,
                               std::span<const NodeId> seeds) {
  std::vector<bool> reached(t.size(), false);
  for (const NodeId id : seeds) reached[id] = active[id];
  for (std::size_t i = t.size(); i-- > 0;) {
    if (!reached[i]) continue;
    for (const NodeId operand : differentiableOperands(t, t.node(static_cast<NodeId>(i))))
      reached[operand] = reached[operand] || active[operand];
  }
  return reached;
}

std::vector<bool> inputsRead(const Tape& t) {
  std::vector<bool> read(t.size(), false);
  for (const Port& port : t.outputs()) read[port.node] = true;
  for (const NodeId id : t.checks()) read[id] = true;
  for (std::size_t i = t.size(); i-- > 0;) {
    if (!read[i]) continue;
    for (const NodeId operand : t.operands(t.node(static_cast<NodeId>(i)))) read[operand] = true;
  }
  std::vector<bool> result;
  for (const Port& port : t.inputs()) result.push_back(read[port.node]);
  return result;
}

std::vector<NodeId> addInputs(Builder& builder, const Tape& step,
                              std::span<const std::size_t> positions, const std::string& prefix) {
  std::vector<NodeId> ids;
  for (const std::size_t i : positions) {
    const Port& port = step.inputs()[i];
    ids.push_back(
        builder.input(prefix + port.name, step.shape(port.node), step.node(port.node).dtype));
  }
  return ids;
}

std::shared_ptr<const CustomRule> stepRule(const CustomRule& like, TapePtr step) {
  auto rule = std::make_shared<CustomRule>();
  rule->name = like.name;
  rule->directory = like.directory;
  rule->primal = std::move(step);
  return rule;
}

}  // namespace adjoint

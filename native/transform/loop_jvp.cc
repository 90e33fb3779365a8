#include "transform/loops.h"
#include "transform/transform.h"

namespace adjoint {

namespace {

/// Positions of a run of inputs or outputs, and those of them that are active.
struct Run {
  std::vector<std::size_t> all, active;

  Run(std::size_t first, std::size_t count, const std::vector<bool>& isActive) {
    for (std::size_t i = first; i < first + count; ++i) {
      all.push_back(i);
      if (isActive[i]) active.push_back(i);
    }
  }
};

/// The jvp of the step with its ports in the order of a loop.
TapePtr pushedStep(const TapePtr& step, const LoopAttributes& attributes,
                   const LoopActivity& activity, const std::vector<Run>& inputs) {
  std::vector<std::size_t> wrt;
  for (const Run& run : inputs) wrt.insert(wrt.end(), run.active.begin(), run.active.end());
  Builder builder;
  std::vector<NodeId> arguments, tangents;
  for (const Run& run : inputs) {
    for (const NodeId id : addInputs(builder, *step, run.all, "")) arguments.push_back(id);
    for (const NodeId id : addInputs(builder, *step, run.active, "d_")) tangents.push_back(id);
  }
  const std::size_t index = attributes.inputs();
  if (attributes.indexed) arguments.push_back(addInputs(builder, *step, {&index, 1}, "")[0]);
  arguments.insert(arguments.end(), tangents.begin(), tangents.end());
  const TapePtr pushed = jvp(step, wrt);
  const std::vector<NodeId> results = inlineTape(builder, *pushed, arguments, true);

  const std::size_t count = step->outputs().size();
  std::vector<Port> ports;
  for (const Run& run : {Run(0, attributes.carries, activity.outputs),
                         Run(attributes.carries, count - attributes.carries, activity.outputs)}) {
    for (const std::size_t i : run.all) ports.push_back({step->outputs()[i].name, results[i]});
    for (const std::size_t i : run.active)
      ports.push_back({pushed->outputs()[count + i].name, results[count + i]});
  }
  return builder.finish(std::move(ports));
}

}  // namespace

PushedLoop pushLoop(Builder& builder, const Tape& t, const Node& loop,
                    std::span<const NodeId> operands, const std::vector<Masked>& tangents) {
  LoopAttributes attributes = LoopAttributes::read(t, loop);
  const CustomRule& rule = t.rule(attributes.rule);
  const TapePtr& step = rule.primal;
  std::vector<bool> present;
  for (const Masked& tangent : tangents) present.push_back(tangent.present());
  const LoopActivity activity = loopActivity(t, loop, present);
  const std::vector<Run> inputs = {
      {0, attributes.constants, activity.inputs},
      {attributes.constants, attributes.carries, activity.inputs},
      {attributes.constants + attributes.carries, attributes.streams, activity.inputs}};

  std::vector<NodeId> all;
  for (const Run& run : inputs) {
    for (const std::size_t i : run.all) all.push_back(operands[i]);
    for (const std::size_t i : run.active)
      all.push_back(settleOr(tangents[i], builder, Shape(builder.shape(operands[i]))).id);
  }
  if (attributes.trips == LoopTrips::Counted) all.push_back(operands.back());
  const std::size_t carries = attributes.carries;
  const auto next = stepRule(rule, pushedStep(step, attributes, activity, inputs));
  attributes.constants += inputs[0].active.size();
  attributes.carries += inputs[1].active.size();
  attributes.streams += inputs[2].active.size();
  const std::vector<NodeId> items = appendLoop(builder, next, attributes, all);

  PushedLoop result;
  const std::size_t count = step->outputs().size();
  result.items.resize(count);
  result.tangents.resize(count);
  std::size_t at = 0;
  for (const Run& run :
       {Run(0, carries, activity.outputs), Run(carries, count - carries, activity.outputs)}) {
    for (const std::size_t i : run.all) result.items[i] = items[at++];
    for (const std::size_t i : run.active) result.tangents[i] = seed({&builder, items[at++]});
  }
  if (attributes.trips == LoopTrips::While) {
    result.items.push_back(items.back());
    result.tangents.emplace_back();
  }
  return result;
}

}  // namespace adjoint

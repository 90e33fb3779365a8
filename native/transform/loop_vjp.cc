#include "transform/loops.h"
#include "transform/rules.h"
#include "transform/transform.h"

namespace adjoint {

using namespace ex;

namespace {

std::vector<NodeId> at(std::span<const NodeId> all, std::span<const std::size_t> positions,
                       std::size_t first = 0) {
  std::vector<NodeId> result;
  for (const std::size_t i : positions) result.push_back(all[first + i]);
  return result;
}

void append(std::vector<NodeId>& to, const std::vector<NodeId>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

LoopPull::LoopPull(Builder& builder, const Tape& t, const Node& loop, std::vector<NodeId> operands,
                   const std::vector<bool>& active, const std::vector<bool>& reached)
    : builder_(builder),
      attributes_(LoopAttributes::read(t, loop)),
      operands_(std::move(operands)) {
  rule_ = t.sharedRule(attributes_.rule);
  step_ = rule_->primal;
  const LoopActivity activity = loopActivity(t, loop, active);
  std::vector<bool> items = activity.outputs;
  for (std::size_t i = 0; i < items.size(); ++i) items[i] = items[i] && reached[i];
  reached_ = reach(activity.inputs, items);
  makeReverse(*pulledStep());

  std::shared_ptr<const CustomRule> forward = rule_;
  if (!stored_.empty()) {
    std::vector<Port> ports = step_->outputs();
    for (const std::size_t i : stored_) ports.push_back(step_->inputs()[i]);
    forward = stepRule(*rule_, Builder(*step_).finish(std::move(ports)));
  }
  items_ = appendLoop(builder_, forward, attributes_, operands_);
}

NodeId LoopPull::item(std::size_t position) const {
  const bool isCount = position == step_->outputs().size();
  return isCount ? items_.back() : items_[position];
}

/// By fixpoint: a carry has a cotangent where its last value has, or where an output of the step
/// that has one depends on it.
LoopPull::Reached LoopPull::reach(const std::vector<bool>& active,
                                  const std::vector<bool>& items) const {
  const Tape& step = *step_;
  std::vector<std::size_t> wrt;
  for (std::size_t i = 0; i < active.size(); ++i) {
    if (active[i]) wrt.push_back(i);
  }
  const std::vector<bool> nodes = activeNodes(step, wrt);
  std::vector<bool> outputs = items;
  std::vector<bool> reached;
  const auto isReached = [&](std::size_t input) {
    return active[input] && reached[step.inputs()[input].node];
  };
  for (bool isSettled = false; !isSettled;) {
    isSettled = true;
    std::vector<NodeId> seeds;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i]) seeds.push_back(step.outputs()[i].node);
    }
    reached = reachedNodes(step, nodes, seeds);
    for (std::size_t k = 0; k < attributes_.carries; ++k) {
      if (outputs[k] || !isReached(carryInput(k))) continue;
      outputs[k] = true;
      isSettled = false;
    }
  }
  Reached result;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i]) continue;
    const bool isCarry = i < attributes_.carries;
    (isCarry ? result.carries : result.results).push_back(isCarry ? i : i - attributes_.carries);
  }
  for (std::size_t i = 0; i < attributes_.constants; ++i) {
    if (isReached(i)) result.constants.push_back(i);
  }
  for (std::size_t k = 0; k < attributes_.streams; ++k) {
    if (isReached(streamInput(k))) result.streams.push_back(k);
  }
  return result;
}

/// Inputs of the step, cotangents of its reached outputs -> cotangents of reached carries,
/// constants and streams. What can fail has failed in the loop before.
TapePtr LoopPull::pulledStep() const {
  std::vector<std::size_t> outputs = reached_.carries;
  for (const std::size_t i : reached_.results) outputs.push_back(attributes_.carries + i);
  std::vector<std::size_t> wrt;
  for (const std::size_t k : reached_.carries) wrt.push_back(carryInput(k));
  for (const std::size_t i : reached_.constants) wrt.push_back(i);
  for (const std::size_t k : reached_.streams) wrt.push_back(streamInput(k));
  const TapePtr pulled = vjp(selectOutputs(step_, outputs), wrt);
  Builder builder(*pulled);
  builder.clearChecks();
  return builder.finish({pulled->outputs().begin() + static_cast<std::ptrdiff_t>(outputs.size()),
                         pulled->outputs().end()});
}

void LoopPull::makeReverse(const Tape& pulled) {
  const Tape& step = *step_;
  const std::size_t index = attributes_.inputs();
  const std::vector<bool> read = inputsRead(pulled);
  for (std::size_t i = 0; i < index; ++i) {
    if (!read[i]) continue;
    (i < attributes_.constants ? constants_ : i < streamInput(0) ? stored_ : streams_).push_back(i);
  }
  reverseAttributes_ = attributes_;
  reverseAttributes_.reverse = !attributes_.reverse;
  reverseAttributes_.indexed = attributes_.indexed && read[index];
  if (attributes_.trips == LoopTrips::While) reverseAttributes_.trips = LoopTrips::Counted;
  reverseAttributes_.constants = constants_.size();
  reverseAttributes_.carries = reached_.carries.size() + reached_.constants.size();
  reverseAttributes_.streams = stored_.size() + streams_.size() + reached_.results.size();

  Builder builder;
  std::vector<NodeId> arguments(step.inputs().size(), kNoNode);
  const auto addRead = [&](std::span<const std::size_t> positions) {
    const std::vector<NodeId> ids = addInputs(builder, step, positions, "");
    for (std::size_t i = 0; i < ids.size(); ++i) arguments[positions[i]] = ids[i];
  };
  const auto addCotangents = [&](const std::vector<std::size_t>& outputs, std::size_t first) {
    for (const std::size_t i : outputs) {
      const Port& port = step.outputs()[first + i];
      arguments.push_back(builder.input("bar_" + port.name, step.shape(port.node)));
    }
  };
  addRead(constants_);
  addCotangents(reached_.carries, 0);
  const std::vector<NodeId> sums = addInputs(builder, step, reached_.constants, "bar_");
  addRead(stored_);
  addRead(streams_);
  addCotangents(reached_.results, attributes_.carries);
  if (reverseAttributes_.indexed) addRead({&index, 1});
  for (std::size_t i = 0; i < step.inputs().size(); ++i) {
    const NodeId node = step.inputs()[i].node;
    if (arguments[i] == kNoNode)
      arguments[i] = builder.constant(0, step.shape(node), step.node(node).dtype);
  }

  const std::vector<NodeId> bars = inlineTape(builder, pulled, arguments, true);
  std::vector<Port> ports = pulled.outputs();
  for (std::size_t i = 0; i < bars.size(); ++i) {
    ports[i].node = bars[i];
    const std::size_t sum = i - reached_.carries.size();
    if (i >= reached_.carries.size() && sum < sums.size())
      ports[i].node = (Expr{&builder, sums[sum]} + Expr{&builder, bars[i]}).id;
  }
  builder.clearChecks();
  reverse_ = stepRule(*rule_, builder.finish(std::move(ports)));
}

std::vector<Masked> LoopPull::pull(const std::vector<Masked>& bars) const {
  std::vector<Masked> result(operands_.size());
  const std::size_t count = step_->outputs().size();
  std::vector<NodeId> operands = at(operands_, constants_);
  const auto addCotangents = [&](const std::vector<std::size_t>& outputs, std::size_t first) {
    for (const std::size_t i : outputs) {
      const Shape shape = builder_.shape(items_[first + i]);
      operands.push_back(settleOr(bars[first + i], builder_, shape).id);
    }
  };
  addCotangents(reached_.carries, 0);
  for (const std::size_t i : reached_.constants)
    operands.push_back(builder_.constant(0, Shape(builder_.shape(operands_[i]))));
  for (std::size_t i = 0; i < stored_.size(); ++i) operands.push_back(items_[count + i]);
  append(operands, at(operands_, streams_));
  addCotangents(reached_.results, attributes_.carries);
  NodeId steps = kNoNode;
  if (attributes_.trips == LoopTrips::While) steps = items_.back();
  if (attributes_.trips == LoopTrips::Counted) steps = operands_.back();
  if (steps != kNoNode) operands.push_back(steps);
  const std::vector<NodeId> items = appendLoop(builder_, reverse_, reverseAttributes_, operands);

  std::size_t next = 0;
  const auto take = [&] { return seed({&builder_, items[next++]}); };
  for (const std::size_t k : reached_.carries) result[carryInput(k)] = take();
  for (const std::size_t i : reached_.constants) result[i] = take();
  for (const std::size_t k : reached_.streams) {
    Masked bar = take();
    if (steps != kNoNode) {
      // Rows of steps that were not taken have no cotangent.
      const Shape shape = bar.value.shape();
      const Expr row = iota(builder_, 0, shape);
      const Expr taken{&builder_, steps};
      bar = restrict(bar, apply(Op::Less, {row, taken}));
    }
    result[streamInput(k)] = bar;
  }
  return result;
}

}  // namespace adjoint

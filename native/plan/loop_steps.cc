#include "plan/loop_steps.h"

#include <algorithm>
#include <numeric>

#include "plan/analysis.h"
#include "transform/transform.h"

namespace adjoint {

namespace {

/// Whether nearly all elements belong to vectors that loops of machine code go through: worth more
/// than scalar code even where they are short.
bool fillsVectors(const Tape& t) {
  constexpr std::int64_t kVector = 8, kShare = 10;
  std::int64_t inVectors = 0, others = 0;
  for (NodeId id = 0; id < t.size(); ++id) {
    if (!isElementwise(t.node(id))) continue;
    const std::int64_t count = t.count(id);
    (count >= kVector && t.shape(id).back() == count ? inVectors : others) += count;
  }
  return inVectors >= kShare * others;
}

}  // namespace

LoopStep LoopSteps::make(NodeId id, const std::vector<NodeId>& items) {
  const Node& node = tape_.node(id);
  const LoopAttributes attributes = LoopAttributes::read(tape_, node);
  const auto operands = tape_.operands(node);
  const LoopPairs::Pair* pair = pairs_.of(id);
  LoopStep step;
  step.length = attributes.length;
  step.trips = attributes.trips;
  step.reverse = attributes.reverse;
  step.node = id;
  placeInputs(step, attributes, operands, pair);
  if (attributes.trips == LoopTrips::Counted) step.count = buffers_.contiguousOf(operands.back());

  const TapePtr& own = tape_.rule(attributes.rule).primal;
  std::vector<std::size_t> kept;
  for (std::size_t k = 0; k < own->outputs().size(); ++k) {
    const bool isCarry = k < attributes.carries;
    const bool isRead = items[k] != kNoNode && !pairs_.isTaken(items[k]);
    if (!isCarry && !isRead) continue;
    kept.push_back(k);
    auto& port = (isCarry ? step.last : step.results).emplace_back();
    if (isRead) port.buffer = buffers_.of(items[k]);
  }
  if (attributes.trips == LoopTrips::While && items.back() != kNoNode)
    step.counted = buffers_.of(items.back());
  if (pair != nullptr) replay(step, *pair);
  planBody(step, own, kept);
  std::erase_if(step.streams,
                [](const LoopStep::Port& port) { return port.buffer == LoopStep::kNone; });
  if (pairs_.isKept(id)) keepCarries(step, own, attributes);
  return step;
}

void LoopSteps::placeInputs(LoopStep& step, const LoopAttributes& attributes,
                            std::span<const NodeId> operands, const LoopPairs::Pair* pair) {
  std::vector<bool> isReplayed(attributes.streams, false);
  if (pair != nullptr) {
    for (const LoopPairs::Carry& carry : pair->carries) isReplayed[carry.stream] = true;
  }
  const std::size_t firstStream = attributes.constants + attributes.carries;
  for (std::size_t i = 0; i < firstStream; ++i) {
    auto& ports = i < attributes.constants ? step.constants : step.initial;
    ports.emplace_back().buffer = buffers_.contiguousOf(operands[i]);
  }
  for (std::size_t k = 0; k < attributes.streams; ++k) {
    const NodeId stream = operands[firstStream + k];
    LoopStep::Port& port = step.streams.emplace_back();
    if (isReplayed[k]) continue;  // it has no buffer until the body is placed
    port.isUniform = tape_.node(stream).op == tapeop::kConstant;
    port.buffer = port.isUniform ? oneRow(stream, step.length) : buffers_.contiguousOf(stream);
  }
}

/// The buffer of a stream that is one number everywhere.
BufferId LoopSteps::oneRow(NodeId stream, std::int64_t length) {
  const std::int64_t row = tape_.count(stream) / std::max<std::int64_t>(1, length);
  return buffers_.addConstants(
      std::vector<double>(static_cast<std::size_t>(row), Tape::constantValue(tape_.node(stream))));
}

/// Of the step's outputs only these.
void LoopSteps::planBody(LoopStep& step, const TapePtr& own,
                         const std::vector<std::size_t>& outputs) const {
  const TapePtr body = selectOutputs(own, outputs);
  PlanOptions options = options_;
  options.scalars = options_.scalars && !fillsVectors(*body);
  options.pieces = options_.shifts;
  placeBody(step, *makePlan(body, options));
}

/// Makes room for a loop's carries, and the loop that computes them again.
void LoopSteps::keepCarries(LoopStep& step, const TapePtr& own, const LoopAttributes& attributes) {
  const Checkpoints checkpoints =
      chooseCheckpoints(attributes.checkpoints, step.trips, step.length, step.row);
  const std::int64_t storage = storageRows(checkpoints, step.length) * step.row;
  step.kept = LoopStep::Kept{buffers_.addTemporary(storage), checkpoints,
                             tape_.rule(attributes.rule).directory};
  auto again = std::make_shared<LoopStep>(step);
  if (!step.results.empty()) {
    std::vector<std::size_t> carries(step.last.size());
    std::iota(carries.begin(), carries.end(), 0u);
    again->results.clear();
    planBody(*again, own, carries);
  }
  keptLoops_[step.node] = std::move(again);
}

/// Streams that are carries of another loop stand where that has them.
void LoopSteps::replay(LoopStep& step, const LoopPairs::Pair& pair) {
  step.replay = LoopStep::Replay{keptLoops_.at(pair.earlier)};
  for (const LoopPairs::Carry& carry : pair.carries)
    step.streams[carry.stream].inside = step.replay->loop->initial[carry.carry].inside;
}

}  // namespace adjoint

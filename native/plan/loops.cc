#include "plan/loops.h"

#include <algorithm>
#include <limits>

#include "checkpoint/binomial.h"
#include "plan/analysis.h"
#include "plan/arena.h"

namespace adjoint {

namespace {

/// Slots have numbers of 32 bits, and more than there are states are of no use.
std::int64_t usefulSlots(std::int64_t slots, std::int64_t length) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  return std::min({slots, std::max<std::int64_t>(length, 1), kMost});
}

/// The carry that a result of a step passes on as it was given; the number of carries where it is
/// none.
std::size_t passedCarry(const Tape& step, const LoopAttributes& attributes, std::size_t output) {
  for (std::size_t k = 0; k < attributes.carries; ++k) {
    if (step.inputs()[attributes.constants + k].node == step.outputs()[output].node) return k;
  }
  return attributes.carries;
}

bool takesAsManySteps(const Tape& t, NodeId earlier, const LoopAttributes& first, NodeId later,
                      const LoopAttributes& second) {
  if (first.length != second.length) return false;
  if (first.trips == LoopTrips::Fixed) return second.trips == LoopTrips::Fixed;
  if (second.trips != LoopTrips::Counted) return false;
  const NodeId count = t.operands(t.node(later)).back();
  if (first.trips == LoopTrips::Counted) return count == t.operands(t.node(earlier)).back();
  const Node& item = t.node(count);
  return opOf(item) == Op::Item && item.operand[0] == earlier &&
         t.attrs(item)[0] + 1 == static_cast<std::int64_t>(itemCount(t, t.node(earlier)));
}

}  // namespace

LoopPairs::LoopPairs(const Tape& t) : isTaken_(t.size(), false), isEarlier_(t.size(), false) {
  std::vector<NodeId> loops;
  for (NodeId id = 0; id < t.size(); ++id)
    if (opOf(t.node(id)) == Op::Loop) loops.push_back(id);
  if (loops.size() < 2) return;
  const std::vector<std::uint32_t> uses = useCounts(t);
  for (const NodeId later : loops) find(t, later, uses);
}

void LoopPairs::find(const Tape& t, NodeId later, const std::vector<std::uint32_t>& uses) {
  const LoopAttributes second = LoopAttributes::read(t, t.node(later));
  const auto operands = t.operands(t.node(later));
  Pair pair;
  for (std::size_t s = 0; s < second.streams; ++s) {
    const NodeId stream = operands[second.constants + second.carries + s];
    const Node& item = t.node(stream);
    if (opOf(item) != Op::Item || uses[stream] != 1) continue;
    const NodeId earlier = item.operand[0];
    // One that itself reads kept carries could not be run again from one of its own.
    if (opOf(t.node(earlier)) != Op::Loop || pairs_.contains(earlier)) continue;
    if (pair.earlier != kNoNode ? pair.earlier != earlier : isEarlier_[earlier]) continue;
    const LoopAttributes first = LoopAttributes::read(t, t.node(earlier));
    if (first.reverse == second.reverse || !takesAsManySteps(t, earlier, first, later, second))
      continue;
    const Tape& step = *t.rule(first.rule).primal;
    const auto output = static_cast<std::size_t>(t.attrs(item)[0]);
    if (output < first.carries || output >= step.outputs().size()) continue;
    const std::size_t carry = passedCarry(step, first, output);
    if (carry == first.carries) continue;
    pair.earlier = earlier;
    pair.carries.push_back({s, carry});
    isTaken_[stream] = true;
  }
  if (pair.earlier == kNoNode) return;
  isEarlier_[pair.earlier] = true;
  pairs_.emplace(later, std::move(pair));
}

const LoopPairs::Pair* LoopPairs::of(NodeId later) const {
  const auto found = pairs_.find(later);
  return found == pairs_.end() ? nullptr : &found->second;
}

void placeBody(LoopStep& loop, const Plan& plan) {
  const auto body = std::make_shared<Plan>(plan);
  const auto place = [&](BufferId id, Base base, std::int64_t& end) {
    Buffer& buffer = body->buffers[id];
    buffer.base = base;
    buffer.offset = end;
    end += std::max<std::int64_t>(paddedDoubles(buffer.elements), 8);
    return buffer.offset;
  };
  std::int64_t temporary = 0, row = 0;
  auto input = plan.inputs.begin();
  auto output = plan.outputs.begin();
  const auto placeAll = [&](std::vector<LoopStep::Port>& ports, auto& at, Base base,
                            std::int64_t& end) {
    for (LoopStep::Port& port : ports) {
      const BufferId id = (at++)->buffer;
      if (&ports == &loop.streams && port.buffer == LoopStep::kNone) {
        body->buffers[id].base = Base::Kept;
        body->buffers[id].offset = port.inside;
        continue;
      }
      port.inside = place(id, base, end);
      port.elements = body->buffers[id].elements;
    }
  };
  placeAll(loop.constants, input, Base::Temp, temporary);
  placeAll(loop.initial, input, Base::Io, row);
  placeAll(loop.streams, input, Base::Temp, temporary);
  if (input != plan.inputs.end()) loop.index = place((input++)->buffer, Base::Temp, temporary);
  loop.row = row;
  std::int64_t next = 0;
  placeAll(loop.last, output, Base::Next, next);
  placeAll(loop.results, output, Base::Temp, temporary);

  std::vector<bool> isPort(plan.buffers.size(), false);
  for (const auto* ports : {&plan.inputs, &plan.outputs})
    for (const IoPort& port : *ports) isPort[port.buffer] = true;
  for (BufferId id = 0; id < body->buffers.size(); ++id) {
    if (body->buffers[id].base == Base::Temp && !isPort[id]) body->buffers[id].offset += temporary;
  }
  // Rows stand in workspaces, and these end with a vector that code may read past them.
  constexpr std::int64_t kPastRows = 8;
  body->ioDoubles = loop.row + kPastRows;
  if (loop.replay) body->keptDoubles = loop.replay->loop->row + kPastRows;
  body->tempDoubles += temporary;
  loop.body = body;
}

Checkpoints chooseCheckpoints(const Checkpoints& asked, LoopTrips trips, std::int64_t length,
                              std::int64_t row) {
  Checkpoints chosen = asked;
  if (asked.policy == CheckpointPolicy::Auto) {
    const std::int64_t fit =
        std::max<std::int64_t>(1, asked.bytes / std::max<std::int64_t>(8, row * 8));
    if (length < fit) {
      chosen.policy = CheckpointPolicy::All;
    } else {
      chosen.policy = CheckpointPolicy::Revolve;
      chosen.slots = std::max<std::int64_t>(1, fit - 1);
    }
  }
  if (asked.policy == CheckpointPolicy::Sqrt) {
    chosen.policy = CheckpointPolicy::Every;
    chosen.slots = 1;
    while (chosen.slots * chosen.slots < length) ++chosen.slots;
  }
  if (trips == LoopTrips::While && chosen.policy != CheckpointPolicy::All) {
    chosen.slots = std::max<std::int64_t>(1, chosen.slots);
    if (chosen.policy == CheckpointPolicy::Every) chosen.slots += length / chosen.slots;
    chosen.policy = CheckpointPolicy::Online;
  }
  if (chosen.policy != CheckpointPolicy::Every) chosen.slots = usefulSlots(chosen.slots, length);
  return chosen;
}

std::unique_ptr<checkpoint::Schedule> scheduleOf(const Checkpoints& checkpoints,
                                                 std::int64_t steps) {
  const auto slots = static_cast<std::int32_t>(usefulSlots(checkpoints.slots, steps));
  switch (checkpoints.policy) {
    case CheckpointPolicy::Every:
      return checkpoint::everyKth(steps, checkpoints.slots);
    case CheckpointPolicy::Multistage:
      return checkpoint::multistage(
          steps, slots, static_cast<std::int32_t>(usefulSlots(checkpoints.diskSlots, steps)));
    default:
      return checkpoint::revolve(steps, std::max(1, slots));
  }
}

std::int64_t stepsAgain(const Checkpoints& checkpoints, std::int64_t steps) {
  if (steps == 0 || checkpoints.policy == CheckpointPolicy::All) return 0;
  // The last step of the forward sweep does not count.
  const std::int64_t sweep = steps - 1;
  if (checkpoints.policy == CheckpointPolicy::Every)
    return checkpoint::everyKthForwardSteps(steps, checkpoints.slots) - sweep;
  const std::int64_t slots = std::max<std::int64_t>(
      1, checkpoints.slots +
             (checkpoints.policy == CheckpointPolicy::Multistage ? checkpoints.diskSlots : 0));
  return checkpoint::fewestForwardSteps(steps, slots) - sweep;
}

std::int64_t storageRows(const Checkpoints& checkpoints, std::int64_t length) {
  if (checkpoints.policy == CheckpointPolicy::All) return length + 1;
  if (checkpoints.policy == CheckpointPolicy::Online) return checkpoints.slots + 1;
  return scheduleOf(checkpoints, length)->memorySlots() + 1;
}

}  // namespace adjoint

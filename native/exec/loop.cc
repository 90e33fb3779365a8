#include "exec/loop.h"

#include <algorithm>
#include <cmath>

#include "plan/loops.h"

namespace adjoint::exec {

LoopProgram::LoopProgram(const Plan& plan, const LoopStep& step,
                         std::shared_ptr<const Executable> body,
                         std::shared_ptr<const Executable> again, std::size_t sweep)
    : step_(step), body_(plan, step, std::move(body)), sweep_(sweep) {
  const auto take = [&](std::int64_t doubles) {
    const std::int64_t from = scratch_;
    scratch_ += roundUp(doubles, 8);
    return from;
  };
  count_ = placeIfAny(plan, step.count);
  counted_ = placeIfAny(plan, step.counted);
  rows_ = take(2 * body_.row());
  memory_ = take(body_.memoryDoubles());
  if (step.replay) {
    again_.emplace(plan, *step.replay->loop, std::move(again));
    againRows_ = take(2 * again_->row());
    againMemory_ = take(again_->memoryDoubles());
  }
  if (step.kept || step.replay) {
    const std::int64_t row = (again_ ? *again_ : body_).row();
    const BufferId buffer = (step.kept ? *step.kept : *step.replay->loop->kept).buffer;
    storageRows_ = row == 0 ? 0 : plan.buffers[buffer].elements / row;
    kept_ = placeIfAny(plan, buffer);
  }
}

bool LoopProgram::refuse(const RunContext& context, double count) const {
  RunStatus& status = *context.status;
  status.ok = false;
  status.code = ErrorCode::Limit;
  status.node = step_.node;
  status.value = count;
  status.limit = step_.length;
  return false;
}

std::int64_t LoopProgram::stepsOf(const RunContext& context) const {
  if (step_.trips != LoopTrips::Counted) return step_.length;
  const double count = *context.at(count_.base, count_.offset);
  if (count >= 0 && count <= static_cast<double>(step_.length) && std::floor(count) == count)
    return static_cast<std::int64_t>(count);
  refuse(context, count);
  return -1;
}

bool LoopProgram::Walk::step(const RunContext& context, std::int64_t i, double* to, double* kept) {
  // A body without a kept row has an address in its place all the same.
  const StepRows rows{at, to, kept == nullptr ? at : kept};
  if (!body.step(context, memory, rows, reverse ? steps - 1 - i : i)) return false;
  at = to;
  if (--untilPoll > 0) return true;
  report(context);
  return !stopped(context);
}

void LoopProgram::Walk::report(const RunContext& context) {
  const std::int64_t taken = batch - untilPoll;
  untilPoll = batch = body.pollEvery();
  if (context.control == nullptr) return;
  if (!isPlanned) context.control->stepsPlanned.fetch_add(taken, std::memory_order_relaxed);
  context.control->stepsDone.fetch_add(taken, std::memory_order_relaxed);
}

std::int64_t LoopProgram::plannedSteps() const {
  if (step_.trips != LoopTrips::Fixed) return 0;
  return step_.length + (step_.replay ? stepsAgain(checkpoints(), step_.length) : 0);
}

std::int64_t LoopProgram::stepsAgainOf(const RunContext& context, std::int64_t steps) const {
  if (!step_.replay) return 0;
  const bool isOnline = step_.replay->loop->trips == LoopTrips::While &&
                        checkpoints().policy != CheckpointPolicy::All;
  return isOnline ? context.sweeps[sweep_]->stepsAgain() : stepsAgain(checkpoints(), steps);
}

LoopProgram::Walk LoopProgram::walkOf(const RunContext& context, std::int64_t steps) const {
  double* const spare = context.scratch + rows_;
  Walk walk{body_,         context.scratch + memory_,      spare, spare, steps,
            step_.reverse, step_.trips != LoopTrips::While};
  if (keepsAll()) walk.at = storage(context);
  body_.readInitial(context, walk.at);
  if (steps > 0) body_.begin(context, walk.memory);
  return walk;
}

bool LoopProgram::runForward(const RunContext& context, std::int64_t steps) const {
  Walk walk = walkOf(context, steps);
  if (step_.kept && !keepsAll()) {
    if (!keep(context, walk)) return false;
  } else {
    const bool isWhile = step_.trips == LoopTrips::While, isAll = keepsAll();
    std::int64_t taken = 0;
    for (; taken < steps && (!isWhile || *walk.at != 0); ++taken) {
      double* const to = isAll ? walk.at + body_.row() : walk.spareRow();
      if (!walk.step(context, taken, to, nullptr)) return false;
    }
    if (!endAfter(context, walk, taken)) return false;
  }
  walk.report(context);
  body_.writeLast(context, walk.at);
  return true;
}

bool LoopProgram::endAfter(const RunContext& context, const Walk& walk, std::int64_t taken) const {
  if (step_.trips != LoopTrips::While) return true;
  if (*walk.at != 0) return refuse(context, static_cast<double>(taken));
  if (step_.counted != LoopStep::kNone)
    *context.at(counted_.base, counted_.offset) = static_cast<double>(taken);
  return true;
}

bool LoopProgram::keep(const RunContext& context, Walk& walk) const {
  using checkpoint::ActionKind;
  const bool isWhile = step_.trips == LoopTrips::While;
  double* slots = storage(context);
  Sweep*& sweep = context.sweeps[sweep_];
  sweep = new Sweep(step_, walk.steps);
  std::int64_t taken = 0;
  const double* before = nullptr;
  for (bool isDone = false; !isDone;) {
    if (isWhile && (*walk.at == 0 || taken == walk.steps)) {
      if (!endAfter(context, walk, taken)) return false;
      sweep->finish(taken);
    }
    const checkpoint::Action action = sweep->next();
    // Files may take far longer than the steps between two polls.
    if (action.slot.place == checkpoint::Place::Disk && stopped(context)) return false;
    switch (action.kind) {
      case ActionKind::Store:
        sweep->store(action, walk.at, slots);
        break;
      case ActionKind::Free:
        sweep->free(action);
        break;
      case ActionKind::Advance:
        for (; taken < std::min(action.to, walk.steps) && (!isWhile || *walk.at != 0); ++taken) {
          before = walk.at;
          if (!walk.step(context, taken)) return false;
        }
        break;
      default:
        isDone = true;
    }
  }
  // The reversal begins with the last step, at the carries it began with.
  if (taken > 0) std::copy_n(before, body_.row(), slots + (storageRows_ - 1) * body_.row());
  return true;
}

bool LoopProgram::reverseStep(const RunContext& context, Walk& walk, std::int64_t i,
                              double* row) const {
  return walk.step(context, walk.steps - 1 - i, walk.spareRow(), row);
}

bool LoopProgram::replayAll(const RunContext& context, Walk& walk) const {
  double* rows = storage(context);
  for (std::int64_t i = walk.steps; i-- > 0;)
    if (!reverseStep(context, walk, i, rows + i * again_->row())) return false;
  return true;
}

bool LoopProgram::replay(const RunContext& context, Walk& walk) const {
  Sweep& sweep = *context.sweeps[sweep_];
  if (checkpoint::Reversal* const reversal = sweep.reversal())
    return replayBy(*reversal, sweep, context, walk);
  return replayBy(sweep, sweep, context, walk);
}

template <class Schedule>
bool LoopProgram::replayBy(Schedule& schedule, Sweep& sweep, const RunContext& context,
                           Walk& walk) const {
  using checkpoint::ActionKind;
  const std::int64_t row = again_->row();
  double* slots = storage(context);
  double* const spare = context.scratch + againRows_;
  // States are read where they are: the last step's behind the slots, others in these.
  Walk again{
      *again_,    context.scratch + againMemory_, spare,         slots + (storageRows_ - 1) * row,
      walk.steps, step_.replay->loop->reverse,    walk.isPlanned};
  again_->begin(context, again.memory);
  // The last step of an Advance waits for the next action: it may go where that stores its state.
  constexpr std::int64_t kNone = -1;
  std::int64_t waiting = kNone;
  for (;;) {
    const checkpoint::Action action = schedule.next();
    if (action.slot.place == checkpoint::Place::Disk && stopped(context)) return false;
    if (waiting != kNone) {
      double* to = action.kind == ActionKind::Store ? sweep.slotOf(action, slots) : nullptr;
      if (to == nullptr || to == again.at) to = again.spareRow();
      if (!again.step(context, waiting, to, nullptr)) return false;
      waiting = kNone;
    }
    switch (action.kind) {
      case ActionKind::Restore:
        if (action.slot.place == checkpoint::Place::Memory) {
          again.at = sweep.slotOf(action, slots);
          break;
        }
        again.at = spare;
        if (action.slot.place == checkpoint::Place::Start) {
          again_->readInitial(context, again.at);
        } else {
          sweep.restore(action, again.at);
        }
        break;
      case ActionKind::Store:
        sweep.store(action, again.at, slots);
        break;
      case ActionKind::Free:
        sweep.free(action);
        break;
      case ActionKind::Advance:
        for (std::int64_t i = action.from; i + 1 < action.to; ++i)
          if (!again.step(context, i)) return false;
        if (action.from < action.to) waiting = action.to - 1;
        break;
      case ActionKind::Reverse:
        if (!reverseStep(context, walk, action.from, again.at)) return false;
        break;
      case ActionKind::Turn:
        break;
      case ActionKind::Done:
        again.report(context);
        return true;
    }
  }
}

bool LoopProgram::run(const RunContext& context) const noexcept {
  try {
    const std::int64_t steps = stepsOf(context);
    if (steps < 0) return false;
    if (context.control != nullptr && step_.trips == LoopTrips::Counted)
      context.control->stepsPlanned.fetch_add(steps + stepsAgainOf(context, steps),
                                              std::memory_order_relaxed);
    if (!step_.replay) return runForward(context, steps);
    Walk walk = walkOf(context, steps);
    if (steps > 0) {
      const bool isAll = checkpoints().policy == CheckpointPolicy::All;
      if (!(isAll ? replayAll(context, walk) : replay(context, walk))) return false;
      walk.report(context);
    }
    body_.writeLast(context, walk.at);
    return true;
  } catch (const checkpoint::DiskError& error) {
    context.status->code = error.code();
    context.status->value = error.error();
    context.status->directory = step_.kept->directory.c_str();
  } catch (const Error& error) {
    context.status->code = error.code();
  } catch (...) {
    context.status->code = ErrorCode::Memory;
  }
  context.status->ok = false;
  context.status->node = step_.node;
  return false;
}

}  // namespace adjoint::exec

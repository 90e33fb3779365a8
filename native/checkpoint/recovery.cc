#include "checkpoint/recovery.h"

#include "tape/error.h"

namespace adjoint::checkpoint {

namespace {

constexpr std::int64_t kAbsent = -1;

}  // namespace

Recovery::Recovery(Schedule& schedule)
    : schedule_(schedule),
      memory_(static_cast<std::size_t>(schedule.memorySlots()), kAbsent),
      disk_(static_cast<std::size_t>(schedule.diskSlots()), kAbsent) {}

std::int64_t& Recovery::heldBy(Slot slot) {
  return (slot.place == Place::Disk ? disk_ : memory_)[static_cast<std::size_t>(slot.index)];
}

Action Recovery::next() {
  switch (phase_) {
    case Phase::Nearest:
      last_ = nearest();
      break;
    case Phase::Return:
      last_ = goBack();
      break;
    case Phase::Regular:
      last_ = take();
      break;
  }
  return last_;
}

void Recovery::failed() {
  const bool isRestore = last_.kind == ActionKind::Restore && last_.slot.place != Place::Start;
  if (last_.kind != ActionKind::Store && !isRestore) {
    throw Error(ErrorCode::State, "\"" + toString(last_) + "\" can not fail");
  }
  heldBy(last_.slot) = kAbsent;
  if (!isRestore) return;
  if (phase_ == Phase::Regular) wanted_ = last_;
  phase_ = Phase::Nearest;
}

/// The schedule's next action, if what it wants is there.
Action Recovery::take() {
  while (true) {
    const Action action = ahead_ ? *ahead_ : schedule_.next();
    ahead_.reset();
    switch (action.kind) {
      case ActionKind::Store:
        heldBy(action.slot) = action.from;
        return action;
      case ActionKind::Free:
        if (heldBy(action.slot) == kAbsent) continue;
        heldBy(action.slot) = kAbsent;
        return action;
      case ActionKind::Restore:
        if (heldBy(action.slot) == action.from) return action;
        wanted_ = action;
        return nearest();
      default:
        return action;
    }
  }
}

Action Recovery::nearest() {
  Action best{ActionKind::Restore, {Place::Start, 0}, 0, 0};
  const auto look = [&](const std::vector<std::int64_t>& states, Place place) {
    for (std::size_t i = 0; i < states.size(); ++i) {
      const bool isBetter =
          best.slot.place == Place::Start ? states[i] >= 0 : states[i] > best.from;
      if (!isBetter || states[i] >= wanted_.from) continue;
      best.slot = {place, static_cast<std::int32_t>(i)};
      best.from = states[i];
    }
  };
  look(memory_, Place::Memory);
  look(disk_, Place::Disk);
  phase_ = Phase::Return;
  return best;
}

/// After the Restore of an earlier state.
Action Recovery::goBack() {
  if (last_.kind == ActionKind::Restore && last_.from < wanted_.from) {
    extraSteps_ += wanted_.from - last_.from;
    return {ActionKind::Advance, {}, last_.from, wanted_.from};
  }
  phase_ = Phase::Regular;
  ahead_ = schedule_.next();
  const bool isLast = ahead_->kind == ActionKind::Free && ahead_->slot == wanted_.slot;
  if (isLast) return take();
  heldBy(wanted_.slot) = wanted_.from;
  return {ActionKind::Store, wanted_.slot, wanted_.from, 0};
}

}  // namespace adjoint::checkpoint

#include <algorithm>
#include <cmath>
#include <limits>

#include "checkpoint/checks.h"
#include "checkpoint/schedule.h"

namespace adjoint::checkpoint {

namespace {

/// Outer slots 0, 1, ... hold the first states of parts; the inner ones after them the states
/// between, but for the last of a part, which is the current one when its adjoint step is due. The
/// last part's states are stored by the forward sweep itself.
class EveryKth final : public Schedule {
 public:
  EveryKth(std::int64_t length, std::int64_t every)
      : length_(length),
        every_(every),
        end_(length),
        lastPart_(length > 0 ? (length - 1) / every * every : 0) {
    // The last part's first state needs no slot where it is the current one at the turn.
    outer_ = lastPart_ / every + (length - lastPart_ > 1 ? 1 : 0);
    inner_ = std::max<std::int64_t>((lastPart_ > 0 ? every : length) - 2, 0);
    if (outer_ + inner_ > std::numeric_limits<std::int32_t>::max()) {
      throw Error(ErrorCode::Limit, "a loop of " + std::to_string(length) + " steps with every " +
                                        std::to_string(every) +
                                        "th state stored needs more than 2^31 - 1 slots");
    }
  }

  Action next() override {
    if (!hasTurned_) return sweep();
    if (mustFree_) {
      mustFree_ = false;
      return {ActionKind::Free, slotOf(end_ - 1), end_ - 1, 0};
    }
    if (current_ == end_ - 1 && end_ > 0) {
      --end_;
      current_ = -1;
      return {ActionKind::Reverse, {}, end_, 0};
    }
    if (current_ >= 0) return fill();
    if (end_ == 0) return {};
    // The part is full: its states come back one by one; or the next part begins.
    base_ = (end_ - 1) / every_ * every_;
    const bool isFull = base_ == lastPart_ || end_ - base_ < partLength(base_);
    current_ = isFull ? end_ - 1 : base_;
    mustFree_ = current_ == end_ - 1;
    return {ActionKind::Restore, slotOf(current_), current_, 0};
  }

  std::int32_t memorySlots() const override { return static_cast<std::int32_t>(outer_ + inner_); }

 private:
  std::int64_t partLength(std::int64_t base) const { return std::min(every_, length_ - base); }

  Action sweep() {
    if (current_ == length_) {
      hasTurned_ = true;
      current_ = length_ - 1;
      return {ActionKind::Turn, {}, length_, 0};
    }
    const std::int64_t from = current_;
    if (stored_ < from && from < length_ - 1) {
      stored_ = from;
      return {ActionKind::Store, slotOf(from), from, 0};
    }
    current_ = from < lastPart_ ? from + every_ : from + 1;
    return {ActionKind::Advance, {}, from, current_};
  }

  /// Within a part whose first state has been restored.
  Action fill() {
    const std::int64_t from = current_;
    if (from > base_ && stored_ != from) {
      stored_ = from;
      return {ActionKind::Store, slotOf(from), from, 0};
    }
    current_ = from + 1;
    return {ActionKind::Advance, {}, from, current_};
  }

  Slot slotOf(std::int64_t state) const {
    const std::int64_t part = state / every_, within = state % every_;
    const std::int64_t index = within == 0 ? part : outer_ + within - 1;
    return {Place::Memory, static_cast<std::int32_t>(index)};
  }

  std::int64_t length_, every_;
  std::int64_t end_;       ///< adjoint steps from here on are done
  std::int64_t lastPart_;  ///< its first state
  std::int64_t outer_ = 0, inner_ = 0;
  std::int64_t base_ = 0;  ///< the first state of the part being reversed
  std::int64_t current_ = 0, stored_ = -1;
  bool hasTurned_ = false, mustFree_ = false;
};

}  // namespace

std::unique_ptr<Schedule> everyKth(std::int64_t length, std::int64_t every) {
  checkLength(length);
  if (every < 1) {
    throw Error(ErrorCode::Argument,
                "every kth state needs k of at least 1, not " + std::to_string(every));
  }
  return std::make_unique<EveryKth>(length, every);
}

std::int64_t everyKthForwardSteps(std::int64_t length, std::int64_t every) {
  checkLength(length);
  if (length == 0) return 0;
  // All parts but the last are filled again.
  const std::int64_t parts = (length - 1) / every;
  return length - 1 + parts * (every - 1);
}

std::unique_ptr<Schedule> storeAll(std::int64_t length) { return everyKth(length, 1); }

std::unique_ptr<Schedule> everyRoot(std::int64_t length) {
  checkLength(length);
  auto root = static_cast<std::int64_t>(std::sqrt(static_cast<double>(length)));
  while (root > 0 && (root - 1) * (root - 1) >= length) --root;
  while (root * root < length) ++root;
  return everyKth(length, std::max<std::int64_t>(root, 1));
}

}  // namespace adjoint::checkpoint

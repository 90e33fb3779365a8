#include "checkpoint/online.h"

#include <algorithm>
#include <limits>
#include <span>
#include <string>

#include "checkpoint/checks.h"

namespace adjoint::checkpoint {

namespace {

class OnlineOfLength final : public Schedule {
 public:
  OnlineOfLength(std::int64_t length, std::int32_t slots) : online_(slots), length_(length) {}

  Action next() override {
    if (!isFinished_ && current_ == length_) {
      online_.finish(length_);
      isFinished_ = true;
    }
    if (isFinished_) return online_.next();
    if (current_ == end_) {
      const Action action = online_.next();
      if (action.kind != ActionKind::Advance) return action;
      end_ = std::min(action.to, length_);
    }
    // The last step is an Advance of its own.
    const std::int64_t from = current_;
    current_ = end_ == length_ && from < length_ - 1 ? length_ - 1 : end_;
    return {ActionKind::Advance, {}, from, current_};
  }

  std::int32_t memorySlots() const override { return online_.memorySlots(); }

 private:
  Online online_;
  std::int64_t length_;
  std::int64_t current_ = 0, end_ = 0;
  bool isFinished_ = false;
};

}  // namespace

Online::Online(std::int32_t slots) {
  checkSlots(slots, 0);
  const auto n = static_cast<std::size_t>(slots);
  slots_.resize(n);
  states_.resize(n);
  later_.resize(n + 1);
  for (std::int32_t i = 0; i < slots; ++i) slots_[static_cast<std::size_t>(i)].index = i;
}

Action Online::next() {
  if (reversal_) {
    if (hasTurned_) return reversal_->next();
    hasTurned_ = true;
    return {ActionKind::Turn, {}, current_, 0};
  }
  const bool isStored = depth_ > 0 && states_[depth_ - 1] == current_;
  if (!isStored) {
    if (!isFull()) {
      states_[depth_] = current_;
      const Slot slot = slots_[depth_++];
      // Before, all states are stored: parts are single steps, and nothing is dropped.
      if (isFull()) findDrop();
      return {ActionKind::Store, slot, current_, 0};
    }
    if (pays(current_)) return drop();
  }
  if (current_ >= kLongestChain) {
    throw Error(ErrorCode::Limit, "a loop that is to be reversed has not ended after 2^53 steps");
  }
  const std::int64_t from = current_;
  current_ = nextToStore();
  return {ActionKind::Advance, {}, from, current_};
}

void Online::finish(std::int64_t length) {
  const std::int64_t first = depth_ > 0 ? states_[depth_ - 1] : 0;
  if (reversal_ || length < first || length > current_) {
    throw Error(ErrorCode::State, "a loop can not end at step " + std::to_string(length) +
                                      ": its forward sweep is between steps " +
                                      std::to_string(first) + " and " + std::to_string(current_));
  }
  reversal_.emplace(length, slots_, std::span(states_).first(static_cast<std::size_t>(depth_)));
  current_ = length;
}

std::int64_t Online::forwardSteps(std::int64_t length) const {
  if (length <= 1) return 0;
  const std::int64_t slots = static_cast<std::int64_t>(slots_.size()) - depth_ + 1;
  const Steps steps =
      length - 1 + parts_ + fewestForwardSteps(length - 1 - states_[depth_ - 1], slots);
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  return steps > kLargest ? kLargest : static_cast<std::int64_t>(steps);
}

/// Reversing the parts before `state` with the best of all choices of a state to drop for it.
Online::Steps Online::leastWithDrop(std::int64_t state) const {
  const Steps dropLast = partsButLast_ + fewestForwardSteps(state - states_[depth_ - 2], 2);
  if (drop_ == 0) return dropLast;
  return std::min(dropLast, partsWithDrop_ + fewestForwardSteps(state - states_[depth_ - 1], 2));
}

/// Whether storing `state` costs nothing if there is one more step. All slots are taken.
bool Online::pays(std::int64_t state) const {
  if (depth_ < 2) return false;
  const Steps without = parts_ + fewestForwardSteps(state - states_[depth_ - 1], 1);
  return leastWithDrop(state) <= without;
}

/// The first state after the current one for which storing pays. What it saves is convex in the
/// state, because t(l, 1) grows by l from l to l + 1 and t(l, 2) by a number that grows by 1 at the
/// most; and it is negative at first. So it is positive from some state on.
std::int64_t Online::nextToStore() const {
  if (!isFull()) return current_ + 1;
  if (depth_ < 2) return kLongestChain;
  std::int64_t before = current_, distance = 1;
  while (before + distance < kLongestChain && !pays(before + distance)) {
    before += distance;
    distance *= 2;
  }
  std::int64_t after = std::min(before + distance, kLongestChain);
  while (after - before > 1) {
    const std::int64_t middle = before + (after - before) / 2;
    (pays(middle) ? after : before) = middle;
  }
  return after;
}

/// The part of depth i has all slots but those of the i states before it.
void Online::findDrop() {
  const auto slots = static_cast<std::int64_t>(slots_.size());
  const std::int64_t last = depth_ - 1;
  // Without a state before them, parts have one slot more.
  later_[std::max<std::int64_t>(last, 0)] = 0;
  for (std::int64_t i = last - 1; i > 0; --i) {
    later_[i] = later_[i + 1] + fewestForwardSteps(partOf(i), slots - i + 1);
  }
  parts_ = partsButLast_ = 0;
  drop_ = 0;
  for (std::int64_t i = 0; i < last; ++i) {
    if (i + 1 < last) {
      const std::int64_t joined = states_[i + 2] - states_[i];
      const Steps steps = parts_ + fewestForwardSteps(joined, slots - i) + later_[i + 2];
      if (drop_ == 0 || steps < partsWithDrop_) {
        partsWithDrop_ = steps;
        drop_ = i + 1;
      }
    }
    partsButLast_ = parts_;
    parts_ += fewestForwardSteps(partOf(i), slots - i);
  }
}

/// Frees the slot whose state is needed least. It becomes the first of the free ones.
Action Online::drop() {
  const std::int64_t last = depth_ - 1;
  std::int64_t depth = last;
  if (drop_ > 0 && partsWithDrop_ + fewestForwardSteps(current_ - states_[last], 2) <=
                       partsButLast_ + fewestForwardSteps(current_ - states_[last - 1], 2)) {
    depth = drop_;
  }
  const std::int64_t state = states_[depth];
  const Slot slot = slots_[depth];
  std::copy(states_.begin() + depth + 1, states_.begin() + depth_, states_.begin() + depth);
  std::rotate(slots_.begin() + depth, slots_.begin() + depth + 1, slots_.begin() + depth_);
  --depth_;
  return {ActionKind::Free, slot, state, 0};
}

std::unique_ptr<Schedule> onlineOfLength(std::int64_t length, std::int32_t slots) {
  checkLength(length);
  return std::make_unique<OnlineOfLength>(length, slots);
}

}  // namespace adjoint::checkpoint

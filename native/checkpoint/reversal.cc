#include "checkpoint/reversal.h"

#include <algorithm>
#include <utility>

namespace adjoint::checkpoint {

namespace {

constexpr std::int64_t kNone = -1;

}  // namespace

Reversal::Reversal(std::int64_t length, std::vector<Slot> slots)
    : slots_(std::move(slots)),
      states_(slots_.size()),
      splits_(length, static_cast<std::int64_t>(slots_.size())),
      end_(length),
      length_(length) {
  for (const Slot& slot : slots_) ++(slot.place == Place::Disk ? diskSlots_ : memorySlots_);
}

Reversal::Reversal(std::int64_t length, std::vector<Slot> slots,
                   std::span<const std::int64_t> states)
    : Reversal(length, std::move(slots)) {
  std::copy(states.begin(), states.end(), states_.begin());
  depth_ = static_cast<std::int64_t>(states.size());
  current_ = length - 1;
  hasTurned_ = true;
}

Action Reversal::next() {
  if (depth_ > 0 && states_[depth_ - 1] >= end_) return leave();
  if (current_ == kNone) {
    if (end_ == 0) return {};
    current_ = states_[depth_ - 1];
    return {ActionKind::Restore, slots_[depth_ - 1], current_, 0};
  }
  const std::int64_t from = current_, steps = end_ - from;
  const bool isStored = depth_ > 0 && states_[depth_ - 1] == from;
  if (steps > 1) {
    if (!isStored) {
      states_[depth_] = from;
      return {ActionKind::Store, slots_[depth_++], from, 0};
    }
    current_ += splits_.at(steps, static_cast<std::int64_t>(slots_.size()) - depth_ + 1);
    return {ActionKind::Advance, {}, from, current_};
  }
  if (!hasTurned_) {
    if (from < length_) {
      current_ = length_;
      return {ActionKind::Advance, {}, from, length_};
    }
    hasTurned_ = true;
    current_ = length_ > 0 ? length_ - 1 : kNone;
    return {ActionKind::Turn, {}, length_, 0};
  }
  // What has been read for the last time is free before its step is reversed.
  if (isStored) return leave();
  end_ = from;
  current_ = kNone;
  return {ActionKind::Reverse, {}, from, 0};
}

Action Reversal::leave() {
  --depth_;
  return {ActionKind::Free, slots_[depth_], states_[depth_], 0};
}

}  // namespace adjoint::checkpoint

#pragma once

#include <span>
#include <vector>

#include "checkpoint/binomial.h"
#include "checkpoint/schedule.h"

namespace adjoint::checkpoint {

/// Reverses a chain with a stack of stored states. The part between the last of them and the next
/// adjoint step is split by an optimal schedule for the slots above, until it is one step.
class Reversal final : public Schedule {
 public:
  /// From state 0 on, with `slots` in the order in which they are taken. `slots` is not empty.
  Reversal(std::int64_t length, std::vector<Slot> slots);
  /// After the turn, with the first states.size() slots holding `states`, which ascend from 0.
  Reversal(std::int64_t length, std::vector<Slot> slots, std::span<const std::int64_t> states);

  Action next() override;
  std::int32_t memorySlots() const override { return memorySlots_; }
  std::int32_t diskSlots() const override { return diskSlots_; }

 private:
  static constexpr std::int64_t kNone = -1;

  Action leave();

  std::vector<Slot> slots_;
  std::vector<std::int64_t> states_;  ///< of the slots in use, by depth
  Splits splits_;
  std::int64_t depth_ = 0;
  std::int64_t end_;          ///< adjoint steps from here on are done
  std::int64_t current_ = 0;  ///< the current state, or kNone
  std::int64_t length_;
  std::int32_t memorySlots_ = 0, diskSlots_ = 0;
  bool hasTurned_ = false;
};

// Where it can be inlined: what to do next should take less than a short step of a loop.
inline Action Reversal::next() {
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

inline Action Reversal::leave() {
  --depth_;
  return {ActionKind::Free, slots_[depth_], states_[depth_], 0};
}

}  // namespace adjoint::checkpoint

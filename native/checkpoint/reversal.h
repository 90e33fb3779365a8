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

}  // namespace adjoint::checkpoint

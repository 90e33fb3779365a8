#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "checkpoint/schedule.h"

namespace adjoint::testing {

/// Does what a schedule says to states that are their own numbers, and fails where that can not be
/// done: the current state is another, a slot is empty or taken, steps are reversed out of order.
class ScheduleChecker {
 public:
  /// Stops after the first failure.
  void run(checkpoint::Schedule& schedule) {
    for (checkpoint::Action a = schedule.next(); a.kind != checkpoint::ActionKind::Done;
         a = schedule.next()) {
      take(a);
      if (::testing::Test::HasFailure()) return;
    }
    EXPECT_TRUE(hasTurned);
    EXPECT_EQ(reversed, 0);
    EXPECT_TRUE(memory.empty() && disk.empty()) << "a slot is not free at the end";
    EXPECT_LE(mostMemory, static_cast<std::size_t>(schedule.memorySlots()));
    EXPECT_LE(mostDisk, static_cast<std::size_t>(schedule.diskSlots()));
    EXPECT_EQ(schedule.next().kind, checkpoint::ActionKind::Done);
  }

  void take(const checkpoint::Action& a) {
    using checkpoint::ActionKind;
    SCOPED_TRACE(checkpoint::toString(a));
    auto& slots = a.slot.place == checkpoint::Place::Disk ? disk : memory;
    const auto slot = slots.find(a.slot.index);
    switch (a.kind) {
      case ActionKind::Advance:
        EXPECT_EQ(current, a.from);
        EXPECT_LT(a.from, a.to);
        if (!hasTurned) lastStep = a.to - a.from;
        forward += a.to - a.from;
        current = a.to;
        break;
      case ActionKind::Store:
        EXPECT_EQ(current, a.from);
        EXPECT_EQ(slot, slots.end()) << "the slot is taken";
        slots[a.slot.index] = a.from;
        mostMemory = std::max(mostMemory, memory.size());
        mostDisk = std::max(mostDisk, disk.size());
        break;
      case ActionKind::Restore:
        if (a.slot.place == checkpoint::Place::Start) {
          EXPECT_EQ(a.from, 0);
        } else {
          ASSERT_NE(slot, slots.end()) << "the slot is empty";
          EXPECT_EQ(slot->second, a.from);
        }
        current = a.from;
        break;
      case ActionKind::Free:
        ASSERT_NE(slot, slots.end()) << "the slot is empty";
        EXPECT_EQ(slot->second, a.from);
        slots.erase(slot);
        break;
      case ActionKind::Turn:
        EXPECT_FALSE(hasTurned);
        EXPECT_EQ(current, a.from);
        hasTurned = true;
        reversed = current;
        if (current > 0) {
          EXPECT_EQ(lastStep, 1);
          --current;
          --forward;
        }
        break;
      case ActionKind::Reverse:
        EXPECT_TRUE(hasTurned);
        EXPECT_EQ(a.from, reversed - 1);
        EXPECT_EQ(current, a.from);
        reversed = a.from;
        break;
      case ActionKind::Done:
        break;
    }
  }

  std::int64_t current = 0, reversed = 0, lastStep = 0;
  std::int64_t forward = 0;  ///< without the last step of the sweep
  bool hasTurned = false;
  std::map<std::int32_t, std::int64_t> memory, disk;
  std::size_t mostMemory = 0, mostDisk = 0;
};

}  // namespace adjoint::testing

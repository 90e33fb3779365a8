#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <string>

#include "checkpoint/binomial.h"
#include "checkpoint/choose.h"
#include "checkpoint/recovery.h"
#include "checkpoint_checker.h"
#include "tape/error.h"

namespace adjoint::testing {
namespace {

using namespace checkpoint;

/// Does what a recovery says with slots on disk whose stores and restores fail by chance.
std::int64_t runWithFailures(Schedule& schedule, double storeFails, double restoreFails,
                             std::uint64_t seed) {
  Recovery recovery(schedule);
  ScheduleChecker checker;
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> chance;
  for (Action a = recovery.next(); a.kind != ActionKind::Done; a = recovery.next()) {
    const bool isDisk = a.slot.place == Place::Disk;
    const bool fails = isDisk && ((a.kind == ActionKind::Store && chance(random) < storeFails) ||
                                  (a.kind == ActionKind::Restore && chance(random) < restoreFails));
    if (!fails) {
      checker.take(a);
    } else {
      if (a.kind == ActionKind::Restore) checker.disk.erase(a.slot.index);
      recovery.failed();
    }
    if (::testing::Test::HasFailure()) return -1;
  }
  EXPECT_TRUE(checker.hasTurned);
  EXPECT_EQ(checker.reversed, 0);
  EXPECT_TRUE(checker.memory.empty() && checker.disk.empty());
  EXPECT_LE(checker.mostDisk, static_cast<std::size_t>(schedule.diskSlots()));
  return checker.forward - recovery.extraSteps();
}

TEST(CheckpointRecovery, ReversesAllStepsWhateverFails) {
  std::uint64_t seed = 0;
  for (const double stores : {0.0, 0.1, 0.5, 1.0}) {
    for (const double restores : {0.0, 0.1, 0.5, 1.0}) {
      for (const std::int64_t l : {0, 1, 2, 3, 10, 57, 250}) {
        for (int memory = 0; memory <= 3; ++memory) {
          for (const int disk : {1, 2, 5, 20}) {
            SCOPED_TRACE(std::to_string(l) + " " + std::to_string(memory) + " " +
                         std::to_string(disk) + " seed " + std::to_string(seed));
            // What the schedule itself asks for is done, and no more but what is counted as extra.
            EXPECT_EQ(runWithFailures(*multistage(l, memory, disk), stores, restores, ++seed),
                      fewestForwardSteps(l, memory + disk));
            if (HasFailure()) return;
          }
        }
      }
    }
  }
}

TEST(CheckpointRecovery, GoesToTheLargestStateBelow) {
  const auto schedule = multistage(10, 0, 3);
  Recovery recovery(*schedule);
  std::string text;
  std::int64_t lost = 0;
  for (Action a = recovery.next(); a.kind != ActionKind::Done; a = recovery.next()) {
    text += toString(a);
    // The first restore fails, and so does the one that takes its place.
    const bool fails = a.kind == ActionKind::Restore && lost < 2;
    text += fails ? " failed\n" : "\n";
    if (!fails) continue;
    ++lost;
    recovery.failed();
  }
  const std::string start =
      text.substr(text.find("turn"), text.find("reverse 8") - text.find("turn"));
  EXPECT_EQ(start,
            "turn\n"
            "reverse 9\n"
            "restore 7 from disk 2 failed\n"
            "restore 4 from disk 1 failed\n"
            "restore 0 from disk 0\n"
            "advance 0 to 7\n"
            "store 7 in disk 2\n"
            "advance 7 to 8\n");
  EXPECT_EQ(recovery.extraSteps(), 7 + 4);
}

TEST(CheckpointRecovery, ChangesNothingWhereNothingFails) {
  EXPECT_EQ(toString(*multistage(57, 2, 3)), [] {
    const auto schedule = multistage(57, 2, 3);
    Recovery recovery(*schedule);
    return toString(recovery);
  }());
}

TEST(CheckpointRecovery, RefusesFailuresOfOtherActions) {
  const auto schedule = revolve(3, 1);
  Recovery recovery(*schedule);
  EXPECT_THROW(recovery.failed(), Error);
  while (recovery.next().kind != ActionKind::Turn) {
  }
  EXPECT_THROW(recovery.failed(), Error);
}

TEST(CheckpointChoice, TakesWhatFits) {
  Choice c = choose(1000, {.stateBytes = 80, .memoryBytes = 79920});
  EXPECT_EQ(c.policy, Policy::StoreAll);
  EXPECT_EQ(c.memorySlots, 999);
  EXPECT_EQ(c.forwardSteps, 999);
  EXPECT_EQ(c.memoryBytes, 79920);
  c = choose(1000, {.stateBytes = 80, .memoryBytes = 879});
  EXPECT_EQ(c.policy, Policy::Revolve);
  EXPECT_EQ(c.memorySlots, 10);
  EXPECT_EQ(c.forwardSteps, 3636);
  EXPECT_EQ(c.memoryBytes, 800);
  EXPECT_EQ(c.files, 0);
  // beta(43, 2) = 990, beta(44, 2) = 1035.
  c = choose(1000, {.stateBytes = 80, .memoryBytes = 879, .diskBytes = 1000000});
  EXPECT_EQ(c.policy, Policy::Multistage);
  EXPECT_EQ(c.memorySlots, 10);
  EXPECT_EQ(c.files, 34);
  EXPECT_EQ(c.forwardSteps, fewestForwardSteps(1000, 44));
  EXPECT_EQ(c.diskBytes, 34 * (80 + 56));
  c = choose(1000, {.stateBytes = 80, .memoryBytes = 0, .diskBytes = 500});
  EXPECT_EQ(c.memorySlots, 0);
  EXPECT_EQ(c.diskSlots, 3);
  EXPECT_EQ(choose(1, {.stateBytes = 80}).policy, Policy::StoreAll);
  EXPECT_EQ(choose(0, {.stateBytes = 80}).forwardSteps, 0);
}

TEST(CheckpointChoice, DoesWhatItSays) {
  for (const std::int64_t l : {0, 1, 2, 5, 40, 333}) {
    for (const std::int64_t memory : {8, 40, 100, 1000, 10000}) {
      for (const std::int64_t disk : {0, 64, 500, 100000}) {
        const Choice c = choose(l, {.stateBytes = 8, .memoryBytes = memory, .diskBytes = disk});
        const auto schedule = makeSchedule(l, c);
        ScheduleChecker checker;
        checker.run(*schedule);
        EXPECT_EQ(checker.forward, c.forwardSteps);
        EXPECT_LE(checker.mostMemory, static_cast<std::size_t>(c.memorySlots));
        EXPECT_LE(checker.mostDisk, static_cast<std::size_t>(c.files));
        EXPECT_LE(c.memoryBytes, memory);
        EXPECT_LE(c.diskBytes, disk);
      }
    }
  }
}

TEST(CheckpointChoice, OfExtremes) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(choose(std::int64_t{1} << 40, {.stateBytes = 8, .memoryBytes = 8}).forwardSteps,
            kLargest);
  EXPECT_EQ(choose(100, {kLargest, kLargest, kLargest}).memorySlots, 1);
  EXPECT_EQ(choose(kLongestChain, {0, kLargest, kLargest}).memorySlots,
            std::numeric_limits<std::int32_t>::max());
  const auto code = [](std::int64_t length, const Budget& budget) {
    try {
      choose(length, budget);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::Native;
  };
  EXPECT_EQ(code(100, {.stateBytes = 80, .memoryBytes = 79}), ErrorCode::Limit);
  EXPECT_EQ(code(100, {.stateBytes = 80, .memoryBytes = 79, .diskBytes = 135}), ErrorCode::Limit);
  EXPECT_EQ(code(100, {.stateBytes = -1}), ErrorCode::Argument);
  EXPECT_EQ(code(-1, {.stateBytes = 1}), ErrorCode::Argument);
}

}  // namespace
}  // namespace adjoint::testing

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "checkpoint/binomial.h"
#include "checkpoint/online.h"
#include "checkpoint_checker.h"
#include "tape/error.h"

namespace adjoint::testing {
namespace {

using namespace checkpoint;

/// What online.h says.
constexpr double kWorst = 15.0 / 14, kWorstOfAll = 11.0 / 8;

/// The forward steps if a sweep that has come to `length` ended there.
std::int64_t forwardStepsAt(std::int64_t length, std::int32_t slots) {
  Online online(slots);
  std::int64_t current = 0;
  while (current < length) {
    const Action a = online.next();
    if (a.kind == ActionKind::Advance) current = a.to;
  }
  return online.forwardSteps(length);
}

TEST(CheckpointOnline, DoesWhatItPredicts) {
  for (std::int32_t s = 1; s <= 14; ++s) {
    for (std::int64_t l = 0; l <= 300; ++l) {
      SCOPED_TRACE("l " + std::to_string(l) + ", s " + std::to_string(s));
      ScheduleChecker checker;
      checker.run(*onlineOfLength(l, s));
      EXPECT_EQ(checker.forward, forwardStepsAt(l, s));
      EXPECT_GE(checker.forward, fewestForwardSteps(l, s));
      if (HasFailure()) return;
    }
  }
  for (const std::int64_t l : {5000, 99999}) {
    for (const std::int32_t s : {10, 33, 100}) {
      ScheduleChecker checker;
      checker.run(*onlineOfLength(l, s));
      EXPECT_EQ(checker.forward, forwardStepsAt(l, s));
    }
  }
}

/// The largest ratio to the fewest forward steps, over all lengths up to `longest`.
double worstRatio(std::int32_t slots, std::int64_t longest) {
  Online online(slots);
  double worst = 1;
  for (std::int64_t reached = 0; reached < longest;) {
    const Action a = online.next();
    if (a.kind != ActionKind::Advance) continue;
    for (std::int64_t l = a.from + 1; l <= std::min(a.to, longest); ++l) {
      if (l == 1) continue;
      const auto fewest = static_cast<double>(fewestForwardSteps(l, slots));
      worst = std::max(worst, static_cast<double>(online.forwardSteps(l)) / fewest);
    }
    reached = a.to;
  }
  return worst;
}

TEST(CheckpointOnline, IsNotFarFromOptimal) {
  // Slots in between and longer chains are less interesting, and take their time.
  EXPECT_EQ(worstRatio(10, 100000), kWorst);
  for (const std::int32_t s : {11, 30, 50, 100}) EXPECT_LT(worstRatio(s, 100000), kWorst) << s;
  for (std::int32_t s = 11; s <= 100; ++s) EXPECT_LT(worstRatio(s, 3000), kWorst) << s;
  EXPECT_EQ(worstRatio(2, 3000), kWorstOfAll);
  for (std::int32_t s = 1; s < 10; ++s) EXPECT_LE(worstRatio(s, 3000), kWorstOfAll) << s;
}

TEST(CheckpointOnline, PrintsAsTheOthers) {
  EXPECT_EQ(toString(*onlineOfLength(0, 2)), "turn\n");
  EXPECT_EQ(toString(*onlineOfLength(4, 2)),
            "store 0 in memory 0\n"
            "advance 0 to 1\n"
            "store 1 in memory 1\n"
            "advance 1 to 3\n"
            "advance 3 to 4\n"
            "turn\n"
            "reverse 3\n"
            "restore 1 from memory 1\n"
            "advance 1 to 2\n"
            "reverse 2\n"
            "restore 1 from memory 1\n"
            "free memory 1\n"
            "reverse 1\n"
            "restore 0 from memory 0\n"
            "free memory 0\n"
            "reverse 0\n");
}

/// The loop turns out to have ended: before the sweep began, in the middle of an Advance, at a
/// state that has been stored.
TEST(CheckpointOnline, EndsAnywhere) {
  Online atOnce(3);
  atOnce.finish(0);
  EXPECT_EQ(toString(atOnce), "turn\n");
  for (std::int64_t l = 0; l <= 200; ++l) {
    Online online(3);
    ScheduleChecker checker;
    bool isEnded = false;
    while (!isEnded) {
      Action a = online.next();
      isEnded =
          a.kind == ActionKind::Store ? a.from == l : a.kind == ActionKind::Advance && a.to > l;
      if (a.kind == ActionKind::Advance) {
        a.to = std::min(a.to, l);
        checker.lastStep = 1;
        if (a.to == a.from) continue;
      }
      checker.take(a);
      if (a.kind == ActionKind::Advance) checker.lastStep = 1;
    }
    online.finish(l);
    checker.run(online);
    if (HasFailure()) FAIL() << l;
  }
}

TEST(CheckpointOnline, RefusesAnEndElsewhere) {
  const auto fails = [](Online& online, std::int64_t length) {
    try {
      online.finish(length);
      return false;
    } catch (const Error& error) {
      return error.code() == ErrorCode::State;
    }
  };
  Online online(2);
  while (online.next().to < 30) {
  }
  EXPECT_TRUE(fails(online, 2));
  EXPECT_TRUE(fails(online, 1000));
  EXPECT_TRUE(fails(online, -1));
  online.finish(30);
  EXPECT_TRUE(fails(online, 30));
  EXPECT_THROW(Online refused(0), Error);
}

TEST(CheckpointOnline, GoesOnForLong) {
  for (const std::int32_t s : {1, 2, 3, 5, 40}) {
    Online online(s);
    ScheduleChecker checker;
    for (int i = 0; i < 20000 && checker.current < kLongestChain; ++i) checker.take(online.next());
    EXPECT_GE(checker.current, 5000) << s;
    EXPECT_LE(checker.mostMemory, static_cast<std::size_t>(s));
    const std::int64_t l = checker.current;
    EXPECT_GE(online.forwardSteps(l), fewestForwardSteps(l, s));
    online.finish(l);
    for (int i = 0; i < 20000; ++i) online.next();
  }
}

}  // namespace
}  // namespace adjoint::testing

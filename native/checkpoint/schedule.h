#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "checkpoint/action.h"

namespace adjoint::checkpoint {

/// How to reverse a chain of steps with a few of its states stored: a sequence of actions, made one
/// by one. next() takes constant time but for the few steps of a search, and allocates nothing.
class Schedule {
 public:
  virtual ~Schedule() = default;

  /// The next action; Done again and again after the last one.
  virtual Action next() = 0;

  /// The slots it stores to have indices below these.
  virtual std::int32_t memorySlots() const = 0;
  virtual std::int32_t diskSlots() const { return 0; }

 protected:
  Schedule() = default;
  Schedule(const Schedule&) = default;
  Schedule& operator=(const Schedule&) = default;
};

/// What a schedule takes, by walking it to its end.
struct Counts {
  /// t(l, s) in the literature: plain steps but for the last one of the forward sweep, which the
  /// literature leaves to the taped step of adjoint step l - 1. A caller runs forwardSteps +
  /// finalSteps plain steps, and reverseSteps more inside of adjoint steps.
  std::int64_t forwardSteps = 0;
  std::int64_t finalSteps = 0;  ///< 1, or 0 for a chain of no step
  std::int64_t reverseSteps = 0;
  std::int64_t memoryStores = 0, memoryRestores = 0;
  std::int64_t diskStores = 0, diskRestores = 0;
  std::int64_t mostMemorySlots = 0, mostDiskSlots = 0;  ///< in use at one time
};

Counts counts(Schedule& schedule);

/// The rest of a schedule, one action a line: "store 0 in memory 0", "advance 0 to 7", "turn",
/// "restore 5 from disk 2", "free memory 1", "reverse 6".
std::string toString(Schedule& schedule);
std::string toString(const Action& action);

/// Every length-th state is stored in the forward sweep; then, part by part, all states of the
/// part. `every` = 1 stores all states, and about sqrt(length) takes the fewest slots: length /
/// every + every - 2. Steps are run at most twice. Throws Argument for a negative length and for
/// every < 1, Limit for more than 2^31 - 1 slots and for more than kLongestChain steps.
std::unique_ptr<Schedule> everyKth(std::int64_t length, std::int64_t every);
/// What its Counts say.
std::int64_t everyKthForwardSteps(std::int64_t length, std::int64_t every);
std::unique_ptr<Schedule> storeAll(std::int64_t length);
/// The least k with k * k >= length.
std::unique_ptr<Schedule> everyRoot(std::int64_t length);

/// The fewest forward steps with `slots` states in memory, one of which is state 0: Algorithm 799
/// (A. Griewank, A. Walther, ACM TOMS 26(1), 2000). Throws as everyKth, and Argument for slots < 1.
std::unique_ptr<Schedule> revolve(std::int64_t length, std::int32_t slots);

/// The steps of revolve(length, memorySlots + diskSlots), with those of its slots on disk that are
/// accessed least, so that no other choice of slots accesses the disk less. (P. Stumm, A. Walther,
/// MultiStage approaches for optimal offline checkpointing, SIAM J. Sci. Comput. 31(3), 2009.)
/// Throws as revolve; one of the two numbers can be 0.
std::unique_ptr<Schedule> multistage(std::int64_t length, std::int32_t memorySlots,
                                     std::int32_t diskSlots);

}  // namespace adjoint::checkpoint

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "checkpoint/reversal.h"
#include "checkpoint/schedule.h"

namespace adjoint::checkpoint {

/// Reverses a chain whose length shows only when its last step has been done, such as a loop with a
/// condition. The forward sweep is asked for by next(), in Advances of as many steps as need no
/// decision. Each of these steps can turn out to be the last one: the state before it is to be kept
/// until the next one is done. Once state l is the last one, whether within an Advance or at its
/// end, finish(l) is called, and next() goes on with Turn and what follows.
///
/// As long as slots are free, all states are stored. Then a state is stored in place of another
/// when the reversal would take no more forward steps if the chain ended one step later: dropping a
/// state joins two parts, and gives those after them a slot more, so that what is optimal for
/// chains of known length decides (the fewest steps of each part with the slots left for it). The
/// reversal is optimal for the states that are stored in the end.
///
/// Forward steps are at most 15/14 times those of revolve for all lengths up to 100,000 with 10 to
/// 100 slots (with 13 steps and 10 slots), and 11/8 times with 2 (6 steps).
/// next() takes time proportional to slots when it stores and none is free; nothing is allocated
/// but by finish(). (Compare Q. Wang, P. Moin, G. Iaccarino, Minimal repetition dynamic
/// checkpointing algorithm for unsteady adjoint calculation, SIAM J. Sci. Comput. 31(4), 2009; P.
/// Stumm, A. Walther, New algorithms for optimal online checkpointing, SIAM J. Sci. Comput. 32(2),
/// 2010.)
class Online final : public Schedule {
 public:
  /// Throws Argument for slots < 1.
  explicit Online(std::int32_t slots);

  /// Limit after kLongestChain steps without an end.
  Action next() override;

  /// `length` is the index of the last state, which is the current one. Throws State where the
  /// sweep has not come to it, or is past it, or where it has been called before.
  void finish(std::int64_t length);

  /// What Counts will say if the chain ends at `length`, a state that finish() would take now.
  std::int64_t forwardSteps(std::int64_t length) const;

  std::int32_t memorySlots() const override { return static_cast<std::int32_t>(slots_.size()); }

 private:
  using Steps = __int128;

  bool isFull() const { return depth_ == static_cast<std::int64_t>(slots_.size()); }
  std::int64_t partOf(std::int64_t depth) const { return states_[depth + 1] - states_[depth]; }
  Steps leastWithDrop(std::int64_t state) const;
  bool pays(std::int64_t state) const;
  std::int64_t nextToStore() const;
  void findDrop();
  Action drop();

  std::vector<Slot> slots_;           ///< those in use by state, then the free ones
  std::vector<std::int64_t> states_;  ///< stored, ascending from state 0
  std::vector<Steps> later_;          ///< scratch of findDrop
  std::int64_t depth_ = 0;            ///< how many are stored
  std::int64_t current_ = 0;
  /// What reversing the parts between stored states takes; the same without state drop_, for which
  /// that is least of all but the first and the last one; and without the last part but one.
  Steps parts_ = 0, partsWithDrop_ = 0, partsButLast_ = 0;
  std::int64_t drop_ = 0;  ///< a depth, or 0 where there is none
  std::optional<Reversal> reversal_;
  bool hasTurned_ = false;
};

/// What Online does for a chain of `length` steps, to be counted and printed.
std::unique_ptr<Schedule> onlineOfLength(std::int64_t length, std::int32_t slots);

}  // namespace adjoint::checkpoint

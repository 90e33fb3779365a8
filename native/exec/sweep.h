#pragma once

#include <memory>
#include <optional>

#include "checkpoint/disk_store.h"
#include "checkpoint/online.h"
#include "checkpoint/recovery.h"
#include "checkpoint/reversal.h"
#include "exec/block.h"
#include "plan/plan.h"

namespace adjoint::exec {

/// One reversal of a loop's carries under way: begun by the loop that keeps them, ended by the one
/// that reads them. Knows what to do next, and has the files.
class Sweep {
 public:
  /// `steps` of `While`: the most; the schedule then waits for `finish`. Throws Error.
  Sweep(const LoopStep& loop, std::int64_t steps);

  checkpoint::Action next() { return schedule().next(); }
  /// What next() asks, where that is one with all slots in memory.
  checkpoint::Reversal* reversal() const { return reversal_; }
  /// The number of steps shows.
  void finish(std::int64_t steps);

  /// The row of a slot in memory, `slots` being the first; null for one on disk.
  double* slotOf(const checkpoint::Action& action, double* slots) const {
    if (action.slot.place != checkpoint::Place::Memory) return nullptr;
    return slots + action.slot.index * row_;
  }
  /// Does a Store from a row of carries, which may be that of the slot.
  void store(const checkpoint::Action& action, const double* row, double* slots);
  /// Does a Restore from disk. Where the state is not there any more, next() leads to it in another
  /// way.
  void restore(const checkpoint::Action& action, double* row);
  void free(const checkpoint::Action& action);

  std::int64_t steps() const { return steps_; }
  /// After `finish`: how many steps are to be done again.
  std::int64_t stepsAgain() const { return stepsAgain_; }

 private:
  checkpoint::Schedule& schedule() { return recovery_ ? *recovery_ : *schedule_; }

  std::int64_t row_;
  std::int64_t steps_;
  std::int64_t stepsAgain_ = 0;
  std::unique_ptr<checkpoint::Schedule> schedule_;
  checkpoint::Online* online_ = nullptr;
  checkpoint::Reversal* reversal_ = nullptr;
  std::optional<checkpoint::Recovery> recovery_;
  std::optional<checkpoint::DiskStore> disk_;
};

}  // namespace adjoint::exec

#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "checkpoint/schedule.h"
#include "ops/loop.h"
#include "plan/plan.h"

namespace adjoint {

/// Finds loops that read backwards, as streams, the carries that an earlier loop gives row by row,
/// where nothing else reads these. The earlier loop then keeps them as its checkpoints say, and the
/// values of the streams never exist. A loop that reads kept carries keeps none.
class LoopPairs {
 public:
  explicit LoopPairs(const Tape& t);

  struct Carry {
    std::size_t stream = 0;  ///< of the later loop
    std::size_t carry = 0;   ///< of the earlier one
  };
  struct Pair {
    NodeId earlier = kNoNode;
    std::vector<Carry> carries;
  };
  /// By the later loop; null where it has no earlier one.
  const Pair* of(NodeId later) const;
  /// Whether the item is a result that only exists in such a pair.
  bool isTaken(NodeId item) const { return isTaken_[item]; }
  bool isKept(NodeId earlier) const { return isEarlier_[earlier]; }

 private:
  void find(const Tape& t, NodeId later, const std::vector<std::uint32_t>& uses);

  std::unordered_map<NodeId, Pair> pairs_;
  std::vector<bool> isTaken_, isEarlier_;
};

/// A plan of a loop's step as LoopStep asks for: `plan`, whose inputs and outputs are those of the
/// step, with these in their places. Fills in `body`, `row`, `index` and the places of the ports,
/// which have their number already; streams without a buffer have their place in the kept row.
void placeBody(LoopStep& loop, const Plan& plan);

/// What `Auto` and `Sqrt` stand for, for rows of so many doubles; and `Online`, whatever was asked
/// for but `All`, where the number of steps is not known: with the slots in memory alone.
Checkpoints chooseCheckpoints(const Checkpoints& asked, LoopTrips trips, std::int64_t length,
                              std::int64_t row);
/// The schedule for a number of steps. Not of `All` and `Online`.
std::unique_ptr<checkpoint::Schedule> scheduleOf(const Checkpoints& checkpoints,
                                                 std::int64_t steps);
/// Steps that the reversal of so many runs again, beside those inside of adjoint steps.
std::int64_t stepsAgain(const Checkpoints& checkpoints, std::int64_t steps);
/// Rows of memory that the checkpoints take: the slots, then one for the last step's carries; where
/// all are kept, one for each step and one more.
std::int64_t storageRows(const Checkpoints& checkpoints, std::int64_t length);

}  // namespace adjoint

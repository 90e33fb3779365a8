#pragma once

#include <cstdint>
#include <vector>

#include "exec/block.h"
#include "exec/executor.h"
#include "exec/jit.h"
#include "exec/row_places.h"

namespace adjoint::exec {

/// All steps of a plan, where they are machine code and nothing else. It cannot fail, and running
/// it is no more than a few calls.
class StraightCode {
 public:
  /// `walks`: of rows that the code uses where they are outside.
  StraightCode(double* constants, std::int64_t scratchAt, std::vector<RowPlaces::Walk> walks)
      : walks_(std::move(walks)), constants_(constants), scratchAt_(scratchAt) {}

  /// `points` as the function takes them.
  void add(CodeFunction function, std::int64_t points) { calls_.push_back({function, points}); }

  bool usesRows() const { return !walks_.empty(); }

  /// Of code that uses no rows outside.
  void run(const StepRows& rows, double* workspace) const {
    // The memories by Base, then the scratch memory.
    double* const slots[kBases + 1] = {
        rows.row, workspace, constants_, rows.next, rows.kept, nullptr, workspace + scratchAt_};
    for (const Call& call : calls_) call.function(slots, call.points);
  }
  /// In a step of a loop of this run, with the rows number `at`.
  void run(const StepRows& rows, double* workspace, const RunContext& context,
           std::int64_t at) const {
    double* slots[RowPlaces::kSlots] = {
        rows.row, workspace, constants_, rows.next, rows.kept, nullptr, workspace + scratchAt_};
    double** slot = slots + RowPlaces::kFirstSlot;
    for (const RowPlaces::Walk& walk : walks_)
      *slot++ = context.base[static_cast<int>(walk.base)] + at * walk.elements;
    for (const Call& call : calls_) call.function(slots, call.points);
  }

 private:
  struct Call {
    CodeFunction function;
    std::int64_t points;
  };

  std::vector<Call> calls_;
  std::vector<RowPlaces::Walk> walks_;
  double* constants_;
  std::int64_t scratchAt_;
};

}  // namespace adjoint::exec

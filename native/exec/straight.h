#pragma once

#include <cstdint>
#include <vector>

#include "exec/executor.h"
#include "exec/jit.h"

namespace adjoint::exec {

/// All steps of a plan, where they are machine code and nothing else. It cannot fail, and running
/// it is no more than a few calls.
class StraightCode {
 public:
  StraightCode(double* constants, std::int64_t scratchAt)
      : constants_(constants), scratchAt_(scratchAt) {}

  /// `points` as the function takes them.
  void add(CodeFunction function, std::int64_t points) { calls_.push_back({function, points}); }

  void run(const StepRows& rows, double* workspace) const {
    // The memories by Base, then the scratch memory.
    double* const slots[kBases + 1] = {rows.row,  workspace, constants_,
                                       rows.next, rows.kept, workspace + scratchAt_};
    for (const Call& call : calls_) call.function(slots, call.points);
  }

 private:
  struct Call {
    CodeFunction function;
    std::int64_t points;
  };

  std::vector<Call> calls_;
  double* constants_;
  std::int64_t scratchAt_;
};

}  // namespace adjoint::exec

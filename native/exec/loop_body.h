#pragma once

#include <memory>
#include <vector>

#include "exec/block.h"
#include "exec/straight.h"
#include "plan/plan.h"

namespace adjoint::exec {

/// n doubles; one of them, as most often, without a call.
void copyDoubles(double* to, const double* from, std::int64_t n);
Place placeIfAny(const Plan& plan, BufferId id);

/// The body of a loop over steps in time, with what it reads and writes outside. Rows of carries
/// are the caller's.
class LoopBody {
 public:
  LoopBody(const Plan& plan, const LoopStep& step, std::shared_ptr<const Executable> body);

  const Executable& executable() const { return *body_; }
  /// Doubles of a row of carries.
  std::int64_t row() const { return step_->row; }
  /// Doubles the body works in, kept from one step to the next.
  std::int64_t memoryDoubles() const { return body_->workspaceDoubles(1); }
  /// Steps after which to ask whether the loop should go on.
  std::int64_t pollEvery() const { return pollEvery_; }

  /// Before the first step: what all steps read.
  void begin(const RunContext& context, double* memory) const;
  /// The carries the loop begins with, into a row; and those it ends with, from one.
  void readInitial(const RunContext& context, double* row) const;
  void writeLast(const RunContext& context, const double* row) const;
  /// One step, with the streams' rows `at`. False: status says why.
  bool step(const RunContext& context, double* memory, const StepRows& rows,
            std::int64_t at) const {
    if (!isBare_) return stepWithPorts(context, memory, rows, at);
    code_->run(rows, memory);
    return true;
  }

 private:
  bool stepWithPorts(const RunContext& context, double* memory, const StepRows& rows,
                     std::int64_t at) const;
  bool runBody(const RunContext& context, double* memory, const StepRows& rows,
               std::int64_t at) const;
  /// Makes the status of a step's run that of the loop.
  void noteFailure(RunStatus& status, std::int64_t at) const;

  struct Port {
    Place place;
    std::int64_t inside = 0, elements = 0;
  };

  const LoopStep* step_;
  std::shared_ptr<const Executable> body_;
  const StraightCode* code_;  ///< where the body is that
  bool isBare_ = false;       ///< it is, and has no streams, results and index
  std::vector<Port> constants_, initial_, streams_, last_, results_;
  std::int64_t pollEvery_ = 1;
  bool isLong_ = false;  ///< a step should itself ask whether it should go on
};

}  // namespace adjoint::exec

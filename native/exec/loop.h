#pragma once

#include <algorithm>
#include <memory>
#include <optional>

#include "exec/loop_body.h"
#include "exec/sweep.h"

namespace adjoint::exec {

/// A loop over steps in time around an executable of its own. One whose carries a later loop reads
/// backwards keeps them as its checkpoints say; the later one computes again what was not kept.
class LoopProgram {
 public:
  /// `again`: the executable of the earlier loop's step; null where there is none. `sweep`: where
  /// the run has the reversal of that loop, or of this one.
  LoopProgram(const Plan& plan, const LoopStep& step, std::shared_ptr<const Executable> body,
              std::shared_ptr<const Executable> again, std::size_t sweep);

  /// Doubles of scratch memory.
  std::int64_t scratch() const { return scratch_; }
  const Executable& body() const { return body_.executable(); }
  const Executable* again() const { return again_ ? &again_->executable() : nullptr; }
  /// Steps that every run takes, those done again included; 0 where only a run knows them.
  std::int64_t plannedSteps() const;
  /// False: status says why.
  bool run(const RunContext& context) const noexcept;

 private:
  /// A loop's body at work: where its carries are and what it works in.
  struct Walk {
    const LoopBody& body;
    double* memory;
    double* spare;       ///< two rows that take turns
    double* at;          ///< the row of carries, one of the two or anywhere else
    std::int64_t steps;  ///< of the whole loop
    bool reverse;
    bool isPlanned = true;                  ///< the control knows of the steps to come
    std::int64_t untilPoll = 1, batch = 1;  ///< steps to the next poll, and from the last one

    double* spareRow() const { return at == spare ? spare + body.row() : spare; }
    /// Step number `i`, counted in the order they are taken, to a row that is not the one it reads.
    /// False: status says why.
    bool step(const RunContext& context, std::int64_t i, double* to, double* kept);
    bool step(const RunContext& context, std::int64_t i) {
      return step(context, i, spareRow(), nullptr);
    }
    /// Tells the control of the steps since it was told last.
    void report(const RunContext& context);
  };

  /// Notes in the status that there are more steps than there may be. False.
  bool refuse(const RunContext& context, double count) const;
  /// The number of steps, of `While` the most; -1 where it is none, and status says so.
  std::int64_t stepsOf(const RunContext& context) const;
  Walk walkOf(const RunContext& context, std::int64_t steps) const;
  bool runForward(const RunContext& context, std::int64_t steps) const;
  /// After the last step of `While`, or the most there may be.
  bool endAfter(const RunContext& context, const Walk& walk, std::int64_t taken) const;
  /// The forward sweep of a schedule.
  bool keep(const RunContext& context, Walk& walk) const;
  /// Backwards over carries that are all kept; and by a schedule.
  bool replayAll(const RunContext& context, Walk& walk) const;
  bool replay(const RunContext& context, Walk& walk) const;
  template <class Schedule>
  bool replayBy(Schedule& schedule, Sweep& sweep, const RunContext& context, Walk& walk) const;
  /// The step of this loop that belongs to state `i` of the earlier one, whose row it is.
  bool reverseStep(const RunContext& context, Walk& walk, std::int64_t i, double* row) const;
  /// The steps of the earlier loop that this one does again.
  std::int64_t stepsAgainOf(const RunContext& context, std::int64_t steps) const;
  const Checkpoints& checkpoints() const {
    return (step_.replay ? *step_.replay->loop->kept : *step_.kept).checkpoints;
  }
  bool keepsAll() const { return step_.kept && checkpoints().policy == CheckpointPolicy::All; }
  double* storage(const RunContext& context) const { return context.at(kept_.base, kept_.offset); }

  const LoopStep& step_;
  LoopBody body_;
  std::optional<LoopBody> again_;
  Place count_, counted_, kept_;
  std::int64_t storageRows_ = 0;
  std::size_t sweep_;
  // Scratch offsets.
  std::int64_t rows_ = 0, memory_ = 0, againRows_ = 0, againMemory_ = 0;
  std::int64_t scratch_ = 0;
};

}  // namespace adjoint::exec

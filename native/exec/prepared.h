#pragma once

#include <memory>
#include <vector>

#include "exec/block.h"
#include "exec/direct.h"
#include "exec/executor.h"
#include "exec/interleave.h"
#include "exec/known_scatter.h"
#include "exec/known_sums.h"
#include "exec/lanes.h"
#include "exec/line_queue.h"
#include "exec/loop.h"
#include "exec/row_places.h"
#include "exec/rows.h"
#include "exec/scalar.h"

namespace adjoint::exec {

/// What is around a plan that is part of another.
struct Surroundings {
  RowPlaces rows;   ///< of the loop whose step it is: used where they are by straight code
  LineQueue lines;  ///< of the loop over lanes whose body it is
};

/// Machine code where that can be had; none where there is an obstacle to it already.
std::shared_ptr<const Executable> makeBody(std::shared_ptr<const Plan> plan,
                                           const Surroundings& around, const char* obstacle);

/// A scalar kernel in machine code.
struct ScalarCode {
  std::uint32_t number = 0;  ///< in the module
  CodeFunction function = nullptr;
};

/// One step ready to run.
struct Prepared {
  enum class Kind : std::uint8_t {
    Code,
    Direct,
    Scalar,
    Sums,
    Block,
    MatMul,
    Recurrence,
    Index,
    ScatterAdd,
    KnownScatter,
    Interleave,
    Rows,  ///< together with the next step
    Done,  ///< by the step before
    Lanes,
    Loop
  } kind;
  const void* step;  ///< program, or step of the plan; owned by others

  StepCost::By whoComputes() const;
};

/// The steps of a plan made ready to run, with the programs that they are.
class PreparedSteps {
 public:
  /// `jit` takes what becomes machine code; null where there is an obstacle to it.
  PreparedSteps(const Plan& plan, const char* obstacle, JitBuilder* jit);
  void link(const JitModule& module);

  /// One for each of the plan.
  const std::vector<Prepared>& all() const { return steps_; }
  /// Whether they are nothing but machine code.
  bool isStraight() const;
  /// Code over the lanes of a block of so many.
  std::vector<LaneCode> laneCodes(std::int64_t lanes) const;
  /// Executables of loops.
  std::vector<const Executable*> bodies() const;

  /// Doubles of scratch memory, for one thread, and for each one more.
  std::int64_t scratch() const { return scratch_; }
  std::int64_t threadScratch() const { return perThread_; }
  std::int64_t mostThreads() const { return mostThreads_; }  ///< that find something to do
  std::size_t sweeps() const { return sweeps_.size(); }      ///< reversals
  /// Steps of every run, those of loops over steps included.
  std::int64_t planned() const;

  std::size_t segments() const;
  std::size_t bytes() const;

 private:
  void useThreads(std::int64_t threads, std::int64_t scratch);
  template <class SumStep>
  bool prepareSums(const SumStep& step);
  // These give the doubles of scratch memory.
  std::int64_t prepareScalar(const Kernel& kernel);
  std::int64_t prepare(const Kernel& kernel);
  std::int64_t prepare(const MatMulStep& step);
  std::int64_t prepare(const RecurrenceStep& step);
  std::int64_t prepare(const IndexStep& step);
  std::int64_t prepare(const ScatterAddStep& step);
  std::int64_t prepare(const InterleaveStep& step);
  std::int64_t prepare(const LaneStep& step);
  std::int64_t prepare(const LoopStep& step);
  std::shared_ptr<const Executable> stepOf(const LoopStep& step) const;

  const Plan& plan_;
  const char* const obstacle_;
  JitBuilder* jit_;                ///< while steps are prepared
  KnownSums* lastSums_ = nullptr;  ///< likewise: where sums may be added
  std::vector<Prepared> steps_;
  std::vector<std::unique_ptr<const ScalarProgram>> scalars_;
  std::vector<std::unique_ptr<BlockProgram>> blocks_;
  std::vector<std::unique_ptr<const KnownSums>> sums_;
  std::vector<std::unique_ptr<const KnownScatter>> scatters_;
  std::vector<std::unique_ptr<RowsProgram>> rows_;
  std::vector<std::unique_ptr<const InterleaveProgram>> interleaves_;
  std::vector<std::unique_ptr<ScalarCode>> codes_;
  std::vector<std::unique_ptr<DirectKernel>> directs_;
  std::vector<std::unique_ptr<LaneProgram>> loops_;
  std::vector<std::unique_ptr<LoopProgram>> stepLoops_;
  std::vector<BufferId> sweeps_;  ///< where the carries of reversals are kept
  std::int64_t scratch_ = 0;
  std::int64_t perThread_ = 0;
  std::int64_t mostThreads_ = 1;
};

}  // namespace adjoint::exec

#include <array>
#include <optional>

#include "exec/library.h"
#include "exec/prepared.h"
#include "exec/stopwatch.h"
#include "exec/straight.h"

namespace adjoint::exec {
namespace {

/// Ends the reversals that a run has begun and not come to the end of.
class SweepScope {
 public:
  SweepScope(Sweep** sweeps, std::size_t count) : sweeps_(sweeps), count_(count) {
    std::fill_n(sweeps_, count_, nullptr);
  }
  ~SweepScope() {
    for (std::size_t i = 0; i < count_; ++i) delete sweeps_[i];
  }
  SweepScope(const SweepScope&) = delete;
  SweepScope& operator=(const SweepScope&) = delete;

 private:
  Sweep** sweeps_;
  std::size_t count_;
};

/// Machine code cannot be made, although it could before.
struct NoCode {};

class Interpreter final : public Executable {
 public:
  Interpreter(std::shared_ptr<const Plan> plan, const char* obstacle,
              const Surroundings& around = {})
      : Interpreter(std::move(plan), obstacle, around, JitBuilder()) {}

  std::int64_t workspaceDoubles(unsigned threads) const override {
    return workspace_ +
           (std::min<std::int64_t>(threads, steps_.mostThreads()) - 1) * steps_.threadScratch();
  }
  const Plan& plan() const override { return *plan_; }
  std::size_t segments() const override { return steps_.segments(); }
  bool asksForLines() const override { return asksForLines_; }

  std::size_t bytes() const override {
    std::size_t n = sizeof(*this) - sizeof(steps_) + steps_.bytes();
    if (module_ != nullptr) n += module_->bytes();
    return n;
  }

  RunStatus run(double* io, double* workspace, RunControl* control) const noexcept override {
    return runStep({io, io, io}, workspace, control);
  }

  RunStatus runStep(const StepRows& rows, double* workspace,
                    RunControl* control) const noexcept override {
    RunStatus status;
    const RunContext context = contextOf(rows, workspace, control, status);
    const SweepScope sweeps(context.sweeps, steps_.sweeps());
    if (control != nullptr) control->stepsPlanned.fetch_add(planned_, std::memory_order_relaxed);
    for (const Prepared& step : steps_.all()) {
      if (!runOne(step, context)) break;
      if (control != nullptr) {
        control->stepsDone.fetch_add(1, std::memory_order_relaxed);
        if (&step != &steps_.all().back() && stopped(context)) break;
      }
    }
    return status;
  }

  const StraightCode* straight() const override { return straight_ ? &*straight_ : nullptr; }

  const char* obstacle() const override {
    for (const Executable* body : steps_.bodies()) {
      if (const char* found = body->obstacle()) return found;
    }
    return obstacle_;
  }

  std::vector<StepCost> costs() const override {
    std::vector<StepCost> costs;
    for (std::size_t i = 0; i < steps_.all().size(); ++i) {
      const Prepared& prepared = steps_.all()[i];
      std::vector<StepCost> body;
      if (prepared.kind == Prepared::Kind::Lanes)
        body = static_cast<const LaneProgram*>(prepared.step)->body().costs();
      if (prepared.kind == Prepared::Kind::Loop)
        body = static_cast<const LoopProgram*>(prepared.step)->body().costs();
      costs.push_back(costOf(*plan_, plan_->steps[i], prepared.whoComputes(), body));
    }
    return costs;
  }

  RunStatus measure(double* io, double* workspace, std::vector<double>& seconds) const override {
    RunStatus status;
    const RunContext context = contextOf({io, io, io}, workspace, nullptr, status);
    Stopwatch stopwatch(steps_.all().size());
    do {
      {
        // Whole runs have reversals of their own in the same place.
        const SweepScope sweeps(context.sweeps, steps_.sweeps());
        stopwatch.begin();
        for (const Prepared& step : steps_.all()) {
          if (!runOne(step, context)) return status;
          stopwatch.stepDone();
        }
      }
      if (!stopwatch.timeRuns([&] { return run(io, workspace, nullptr).ok; })) return status;
    } while (stopwatch.goesOn());
    seconds = stopwatch.medians();
    return status;
  }

 private:
  Interpreter(std::shared_ptr<const Plan> plan, const char* obstacle, const Surroundings& around,
              JitBuilder builder)
      : plan_(std::move(plan)),
        obstacle_(obstacle),
        steps_(*plan_, obstacle, obstacle == nullptr ? &builder : nullptr),
        scratchAt_(roundUp(plan_->tempDoubles, 8)),
        sweepsAt_(scratchAt_ + roundUp(steps_.scratch(), 8)),
        workspace_(sweepsAt_ + roundUp(static_cast<std::int64_t>(steps_.sweeps()), 8) + 8),
        planned_(steps_.planned()) {
    const bool isStraight = steps_.isStraight();
    if (isStraight)
      for (Code& code : builder.codes()) around.rows.apply(code);
    asksForLines_ =
        around.lines.rows > 0 && !builder.isEmpty() &&
        askOnTheWay(builder, steps_.laneCodes(around.lines.lanes), around.lines, plan_->ioDoubles);
    if (!builder.isEmpty()) {
      module_ = builder.finish();
      if (module_ == nullptr) throw NoCode{};
      steps_.link(*module_);
    }
    if (isStraight) makeStraightCode(around.rows);
  }

  double* constants() const { return const_cast<double*>(plan_->constants.data()); }

  RunContext contextOf(const StepRows& rows, double* workspace, RunControl* control,
                       RunStatus& status) const {
    RunContext context;
    context.base[static_cast<int>(Base::Io)] = rows.row;
    context.base[static_cast<int>(Base::Temp)] = workspace;
    context.base[static_cast<int>(Base::Constant)] = constants();
    context.base[static_cast<int>(Base::Next)] = rows.next;
    context.base[static_cast<int>(Base::Kept)] = rows.kept;
    context.scratch = workspace + scratchAt_;
    context.threadScratch = workspace + workspace_;
    context.sweeps = reinterpret_cast<Sweep**>(workspace + sweepsAt_);
    context.control = control;
    context.status = &status;
    return context;
  }

  void makeStraightCode(const RowPlaces& rows) {
    straight_.emplace(constants(), scratchAt_, rows.walks());
    for (const Prepared& prepared : steps_.all()) {
      if (prepared.kind == Prepared::Kind::Code) {
        straight_->add(static_cast<const ScalarCode*>(prepared.step)->function, 1);
        continue;
      }
      static_cast<const DirectKernel*>(prepared.step)->visitCalls([&](auto function, auto n) {
        straight_->add(function, n);
      });
    }
  }

  /// As machine code takes them: the memories by Base, then the scratch memory.
  static std::array<double*, kBases + 1> slotsOf(const RunContext& context) {
    std::array<double*, kBases + 1> slots;
    std::ranges::copy(context.base, slots.begin());
    slots.back() = context.scratch;
    return slots;
  }

  bool runOne(const Prepared& prepared, const RunContext& context) const noexcept {
    const void* step = prepared.step;
    switch (prepared.kind) {
      case Prepared::Kind::Code:
        static_cast<const ScalarCode*>(step)->function(slotsOf(context).data(), 1);
        return true;
      case Prepared::Kind::Direct:
        static_cast<const DirectKernel*>(step)->run(slotsOf(context).data());
        return true;
      case Prepared::Kind::Scalar:
        return runScalar(*static_cast<const ScalarProgram*>(step), context);
      case Prepared::Kind::Sums:
        static_cast<const KnownSums*>(step)->run(context);
        return true;
      case Prepared::Kind::Block:
        return runBlock(*static_cast<const BlockProgram*>(step), context);
      case Prepared::Kind::MatMul:
        return runMatMul(*plan_, *static_cast<const MatMulStep*>(step), context);
      case Prepared::Kind::Recurrence:
        return runRecurrence(*plan_, *static_cast<const RecurrenceStep*>(step), context);
      case Prepared::Kind::Index:
        return runIndex(*plan_, *static_cast<const IndexStep*>(step), context);
      case Prepared::Kind::ScatterAdd:
        return runScatterAdd(*plan_, *static_cast<const ScatterAddStep*>(step), context);
      case Prepared::Kind::KnownScatter:
        return static_cast<const KnownScatter*>(step)->run(context);
      case Prepared::Kind::Interleave:
        return static_cast<const InterleaveProgram*>(step)->run(context);
      case Prepared::Kind::Rows:
        return static_cast<const RowsProgram*>(step)->run(context);
      case Prepared::Kind::Done:
        return true;
      case Prepared::Kind::Lanes:
        return static_cast<const LaneProgram*>(step)->run(context);
      case Prepared::Kind::Loop:
        return static_cast<const LoopProgram*>(step)->run(context);
    }
    return false;
  }

  const std::shared_ptr<const Plan> plan_;
  const char* const obstacle_;
  PreparedSteps steps_;
  const std::int64_t scratchAt_, sweepsAt_;  ///< in the workspace
  const std::int64_t workspace_;             ///< doubles, for one thread
  const std::int64_t planned_;               ///< steps of every run
  std::shared_ptr<const JitModule> module_;
  std::optional<StraightCode> straight_;
  bool asksForLines_ = false;
};

std::shared_ptr<const Executable> codeOrInterpreter(std::shared_ptr<const Plan> plan,
                                                    const Surroundings& around) {
  const char* obstacle = JitBuilder::obstacle();
  if (obstacle == nullptr) {
    try {
      return std::make_shared<Interpreter>(plan, nullptr, around);
    } catch (const NoCode&) {
      obstacle = "machine code could not be made executable";
    }
  }
  return std::make_shared<Interpreter>(std::move(plan), obstacle);
}

}  // namespace

std::shared_ptr<const Executable> makeBody(std::shared_ptr<const Plan> plan,
                                           const Surroundings& around, const char* obstacle) {
  if (obstacle == nullptr) return codeOrInterpreter(std::move(plan), around);
  return std::make_shared<Interpreter>(std::move(plan), obstacle);
}

bool stopped(const RunContext& context) {
  for (const RunControl* control = context.control; control != nullptr; control = control->outer) {
    const bool late = control->deadline != std::chrono::steady_clock::time_point::max() &&
                      std::chrono::steady_clock::now() >= control->deadline;
    if (!late && !control->cancel.load(std::memory_order_relaxed)) continue;
    context.status->ok = false;
    context.status->code = ErrorCode::Abort;
    return true;
  }
  return false;
}

}  // namespace adjoint::exec

namespace adjoint {

std::shared_ptr<const Executable> makeInterpreter(std::shared_ptr<const Plan> plan) {
  return std::make_shared<exec::Interpreter>(std::move(plan), "the interpreter was asked for");
}

std::shared_ptr<const Executable> makeExecutable(std::shared_ptr<const Plan> plan) {
  return exec::codeOrInterpreter(std::move(plan), {});
}

}  // namespace adjoint

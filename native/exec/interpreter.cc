#include <array>
#include <optional>
#include <variant>

#include "exec/block.h"
#include "exec/direct.h"
#include "exec/interleave.h"
#include "exec/known_scatter.h"
#include "exec/known_sums.h"
#include "exec/lanes.h"
#include "exec/library.h"
#include "exec/loop.h"
#include "exec/rows.h"
#include "exec/scalar.h"
#include "exec/stopwatch.h"
#include "exec/straight.h"
#include "plan/rows_by_piece.h"

namespace adjoint::exec {
namespace {

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
  const void* step;  ///< program, or step of the plan; owned by the executable
};

/// A scalar kernel in machine code.
struct ScalarCode {
  std::uint32_t number = 0;  ///< in the module
  CodeFunction function = nullptr;
};

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

/// What is around a plan that is part of another.
struct Surroundings {
  RowPlaces rows;   ///< of the loop whose step it is: used where they are by straight code
  LineQueue lines;  ///< of the loop over lanes whose body it is
};

/// Machine code where that can be had.
std::shared_ptr<const Executable> codeOrInterpreter(std::shared_ptr<const Plan> plan,
                                                    const Surroundings& around);

class Interpreter final : public Executable {
 public:
  Interpreter(std::shared_ptr<const Plan> plan, const char* obstacle,
              const Surroundings& around = {})
      : plan_(std::move(plan)), obstacle_(obstacle) {
    JitBuilder builder;
    if (obstacle_ == nullptr) jit_ = &builder;
    std::int64_t scratch = 0;
    for (const Step& step : plan_->steps) {
      std::visit([&](const auto& s) { scratch = std::max(scratch, prepare(s)); }, step);
      const auto kind = steps_.back().kind;
      if (kind != Prepared::Kind::Sums && kind != Prepared::Kind::Done) lastSums_ = nullptr;
    }
    jit_ = nullptr;
    const bool isStraight = std::ranges::all_of(steps_, [](const Prepared& step) {
      return step.kind == Prepared::Kind::Code || step.kind == Prepared::Kind::Direct;
    });
    if (isStraight)
      for (Code& code : builder.codes()) around.rows.apply(code);
    asksForLines_ =
        around.lines.rows > 0 && !builder.isEmpty() &&
        askOnTheWay(builder, laneCodes(around.lines.lanes), around.lines, plan_->ioDoubles);
    if (!builder.isEmpty()) {
      module_ = builder.finish();
      if (module_ == nullptr) throw NoCode{};
      for (const auto& program : blocks_) linkBlock(*program, *module_);
      for (const auto& rows : rows_) rows->link(*module_);
      for (const auto& kernel : directs_) kernel->link(*module_);
      for (const auto& code : codes_) code->function = module_->function(code->number);
    }
    scratchAt_ = roundUp(plan_->tempDoubles, 8);
    if (isStraight) makeStraightCode(around.rows);
    sweepsAt_ = scratchAt_ + roundUp(scratch, 8);
    workspace_ = sweepsAt_ + roundUp(static_cast<std::int64_t>(sweeps_.size()), 8) + 8;
    planned_ = static_cast<std::int64_t>(steps_.size());
    for (const auto& loop : stepLoops_) planned_ += loop->plannedSteps();
    for (const auto& loop : loops_) {
      perThread_ = std::max(perThread_, loop->threadScratch());
      mostThreads_ = std::max(mostThreads_, loop->chunks());
    }
    const auto addThreads = [&](const BlockProgram& program, std::int64_t ofThread) {
      if (program.chunks() < 2) return;
      perThread_ = std::max(perThread_, ofThread);
      mostThreads_ = std::max(mostThreads_, program.chunks());
    };
    for (const auto& program : blocks_) addThreads(*program, program->scratch);
    for (const auto& rows : rows_) addThreads(rows->program(), rows->scratch());
  }

  std::int64_t workspaceDoubles(unsigned threads) const override {
    return workspace_ + (std::min<std::int64_t>(threads, mostThreads_) - 1) * perThread_;
  }
  const Plan& plan() const override { return *plan_; }
  std::size_t segments() const override {
    std::size_t n = codes_.size() + directs_.size();
    for (const auto& program : blocks_) n += program->segments.size();
    for (const auto& rows : rows_) n += rows->segments();
    for (const Executable* body : bodies()) n += body->segments();
    return n;
  }

  bool asksForLines() const override { return asksForLines_; }

  std::size_t bytes() const override {
    std::size_t n = sizeof(*this) + steps_.capacity() * sizeof(Prepared);
    for (const auto& program : scalars_) n += program->bytes();
    for (const auto& program : blocks_) n += program->bytes();
    for (const auto& sums : sums_) n += sums->bytes();
    for (const auto& scatter : scatters_) n += scatter->bytes();
    for (const auto& rows : rows_) n += rows->bytes();
    for (const auto& program : interleaves_) n += program->bytes();
    for (const Executable* body : bodies()) n += body->bytes();
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
    const SweepScope sweeps(context.sweeps, sweeps_.size());
    if (control != nullptr) control->stepsPlanned.fetch_add(planned_, std::memory_order_relaxed);
    for (const Prepared& step : steps_) {
      if (!runOne(step, context)) break;
      if (control != nullptr) {
        control->stepsDone.fetch_add(1, std::memory_order_relaxed);
        if (&step != &steps_.back() && stopped(context)) break;
      }
    }
    return status;
  }

  const StraightCode* straight() const override { return straight_ ? &*straight_ : nullptr; }

  const char* obstacle() const override {
    for (const Executable* body : bodies()) {
      if (const char* found = body->obstacle()) return found;
    }
    return obstacle_;
  }

  std::vector<StepCost> costs() const override {
    std::vector<StepCost> costs;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const Prepared& prepared = steps_[i];
      std::vector<StepCost> body;
      if (prepared.kind == Prepared::Kind::Lanes)
        body = static_cast<const LaneProgram*>(prepared.step)->body().costs();
      if (prepared.kind == Prepared::Kind::Loop)
        body = static_cast<const LoopProgram*>(prepared.step)->body().costs();
      costs.push_back(costOf(*plan_, plan_->steps[i], whoComputes(prepared), body));
    }
    return costs;
  }

  RunStatus measure(double* io, double* workspace, std::vector<double>& seconds) const override {
    RunStatus status;
    const RunContext context = contextOf({io, io, io}, workspace, nullptr, status);
    Stopwatch stopwatch(steps_.size());
    do {
      {
        // Whole runs have reversals of their own in the same place.
        const SweepScope sweeps(context.sweeps, sweeps_.size());
        stopwatch.begin();
        for (const Prepared& step : steps_) {
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
  /// Executables of loops.
  std::vector<const Executable*> bodies() const {
    std::vector<const Executable*> result;
    for (const auto& loop : loops_) result.push_back(&loop->body());
    for (const auto& loop : stepLoops_) {
      result.push_back(&loop->body());
      if (loop->again() != nullptr) result.push_back(loop->again());
    }
    return result;
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

  /// Code over the lanes of a block of so many.
  std::vector<LaneCode> laneCodes(std::int64_t lanes) const {
    std::vector<LaneCode> codes;
    for (const auto& program : blocks_) {
      if (program->points != lanes) continue;
      for (std::size_t i = 0; i < program->segmentNumbers.size(); ++i) {
        codes.push_back({{program->segmentNumbers[i]}, program->laneSlot(Base::Io)});
        if (!program->wholeNumbers.empty())
          codes.back().numbers.push_back(program->wholeNumbers[i]);
      }
    }
    for (const auto& kernel : directs_) {
      if (kernel->wholePoints() == lanes)
        codes.push_back({{kernel->bodyNumber()}, static_cast<std::uint32_t>(Base::Io)});
    }
    return codes;
  }

  static StepCost::By whoComputes(const BlockProgram& program) {
    return program.segments.empty() ? StepCost::By::Interpreter : StepCost::By::MachineCode;
  }

  void makeStraightCode(const RowPlaces& rows) {
    straight_.emplace(constants(), scratchAt_, rows.walks());
    for (const Prepared& prepared : steps_) {
      if (prepared.kind == Prepared::Kind::Code) {
        straight_->add(static_cast<const ScalarCode*>(prepared.step)->function, 1);
        continue;
      }
      static_cast<const DirectKernel*>(prepared.step)->visitCalls([&](auto function, auto n) {
        straight_->add(function, n);
      });
    }
  }

  static StepCost::By whoComputes(const Prepared& prepared) {
    switch (prepared.kind) {
      case Prepared::Kind::Code:
      case Prepared::Kind::Direct:
        return StepCost::By::MachineCode;
      case Prepared::Kind::Scalar:
        return StepCost::By::Interpreter;
      case Prepared::Kind::Block:
        return whoComputes(*static_cast<const BlockProgram*>(prepared.step));
      case Prepared::Kind::Rows:
        return whoComputes(static_cast<const RowsProgram*>(prepared.step)->program());
      case Prepared::Kind::Lanes:  // or as its body is
      case Prepared::Kind::Loop:
        return StepCost::By::Interpreter;
      default:
        return StepCost::By::Library;
    }
  }

  /// Steps that are sums at known places and follow each other are computed together.
  template <class SumStep>
  bool prepareSums(const SumStep& step) {
    const bool isFirst = lastSums_ == nullptr;
    auto first = isFirst ? std::make_unique<KnownSums>() : nullptr;
    if (!(isFirst ? first.get() : lastSums_)->add(*plan_, step)) return false;
    if (isFirst) {
      lastSums_ = first.get();
      sums_.push_back(std::move(first));
    }
    steps_.push_back({isFirst ? Prepared::Kind::Sums : Prepared::Kind::Done, lastSums_});
    return true;
  }

  std::int64_t prepare(const Kernel& kernel) {
    if (kernel.points() == 1) {
      if (Code code; jit_ != nullptr && compileScalar(*plan_, kernel, code)) {
        const std::int64_t scratch = code.spillDoubles(1);
        codes_.push_back(std::make_unique<ScalarCode>());
        codes_.back()->number = jit_->add(std::move(code));
        steps_.push_back({Prepared::Kind::Code, codes_.back().get()});
        return scratch;
      }
      scalars_.push_back(compileScalar(*plan_, kernel));
      steps_.push_back({Prepared::Kind::Scalar, scalars_.back().get()});
      return scalars_.back()->scratch();
    }
    if (jit_ != nullptr && !writesPieces(*plan_, kernel)) {
      auto direct = std::make_unique<DirectKernel>();
      if (direct->compile(*plan_, kernel, *jit_)) {
        directs_.push_back(std::move(direct));
        steps_.push_back({Prepared::Kind::Direct, directs_.back().get()});
        return directs_.back()->scratch();
      }
    }
    if (prepareSums(kernel)) return 0;
    blocks_.push_back(compileBlock(*plan_, kernel, jit_));
    steps_.push_back({Prepared::Kind::Block, blocks_.back().get()});
    return blocks_.back()->scratch;
  }
  std::int64_t prepare(const MatMulStep& step) {
    if (const std::int64_t threads = matMulThreads(step); threads > 1) {
      perThread_ = std::max(perThread_, matMulScratch(step));
      mostThreads_ = std::max(mostThreads_, threads);
    }
    steps_.push_back({Prepared::Kind::MatMul, &step});
    return matMulScratch(step);
  }
  std::int64_t prepare(const RecurrenceStep& step) {
    steps_.push_back({Prepared::Kind::Recurrence, &step});
    return 0;
  }
  std::int64_t prepare(const IndexStep& step) {
    steps_.push_back({Prepared::Kind::Index, &step});
    return indexScratch(step);
  }
  std::int64_t prepare(const ScatterAddStep& step) {
    if (prepareSums(step)) return 0;
    if (auto known = KnownScatter::make(*plan_, step)) {
      mostThreads_ = std::max(mostThreads_, known->threads());
      scatters_.push_back(std::move(known));
      steps_.push_back({Prepared::Kind::KnownScatter, scatters_.back().get()});
      return 0;
    }
    steps_.push_back({Prepared::Kind::ScatterAdd, &step});
    return 0;
  }

  std::int64_t prepare(const InterleaveStep& step) {
    if (!steps_.empty() && steps_.back().kind == Prepared::Kind::Block) {
      const Kernel& kernel = std::get<Kernel>(plan_->steps[steps_.size() - 1]);
      if (auto rows = RowsProgram::make(*plan_, kernel, *blocks_.back(), step, jit_)) {
        rows_.push_back(std::move(rows));
        steps_.back() = {Prepared::Kind::Rows, rows_.back().get()};
        steps_.push_back({Prepared::Kind::Done, nullptr});
        return rows_.back()->scratch();
      }
    }
    interleaves_.push_back(std::make_unique<InterleaveProgram>(*plan_, step));
    steps_.push_back({Prepared::Kind::Interleave, interleaves_.back().get()});
    return 0;
  }

  std::int64_t prepare(const LaneStep& step) {
    loops_.push_back(std::make_unique<LaneProgram>(
        *plan_, step, executableOf(step.plan, {{}, lineQueueOf(step)})));
    steps_.push_back({Prepared::Kind::Lanes, loops_.back().get()});
    return loops_.back()->scratch();
  }

  std::int64_t prepare(const LoopStep& step) {
    auto body = stepOf(step);
    auto again = step.replay ? stepOf(*step.replay->loop) : nullptr;
    // A reversal has a number, which the loop that reads finds by the memory of the carries.
    const LoopStep::Kept* kept = step.kept     ? &*step.kept
                                 : step.replay ? &*step.replay->loop->kept
                                               : nullptr;
    const bool isSweep = kept != nullptr && kept->checkpoints.policy != CheckpointPolicy::All;
    const auto sweep = static_cast<std::size_t>(
        std::ranges::find(sweeps_, isSweep ? kept->buffer : kNoSweep) - sweeps_.begin());
    if (isSweep && sweep == sweeps_.size()) sweeps_.push_back(kept->buffer);
    stepLoops_.push_back(
        std::make_unique<LoopProgram>(*plan_, step, std::move(body), std::move(again), sweep));
    steps_.push_back({Prepared::Kind::Loop, stepLoops_.back().get()});
    return stepLoops_.back()->scratch();
  }

  std::shared_ptr<const Executable> executableOf(const std::shared_ptr<const Plan>& plan,
                                                 const Surroundings& around) const {
    if (obstacle_ == nullptr) return codeOrInterpreter(plan, around);
    return std::make_shared<Interpreter>(plan, obstacle_);
  }
  std::shared_ptr<const Executable> stepOf(const LoopStep& step) const {
    return executableOf(step.body, {RowPlaces(*plan_, step), {}});
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

  std::shared_ptr<const Plan> plan_;
  std::vector<Prepared> steps_;
  std::vector<std::unique_ptr<const ScalarProgram>> scalars_;
  std::vector<std::unique_ptr<BlockProgram>> blocks_;
  std::vector<std::unique_ptr<const KnownSums>> sums_;
  KnownSums* lastSums_ = nullptr;  ///< while steps are prepared: where sums may be added
  std::vector<std::unique_ptr<const KnownScatter>> scatters_;
  std::vector<std::unique_ptr<RowsProgram>> rows_;
  std::vector<std::unique_ptr<const InterleaveProgram>> interleaves_;
  std::vector<std::unique_ptr<ScalarCode>> codes_;
  std::vector<std::unique_ptr<DirectKernel>> directs_;
  std::vector<std::unique_ptr<LaneProgram>> loops_;
  std::vector<std::unique_ptr<LoopProgram>> stepLoops_;
  static constexpr BufferId kNoSweep = LoopStep::kNone;
  std::vector<BufferId> sweeps_;  ///< where the carries of reversals are kept
  const char* const obstacle_;
  JitBuilder* jit_ = nullptr;  ///< while steps are prepared
  std::shared_ptr<const JitModule> module_;
  std::optional<StraightCode> straight_;
  bool asksForLines_ = false;
  std::int64_t scratchAt_ = 0;
  std::int64_t sweepsAt_ = 0;
  std::int64_t workspace_ = 0;
  std::int64_t planned_ = 0;      ///< steps of every run
  std::int64_t perThread_ = 0;    ///< more for every thread beside the first
  std::int64_t mostThreads_ = 1;  ///< that find something to do
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

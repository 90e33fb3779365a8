#include "exec/prepared.h"

#include <algorithm>
#include <variant>

#include "exec/library.h"
#include "plan/rows_by_piece.h"

namespace adjoint::exec {
namespace {

StepCost::By whoComputesBlocks(const BlockProgram& program) {
  return program.segments.empty() ? StepCost::By::Interpreter : StepCost::By::MachineCode;
}

}  // namespace

StepCost::By Prepared::whoComputes() const {
  switch (kind) {
    case Kind::Code:
    case Kind::Direct:
      return StepCost::By::MachineCode;
    case Kind::Scalar:
      return StepCost::By::Interpreter;
    case Kind::Block:
      return whoComputesBlocks(*static_cast<const BlockProgram*>(step));
    case Kind::Rows:
      return whoComputesBlocks(static_cast<const RowsProgram*>(step)->program());
    case Kind::Lanes:  // or as its body is
    case Kind::Loop:
      return StepCost::By::Interpreter;
    default:
      return StepCost::By::Library;
  }
}

PreparedSteps::PreparedSteps(const Plan& plan, const char* obstacle, JitBuilder* jit)
    : plan_(plan), obstacle_(obstacle), jit_(jit) {
  for (const Step& step : plan_.steps) {
    std::visit([&](const auto& s) { scratch_ = std::max(scratch_, prepare(s)); }, step);
    const auto kind = steps_.back().kind;
    if (kind != Prepared::Kind::Sums && kind != Prepared::Kind::Done) lastSums_ = nullptr;
  }
  jit_ = nullptr;
  for (const auto& loop : loops_) useThreads(loop->chunks(), loop->threadScratch());
  for (const auto& program : blocks_) {
    if (program->chunks() > 1) useThreads(program->chunks(), program->scratch);
  }
  for (const auto& rows : rows_) {
    if (rows->program().chunks() > 1) useThreads(rows->program().chunks(), rows->scratch());
  }
}

void PreparedSteps::useThreads(std::int64_t threads, std::int64_t scratch) {
  perThread_ = std::max(perThread_, scratch);
  mostThreads_ = std::max(mostThreads_, threads);
}

void PreparedSteps::link(const JitModule& module) {
  for (const auto& program : blocks_) linkBlock(*program, module);
  for (const auto& rows : rows_) rows->link(module);
  for (const auto& kernel : directs_) kernel->link(module);
  for (const auto& code : codes_) code->function = module.function(code->number);
}

bool PreparedSteps::isStraight() const {
  return std::ranges::all_of(steps_, [](const Prepared& step) {
    return step.kind == Prepared::Kind::Code || step.kind == Prepared::Kind::Direct;
  });
}

std::vector<LaneCode> PreparedSteps::laneCodes(std::int64_t lanes) const {
  std::vector<LaneCode> codes;
  for (const auto& program : blocks_) {
    if (program->points != lanes) continue;
    for (std::size_t i = 0; i < program->segmentNumbers.size(); ++i) {
      codes.push_back({{program->segmentNumbers[i]}, program->laneSlot(Base::Io)});
      if (!program->wholeNumbers.empty()) codes.back().numbers.push_back(program->wholeNumbers[i]);
    }
  }
  for (const auto& kernel : directs_) {
    if (kernel->wholePoints() == lanes)
      codes.push_back({{kernel->bodyNumber()}, static_cast<std::uint32_t>(Base::Io)});
  }
  return codes;
}

std::vector<const Executable*> PreparedSteps::bodies() const {
  std::vector<const Executable*> result;
  for (const auto& loop : loops_) result.push_back(&loop->body());
  for (const auto& loop : stepLoops_) {
    result.push_back(&loop->body());
    if (loop->again() != nullptr) result.push_back(loop->again());
  }
  return result;
}

std::int64_t PreparedSteps::planned() const {
  auto planned = static_cast<std::int64_t>(steps_.size());
  for (const auto& loop : stepLoops_) planned += loop->plannedSteps();
  return planned;
}

std::size_t PreparedSteps::segments() const {
  std::size_t n = codes_.size() + directs_.size();
  for (const auto& program : blocks_) n += program->segments.size();
  for (const auto& rows : rows_) n += rows->segments();
  for (const Executable* body : bodies()) n += body->segments();
  return n;
}

std::size_t PreparedSteps::bytes() const {
  std::size_t n = sizeof(*this) + steps_.capacity() * sizeof(Prepared);
  for (const auto& program : scalars_) n += program->bytes();
  for (const auto& program : blocks_) n += program->bytes();
  for (const auto& sums : sums_) n += sums->bytes();
  for (const auto& scatter : scatters_) n += scatter->bytes();
  for (const auto& rows : rows_) n += rows->bytes();
  for (const auto& program : interleaves_) n += program->bytes();
  for (const Executable* body : bodies()) n += body->bytes();
  return n;
}

/// Steps that are sums at known places and follow each other are computed together.
template <class SumStep>
bool PreparedSteps::prepareSums(const SumStep& step) {
  const bool isFirst = lastSums_ == nullptr;
  auto first = isFirst ? std::make_unique<KnownSums>() : nullptr;
  if (!(isFirst ? first.get() : lastSums_)->add(plan_, step)) return false;
  if (isFirst) {
    lastSums_ = first.get();
    sums_.push_back(std::move(first));
  }
  steps_.push_back({isFirst ? Prepared::Kind::Sums : Prepared::Kind::Done, lastSums_});
  return true;
}

std::int64_t PreparedSteps::prepareScalar(const Kernel& kernel) {
  if (Code code; jit_ != nullptr && compileScalar(plan_, kernel, code)) {
    const std::int64_t scratch = code.spillDoubles(1);
    codes_.push_back(std::make_unique<ScalarCode>());
    codes_.back()->number = jit_->add(std::move(code));
    steps_.push_back({Prepared::Kind::Code, codes_.back().get()});
    return scratch;
  }
  scalars_.push_back(compileScalar(plan_, kernel));
  steps_.push_back({Prepared::Kind::Scalar, scalars_.back().get()});
  return scalars_.back()->scratch();
}

std::int64_t PreparedSteps::prepare(const Kernel& kernel) {
  if (kernel.points() == 1) return prepareScalar(kernel);
  if (jit_ != nullptr && !writesPieces(plan_, kernel)) {
    auto direct = std::make_unique<DirectKernel>();
    if (direct->compile(plan_, kernel, *jit_)) {
      directs_.push_back(std::move(direct));
      steps_.push_back({Prepared::Kind::Direct, directs_.back().get()});
      return directs_.back()->scratch();
    }
  }
  if (prepareSums(kernel)) return 0;
  blocks_.push_back(compileBlock(plan_, kernel, jit_));
  steps_.push_back({Prepared::Kind::Block, blocks_.back().get()});
  return blocks_.back()->scratch;
}

std::int64_t PreparedSteps::prepare(const MatMulStep& step) {
  const std::int64_t threads = matMulThreads(step), scratch = matMulScratch(step);
  if (threads > 1) useThreads(threads, scratch);
  steps_.push_back({Prepared::Kind::MatMul, &step});
  return scratch;
}

std::int64_t PreparedSteps::prepare(const RecurrenceStep& step) {
  steps_.push_back({Prepared::Kind::Recurrence, &step});
  return 0;
}

std::int64_t PreparedSteps::prepare(const IndexStep& step) {
  steps_.push_back({Prepared::Kind::Index, &step});
  return indexScratch(step);
}

std::int64_t PreparedSteps::prepare(const ScatterAddStep& step) {
  if (prepareSums(step)) return 0;
  if (auto known = KnownScatter::make(plan_, step)) {
    useThreads(known->threads(), 0);
    scatters_.push_back(std::move(known));
    steps_.push_back({Prepared::Kind::KnownScatter, scatters_.back().get()});
    return 0;
  }
  steps_.push_back({Prepared::Kind::ScatterAdd, &step});
  return 0;
}

std::int64_t PreparedSteps::prepare(const InterleaveStep& step) {
  if (!steps_.empty() && steps_.back().kind == Prepared::Kind::Block) {
    const Kernel& kernel = std::get<Kernel>(plan_.steps[steps_.size() - 1]);
    if (auto rows = RowsProgram::make(plan_, kernel, *blocks_.back(), step, jit_)) {
      rows_.push_back(std::move(rows));
      steps_.back() = {Prepared::Kind::Rows, rows_.back().get()};
      steps_.push_back({Prepared::Kind::Done, nullptr});
      return rows_.back()->scratch();
    }
  }
  interleaves_.push_back(std::make_unique<InterleaveProgram>(plan_, step));
  steps_.push_back({Prepared::Kind::Interleave, interleaves_.back().get()});
  return 0;
}

std::int64_t PreparedSteps::prepare(const LaneStep& step) {
  loops_.push_back(std::make_unique<LaneProgram>(
      plan_, step, makeBody(step.plan, {{}, lineQueueOf(step)}, obstacle_)));
  steps_.push_back({Prepared::Kind::Lanes, loops_.back().get()});
  return loops_.back()->scratch();
}

std::int64_t PreparedSteps::prepare(const LoopStep& step) {
  auto body = stepOf(step);
  auto again = step.replay ? stepOf(*step.replay->loop) : nullptr;
  // A reversal has a number, which the loop that reads finds by the memory of the carries.
  const LoopStep::Kept* kept = step.kept     ? &*step.kept
                               : step.replay ? &*step.replay->loop->kept
                                             : nullptr;
  const bool isSweep = kept != nullptr && kept->checkpoints.policy != CheckpointPolicy::All;
  const auto sweep = static_cast<std::size_t>(
      std::ranges::find(sweeps_, isSweep ? kept->buffer : LoopStep::kNone) - sweeps_.begin());
  if (isSweep && sweep == sweeps_.size()) sweeps_.push_back(kept->buffer);
  stepLoops_.push_back(
      std::make_unique<LoopProgram>(plan_, step, std::move(body), std::move(again), sweep));
  steps_.push_back({Prepared::Kind::Loop, stepLoops_.back().get()});
  return stepLoops_.back()->scratch();
}

std::shared_ptr<const Executable> PreparedSteps::stepOf(const LoopStep& step) const {
  return makeBody(step.body, {RowPlaces(plan_, step), {}}, obstacle_);
}

}  // namespace adjoint::exec

#include "exec/rows.h"

#include <algorithm>
#include <limits>

#include "plan/rows_by_piece.h"

namespace adjoint::exec {
namespace {

/// What a piece reads and writes stays in a first-level cache beside the rows.
constexpr std::int64_t kPieceDoubles = 3072;

bool overlap(const Buffer& a, const Buffer& b) {
  return a.base == b.base && a.offset < b.offset + b.elements && b.offset < a.offset + a.elements;
}

}  // namespace

std::unique_ptr<RowsProgram> RowsProgram::make(const Plan& plan, const Kernel& kernel,
                                               const BlockProgram& program,
                                               const InterleaveStep& step, JitBuilder* jit) {
  if (!canBeInPieces(kernel)) return nullptr;
  // Rows are written before the kernel has read all.
  for (const Access& access : kernel.accesses) {
    if (overlap(plan.buffers[access.buffer], plan.buffers[step.out])) return nullptr;
  }
  std::unique_ptr<RowsProgram> rows(new RowsProgram(plan, program, step));
  for (const InterleaveStep::Source& source : step.sources)
    rows->isComputed_.push_back(!source.isUniform && computesByPoint(plan, kernel, source.buffer));
  const std::int64_t moved = std::ranges::count_if(kernel.body, [](const Instr& instr) {
    return instr.kind == InstrKind::Load || instr.kind == InstrKind::Store;
  });
  // Whole blocks, as without pieces.
  const std::int64_t most = std::min(kPieceDoubles / moved, kPieceElements);
  rows->piece_ = std::max<std::int64_t>(1, most / program.lanes) * program.lanes;
  rows->hasPieces_ = readsPieces(plan, step);
  if (!rows->hasPieces_ &&
      (kernel.points() <= rows->piece_ || std::ranges::none_of(rows->isComputed_, std::identity{})))
    return nullptr;
  if (jit != nullptr && rows->hasPieces_)
    rows->code_ = RowsCode::make(plan, kernel, step, rows->isComputed_, *jit);
  if (rows->code_ == nullptr) rows->divide();
  return rows;
}

std::int64_t RowsProgram::awaited(const InterleaveStep::Run& run) {
  std::int64_t last = -1;
  for (const auto& [part, element] : step_.columnsOf(run)) {
    if (!isComputed_[part]) continue;
    isApart_ = isApart_ && (last < 0 || element == last);
    last = std::max<std::int64_t>(last, element);
  }
  return last;
}

void RowsProgram::divide() {
  const auto pieces = static_cast<std::size_t>((program_.points + piece_ - 1) / piece_);
  std::vector<std::vector<Rows>> rows(pieces);
  std::vector<std::vector<Moves::Move>> singles(pieces);
  const auto pieceOf = [&](std::int64_t point) {
    return point < 0 ? 0 : static_cast<std::size_t>(point / piece_);
  };
  auto single = step_.singles.begin();
  const auto addSingles = [&](std::int64_t end, auto pointOfRow) {
    for (; single != step_.singles.end() && single->place < end; ++single) {
      const std::int64_t ofRow = pointOfRow(single->place);
      const std::int64_t own = isComputed_[single->from.part] ? single->from.element : ofRow;
      isApart_ = isApart_ && own == ofRow;
      singles[pieceOf(std::max(own, ofRow))].push_back(interleave_.moved(*single));
    }
  };
  // Those in no run are of their own point only.
  const auto ownPoint = [&](std::int64_t) -> std::int64_t {
    return isComputed_[single->from.part] ? single->from.element : -1;
  };
  for (std::uint32_t r = 0; r < step_.runs.size(); ++r) {
    const InterleaveStep::Run& run = step_.runs[r];
    const std::int64_t last = awaited(run);
    if (last < 0) rows[0].push_back({r, 0, run.rows});
    // The next row waits for the next point.
    for (std::int64_t first = 0; last >= 0 && first < run.rows;) {
      const std::size_t piece = pieceOf(last + first);
      const std::int64_t end =
          std::min(run.rows, static_cast<std::int64_t>(piece + 1) * piece_ - last);
      rows[piece].push_back({r, first, end - first});
      first = end;
    }
    addSingles(run.start, ownPoint);
    addSingles(run.start + run.rows * run.width, [&](std::int64_t place) -> std::int64_t {
      return last < 0 ? -1 : last + (place - run.start) / run.width;
    });
  }
  addSingles(std::numeric_limits<std::int64_t>::max(), ownPoint);
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    rowsOfPiece_.push_back(rows_.size());
    rows_.insert(rows_.end(), rows[piece].begin(), rows[piece].end());
    singles_.add(std::move(singles[piece]));
  }
  rowsOfPiece_.push_back(rows_.size());
}

std::size_t RowsProgram::bytes() const {
  return sizeof(*this) + interleave_.bytes() + rowsOfPiece_.capacity() * sizeof(std::size_t) +
         rows_.capacity() * sizeof(Rows) + singles_.bytes() +
         (code_ == nullptr ? 0 : code_->bytes());
}

void RowsProgram::write(const RunContext& context, std::size_t piece) const {
  for (std::size_t i = rowsOfPiece_[piece]; i < rowsOfPiece_[piece + 1]; ++i) {
    const auto& [run, first, count] = rows_[i];
    interleave_.write(context, run, first, count);
  }
  singles_.run(context, interleave_.out(context), piece);
}

bool RowsProgram::run(const RunContext& context) const noexcept {
  if (code_ != nullptr) {
    for (const std::uint32_t r : code_->constantRuns())
      interleave_.write(context, r, 0, step_.runs[r].rows);
    return code_->run(context, threadsOf(program_, context));
  }
  if (!hasPieces_ && !isApart_ && threadsOf(program_, context) > 1)
    return runBlock(program_, context) && interleave_.run(context);
  const auto write = [](const void* self, const RunContext& own, std::int64_t piece) {
    static_cast<const RowsProgram*>(self)->write(own, static_cast<std::size_t>(piece));
  };
  return runBlock(program_, context, {piece_, plan_.pieceDoubles, isApart_, write, this});
}

}  // namespace adjoint::exec

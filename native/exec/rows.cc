#include "exec/rows.h"

#include <algorithm>

#include "exec/row_writer.h"

namespace adjoint::exec {
namespace {

/// What a piece reads and writes stays in a first-level cache beside the rows.
constexpr std::int64_t kPieceDoubles = 3072;

bool overlap(const Buffer& a, const Buffer& b) {
  return a.base == b.base && a.offset < b.offset + b.elements && b.offset < a.offset + a.elements;
}

/// Whether the kernel computes element i of the buffer at point i.
bool computes(const Plan& plan, const Kernel& kernel, BufferId buffer) {
  return std::ranges::any_of(kernel.body, [&](const Instr& instr) {
    if (instr.kind != InstrKind::Store) return false;
    const Access& access = kernel.accesses[static_cast<std::size_t>(instr.extra)];
    const IndexMap& map = kernel.maps[access.map];
    return access.buffer == buffer && access.offset == 0 && map.windows.empty() &&
           map.stride.size() == 1 && map.stride[0] == 1 &&
           plan.buffers[buffer].elements == kernel.points();
  });
}

}  // namespace

std::unique_ptr<const RowsProgram> RowsProgram::make(const Plan& plan, const Kernel& kernel,
                                                     const BlockProgram& program,
                                                     const InterleaveStep& step) {
  // What can fail has to, before anything is written.
  if (kernel.extents.size() != 1 || !kernel.reductions.empty() || !kernel.gathers.empty())
    return nullptr;
  // Rows are written before the kernel has read all.
  for (const Access& access : kernel.accesses) {
    if (overlap(plan.buffers[access.buffer], plan.buffers[step.out])) return nullptr;
  }
  std::vector<bool> isComputed;
  for (const InterleaveStep::Source& source : step.sources)
    isComputed.push_back(!source.isUniform && computes(plan, kernel, source.buffer));
  const std::int64_t moved = std::ranges::count_if(kernel.body, [](const Instr& instr) {
    return instr.kind == InstrKind::Load || instr.kind == InstrKind::Store;
  });
  std::unique_ptr<RowsProgram> rows(new RowsProgram(plan, program, step));
  // Whole blocks, as without pieces.
  rows->piece_ = std::max<std::int64_t>(1, kPieceDoubles / (moved * program.lanes)) * program.lanes;
  const std::int64_t points = kernel.points();
  const std::int64_t pieces = (points + rows->piece_ - 1) / rows->piece_;
  if (pieces < 2 || std::ranges::none_of(isComputed, std::identity{})) return nullptr;
  rows->parts_.resize(static_cast<std::size_t>(pieces));
  for (std::uint32_t r = 0; r < step.runs.size(); ++r) {
    const InterleaveStep::Run& run = step.runs[r];
    std::int64_t last =
        -1;  // the point that the first row waits for; the next one waits for the next
    for (std::int64_t j = run.first; j < run.first + run.width; ++j) {
      const InterleaveStep::Column& column = step.columns[static_cast<std::size_t>(j)];
      if (isComputed[column.part]) last = std::max<std::int64_t>(last, column.element);
    }
    if (last < 0) {
      rows->parts_[0].push_back({r, 0, run.rows});
      continue;
    }
    for (std::int64_t first = 0; first < run.rows;) {
      const std::int64_t piece = (last + first) / rows->piece_;
      const std::int64_t end = std::min(run.rows, (piece + 1) * rows->piece_ - last);
      rows->parts_[static_cast<std::size_t>(piece)].push_back({r, first, end - first});
      first = end;
    }
  }
  return rows;
}

bool RowsProgram::run(const RunContext& context) const noexcept {
  if (threadsOf(program_, context) > 1)
    return runBlock(program_, context) && runInterleave(plan_, step_, context);
  RowWriter writer(plan_, step_, context);
  struct Writing {
    const RowsProgram& rows;
    RowWriter& writer;
  } writing{*this, writer};
  const auto write = [](void* self, std::int64_t piece) {
    const auto& [rows, to] = *static_cast<Writing*>(self);
    for (const Part& part : rows.parts_[static_cast<std::size_t>(piece)])
      to.write(rows.step_.runs[part.run], part.first, part.rows);
  };
  if (!runBlock(program_, context, piece_, write, &writing)) return false;
  writer.writeExceptions();
  return true;
}

}  // namespace adjoint::exec

#include "plan/rows_by_piece.h"

#include <algorithm>
#include <optional>

#include "plan/visit_buffers.h"

namespace adjoint {

namespace {

/// The values of fewer points are in the nearest cache anyway.
constexpr std::int64_t kFewPoints = 2 * kPieceElements;

using Column = InterleaveStep::Column;
using Run = InterleaveStep::Run;

/// A kernel and the rows after it.
class RowsAfterKernel {
 public:
  RowsAfterKernel(Plan& plan, const Kernel& kernel, InterleaveStep& step,
                  const std::vector<std::uint32_t>& uses)
      : plan_(plan), kernel_(kernel), step_(step), uses_(uses) {}

  void makeByPiece() {
    // Rows are written before the kernel has read everything.
    if (!canBeInPieces(kernel_) || kernel_.points() < kFewPoints || touches(step_.out)) return;
    for (const InterleaveStep::Source& source : step_.sources)
      isPiece_.push_back(!source.isUniform && isOnlyInRows(source.buffer));
    if (std::ranges::none_of(isPiece_, std::identity{})) return;
    const bool isByPoint =
        std::ranges::all_of(step_.runs, [&](const Run& run) { return isOfOnePoint(run); }) &&
        std::ranges::all_of(step_.singles, [&](const auto& single) { return isInPoint(single); });
    if (!isByPoint) return;
    place();
  }

 private:
  bool touches(BufferId buffer) const {
    return std::ranges::any_of(kernel_.accesses,
                               [&](const Access& access) { return access.buffer == buffer; });
  }

  /// Whether the kernel computes element i at point i, and only the rows read it.
  bool isOnlyInRows(BufferId id) const {
    const auto inRows = std::ranges::count_if(
        step_.sources, [&](const InterleaveStep::Source& source) { return source.buffer == id; });
    return plan_.buffers[id].base == Base::Temp &&
           uses_[id] == static_cast<std::uint32_t>(inRows) + 1 &&
           computesByPoint(plan_, kernel_, id);
  }

  std::optional<std::int64_t> pointOf(const Column& column) const {
    if (!isPiece_[column.part]) return std::nullopt;
    return column.element;
  }

  /// Whether each row needs one point.
  bool isOfOnePoint(const Run& run) const {
    const auto point = pointOfRow(run);
    return std::ranges::all_of(step_.columnsOf(run), [&](const Column& column) {
      const auto other = pointOf(column);
      return !other || other == point;
    });
  }

  /// The point that the first row needs, or one of them.
  std::optional<std::int64_t> pointOfRow(const Run& run) const {
    for (const Column& column : step_.columnsOf(run)) {
      if (const auto point = pointOf(column)) return point;
    }
    return std::nullopt;
  }

  /// Whether an element that is not what its row says is one of the row's point all the same.
  bool isInPoint(const InterleaveStep::Single& single) const {
    const auto point = pointOf(single.from);
    const auto after =
        std::ranges::upper_bound(step_.runs, single.place, std::less<>(), &Run::start);
    if (!point || after == step_.runs.begin()) return true;
    const Run& run = *std::prev(after);
    const std::int64_t row = (single.place - run.start) / run.width;
    if (row >= run.rows) return true;
    const auto first = pointOfRow(run);
    return !first || *first + row == *point;
  }

  void place() {
    std::int64_t end = 0;
    for (std::size_t k = 0; k < isPiece_.size(); ++k) {
      Buffer& buffer = plan_.buffers[step_.sources[k].buffer];
      if (!isPiece_[k] || buffer.base == Base::Piece) continue;
      buffer.base = Base::Piece;
      buffer.offset = end;
      end += kPieceElements;
    }
    plan_.pieceDoubles = std::max(plan_.pieceDoubles, end);
  }

  Plan& plan_;
  const Kernel& kernel_;
  InterleaveStep& step_;
  const std::vector<std::uint32_t>& uses_;
  std::vector<bool> isPiece_;  ///< by source
};

}  // namespace

bool canBeInPieces(const Kernel& kernel) {
  // What can fail has to, before anything is written.
  return kernel.extents.size() == 1 && kernel.reductions.empty() && kernel.gathers.empty();
}

bool computesByPoint(const Plan& plan, const Kernel& kernel, BufferId buffer) {
  return plan.buffers[buffer].elements == kernel.points() &&
         std::ranges::any_of(kernel.body, [&](const Instr& instr) {
           if (instr.kind != InstrKind::Store) return false;
           const Access& access = kernel.accesses[static_cast<std::size_t>(instr.extra)];
           const IndexMap& map = kernel.maps[access.map];
           return access.buffer == buffer && access.offset == 0 && map.windows.empty() &&
                  map.stride.size() == 1 && map.stride[0] == 1;
         });
}

void makeRowsByPiece(Plan& plan) {
  std::vector<std::uint32_t> uses;  // made for the first rows
  for (std::size_t s = 1; s < plan.steps.size(); ++s) {
    auto* const rows = std::get_if<InterleaveStep>(&plan.steps[s]);
    const auto* const kernel = std::get_if<Kernel>(&plan.steps[s - 1]);
    if (rows == nullptr || kernel == nullptr) continue;
    if (uses.empty()) {
      uses.resize(plan.buffers.size());
      for (const Step& step : plan.steps) visitBuffers(step, [&](BufferId id) { ++uses[id]; });
    }
    RowsAfterKernel(plan, *kernel, *rows, uses).makeByPiece();
  }
}

bool writesPieces(const Plan& plan, const Kernel& kernel) {
  return std::ranges::any_of(kernel.accesses, [&](const Access& access) {
    return plan.buffers[access.buffer].base == Base::Piece;
  });
}

bool readsPieces(const Plan& plan, const Step& step) {
  const auto* const rows = std::get_if<InterleaveStep>(&step);
  return rows != nullptr && std::ranges::any_of(rows->sources, [&](const auto& source) {
           return plan.buffers[source.buffer].base == Base::Piece;
         });
}

}  // namespace adjoint

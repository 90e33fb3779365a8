#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace adjoint {

/// Neighboring columns, from the first to the last.
struct ColumnRun {
  std::int32_t first = 0, last = 0;
};

/// Unites runs of columns.
class ColumnRuns {
 public:
  void clear() { runs_.clear(); }
  void add(ColumnRun run) { runs_.push_back(run); }

  /// All that was added, ascending and apart from each other; good until something is added.
  std::span<const ColumnRun> merged();

 private:
  void joinSorted();
  void joinByBits(std::int32_t first, std::int32_t last);

  std::vector<ColumnRun> runs_;
  std::vector<std::uint64_t> bits_;
};

}  // namespace adjoint

#include "coloring/pattern.h"

#include <algorithm>
#include <limits>
#include <string>

#include "tape/error.h"

namespace adjoint::coloring {

namespace {

/// One less than an Index can count: sizes are followed by an end.
constexpr std::int64_t kMost = std::numeric_limits<Index>::max() - 1;

void checkCount(std::int64_t count, const char* what) {
  if (count < 0)
    throw Error(ErrorCode::Shape, std::string("a pattern with a negative number of ") + what);
  if (count > kMost)
    throw Error(ErrorCode::Limit, "a pattern of " + std::to_string(count) + " " + what +
                                      "; at most " + std::to_string(kMost) + " are supported");
}

void checkColumn(Index column, Index columns, Index row) {
  if (column < 0 || column >= columns)
    throw Error(ErrorCode::Index, "row " + std::to_string(row) + " of a pattern names column " +
                                      std::to_string(column) + " of " + std::to_string(columns));
}

/// Whether the indices of every row are in range and increase. Over all indices at once, which
/// takes no branches: those that are not larger than the one before are beginnings of rows.
bool isSorted(Index columns, const std::vector<Index>& rowStart,
              const std::vector<Index>& columnIndex) {
  const std::size_t n = columnIndex.size();
  if (n == 0) return true;
  const Index* const c = columnIndex.data();
  Index least = c[0], largest = c[0], descents = 0;
  for (std::size_t k = 1; k < n; ++k) {
    least = std::min(least, c[k]);
    largest = std::max(largest, c[k]);
    descents += c[k] <= c[k - 1];
  }
  for (std::size_t i = 1; i + 1 < rowStart.size(); ++i) {
    const Index k = rowStart[i];
    if (k > rowStart[i - 1] && k < rowStart.back()) descents -= c[k] <= c[k - 1];
  }
  return least >= 0 && largest < columns && descents == 0;
}

[[noreturn]] void failUnsorted(Index columns, const std::vector<Index>& rowStart,
                               const std::vector<Index>& columnIndex) {
  for (std::size_t i = 0; i + 1 < rowStart.size(); ++i) {
    for (Index k = rowStart[i]; k < rowStart[i + 1]; ++k) {
      const Index j = columnIndex[k];
      checkColumn(j, columns, static_cast<Index>(i));
      if (k > rowStart[i] && j <= columnIndex[k - 1])
        throw Error(ErrorCode::Argument, "row " + std::to_string(i) + " of a pattern has column " +
                                             std::to_string(j) + " after column " +
                                             std::to_string(columnIndex[k - 1]));
    }
  }
  throw Error(ErrorCode::Native, "a pattern that was found unsorted is sorted");
}

/// Makes counts at [i + 1] the beginnings at [i].
void sumUp(std::vector<Index>& counts) {
  for (std::size_t i = 1; i < counts.size(); ++i) counts[i] += counts[i - 1];
}

struct Mirrored {
  bool isSymmetric = false;
  bool hasWholeDiagonal = true;  ///< where it is symmetric
  Index row = 0, column = 0;     ///< where it is not
};

/// Compares a pattern with its mirror image. Rows are read in order, so that entries right of the
/// diagonal meet their mirror images in order.
Mirrored mirrored(const Pattern& pattern) {
  Mirrored result;
  const Index n = pattern.rows();
  if (n != pattern.columns()) return result;
  const Index* const start = pattern.rowStart().data();
  const Index* const column = pattern.columnIndex().data();
  const auto differsAt = [&](Index row, Index at) {
    result.row = row;
    result.column = at;
    return result;
  };
  std::vector<Index> next(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) {
    const Index end = start[i + 1];
    Index k = start[i];
    for (; k < end && column[k] < i; ++k) {
      const Index j = column[k], mirror = next[j]++;
      if (mirror == start[j + 1] || column[mirror] != i) return differsAt(i, j);
    }
    const bool isThere = k < end && column[k] == i;
    result.hasWholeDiagonal &= isThere;
    next[i] = k + isThere;
  }
  for (Index i = 0; i < n; ++i) {
    if (next[i] != start[i + 1]) return differsAt(i, column[next[i]]);
  }
  result.isSymmetric = true;
  return result;
}

}  // namespace

Pattern::Pattern(std::int64_t rows, std::int64_t columns, std::vector<Index> rowStart,
                 std::vector<Index> columnIndex) {
  checkCount(rows, "rows");
  checkCount(columns, "columns");
  checkCount(static_cast<std::int64_t>(columnIndex.size()), "nonzeros");
  if (static_cast<std::int64_t>(rowStart.size()) != rows + 1)
    throw Error(ErrorCode::Shape, "a pattern of " + std::to_string(rows) + " rows has " +
                                      std::to_string(rowStart.size()) +
                                      " beginnings of rows instead of one more than rows");
  if (rowStart.front() != 0 || rowStart.back() != static_cast<Index>(columnIndex.size()))
    throw Error(ErrorCode::Shape, "the rows of a pattern do not span its column indices");
  rows_ = static_cast<Index>(rows);
  columns_ = static_cast<Index>(columns);
  // All of them first: a row is read only when it lies within the indices.
  for (Index i = 0; i < rows_; ++i) {
    if (rowStart[i] > rowStart[i + 1])
      throw Error(ErrorCode::Shape,
                  "row " + std::to_string(i) + " of a pattern ends before it begins");
  }
  if (!isSorted(columns_, rowStart, columnIndex)) failUnsorted(columns_, rowStart, columnIndex);
  rowStart_ = std::move(rowStart);
  columnIndex_ = std::move(columnIndex);
}

Pattern Pattern::fromEntries(std::int64_t rows, std::int64_t columns,
                             std::span<const Index> rowIndex, std::span<const Index> columnIndex) {
  checkCount(rows, "rows");
  checkCount(columns, "columns");
  checkCount(static_cast<std::int64_t>(rowIndex.size()), "nonzeros");
  if (rowIndex.size() != columnIndex.size())
    throw Error(ErrorCode::Shape, std::to_string(rowIndex.size()) + " row indices and " +
                                      std::to_string(columnIndex.size()) + " column indices");
  for (std::size_t k = 0; k < rowIndex.size(); ++k) {
    if (rowIndex[k] < 0 || rowIndex[k] >= rows)
      throw Error(ErrorCode::Index, "an entry of a pattern is in row " +
                                        std::to_string(rowIndex[k]) + " of " +
                                        std::to_string(rows));
    checkColumn(columnIndex[k], static_cast<Index>(columns), rowIndex[k]);
  }
  // By column first; transposed, that is by row with columns in order and equal ones side by side.
  Pattern byColumn;
  byColumn.rows_ = static_cast<Index>(columns);
  byColumn.columns_ = static_cast<Index>(rows);
  byColumn.rowStart_.assign(static_cast<std::size_t>(columns) + 1, 0);
  for (const Index j : columnIndex) ++byColumn.rowStart_[j + 1];
  sumUp(byColumn.rowStart_);
  byColumn.columnIndex_.resize(columnIndex.size());
  std::vector<Index> next = byColumn.rowStart_;
  for (std::size_t k = 0; k < columnIndex.size(); ++k)
    byColumn.columnIndex_[next[columnIndex[k]]++] = rowIndex[k];
  Pattern result = byColumn.transposed();
  Index kept = 0;
  for (Index i = 0, k = 0; i < result.rows_; ++i) {
    const Index first = kept, end = result.rowStart_[i + 1];
    for (; k < end; ++k) {
      const Index j = result.columnIndex_[k];
      if (kept == first || result.columnIndex_[kept - 1] != j) result.columnIndex_[kept++] = j;
    }
    result.rowStart_[i + 1] = kept;
  }
  result.columnIndex_.resize(kept);
  return result;
}

Index Pattern::longestRow() const {
  Index longest = 0;
  for (Index i = 0; i < rows_; ++i) longest = std::max(longest, rowStart_[i + 1] - rowStart_[i]);
  return longest;
}

Pattern Pattern::transposed() const {
  Pattern result;
  result.rows_ = columns_;
  result.columns_ = rows_;
  result.rowStart_.assign(static_cast<std::size_t>(columns_) + 1, 0);
  result.columnIndex_.resize(columnIndex_.size());
  // A place further on first, so that filling the rows moves their beginnings to where they belong.
  Index* const next = result.rowStart_.data() + 1;
  for (const Index j : columnIndex_) {
    if (j + 1 < columns_) ++next[j + 1];
  }
  sumUp(result.rowStart_);
  for (Index i = 0; i < rows_; ++i) {
    for (const Index j : row(i)) result.columnIndex_[next[j]++] = i;
  }
  return result;
}

BipartiteGraph::BipartiteGraph(Pattern pattern) : byRow_(std::move(pattern)) {
  isSymmetric_ = mirrored(byRow_).isSymmetric;
  if (!isSymmetric_) byColumn_ = byRow_.transposed();
}

AdjacencyGraph::AdjacencyGraph(Pattern pattern) : pattern_(std::move(pattern)) {
  const Index n = pattern_.rows();
  if (n != pattern_.columns())
    throw Error(ErrorCode::Shape, "a symmetric pattern has as many rows as columns, not " +
                                      std::to_string(n) + " x " +
                                      std::to_string(pattern_.columns()));
  const Mirrored found = mirrored(pattern_);
  if (!found.isSymmetric)
    throw Error(ErrorCode::Argument,
                "a pattern is not symmetric: row or column " + std::to_string(found.row) +
                    " differs from its mirror image at " + std::to_string(found.column));
  hasWholeDiagonal_ = found.hasWholeDiagonal;
}

}  // namespace adjoint::coloring

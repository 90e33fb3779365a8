#include <algorithm>

#include "coloring/bucket_queue.h"
#include "coloring/by_lines.h"
#include "coloring/checks.h"

namespace adjoint::coloring {

namespace {

Index longestRow(const Pattern& pattern) {
  std::size_t longest = 0;
  for (Index i = 0; i < pattern.rows(); ++i) longest = std::max(longest, pattern.row(i).size());
  return static_cast<Index>(longest);
}

/// Which nonzeros are read by columns, the others by rows: those of a row whose turn comes before
/// their column's.
struct Turns {
  std::vector<Index> row, column;
};

/// Takes rows and columns away, the one with the fewest nonzeros left of either. Those of a row
/// will be read by columns, which then need at least as many colors, those of a column by rows.
/// What raises the sum of both least goes first.
Turns takeTurns(const BipartiteGraph& graph) {
  const Pattern& byRow = graph.byRow();
  const Pattern& byColumn = graph.byColumn();
  const auto queueOf = [](const Pattern& pattern) {
    BucketQueue queue(pattern.rows(), longestRow(pattern));
    for (Index v = 0; v < pattern.rows(); ++v)
      queue.insert(v, static_cast<Index>(pattern.row(v).size()));
    return queue;
  };
  BucketQueue rows = queueOf(byRow), columns = queueOf(byColumn);
  Turns turns{std::vector<Index>(static_cast<std::size_t>(byRow.rows()), 0),
              std::vector<Index>(static_cast<std::size_t>(byColumn.rows()), 0)};
  std::int64_t columnColors = 0, rowColors = 0;
  Index turn = 0;
  const auto take = [&](BucketQueue& from, BucketQueue& others, const Pattern& pattern, Index v) {
    from.remove(v);
    for (const Index w : pattern.row(v)) {
      if (others.contains(w)) others.change(w, others.key(w) - 1);
    }
    return turn++;
  };
  while (!rows.isEmpty() && !columns.isEmpty()) {
    const Index i = rows.least(), j = columns.least();
    const std::int64_t withRow = std::max<std::int64_t>(columnColors, rows.key(i));
    const std::int64_t withColumn = std::max<std::int64_t>(rowColors, columns.key(j));
    const std::int64_t more = withRow + rowColors - (columnColors + withColumn);
    // When neither raises anything, the shorter one goes: the longer may yet lose all its nonzeros.
    const bool isFree = withRow == columnColors && withColumn == rowColors;
    if (more < 0 || (more == 0 && !(isFree && columns.key(j) <= rows.key(i)))) {
      columnColors = withRow;
      turns.row[i] = take(rows, columns, byRow, i);
    } else {
      rowColors = withColumn;
      turns.column[j] = take(columns, rows, byColumn, j);
    }
  }
  // The others have no nonzeros left.
  for (; !rows.isEmpty(); rows.remove(rows.least())) turns.row[rows.least()] = turn;
  for (; !columns.isEmpty(); columns.remove(columns.least())) turns.column[columns.least()] = turn;
  return turns;
}

/// A column owns a row when their nonzero is read by columns: no other column of its color may have
/// a nonzero there. Rows own columns in the same way.
struct OwnsEarlier {
  static constexpr bool kAlways = false;
  const std::vector<Index>& vertexTurn;
  const std::vector<Index>& lineTurn;

  bool operator()(Index vertex, Index line) const { return lineTurn[line] < vertexTurn[vertex]; }
};

}  // namespace

Bicoloring colorRowsAndColumns(const BipartiteGraph& graph, std::span<const Index> rowOrder,
                               std::span<const Index> columnOrder) {
  const Pattern& byRow = graph.byRow();
  const Pattern& byColumn = graph.byColumn();
  checkOrder(rowOrder, byRow.rows());
  checkOrder(columnOrder, byColumn.rows());
  Bicoloring result;
  {
    const Turns turns = takeTurns(graph);
    result.columns =
        ByLines<OwnsEarlier, false>(byColumn, byRow, {turns.column, turns.row}).color(columnOrder);
    result.rows =
        ByLines<OwnsEarlier, false>(byRow, byColumn, {turns.row, turns.column}).color(rowOrder);
  }
  dropNeedlessColors(graph, result);

  // One kind of colors alone needs at least as many as the longest line has nonzeros.
  const auto none = [](const Pattern& pattern) {
    return Coloring{std::vector<Index>(static_cast<std::size_t>(pattern.rows()), kNoColor), 0};
  };
  if (longestRow(byRow) <= result.count()) {
    Coloring columns = colorColumns(graph, columnOrder);
    if (columns.count <= result.count()) result = {none(byRow), std::move(columns)};
  }
  if (longestRow(byColumn) < result.count()) {
    Coloring rows = colorRows(graph, rowOrder);
    if (rows.count < result.count()) result = {std::move(rows), none(byColumn)};
  }
  return result;
}

}  // namespace adjoint::coloring

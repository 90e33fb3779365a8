#include <algorithm>

#include "coloring/bucket_queue.h"
#include "coloring/by_lines.h"
#include "coloring/checks.h"

namespace adjoint::coloring {

namespace {

/// Which nonzeros are read by columns, the others by rows: those of a row whose turn comes before
/// their column's.
struct Turns {
  std::vector<std::int64_t> row, column;
};

/// Rows or columns that are not taken away yet, and what is known of them.
struct Left {
  const Pattern& pattern;
  BucketQueue queue;          ///< by their nonzeros left
  std::vector<Index> beside;  ///< how many of each one's nonzeros gone will have colors of theirs
  std::int64_t colors = 0;    ///< that the others need at least, for what was taken away here

  explicit Left(const Pattern& lines)
      : pattern(lines),
        queue(lines.rows(), lines.longestRow()),
        beside(static_cast<std::size_t>(lines.rows()), 0) {
    for (Index v = 0; v < lines.rows(); ++v)
      queue.insert(v, static_cast<Index>(lines.row(v).size()));
  }
  /// Colors that the others need when v goes: its nonzeros left differ from each other, and from
  /// those gone.
  std::int64_t colorsWith(Index v) const {
    const std::int64_t key = queue.key(v);
    return key == 0 ? colors : std::max(colors, key + std::min<std::int64_t>(beside[v], colors));
  }
  /// What has lost nonzeros will have a color, to read them by.
  void take(Index v, Left& others) {
    const bool hasColor = queue.key(v) < static_cast<Index>(pattern.row(v).size());
    colors = colorsWith(v);
    queue.remove(v);
    for (const Index w : pattern.row(v)) {
      if (!others.queue.contains(w)) continue;
      others.queue.change(w, others.queue.key(w) - 1);
      if (hasColor) ++others.beside[w];
    }
  }
};

/// Takes rows and columns away, the one with the fewest nonzeros left of either. Those of a row
/// will be read by columns, which then need at least as many colors, those of a column by rows.
/// What raises the sum of both least goes first.
Turns turnsByColors(const BipartiteGraph& graph) {
  Left rows(graph.byRow()), columns(graph.byColumn());
  Turns turns{std::vector<std::int64_t>(rows.beside.size(), 0),
              std::vector<std::int64_t>(columns.beside.size(), 0)};
  std::int64_t turn = 0;
  while (!rows.queue.isEmpty() && !columns.queue.isEmpty()) {
    const Index i = rows.queue.least(), j = columns.queue.least();
    const std::int64_t withRow = rows.colorsWith(i), withColumn = columns.colorsWith(j);
    const std::int64_t more = withRow - rows.colors - (withColumn - columns.colors);
    // When neither raises anything, the shorter one goes: the longer may yet lose all its nonzeros.
    const bool isFree = withRow == rows.colors && withColumn == columns.colors;
    const bool isShorter = columns.queue.key(j) <= rows.queue.key(i);
    if (more < 0 || (more == 0 && !(isFree && isShorter))) {
      rows.take(i, columns);
      turns.row[i] = turn++;
    } else {
      columns.take(j, rows);
      turns.column[j] = turn++;
    }
  }
  // The others have no nonzeros left.
  const auto end = [&](BucketQueue& queue, std::vector<std::int64_t>& turns) {
    for (; !queue.isEmpty(); queue.remove(queue.least())) turns[queue.least()] = turn;
  };
  end(rows.queue, turns.row);
  end(columns.queue, turns.column);
  return turns;
}

/// A nonzero is read by columns where its row is no longer than its column.
Turns turnsByLength(const BipartiteGraph& graph) {
  Turns turns;
  for (Index i = 0; i < graph.byRow().rows(); ++i)
    turns.row.push_back(2 * static_cast<std::int64_t>(graph.byRow().row(i).size()));
  for (Index j = 0; j < graph.byColumn().rows(); ++j)
    turns.column.push_back(2 * static_cast<std::int64_t>(graph.byColumn().row(j).size()) + 1);
  return turns;
}

/// A column owns a row when their nonzero is read by columns: no other column of its color may have
/// a nonzero there. Rows own columns in the same way.
struct OwnsEarlier {
  static constexpr bool kAlways = false;
  const std::vector<std::int64_t>& vertexTurn;
  const std::vector<std::int64_t>& lineTurn;

  bool operator()(Index vertex, Index line) const { return lineTurn[line] < vertexTurn[vertex]; }
};

Bicoloring colorInTurns(const BipartiteGraph& graph, const Turns& turns,
                        std::span<const Index> rowOrder, std::span<const Index> columnOrder) {
  const Pattern& byRow = graph.byRow();
  const Pattern& byColumn = graph.byColumn();
  Bicoloring result;
  result.columns =
      ByLines<OwnsEarlier, false>(byColumn, byRow, {turns.column, turns.row}).color(columnOrder);
  result.rows =
      ByLines<OwnsEarlier, false>(byRow, byColumn, {turns.row, turns.column}).color(rowOrder);
  dropNeedlessColors(graph, result);
  return result;
}

}  // namespace

Bicoloring colorRowsAndColumns(const BipartiteGraph& graph, std::span<const Index> rowOrder,
                               std::span<const Index> columnOrder) {
  const Pattern& byRow = graph.byRow();
  const Pattern& byColumn = graph.byColumn();
  checkOrder(rowOrder, byRow.rows());
  checkOrder(columnOrder, byColumn.rows());
  Bicoloring result = colorInTurns(graph, turnsByColors(graph), rowOrder, columnOrder);
  Bicoloring other = colorInTurns(graph, turnsByLength(graph), rowOrder, columnOrder);
  if (other.count() < result.count()) result = std::move(other);

  // One kind of colors alone needs at least as many as the longest line has nonzeros.
  const auto none = [](const Pattern& pattern) {
    return Coloring{std::vector<Index>(static_cast<std::size_t>(pattern.rows()), kNoColor), 0};
  };
  if (byRow.longestRow() <= result.count()) {
    Coloring columns = colorColumns(graph, columnOrder);
    if (columns.count <= result.count()) result = {none(byRow), std::move(columns)};
  }
  if (byColumn.longestRow() < result.count()) {
    Coloring rows = colorRows(graph, rowOrder);
    if (rows.count < result.count()) result = {std::move(rows), none(byColumn)};
  }
  return result;
}

}  // namespace adjoint::coloring

#include <algorithm>

#include "coloring/checks.h"
#include "coloring/reading.h"

namespace adjoint::coloring {

namespace {

/// Leaves the colors that are used, numbered anew.
void keep(const std::vector<bool>& isUsed, Coloring& coloring) {
  std::vector<Index> renamed(isUsed.size(), kNoColor);
  Index count = 0;
  for (std::size_t c = 0; c < isUsed.size(); ++c) {
    if (isUsed[c]) renamed[c] = count++;
  }
  for (Index& color : coloring.colors) {
    if (color != kNoColor) color = renamed[color];
  }
  coloring.count = count;
}

}  // namespace

void dropNeedlessColors(const AdjacencyGraph& graph, Coloring& coloring) {
  checkColors(coloring, graph.vertices());
  const Pattern& pattern = graph.pattern();
  const std::vector<Index>& colors = coloring.colors;
  std::vector<bool> isUsed(static_cast<std::size_t>(coloring.count), false);
  Index used = 0;
  const auto use = [&](Index color) {
    if (color == kNoColor || isUsed[color]) return;
    isUsed[color] = true;
    ++used;
  };
  if (graph.hasWholeDiagonal()) return;
  for (Index v = 0; v < graph.vertices(); ++v) {
    const std::span<const Index> row = pattern.row(v);
    if (std::binary_search(row.begin(), row.end(), v)) use(colors[v]);
  }
  if (used == coloring.count) return;

  // In a tree of two colors, an inner vertex has neighbors that are read in the columns of its
  // color. A leaf's edge is read in the leaf's row, and that of a tree of one edge in either.
  ColorsInRow counts(coloring);
  std::vector<bool> isOnly(static_cast<std::size_t>(pattern.nonzeros()));
  for (Index i = 0; i < graph.vertices(); ++i) {
    const std::span<const Index> row = pattern.row(i);
    counts.begin(row);
    for (std::size_t k = 0; k < row.size(); ++k) {
      if (row[k] == i) continue;
      isOnly[static_cast<std::size_t>(pattern.rowStart()[i]) + k] = counts.isOnly(row[k]);
      if (!counts.isOnly(row[k])) use(colors[i]);
    }
  }
  std::vector<Index> next(pattern.rowStart().begin(), pattern.rowStart().end() - 1);
  for (Index i = 0; i < graph.vertices() && used < coloring.count; ++i) {
    for (Index k = pattern.rowStart()[i]; k < pattern.rowStart()[i + 1]; ++k) {
      const Index j = pattern.columnIndex()[k], mirror = next[j]++;
      if (j >= i || !isOnly[k] || !isOnly[mirror]) continue;
      if (colors[i] == kNoColor || colors[j] == kNoColor) {
        use(std::max(colors[i], colors[j]));
      } else if (!isUsed[colors[i]] && !isUsed[colors[j]]) {
        use(std::min(colors[i], colors[j]));
      }
    }
  }
  keep(isUsed, coloring);
}

void dropNeedlessColors(const BipartiteGraph& graph, Bicoloring& bicoloring) {
  checkColors(bicoloring.rows, graph.byRow().rows());
  checkColors(bicoloring.columns, graph.byColumn().rows());
  const Pattern& byRow = graph.byRow();
  const Pattern& byColumn = graph.byColumn();
  std::vector<bool> isInRow(static_cast<std::size_t>(byRow.nonzeros()));
  ColorsInRow inRow(bicoloring.columns), inColumn(bicoloring.rows);
  for (Index i = 0; i < byRow.rows(); ++i) {
    inRow.begin(byRow.row(i));
    for (Index k = byRow.rowStart()[i]; k < byRow.rowStart()[i + 1]; ++k)
      isInRow[k] = inRow.isOnly(byRow.columnIndex()[k]);
  }
  std::vector<bool> rowIsUsed(static_cast<std::size_t>(bicoloring.rows.count), false);
  std::vector<bool> columnIsUsed(static_cast<std::size_t>(bicoloring.columns.count), false);
  // First what can be read in one way only, then what can be read in both.
  for (const bool isSecond : {false, true}) {
    std::vector<Index> next(byRow.rowStart().begin(), byRow.rowStart().end() - 1);
    for (Index j = 0; j < byColumn.rows(); ++j) {
      inColumn.begin(byColumn.row(j));
      for (const Index i : byColumn.row(j)) {
        const bool byColumns = isInRow[next[i]++], byRows = inColumn.isOnly(i);
        if (byColumns && byRows) {
          const bool isRead =
              rowIsUsed[bicoloring.rows.colors[i]] || columnIsUsed[bicoloring.columns.colors[j]];
          if (isSecond && !isRead) columnIsUsed[bicoloring.columns.colors[j]] = true;
        } else if (byColumns) {
          columnIsUsed[bicoloring.columns.colors[j]] = true;
        } else if (byRows) {
          rowIsUsed[bicoloring.rows.colors[i]] = true;
        }
      }
    }
  }
  keep(rowIsUsed, bicoloring.rows);
  keep(columnIsUsed, bicoloring.columns);
}

}  // namespace adjoint::coloring

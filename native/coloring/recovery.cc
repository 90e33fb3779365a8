#include "coloring/recovery.h"

#include <algorithm>
#include <limits>
#include <string>

#include "coloring/checks.h"
#include "coloring/reading.h"
#include "tape/big_vector.h"
#include "tape/error.h"

namespace adjoint::coloring {

namespace {

Index compressedSize(std::int64_t colors, std::int64_t length, std::int64_t others = 0) {
  constexpr std::int64_t kMost = std::numeric_limits<Index>::max();
  if (colors * length > kMost - others)
    throw Error(ErrorCode::Limit, "a compressed matrix of " + std::to_string(colors) + " x " +
                                      std::to_string(length) + " elements");
  return static_cast<Index>(colors * length + others);
}

[[noreturn]] void failAt(Index row, Index column) {
  throw Error(ErrorCode::Argument, "the colors do not determine the nonzero (" +
                                       std::to_string(row) + ", " + std::to_string(column) + ")");
}

/// For each nonzero of a pattern whether its column is the only one of its color in the row.
std::vector<bool> readableInRows(const Pattern& pattern, const Coloring& columns) {
  ColorsInRow inRow(columns);
  std::vector<bool> result(static_cast<std::size_t>(pattern.nonzeros()));
  for (Index i = 0; i < pattern.rows(); ++i) {
    inRow.begin(pattern.row(i));
    for (Index k = pattern.rowStart()[i]; k < pattern.rowStart()[i + 1]; ++k)
      result[k] = inRow.isOnly(pattern.columnIndex()[k]);
  }
  return result;
}

std::vector<Index> beginnings(const Pattern& pattern) {
  return {pattern.rowStart().begin(), pattern.rowStart().end() - 1};
}

void checkLengths(std::size_t compressed, Index wantedCompressed, std::size_t values,
                  std::size_t wantedValues) {
  if (compressed != static_cast<std::size_t>(wantedCompressed) || values != wantedValues)
    throw Error(ErrorCode::Shape, "a plan that recovers " + std::to_string(wantedValues) +
                                      " nonzeros from " + std::to_string(wantedCompressed) +
                                      " numbers got " + std::to_string(values) + " and " +
                                      std::to_string(compressed));
}

}  // namespace

DirectPlan columnPlan(const Pattern& pattern, const Coloring& columns) {
  checkColors(columns, pattern.columns());
  DirectPlan plan;
  plan.compressed = compressedSize(columns.count, pattern.rows());
  const std::vector<bool> isReadable = readableInRows(pattern, columns);
  plan.source.resize(static_cast<std::size_t>(pattern.nonzeros()));
  for (Index i = 0; i < pattern.rows(); ++i) {
    for (Index k = pattern.rowStart()[i]; k < pattern.rowStart()[i + 1]; ++k) {
      const Index j = pattern.columnIndex()[k];
      if (!isReadable[k]) failAt(i, j);
      plan.source[k] = columns.colors[j] * pattern.rows() + i;
    }
  }
  return plan;
}

DirectPlan rowPlan(const BipartiteGraph& graph, const Coloring& rows) {
  const auto columns = static_cast<std::size_t>(graph.byColumn().rows());
  return bicoloringPlan(graph, {rows, {std::vector<Index>(columns, kNoColor), 0}});
}

DirectPlan bicoloringPlan(const BipartiteGraph& graph, const Bicoloring& bicoloring) {
  const Pattern& byRow = graph.byRow();
  const Pattern& byColumn = graph.byColumn();
  const auto& [rows, columns] = bicoloring;
  checkColors(rows, byRow.rows());
  checkColors(columns, byColumn.rows());
  DirectPlan plan;
  const Index rowsBegin = compressedSize(columns.count, byRow.rows());
  plan.compressed = compressedSize(rows.count, byRow.columns(), rowsBegin);
  const std::vector<bool> isReadable = readableInRows(byRow, columns);
  plan.source.resize(static_cast<std::size_t>(byRow.nonzeros()));
  std::vector<Index> next = beginnings(byRow);
  ColorsInRow inColumn(rows);
  for (Index j = 0; j < byColumn.rows(); ++j) {
    inColumn.begin(byColumn.row(j));
    for (const Index i : byColumn.row(j)) {
      const Index k = next[i]++;
      if (isReadable[k]) {
        plan.source[k] = columns.colors[j] * byRow.rows() + i;
      } else if (inColumn.isOnly(i)) {
        plan.source[k] = rowsBegin + rows.colors[i] * byRow.columns() + j;
      } else {
        failAt(i, j);
      }
    }
  }
  return plan;
}

DirectPlan starPlan(const AdjacencyGraph& graph, const Coloring& coloring) {
  const Pattern& pattern = graph.pattern();
  const Index n = graph.vertices();
  checkColors(coloring, n);
  DirectPlan plan;
  plan.compressed = compressedSize(coloring.count, n);
  const std::vector<bool> isReadable = readableInRows(pattern, coloring);
  plan.source.resize(static_cast<std::size_t>(pattern.nonzeros()));
  std::vector<Index> next = beginnings(pattern);
  for (Index i = 0; i < n; ++i) {
    for (Index k = pattern.rowStart()[i]; k < pattern.rowStart()[i + 1]; ++k) {
      const Index j = pattern.columnIndex()[k], mirror = next[j]++;
      if (j > i) continue;
      if (isReadable[k]) {
        plan.source[k] = coloring.colors[j] * n + i;
      } else if (isReadable[mirror]) {
        plan.source[k] = coloring.colors[i] * n + j;
      } else {
        failAt(i, j);
      }
      plan.source[mirror] = plan.source[k];
    }
  }
  return plan;
}

namespace {

/// The trees of two colors, as the sums that the compressed matrix has: a row and a color, with the
/// nonzeros of the row in the columns of the color. A sum with one nonzero left determines it.
class Sums {
 public:
  Sums(const AdjacencyGraph& graph, const Coloring& coloring)
      : pattern_(graph.pattern()),
        colors_(coloring.colors),
        sumOf_(static_cast<std::size_t>(pattern_.nonzeros())),
        mirror_(sumOf_.size()),
        next_(sumOf_.size()) {
    std::vector<Index> latest(static_cast<std::size_t>(coloring.count), -1);
    std::vector<Index> begin = beginnings(pattern_);
    for (Index i = 0; i < pattern_.rows(); ++i) {
      const auto firstOfRow = static_cast<Index>(sums_.size());
      for (Index k = pattern_.rowStart()[i]; k < pattern_.rowStart()[i + 1]; ++k) {
        const Index j = pattern_.columnIndex()[k];
        mirror_[begin[j]++] = k;
        sumOf_[k] = kNone;
        if (colors_[j] == kNoColor) continue;
        Index& sum = latest[colors_[j]];
        if (sum < firstOfRow) {
          sum = static_cast<Index>(sums_.size());
          sums_.push_back({colors_[j] * pattern_.rows() + i, 0, 0, kNone});
        }
        sumOf_[k] = sum;
        ++sums_[sum].left;
        sums_[sum].key ^= k;
      }
    }
  }

  SubstitutionPlan solve() {
    SubstitutionPlan plan;
    plan.nonzeros = pattern_.nonzeros();
    plan.termStart.push_back(0);
    for (std::size_t s = 0; s < sums_.size(); ++s) {
      if (sums_[s].left == 1) ready_.push_back(static_cast<Index>(s));
    }
    for (std::size_t at = 0; at < ready_.size(); ++at) {
      const Sum& sum = sums_[ready_[at]];
      if (sum.left != 1) continue;  // Its last one was determined elsewhere.
      const Index k = sum.key;
      plan.target.push_back(k);
      plan.mirror.push_back(mirror_[k]);
      plan.source.push_back(sum.source);
      for (Index t = sum.known; t != kNone; t = next_[t]) plan.term.push_back(t);
      plan.termStart.push_back(static_cast<Index>(plan.term.size()));
      know(k);
      if (mirror_[k] != k) know(mirror_[k]);
    }
    return plan;
  }

 private:
  static constexpr Index kNone = -1;
  struct Sum {
    Index source;
    Index left;   ///< nonzeros not known yet
    Index key;    ///< all of those, with exclusive or
    Index known;  ///< the last one that became known, before it next_
  };

  void know(Index k) {
    if (sumOf_[k] == kNone) return;
    Sum& sum = sums_[sumOf_[k]];
    sum.key ^= k;
    next_[k] = sum.known;
    sum.known = k;
    if (--sum.left == 1) ready_.push_back(sumOf_[k]);
  }

  const Pattern& pattern_;
  const std::vector<Index>& colors_;
  BigVector<Sum> sums_;
  BigVector<Index> sumOf_, mirror_, next_;  ///< by nonzero
  std::vector<Index> ready_;
};

}  // namespace

SubstitutionPlan substitutionPlan(const AdjacencyGraph& graph, const Coloring& coloring) {
  checkColors(coloring, graph.vertices());
  const Index compressed = compressedSize(coloring.count, graph.vertices());
  SubstitutionPlan plan = Sums(graph, coloring).solve();
  plan.compressed = compressed;
  std::vector<bool> isKnown(static_cast<std::size_t>(plan.nonzeros), false);
  for (const Index k : plan.target) isKnown[k] = true;
  for (const Index k : plan.mirror) isKnown[k] = true;
  for (Index i = 0; i < graph.vertices(); ++i) {
    for (Index k = graph.pattern().rowStart()[i]; k < graph.pattern().rowStart()[i + 1]; ++k) {
      if (!isKnown[k]) failAt(i, graph.pattern().columnIndex()[k]);
    }
  }
  return plan;
}

void recover(const DirectPlan& plan, std::span<const double> compressed, std::span<double> values) {
  checkLengths(compressed.size(), plan.compressed, values.size(), plan.source.size());
  for (std::size_t k = 0; k < values.size(); ++k) values[k] = compressed[plan.source[k]];
}

void recover(const SubstitutionPlan& plan, std::span<const double> compressed,
             std::span<double> values) {
  checkLengths(compressed.size(), plan.compressed, values.size(),
               static_cast<std::size_t>(plan.nonzeros));
  for (std::size_t s = 0; s < plan.target.size(); ++s) {
    double value = compressed[plan.source[s]];
    for (Index t = plan.termStart[s]; t < plan.termStart[s + 1]; ++t) value -= values[plan.term[t]];
    values[plan.target[s]] = value;
    values[plan.mirror[s]] = value;
  }
}

}  // namespace adjoint::coloring

// Patterns that are not to be believed, orders and colorings against their definitions, and
// recovery of random matrices to the bit.
#include "coloring/coloring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <random>

#include "coloring/methods.h"
#include "coloring/ordering.h"
#include "coloring/recovery.h"
#include "tape/error.h"
#include "test/support/coloring_checks.h"
#include "test/support/patterns.h"

namespace adjoint::testing {
namespace {

using namespace coloring;

constexpr Order kOrders[] = {
    Order::Natural,         Order::LargestFirst,        Order::SmallestLast,
    Order::IncidenceDegree, Order::DynamicLargestFirst, Order::Random};

std::optional<ErrorCode> codeOf(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.code();
  }
  return std::nullopt;
}

Pattern dense(Index rows, Index columns) {
  std::vector<Index> i, j;
  for (Index a = 0; a < rows; ++a) {
    for (Index b = 0; b < columns; ++b) {
      i.push_back(a);
      j.push_back(b);
    }
  }
  return Pattern::fromEntries(rows, columns, i, j);
}

TEST(ColoringPattern, GraphsHaveTheTranspose) {
  std::mt19937 random(3);
  for (int trial = 0; trial < 300; ++trial) {
    const Index rows = static_cast<Index>(random() % 12),
                columns = static_cast<Index>(random() % 12);
    const bool isSymmetric = trial % 2 == 0;
    std::vector<Index> i, j;
    const std::size_t count = rows * columns == 0 ? 0 : random() % 40;
    for (std::size_t k = 0; k < count; ++k) {
      i.push_back(static_cast<Index>(random() % static_cast<unsigned>(rows)));
      j.push_back(static_cast<Index>(random() % static_cast<unsigned>(columns)));
      if (isSymmetric && i.back() < columns && j.back() < rows) {
        const Index row = i.back();
        i.push_back(j.back());
        j.push_back(row);
      }
    }
    const BipartiteGraph graph(Pattern::fromEntries(rows, columns, i, j));
    const Pattern expected = Pattern::fromEntries(columns, rows, j, i);
    EXPECT_EQ(graph.byColumn().rows(), columns);
    EXPECT_EQ(graph.byColumn().columns(), rows);
    EXPECT_EQ(graph.byColumn().rowStart(), expected.rowStart());
    EXPECT_EQ(graph.byColumn().columnIndex(), expected.columnIndex());
  }
}

TEST(ColoringPattern, IsNotBelieved) {
  using Indices = std::vector<Index>;
  const auto make = [](std::int64_t rows, std::int64_t columns, Indices start, Indices column) {
    return codeOf([&] { Pattern(rows, columns, start, column); });
  };
  EXPECT_EQ(make(2, 3, {0, 2, 3}, {0, 2, 1}), std::nullopt);
  EXPECT_EQ(make(0, 3, {0}, {}), std::nullopt);
  EXPECT_EQ(make(3, 0, {0, 0, 0, 0}, {}), std::nullopt);
  EXPECT_EQ(make(-1, 3, {}, {}), ErrorCode::Shape);
  EXPECT_EQ(make(2, -3, {0, 0, 0}, {}), ErrorCode::Shape);
  EXPECT_EQ(make(std::int64_t{1} << 40, 3, {0}, {}), ErrorCode::Limit);
  EXPECT_EQ(make(1, std::int64_t{1} << 31, {0, 0}, {}), ErrorCode::Limit);
  EXPECT_EQ(make(2, 3, {0, 2}, {0, 2}), ErrorCode::Shape);
  EXPECT_EQ(make(2, 3, {0, 2, 4}, {0, 2, 1}), ErrorCode::Shape);
  EXPECT_EQ(make(2, 3, {1, 2, 3}, {0, 2, 1}), ErrorCode::Shape);
  EXPECT_EQ(make(2, 3, {0, 5, 3}, {0, 2, 1}), ErrorCode::Shape);
  EXPECT_EQ(make(2, 3, {0, -5, 3}, {0, 2, 1}), ErrorCode::Shape);
  EXPECT_EQ(make(2, 3, {0, 2, 3}, {2, 0, 1}), ErrorCode::Argument);
  EXPECT_EQ(make(2, 3, {0, 2, 3}, {1, 1, 1}), ErrorCode::Argument);
  EXPECT_EQ(make(2, 3, {0, 2, 3}, {0, 3, 1}), ErrorCode::Index);
  EXPECT_EQ(make(2, 3, {0, 2, 3}, {0, 1, -1}), ErrorCode::Index);

  const auto entries = [](std::int64_t rows, std::int64_t columns, Indices i, Indices j) {
    return codeOf([&] { Pattern::fromEntries(rows, columns, i, j); });
  };
  EXPECT_EQ(entries(2, 2, {0, 1, 0}, {1, 1, 1}), std::nullopt);
  EXPECT_EQ(entries(2, 2, {0, 1}, {1}), ErrorCode::Shape);
  EXPECT_EQ(entries(2, 2, {2}, {1}), ErrorCode::Index);
  EXPECT_EQ(entries(2, 2, {0}, {-1}), ErrorCode::Index);
  EXPECT_EQ(entries(std::int64_t{1} << 40, 2, {0}, {0}), ErrorCode::Limit);
  const Pattern merged = Pattern::fromEntries(2, 3, Indices{1, 0, 1, 1}, Indices{2, 1, 0, 2});
  EXPECT_EQ(merged.rowStart(), (Indices{0, 1, 3}));
  EXPECT_EQ(merged.columnIndex(), (Indices{1, 0, 2}));
  EXPECT_EQ(merged.transposed().transposed().columnIndex(), merged.columnIndex());
  EXPECT_EQ(merged.transposed().rowStart(), (Indices{0, 1, 2, 3}));
}

TEST(ColoringPattern, SymmetryIsChecked) {
  const auto symmetric = [](const Pattern& pattern) {
    return codeOf([&] { AdjacencyGraph{pattern}; });
  };
  EXPECT_EQ(symmetric(Pattern()), std::nullopt);
  EXPECT_EQ(symmetric(dense(2, 3)), ErrorCode::Shape);
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const auto n = static_cast<Index>(1 + seed % 7);
    const Pattern pattern = randomPattern(n, n, 0.3 * static_cast<double>(seed % 10), seed);
    const bool isSymmetric = pattern.columnIndex() == pattern.transposed().columnIndex() &&
                             pattern.rowStart() == pattern.transposed().rowStart();
    EXPECT_EQ(symmetric(pattern) == std::nullopt, isSymmetric);
    EXPECT_EQ(symmetric(symmetrized(pattern, seed % 2 == 0)), std::nullopt);
  }
}

TEST(ColoringOrder, OrdersArePermutations) {
  const Pattern pattern = symmetrized(randomPattern(300, 300, 3, 1), false);
  const AdjacencyGraph graph(pattern);
  const BipartiteGraph bipartite(randomPattern(200, 300, 3, 1));
  for (const Order order : kOrders) {
    for (const auto& list :
         {distanceOneOrdering(graph, order, 7), distanceTwoOrdering(graph, order, 7),
          columnOrdering(bipartite, order, 7), rowOrdering(bipartite, order, 7)}) {
      std::vector<Index> sorted = list;
      std::sort(sorted.begin(), sorted.end());
      for (std::size_t v = 0; v < sorted.size(); ++v) EXPECT_EQ(sorted[v], static_cast<Index>(v));
    }
    EXPECT_EQ(columnOrdering(bipartite, order, 7), columnOrdering(bipartite, order, 7));
  }
  EXPECT_NE(columnOrdering(bipartite, Order::Random, 7),
            columnOrdering(bipartite, Order::Random, 8));
  const std::vector<Index> few = {0, 1}, twice(300, 0);
  EXPECT_EQ(codeOf([&] { colorStar(graph, few); }), ErrorCode::Argument);
  EXPECT_EQ(codeOf([&] { colorAcyclic(graph, twice); }), ErrorCode::Argument);
}

/// Degrees of the definition: the rule of each order holds at each of its steps.
TEST(ColoringOrder, FollowTheirRules) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Index n = 30;
    const Pattern pattern = symmetrized(randomPattern(n, n, 2, seed), seed % 2 == 0);
    const AdjacencyGraph graph(pattern);
    std::vector<std::vector<bool>> one(n, std::vector<bool>(n)), two = one;
    for (Index i = 0; i < n; ++i) {
      for (const Index j : pattern.row(i)) {
        one[i][j] = i != j;
        if (i != j) two[i][j] = true;
        for (const Index k : pattern.row(j)) two[i][k] = two[i][k] || i != k;
      }
    }
    for (const bool isTwo : {false, true}) {
      const auto& near = isTwo ? two : one;
      const auto ordering = [isTwo](const AdjacencyGraph& of, Order order) {
        return isTwo ? distanceTwoOrdering(of, order) : distanceOneOrdering(of, order);
      };
      const auto count = [&](const std::vector<Index>& order, Index v, std::size_t from,
                             std::size_t to) {
        return std::count_if(order.begin() + static_cast<std::ptrdiff_t>(from),
                             order.begin() + static_cast<std::ptrdiff_t>(to),
                             [&](Index w) { return near[v][w]; });
      };
      const auto largest = ordering(graph, Order::LargestFirst);
      const auto smallest = ordering(graph, Order::SmallestLast);
      const auto incidence = ordering(graph, Order::IncidenceDegree);
      const auto dynamic = ordering(graph, Order::DynamicLargestFirst);
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t k = i + 1; k < n; ++k) {
          EXPECT_GE(count(largest, largest[i], 0, n), count(largest, largest[k], 0, n));
          EXPECT_GE(count(smallest, smallest[i], 0, k + 1), count(smallest, smallest[k], 0, k + 1));
          EXPECT_GE(count(incidence, incidence[i], 0, i), count(incidence, incidence[k], 0, i));
          EXPECT_GE(count(dynamic, dynamic[i], i, n), count(dynamic, dynamic[k], i, n));
        }
      }
    }
  }
}

// --- recovery
// -------------------------------------------------------------------------------------

/// Integers for the nonzeros, equal for mirrored ones when symmetric.
std::vector<double> numbersFor(const Pattern& pattern, bool isSymmetric) {
  std::vector<double> values;
  for (Index i = 0; i < pattern.rows(); ++i) {
    for (const Index j : pattern.row(i)) {
      const std::int64_t a = isSymmetric ? std::min(i, j) : i, b = isSymmetric ? std::max(i, j) : j;
      values.push_back(static_cast<double>((a * 7919 + b * 104729) % 2001 - 1000));
    }
  }
  return values;
}

/// A S, color by color.
std::vector<double> compress(const Pattern& pattern, const std::vector<double>& values,
                             const Coloring& columns) {
  std::vector<double> result(static_cast<std::size_t>(columns.count) *
                             static_cast<std::size_t>(pattern.rows()));
  for (Index i = 0; i < pattern.rows(); ++i) {
    for (Index k = pattern.rowStart()[i]; k < pattern.rowStart()[i + 1]; ++k) {
      const Index color = columns.colors[pattern.columnIndex()[k]];
      if (color != kNoColor) result[color * pattern.rows() + i] += values[k];
    }
  }
  return result;
}

/// S^T A, color by color.
std::vector<double> compressRows(const Pattern& pattern, const std::vector<double>& values,
                                 const Coloring& rows) {
  std::vector<double> result(static_cast<std::size_t>(rows.count) *
                             static_cast<std::size_t>(pattern.columns()));
  for (Index i = 0; i < pattern.rows(); ++i) {
    if (rows.colors[i] == kNoColor) continue;
    for (Index k = pattern.rowStart()[i]; k < pattern.rowStart()[i + 1]; ++k)
      result[rows.colors[i] * pattern.columns() + pattern.columnIndex()[k]] += values[k];
  }
  return result;
}

template <class Plan>
void expectRecovered(const Plan& plan, const std::vector<double>& compressed,
                     const std::vector<double>& values) {
  std::vector<double> recovered(values.size(), -1e9);
  recover(plan, compressed, recovered);
  EXPECT_EQ(recovered, values);
}

void checkSymmetric(const Pattern& pattern, Order order, std::uint64_t seed) {
  const AdjacencyGraph graph(pattern);
  const std::vector<double> values = numbersFor(pattern, true);
  const auto one = distanceOneOrdering(graph, order, seed);
  const Coloring two = colorDistanceTwo(graph, distanceTwoOrdering(graph, order, seed));
  ASSERT_EQ(wrongAtDistanceTwo(pattern, two), "");
  expectRecovered(columnPlan(pattern, two), compress(pattern, values, two), values);
  const Coloring star = colorStar(graph, one);
  ASSERT_EQ(wrongInStar(pattern, star), "");
  expectRecovered(starPlan(graph, star), compress(pattern, values, star), values);
  expectRecovered(substitutionPlan(graph, star), compress(pattern, values, star), values);
  const Coloring acyclic = colorAcyclic(graph, one);
  ASSERT_EQ(wrongInAcyclic(pattern, acyclic), "");
  expectRecovered(substitutionPlan(graph, acyclic), compress(pattern, values, acyclic), values);
  const Coloring again = recolorDistanceTwo(graph, two, 2);
  ASSERT_EQ(wrongAtDistanceTwo(pattern, again), "");
  EXPECT_LE(again.count, two.count);
}

void checkRectangular(const Pattern& pattern, Order order, std::uint64_t seed) {
  const BipartiteGraph graph(pattern);
  const std::vector<double> values = numbersFor(pattern, false);
  const auto rowOrder = rowOrdering(graph, order, seed);
  const auto columnOrder = columnOrdering(graph, order, seed);
  const Coloring columns = colorColumns(graph, columnOrder);
  ASSERT_EQ(wrongInColumns(pattern, columns), "");
  expectRecovered(columnPlan(pattern, columns), compress(pattern, values, columns), values);
  const Coloring rows = colorRows(graph, rowOrder);
  ASSERT_EQ(wrongInColumns(pattern.transposed(), rows), "");
  expectRecovered(rowPlan(graph, rows), compressRows(pattern, values, rows), values);
  const Bicoloring both = colorRowsAndColumns(graph, rowOrder, columnOrder);
  ASSERT_EQ(wrongInBicoloring(pattern, both), "");
  EXPECT_LE(both.count(), std::min(rows.count, columns.count));
  std::vector<double> compressed = compress(pattern, values, both.columns);
  const std::vector<double> rest = compressRows(pattern, values, both.rows);
  compressed.insert(compressed.end(), rest.begin(), rest.end());
  expectRecovered(bicoloringPlan(graph, both), compressed, values);
  const Coloring again = recolorColumns(graph, columns, 2);
  ASSERT_EQ(wrongInColumns(pattern, again), "");
  EXPECT_LE(again.count, columns.count);
  EXPECT_LE(recolorRows(graph, rows, 2).count, rows.count);
}

TEST(ColoringRecovery, OfSmallPatterns) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    std::mt19937_64 engine(seed);
    const auto below = [&](Index n) {
      return static_cast<Index>(engine() % static_cast<std::uint64_t>(n));
    };
    const Order order = kOrders[seed % 6];
    const Index n = below(14), m = below(14);
    const double perRow = 0.5 * below(10);
    SCOPED_TRACE(seed);
    checkSymmetric(symmetrized(randomPattern(n, n, perRow, seed), seed % 3 == 0), order, seed);
    // Some nonzeros on the diagonal: random ones are as they come.
    const Pattern some = randomPattern(n, n, perRow, seed);
    std::vector<Index> i, j;
    for (Index r = 0; r < n; ++r) {
      for (const Index c : some.row(r)) {
        i.insert(i.end(), {r, c});
        j.insert(j.end(), {c, r});
      }
    }
    checkSymmetric(Pattern::fromEntries(n, n, i, j), order, seed);
    checkRectangular(randomPattern(n, m, perRow, seed), order, seed);
    if (HasFatalFailure()) return;
  }
}

TEST(ColoringRecovery, OfLargerAndDenseOnes) {
  for (const Order order : kOrders) {
    // More than 64 colors, and more than 128.
    for (const Index n : {1, 2, 64, 65, 80, 150}) {
      checkSymmetric(dense(n, n), order, 1);
      checkRectangular(dense(n, n), order, 1);
      checkRectangular(dense(n, 3), order, 1);
    }
    checkSymmetric(symmetrized(randomPattern(120, 120, 60, 3), false), order, 3);
    checkSymmetric(symmetrized(randomPattern(400, 400, 20, 3), true), order, 3);
    checkRectangular(randomPattern(400, 300, 20, 4), order, 4);
    checkRectangular(randomPattern(30, 3000, 200, 5), order, 5);
    checkSymmetric(starPattern(300, 150, false), order, 1);
    checkSymmetric(starPattern(300, 300, true), order, 1);
    checkSymmetric(gridPattern(7, 8, 9), order, 1);
    checkRectangular(arrowPattern(100), order, 1);
    checkRectangular(brusselatorPattern(7), order, 1);
    if (HasFatalFailure()) return;
  }
}

TEST(ColoringRecovery, RefusesWhatDoesNotDetermineIt) {
  const Pattern pattern = bandPattern(6, 1);
  const AdjacencyGraph graph(pattern);
  const BipartiteGraph bipartite(pattern);
  const Coloring one{{0, 0, 0, 0, 0, 0}, 1}, few{{0, 1, 2}, 3}, bad{{0, 1, 2, 0, 1, 7}, 3};
  const Coloring huge{{0, 1, 2, 0, 1, 2}, 2147483647};
  for (const auto& [coloring, code] : {std::pair{one, ErrorCode::Argument},
                                       {few, ErrorCode::Shape},
                                       {bad, ErrorCode::Argument},
                                       {huge, ErrorCode::Limit}}) {
    EXPECT_EQ(codeOf([&] { columnPlan(pattern, coloring); }), code);
    EXPECT_EQ(codeOf([&] { rowPlan(bipartite, coloring); }), code);
    EXPECT_EQ(codeOf([&] { starPlan(graph, coloring); }), code);
    EXPECT_EQ(codeOf([&] { substitutionPlan(graph, coloring); }), code);
  }
  // A cycle of two colors.
  const Index next[] = {1, 2, 3, 0, 0, 1, 2, 3}, at[] = {0, 1, 2, 3, 1, 2, 3, 0};
  const AdjacencyGraph cycle(Pattern::fromEntries(4, 4, at, next));
  EXPECT_EQ(codeOf([&] { substitutionPlan(cycle, {{0, 1, 0, 1}, 2}); }), ErrorCode::Argument);
  EXPECT_EQ(codeOf([&] { substitutionPlan(cycle, {{0, 1, 2, 1}, 3}); }), std::nullopt);

  const DirectPlan plan = columnPlan(pattern, {{0, 1, 2, 0, 1, 2}, 3});
  std::vector<double> compressed(18), values(static_cast<std::size_t>(pattern.nonzeros()));
  EXPECT_EQ(codeOf([&] { recover(plan, compressed, values); }), std::nullopt);
  compressed.pop_back();
  EXPECT_EQ(codeOf([&] { recover(plan, compressed, values); }), ErrorCode::Shape);
}

/// Star and acyclic colorings are the greedy ones: each vertex has the least color that the
/// definition allows.
void expectLeastColors(const Pattern& pattern, std::uint64_t seed, std::size_t checked) {
  const AdjacencyGraph graph(pattern);
  const Index n = graph.vertices();
  const auto order = distanceOneOrdering(graph, Order::Random, seed);
  for (const bool isStar : {true, false}) {
    const Coloring coloring = isStar ? colorStar(graph, order) : colorAcyclic(graph, order);
    Coloring partial{std::vector<Index>(order.size(), kNoColor), n};
    std::vector<Index> rows, columns;
    for (std::size_t step = 0; step < order.size(); ++step) {
      const Index v = order[step];
      partial.colors[v] = 0;
      for (const Index w : pattern.row(v)) {
        if (partial.colors[w] == kNoColor) continue;
        rows.insert(rows.end(), {v, w});
        columns.insert(columns.end(), {w, v});
      }
      partial.colors[v] = coloring.colors[v];
      if (step + checked < order.size()) continue;
      const Pattern sub = Pattern::fromEntries(n, n, rows, columns);
      for (Index color = 0; color <= coloring.colors[v]; ++color) {
        partial.colors[v] = color;
        const std::string wrong = isStar ? wrongInStar(sub, partial) : wrongInAcyclic(sub, partial);
        ASSERT_EQ(wrong.empty() || wrong == "a color of no vertex", color == coloring.colors[v])
            << wrong << ", seed " << seed;
      }
    }
  }
}

TEST(Coloring, TakesTheLeastColor) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Index n = 12;
    expectLeastColors(symmetrized(randomPattern(n, n, static_cast<double>(seed % 5), seed), true),
                      seed, 12);
  }
  // Of more than 64 colors: a clique among others.
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    std::vector<Index> rows, columns;
    const Pattern clique = dense(66, 66), others = randomPattern(100, 100, 3, seed);
    for (const Pattern* part : {&clique, &others}) {
      for (Index i = 0; i < part->rows(); ++i) {
        for (const Index j : part->row(i)) {
          rows.push_back(i);
          columns.push_back(j);
        }
      }
    }
    expectLeastColors(symmetrized(Pattern::fromEntries(100, 100, rows, columns), true), seed, 6);
  }
}

/// Five points see each other, so five colors are the fewest.
TEST(Coloring, SmallestLastTakesFiveColorsOnGrids) {
  for (Index nx = 9; nx < 40; nx += 3) {
    for (Index ny = 9; ny < 40; ++ny) {
      const Pattern grid = gridPattern(nx, ny);
      const auto countOf = [&](Method method) {
        const Choice choice{method, Order::SmallestLast};
        if (isSymmetric(method)) return color(AdjacencyGraph(grid), choice).count;
        return color(BipartiteGraph(grid), choice).count();
      };
      for (const Method method : {Method::DistanceTwo, Method::Columns, Method::Rows})
        EXPECT_EQ(countOf(method), 5) << nx << " x " << ny;
    }
  }
}

TEST(Coloring, RecoloringTakesNoMoreColors) {
  int fewer = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const BipartiteGraph graph(randomPattern(60, 50, 4, seed));
    Choice choice{Method::Columns, Order::Random, seed};
    const Bicoloring once = color(graph, choice);
    choice.passes = 20;
    const Bicoloring again = color(graph, choice);
    EXPECT_LE(again.count(), once.count());
    fewer += again.count() < once.count();
  }
  EXPECT_GT(fewer, 10);
}

}  // namespace
}  // namespace adjoint::testing

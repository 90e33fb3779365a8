// How many colors: of shapes where that is known, and against those that others need.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "coloring/coloring.h"
#include "coloring/methods.h"
#include "coloring/ordering.h"
#include "tape/error.h"
#include "test/support/patterns.h"

namespace adjoint::testing {
namespace {

using namespace coloring;

constexpr Order kOrders[] = {
    Order::Natural,         Order::LargestFirst,        Order::SmallestLast,
    Order::IncidenceDegree, Order::DynamicLargestFirst, Order::Random};

Index colors(const Pattern& pattern, Method method, Order order) {
  const Choice choice{.method = method, .order = order};
  if (isSymmetric(method)) return color(AdjacencyGraph(pattern), choice).count;
  return color(BipartiteGraph(pattern), choice).count();
}
Index columnColors(const Pattern& pattern, Order order) {
  return colors(pattern, Method::Columns, order);
}
Index rowAndColumnColors(const Pattern& pattern, Order order) {
  return colors(pattern, Method::RowsAndColumns, order);
}
Index distanceTwoColors(const Pattern& pattern, Order order) {
  return colors(pattern, Method::DistanceTwo, order);
}
Index starColors(const Pattern& pattern, Order order) {
  return colors(pattern, Method::Star, order);
}
Index acyclicColors(const Pattern& pattern, Order order) {
  return colors(pattern, Method::Acyclic, order);
}

TEST(ColoringCounts, OfKnownShapes) {
  const Pattern lin = gridPattern(80, 80, 40);
  EXPECT_EQ(distanceTwoColors(lin, Order::Natural), 12);
  EXPECT_EQ(starColors(lin, Order::Natural), 11);
  EXPECT_EQ(acyclicColors(lin, Order::Natural), 7);
  EXPECT_EQ(distanceTwoColors(gridPattern(300, 300), Order::SmallestLast), 5);
  EXPECT_EQ(distanceTwoColors(gridPattern(64, 33), Order::SmallestLast), 5);
  for (const Index half : {0, 1, 2, 5, 40}) {
    for (const Order order : {Order::Natural, Order::LargestFirst, Order::SmallestLast})
      EXPECT_EQ(columnColors(bandPattern(500, half), order), 2 * half + 1);
  }
  for (const Order order : kOrders) {
    EXPECT_EQ(rowAndColumnColors(arrowPattern(500), order), 3);
    EXPECT_EQ(starColors(arrowPattern(500), order), 2);
    EXPECT_EQ(acyclicColors(arrowPattern(500), order), 2);
    EXPECT_LE(columnColors(brusselatorPattern(32), order), 14);
  }
  EXPECT_EQ(starColors(bandPattern(500, 1), Order::Natural), 3);
  EXPECT_EQ(acyclicColors(bandPattern(500, 1), Order::Natural), 2);
  for (const Index n : {32, 40, 51, 200})
    EXPECT_LE(columnColors(brusselatorPattern(n), Order::Natural), 12);
}

/// Dense first rows and columns, and blocks along the diagonal.
Pattern blockArrowPattern(Index dense, Index blocks, Index size) {
  std::vector<Index> rows, columns;
  const Index n = dense + blocks * size;
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      const bool isBlock = i >= dense && j >= dense && (i - dense) / size == (j - dense) / size;
      if (i >= dense && j >= dense && !isBlock) continue;
      rows.push_back(i);
      columns.push_back(j);
    }
  }
  return Pattern::fromEntries(n, n, rows, columns);
}

TEST(ColoringCounts, OfBlockArrows) {
  for (const Index dense : {1, 2, 5}) {
    for (const Index size : {1, 3, 6}) {
      const Pattern pattern = blockArrowPattern(dense, 20, size);
      for (const Order order : kOrders)
        EXPECT_EQ(rowAndColumnColors(pattern, order), 2 * dense + size);
    }
  }
}

/// Long rows that are read by rows although their columns are shorter.
TEST(ColoringCounts, OfDenseRowsBesideShortColumns) {
  std::vector<Index> rows, columns;
  for (Index i = 0; i < 400; ++i) {
    for (const Index j : {i % 20, (i + 1) % 20}) {
      rows.push_back(i);
      columns.push_back(j);
    }
  }
  for (Index j = 0; j < 20; ++j) {
    rows.push_back(400);
    columns.push_back(j);
  }
  const Pattern pattern = Pattern::fromEntries(401, 20, rows, columns);
  for (const Order order : kOrders) EXPECT_LE(rowAndColumnColors(pattern, order), 4);
}

TEST(ColoringCounts, SmallestLastFindsTheFiveColorsOfGrids) {
  for (const Index rows : {3, 4, 7, 20, 37}) {
    for (const Index columns : {3, 6, 9, 33, 51, 200}) {
      const Pattern grid = gridPattern(rows, columns);
      EXPECT_EQ(distanceTwoColors(grid, Order::SmallestLast), 5) << rows << " x " << columns;
      EXPECT_EQ(columnColors(grid, Order::SmallestLast), 5) << rows << " x " << columns;
    }
  }
}

TEST(ColoringCounts, NeedlessColorsAreDropped) {
  // Nothing but the hub's column is needed: the leaves are read in it.
  for (const Order order : kOrders) {
    EXPECT_EQ(starColors(starPattern(50, 25, false), order), 1);
    EXPECT_EQ(acyclicColors(starPattern(50, 25, false), order), 1);
  }
  EXPECT_EQ(starColors(Pattern(3, 3, {0, 0, 0, 0}, {}), Order::Natural), 0);
  EXPECT_EQ(columnColors(Pattern(3, 3, {0, 0, 0, 0}, {}), Order::Natural), 0);
  // A matching: of each pair, one.
  EXPECT_EQ(starColors(Pattern(4, 4, {0, 1, 2, 3, 4}, {1, 0, 3, 2}), Order::Natural), 1);
}

/// What ColPack 1.0.10 needs on one thread, in natural, largest first, smallest last and incidence
/// degree order.
struct Known {
  Pattern pattern;
  Index distanceTwo[4], star[4], acyclic[4];
};

void expectNoMoreThan(const Known& known) {
  for (std::size_t k = 0; k < 4; ++k) {
    SCOPED_TRACE(k);
    EXPECT_LE(distanceTwoColors(known.pattern, kOrders[k]), known.distanceTwo[k]);
    EXPECT_LE(starColors(known.pattern, kOrders[k]), known.star[k]);
    EXPECT_LE(acyclicColors(known.pattern, kOrders[k]), known.acyclic[k]);
  }
}

TEST(ColoringCounts, NoMoreThanOthersNeed) {
  const Known all[] = {
      {gridPattern(100, 100), {7, 7, 5, 10}, {5, 5, 6, 6}, {4, 4, 4, 4}},
      {gridPattern(64, 33), {7, 7, 5, 9}, {5, 5, 6, 5}, {4, 4, 4, 4}},
      {gridPattern(20, 20, 20), {12, 12, 13, 12}, {11, 11, 11, 11}, {6, 6, 7, 7}},
      {gridPattern(80, 80, 40), {12, 12, 13, 13}, {11, 11, 11, 11}, {7, 7, 7, 7}},
      {gridPattern(5, 7, 9), {11, 11, 10, 12}, {10, 10, 10, 10}, {6, 6, 7, 6}},
      {gridPattern(4, 9), {7, 7, 6, 7}, {5, 6, 5, 5}, {4, 4, 4, 4}},
      {brusselatorPattern(33), {11, 11, 11, 11}, {10, 10, 11, 10}, {6, 6, 6, 6}},
      {brusselatorPattern(50), {12, 12, 13, 12}, {10, 10, 12, 10}, {7, 7, 7, 7}},
      {bandPattern(2000, 4), {9, 9, 9, 10}, {9, 9, 9, 9}, {5, 5, 5, 5}},
      {bandPattern(500, 1), {3, 3, 3, 4}, {4, 4, 4, 4}, {2, 2, 2, 2}},
      {arrowPattern(200), {200, 200, 200, 200}, {4, 4, 4, 4}, {2, 2, 2, 2}},
      {symmetrized(randomPattern(50, 50, 3, 5), true),
       {16, 15, 15, 15},
       {10, 10, 11, 9},
       {7, 6, 6, 5}},
      {symmetrized(randomPattern(1000, 1000, 1, 6), true),
       {10, 9, 9, 9},
       {7, 8, 7, 7},
       {4, 4, 3, 3}},
      {symmetrized(randomPattern(1000, 1000, 2, 1), true),
       {15, 12, 12, 14},
       {10, 10, 10, 10},
       {6, 5, 5, 5}},
      {symmetrized(randomPattern(1000, 1000, 3, 2), true),
       {21, 18, 18, 21},
       {15, 16, 12, 14},
       {7, 7, 6, 6}},
      {symmetrized(randomPattern(1000, 1000, 4, 3), true),
       {29, 25, 24, 27},
       {20, 18, 17, 16},
       {9, 8, 8, 8}},
      {symmetrized(randomPattern(1000, 1000, 5, 4), true),
       {37, 32, 32, 36},
       {24, 24, 21, 21},
       {9, 10, 10, 10}},
  };
  for (const Known& known : all) {
    SCOPED_TRACE(known.pattern.nonzeros());
    expectNoMoreThan(known);
  }
}

/// The same of columns, of rows, and of rows and columns.
struct KnownRectangular {
  Pattern pattern;
  Index columns[4], rows[4], both[4];
};

void expectNoMoreThan(const KnownRectangular& known) {
  for (std::size_t k = 0; k < 4; ++k) {
    SCOPED_TRACE(k);
    EXPECT_LE(columnColors(known.pattern, kOrders[k]), known.columns[k]);
    EXPECT_LE(colors(known.pattern, Method::Rows, kOrders[k]), known.rows[k]);
    EXPECT_LE(rowAndColumnColors(known.pattern, kOrders[k]), known.both[k]);
  }
}

TEST(ColoringCounts, NoMoreThanOthersNeedForJacobians) {
  const KnownRectangular all[] = {
      {brusselatorPattern(51), {12, 12, 11, 12}, {12, 12, 11, 12}, {13, 13, 19, 19}},
      {bandPattern(2000, 4), {9, 9, 9, 9}, {9, 9, 9, 9}, {10, 17, 14, 14}},
      {arrowPattern(200), {200, 200, 200, 200}, {200, 200, 200, 200}, {201, 4, 4, 5}},
      {gridPattern(100, 100), {7, 7, 5, 6}, {7, 7, 5, 6}, {8, 10, 11, 12}},
      {randomPattern(1000, 700, 2, 1), {8, 8, 8, 8}, {9, 9, 9, 9}, {11, 11, 14, 12}},
      {randomPattern(1000, 700, 3, 2), {12, 12, 12, 12}, {13, 13, 13, 13}, {15, 14, 15, 17}},
      {randomPattern(1000, 700, 4, 3), {14, 12, 12, 12}, {18, 17, 17, 17}, {20, 18, 19, 20}},
      {randomPattern(1000, 700, 5, 4), {18, 16, 15, 15}, {19, 17, 16, 16}, {21, 22, 23, 24}},
  };
  for (const KnownRectangular& known : all) {
    SCOPED_TRACE(known.pattern.nonzeros());
    expectNoMoreThan(known);
  }
}

/// The pattern of a file in Matrix Market's coordinate format.
Pattern readPattern(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::Data, path + " can not be read");
  std::string line;
  std::getline(file, line);
  const bool isSymmetric = line.find("symmetric") != std::string::npos;
  while (std::getline(file, line) && line.starts_with('%')) {
  }
  std::int64_t rows = 0, columns = 0, entries = 0;
  std::istringstream(line) >> rows >> columns >> entries;
  std::vector<Index> i, j;
  for (std::int64_t k = 0; k < entries && std::getline(file, line); ++k) {
    Index row = 0, column = 0;
    std::istringstream(line) >> row >> column;
    i.push_back(row - 1);
    j.push_back(column - 1);
    if (isSymmetric) {
      i.push_back(column - 1);
      j.push_back(row - 1);
    }
  }
  return Pattern::fromEntries(rows, columns, i, j);
}

TEST(ColoringCounts, OfColPacksOwnGraphs) {
  const char* folder = std::getenv("ADJOINT_DATA");
  if (folder == nullptr) GTEST_SKIP() << "ADJOINT_DATA is not set: 11 graphs not colored";
  const auto read = [&](const std::string& name) {
    return readPattern(std::string(folder) + "/coloring/colpack_graphs/" + name + ".mtx");
  };
  const Known symmetric[] = {
      {read("bcsstk01"), {15, 17, 16, 16}, {12, 12, 12, 13}, {8, 7, 7, 7}},
      {read("bcsstk01_mod"), {15, 17, 16, 16}, {12, 12, 12, 13}, {8, 7, 7, 7}},
      {read("bcsstm01"), {1, 1, 1, 1}, {4, 4, 4, 4}, {1, 1, 1, 1}},
      {read("hess_pat"), {12, 12, 12, 14}, {10, 10, 10, 10}, {7, 6, 6, 6}},
      {read("hess_pat_small"), {6, 6, 6, 6}, {4, 4, 5, 5}, {4, 3, 3, 3}},
      {read("mtx-spear-head"), {10, 10, 10, 10}, {4, 4, 4, 4}, {2, 2, 2, 2}},
      {read("mymatrix1"), {4, 4, 4, 4}, {4, 4, 4, 4}, {3, 2, 2, 2}},
  };
  for (const Known& known : symmetric) {
    SCOPED_TRACE(known.pattern.nonzeros());
    expectNoMoreThan(known);
  }
  const KnownRectangular rectangular[] = {
      {read("column-compress"), {2, 2, 2, 2}, {10, 10, 10, 10}, {11, 4, 3, 4}},
      {read("row-compress"), {10, 10, 10, 10}, {2, 2, 2, 2}, {3, 4, 3, 5}},
      {read("jac_pat"), {11, 11, 11, 11}, {6, 6, 6, 6}, {7, 7, 11, 10}},
      {read("mymatrix"), {4, 4, 4, 4}, {2, 2, 2, 2}, {3, 3, 4, 4}},
      {read("bcsstk01_mod"), {15, 17, 16, 14}, {15, 17, 16, 14}, {16, 21, 22, 24}},
  };
  for (const KnownRectangular& known : rectangular) {
    SCOPED_TRACE(known.pattern.nonzeros());
    expectNoMoreThan(known);
  }
}

/// Nothing is quadratic in degrees: these would take minutes.
TEST(ColoringCounts, OfAHub) {
  for (const Index hub : {0, 200000}) {
    const Pattern pattern = starPattern(200000, hub, true);
    for (const Order order : kOrders) {
      EXPECT_EQ(starColors(pattern, order), 2);
      EXPECT_EQ(acyclicColors(pattern, order), 2);
      EXPECT_EQ(distanceTwoColors(pattern, order), 200001);
      EXPECT_EQ(rowAndColumnColors(pattern, order), 3);
    }
  }
}

}  // namespace
}  // namespace adjoint::testing

// Rows put together from their columns: Evaluator compares with plans that join and gather, to the
// bit.
#include "plan/interleave.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "ops/build.h"
#include "plan/planner.h"
#include "test/support/evaluator.h"
#include "test/support/numbers.h"

namespace adjoint::testing {
namespace {

using namespace ex;

bool interleaves(const TapePtr& t) {
  return makePlan(t)->toString().find("interleave") != std::string::npos;
}

/// Grid points with `width` values each, of which the last point's of each line come in another
/// order. The values whose number isUniform says so are the same everywhere.
template <class IsUniform>
void compareLines(std::int64_t width, IsUniform isUniform) {
  for (const std::int64_t line : {5, 8, 9, 16, 17, 63, 64, 65, 200}) {
    const std::int64_t points = 7 * line;
    Builder builder;
    const Expr x{&builder, builder.input("x", {points})};
    std::vector<Expr> columns;
    for (std::int64_t k = 0; k < width; ++k) {
      columns.push_back(
          isUniform(k) ? Expr{&builder, builder.constant(0.25 * static_cast<double>(k), {points})}
                       : x * static_cast<double>(k + 2));
    }
    std::vector<double> positions;
    for (std::int64_t p = 0; p < points; ++p) {
      const bool isLast = p % line == line - 1;
      for (std::int64_t k = 0; k < width; ++k) {
        const std::int64_t column = isLast ? width - 1 - k : k;
        positions.push_back(static_cast<double>(column * points + p));
      }
    }
    const auto count = static_cast<std::int64_t>(positions.size());
    const Expr all = columns.size() == 1 ? reshape(columns[0], {points}) : concat(columns, 0);
    const TapePtr t =
        builder.finish({{"y", gather(all, {&builder, builder.data(positions, {count})}, 0).id}});
    EXPECT_EQ(interleaves(t), width > 1 && count >= 256) << width << " " << line;
    Evaluator evaluator(t);
    evaluator({numbers(points)});
    evaluator({special(points)});
  }
}

TEST(Interleave, LinesOfAGrid) {
  for (const std::int64_t width : {1, 2, 3, 4, 5, 6, 7, 8, 11, 64})
    compareLines(width, [](std::int64_t k) { return k % 3 == 1; });
}

TEST(Interleave, RowsThatAreAlikeButForAFewElements) {
  for (std::int64_t width = 2; width <= 9; ++width) {
    for (const std::int64_t varying : {1, 2, 3, 4}) {
      compareLines(width, [&](std::int64_t k) { return k < width - varying; });
      compareLines(width, [&](std::int64_t k) { return k % width * 5 % width >= varying; });
    }
  }
}

/// Whatever the positions are, the elements are right.
TEST(Interleave, RunsBetweenSingleElements) {
  std::mt19937 random(3);
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % n); };
  int found = 0;
  for (int round = 0; round < 60; ++round) {
    const std::int64_t n = 50 + below(400), parts = 2 + below(5);
    Builder builder;
    const Expr x{&builder, builder.input("x", {n})};
    std::vector<Expr> values;
    for (std::int64_t k = 0; k < parts; ++k)
      values.push_back(reshape(sin(x * static_cast<double>(k + 1)), {n, 1}));
    std::vector<Expr> flat;
    for (const Expr& value : values) flat.push_back(reshape(value, {n}));
    std::vector<double> positions;
    while (positions.size() < 3000) {
      const std::int64_t width = 1 + below(9), rows = below(3) == 0 ? 1 : below(n / 2) + 1;
      std::vector<std::int64_t> starts;
      for (std::int64_t j = 0; j < width; ++j)
        starts.push_back(below(parts) * n + below(n - rows + 1));
      for (std::int64_t i = 0; i < rows; ++i)
        for (const std::int64_t start : starts) positions.push_back(static_cast<double>(start + i));
    }
    const auto count = static_cast<std::int64_t>(positions.size());
    const TapePtr t = builder.finish(
        {{"y", gather(concat(flat, 0), {&builder, builder.data(positions, {count})}, 0).id}});
    found += interleaves(t);
    Evaluator evaluator(t);
    evaluator({numbers(n)});
  }
  EXPECT_GT(found, 40);
}

/// Rows of neighbors, and in between elements from far away: what a row waits for is computed at
/// different times.
TEST(Interleave, RowsOfWhatIsComputedInPieces) {
  std::mt19937 random(5);
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % n); };
  for (int round = 0; round < 12; ++round) {
    const std::int64_t n = 3000 + below(4000), width = 2 + below(6);
    Builder builder;
    const Expr x{&builder, builder.input("x", {n})};
    std::vector<Expr> columns;
    for (std::int64_t k = 0; k < width; ++k) {
      columns.push_back(k % 2 == 1 && round % 3 == 0 ? Expr{&builder, builder.constant(7.5, {n})}
                                                     : x * x + static_cast<double>(k));
    }
    std::vector<std::int64_t> shifts;
    for (std::int64_t k = 0; k < width; ++k) shifts.push_back(round % 2 == 0 ? 0 : below(1500));
    std::vector<double> positions;
    for (std::int64_t i = 0; i < n - 1500; ++i) {
      for (std::int64_t k = 0; k < width; ++k) {
        const bool isElsewhere = i % 101 > 98 && k == 0;
        positions.push_back(static_cast<double>(
            k * n + (isElsewhere ? below(n) : i + shifts[static_cast<std::size_t>(k)])));
      }
    }
    const auto count = static_cast<std::int64_t>(positions.size());
    const TapePtr t = builder.finish(
        {{"y", gather(concat(columns, 0), {&builder, builder.data(positions, {count})}, 0).id}});
    EXPECT_TRUE(interleaves(t)) << round;
    Evaluator evaluator(t);
    evaluator({numbers(n)});
    evaluator({special(n)});
  }
}

/// Runs of rows that differ in nothing but the sign of a zero.
TEST(Interleave, ZerosKeepTheirSigns) {
  const std::int64_t n = 1024;
  Builder builder;
  const Expr x{&builder, builder.input("x", {n})};
  const auto uniform = [&](double value) { return Expr{&builder, builder.constant(value, {n})}; };
  std::vector<double> positions;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t zero = i / 64 % 2 == 0 ? 1 : 2;
    for (const std::int64_t column : {std::int64_t{0}, zero, std::int64_t{3}})
      positions.push_back(static_cast<double>(column * n + i));
  }
  const Expr columns = concat({x * 2.0, uniform(0.0), uniform(-0.0), x + 1.0}, 0);
  const TapePtr t =
      builder.finish({{"y", gather(columns, {&builder, builder.data(positions, {3 * n})}, 0).id}});
  EXPECT_TRUE(interleaves(t));
  Evaluator evaluator(t);
  evaluator({numbers(n)});
}

/// Rows of four columns, one of them uniform, of `n` points; row i takes element i, and in each
/// line of 50 the last row's first two are exchanged, or the first is that of another point.
TapePtr rowsOfLines(std::int64_t n, bool needsOthers, bool isReadElsewhere = false) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {n})};
  const std::vector<Expr> columns = {x * x, Expr{&builder, builder.constant(3, {n})}, x * 5.0,
                                     x + 0.5};
  std::vector<double> positions;
  for (std::int64_t i = 0; i < n; ++i) {
    const bool isLast = i % 50 == 49;
    const std::int64_t first = needsOthers && isLast ? (i + n / 2) % n : i;
    for (const std::int64_t column : {isLast && !needsOthers ? 1 : 0, isLast ? 0 : 1, 2, 3})
      positions.push_back(static_cast<double>(column * n + (column == 0 ? first : i)));
  }
  std::vector<Port> outputs = {
      {"y", gather(concat(columns, 0), {&builder, builder.data(positions, {4 * n})}, 0).id}};
  if (isReadElsewhere) outputs.push_back({"c", columns[2].id});
  return builder.finish(std::move(outputs));
}

/// Columns that nobody else reads are there a piece at a time, if rows need one point each.
TEST(Interleave, ColumnsOfRowsNeedNoMemory) {
  for (const std::int64_t n : {512, 513, 1000, 5000, 70000}) {
    for (const bool needsOthers : {false, true}) {
      for (const bool isReadElsewhere : {false, true}) {
        const TapePtr t = rowsOfLines(n, needsOthers, isReadElsewhere);
        Evaluator evaluator(t);
        EXPECT_EQ(evaluator.plan().tempDoubles == 0, !needsOthers) << n;
        EXPECT_EQ(evaluator.plan().pieceDoubles,
                  needsOthers ? 0 : (isReadElsewhere ? 2 : 3) * kPieceElements);
        evaluator({numbers(n)});
        evaluator({special(n)});
      }
    }
  }
}

/// Not where the order has no pattern, the join is read elsewhere, or positions are not known.
TEST(Interleave, OtherGathersStayAsTheyAre) {
  const std::int64_t n = 1000;
  Builder builder;
  const Expr x{&builder, builder.input("x", {n})};
  const Expr all = concat({x * 2.0, x * 3.0}, 0);
  std::vector<double> rows, mixed;
  for (std::int64_t i = 0; i < 2 * n; ++i) {
    rows.push_back(static_cast<double>(i % 2 * n + i / 2));
    mixed.push_back(static_cast<double>(i * 7919 % (2 * n)));
  }
  const Expr unordered{&builder, builder.data(mixed, {2 * n})};
  EXPECT_FALSE(interleaves(builder.finish({{"y", gather(all, unordered, 0).id}})));
  Builder other;
  const Expr z{&other, other.input("x", {n})};
  const Expr joined = concat({z * 2.0, z * 3.0}, 0);
  const Expr again{&other, other.data(rows, {2 * n})};
  EXPECT_FALSE(interleaves(other.finish({{"y", gather(joined, again, 0).id}, {"all", joined.id}})));
}

}  // namespace
}  // namespace adjoint::testing

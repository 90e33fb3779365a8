// Rows written from registers: Evaluator compares with plans that join and gather, to the bit.
#include "exec/rows_code.h"

#include <gtest/gtest.h>

#include <random>
#include <span>

#include "exec/jit.h"
#include "ops/build.h"
#include "plan/planner.h"
#include "plan/rows_by_piece.h"
#include "test/support/evaluator.h"
#include "test/support/numbers.h"

namespace adjoint::testing {
namespace {

using namespace ex;
using exec::InstructionSet;
using exec::RowsCode;

bool hasRowsCode() {
#if defined(__AVX512F__)
  return exec::chosenInstructionSet() == InstructionSet::Avx512;
#else
  return false;
#endif
}

/// Whether the plan's rows can be had as code together with the kernel before them.
bool isCode(const Plan& plan) {
  for (std::size_t s = 1; s < plan.steps.size(); ++s) {
    const auto* const rows = std::get_if<InterleaveStep>(&plan.steps[s]);
    const auto* const kernel = std::get_if<Kernel>(&plan.steps[s - 1]);
    if (rows == nullptr || kernel == nullptr || !readsPieces(plan, plan.steps[s])) continue;
    std::vector<bool> isComputed;
    for (const InterleaveStep::Source& source : rows->sources)
      isComputed.push_back(!source.isUniform && computesByPoint(plan, *kernel, source.buffer));
    exec::JitBuilder jit(InstructionSet::Avx512);
    return RowsCode::make(plan, *kernel, *rows, isComputed, jit) != nullptr;
  }
  return false;
}

/// A grid of `lines` lines of points. In a row of one block the values stand at places of their own
/// and a number at all others; where they stand changes with the line, and at both ends of lines.
struct Grid {
  std::int64_t line = 20, lines = 30;
  std::int64_t width = 6;
  std::int64_t blocks = 2, values = 2;  ///< of values in each row
  bool isOutput = false;                ///< a value is read elsewhere too
  bool hasCalls = false;                ///< rare lanes of values are computed by calls

  std::int64_t points() const { return line * lines; }

  /// Where value k of a row stands: the first goes along with the line, the next one is at the end
  /// of even blocks' rows and at the beginning of odd ones', others are in between.
  std::int64_t place(std::int64_t block, std::int64_t k, std::int64_t point) const {
    const std::int64_t x = point % line, y = point / line;
    const std::int64_t first = block % 2;
    if (k == 1) return first == 0 ? width - 1 : 0;
    if (k > 1) return k + first;
    const std::int64_t ofLine = y == 0 ? 1 : y < lines - 1 ? 2 : 3;
    const std::int64_t ofEnd = x == 0 ? -1 : x == line - 1 ? 1 : 0;
    return first + std::min(ofLine + ofEnd, width - 2);
  }

  Expr value(const Expr& x, const Expr& y, double number) const {
    return hasCalls ? exp(x * (600.0 + 100.0 * number)) + y : x * y * 1.5 + number;
  }

  TapePtr tape() const {
    Builder builder;
    const std::int64_t n = points();
    const Expr x{&builder, builder.input("x", {n})}, y{&builder, builder.input("y", {n})};
    std::vector<Expr> columns;
    std::vector<Port> outputs;
    for (std::int64_t block = 0; block < blocks; ++block) {
      for (std::int64_t k = 0; k < values; ++k)
        columns.push_back(value(x, y, static_cast<double>(block + 2 * k)));
    }
    const auto numbersAt = static_cast<double>(columns.size());
    for (const double number : {-0.0, 2.5})
      columns.emplace_back(&builder, builder.constant(number, {n}));
    std::vector<double> positions;
    for (std::int64_t block = 0; block < blocks; ++block) {
      for (std::int64_t point = 0; point < n; ++point) {
        std::vector<double> row(static_cast<std::size_t>(width));
        for (std::int64_t c = 0; c < width; ++c)
          row[static_cast<std::size_t>(c)] = (numbersAt + static_cast<double>(c % 2)) * n + point;
        for (std::int64_t k = 0; k < values; ++k)
          row[static_cast<std::size_t>(place(block, k, point))] =
              static_cast<double>((block * values + k) * n + point);
        positions.insert(positions.end(), row.begin(), row.end());
      }
    }
    const auto count = static_cast<std::int64_t>(positions.size());
    outputs.push_back(
        {"rows", gather(concat(columns, 0), {&builder, builder.data(positions, {count})}, 0).id});
    if (isOutput) outputs.push_back({"value", columns[0].id});
    return builder.finish(std::move(outputs));
  }
};

void compare(const Grid& grid, bool isSurelyCode = true) {
  SCOPED_TRACE("lines of " + std::to_string(grid.line) + ", " + std::to_string(grid.lines) +
               " of them, rows of " + std::to_string(grid.width) + ", " +
               std::to_string(grid.blocks) + " blocks of " + std::to_string(grid.values));
  Evaluator evaluator(grid.tape());
  if (isSurelyCode && hasRowsCode()) {
    EXPECT_TRUE(isCode(evaluator.plan()));
  }
  evaluator({numbers(grid.points()), special(grid.points())});
  evaluator({special(grid.points()), numbers(grid.points())});
}

TEST(RowsCode, LinesOfAnyLength) {
  for (const std::int64_t line : {18, 19, 20, 21, 23, 24, 32, 33, 64, 65})
    compare({.line = line, .lines = 40});
}

TEST(RowsCode, RowsOfAnyWidth) {
  for (std::int64_t width = 3; width <= 8; ++width) {
    for (const std::int64_t values : {1, 2}) {
      for (const std::int64_t blocks : {1, 2, 3})
        compare({.line = 50, .width = width, .blocks = blocks, .values = values}, width > 4);
    }
  }
}

TEST(RowsCode, ValuesThatAreReadElsewhereAreThereToo) {
  for (const std::int64_t line : {32, 33, 50}) compare({.line = line, .isOutput = true});
}

/// A call takes all registers, masks too.
TEST(RowsCode, CallsOfRareLanes) {
  for (const std::int64_t line : {32, 33, 50}) compare({.line = line, .hasCalls = true});
}

/// More than one piece, of which the last ones are short.
TEST(RowsCode, ManyPoints) {
  for (const std::int64_t lines : {33, 34, 100, 301}) compare({.line = 125, .lines = lines});
}

/// Rows of three values, of points next to each other, and with windows are done otherwise.
TEST(RowsCode, OtherRowsAreNot) {
  compare({.values = 3}, false);
  EXPECT_FALSE(isCode(*makePlan(Grid{.values = 3}.tape())));
}

/// Rows of which now and then some are of another kind, and single elements between them.
TEST(RowsCode, RunsOfAllKinds) {
  std::mt19937 random(11);
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % n); };
  int code = 0;
  const auto rounds =
      static_cast<int>(countFromEnvironment("ADJOINT_SEEDS", isInstrumented() ? 20 : 100));
  for (int round = 0; round < rounds; ++round) {
    const std::int64_t n = 600 + below(3000), width = 2 + below(7), most = 1 + below(3);
    Builder builder;
    const Expr x{&builder, builder.input("x", {n})};
    std::vector<Expr> columns = {x * x, x * 3.0, x + 1.0};
    for (const double number : {1.0, 2.0, 3.0})
      columns.emplace_back(&builder, builder.constant(number, {n}));
    std::vector<double> positions;
    for (std::int64_t k = below(2 * width); k > 0; --k)
      positions.push_back(static_cast<double>((k % 2 == 0 ? 3 : 0) * n + below(n)));
    std::vector<std::int64_t> row;
    for (std::int64_t point = 0, left = 0; point < n; ++point, --left) {
      if (left == 0) {
        left = round % 3 == 0 ? n : 1 + below(n / 2);
        row.assign(static_cast<std::size_t>(width), 0);
        for (std::int64_t& column : row) column = 3 + below(3);
        for (std::int64_t k = 0; k < most; ++k)
          row[static_cast<std::size_t>(below(width))] = below(std::min<std::int64_t>(most, 3));
      }
      std::vector<std::int64_t> own = row;
      if (below(40) == 0) std::swap(own[0], own[static_cast<std::size_t>(below(width))]);
      if (below(150) == 0) own[static_cast<std::size_t>(below(width))] = below(6);
      for (const std::int64_t column : own)
        positions.push_back(static_cast<double>(column * n + point));
      if (below(300) == 0) positions.push_back(static_cast<double>(below(6 * n)));
    }
    const auto count = static_cast<std::int64_t>(positions.size());
    const TapePtr t = builder.finish(
        {{"y", gather(concat(columns, 0), {&builder, builder.data(positions, {count})}, 0).id}});
    Evaluator evaluator(t);
    code += hasRowsCode() && isCode(evaluator.plan());
    evaluator({numbers(n)});
    evaluator({special(n)});
  }
  if (hasRowsCode()) {
    EXPECT_GT(code, 0);
  }
}

}  // namespace
}  // namespace adjoint::testing

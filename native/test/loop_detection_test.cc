// Patterns of functions with loops: the steps written out, united step after step, and closed over
// any number of them, against each other and against derivatives.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ops/build.h"
#include "sparsity/block_jacobian.h"
#include "sparsity/decisions.h"
#include "sparsity/sparse_derivative.h"
#include "test/support/detected.h"
#include "test/support/loops.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;

/// Nothing is written out; and nothing is united step after step either.
constexpr LoopEffort kUnited = {.nodes = 0}, kClosed = {.nodes = 0, .sets = 0};

Entries entries(const TapePtr& t, const Positions& wrt, LoopEffort effort,
                PatternOf of = PatternOf::Jacobian) {
  return entriesOf(detectPattern(t, wrt, {.of = of, .loops = effort}).pattern);
}

Entries squareEntries(std::int64_t n, const std::function<bool(std::int64_t, std::int64_t)>& has) {
  Entries result;
  for (std::int64_t row = 0; row < n; ++row) {
    for (std::int64_t column = 0; column < n; ++column) {
      if (has(row, column)) result.emplace(row, column);
    }
  }
  return result;
}

Values someValues(std::int64_t n, double seed = 1) {
  Values values;
  for (std::int64_t i = 0; i < n; ++i)
    values.push_back(1.25 + std::sin(seed + 3 * static_cast<double>(i)));
  return values;
}

/// All detections of a function whose steps depend on no index: written out and united they are
/// the same, closed there may be more.
Entries checkedJacobian(const TapePtr& t, const Positions& wrt, const Arrays& inputs) {
  const Entries written = entries(t, wrt, {});
  EXPECT_EQ(entries(t, wrt, kUnited), written);
  expectWithin(written, entries(t, wrt, kClosed), "closed");
  const Entries here = localEntries(t, wrt, inputs);
  expectWithin(here, written, "here");
  expectWithin(nonzerosOf(t, wrt, inputs), here, "Jacobian");
  return written;
}

/// Entries of the dense Hessian, forward over reverse, that are not 0.
Entries hessianNonzeros(const TapePtr& t, const Positions& wrt, const Arrays& inputs) {
  const Arrays blocks =
      evaluate(jacobian(gradient(t, wrt), wrt, JacobianMode::Forward).tape, inputs);
  Entries result;
  std::int64_t row = 0;
  std::size_t block = 0;
  for (const std::size_t of : wrt) {
    const std::int64_t rows = t->count(t->inputs()[of].node);
    std::int64_t column = 0;
    for (const std::size_t by : wrt) {
      const std::int64_t width = t->count(t->inputs()[by].node);
      const Values& own = blocks[block++];
      for (std::int64_t i = 0; i < rows * width; ++i) {
        if (own[static_cast<std::size_t>(i)] != 0)
          result.emplace(row + i / width, column + i % width);
      }
      column += width;
    }
    row += rows;
  }
  return result;
}

/// Of Hessians united ones may have more, where not all items are read.
Entries checkedHessian(const TapePtr& t, const Positions& wrt, const Arrays& inputs) {
  const Entries written = entries(t, wrt, {}, PatternOf::Hessian);
  const Entries united = entries(t, wrt, kUnited, PatternOf::Hessian);
  expectWithin(written, united, "united");
  expectWithin(united, entries(t, wrt, kClosed, PatternOf::Hessian), "closed");
  const Entries here = localEntries(t, wrt, inputs, PatternOf::Hessian);
  expectWithin(here, written, "here");
  expectWithin(hessianNonzeros(t, wrt, inputs), here, "Hessian");
  return written;
}

/// Element i - 1 of a vector, 0 before the first.
Expr before(Expr x) {
  const std::int64_t n = x.shape()[0];
  return place(sliceAxis(x, 0, {0, n - 1, 1}), {{1, n, 1}});
}
/// Elements around a ring.
Expr around(Expr x, std::int64_t distance) {
  const std::int64_t n = x.shape()[0];
  const std::int64_t first = (distance % n + n) % n;
  return concat({sliceAxis(x, 0, {first, n - first, 1}), sliceAxis(x, 0, {0, first, 1})}, 0);
}

TapePtr ring(std::int64_t cells, std::int64_t steps) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {cells})};
  const auto items = loop(loopOf(steps, 0, 1), {x}, [](const StepInputs& in) {
    const Expr flux = sin(around(in[0], 1)) - cos(around(in[0], -1));
    return StepOutputs{in[0] + flux * in[0] * 0.1};
  });
  return builder.finish({{"y", items[0].id}});
}

TEST(LoopDetection, BandsGrowStepByStep) {
  constexpr std::int64_t kCells = 24;
  for (const std::int64_t steps : {0, 1, 2, 5, 11}) {
    const TapePtr t = ring(kCells, steps);
    const Entries band = squareEntries(kCells, [&](std::int64_t i, std::int64_t j) {
      const std::int64_t distance = std::abs(i - j);
      return std::min(distance, kCells - distance) <= steps;
    });
    EXPECT_EQ(checkedJacobian(t, {0}, {someValues(kCells)}), band) << steps;
  }
}

TEST(LoopDetection, RowsOfStreamsReachLaterRows) {
  constexpr std::int64_t kLength = 5;
  for (const bool reverse : {false, true}) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {})};
    const Expr u{&builder, builder.input("u", {kLength})};
    LoopAttributes attributes = loopOf(kLength, 0, 1, 1);
    attributes.reverse = reverse;
    const auto items = loop(attributes, {x, u}, [](const StepInputs& in) {
      return StepOutputs{in[0] * in[1], in[0] + sin(in[1])};
    });
    const TapePtr t = builder.finish({{"x", items[0].id}, {"rows", items[1].id}});
    Entries expected;
    for (std::int64_t column = 0; column <= kLength; ++column) expected.emplace(0, column);
    for (std::int64_t row = 0; row < kLength; ++row) {
      expected.emplace(1 + row, 0);
      for (std::int64_t k = 0; k < kLength; ++k) {
        if (reverse ? k >= row : k <= row) expected.emplace(1 + row, 1 + k);
      }
    }
    EXPECT_EQ(checkedJacobian(t, {0, 1}, {{0.5}, someValues(kLength)}), expected) << reverse;
  }
}

/// As many turns of a ring as `n` says, and what they begin with.
TapePtr counted(std::int64_t cells, bool reverse) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {cells})};
  const Expr u{&builder, builder.input("u", {3})};
  const Expr n{&builder, builder.input("n", {})};
  LoopAttributes attributes = loopOf(3, 0, 1, 1);
  attributes.trips = LoopTrips::Counted;
  attributes.reverse = reverse;
  const auto items = loop(attributes, {x, u, n}, [](const StepInputs& in) {
    return StepOutputs{around(in[0], 1) * in[1], in[0]};
  });
  return builder.finish({{"y", items[0].id}, {"rows", items[1].id}});
}

TEST(LoopDetection, UnknownNumbersOfStepsCanBeAll) {
  constexpr std::int64_t kCells = 8;
  for (const bool reverse : {false, true}) {
    const TapePtr t = counted(kCells, reverse);
    Entries expected;
    const auto turned = [&](std::int64_t row, std::int64_t i, std::int64_t least,
                            std::int64_t most) {
      for (std::int64_t d = least; d <= most; ++d) expected.emplace(row, (i + d) % kCells);
    };
    for (std::int64_t i = 0; i < kCells; ++i) {
      turned(i, i, 0, 3);
      for (std::int64_t k = 0; k < 3; ++k) expected.emplace(i, kCells + k);
      for (std::int64_t row = 0; row < 3; ++row) {
        const std::int64_t at = (1 + row) * kCells + i;
        // Forwards as many steps went before as rows; backwards the first can be any of the later.
        turned(at, i, reverse ? 0 : row, reverse ? 2 - row : row);
        for (std::int64_t k = 0; k < 3; ++k) {
          if (reverse ? k > row : k < row) expected.emplace(at, kCells + k);
        }
      }
    }
    EXPECT_EQ(entries(t, {0, 1}, {}), expected) << reverse;
    EXPECT_EQ(entries(t, {0, 1}, kUnited), expected) << reverse;
    expectWithin(expected, entries(t, {0, 1}, kClosed), "closed");
    const std::size_t last[] = {0};
    const TapePtr y = selectOutputs(t, last);
    for (const double n : {0.0, 1.0, 2.0, 3.0}) {
      const Arrays inputs = {someValues(kCells), someValues(3), {n}};
      checkedJacobian(y, {0, 1}, inputs);
      EXPECT_EQ(localEntries(y, {0, 1}, inputs), nonzerosOf(y, {0, 1}, inputs)) << n;
    }
  }
}

TEST(LoopDetection, ConditionsThatEndLoops) {
  constexpr std::int64_t kCells = 8;
  Builder builder;
  const Expr x{&builder, builder.input("x", {kCells})};
  const Expr zero{&builder, builder.constant(0)};
  LoopAttributes attributes = loopOf(4, 1, 2);
  attributes.trips = LoopTrips::While;
  const Expr limit{&builder, builder.input("limit", {})};
  const auto items = loop(attributes, {limit, less(zero, limit), x}, [](const StepInputs& in) {
    const Expr next = in[2] + before(in[2]);
    return StepOutputs{less(sum(next, {0}), in[0]), next};
  });
  const TapePtr t = builder.finish({{"y", items[1].id}});
  const auto lower = [&](std::int64_t width) {
    return squareEntries(kCells,
                         [&](std::int64_t i, std::int64_t j) { return j <= i && i - j <= width; });
  };
  const Arrays inputs = {Values(kCells, 1.0), {25.0}};
  EXPECT_EQ(checkedJacobian(t, {0}, inputs), lower(4));
  EXPECT_EQ(localEntries(t, {0}, inputs), lower(2));
  EXPECT_EQ(localEntries(t, {0}, {Values(kCells, 1.0), {-1.0}}), lower(0));
}

TEST(LoopDetection, IndicesOfStepsAreKnown) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {6})};
  const Expr zero{&builder, builder.constant(0)};
  LoopAttributes attributes = loopOf(3, 1, 1);
  attributes.indexed = true;
  const auto items = loop(attributes, {x, zero}, [](const StepInputs& in) {
    const Expr at = gather(in[0], reshape(in[2] * 2.0, {1}), 0);
    return StepOutputs{in[1] + reshape(square(at), {}), reshape(at, {})};
  });
  const TapePtr t = builder.finish({{"sum", items[0].id}, {"rows", items[1].id}});
  const Entries expected = {{0, 0}, {0, 2}, {0, 4}, {1, 0}, {2, 2}, {3, 4}};
  const Arrays inputs = {someValues(6)};
  EXPECT_EQ(entries(t, {0}, {}), expected);
  EXPECT_EQ(nonzerosOf(t, {0}, inputs), expected);
  expectWithin(expected, entries(t, {0}, kUnited), "united");
  const std::size_t first[] = {0};
  const TapePtr s = selectOutputs(t, first);
  EXPECT_EQ(entries(s, {0}, {}, PatternOf::Hessian), (Entries{{0, 0}, {2, 2}, {4, 4}}));
}

/// Windows that go along, and numbers of a table.
TEST(LoopDetection, IndicesMadeOfTheStepsNumberAreKnown) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {6})};
  const Expr table{&builder, builder.data({4, 0, 5}, {3})};
  LoopAttributes attributes = loopOf(3, 2, 0);
  attributes.indexed = true;
  const auto items = loop(attributes, {x, table}, [](const StepInputs& in) {
    const Expr i = reshape(in[2], {1});
    const Expr window = gather(in[0], concat({i, i + 1.0}, 0), 0);
    return StepOutputs{sum(square(window), {0}), gather(in[0], gather(in[1], i, 0), 0)};
  });
  const TapePtr t = builder.finish({{"windows", items[0].id}, {"table", items[1].id}});
  const Entries expected = {{0, 0}, {0, 1}, {1, 1}, {1, 2}, {2, 2}, {2, 3}, {3, 4}, {4, 0}, {5, 5}};
  EXPECT_EQ(entries(t, {0}, {}), expected);
  EXPECT_EQ(nonzerosOf(t, {0}, {someValues(6)}), expected);
}

TEST(LoopDetection, LoopsWithinSteps) {
  constexpr std::int64_t kCells = 12;
  Builder builder;
  const Expr x{&builder, builder.input("x", {kCells})};
  const auto items = loop(loopOf(2, 0, 1), {x}, [](const StepInputs& in) {
    const auto inner = loop(loopOf(2, 0, 1), {in[0]}, [](const StepInputs& deep) {
      return StepOutputs{deep[0] + sin(before(deep[0]))};
    });
    return StepOutputs{inner[0]};
  });
  const TapePtr t = builder.finish({{"y", items[0].id}});
  EXPECT_EQ(
      checkedJacobian(t, {0}, {someValues(kCells)}),
      squareEntries(kCells, [](std::int64_t i, std::int64_t j) { return j <= i && i - j <= 4; }));
}

TEST(LoopDetection, HessianOfSumsOverSteps) {
  constexpr std::int64_t kLength = 4;
  Builder builder;
  const Expr x{&builder, builder.input("x", {})};
  const Expr u{&builder, builder.input("u", {kLength})};
  const auto items = loop(loopOf(kLength, 0, 1, 1), {x, u}, [](const StepInputs& in) {
    // The state is linear in all, the cost is not.
    return StepOutputs{in[0] * 0.5 + in[1], square(in[1]) + in[0]};
  });
  const TapePtr t = builder.finish({{"cost", sum(items[1], {0}).id}});
  Entries diagonal;
  for (std::int64_t k = 0; k < kLength; ++k) diagonal.emplace(1 + k, 1 + k);
  const Arrays inputs = {{0.5}, someValues(kLength)};
  EXPECT_EQ(checkedHessian(t, {0, 1}, inputs), diagonal);
  EXPECT_EQ(entries(t, {0, 1}, kUnited, PatternOf::Hessian), diagonal);
}

TEST(LoopDetection, HessianOfChains) {
  constexpr std::int64_t kCells = 10;
  for (const std::int64_t steps : {1, 3}) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {kCells})};
    const auto items = loop(loopOf(steps, 0, 1), {x}, [](const StepInputs& in) {
      return StepOutputs{in[0] + square(before(in[0]))};
    });
    const TapePtr t = builder.finish({{"y", sum(items[0], {0}).id}});
    const Entries expected = entries(unrolled(t), {0}, {}, PatternOf::Hessian);
    EXPECT_EQ(checkedHessian(t, {0}, {someValues(kCells)}), expected);
    EXPECT_EQ(entries(t, {0}, kUnited, PatternOf::Hessian), expected);
  }
}

/// A step drawn at random: sparse movements, products and sums of what it is given.
TapePtr randomLoop(std::uint32_t seed, bool isScalar, Arrays& inputs) {
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t n) { return random() % n; };
  const std::int64_t n = 2 + below(6), length = below(6);
  Builder builder;
  const Expr c{&builder, builder.input("c", {n})};
  const Expr x{&builder, builder.input("x", {n})};
  const Expr y{&builder, builder.input("y", {n})};
  const Expr u{&builder, builder.input("u", {length, n})};
  LoopAttributes attributes = loopOf(length, 1, 2, 1);
  attributes.reverse = below(2) == 1;
  const bool isCounted = below(2) == 1;
  std::vector<Expr> operands = {c, x, y, u};
  inputs = {someValues(n, 1), someValues(n, 2), someValues(n, 3), someValues(length * n, 4)};
  if (isCounted) {
    attributes.trips = LoopTrips::Counted;
    operands.push_back({&builder, builder.input("n", {})});
    inputs.push_back({static_cast<double>(below(static_cast<std::uint32_t>(length + 1)))});
  }
  const auto items = loop(attributes, operands, [&](const StepInputs& in) {
    std::vector<Expr> values(in.begin(), in.begin() + 4);
    for (std::uint32_t k = 0; k < 6; ++k) {
      const Expr a = values[below(static_cast<std::uint32_t>(values.size()))];
      const Expr b = values[below(static_cast<std::uint32_t>(values.size()))];
      switch (below(7)) {
        case 0:
          values.push_back(before(a));
          break;
        case 1:
          values.push_back(around(a, 1 + below(3)));
          break;
        case 2:
          values.push_back(a * b * 0.5);
          break;
        case 3:
          values.push_back(sin(a));
          break;
        case 4:
          values.push_back(tanh(a + b));
          break;
        case 5: {
          const Expr half = sliceAxis(a, 0, {0, n / 2, 1});
          values.push_back(place(half, {{n - n / 2, n, 1}}));
          break;
        }
        default:
          values.push_back(a - b);
      }
    }
    const std::size_t last = values.size() - 1;
    return StepOutputs{values[last], values[last - 1], values[last - 2]};
  });
  if (!isScalar)
    return builder.finish({{"x", items[0].id}, {"y", items[1].id}, {"rows", items[2].id}});
  Expr s = sum(items[0], {0}) + sum(square(items[1]), {0});
  // Rows of steps that are not taken hold anything.
  if (!isCounted) s = s + sum(items[2], {0, 1});
  return builder.finish({{"s", s.id}});
}

TEST(LoopDetection, RandomLoops) {
  for (std::uint32_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Arrays inputs;
    TapePtr t = randomLoop(seed, false, inputs);
    const bool isCounted = inputs.size() > 4;
    if (isCounted) {
      const std::size_t carries[] = {0, 1};
      t = selectOutputs(t, carries);
    }
    const Entries found = checkedJacobian(t, {0, 1, 2, 3}, inputs);
    if (!isCounted) {
      EXPECT_EQ(found, entries(unrolled(t), {0, 1, 2, 3}, {}));
    }
    const TapePtr s = randomLoop(seed, true, inputs);
    checkedHessian(s, {0, 1, 2, 3}, inputs);
    if (::testing::Test::HasFailure()) {
      ADD_FAILURE() << t->toString();
      return;
    }
  }
}

TEST(LoopDetection, LongLoopsSettle) {
  constexpr std::int64_t kCells = 100, kSteps = 1000000;
  const Entries all = squareEntries(kCells, [](std::int64_t, std::int64_t) { return true; });
  EXPECT_EQ(entries(ring(kCells, kSteps), {0}, {}), all);
  Builder builder;
  const Expr x{&builder, builder.input("x", {kCells})};
  // Never the same sets twice: one element each, which one only all steps together tell.
  const auto items = loop(loopOf(kSteps + 1, 0, 1), {x},
                          [](const StepInputs& in) { return StepOutputs{around(in[0], 1)}; });
  const TapePtr t = builder.finish({{"y", items[0].id}});
  EXPECT_EQ(entries(t, {0}, {}), all);
  // Backwards along a line, what is before an element only.
  Builder line;
  const Expr z{&line, line.input("z", {kCells})};
  const auto shifted = loop(loopOf(kSteps, 0, 1), {z}, [](const StepInputs& in) {
    return StepOutputs{in[0] * 0.5 + before(in[0])};
  });
  const TapePtr l = line.finish({{"y", sum(square(shifted[0]), {0}).id}, {"z", shifted[0].id}});
  const std::size_t last[] = {1}, first[] = {0};
  const Entries lower =
      squareEntries(kCells, [](std::int64_t i, std::int64_t j) { return j <= i; });
  EXPECT_EQ(entries(selectOutputs(l, last), {0}, {}), lower);
  EXPECT_EQ(entries(selectOutputs(l, last), {0}, kClosed), lower);
  EXPECT_EQ(entries(selectOutputs(l, first), {0}, {}, PatternOf::Hessian), all);
}

TEST(LoopDetection, ABlockIsTheWholeLoop) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {})};
  const auto items =
      loop(loopOf(3, 0, 1), {x}, [](const StepInputs& in) { return StepOutputs{sin(in[0])}; });
  const TapePtr t = builder.finish({{"y", items[0].id}});
  const Positions wrt = {0};
  const Arrays at = {{1.0}};
  EXPECT_EQ(evaluate(blockJacobian(t, wrt).tape, at),
            evaluate(jacobian(t, wrt, JacobianMode::Reverse).tape, at));
}

/// By colors and as a whole: the same bits.
TEST(LoopDetection, DerivativesByColors) {
  constexpr std::int64_t kCells = 40;
  const TapePtr t = ring(kCells, 3);
  const Positions wrt = {0};
  const Arrays at = {someValues(kCells)};
  for (const JacobianMode mode : {JacobianMode::Forward, JacobianMode::Reverse}) {
    SparseOptions options;
    options.method = SparseMethod::Coloring;
    options.mode = mode;
    const SparseDerivative sparse = sparseDerivative(t, wrt, options);
    EXPECT_LE(sparse.colors.count(), 16);
    const Values dense = evaluate(jacobian(t, wrt, mode).tape, at)[0];
    const Values values = evaluate(sparse.tape, at)[0];
    std::size_t k = 0;
    for (const auto& [row, column] : entriesOf(sparse.pattern))
      EXPECT_EQ(values[k++], dense[static_cast<std::size_t>(row * kCells + column)]);
    EXPECT_EQ(k, values.size());
  }
}

}  // namespace
}  // namespace adjoint::testing

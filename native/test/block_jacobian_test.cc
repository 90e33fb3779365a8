// Sparse Jacobians of mapped functions against dense ones.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "test/support/block_jacobian_checks.h"
#include "test/support/custom.h"
#include "test/support/random_tapes.h"

namespace adjoint::testing {
namespace {

using namespace ex;

Expr column(Expr x, std::int64_t i) { return reshape(sliceAxis(x, 1, {i, 1, 1}), {x.shape()[0]}); }

/// Two errors of every observation by a row of each of two tables and a weight of its own.
TEST(BlockJacobian, GatheredRows) {
  for (const std::int64_t lanes : {1, 2, 5, 40}) {
    std::mt19937 random(static_cast<unsigned>(lanes));
    Builder builder;
    const Expr cameras{&builder, builder.input("cameras", {3, 4})};
    const Expr points{&builder, builder.input("points", {7, 2})};
    const Expr w{&builder, builder.input("w", {lanes})};
    const Expr feats{&builder, builder.input("feats", {lanes, 2})};
    const Expr camera = randomIndices(builder, random, lanes, 3);
    const Expr point = randomIndices(builder, random, lanes, 7);
    const auto c = [&](std::int64_t i) { return gather(column(cameras, i), camera, 0); };
    const auto p = [&](std::int64_t i) { return gather(column(points, i), point, 0); };
    const Expr angle = sin(c(0)) * p(0) + c(1);
    const Expr u = (angle * c(2) - column(feats, 0)) * w;
    const Expr v = (exp(angle) * p(1) + c(3) - column(feats, 1)) * w;
    const Expr both =
        reshape(concat({reshape(u, {lanes, 1}), reshape(v, {lanes, 1})}, 1), {lanes, 2});
    const TapePtr t = builder.finish({{"errors", both.id}, {"weights", (1.0 - square(w)).id}});
    const Arrays inputs = {randomValues(random, 12), randomValues(random, 14),
                           randomValues(random, lanes), randomValues(random, 2 * lanes)};
    // u: camera 3, point 1, w; v: camera 3, point 2, w.
    expectSparse(check(t, {0, 1, 2}, inputs), static_cast<std::size_t>(lanes * (5 + 6 + 1)));
    expectSparse(check(t, {1}, inputs), static_cast<std::size_t>(lanes * 3));
  }
}

TEST(BlockJacobian, ChainedTerms) {
  Builder builder;
  const std::int64_t n = 50;
  const Expr x{&builder, builder.input("x", {n})};
  const Expr later = sliceAxis(x, 0, {1, n - 1, 1}), earlier = sliceAxis(x, 0, {0, n - 1, 1});
  const TapePtr t =
      builder.finish({{"a", (later - square(earlier)).id}, {"b", (1.0 - earlier).id}, {"x", x.id}});
  std::mt19937 random(1);
  const BlockJacobian found = check(t, {0}, {randomValues(random, n)});
  expectSparse(found, static_cast<std::size_t>(3 * (n - 1) + n));
}

Expr ranged(Expr x, std::int64_t axis, std::int64_t start, std::int64_t count) {
  return sliceAxis(x, axis, {start, count, 1});
}

/// x moved by some positions along an axis, around the end.
Expr rolled(Expr x, std::int64_t axis, std::int64_t by) {
  const std::int64_t n = x.shape()[static_cast<std::size_t>(axis)];
  return concat({ranged(x, axis, by, n - by), ranged(x, axis, 0, by)}, axis);
}

TEST(BlockJacobian, Stencils) {
  std::mt19937 random(2);
  const std::int64_t n = 12, m = 7;
  for (const bool isComputed : {false, true}) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {n})};
    const Expr u{&builder, builder.input("u", {n, m})};
    const Expr k{&builder, builder.input("k", {})};
    const Expr line = isComputed ? square(x) : x;
    const Expr grid = isComputed ? tanh(u) * k : u;
    const auto inner = [&](std::int64_t i, std::int64_t j) {
      return ranged(ranged(grid, 0, i, n - 2), 1, j, m - 2);
    };
    const Expr heat = k * (inner(0, 1) + inner(2, 1) + inner(1, 0) + inner(1, 2) -
                           4.0 * inner(1, 1) * inner(1, 1));
    const TapePtr t =
        builder.finish({{"periodic", (rolled(line, 0, 1) * line - rolled(line, 0, n - 1)).id},
                        {"heat", heat.id},
                        {"wrapped", (rolled(grid, 0, 2) * rolled(grid, 1, 1) + grid).id}});
    const Arrays inputs = {randomValues(random, n), randomValues(random, n * m), {0.7}};
    const auto interior = static_cast<std::size_t>((n - 2) * (m - 2));
    const auto all = static_cast<std::size_t>(n * m);
    expectSparse(check(t, {0}, inputs), 3 * static_cast<std::size_t>(n));
    expectSparse(check(t, {0, 1}, inputs),
                 3 * static_cast<std::size_t>(n) + 5 * interior + 3 * all);
    check(t, {2, 1, 0}, inputs);
  }
}

/// Boundaries that are not like the inside: padded, or by another input.
TEST(BlockJacobian, Boundaries) {
  std::mt19937 random(3);
  const std::int64_t n = 20;
  Builder builder;
  const Expr x{&builder, builder.input("x", {n})};
  const Expr left{&builder, builder.input("left", {1})};
  const Expr zero{&builder, builder.constant(0, {1})};
  const Expr y = exp(x);
  const Expr before = concat({left, ranged(y, 0, 0, n - 1)}, 0);
  const Expr after = concat({ranged(y, 0, 1, n - 1), zero}, 0);
  const Expr spread = place(x, {{1, 2 * n + 1, 2}});
  const TapePtr t =
      builder.finish({{"r", (before * after - square(y)).id}, {"p", (spread * spread + 1.0).id}});
  const Arrays inputs = {randomValues(random, n), {0.3}};
  expectSparse(check(t, {0, 1}, inputs), static_cast<std::size_t>(3 * n - 1 + n));
}

/// Two gathers that hit one element in some instances, and one place in the Jacobian.
TEST(BlockJacobian, RepeatedPlaces) {
  std::mt19937 random(4);
  const std::int64_t n = 60;
  Builder builder;
  const Expr x{&builder, builder.input("x", {5, 2})};
  const Expr a = randomIndices(builder, random, n, 5), b = randomIndices(builder, random, n, 5);
  const Expr d = gather(x, a, 0) * 2.0 - exp(gather(x, b, 0));
  const TapePtr t = builder.finish({{"d", sum(square(d), {1}).id}, {"all", d.id}});
  const BlockJacobian found = check(t, {0}, {randomValues(random, 10)});
  EXPECT_LT(found.pattern.columnIndex.size(), static_cast<std::size_t>(4 * n + 4 * n));
  expectSparse(found, found.pattern.columnIndex.size());
}

/// Instances with arrays inside.
TEST(BlockJacobian, ArraysInInstances) {
  std::mt19937 random(5);
  const std::int64_t n = 9;
  Builder builder;
  const Expr x{&builder, builder.input("x", {n, 4})};
  const Expr w{&builder, builder.input("w", {3, 4})};
  const Expr v{&builder, builder.input("v", {n, 3, 2})};
  const Expr bias{&builder, builder.input("bias", {3})};
  const Expr hidden = tanh(batchMatmul(x, transpose(w, {1, 0})) + broadcastTo(bias, {n, 3}));
  const Expr each = reshape(batchMatmul(reshape(hidden, {n, 1, 3}), v), {n, 2});
  const Expr soft = apply(Op::Softmax, {x}, {1});
  const Expr runs = cumsum(x, 1, true) * linearRecurrence(x, square(x), 1, false);
  const Expr most = reduceMax(x, {1}) - reduceMin(exp(x), {1});
  const Expr norm = apply(Op::Norm, {x}, {2, 0, 1});
  const Expr folded = sum(reshape(each, {n, 2, 1}) * reshape(x, {n, 1, 4}), {1, 2});
  const TapePtr t = builder.finish({{"each", transpose(each, {1, 0}).id},
                                    {"soft", soft.id},
                                    {"runs", runs.id},
                                    {"most", most.id},
                                    {"norm", norm.id},
                                    {"folded", folded.id}});
  const Arrays inputs = {randomValues(random, n * 4), randomValues(random, 12),
                         randomValues(random, n * 6), randomValues(random, 3)};
  const BlockJacobian found = check(t, {0, 1, 2, 3}, inputs);
  // each: x, w, 3 of v and bias; runs: a triangle and, but at the end, all to the right.
  const std::size_t row = 4 + 12 + 3 + 3;
  const std::size_t folded_ = 4 + 12 + 6 + 3;
  expectSparse(found, static_cast<std::size_t>(n) * (2 * row + 16 + 16 + 4 + 4 + folded_));
  // Ties share the derivative, as in the dense one.
  Arrays ties = inputs;
  std::ranges::fill(ties[0], 0.5);
  check(t, {0}, ties);
}

/// Instances too long to be written out: layers of a network, whose inputs are gathered.
TEST(BlockJacobian, LongInstances) {
  std::mt19937 random(8);
  const std::int64_t n = 4, width = 34;
  Builder builder;
  const Expr x{&builder, builder.input("x", {3, width})};
  const Expr w{&builder, builder.input("w", {width, width})};
  const Expr own{&builder, builder.input("own", {n, 2})};
  const Expr shared{&builder, builder.input("shared", {})};
  const Expr rows = gather(x, randomIndices(builder, random, n, 3), 0);
  const Expr scale = broadcastTo(exp(shared) * 0.1, {n, width});
  const Expr first = tanh(batchMatmul(rows, w) * scale);
  const Expr second = sin(batchMatmul(first, transpose(w, {1, 0})) * scale);
  const Expr third = batchMatmul(apply(Op::Softmax, {second}, {1}), w) *
                     broadcastTo(reshape(column(own, 1), {n, 1}), {n, width});
  const Expr two = ranged(third, 1, 3, 2) * own;
  const TapePtr t = builder.finish({{"two", transpose(two, {1, 0}).id}});
  const Arrays inputs = {randomValues(random, 3 * width),
                         randomValues(random, width * width, -1, 1),
                         randomValues(random, n * 2),
                         {0.5}};
  // own: the two elements of `own` are one by one, and the second is there two times.
  expectSparse(check(t, {0, 2, 3}, inputs), static_cast<std::size_t>(2 * n * (width + 2 + 1)));
  expectSparse(check(t, {0, 1}, inputs), static_cast<std::size_t>(2 * n * (width + width * width)));
}

/// Functions with derivative rules of their own are mapped with them.
TEST(BlockJacobian, CustomInInstances) {
  std::mt19937 random(9);
  const TapePtr primal = [] {
    Builder builder;
    const Expr a{&builder, builder.input("a", {2})};
    const Expr b{&builder, builder.input("b", {})};
    return builder.finish({{"y", (sin(a) * b).id}, {"z", (sum(a, {0}) * square(b)).id}});
  }();
  const std::int64_t n = 7;
  for (const auto& [hasJvp, hasVjp] : {std::pair{true, false}, {false, true}, {true, true}}) {
    Builder inner;
    const Expr a{&inner, inner.input("a", {2})};
    const Expr b{&inner, inner.input("b", {})};
    const auto called = callCustom(inner, makeRule(primal, hasJvp, hasVjp), {exp(a), b});
    const TapePtr one = inner.finish({{"y", (called[0] * called[1]).id}, {"z", called[1].id}});
    Builder builder;
    const Expr x{&builder, builder.input("x", {5, 2})};
    const Expr shared{&builder, builder.input("shared", {})};
    const Expr rows = gather(x, randomIndices(builder, random, n, 5), 0);
    const auto results =
        inlineTape(builder, *vmap(one, n, {true, false}), std::vector<NodeId>{rows.id, shared.id});
    const Expr z{&builder, results[1]};
    const TapePtr t = builder.finish({{"y", results[0]}, {"z", (z - rolled(z, 0, 2)).id}});
    // In z two instances can be of one row.
    const BlockJacobian found =
        check(t, {0, 1}, {randomValues(random, 10), randomValues(random, 1)});
    EXPECT_EQ(denseBy(found), kNoNode);
    EXPECT_LE(found.pattern.columnIndex.size(), static_cast<std::size_t>(n * (2 * 3 + 5)));
  }
}

TEST(BlockJacobian, AssembledForces) {
  std::mt19937 random(6);
  const std::int64_t n = 30;
  Builder builder;
  const Expr x{&builder, builder.input("x", {n, 2})};
  const Expr a = randomIndices(builder, random, 25, n), b = randomIndices(builder, random, 25, n);
  const Expr force = sin(gather(x, a, 0) - gather(x, b, 0));
  const Expr total = scatterSum(a, force, 0, n) - scatterSum(b, force, 0, n);
  const TapePtr t = builder.finish({{"total", (total + x * 0.5).id}});
  const BlockJacobian found = check(t, {0}, {randomValues(random, n * 2)});
  expectSparse(found, found.pattern.columnIndex.size());
  EXPECT_LE(found.pattern.columnIndex.size(), static_cast<std::size_t>(2 * (n + 2 * 25 + 50)));
}

/// Where derivatives are infinite, or are none, they are as in the dense Jacobian.
TEST(BlockJacobian, SingularPoints) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {6})};
  const Expr y{&builder, builder.input("y", {6})};
  const Expr isPositive = apply(Op::Greater, {x, full(x, 0)});
  const Expr root = apply(Op::Where, {isPositive, sqrt(x), full(x, 0)});
  const TapePtr t = builder.finish({{"root", (root * y).id},
                                    {"abs", (abs(x) + sqrt(y)).id},
                                    {"power", pow(x, y).id},
                                    {"max", apply(Op::Maximum, {x, y}).id},
                                    {"hypot", hypot(x, y).id},
                                    {"stop", (stopGradient(square(x)) * x).id}});
  check(t, {0, 1}, {{0, 0, 1, 2, -0.0, 3}, {0, 1, 1, 2, 0, 0}});
}

TEST(BlockJacobian, EmptyRowsAndShapes) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {4})};
  const Expr k{&builder, builder.input("k", {3})};
  const Expr none{&builder, builder.input("none", {0, 2})};
  const TapePtr t = builder.finish({{"k", exp(k).id},
                                    {"floor", floor(x).id},
                                    {"flag", apply(Op::Greater, {x, full(x, 1)}).id},
                                    {"none", square(none).id},
                                    {"x", x.id},
                                    {"sums", sum(none, {0}).id},
                                    {"nothing", sum(none, {1}).id}});
  const Arrays inputs = {{1, 2, 3, 4}, {1, 2, 3}, {}};
  expectSparse(check(t, {0, 2}, inputs), 4);
  expectSparse(check(t, {2}, inputs), 0);
}

/// What mixes instances is dense, and right; the rest stays sparse.
TEST(BlockJacobian, DenseParts) {
  std::mt19937 random(7);
  const std::int64_t n = 600;
  const auto dense = [&](auto make, Op cause) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {n})};
    const Expr k{&builder, builder.input("k", {3})};
    const Expr y = make(builder, x);
    const TapePtr t = builder.finish({{"y", (y * sum(k, {0})).id}, {"x", square(x).id}});
    Arrays inputs = {randomValues(random, n), randomValues(random, 3)};
    const BlockJacobian found = blockJacobian(t, Positions{0, 1});
    ASSERT_NE(denseBy(found), kNoNode);
    EXPECT_EQ(opOf(t->node(denseBy(found))), cause);
    const std::size_t rows = static_cast<std::size_t>(t->count(t->outputs()[0].node));
    EXPECT_EQ(found.pattern.columnIndex.size(), rows * (n + 3) + n);
    const Values values = evaluate(found.tape, inputs)[0];
    const Values all = denseOf(t, {0, 1}, inputs);
    double worst = 0;
    for (std::size_t row = 0; row < rows + n; ++row) {
      for (auto i = found.pattern.rowIndex[row]; i < found.pattern.rowIndex[row + 1]; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const double other =
            all[row * (n + 3) + static_cast<std::size_t>(found.pattern.columnIndex[at])];
        worst = std::max(worst, std::abs(values[at] - other));
      }
    }
    EXPECT_LT(worst, 1e-12);
  };
  dense([](Builder&, Expr x) { return sliceAxis(apply(Op::Softmax, {x}, {0}), 0, {0, 40, 1}); },
        Op::Sum);
  dense([](Builder&, Expr x) { return sliceAxis(cumsum(x, 0, false), 0, {0, 30, 1}); }, Op::CumSum);
  dense(
      [](Builder&, Expr x) {
        const Expr order = apply(Op::ArgSort, {x}, {0});
        return sliceAxis(gather(x, order, 0), 0, {0, 30, 1});
      },
      Op::Gather);
}

/// Neither a long chain nor a long list of outputs is work for the stack.
TEST(BlockJacobian, LongTapes) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {3})};
  Expr y = x;
  for (int i = 0; i < 50'000; ++i) y = sin(y) + x;
  const TapePtr t = builder.finish({{"y", y.id}, {"s", sum(y, {0}).id}});
  const BlockJacobian found = blockJacobian(t, Positions{0});
  EXPECT_EQ(found.pattern.columnIndex.size(), 6u);
  EXPECT_NE(denseBy(found), kNoNode);
}

/// Functions of random movements of inputs, elementwise operations and sums within instances.
TEST(BlockJacobian, RandomMappedFunctions) {
  const auto seeds =
      static_cast<unsigned>(countFromEnvironment("ADJOINT_SEEDS", isInstrumented() ? 10 : 100));
  for (unsigned seed = 0; seed < seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto pick = [&](std::uint64_t limit) {
      return static_cast<std::int64_t>(random() % limit);
    };
    const std::int64_t n = 1 + pick(14), m = 1 + pick(4), rows = 1 + pick(9);
    Builder builder;
    const Expr x{&builder, builder.input("x", {n, m})};
    const Expr table{&builder, builder.input("table", {rows, m})};
    const Expr shared{&builder, builder.input("shared", {m})};
    const Expr data{&builder, builder.input("data", {n, m})};
    std::vector<Expr> pool = {x, gather(table, randomIndices(builder, random, n, rows), 0),
                              broadcastTo(shared, {n, m}), data};
    const std::int64_t steps = 4 + pick(16);
    for (std::int64_t step = 0; step < steps; ++step) {
      const Expr a = pool[static_cast<std::size_t>(pick(pool.size()))];
      const Expr b = pool[static_cast<std::size_t>(pick(pool.size()))];
      const auto made = [&]() -> Expr {
        switch (pick(13)) {
          case 0:
            return a * b;
          case 1:
            return a - b;
          case 2:
            return tanh(a);
          case 3:
            return apply(Op::Where, {apply(Op::Greater, {a, b}), sqrt(abs(a)), b});
          case 4:
            return rolled(a, 0, pick(static_cast<std::uint64_t>(n)));
          case 5:
            return flip(a, {pick(2)});
          case 6:
            return gather(a, randomIndices(builder, random, n, n), 0);
          case 7:
            return broadcastTo(sumKeep(a, {1}), {n, m});
          case 8:
            return batchMatmul(a, batchMatmul(transpose(table, {1, 0}), table)) * 0.1;
          case 9: {
            const std::int64_t start = pick(static_cast<std::uint64_t>(n));
            return place(ranged(a, 0, start, n - start), {{start, n, 1}, {0, m, 1}});
          }
          case 10:
            return cumsum(a, 1, pick(2) == 0) * 0.3;
          case 11:
            return broadcastTo(reshape(reduceMax(a, {1}), {n, 1}), {n, m});
          default:
            return sin(a) + b;
        }
      };
      pool.push_back(made());
    }
    const Expr last = pool.back();
    const Expr other = pool[pool.size() - 2];
    const TapePtr t = builder.finish({{"a", last.id},
                                      {"b", transpose(other, {1, 0}).id},
                                      {"c", sum(last * other, {1}).id},
                                      {"d", concat({other, last}, pick(2)).id}});
    const Arrays inputs = {randomValues(random, n * m, -1, 1), randomValues(random, rows * m),
                           randomValues(random, m), randomValues(random, n * m)};
    const bool wasRight = !::testing::Test::HasFailure();
    check(t, {0, 1, 2}, inputs, 1e-11, false);
    if (wasRight && ::testing::Test::HasFailure()) {
      ADD_FAILURE() << "seed " << seed << "\n" << t->toString();
      break;
    }
  }
}

/// Any function at all.
TEST(BlockJacobian, RandomTapes) {
  const std::uint64_t seeds = countFromEnvironment("ADJOINT_SEEDS", isInstrumented() ? 10 : 100);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    const RandomTape drawn = randomTape(5000 + seed, {5, 60, 24});
    Positions wrt;
    for (std::size_t i = 0; i < drawn.tape->inputs().size(); ++i) {
      if (drawn.tape->node(drawn.tape->inputs()[i].node).dtype == DType::F64) wrt.push_back(i);
    }
    check(drawn.tape, wrt, drawn.inputs, 1e-9, false);
    if (::testing::Test::HasFailure()) {
      ADD_FAILURE() << "seed " << seed << "\n" << drawn.tape->toString();
      break;
    }
  }
}

}  // namespace
}  // namespace adjoint::testing

// Loops over blocks of lanes, and functions written out element by element: Evaluator compares each
// with a plain plan of the same tape, to the bit.
#include "plan/lanes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ops/build.h"
#include "plan/contract.h"
#include "plan/scalarize.h"
#include "test/support/evaluator.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;
using Positions = std::vector<std::size_t>;

Values numbers(std::int64_t n, double from, double step) {
  Values result;
  for (std::int64_t i = 0; i < n; ++i)
    result.push_back(from + step * static_cast<double>(i * 7919 % 1000) / 1000);
  return result;
}

bool hasLoops(const TapePtr& t) {
  const TapePtr formed = formLanes(contractMultiplyAdds(t));
  return std::ranges::any_of(formed->nodes(),
                             [](const Node& node) { return opOf(node) == Op::Lanes; });
}

/// Squared error of an offset and three Gaussians on 20 points.
TapePtr curve() {
  Builder builder;
  const Expr p{&builder, builder.input("p", {10})};
  const Expr y{&builder, builder.input("y", {20})};
  const Expr t{&builder, builder.data(numbers(20, -2, 4), {20})};
  const auto at = [&](std::int64_t i) { return broadcastTo(sliceAxis(p, 0, {i, 1, 1}), {20}); };
  Expr model = at(0);
  for (std::int64_t k = 0; k < 3; ++k) {
    const Expr z = t - at(3 + 3 * k);
    model = model + at(1 + 3 * k) * exp(-(at(2 + 3 * k) * square(z)));
  }
  return builder.finish({{"error", sum(square(model - y), {0}).id}});
}

TEST(Lanes, ABatchOfGradientsIsOneLoop) {
  const TapePtr gradient = valueAndGrad(curve(), Positions{0});
  for (const std::int64_t lanes : {32, 100, 1000, 2601}) {
    const TapePtr batch = vmap(gradient, lanes, {true, true});
    EXPECT_TRUE(hasLoops(batch));
    Evaluator evaluator(batch);
    EXPECT_EQ(evaluator.plan().steps.size(), 1u) << evaluator.plan().toString();
    const Arrays all = evaluator({numbers(10 * lanes, 0.1, 1), numbers(20 * lanes, -1, 2)});
    // And a lane is the single function.
    const Values p = numbers(10 * lanes, 0.1, 1), y = numbers(20 * lanes, -1, 2);
    const std::int64_t lane = lanes - 1;
    const Arrays one =
        evaluate(gradient, {Values(p.begin() + lane * 10, p.begin() + lane * 10 + 10),
                            Values(y.begin() + lane * 20, y.begin() + lane * 20 + 20)});
    EXPECT_EQ(all[0][static_cast<std::size_t>(lane)], one[0][0]);
    for (std::size_t i = 0; i < 10; ++i)
      EXPECT_EQ(all[1][static_cast<std::size_t>(lane) * 10 + i], one[1][i]);
  }
}

/// A mixture of k Gaussians in d dimensions on n points, points as columns or as rows.
TapePtr mixture(std::int64_t d, std::int64_t k, std::int64_t n, bool pointsAreRows) {
  Builder builder;
  const Expr x{&builder, builder.input("x", pointsAreRows ? Shape{n, d} : Shape{d, n})};
  const Expr factor{&builder, builder.input("l", {k * d, d})};
  const Expr alpha{&builder, builder.input("alpha", {k})};
  const Expr columns = pointsAreRows ? transpose(x, {1, 0}) : x;
  const Expr z = reshape(batchMatmul(factor, columns), {k, d, n});
  const Expr terms = broadcastTo(reshape(alpha, {k, 1}), {k, n}) - 0.5 * sum(square(z), {1});
  const Expr largest = stopGradient(reduceMax(terms, {0}));
  const Expr shifted = terms - broadcastTo(reshape(largest, {1, n}), {k, n});
  const Expr likelihood = log(sum(exp(shifted), {0})) + largest;
  return builder.finish({{"f", sum(likelihood, {0}).id}});
}

TEST(Lanes, PointsOfAMixture) {
  for (const bool pointsAreRows : {false, true}) {
    for (const std::int64_t n : {40, 333, 5000}) {
      const TapePtr t = valueAndGrad(mixture(3, 4, n, pointsAreRows), Positions{0, 1, 2});
      EXPECT_TRUE(hasLoops(t));
      evaluate(t, {numbers(3 * n, -1, 2), numbers(36, -1, 2), numbers(4, 0, 1)});
    }
  }
  // Too many operations to write out.
  const TapePtr large = valueAndGrad(mixture(10, 12, 200, true), Positions{1, 2});
  EXPECT_TRUE(hasLoops(large));
  evaluate(large, {numbers(2000, -1, 2), numbers(1200, -1, 2), numbers(12, 0, 1)});
}

/// Sums over lanes that lanes use again: two loops, one after the other.
TEST(Lanes, LoopsThatWaitForEachOther) {
  Builder builder;
  const std::int64_t n = 500, m = 6;
  const Expr x{&builder, builder.input("x", {n, m})};
  const Expr s = sum(exp(x), {1});
  const Expr total = sum(s, {0});
  const Expr share = s / broadcastTo(total, {n});
  const Expr rows = x * broadcastTo(reshape(share, {n, 1}), {n, m});
  const TapePtr t = builder.finish(
      {{"f", sum(square(sum(rows, {1})), {0}).id}, {"rows", cumsum(rows, 1, false).id}});
  EXPECT_TRUE(hasLoops(t));
  evaluate(t, {numbers(n * m, -1, 2)});
  evaluate(vjp(t, Positions{0}), {numbers(n * m, -1, 2), {1.5}, numbers(n * m, -1, 3)});
}

/// Sums whose terms are lanes and more, of every length that has a rule of its own.
TEST(Lanes, SumsOverLanesKeepTheirOrder) {
  for (const std::int64_t n : {40, 1000, 5000, 9000}) {
    for (const std::int64_t m : {3, 5, 64}) {
      Builder builder;
      const Expr x{&builder, builder.input("x", {n, m, 2})};
      const Expr centered =
          x - broadcastTo(reshape(sum(x, {1}) / static_cast<double>(m), {n, 1, 2}), {n, m, 2});
      const Expr weighted = centered * cumsum(centered, 1, true);
      const TapePtr t = builder.finish({{"all", sum(weighted, {0, 1, 2}).id},
                                        {"first", sum(weighted, {0, 1}).id},
                                        {"lanes", sum(weighted, {0}).id},
                                        {"largest", reduceMax(weighted, {0, 2}).id},
                                        {"rest", sum(weighted, {1, 2}).id}});
      EXPECT_TRUE(hasLoops(t));
      evaluate(t, {numbers(n * m * 2, -1, 2)});
    }
  }
}

/// Products of two matrices of a lane, and one with a matrix that all lanes share, from either
/// side.
TEST(Lanes, ProductsOfMatrices) {
  const std::int64_t n = 70;
  for (const std::int64_t m : {3, 20}) {
    Builder builder;
    const Expr a{&builder, builder.input("a", {n, m, m})};
    const Expr b{&builder, builder.input("b", {n, m, m})};
    const Expr shared{&builder, builder.input("s", {m, m})};
    const Expr product = batchMatmul(a, b);
    const Expr left = batchMatmul(broadcastTo(reshape(shared, {1, m, m}), {n, m, m}), product);
    const Expr right = batchMatmul(product, broadcastTo(reshape(shared, {1, m, m}), {n, m, m}));
    const TapePtr t = builder.finish({{"f", sum(square(left) * right, {1, 2}).id}});
    EXPECT_TRUE(hasLoops(t)) << m;
    const Arrays inputs = {numbers(n * m * m, -1, 2), numbers(n * m * m, -2, 3),
                           numbers(m * m, -1, 2)};
    evaluate(t, inputs);
    Arrays seeds = inputs;
    seeds.push_back(numbers(n, 0.5, 1));
    evaluate(vjp(t, Positions{0, 1, 2}), seeds);
  }
}

/// Products of matrices that differ by lane are steps of the loop, and so are those of their
/// gradients: whatever the shapes, and wherever the operands are.
TEST(Lanes, ProductsOfLanes) {
  const auto isOfLanes = [](const Step& step) {
    const auto* product = std::get_if<MatMulStep>(&step);
    return product != nullptr && product->isOfLanes;
  };
  const std::int64_t lanes = 70;
  const Shape shapes[] = {{20, 18, 19}, {40, 50, 1}, {1, 60, 30}, {40, 2, 40}, {6, 128, 6}};
  for (const Shape& shape : shapes) {
    const std::int64_t m = shape[0], k = shape[1], n = shape[2];
    Builder builder;
    const Expr a{&builder, builder.input("a", {m, k})};
    const Expr b{&builder, builder.input("b", {n, k + 2})};
    const Expr part = slice(b, {{0, n, 1}, {1, k, 1}});
    const Expr c = batchMatmul(flip(a, {1}), transpose(part, {1, 0}));
    const Expr again = batchMatmul(transpose(c, {1, 0}), sin(a));
    const TapePtr one =
        builder.finish({{"f", sum(square(c), {0, 1}).id}, {"g", sum(square(again), {0, 1}).id}});
    for (const TapePtr& t : {one, vjp(one, Positions{0, 1})}) {
      const TapePtr batch = vmap(t, lanes, std::vector<bool>(t->inputs().size(), true));
      Evaluator evaluator(batch);
      std::int64_t products = 0;
      for (const Step& step : evaluator.plan().steps) {
        if (const auto* loop = std::get_if<LaneStep>(&step))
          products += std::ranges::count_if(loop->plan->steps, isOfLanes);
      }
      EXPECT_GE(products, 2) << evaluator.plan().toString();
      Arrays inputs = {numbers(lanes * m * k, -1, 2), numbers(lanes * n * (k + 2), -2, 3)};
      while (inputs.size() < t->inputs().size()) inputs.push_back(numbers(lanes, 0.5, 1));
      evaluator(inputs);
    }
  }
}

/// Values that are joined end to end are written where they belong.
TEST(Lanes, PiecesInPlace) {
  const std::int64_t n = 100;
  for (const bool isOutput : {true, false}) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {n, 5})};
    const Expr scaled = cumsum(exp(x), 1, false);
    const Expr total = sum(scaled, {1});
    const Expr rows = reshape(scaled / broadcastTo(reshape(total, {n, 1}), {n, 5}), {5 * n});
    const Expr joined = concat({rows, total * total, total}, 0);
    const Expr result = isOutput ? joined : sum(flip(joined * joined, {0}), {0});
    const TapePtr t = builder.finish({{"result", result.id}, {"total", total.id}});
    EXPECT_TRUE(hasLoops(t));
    Evaluator evaluator(t);
    evaluator({numbers(5 * n, -1, 2)});
    // Only what is given twice is copied.
    if (isOutput) {
      EXPECT_EQ(evaluator.plan().steps.size(), 2u) << evaluator.plan().toString();
    }
  }
}

/// Rows that every lane picks from tables belong to the loop, and so do their derivatives.
TEST(Lanes, GatheredRows) {
  for (const std::int64_t n : {33, 100, 1000}) {
    Builder builder;
    const Expr cameras{&builder, builder.input("cameras", {7, 11})};
    const Expr points{&builder, builder.input("points", {2, 50, 3})};
    const auto pick = [&](std::int64_t rows, std::int64_t step) {
      Values table;
      for (std::int64_t i = 0; i < n; ++i) table.push_back(static_cast<double>(i * step % rows));
      return Expr{&builder, builder.data(table, {n})};
    };
    const Expr camera = gather(cameras, pick(7, 3), 0);
    const Expr point = gather(points, pick(50, 19), 1);
    const auto of = [&](std::int64_t i) { return reshape(sliceAxis(camera, 1, {i, 1, 1}), {n}); };
    const Expr at = broadcastTo(reshape(sliceAxis(camera, 1, {3, 3, 1}), {1, n, 3}), {2, n, 3});
    const Expr distance = sqrt(sum(square(point - at), {2}));
    std::vector<Expr> rows;
    for (std::int64_t i = 0; i < 6; ++i) rows.push_back(reshape(of(i) * sin(of(10 - i)), {n, 1}));
    const TapePtr t = builder.finish(
        {{"rows", concat(rows, 1).id}, {"f", sum(distance * broadcastTo(of(6), {2, n}), {0}).id}});
    EXPECT_TRUE(hasLoops(t));
    const Arrays inputs = {numbers(77, -1, 2), numbers(300, -1, 2)};
    EXPECT_EQ(makePlan(t, {.byRow = false})->steps.size(), 1u);
    evaluate(t, inputs);
    Arrays seeds = inputs;
    seeds.push_back(numbers(6 * n, 0.5, 1));
    seeds.push_back(numbers(n, 0.5, 1));
    evaluate(vjp(t, Positions{0, 1}), seeds);
  }
}

/// A loop computes products that contract over its lanes, of every length that has a rule.
TEST(Lanes, ProductsOverLanes) {
  for (const std::int64_t n : {40, 128, 129, 1000, 4096, 9000}) {
    for (const std::int64_t m : {1, 5, 17}) {
      Builder builder;
      const Expr x{&builder, builder.input("x", {n, 6})};
      const Expr shared{&builder, builder.input("s", {6, m})};
      const Expr y = batchMatmul(x, shared);
      const Expr weights = exp(y) / broadcastTo(reshape(sum(exp(y), {1}), {n, 1}), {n, m});
      const Expr product = batchMatmul(transpose(weights, {1, 0}), x);
      const Expr batch =
          batchMatmul(transpose(reshape(weights * y, {n, m, 1}), {1, 2, 0}),
                      transpose(broadcastTo(reshape(x * x, {n, 1, 6}), {n, m, 6}), {1, 0, 2}));
      const TapePtr t = builder.finish(
          {{"product", product.id}, {"batch", batch.id}, {"sum", sum(weights, {0}).id}});
      EXPECT_TRUE(hasLoops(t));
      const Arrays inputs = {numbers(n * 6, -1, 2), numbers(6 * m, -1, 2)};
      evaluate(t, inputs);
      Arrays seeds = inputs;
      seeds.push_back(numbers(m * 6, 0.5, 1));
      seeds.push_back(numbers(m * 6, 0.5, 1));
      seeds.push_back(numbers(m, 0.5, 1));
      evaluate(vjp(t, Positions{0, 1}), seeds);
    }
  }
}

std::int64_t loopsOf(const TapePtr& t) {
  const TapePtr formed = formLanes(contractMultiplyAdds(t));
  return std::ranges::count_if(formed->nodes(),
                               [](const Node& node) { return opOf(node) == Op::Lanes; });
}

/// What is done for each vertex, with a product, and then for each of more points between them; and
/// small sums beside, which are no loop.
TEST(Lanes, SeveralIndicesHaveLoops) {
  const std::int64_t vertices = 300, points = 700;
  Builder builder;
  const Expr x{&builder, builder.input("x", {vertices, 5})};
  const Expr a{&builder, builder.input("a", {5, 6})};
  const Expr w{&builder, builder.input("w", {points, 6})};
  const Expr l{&builder, builder.input("l", {64, 64})};
  std::vector<double> ends[2];
  for (std::int64_t i = 0; i < points; ++i) {
    ends[0].push_back(static_cast<double>(i * 7 % vertices));
    ends[1].push_back(static_cast<double>(i * 11 % vertices));
  }
  const Expr raised = exp(batchMatmul(x * x, a));
  const Expr rows = raised / broadcastTo(reshape(sum(raised, {1}), {vertices, 1}), {vertices, 6});
  const auto at = [&](int end) {
    return gather(rows, {&builder, builder.data(ends[end], {points})}, 0);
  };
  const Expr between = at(0) * w + at(1) * (1.0 - w);
  const Expr lengths = sqrt(sum(square(between), {1}) + sum(abs(between), {1}));
  const Expr small = sum(l * l, {1}) * sum(exp(l), {1});
  const TapePtr t = builder.finish({{"lengths", lengths.id}, {"small", sum(small, {0}).id}});
  EXPECT_EQ(loopsOf(t), 2);
  const Arrays inputs = {numbers(5 * vertices, -1, 2), numbers(30, -1, 2),
                         numbers(6 * points, 0, 1), numbers(64 * 64, -1, 2)};
  evaluate(t, inputs);
  Arrays seeds = inputs;
  seeds.push_back(numbers(points, 0.5, 1));
  seeds.push_back({1});
  evaluate(vjp(t, Positions{0, 1, 2, 3}), seeds);
}

/// Numbers among which some are equal, some NaN, some infinite, and zeros have both signs.
Values awkward(std::int64_t n) {
  constexpr double kSome[] = {1, -2, 0.0, -0.0, NAN, INFINITY, -INFINITY, -2, 5, 5};
  Values result;
  for (std::int64_t i = 0; i < n; ++i) result.push_back(kSome[i * 7919 % 1000 % 10]);
  return result;
}

TEST(Lanes, TheBestOfManyIsFoundInLanes) {
  for (const Op op : {Op::ArgMin, Op::ArgMax}) {
    for (const std::int64_t k : {1, 2, 3, 8, 13, 40}) {
      Builder builder;
      const Expr points{&builder, builder.input("p", {1000, 3})};
      const Expr places{&builder, builder.input("c", {k, 3})};
      const Expr all = batchMatmul(places, transpose(points, {1, 0})) + 1.0;
      const Expr best = apply(op, {all * all}, {0});
      const Expr rows = gather(places, best, 0);
      const TapePtr t =
          builder.finish({{"best", best.id}, {"sum", sum(square(points - rows), {0, 1}).id}});
      EXPECT_TRUE(hasLoops(t) || k == 1);
      const Arrays inputs = {numbers(3000, -1, 2), numbers(3 * k, -1, 2)};
      evaluate(t, inputs);
      evaluate(t, {awkward(3000), awkward(3 * k)});
      Arrays seeds = inputs;
      seeds.push_back(Values(1000, 0.0));
      seeds.push_back({1});
      evaluate(vjp(t, Positions{1}), seeds);
    }
  }
}

TEST(Scalars, TheBestOfFewIsTheFirstOfThem) {
  for (const Op op : {Op::ArgMin, Op::ArgMax}) {
    for (const std::int64_t n : {1, 2, 5, 16, 17, 33}) {
      Builder builder;
      const Expr x{&builder, builder.input("x", {n, 2})};
      const TapePtr t = builder.finish({{"best", apply(op, {x}, {0}).id}});
      EXPECT_GE(scalarOperations(*t, 1000), 0);
      for (std::int64_t shift = 0; shift < 10; ++shift) {
        Values values = awkward(2 * n + shift);
        values.erase(values.begin(), values.begin() + shift);
        evaluate(t, {values});
      }
    }
  }
}

/// A position in a longer axis is none in this one.
TEST(Lanes, RowsByPositionsInALongerAxisAreChecked) {
  for (const std::int64_t rows : {4, 40}) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {rows, 6})};
    const Expr scores{&builder, builder.input("s", {1000, 40})};
    const Expr taken = gather(x, apply(Op::ArgMax, {scores}, {1}), 0);
    const Expr weights =
        exp(taken) / broadcastTo(reshape(sum(exp(taken), {1}), {1000, 1}), {1000, 6});
    Evaluator evaluator(builder.finish({{"f", sum(weights * taken, {0, 1}).id}}));
    Values values(40000, 0.0);
    for (std::size_t lane = 0; lane < 1000; ++lane) values[lane * 40 + 39] = 1;
    Arrays outputs;
    const RunStatus status = evaluator.tryRun({numbers(6 * rows, -1, 2), values}, outputs);
    EXPECT_EQ(status.ok, rows == 40);
    if (!status.ok) {
      EXPECT_EQ(status.code, ErrorCode::Index);
    }
  }
}

/// Every step waits for the sum of the one before: as many loops would each need a plan of their
/// own.
TEST(Lanes, ALongChainOfLoopsIsNotFormed) {
  Builder builder;
  Expr x{&builder, builder.input("x", {100, 3})};
  for (int step = 0; step < 50; ++step) {
    const Expr total = sum(log(sum(exp(x), {1})), {0});
    x = x - 0.01 * broadcastTo(total, {100, 3});
  }
  const TapePtr t = builder.finish({{"x", x.id}});
  EXPECT_FALSE(hasLoops(t));
  evaluate(t, {numbers(300, -1, 1)});
}

TEST(Lanes, OneKernelNeedsNoLoop) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {1000, 4})};
  EXPECT_FALSE(hasLoops(builder.finish({{"f", sum(exp(x) * x, {0, 1}).id}})));
}

TEST(Scalars, SmallFunctionsAreOneScalarKernel) {
  const TapePtr t = valueAndGrad(curve(), Positions{0});
  Evaluator evaluator(t);
  ASSERT_EQ(evaluator.plan().steps.size(), 1u);
  EXPECT_EQ(std::get<Kernel>(evaluator.plan().steps[0]).points(), 1);
  evaluator({numbers(10, 0.1, 1), numbers(20, -1, 2)});
}

TEST(Scalars, OperationsAreCountedAndLimited) {
  const TapePtr t = curve();
  const std::int64_t n = scalarOperations(*t, 1000);
  EXPECT_GT(n, 300);
  EXPECT_LT(n, 500);
  EXPECT_EQ(scalarOperations(*t, n), n);
  EXPECT_EQ(scalarOperations(*t, n - 1), -1);
}

}  // namespace
}  // namespace adjoint::testing

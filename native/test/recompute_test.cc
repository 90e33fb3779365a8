// Cheap values that are cut and placed are computed where they are wanted: Evaluator compares with
// plans that store them, to the bit.
#include "plan/recompute.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ops/build.h"
#include "test/support/evaluator.h"
#include "test/support/numbers.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;
using Positions = std::vector<std::size_t>;

TapePtr rosenbrock(std::int64_t n) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {n})};
  const Expr a = sliceAxis(x, 0, {0, n - 1, 1}), b = sliceAxis(x, 0, {1, n - 1, 1});
  const Expr f = sum(100.0 * square(b - square(a)) + square(a - 1.0), {0});
  return builder.finish({{"f", f.id}});
}

TEST(Recompute, AChainsGradientIsStoredOnce) {
  for (const std::int64_t n : {40, 1000, 1030, 5000}) {
    Evaluator evaluator(valueAndGrad(rosenbrock(n), Positions{0}));
    EXPECT_EQ(evaluator.plan().tempDoubles, 0) << evaluator.plan().toString();
    EXPECT_EQ(evaluator.plan().steps.size(), 1u);
    evaluator({numbers(n)});
    evaluator({special(n)});
  }
}

TEST(Recompute, NothingIsWhatItWasBefore) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {100})};
  const TapePtr t = builder.finish({{"y", sliceAxis(exp(x), 0, {1, 99, 1}).id}});
  EXPECT_EQ(recomputeMoved(t), t);
}

/// Placed values are zero outside, whatever their operations make of zeros.
TEST(Recompute, OutsideThereAreZeros) {
  for (const std::int64_t step : {1, 3}) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {50})};
    const Expr y{&builder, builder.input("y", {200})};
    const std::vector<Range> ranges = {{7, 200, step}};
    Expr total = y * y;
    for (const Expr& value :
         {x - 1.0, -x, x * x, abs(x) - x * 0.5, where(less(x, 0.5), x, 2.0 * x)})
      total = total + place(value, ranges);
    const TapePtr t = builder.finish({{"y", total.id}, {"one", place(x + 3.0, ranges).id}});
    evaluate(t, {numbers(50), numbers(200)});
    evaluate(t, {special(50), special(200)});
  }
}

/// Differences of products on a grid, in both directions, of slices of slices.
TEST(Recompute, Grids) {
  Builder builder;
  const Expr u{&builder, builder.input("u", {40, 37})};
  const Expr v{&builder, builder.input("v", {40, 37})};
  const auto cut = [](const Expr& x, int axis, std::int64_t from, std::int64_t count) {
    return sliceAxis(x, axis, {from, count, 1});
  };
  const Expr w = u * v - u;
  const Expr down = cut(w, 0, 1, 39) - cut(w, 0, 0, 39);
  const Expr across = cut(w * 2.0, 1, 2, 35) + cut(w * 2.0, 1, 0, 35);
  const Expr inner =
      cut(cut(down, 1, 1, 35) * 3.0, 0, 0, 38) + cut(cut(across, 0, 1, 39), 0, 0, 38);
  const TapePtr t = builder.finish({{"f", sum(square(inner), {0, 1}).id}});
  evaluate(t, {numbers(1480), numbers(1480)});
  evaluate(valueAndGrad(t, Positions{0, 1}), {numbers(1480), numbers(1480)});
  evaluate(valueAndGrad(t, Positions{0, 1}), {special(1480), special(1480)});
}

/// Steps of steps: what is computed again does not grow with their number.
TEST(Recompute, LongChainsStayLinear) {
  Builder builder;
  Expr u{&builder, builder.input("u", {64})};
  for (int step = 0; step < 200; ++step) {
    const Expr left = sliceAxis(u, 0, {0, 63, 1}), right = sliceAxis(u, 0, {1, 63, 1});
    u = u + place(0.25 * (right - left), {{0, 64, 1}}) - place(0.25 * (right - left), {{1, 64, 1}});
  }
  const TapePtr t = builder.finish({{"u", u.id}});
  EXPECT_LT(recomputeMoved(t)->size(), 5 * t->size());
  evaluate(t, {numbers(64)});
}

}  // namespace
}  // namespace adjoint::testing

// Sums in the loops beside them, and in generated code: Evaluator compares with plans and code that
// have them apart, to the bit.
#include "plan/join.h"

#include <gtest/gtest.h>

#include "ops/build.h"
#include "plan/planner.h"
#include "test/support/evaluator.h"
#include "test/support/numbers.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;
using Positions = std::vector<std::size_t>;

Expr slice(const Expr& x, std::int64_t from, std::int64_t to) {
  return sliceAxis(x, 0, {from, to - from, 1});
}

/// Sums over neighbors, with their derivative.
TEST(Join, ValuesComeWithTheirDerivatives) {
  for (const std::int64_t n : {40, 63, 64, 65, 1000, 1025, 4096, 4097, 4098, 4113, 8193, 20000}) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {n})};
    const Expr a = slice(x, 0, n - 1), b = slice(x, 1, n);
    const Expr terms = square(a * b) - square(b - a) * 100.0;
    const TapePtr t = builder.finish({{"f", sum(terms, {0}).id}});
    Evaluator evaluator(valueAndGrad(t, Positions{0}));
    EXPECT_EQ(evaluator.plan().steps.size(), 1u) << evaluator.plan().toString();
    evaluator({numbers(n)});
    evaluator({special(n)});
  }
}

/// What is added up is also stored, and the largest looked for; or not all of it is added.
TEST(Join, SumsShareWhatTheyAdd) {
  for (const std::int64_t n : {17, 31, 32, 33, 500, 512, 513, 4096, 4112, 9999, 70000}) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {n})};
    const Expr y = x * x - 0.5;
    const Expr z = sin(x);
    Evaluator evaluator(builder.finish({{"y", y.id},
                                        {"most", reduceMax(z, {0}).id},
                                        {"all", sum(y, {0}).id},
                                        {"sines", sum(z, {0}).id},
                                        {"both", sum(y * z, {0}).id},
                                        {"squares", sum(y * y, {0}).id},
                                        {"cubes", sum(y * y * y, {0}).id}}));
    evaluator({numbers(n)});
    evaluator({special(n)});
  }
}

/// Not where one waits for the other, or where they have little in common.
TEST(Join, LoopsThatDependOnEachOtherStayApart) {
  Builder builder;
  const std::int64_t n = 1000;
  const Expr x{&builder, builder.input("x", {n})};
  const Expr total = sum(slice(x, 0, n - 1), {0});
  const TapePtr t =
      builder.finish({{"y", (x / broadcastTo(reshape(total, {1}), {n})).id}, {"total", total.id}});
  EXPECT_EQ(makePlan(t)->steps.size(), 2u);
  Evaluator evaluator(t);
  evaluator({numbers(n)});
}

}  // namespace
}  // namespace adjoint::testing

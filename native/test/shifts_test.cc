// What neighbors compute too: Evaluator compares with plans that compute it again, to the bit.
#include "plan/shifts.h"

#include <gtest/gtest.h>

#include <random>

#include "ops/build.h"
#include "ops/op.h"
#include "test/support/evaluator.h"
#include "test/support/numbers.h"

namespace adjoint::testing {
namespace {

using namespace ex;

/// Elements that the operation is computed for.
std::int64_t elementsOf(const TapePtr& t, Op op) {
  std::int64_t count = 0;
  for (NodeId id = 0; id < t->size(); ++id) count += opOf(t->node(id)) == op ? t->count(id) : 0;
  return count;
}

Expr slice(const Expr& x, std::int64_t from, std::int64_t count) {
  return sliceAxis(x, 0, {from, count, 1});
}

TEST(Shifts, NeighborsShareWhatTheyCompute) {
  const std::int64_t n = 1000, m = n - 3;
  Builder builder;
  const Expr x{&builder, builder.input("x", {n})};
  std::vector<Expr> terms;
  for (std::int64_t k = 0; k < 3; ++k) {
    const Expr difference = slice(x, k, m) - slice(x, k + 1, m);
    terms.push_back(exp(sin(difference) * 0.5));
  }
  const TapePtr t = builder.finish({{"y", (terms[0] * terms[1] + terms[2]).id}});
  const TapePtr shared = shareShifts(t);
  EXPECT_EQ(elementsOf(t, Op::Exp), 3 * m);
  EXPECT_EQ(elementsOf(shared, Op::Exp), m + 2);
  EXPECT_EQ(elementsOf(shared, Op::Sin), m + 2);
  Evaluator evaluator(t);
  evaluator({numbers(n)});
  evaluator({special(n)});
}

TEST(Shifts, OthersStayAsTheyAre) {
  const std::int64_t n = 1000;
  Builder builder;
  const Expr x{&builder, builder.input("x", {n})};
  // Apart, of other steps, of a few elements, cheap, or of something else.
  const TapePtr t = builder.finish(
      {{"apart", (exp(slice(x, 0, 300)) + exp(slice(x, 301, 300))).id},
       {"steps", (sin(sliceAxis(x, 0, {0, 400, 2})) + sin(sliceAxis(x, 0, {1, 400, 2}))).id},
       {"few", (cos(slice(x, 0, 50)) + cos(slice(x, 1, 50))).id},
       {"cheap", (square(slice(x, 0, 400)) + square(slice(x, 1, 400))).id},
       {"other", (log(slice(x, 0, 400)) + log(slice(x * 2.0, 1, 400))).id}});
  EXPECT_EQ(shareShifts(t), t);
}

/// More than stays in a cache.
TEST(Shifts, LongListsAreComputedAgain) {
  const std::int64_t n = 3'000'000;
  Builder builder;
  const Expr x{&builder, builder.input("x", {n})};
  const TapePtr t = builder.finish({{"y", (exp(slice(x, 0, n - 1)) + exp(slice(x, 1, n - 1))).id}});
  EXPECT_EQ(shareShifts(t), t);
}

/// Sums of functions of functions of slices, with numbers and scalars in between.
TEST(Shifts, RandomFunctionsOfSlices) {
  std::mt19937 random(11);
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % n); };
  int found = 0;
  for (int round = 0; round < 100; ++round) {
    const std::int64_t n = 100 + below(200), m = n - 10;
    Builder builder;
    const Expr x{&builder, builder.input("x", {n})};
    const Expr z{&builder, builder.input("z", {n})};
    const Expr s = broadcastTo(Expr{&builder, builder.input("s", {})}, {m});
    std::vector<Expr> values;
    for (int k = 0; k < 30; ++k) {
      const auto pick = [&] {
        return values.empty() || below(3) == 0 ? slice(below(2) == 0 ? x : z, below(4), m)
                                               : values[static_cast<std::size_t>(below(
                                                     static_cast<std::int64_t>(values.size())))];
      };
      switch (below(7)) {
        case 0:
          values.push_back(pick() - slice(x, below(11), m));
          break;
        case 1:
          values.push_back(pick() * pick());
          break;
        case 2:
          values.push_back(exp(pick() * s));
          break;
        case 3:
          values.push_back(sin(pick()));
          break;
        case 4:
          values.push_back(where(less(pick(), 0.25), pick(), s));
          break;
        case 5:
          values.push_back(tanh(pick() + 0.125));
          break;
        default:
          values.push_back(exp(slice(x, below(11), m) - slice(z, below(11), m)));
      }
    }
    Expr total = values[0];
    for (const Expr& value : values) total = total + value;
    const TapePtr t = builder.finish({{"y", total.id}});
    found += shareShifts(t) != t;
    Evaluator evaluator(t);
    evaluator({numbers(n), special(n), {0.3}});
  }
  EXPECT_GT(found, 30);
}

}  // namespace
}  // namespace adjoint::testing

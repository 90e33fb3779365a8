// Negations and constant factors that join what follows: Evaluator compares with plans that keep
// them, to the bit.
#include "plan/signs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ops/build.h"
#include "test/support/evaluator.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;

/// Zeros of both signs, values that cancel, overflow and underflow.
constexpr double kSome[] = {0.0,     -0.0,    1.5,    -1.5, INFINITY, -INFINITY, NAN,      5e-324,
                            -1e-310, 1.7e308, -9e307, 3,    -0.25,    1.0 / 3,   -1.0 / 3, 2};

std::int64_t countOf(const TapePtr& t, Op op) {
  return std::ranges::count_if(t->nodes(), [&](const Node& node) { return opOf(node) == op; });
}

TEST(Signs, NegationsBecomeDifferences) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {4096})};
  const Expr y{&builder, builder.input("y", {4096})};
  const Expr z{&builder, builder.input("z", {4096})};
  std::vector<Port> outputs;
  const auto give = [&](const Expr& value) { outputs.push_back({"r", value.id}); };
  const Expr minus = -x;
  give(minus * y + z);
  give(z - minus * y);
  give(minus * (-y) - z);
  give((-x) / y + z);
  give((-x) + (-y));
  give(-(x * y) - z);
  give(z + (-(x * y)) * (-z));
  give(square(-x) + abs(-(x * y)));
  give(exp(-(x * x)) * (-y));
  give(-(x + y) * z + (-(x + y)));
  give(where(less(x, y), -x, y) - z);
  const TapePtr t = builder.finish(std::move(outputs));
  EXPECT_LT(countOf(carrySigns(t), Op::Neg), countOf(t, Op::Neg));
  // Each with each with each.
  Values a, b, c;
  for (int i = 0; i < 4096; ++i) {
    a.push_back(kSome[i % 16]);
    b.push_back(kSome[i / 16 % 16]);
    c.push_back(kSome[i / 256]);
  }
  evaluate(t, {a, b, c});
}

TEST(Signs, ScatterAddsBesideOthers) {
  for (const bool isCarried : {true, false}) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {256})};
    const Expr y{&builder, builder.input("y", {256})};
    const Expr z{&builder, builder.input("z", {20})};
    std::vector<double> places;
    for (int i = 0; i < 256; ++i) places.push_back(i / 16);
    const Expr by = {&builder, builder.data(places, {256})};
    const auto scatter = [&](const Expr& updates) { return scatterSum(by, updates, 0, 20); };
    std::vector<Port> outputs;
    const auto give = [&](const Expr& value) { outputs.push_back({"r", value.id}); };
    if (isCarried) {
      give(scatter(x) + scatter(-x));
      give(scatter(-(x * y)) + scatter(y) - scatter(-y));
      give(scatter(x) - z + scatter(y) + scatter(-x * y));
    } else {
      // Zeros show whose sign it was.
      give(scatter(-x));
      give(z + scatter(-y));
      give(exp(scatter(-x * y)) * scatter(x));
      give(scatter(x) * scatter(-(y + x)));
    }
    const TapePtr t = builder.finish(std::move(outputs));
    EXPECT_GT(countOf(t, Op::Neg), 0);
    EXPECT_EQ(countOf(carrySigns(t), Op::Neg) == 0, isCarried);
    Values a, b;
    for (int i = 0; i < 256; ++i) {
      a.push_back(kSome[i % 16]);
      b.push_back(kSome[i / 16]);
    }
    for (const double zero : {0.0, -0.0}) {
      evaluate(t, {a, b, Values(20, -0.0)});
      evaluate(t, {Values(256, zero), Values(256, -0.0), Values(20, -0.0)});
    }
  }
}

TEST(Signs, APowerOfTwoJoinsAConstant) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {16})};
  const TapePtr t = builder.finish({{"a", ((2.0 * x) * 100.0).id},
                                    {"b", ((x * -4.0) * 3.0).id},
                                    {"c", ((0.5 * x) * 100.0).id},
                                    {"d", ((16.0 * x) * 0.01).id},
                                    {"e", ((3.0 * x) * 5.0).id},
                                    {"f", ((0x1p1000 * x) * 0x1p100).id}});
  EXPECT_EQ(countOf(carrySigns(t), Op::Mul), countOf(t, Op::Mul) - 2);
  evaluate(t, {Values(std::begin(kSome), std::end(kSome))});
}

}  // namespace
}  // namespace adjoint::testing

// Values put together from pieces in steps of loops: Evaluator compares with plans that put them
// together, to the bit.
#include "plan/pieces_apart.h"

#include <gtest/gtest.h>

#include <random>

#include "ops/build.h"
#include "plan/contract.h"
#include "plan/planner.h"
#include "test/support/evaluator.h"
#include "test/support/loops.h"
#include "test/support/numbers.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;

Expr part(Expr x, std::int64_t start, std::int64_t count) { return slice(x, {{start, count, 1}}); }

/// Elements moved by `by` around a ring.
Expr rolled(Expr x, std::int64_t by) {
  const std::int64_t n = x.shape()[0];
  return concat({part(x, n - by, by), part(x, 0, n - by)}, 0);
}

/// Elements moved by `by` to the right, or to the left, among zeros.
Expr moved(Expr x, std::int64_t by, bool right) {
  const std::int64_t n = x.shape()[0];
  const Expr rest = part(x, right ? 0 : by, n - by);
  return place(rest, {{right ? by : 0, n, 1}});
}

TEST(PiecesApart, OfARingAreNotPutTogether) {
  Builder b;
  const Expr u{&b, b.input("u", {100})};
  const Expr left = rolled(u, 1), right = rolled(u, 99);
  const TapePtr t = b.finish({{"v", (right * right - left * left + u * 2.0).id}});
  const TapePtr apart = computePiecesApart(t);
  // Two ends and what is between them.
  EXPECT_NE(apart->toString().find("f64[98]"), std::string::npos) << apart->toString();
  for (const Node& node : apart->nodes()) {
    if (opOf(node) == Op::Concat) {
      EXPECT_EQ(apart->operands(node).size(), 3u);
    } else if (opOf(node) == Op::Mul) {
      EXPECT_LT(apart->shape(node)[0], 100);
    }
  }
  EXPECT_TRUE(identical(evaluate(t, {special(100)}), evaluate(apart, {special(100)})));
}

TEST(PiecesApart, NothingIsDoneWithoutPieces) {
  Builder b;
  const Expr u{&b, b.input("u", {100})};
  const TapePtr t = b.finish({{"v", (part(u, 3, 90) * 2.0).id}, {"s", sum(u, {0}).id}});
  EXPECT_EQ(computePiecesApart(t), t);
}

/// Outputs whose pieces meet at different places are computed in one loop all the same.
TEST(PiecesApart, OutputsHaveTheSamePieces) {
  Builder b;
  const Expr x{&b, b.input("x", {100})}, u{&b, b.input("u", {100})};
  const Expr right = x * moved(u, 1, true), left = x * moved(u, 2, false);
  const TapePtr t = b.finish({{"v", (u + right).id}, {"w", (left - u * 0.5).id}, {"x", x.id}});
  const TapePtr apart = computePiecesApart(t);
  const std::vector<std::int64_t> counts = {1, 97, 2};
  for (const Node& node : apart->nodes()) {
    if (opOf(node) != Op::Concat) continue;
    std::vector<std::int64_t> found;
    for (const NodeId piece : apart->operands(node)) found.push_back(apart->count(piece));
    EXPECT_EQ(found, counts);
  }
  const Arrays inputs = {special(100), numbers(100)};
  EXPECT_TRUE(identical(evaluate(t, inputs), evaluate(apart, inputs)));
}

/// Neighbors of cheap values are computed again rather than read: stages of a method for
/// differential equations need no memory between them.
TEST(PiecesApart, CheapStagesAreOneLoop) {
  Builder b;
  const Expr x{&b, b.input("x", {100})}, y{&b, b.input("y", {100})};
  const auto slope = [&](Expr u) { return x * moved(u, 1, true); };
  Expr u = y, total = y;
  for (int stage = 0; stage < 4; ++stage) {
    const Expr k = slope(u);
    u = y + k * 0.5;
    total = total + k * 0.25;
  }
  const TapePtr t = b.finish({{"y", total.id}});
  const TapePtr apart = computePiecesApart(contractMultiplyAdds(t));
  int concats = 0;
  for (const Node& node : apart->nodes()) concats += opOf(node) == Op::Concat ? 1 : 0;
  EXPECT_EQ(concats, 1);
}

/// A dear function of neighbors is computed once for all.
TEST(PiecesApart, DearValuesAreComputedOnce) {
  Builder b;
  const Expr u{&b, b.input("u", {100})};
  const Expr s = sin(u + rolled(u, 2));
  const TapePtr t = b.finish({{"v", (rolled(s, 1) - s * rolled(s, 99)).id}});
  const TapePtr apart = computePiecesApart(t);
  std::int64_t computed = 0;
  for (const Node& node : apart->nodes())
    if (opOf(node) == Op::Sin) computed += apart->shape(node)[0];
  EXPECT_EQ(computed, 100);
  EXPECT_TRUE(identical(evaluate(t, {special(100)}), evaluate(apart, {special(100)})));
}

/// Random functions of lines, as they are and as steps of loops, and derivatives of these.
TEST(PiecesApart, RandomSteps) {
  std::mt19937 random(7);
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  for (int round = 0; round < 60; ++round) {
    const std::int64_t n = 33 + below(round % 4 == 0 ? 400 : 90);
    const unsigned seed = static_cast<unsigned>(random());
    const auto step = [&](Expr x, Expr y) {
      std::mt19937 own(seed);
      const auto pick = [&](std::size_t count) { return own() % count; };
      std::vector<Expr> values = {x, y};
      for (int k = 0; k < 14; ++k) {
        const Expr a = values[pick(values.size())], c = values[pick(values.size())];
        const auto by = static_cast<std::int64_t>(1 + pick(4));
        switch (pick(8)) {
          case 0:
            values.push_back(rolled(a, by));
            break;
          case 1:
            values.push_back(moved(a, by, pick(2) == 0));
            break;
          case 2:
            values.push_back(a * c);
            break;
          case 3:
            values.push_back(a + c * 0.5);
            break;
          case 4:
            values.push_back(sin(a - c));
            break;
          case 5:
            values.push_back(
                apply(Op::Where, {apply(Op::Less, {moved(a, by, true), c}), a, rolled(c, by)}));
            break;
          case 6:
            values.push_back(concat({part(a, 0, by), part(c, by, n - by)}, 0));
            break;
          default:
            values.push_back(a - broadcastTo(sum(c, {0}), {n}) * 0.01);
        }
      }
      return std::pair{tanh(values.back()), values[values.size() - 2] * 0.5};
    };
    Builder plain;
    const Expr x{&plain, plain.input("x", {n})}, y{&plain, plain.input("y", {n})};
    const auto [next, other] = step(x, y);
    // As plans do: what is fused is decided before.
    const TapePtr t = contractMultiplyAdds(plain.finish({{"x", next.id}, {"y", other.id}}));
    for (const Arrays& inputs : {Arrays{numbers(n), special(n)}, Arrays{special(n), numbers(n)}})
      EXPECT_TRUE(identical(evaluate(t, inputs), evaluate(computePiecesApart(t), inputs))) << round;

    Builder b;
    const Expr start{&b, b.input("x", {n})}, with{&b, b.input("y", {n})};
    LoopAttributes attributes;
    attributes.length = 5;
    attributes.carries = 2;
    const std::vector<Expr> last = loop(attributes, {start, with}, [&](const auto& in) {
      const auto [u, v] = step(in[0], in[1]);
      return std::vector<Expr>{u, v};
    });
    const TapePtr looped = b.finish({{"s", sum(last[0] + last[1], {0}).id}});
    const std::vector<std::size_t> wrt = {0, 1};
    const TapePtr pulled = valueAndGrad(looped, wrt);
    evaluate(looped, {numbers(n), special(n)});
    evaluate(pulled, {numbers(n), numbers(n)});
    evaluate(jvp(pulled, wrt), {numbers(n), numbers(n), numbers(n), special(n)});
  }
}

}  // namespace
}  // namespace adjoint::testing

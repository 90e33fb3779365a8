// Nodes, sharing, dead code, prints and limits of tapes.
#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <set>

#include "ops/build.h"
#include "ops/row.h"
#include "test/support/custom.h"
#include "test/support/evaluator.h"
#include "test/support/print_parser.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

template <class Call>
ErrorCode codeOf(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::Native;
}

TEST(Tape, EqualNodesAreOne) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {3})};
  const Expr y{&builder, builder.input("y", {3})};
  EXPECT_EQ((x * y).id, (x * y).id);
  EXPECT_EQ((x * y).id, (y * x).id);
  EXPECT_EQ((x + y).id, (y + x).id);
  EXPECT_NE((x - y).id, (y - x).id);
  EXPECT_NE((x / y).id, (y / x).id);
  EXPECT_EQ(sum(sin(x), {0}).id, sum(sin(x), {0}).id);
  EXPECT_NE(cumsum(x, 0, false).id, cumsum(x, 0, true).id);
  EXPECT_EQ(concat({x, y, x, y, x}, 0).id, concat({x, y, x, y, x}, 0).id);
  EXPECT_NE(concat({x, y, x, y, x}, 0).id, concat({x, y, x, x, y}, 0).id);
  EXPECT_NE(builder.input("x", {3}), x.id);
}

TEST(Tape, ConstantsAreSharedByTheirBits) {
  Builder builder;
  EXPECT_EQ(builder.constant(0.5), builder.constant(0.5));
  EXPECT_NE(builder.constant(0.0), builder.constant(-0.0));
  EXPECT_NE(builder.constant(1), builder.constant(1, {1}));
  EXPECT_NE(builder.constant(1), builder.constant(1, {}, DType::Bool));
  EXPECT_EQ(builder.constant(kNaN), builder.constant(-kNaN));
  EXPECT_EQ(builder.constant(kNaN), builder.constant(std::bit_cast<double>(0x7ff8000000001234ull)));
  EXPECT_EQ(builder.data({1, 2, 3}, {3}), builder.data({1, 2, 3}, {3}));
  EXPECT_NE(builder.data({1, 2, 3}, {3}), builder.data({1, 2, 4}, {3}));
  EXPECT_NE(builder.data({1, 2}, {2, 1}), builder.data({1, 2}, {1, 2}));
  EXPECT_NE(builder.data({0.0, 1}, {2}), builder.data({-0.0, 1}, {2}));
  EXPECT_EQ(builder.data({2, 2, 2}, {3}), builder.constant(2, {3}));
  EXPECT_EQ(codeOf([&] { builder.data({1, 2}, {3}); }), ErrorCode::Shape);
}

TEST(Tape, DeadNodesGoAndInputsStay) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {})};
  builder.input("unused", {4});
  const Expr y = sin(x);
  exp(x * 3.0);
  callCustom(builder,
             makeRule(
                 [] {
                   Builder inner;
                   const Expr a{&inner, inner.input("a", {})};
                   return inner.finish({{"b", sin(a).id}});
                 }(),
                 true, true),
             {x});
  const TapePtr t = builder.finish({{"y", y.id}});
  EXPECT_EQ(t->toString(),
            "%0 = input x : f64[]\n"
            "%1 = input unused : f64[4]\n"
            "%2 = sin %0 : f64[]\n"
            "return y %2\n");
  EXPECT_EQ(t->inputs().size(), 2u);
  // The builder starts again from nothing.
  EXPECT_EQ(builder.size(), 0u);
  EXPECT_EQ(builder.finish({{"z", builder.constant(1)}})->size(), 1u);
}

TEST(Tape, PrintOfEveryKindOfNode) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {2, 3})};
  const Expr m{&builder, builder.input("m", {2, 3}, DType::Bool)};
  const Expr d{&builder, builder.data({0.1, 1e300, -2}, {3})};
  // One after the other: a compiler may evaluate arguments in any order.
  const Expr rows = broadcastTo(d, {2, 3});
  const Expr turned = transpose(reshape(x, {3, 2}), {1, 0});
  const Expr y = where(m, turned, rows);
  const TapePtr t = builder.finish({{"y", y.id}, {"s", sum(y, {1}).id}});
  EXPECT_EQ(t->toString(),
            "%0 = input x : f64[2,3]\n"
            "%1 = input m : bool[2,3]\n"
            "%2 = data 0.1 1e+300 -2 : f64[3]\n"
            "%3 = broadcastTo %2 : f64[2,3]\n"
            "%4 = reshape %0 : f64[3,2]\n"
            "%5 = transpose %4 {1,0} : f64[2,3]\n"
            "%6 = where %1 %5 %3 : f64[2,3]\n"
            "%7 = sum %6 {1} : f64[2]\n"
            "return y %6\n"
            "return s %7\n");
  EXPECT_EQ(parsePrint(t->toString())->toString(), t->toString());
}

/// Tapes that differ in one thing only all print differently.
TEST(Tape, PrintsTellTapesApart) {
  std::multiset<std::string> prints;
  const auto add = [&](auto make) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {2, 2})};
    const Expr y{&builder, builder.input("y", {2, 2})};
    prints.insert(builder.finish(make(builder, x, y))->toString());
  };
  using Ports = std::vector<Port>;
  add([](Builder&, Expr x, Expr y) { return Ports{{"z", (x - y).id}}; });
  add([](Builder&, Expr x, Expr y) { return Ports{{"z", (y - x).id}}; });
  add([](Builder&, Expr x, Expr y) { return Ports{{"w", (x - y).id}}; });
  add([](Builder&, Expr x, Expr y) { return Ports{{"z", (x - y).id}, {"w", x.id}}; });
  add([](Builder&, Expr x, Expr y) { return Ports{{"w", x.id}, {"z", (x - y).id}}; });
  add([](Builder&, Expr x, Expr) { return Ports{{"z", (x * 0.1).id}}; });
  add([](Builder&, Expr x, Expr) { return Ports{{"z", (x * 0.10000000000000002).id}}; });
  add([](Builder&, Expr x, Expr) { return Ports{{"z", (x + 0.0).id}}; });
  add([](Builder&, Expr x, Expr) { return Ports{{"z", (x + -0.0).id}}; });
  add([](Builder&, Expr x, Expr) { return Ports{{"z", cumsum(x, 0, false).id}}; });
  add([](Builder&, Expr x, Expr) { return Ports{{"z", cumsum(x, 0, true).id}}; });
  add([](Builder&, Expr x, Expr) { return Ports{{"z", cumsum(x, 1, false).id}}; });
  add([](Builder&, Expr x, Expr) { return Ports{{"z", flip(x, {0}).id}}; });
  add([](Builder&, Expr x, Expr) { return Ports{{"z", flip(x, {1}).id}}; });
  add([](Builder&, Expr x, Expr) { return Ports{{"z", broadcastTo(x, {1, 2, 2}).id}}; });
  add([](Builder&, Expr x, Expr) { return Ports{{"z", reshape(x, {1, 2, 2}).id}}; });
  const auto longData = [](double last) {
    return [last](Builder& builder, Expr, Expr) {
      std::vector<double> values(2000, 0.5);
      values.back() = last;
      values[7] = 3;
      return Ports{{"z", builder.data(values, {2000})}};
    };
  };
  add(longData(0.25));
  add(longData(0.25000000000000006));
  for (int kind = 0; kind < 4; ++kind) {
    add([kind](Builder& builder, Expr x, Expr) {
      Builder inner;
      const Expr a{&inner, inner.input("a", {2, 2})};
      return Ports{
          {"z", callCustom(builder, makeRule(inner.finish({{"b", sin(a).id}}), kind & 1, kind & 2),
                           {x})[0]
                    .id}};
    });
  }
  for (const std::string& print : prints) EXPECT_EQ(prints.count(print), 1u) << print;
}

/// A rule inside a rule and a second rule of the outer tape do not look alike.
TEST(Tape, PrintsOfNestedRules) {
  const auto leaf = [](bool cosine) {
    Builder builder;
    const Expr a{&builder, builder.input("a", {})};
    return makeRule(builder.finish({{"b", (cosine ? cos(a) : sin(a)).id}}), false, false);
  };
  const auto middle = [&](bool calls) {
    Builder builder;
    const Expr a{&builder, builder.input("a", {})};
    const Expr called = callCustom(builder, leaf(true), {a})[0];
    return makeRule(builder.finish({{"b", (calls ? called : exp(a)).id}}), false, false);
  };
  std::set<std::string> prints;
  for (const bool calls : {false, true}) {
    for (const bool twice : {false, true}) {
      Builder builder;
      const Expr x{&builder, builder.input("x", {})};
      Expr y = callCustom(builder, middle(calls), {x})[0];
      if (twice) y = callCustom(builder, leaf(true), {y})[0];
      const TapePtr t = builder.finish({{"y", y.id}});
      EXPECT_TRUE(prints.insert(t->toString()).second);
      const TapePtr read = parsePrint(t->toString());
      EXPECT_EQ(read->toString(), t->toString());
      EXPECT_TRUE(identical(evaluate(read, {{0.3}}), evaluate(t, {{0.3}})));
    }
  }
}

TEST(Tape, OriginsPointAtTheTracedTape) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {})};
  exp(x);
  const Expr s = sin(x);
  const TapePtr t = builder.finish({{"y", (s * x).id}});
  // Positions on the builder, as the tracer counted them.
  EXPECT_EQ(t->node(1).origin, s.id);
  const std::size_t wrt[] = {0};
  const TapePtr gradient = valueAndGrad(t, wrt);
  std::set<std::uint32_t> origins;
  for (const Node& node : gradient->nodes()) {
    if (opOf(node) == Op::Cos) {
      EXPECT_EQ(node.origin, s.id);
    }
    origins.insert(node.origin);
  }
  EXPECT_TRUE(origins.count(s.id));
}

TEST(Tape, ShapesHaveLimits) {
  EXPECT_EQ(elementCount({}), 1);
  EXPECT_EQ(elementCount({3, 0, 5}), 0);
  EXPECT_EQ(elementCount({1 << 16, 1 << 15}), std::int64_t{1} << 31);
  EXPECT_EQ(codeOf([] { elementCount({1 << 16, 1 << 16}); }), ErrorCode::Limit);
  EXPECT_EQ(codeOf([] { elementCount({std::int64_t{1} << 62, 4}); }), ErrorCode::Limit);
  EXPECT_EQ(codeOf([] { elementCount({0, std::int64_t{1} << 62}); }), ErrorCode::Limit);
  EXPECT_EQ(codeOf([] { elementCount({2, -1}); }), ErrorCode::Shape);
  EXPECT_EQ(codeOf([] { elementCount(Shape(17, 1)); }), ErrorCode::Limit);
  EXPECT_EQ(broadcastShapes({4, 1, 3}, {2, 1}, "add"), (Shape{4, 2, 3}));
  EXPECT_EQ(broadcastShapes({0, 1}, {1}, "add"), (Shape{0, 1}));
  EXPECT_EQ(codeOf([] { broadcastShapes({2}, {3}, "add"); }), ErrorCode::Shape);
  EXPECT_EQ(codeOf([] { broadcastShapes({0}, {3}, "add"); }), ErrorCode::Shape);
  Builder builder;
  EXPECT_EQ(codeOf([&] { builder.input("x", {-1}); }), ErrorCode::Shape);
  EXPECT_EQ(codeOf([&] { builder.constant(0, {1 << 30, 1 << 30}); }), ErrorCode::Limit);
}

}  // namespace
}  // namespace adjoint::testing

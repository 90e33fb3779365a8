// The tapes that transforms write, and what they refuse.
#include "transform/transform.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ops/build.h"
#include "ops/row.h"
#include "test/support/custom.h"
#include "test/support/evaluator.h"

namespace adjoint::testing {
namespace {

using namespace ex;
using Positions = std::vector<std::size_t>;

std::size_t countOf(const Tape& t, Op op) {
  return static_cast<std::size_t>(std::count_if(
      t.nodes().begin(), t.nodes().end(), [&](const Node& node) { return opOf(node) == op; }));
}

/// f(x, k, unused) = (x*x*k, k): inputs of a number and a vector.
TapePtr example() {
  Builder builder;
  const Expr x{&builder, builder.input("x", {2})};
  const Expr k{&builder, builder.input("k", {})};
  builder.input("unused", {3});
  return builder.finish({{"y", (square(x) * k).id}, {"k", k.id}});
}

TEST(Transform, PortsOfDerivatives) {
  const TapePtr t = example();
  const auto names = [](const std::vector<Port>& ports) {
    std::string text;
    for (const Port& port : ports) text += port.name + " ";
    return text;
  };
  const TapePtr forward = jvp(t, Positions{0, 2});
  EXPECT_EQ(names(forward->inputs()), "x k unused d_x d_unused ");
  EXPECT_EQ(names(forward->outputs()), "y k d_y d_k ");
  const TapePtr reverse = vjp(t, Positions{1, 0, 2});
  EXPECT_EQ(names(reverse->inputs()), "x k unused bar_y bar_k ");
  EXPECT_EQ(names(reverse->outputs()), "y k bar_k bar_x bar_unused ");
  EXPECT_TRUE(identical(evaluate(forward, {{2, 3}, {5}, {0, 0, 0}, {1, 10}, {7, 7, 7}}),
                        {{20, 45}, {5}, {20, 300}, {0}}));
  EXPECT_TRUE(identical(evaluate(reverse, {{2, 3}, {5}, {0, 0, 0}, {1, 10}, {100}}),
                        {{20, 45}, {5}, {194}, {20, 300}, {0, 0, 0}}));
}

TEST(Transform, GradientsNeedOneScalar) {
  const auto code = [](const TapePtr& t) {
    try {
      valueAndGrad(t, Positions{0});
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::Native;
  };
  EXPECT_EQ(code(example()), ErrorCode::Shape);
  EXPECT_EQ(code(selectOutputs(example(), Positions{0})), ErrorCode::Shape);
  EXPECT_EQ(code(selectOutputs(example(), Positions{1})), ErrorCode::Native);
  // Of an input that is not in it, and of an input itself.
  EXPECT_TRUE(
      identical(evaluate(valueAndGrad(selectOutputs(example(), Positions{1}), Positions{0, 1}),
                         {{2, 3}, {5}, {0, 0, 0}}),
                {{5}, {0, 0}, {1}}));
}

TEST(Transform, BooleansAreNotDifferentiable) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {})};
  const Expr flag{&builder, builder.input("flag", {}, DType::Bool)};
  const TapePtr t = builder.finish({{"y", where(flag, x, square(x)).id}});
  for (const bool forward : {false, true}) {
    try {
      forward ? jvp(t, Positions{1}) : vjp(t, Positions{1});
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::NotDifferentiable);
    }
  }
  EXPECT_TRUE(identical(evaluate(valueAndGrad(t, Positions{0}), {{3}, {0}}), {{9}, {6}}));
  EXPECT_TRUE(identical(evaluate(valueAndGrad(t, Positions{0}), {{3}, {1}}), {{3}, {1}}));
}

/// A gradient costs no masks where nothing is chosen.
TEST(Transform, MasksCostNothingWithoutChoices) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {8})};
  const Expr a = sliceAxis(x, 0, {1, 7, 1});
  const Expr b = sliceAxis(x, 0, {0, 7, 1});
  const Expr y = sum(sin(a * b) + exp(a) / b, {0}) + apply(Op::LogSumExp, {tanh(x)}, {0, 0});
  const TapePtr gradient = valueAndGrad(builder.finish({{"y", y.id}}), Positions{0});
  EXPECT_EQ(countOf(*gradient, Op::LogicalAnd) + countOf(*gradient, Op::LogicalOr), 0u)
      << gradient->toString();
  // The one in logsumexp, which keeps an infinite shift out.
  EXPECT_EQ(countOf(*gradient, Op::Where), 1u) << gradient->toString();
}

TEST(Transform, ConstantPartsHaveNoDerivative) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {})};
  const Expr k{&builder, builder.input("k", {})};
  const Expr heavy = exp(sin(cos(k)));
  const TapePtr t = builder.finish({{"y", (x * heavy + floor(x) * k).id}});
  const TapePtr gradient = selectOutputs(valueAndGrad(t, Positions{0}), Positions{1});
  EXPECT_EQ(countOf(*gradient, Op::Floor), 0u);
  EXPECT_EQ(countOf(*gradient, Op::Sin), 1u);
  EXPECT_EQ(gradient->size(), 5u) << gradient->toString();
}

TEST(Transform, JacobianShapesAndModes) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {2, 3})};
  const Expr k{&builder, builder.input("k", {})};
  const TapePtr t = builder.finish({{"y", (sum(square(x), {0}) * k).id}, {"s", (k * k).id}});
  for (const JacobianMode mode :
       {JacobianMode::Forward, JacobianMode::Reverse, JacobianMode::Auto}) {
    const JacobianResult result = jacobian(t, Positions{0, 1}, mode);
    const Tape& j = *result.tape;
    ASSERT_EQ(j.outputs().size(), 4u);
    EXPECT_EQ(j.shape(j.outputs()[0].node), (Shape{3, 2, 3}));
    EXPECT_EQ(j.shape(j.outputs()[1].node), (Shape{3}));
    EXPECT_EQ(j.shape(j.outputs()[2].node), (Shape{2, 3}));
    EXPECT_EQ(j.shape(j.outputs()[3].node), (Shape{}));
    EXPECT_NE(result.mode, JacobianMode::Auto);
    const Arrays got = evaluate(result.tape, {{1, 2, 3, 4, 5, 6}, {10}});
    EXPECT_EQ(got[0], (Values{20, 0, 0, 80, 0, 0, 0, 40, 0, 0, 100, 0, 0, 0, 60, 0, 0, 120}));
    EXPECT_EQ(got[1], (Values{17, 29, 45}));
    EXPECT_EQ(got[2], Values(6, 0.0));
    EXPECT_EQ(got[3], Values{20});
  }
}

TEST(Transform, TheCheaperJacobianIsChosen) {
  const auto modeOf = [](std::int64_t inputs, std::int64_t outputs) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {inputs})};
    const Expr a{&builder, builder.input("a", {outputs, inputs})};
    const TapePtr t = builder.finish({{"y", sin(apply(Op::MatMul, {a, x})).id}});
    return jacobian(t, Positions{0}, JacobianMode::Auto).mode;
  };
  EXPECT_EQ(modeOf(2, 100), JacobianMode::Forward);
  EXPECT_EQ(modeOf(100, 2), JacobianMode::Reverse);
}

TEST(Transform, VmapChecksItsArguments) {
  const TapePtr t = example();
  EXPECT_THROW(vmap(t, -1, {true, true, true}), Error);
  EXPECT_THROW(vmap(t, 3, {true}), Error);
  const TapePtr lanes = vmap(t, 3, {true, false, false});
  EXPECT_EQ(lanes->shape(lanes->outputs()[1].node), (Shape{3}));
  EXPECT_TRUE(identical(evaluate(lanes, {{1, 2, 3, 4, 5, 6}, {10}, {0, 0, 0}}),
                        {{10, 40, 90, 160, 250, 360}, {10, 10, 10}}));
  // Nothing batched: still as many lanes.
  EXPECT_EQ(evaluate(vmap(t, 2, {false, false, false}), {{1, 2}, {10}, {0, 0, 0}})[0],
            (Values{10, 40, 10, 40}));
}

TEST(Transform, VmapsNest) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {2})};
  const Expr k{&builder, builder.input("k", {})};
  const TapePtr t = builder.finish({{"y", (sum(x, {0}) * k).id}});
  // Lanes of k inside, lanes of x outside: an outer product.
  const TapePtr table = vmap(vmap(t, 3, {false, true}), 2, {true, false});
  EXPECT_EQ(table->shape(table->outputs()[0].node), (Shape{2, 3}));
  EXPECT_EQ(evaluate(table, {{1, 2, 3, 4}, {1, 10, 100}})[0], (Values{3, 30, 300, 7, 70, 700}));
}

TEST(Transform, VectorsOfLanesAreRowsOfOneProduct) {
  for (const bool isLeft : {true, false}) {
    Builder builder;
    const Expr matrix{&builder, builder.input("m", {3, 4})};
    const Expr vector{&builder, builder.input("v", isLeft ? Shape{4, 1} : Shape{1, 3})};
    const Expr y = isLeft ? batchMatmul(matrix, vector) : batchMatmul(vector, matrix);
    const TapePtr t = builder.finish({{"y", y.id}});
    const TapePtr lanes = vmap(t, 2, {false, true});
    EXPECT_EQ(std::ranges::count_if(lanes->nodes(),
                                    [](const Node& n) { return opOf(n) == Op::BroadcastTo; }),
              0);
    const Values m = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const Values v = isLeft ? Values{1, -1, 2, 0.5, 3, 0, -2, 1} : Values{1, -1, 2, 0.5, 3, 0};
    const Values all = evaluate(lanes, {m, v})[0];
    EXPECT_EQ(lanes->shape(lanes->outputs()[0].node), (isLeft ? Shape{2, 3, 1} : Shape{2, 1, 4}));
    const std::size_t half = v.size() / 2;
    Values each = evaluate(t, {m, Values(v.begin(), v.begin() + half)})[0];
    const Values second = evaluate(t, {m, Values(v.begin() + half, v.end())})[0];
    each.insert(each.end(), second.begin(), second.end());
    EXPECT_EQ(all, each);
  }
}

/// A batch of custom functions keeps its rules, sharing included.
TEST(Transform, VmapOfCustomKeepsItsRules) {
  for (int kind = 1; kind < 4; ++kind) {
    Builder inner;
    const Expr a{&inner, inner.input("a", {})};
    const Expr b{&inner, inner.input("b", {})};
    const auto honest = makeRule(inner.finish({{"c", (a * a * b).id}}), true, true);
    auto rule = std::make_shared<CustomRule>(*honest);
    if (!(kind & 1)) rule->jvp = nullptr;
    if (!(kind & 2)) rule->vjp = nullptr;
    Builder builder;
    const Expr x{&builder, builder.input("x", {})};
    const Expr k{&builder, builder.input("k", {})};
    const TapePtr t = builder.finish({{"y", callCustom(builder, rule, {x, k})[0].id}});
    const TapePtr lanes = vmap(t, 3, {true, false});
    EXPECT_EQ(countOf(*lanes, Op::Custom), 1u);
    Builder total;
    std::vector<NodeId> arguments{total.input("x", {3}), total.input("k", {})};
    const Expr y{&total, inlineTape(total, *lanes, arguments)[0]};
    const TapePtr s = total.finish({{"s", sum(y, {0}).id}});
    const Arrays inputs = {{1, 2, 3}, {5}};
    EXPECT_TRUE(
        identical(evaluate(valueAndGrad(s, Positions{0, 1}), inputs), {{70}, {10, 20, 30}, {14}}))
        << kind;
    EXPECT_TRUE(identical(evaluate(jvp(s, Positions{0, 1}), {{1, 2, 3}, {5}, {1, 0, 1}, {2}}),
                          {{70}, {68}}))
        << kind;
  }
}

TEST(Transform, InlineChecksItsArguments) {
  const TapePtr t = example();
  Builder builder;
  const NodeId x = builder.input("x", {2});
  const NodeId k = builder.input("k", {});
  const NodeId three = builder.input("three", {3});
  const NodeId flag = builder.input("flag", {}, DType::Bool);
  EXPECT_THROW(inlineTape(builder, *t, std::vector<NodeId>{x, k}), Error);
  EXPECT_THROW(inlineTape(builder, *t, std::vector<NodeId>{x, x, three}), Error);
  EXPECT_THROW(inlineTape(builder, *t, std::vector<NodeId>{x, flag, three}), Error);
  EXPECT_EQ(inlineTape(builder, *t, std::vector<NodeId>{x, k, three}).size(), 2u);
  EXPECT_THROW(selectOutputs(t, Positions{2}), Error);
}

/// The second derivative of a function of many shared parts does not explode.
TEST(Transform, RepeatedDifferentiationStaysSmall) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {})};
  const TapePtr t = builder.finish({{"y", (exp(sin(x)) * x).id}});
  TapePtr d = t;
  for (int order = 1; order <= 4; ++order)
    d = selectOutputs(valueAndGrad(d, Positions{0}), Positions{1});
  EXPECT_LE(d->size(), 120u);
  // By Taylor coefficients worked out by hand: f'''' at 0 of x exp(sin x) is 4 (exp o sin)'''(0) =
  // 0.
  EXPECT_NEAR(evaluate(d, {{0}})[0][0], 0, 1e-13);
}

}  // namespace
}  // namespace adjoint::testing

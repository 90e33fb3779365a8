// What must hold whatever the function: transposes, custom rules, stopGradient, and sizes that only
// linear time and no recursion survive.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <random>

#include "exec/executor.h"
#include "ops/build.h"
#include "ops/row.h"
#include "test/support/custom.h"
#include "test/support/derivatives.h"
#include "test/support/plan_checker.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;
using Args = ScalarFunction::Arguments;

/// Of the processor: what else runs on the machine does not count.
double secondsSince(std::clock_t start) {
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

/// A generous limit of time; none where the run is slowed by instruments.
void expectSeconds(double seconds, double limit) {
  if (!isInstrumented()) {
    EXPECT_LE(seconds, limit);
  }
}

Values uniformValues(std::int64_t count, std::uint64_t seed, double low = -1, double high = 1) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  Values values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(uniform(random));
  return values;
}

/// A function of one input of this shape.
TapePtr functionOf(const Shape& shape, const std::function<Expr(Expr)>& f) {
  Builder builder;
  const Expr y = f({&builder, builder.input("x", shape)});
  return builder.finish({{"y", y.id}});
}

/// <yBar, J dx> against <J^T yBar, dx> for one function at one point.
void expectTransposes(const char* name, const TapePtr& t, const Values& x) {
  const std::size_t wrt[] = {0};
  const Values dx = uniformValues(static_cast<std::int64_t>(x.size()), 11);
  const Values yBar = uniformValues(t->count(t->outputs()[0].node), 12);
  const Values dy = evaluate(jvp(t, wrt), {x, dx})[1];
  const Values xBar = evaluate(vjp(t, wrt), {x, yBar})[1];
  long double forward = 0, reverse = 0, size = 1e-300;
  for (std::size_t i = 0; i < dy.size(); ++i) {
    forward += static_cast<long double>(yBar[i]) * dy[i];
    size += std::abs(static_cast<long double>(yBar[i]) * dy[i]);
  }
  for (std::size_t i = 0; i < dx.size(); ++i) {
    reverse += static_cast<long double>(xBar[i]) * dx[i];
    size += std::abs(static_cast<long double>(xBar[i]) * dx[i]);
  }
  EXPECT_LE(std::abs(forward - reverse), 1e-13L * size)
      << name << ": " << static_cast<double>(forward) << " and " << static_cast<double>(reverse);
  EXPECT_TRUE(std::isfinite(static_cast<double>(size))) << name;
}

/// Where a function fails, so do its derivatives, those that need nothing of what fails included.
TEST(Laws, DerivativesFailWhereTheFunctionDoes) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {3})}, i{&builder, builder.input("i", {2})};
  const Expr s{&builder, builder.input("s", {})};
  const Expr total = sum(gather(x, i, 0), {0}) + s * s;
  const TapePtr f = builder.finish({{"y", total.id}});
  const std::size_t wrt[] = {2};
  const TapePtr pulled = valueAndGrad(f, wrt);
  const std::size_t gradientOnly[] = {1};
  const TapePtr gradient = selectOutputs(pulled, gradientOnly);
  const std::vector<bool> batched(3, true);
  const Arrays good = {{1, 2, 3}, {0, 2}, {4}}, bad = {{1, 2, 3}, {0, 9}, {4}};
  Arrays outputs;
  for (const TapePtr& t : {f, pulled, gradient, vmap(gradient, 1, batched)}) {
    EXPECT_TRUE(Evaluator(t).tryRun(good, outputs).ok);
    const RunStatus status = Evaluator(t).tryRun(bad, outputs);
    EXPECT_FALSE(status.ok);
    EXPECT_EQ(status.code, ErrorCode::Index);
  }
  const TapePtr second = jvp(gradient, wrt);
  EXPECT_TRUE(Evaluator(second).tryRun({{1, 2, 3}, {0, 2}, {4}, {1}}, outputs).ok);
  EXPECT_FALSE(Evaluator(second).tryRun({{1, 2, 3}, {0, 9}, {4}, {1}}, outputs).ok);
}

TEST(Laws, StructuralRowsAreTransposesOfThemselves) {
  struct Case {
    const char* name;
    Shape shape;
    std::function<Expr(Expr)> f;
  };
  const auto op = [](Op o, std::vector<std::int64_t> attrs) {
    return [o, attrs](Expr x) { return Expr{x.builder, apply(*x.builder, o, {&x.id, 1}, attrs)}; };
  };
  const auto data = [](Expr x, Values values, const Shape& shape) {
    return Expr{x.builder, x.builder->data(std::move(values), shape)};
  };
  const std::vector<Case> cases = {
      {"reshape", {2, 6}, op(Op::Reshape, {3, 4})},
      {"transpose", {2, 3, 4}, op(Op::Transpose, {2, 0, 1})},
      {"broadcastTo", {3, 1, 2}, op(Op::BroadcastTo, {2, 3, 4, 2})},
      {"slice", {7, 5}, op(Op::Slice, {1, 3, 2, 0, 2, 3})},
      {"place", {3, 2}, op(Op::Place, {1, 8, 3, 2, 4, 1})},
      {"flip", {3, 4}, op(Op::Flip, {1})},
      {"pad", {3, 2}, op(Op::Pad, {1, 2, 0, 3})},
      {"at", {3, 4}, op(Op::At, {-1})},
      {"diag of a vector", {4}, op(Op::Diag, {1})},
      {"diag of a matrix", {4, 5}, op(Op::Diag, {-1})},
      {"tril", {4, 4}, op(Op::Tril, {0})},
      {"triu", {4, 5}, op(Op::Triu, {1})},
      {"sum", {3, 4, 2}, op(Op::Sum, {0, 1})},
      {"sum of scattered axes", {3, 4, 2}, op(Op::Sum, {1, 0, 2})},
      {"mean", {3, 4}, op(Op::Mean, {0, 0})},
      {"max", {3, 4}, op(Op::ReduceMax, {0, 1})},
      {"min", {3, 4}, op(Op::ReduceMin, {1, 0})},
      {"var", {3, 4}, op(Op::Var, {1, 0, 1})},
      {"std", {3, 4}, op(Op::Std, {0, 0, 0})},
      {"norm 1", {3, 4}, op(Op::Norm, {1, 0, 1})},
      {"norm 2", {3, 4}, op(Op::Norm, {2, 0, 1})},
      {"norm inf", {3, 4}, op(Op::Norm, {0, 0, 1})},
      {"prod", {2, 3}, op(Op::Prod, {0, 1})},
      {"cumprod", {3, 4}, op(Op::CumProd, {1})},
      {"cumsum", {3, 4}, op(Op::CumSum, {0, 0})},
      {"cumsum reversed", {3, 4}, op(Op::CumSum, {1, 1})},
      {"logsumexp", {3, 4}, op(Op::LogSumExp, {0, 1})},
      {"softmax", {3, 4}, op(Op::Softmax, {1})},
      {"logSoftmax", {3, 4}, op(Op::LogSoftmax, {0})},
      {"sort", {3, 5}, op(Op::Sort, {1})},
      {"median", {3, 4}, op(Op::Median, {0, 1})},
      {"gather", {5, 2}, [&](Expr x) { return gather(x, data(x, {4, 0, 4, 1}, {2, 2}), 0); }},
      {"takeAlongAxis",
       {3, 4},
       [&](Expr x) {
         return apply(Op::TakeAlongAxis, {x, data(x, {0, 3, 3, 1, 1, 2}, {3, 2})}, {1});
       }},
      {"scatterSum",
       {4, 2},
       [&](Expr x) { return scatterSum(data(x, {2, 0, 2, 1}, {4}), x, 0, 5); }},
      {"scatterAdd",
       {4, 2},
       [&](Expr x) {
         return apply(Op::ScatterAdd, {x, data(x, {3, 0}, {2}), sliceAxis(x, 0, {1, 2, 1})}, {0});
       }},
      {"concat", {2, 3}, [](Expr x) { return concat({x, sin(x), x}, 1); }},
      {"stack", {2, 3}, [](Expr x) { return apply(Op::Stack, {x, cos(x)}, {1}); }},
      {"linearRecurrence", {3, 5}, [](Expr x) { return linearRecurrence(x, sin(x), 1, false); }},
      {"linearRecurrence reversed",
       {5, 2},
       [](Expr x) { return linearRecurrence(cos(x), x, 0, true); }},
      {"matmul", {3, 4}, [](Expr x) { return apply(Op::MatMul, {x, transpose(sin(x), {1, 0})}); }},
      {"batched matmul",
       {2, 3, 4},
       [](Expr x) { return apply(Op::MatMul, {x, transpose(x, {0, 2, 1})}); }},
      {"matmul of a vector",
       {4},
       [](Expr x) { return apply(Op::MatMul, {apply(Op::Outer, {x, x}), cos(x)}); }},
      {"dot", {9}, [](Expr x) { return apply(Op::Dot, {x, exp(x)}); }},
      {"where", {4, 3}, [](Expr x) { return where(greater(x, 0.1), sqrt(x), square(x)); }},
      {"custom",
       {4},
       [](Expr x) {
         return callCustom(*x.builder,
                           makeRule(functionOf({4}, [](Expr a) { return sin(a) * a; }), true, true),
                           {x})[0];
       }},
  };
  for (const Case& each : cases) {
    expectTransposes(each.name, functionOf(each.shape, each.f),
                     uniformValues(elementCount(each.shape), 3));
    // The second order too: the gradient of a scalar of it has a symmetric Jacobian.
    const TapePtr scalar = functionOf(each.shape, [&](Expr x) {
      const Expr y = each.f(x);
      return sum(sin(y), allAxes(y));
    });
    const std::size_t wrt[] = {0};
    const TapePtr gradient = selectOutputs(valueAndGrad(scalar, wrt), std::vector<std::size_t>{1});
    expectTransposes(each.name, gradient, uniformValues(elementCount(each.shape), 3));
  }
}

TEST(Laws, ElementwiseRowsAreTransposesOfThemselves) {
  for (const Row& row : allRows()) {
    if (row.family != Family::Elementwise || row.internal) continue;
    Builder builder;
    const Expr x{&builder, builder.input("x", {3, 7})};
    std::vector<NodeId> operands;
    for (int i = 0; i < row.arity; ++i) {
      operands.push_back(sliceAxis(x, 0, {i, 1, 1}).id);
    }
    const NodeId y = apply(builder, row.op, operands);
    const TapePtr t = builder.finish({{"y", y}});
    const double low = row.domain == Domain::AboveOne  ? 1.1
                       : row.domain == Domain::NotPole ? 0.3
                                                       : 0.1;
    expectTransposes(row.name, t, uniformValues(21, 5, low, low + 0.7));
  }
}

/// All four kinds of rules give the derivatives of the function itself, nested or not, in first and
/// second order.
TEST(Laws, CustomRulesOfAllKinds) {
  const auto plain = [](Expr a, Expr b) { return sin(a) * b + square(b); };
  for (int outer = 0; outer < 4; ++outer) {
    for (int inner = 0; inner < 4; ++inner) {
      const auto called = [&](const Args& args) {
        Builder nested;
        const Expr p{&nested, nested.input("p", {})};
        const Expr q{&nested, nested.input("q", {})};
        Builder innermost;
        const Expr u{&innermost, innermost.input("u", {})};
        const Expr v{&innermost, innermost.input("v", {})};
        const TapePtr deep = innermost.finish({{"w", plain(u, v).id}});
        const auto deepRule = makeRule(deep, inner & 1, inner & 2);
        const Expr w = callCustom(nested, deepRule, {p, q})[0];
        const TapePtr middle = nested.finish({{"s", (w * p).id}, {"t", exp(q).id}});
        const auto rule = makeRule(middle, outer & 1, outer & 2);
        const std::vector<Expr> y = callCustom(*args[0].builder, rule, {args[0], args[1]});
        return y[0] * cos(y[1]);
      };
      const auto direct = [&](const Args& args) {
        return plain(args[0], args[1]) * args[0] * cos(exp(args[1]));
      };
      for (const Form form : {Form::Scalars, Form::Vector}) {
        const TapePtr custom = trace({called, 2}, form);
        const TapePtr expected = trace({direct, 2}, form);
        const Arrays points = {{0.7, -0.4}, {1.3, 0.2}, {-2, 0.9}};
        for (const auto& modes : {firstOrderModes(), secondOrderModes(), thirdOrderModes()}) {
          const Arrays want = modes[0].derive(expected, points);
          for (const Mode& mode : modes) {
            const Arrays got = mode.derive(custom, points);
            for (std::size_t p = 0; p < points.size(); ++p) {
              for (std::size_t i = 0; i < want[p].size(); ++i) {
                EXPECT_NEAR(got[p][i], want[p][i], 1e-11 * (1 + std::abs(want[p][i])))
                    << mode.name << " " << outer << inner;
              }
            }
          }
        }
      }
    }
  }
}

/// A rule is used, not the function: this one says that the derivative of the identity is 3.
TEST(Laws, CustomRulesAreBelieved) {
  for (int kind = 1; kind < 4; ++kind) {
    auto rule = std::make_shared<CustomRule>();
    rule->name = "identity";
    Builder primal;
    const NodeId x = primal.input("x", {});
    rule->primal = primal.finish({{"y", x}});
    if (kind & 1) {
      Builder builder;
      builder.input("x", {});
      const Expr dx{&builder, builder.input("dx", {})};
      rule->jvp = builder.finish({{"dy", (3.0 * dx).id}});
    }
    if (kind & 2) {
      Builder builder;
      builder.input("x", {});
      builder.input("y", {});
      const Expr bar{&builder, builder.input("bar", {})};
      rule->vjp = builder.finish({{"x", (3.0 * bar).id}});
    }
    const auto f = [&](const Args& a) { return callCustom(*a[0].builder, rule, {a[0]})[0] * a[0]; };
    for (const Mode& mode : firstOrderModes()) {
      EXPECT_EQ(mode.derive(trace({f, 1}, Form::Scalars), {{2.0}})[0][0], 2 + 3 * 2)
          << mode.name << " " << kind;
    }
    for (const Mode& mode : secondOrderModes()) {
      EXPECT_EQ(mode.derive(trace({f, 1}, Form::Scalars), {{2.0}})[0][0], 6)
          << mode.name << " " << kind;
    }
  }
}

TEST(Laws, StopGradientIsAConstant) {
  const auto f = [](const Args& a) {
    return a[0] * stopGradient(square(a[0])) + stopGradient(a[1]) * a[1];
  };
  for (const Form form : {Form::Scalars, Form::Vector}) {
    const TapePtr t = trace({f, 2}, form);
    for (const Mode& mode : firstOrderModes()) {
      EXPECT_TRUE(identical(mode.derive(t, {{3, 5}}), {{9, 5}})) << mode.name;
    }
    for (const Mode& mode : secondOrderModes()) {
      const Values hessian = mode.derive(t, {{3, 5}})[0];
      for (const double h : hessian) EXPECT_EQ(h, 0) << mode.name;
    }
  }
}

/// sin(sin(...) * x) and so on: every value used twice, a million nodes deep.
TEST(Laws, AMillionNodesInAChain) {
  const std::int64_t nodes = isInstrumented() ? 20000 : 1000000;
  const std::clock_t start = std::clock();
  Builder builder;
  const Expr x{&builder, builder.input("x", {})};
  Expr y = x;
  for (std::int64_t i = 0; i < nodes / 2; ++i) y = i % 16 == 0 ? sin(y * 1.25) : y * x + 0.125;
  const TapePtr t = builder.finish({{"y", y.id}});
  const double built = secondsSince(start);
  ASSERT_GE(t->size(), static_cast<std::size_t>(nodes) * 9 / 10);
  const std::size_t wrt[] = {0};
  const std::clock_t second = std::clock();
  const TapePtr gradient = valueAndGrad(t, wrt);
  const double differentiated = secondsSince(second);
  const std::clock_t third = std::clock();
  const auto plan = makePlan(gradient);
  const double planned = secondsSince(third);
  const auto executable = makeExecutable(plan);
  std::printf("%zu nodes: build %.2f s, differentiate %.2f s, plan %.2f s, %zu in the gradient\n",
              t->size(), built, differentiated, planned, gradient->size());
  std::printf("bytes a node: tape %.0f, gradient %.0f, plan %.0f, executable %.0f\n",
              static_cast<double>(t->bytes()) / static_cast<double>(t->size()),
              static_cast<double>(gradient->bytes()) / static_cast<double>(t->size()),
              static_cast<double>(plan->bytes()) / static_cast<double>(t->size()),
              static_cast<double>(executable->bytes()) / static_cast<double>(t->size()));
  const Arrays got = Evaluator(plan)({{0.4375}});
  // The same by hand, with the multiply-adds fused as the plan does.
  double value = 0.4375;
  double slope = 1;
  for (std::int64_t i = 0; i < nodes / 2; ++i) {
    if (i % 16 == 0) {
      slope *= 1.25 * std::cos(value * 1.25);
      value = std::sin(value * 1.25);
    } else {
      slope = slope * 0.4375 + value;
      value = std::fma(value, 0.4375, 0.125);
    }
  }
  EXPECT_NEAR(got[0][0], value, 1e-12);
  EXPECT_NEAR(got[1][0], slope, 1e-11 * std::abs(slope));
  expectSeconds(differentiated + planned, 6.0);
}

/// Elements read one by one: the gradient is put together, not added up as padded vectors.
TEST(Laws, ManyReadsOfOneVector) {
  const std::int64_t n = isInstrumented() ? 3000 : 100000;
  Builder builder;
  const Expr x{&builder, builder.input("x", {n})};
  Expr y = constant(x, 0.0);
  for (std::int64_t i = 0; i < n; ++i) y = y + square(apply(Op::At, {x}, {i}));
  const TapePtr t = builder.finish({{"y", y.id}});
  const std::size_t wrt[] = {0};
  const std::clock_t start = std::clock();
  const TapePtr gradient = valueAndGrad(t, wrt);
  Evaluator evaluator(gradient);
  const Values point = uniformValues(n, 7);
  const Values got = evaluator({point})[1];
  const double seconds = secondsSince(start);
  std::printf("%lld reads: gradient, plan and run %.2f s, %zu nodes\n", static_cast<long long>(n),
              seconds, gradient->size());
  EXPECT_LE(gradient->size(), t->size() * 3);
  for (std::int64_t i = 0; i < n; ++i)
    ASSERT_EQ(got[static_cast<std::size_t>(i)], 2 * point[static_cast<std::size_t>(i)]) << i;
  expectSeconds(seconds, 5.0);
}

TEST(Laws, AStackOfManyPieces) {
  const std::int64_t n = isInstrumented() ? 3000 : 100000;
  Builder builder;
  const Expr x{&builder, builder.input("x", {})};
  std::vector<NodeId> pieces;
  for (std::int64_t i = 0; i < n; ++i) pieces.push_back((x * static_cast<double>(i + 2)).id);
  const std::int64_t axis = 0;
  const Expr all{&builder, apply(builder, Op::Stack, pieces, {&axis, 1})};
  const TapePtr t = builder.finish({{"y", sum(square(all), {0}).id}});
  const std::size_t wrt[] = {0};
  const std::clock_t start = std::clock();
  Evaluator evaluator(valueAndGrad(t, wrt));
  EXPECT_EQ(checkMemory(evaluator.plan()), "");
  const Arrays got = evaluator({{0.5}});
  double squares = 0;
  for (std::int64_t i = 0; i < n; ++i) squares += static_cast<double>((i + 2) * (i + 2));
  EXPECT_NEAR(got[0][0], 0.25 * squares, 1e-10 * squares);
  EXPECT_NEAR(got[1][0], squares, 1e-10 * squares);
  const double seconds = secondsSince(start);
  std::printf("%lld pieces: gradient, plan and run %.2f s\n", static_cast<long long>(n), seconds);
  expectSeconds(seconds, 5.0);
}

/// Chains of views as deep as a long loop writes them: linear time, no recursion.
TEST(Laws, DeepChainsOfViews) {
  const int depth = isInstrumented() ? 300 : 20000;
  const std::vector<std::pair<const char*, std::function<Expr(Expr, int)>>> chains = {
      {"reshape", [](Expr x, int i) { return reshape(x, i % 2 ? Shape{4, 6} : Shape{6, 4}); }},
      {"flip and transpose",
       [](Expr x, int i) { return i % 2 ? flip(x, {0}) : transpose(x, {1, 0}); }},
      {"transpose and reshape",
       [](Expr x, int i) { return i % 2 ? reshape(x, {4, 6}) : transpose(x, {1, 0}); }},
      {"flip and reshape",
       [](Expr x, int i) {
         return i % 2 ? reshape(x, i % 4 == 1 ? Shape{24} : Shape{4, 6}) : flip(x, {0});
       }},
      {"place and slice",
       [](Expr x, int i) {
         return i % 2 ? slice(x, {{1, 4, 1}, {0, 6, 1}}) : place(x, {{1, 6, 1}, {0, 6, 1}});
       }},
      {"stopGradient and unit axes",
       [](Expr x, int i) { return i % 2 ? reshape(x, {4, 6}) : reshape(x, {4, 1, 6}); }},
  };
  for (const auto& [name, step] : chains) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {4, 6})};
    Expr y = x;
    for (int i = 0; i < depth; ++i) y = step(y, i);
    const TapePtr t = builder.finish({{"y", sum(square(y), allAxes(y)).id}});
    const std::size_t wrt[] = {0};
    const std::clock_t start = std::clock();
    Evaluator evaluator(valueAndGrad(t, wrt));
    const Values point = uniformValues(24, 9);
    const Values got = evaluator({point})[1];
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], 2 * point[i]) << name;
    const double seconds = secondsSince(start);
    expectSeconds(seconds, 5.0);
  }
}

TEST(Laws, DeepNestingOfCustom) {
  const int depth = isInstrumented() ? 6 : 12;
  TapePtr t = functionOf({}, [](Expr x) { return sin(x); });
  for (int level = 0; level < depth; ++level) {
    const auto rule = makeRule(t, level % 4 == 1, level % 4 == 2);
    t = functionOf({}, [&](Expr x) { return callCustom(*x.builder, rule, {x})[0] + x; });
  }
  const std::size_t wrt[] = {0};
  const Arrays got = evaluate(valueAndGrad(t, wrt), {{0.5}});
  EXPECT_NEAR(got[0][0], std::sin(0.5) + depth * 0.5, 1e-13);
  EXPECT_NEAR(got[1][0], std::cos(0.5) + depth, 1e-13);
}

}  // namespace
}  // namespace adjoint::testing

// The conventions at singular points, one row each: every row must hold in every mode.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "test/support/derivatives.h"

namespace adjoint::testing {
namespace {

using namespace ex;
using Args = ScalarFunction::Arguments;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kMax = std::numeric_limits<double>::max();
constexpr double kPi = 3.14159265358979323846;

struct EdgeCase {
  const char* name;
  std::function<Expr(const Args&)> f;
  Values x;
  Values gradient;
  Values hessian = {};  ///< row-major; empty: not stated
  double value = 0;     ///< checked when hasValue
  bool hasValue = false;
  bool symmetric = true;  ///< mixed second derivatives agree
  bool plusZero = false;  ///< a zero derivative is +0
  double ulp = 0;
  Values neighbor = {};  ///< other points of a batch; the case's own shifted when empty
};

Expr c(const Args& a, double value) { return constant(a[0], value); }
template <Op op>
Expr unary(const Args& a) {
  return apply(op, {a[0]});
}
template <Op op>
Expr binary(const Args& a) {
  return apply(op, {a[0], a[1]});
}
template <Op op>
Expr reduced(const Args& a) {
  return apply(op, {a.all()}, {0, 0});
}
template <int order>
Expr norm(const Args& a) {
  return apply(Op::Norm, {a.all()}, {order, 0});
}
template <int k>
Expr sorted(const Args& a) {
  return apply(Op::At, {apply(Op::Sort, {a.all()}, {0})}, {k});
}
Expr whereSqrt(const Args& a) { return where(greater(a[0], 0.0), sqrt(a[0]), c(a, 0)); }
Expr whereSinc(const Args& a) { return where(notEqual(a[0], 0.0), sin(a[0]) / a[0], c(a, 1)); }
Expr whereVector(const Args& a) {
  const Expr x = a.all();
  return apply(Op::Sum, {where(greater(x, 0.0), sqrt(x) * log(x), full(x, 0))}, {0});
}
/// A branch not taken, behind an operation that mixes the elements of sqrt(x).
template <class Mix>
Expr notTaken(const Args& a, Mix mix) {
  const Expr result = mix(sqrt(a.all()));
  return where(greater(a[0], 0.0), result, full(result, 0));
}
Expr notTakenMatrix(const Args& a) {
  return notTaken(a, [&](Expr root) {
    const Expr matrix{root.builder, root.builder->data(Values{1, 2, 3, 4}, {2, 2})};
    return apply(Op::Sum, {apply(Op::MatMul, {matrix, root})}, {0});
  });
}
Expr notTakenProduct(const Args& a) {
  return notTaken(a, [](Expr root) { return apply(Op::Prod, {root}, {0, 0}); });
}
Expr notTakenRecurrence(const Args& a) {
  return notTaken(
      a, [](Expr root) { return apply(Op::At, {linearRecurrence(root, root, 0, false)}, {-1}); });
}
Expr twoBranches(const Args& a) {
  const Expr root = sqrt(a[0]);
  return where(greater(a[0], 0.0), root, c(a, 0)) + where(greater(a[0], 1.0), root, c(a, 0));
}
Expr saturatedBranch(const Args& a) {
  const Expr x = tanh(sqrt(a[0]) + 1.0);
  return where(greater(a[0], 0.0), x, c(a, 0)) + where(greater(a[0], 1.0), 2.0 * x, c(a, 0));
}
Expr sharedBranch(const Args& a) {
  const Expr x = a.all();
  return apply(Op::Sum, {where(greater(x, 0.0), sqrt(a[0]) * x, full(x, 0))}, {0});
}
Expr slicedAway(const Args& a) { return apply(Op::At, {log(a.all())}, {1}); }
Expr slicedAwaySaturated(const Args& a) { return apply(Op::At, {tanh(log(a.all()))}, {1}); }
Expr masked(const Args& a) {
  const Expr x = a.all();
  return apply(Op::MaskedLogSumExp, {x, fullBool(x, false)}, {0});
}

std::vector<EdgeCase> cases() {
  const double sincSecond = -kPi * kPi / 3;
  return {
      {"abs at 0", unary<Op::Abs>, {0}, {0}, {0}},
      {"abs at -0", unary<Op::Abs>, {-0.0}, {0}, {0}},
      {"sign at 0", unary<Op::Sign>, {0}, {0}, {0}},
      {"floor at 1", unary<Op::Floor>, {1}, {0}, {0}},
      {"ceil at 1", unary<Op::Ceil>, {1}, {0}, {0}},
      {"round at 0.5", unary<Op::Round>, {0.5}, {0}, {0}},
      {"trunc at 1", unary<Op::Trunc>, {1}, {0}, {0}},
      {"sqrt at 0", unary<Op::Sqrt>, {0}, {kInf}, {-kInf}},
      {"sqrt at -0", unary<Op::Sqrt>, {-0.0}, {-kInf}},
      {"sqrt(x*x) at 0", [](const Args& a) { return sqrt(a[0] * a[0]); }, {0}, {kNaN}},
      {"0*sqrt(x) at 0", [](const Args& a) { return 0.0 * sqrt(a[0]); }, {0}, {kNaN}},
      {"pow(0,0)", binary<Op::Pow>, {0, 0}, {0, 0}, {}, 1, true},
      {"pow(0,1)", binary<Op::Pow>, {0, 1}, {1, 0}, {}, 0, true, false},
      {"pow(x,1) at 0", [](const Args& a) { return pow(a[0], c(a, 1)); }, {0}, {1}, {0}},
      {"pow(0,2)", binary<Op::Pow>, {0, 2}, {0, 0}, {}, 0, true},
      {"pow(x,2) at 0", [](const Args& a) { return pow(a[0], c(a, 2)); }, {0}, {0}, {2}},
      {"pow(0,1/2)", binary<Op::Pow>, {0, 0.5}, {kInf, 0}, {}, 0, true, false},
      {"pow(0,-1)", binary<Op::Pow>, {0, -1}, {-kInf, -kInf}, {}, kInf, true},
      {"pow(-2,3)", binary<Op::Pow>, {-2, 3}, {12, kNaN}, {}, -8, true},
      {"pow(x,3) at -2", [](const Args& a) { return pow(a[0], c(a, 3)); }, {-2}, {12}, {-12}},
      {"pow(x,0) at 0", [](const Args& a) { return pow(a[0], c(a, 0)); }, {0}, {0}, {0}},
      {"pow(x,x) at 0", [](const Args& a) { return pow(a[0], a[0]); }, {0}, {0}},
      {"x*log(x) at 0", [](const Args& a) { return a[0] * log(a[0]); }, {0}, {kNaN}},
      {"xlogx at 0", unary<Op::Xlogx>, {0}, {-kInf}, {}, 0, true},
      {"xlogy(0,0)", binary<Op::Xlogy>, {0, 0}, {-kInf, 0}, {}, 0, true, false},
      {"xlogy(0,2)", binary<Op::Xlogy>, {0, 2}, {std::log(2), 0}, {0, 0.5, 0.5, 0}, 0, true},
      {"max(1,1)", binary<Op::Maximum>, {1, 1}, {0.5, 0.5}, {0, 0, 0, 0}},
      {"min(1,1)", binary<Op::Minimum>, {1, 1}, {0.5, 0.5}, {0, 0, 0, 0}},
      {"max of [1,1,1]", reduced<Op::ReduceMax>, {1, 1, 1}, {1.0 / 3, 1.0 / 3, 1.0 / 3}},
      {"min of [1,1,1]", reduced<Op::ReduceMin>, {1, 1, 1}, {1.0 / 3, 1.0 / 3, 1.0 / 3}},
      {"fmax(1,1)", binary<Op::Fmax>, {1, 1}, {0.5, 0.5}, {0, 0, 0, 0}},
      {"fmin(1,1)", binary<Op::Fmin>, {1, 1}, {0.5, 0.5}, {0, 0, 0, 0}},
      {"max(NaN,1)", binary<Op::Maximum>, {kNaN, 1}, {kNaN, kNaN}},
      {"min(NaN,1)", binary<Op::Minimum>, {kNaN, 1}, {kNaN, kNaN}},
      {"fmax(NaN,1)", binary<Op::Fmax>, {kNaN, 1}, {0, 1}, {}, 1, true},
      {"fmin(NaN,1)", binary<Op::Fmin>, {kNaN, 1}, {0, 1}, {}, 1, true},
      {"max of [1,2,2]", reduced<Op::ReduceMax>, {1, 2, 2}, {0, 0.5, 0.5}},
      {"sort of [2,2,1], first", sorted<0>, {2, 2, 1}, {0, 0, 1}},
      {"sort of [2,2,1], second", sorted<1>, {2, 2, 1}, {1, 0, 0}},
      {"sort of [2,2,1], third", sorted<2>, {2, 2, 1}, {0, 1, 0}},
      {"median of [2,2,1]", reduced<Op::Median>, {2, 2, 1}, {1, 0, 0}},
      {"median of [2,1,2,2]", reduced<Op::Median>, {2, 1, 2, 2}, {0.5, 0, 0.5, 0}},
      {"relu at 0", unary<Op::Relu>, {0}, {0}, {0}},
      {"clip at its lower bound",
       [](const Args& a) { return clip(a[0], c(a, -1), c(a, 2)); },
       {-1},
       {1},
       {0}},
      {"clip at its upper bound",
       [](const Args& a) { return clip(a[0], c(a, -1), c(a, 2)); },
       {2},
       {1},
       {0}},
      {"atan2(0,0)", binary<Op::Atan2>, {0, 0}, {kNaN, kNaN}},
      {"hypot(0,0)", binary<Op::Hypot>, {0, 0}, {0, 0}},
      {"2-norm at 0", norm<2>, {0, 0, 0}, {0, 0, 0}},
      {"1-norm at 0", norm<1>, {0, 0}, {0, 0}, {0, 0, 0, 0}},
      {"infinity norm at (1,1)", norm<0>, {1, 1}, {0.5, 0.5}, {0, 0, 0, 0}},
      {"infinity norm at 0", norm<0>, {0, 0}, {0, 0}, {0, 0, 0, 0}},
      {"std of equal values",
       [](const Args& a) { return apply(Op::Std, {a.all()}, {0, 0}); },
       {3, 3, 3},
       {0, 0, 0}},
      {"std of equal values whose sum is rounded",
       [](const Args& a) { return apply(Op::Std, {a.all()}, {0, 0}); },
       {0.1, 0.1, 0.1},
       {0, 0, 0},
       {0, 0, 0, 0, 0, 0, 0, 0, 0},
       0,
       true},
      {"sample std of equal values",
       [](const Args& a) { return apply(Op::Std, {a.all()}, {1, 0}); },
       {3, 3},
       {0, 0}},
      {"logsumexp(-inf,-inf)",
       reduced<Op::LogSumExp>,
       {-kInf, -kInf},
       {kNaN, kNaN},
       {},
       -kInf,
       true},
      {"maskedLogsumexp, none", masked, {1, 2}, {0, 0}, {0, 0, 0, 0}, -kInf, true, true, true},
      {"maskedLogsumexp, none finite",
       masked,
       {-kInf, kInf},
       {0, 0},
       {0, 0, 0, 0},
       -kInf,
       true,
       true,
       true},
      {"logsumexp(-inf,0)", reduced<Op::LogSumExp>, {-kInf, 0}, {0, 1}, {}, 0, true},
      {"logsumexp(inf,0)", reduced<Op::LogSumExp>, {kInf, 0}, {kNaN, 0}, {}, kInf, true},
      {"where(x>0,sqrt(x),0) at 0", whereSqrt, {0}, {0}, {0}, 0, true, true, true},
      {"where(x!=0,sin(x)/x,1) at 0", whereSinc, {0}, {0}, {0}, 1, true, true, true},
      {"where over a vector",
       whereVector,
       {0, 1, -1},
       {0, 1, 0},
       {0, 0, 0, 0, 0, 0, 0, 0, 0},
       0,
       true},
      {"a matrix product not taken", notTakenMatrix, {0, 1}, {0, 0}, {0, 0, 0, 0}, 0, true},
      {"a product not taken", notTakenProduct, {0, 1}, {0, 0}, {0, 0, 0, 0}, 0, true},
      {"a recurrence not taken", notTakenRecurrence, {0, 1}, {0, 0}, {0, 0, 0, 0}, 0, true},
      {"two branches not taken", twoBranches, {0}, {0}, {0}, 0, true, true, true},
      {"a branch not taken behind a saturation",
       saturatedBranch,
       {0},
       {0},
       {0},
       0,
       true,
       true,
       true},
      {"branches not taken over a shared operand",
       sharedBranch,
       {0, -1, -2},
       {0, 0, 0},
       Values(9, 0.0),
       0,
       true},
      {"a singular element sliced away", slicedAway, {0, 1}, {0, 1}, {0, 0, 0, -1}, 0, true},
      {"a singular element sliced away behind a saturation",
       slicedAwaySaturated,
       {0, 1},
       {0, 1},
       {},
       0,
       true},
      {"sinc at 0", unary<Op::Sinc>, {0}, {0}, {sincSecond}, 1, true, true, false, 4},
      {"sinc at 1e-9",
       unary<Op::Sinc>,
       {1e-9},
       {sincSecond * 1e-9},
       {sincSecond},
       0,
       false,
       true,
       false,
       4},
      {"prod of [inf,2]", reduced<Op::Prod>, {kInf, 2}, {2, kInf}, {}, kInf, true},
      {"acosh at 1", unary<Op::Acosh>, {1}, {kInf}, {-kInf}},
      {"prod of [0,2,3]", reduced<Op::Prod>, {0, 2, 3}, {6, 0, 0}, {0, 3, 2, 3, 0, 0, 2, 0, 0}},
      {"last of cumprod of [0,2,3]",
       [](const Args& a) { return apply(Op::At, {apply(Op::CumProd, {a.all()}, {0})}, {-1}); },
       {0, 2, 3},
       {6, 0, 0},
       {0, 3, 2, 3, 0, 0, 2, 0, 0}},
      {"log at 0", unary<Op::Log>, {0}, {kInf}},
      {"log1p at -1", unary<Op::Log1p>, {-1}, {kInf}},
      {"asin at 1", unary<Op::Asin>, {1}, {kInf}},
      {"acos at 1", unary<Op::Acos>, {1}, {-kInf}},
      {"tanh at 1000", unary<Op::Tanh>, {1000}, {0}, {0}},
      {"tanh at the largest", unary<Op::Tanh>, {kMax}, {0}, {0}},
      {"tanh at the smallest", unary<Op::Tanh>, {-kMax}, {0}, {0}},
      {"erf at 30", unary<Op::Erf>, {30}, {0}, {0}},
      {"erf at the largest", unary<Op::Erf>, {kMax}, {0}, {0}},
      {"erf at the smallest", unary<Op::Erf>, {-kMax}, {0}, {0}},
      {"softplus at 1000", unary<Op::Softplus>, {1000}, {1}, {0}},
      {"softplus at -1000", unary<Op::Softplus>, {-1000}, {0}, {0}},
      {"softplus at the largest", unary<Op::Softplus>, {kMax}, {1}, {0}},
      {"softplus at the smallest", unary<Op::Softplus>, {-kMax}, {0}, {0}},
      {"expm1 at -800", unary<Op::Expm1>, {-800}, {0}, {0}},
      {"expm1 at the smallest", unary<Op::Expm1>, {-kMax}, {0}, {0}},
      {"expm1 at the largest", unary<Op::Expm1>, {kMax}, {kInf}, {kInf}},
      {"sigmoid at the largest", unary<Op::Sigmoid>, {kMax}, {0}, {0}},
      {"logsigmoid at the smallest", unary<Op::Logsigmoid>, {-kMax}, {1}, {0}},
      {"x/y at (0,0)", binary<Op::Div>, {0, 0}, {kInf, kNaN}},
      {"x*y at (0,inf)", binary<Op::Mul>, {0, kInf}, {kInf, 0}, {0, 1, 1, 0}},
      {"mod(6,3)", binary<Op::Mod>, {6, 3}, {1, -2}, {0, 0, 0, 0}, 0, true},
      {"copysign(0,1)", binary<Op::Copysign>, {0, 1}, {0, 0}, {0, 0, 0, 0}},
  };
}

bool near(double got, double want, double ulp) {
  if (std::isnan(want)) return std::isnan(got);
  if (got == want) return true;
  if (!std::isfinite(want) || !std::isfinite(got)) return false;
  return std::abs(got - want) <= ulp * std::abs(want) * 0x1p-52;
}

std::string show(const Values& values) {
  std::string text;
  for (const double v : values) {
    char one[40];
    std::snprintf(one, sizeof one, " %.17g", v);
    text += one;
  }
  return text;
}

class EdgeCases : public ::testing::TestWithParam<Form> {};

/// The case's point alone, and in the middle of a batch of others.
std::vector<Arrays> batchesOf(const EdgeCase& row) {
  Values above = row.neighbor.empty() ? row.x : row.neighbor;
  Values below = above;
  for (std::size_t i = 0; i < above.size(); ++i) {
    above[i] = above[i] * 1.25 + 0.375 + 0.125 * static_cast<double>(i);
    below[i] = 0.5 + 0.0625 * static_cast<double>(i);
  }
  return {{row.x},
          {below, row.x, above},
          {above, below, below, above, above, below, above, below, row.x}};
}

void expectRow(const EdgeCase& row, const Values& got, const Values& want,
               const std::string& mode) {
  ASSERT_EQ(got.size(), want.size()) << row.name << ", " << mode;
  bool good = true;
  for (std::size_t i = 0; i < want.size(); ++i) {
    good = good && near(got[i], want[i], row.ulp);
    if (row.plusZero && want[i] == 0) good = good && !std::signbit(got[i]);
  }
  EXPECT_TRUE(good) << row.name << ", " << mode << ":" << show(got) << " instead of" << show(want);
}

TEST_P(EdgeCases, Value) {
  for (const EdgeCase& row : cases()) {
    if (!row.hasValue) continue;
    const TapePtr t = trace({row.f, row.x.size()}, GetParam());
    Arrays inputs;
    if (GetParam() == Form::Vector) {
      inputs = {row.x};
    } else {
      for (const double x : row.x) inputs.push_back({x});
    }
    EXPECT_TRUE(near(evaluate(t, inputs)[0][0], row.value, 0)) << row.name;
  }
}

TEST_P(EdgeCases, FirstOrder) {
  const std::vector<Mode> modes = firstOrderModes();
  for (const EdgeCase& row : cases()) {
    const TapePtr t = trace({row.f, row.x.size()}, GetParam());
    for (const Mode& mode : modes) {
      for (const Arrays& batch : batchesOf(row)) {
        const Arrays derivatives = mode.derive(t, batch);
        for (std::size_t p = 0; p < batch.size(); ++p) {
          if (identical({batch[p]}, {row.x}))
            expectRow(row, derivatives[p], row.gradient, mode.name);
        }
      }
    }
  }
}

TEST_P(EdgeCases, SecondOrderWhereStated) {
  const std::vector<Mode> modes = secondOrderModes();
  for (const EdgeCase& row : cases()) {
    if (row.hessian.empty()) continue;
    const TapePtr t = trace({row.f, row.x.size()}, GetParam());
    for (const Mode& mode : modes) {
      for (const Arrays& batch : batchesOf(row)) {
        const Arrays derivatives = mode.derive(t, batch);
        for (std::size_t p = 0; p < batch.size(); ++p) {
          if (identical({batch[p]}, {row.x}))
            expectRow(row, derivatives[p], row.hessian, mode.name);
        }
      }
    }
  }
}

/// Where the table states no second derivative, the modes still give one answer.
TEST_P(EdgeCases, SecondOrdersAgree) {
  const std::vector<Mode> modes = secondOrderModes();
  for (const EdgeCase& row : cases()) {
    // At an infinite value there is a first derivative of a kind, and nothing behind it.
    if (std::isinf(row.x[0])) continue;
    const TapePtr t = trace({row.f, row.x.size()}, GetParam());
    const std::size_t n = row.x.size();
    Values want;
    for (const Mode& mode : modes) {
      for (const Arrays& batch : batchesOf(row)) {
        const Arrays derivatives = mode.derive(t, batch);
        for (std::size_t p = 0; p < batch.size(); ++p) {
          if (!identical({batch[p]}, {row.x})) continue;
          if (want.empty()) want = derivatives[p];
          EdgeCase agreeing = row;
          agreeing.ulp = 8;
          agreeing.plusZero = false;
          expectRow(agreeing, derivatives[p], want, mode.name + " against " + modes[0].name);
        }
      }
    }
    if (!row.symmetric) continue;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        EXPECT_TRUE(near(want[i * n + j], want[j * n + i], 8)) << row.name << ":" << show(want);
      }
    }
  }
}

/// The branch not taken contributes +0 in third order too.
TEST_P(EdgeCases, WhereInThirdOrder) {
  for (const EdgeCase& row : cases()) {
    if (!row.plusZero) continue;
    const TapePtr t = trace({row.f, row.x.size()}, GetParam());
    const Values want(row.x.size() * row.x.size() * row.x.size(), 0.0);
    for (const Mode& mode : thirdOrderModes()) {
      expectRow(row, mode.derive(t, {row.x})[0], want, mode.name);
    }
  }
}

/// pow(0,1) by the base twice: the row of pow(x,1), with the exponent an input.
TEST_P(EdgeCases, PowByBaseTwiceWithAVariableExponent) {
  const std::vector<std::pair<Values, double>> rows = {{{0, 1}, 0}, {{0, 2}, 2}};
  for (const auto& [x, want] : rows) {
    const TapePtr t = trace({binary<Op::Pow>, 2}, GetParam());
    for (const Mode& mode : secondOrderModes()) {
      EXPECT_EQ(mode.derive(t, {x})[0][0], want) << mode.name << " at " << x[1];
    }
  }
}

/// No NaN anywhere on the real line, whatever the size of the argument.
TEST_P(EdgeCases, SaturatingFunctionsStayNumbers) {
  const Op ops[] = {Op::Tanh,       Op::Erf,  Op::Erfc,  Op::Softplus, Op::Sigmoid,
                    Op::Logsigmoid, Op::Atan, Op::Asinh, Op::Expm1};
  for (const Op op : ops) {
    const TapePtr t = trace({[op](const Args& a) { return apply(op, {a[0]}); }, 1}, GetParam());
    Arrays points;
    for (double x = 1e-300; x < 1e308; x *= 3.7e9) points.insert(points.end(), {{x}, {-x}});
    for (const double x : {0.0, 36.7, 709.5, 745.2, 1000.0, kMax})
      points.insert(points.end(), {{x}, {-x}});
    for (const Mode& mode : firstOrderModes()) {
      const Arrays derivatives = mode.derive(t, points);
      for (std::size_t p = 0; p < points.size(); ++p) {
        EXPECT_FALSE(std::isnan(derivatives[p][0]))
            << opName(code(op)) << " at " << points[p][0] << ", " << mode.name;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, EdgeCases, ::testing::Values(Form::Scalars, Form::Vector),
                         [](const auto& info) {
                           return info.param == Form::Scalars ? "Scalars" : "Vector";
                         });

}  // namespace
}  // namespace adjoint::testing

#include "test/mpfr_reference.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "test/mpfr_families.h"

namespace adjoint::testing {
namespace {

Real number(bool b) { return b ? 1.0 : 0.0; }
Real notANumber() { return __builtin_nan(""); }

/// Runs f with this many bits.
template <class F>
Real withPrecision(mpfr_prec_t bits, F f) {
  const mpfr_prec_t before = Real::precision;
  Real::precision = std::max(before, bits);
  Real r = f();
  Real::precision = before;
  return r;
}

/// a - b floor(a/b); the remainder of two doubles is exact.
Real floorMod(const Real& a, const Real& b) {
  return withPrecision(2400, [&] {
    const Real r = fmod(a, b);
    if (r.isZero()) return b.sign() < 0 ? -abs(r) : abs(r);
    return (r.sign() < 0) != (b.sign() < 0) ? r + b : r;
  });
}

Real softplus(const Real& a) { return a.sign() > 0 ? a + log1p(exp(-a)) : log1p(exp(a)); }

Real extreme(const Real& a, const Real& b, bool larger, bool ignoreNaN) {
  if (a.isNaN() || b.isNaN()) {
    if (!ignoreNaN) return notANumber();
    return a.isNaN() ? b : a;
  }
  // +0 > -0.
  if (a == b) return (mpfr_signbit(a.get()) != 0) == larger ? b : a;
  return (a > b) == larger ? a : b;
}

Real share(const Real& a, const Real& b) {
  if (a.isNaN() || b.isNaN()) return notANumber();
  return a > b ? 1.0 : a < b ? 0.0 : 0.5;
}

}  // namespace

Real reference(Op op, const Real* x, int n) {
  const Real &a = x[0], &b = x[1], &c = x[2];
  switch (op) {
    case Op::Add:
      return a + b;
    case Op::Sub:
      return a - b;
    case Op::Mul:
      return a * b;
    case Op::Div:
      return a / b;
    case Op::Neg:
      return -a;
    case Op::Fma:
      return a * b + c;
    case Op::Fms:
      return a * b - c;
    case Op::Fnma:
      return c - a * b;
    case Op::Pow:
      return pow(a, b);
    case Op::Sin:
      return sin(a);
    case Op::Cos:
      return cos(a);
    case Op::Square:
      return a * a;
    case Op::Sqrt:
      return sqrt(a);
    case Op::Rsqrt:
      return rsqrt(a);
    case Op::Cbrt:
      return cbrt(a);
    case Op::Reciprocal:
      return 1.0 / a;
    case Op::Hypot:
      return hypot(a, b);
    case Op::Abs:
      return abs(a);
    case Op::Sign:
      return a.isNaN() ? a : Real(a.sign());
    case Op::Copysign:
      return mpfr_signbit(b.get()) ? -abs(a) : abs(a);
    case Op::Exp:
      return exp(a);
    case Op::Exp2:
      return exp2(a);
    case Op::Expm1:
      return expm1(a);
    case Op::Log:
      return log(a);
    case Op::Log2:
      return log2(a);
    case Op::Log10:
      return log10(a);
    case Op::Log1p:
      return log1p(a);
    case Op::Tan:
      return tan(a);
    case Op::Sinc:
      return a.isZero() ? Real(1.0) : sinPi(a) / (pi() * a);
    case Op::Asin:
      return asin(a);
    case Op::Acos:
      return acos(a);
    case Op::Atan:
      return atan(a);
    case Op::Atan2:
      return atan2(a, b);
    case Op::Sinh:
      return sinh(a);
    case Op::Cosh:
      return cosh(a);
    case Op::Tanh:
      return tanh(a);
    case Op::Asinh:
      return asinh(a);
    case Op::Acosh:
      return acosh(a);
    case Op::Atanh:
      return atanh(a);
    case Op::Erf:
      return erf(a);
    case Op::Erfc:
      return erfc(a);
    case Op::Lgamma:
      return lgamma(a);
    case Op::Digamma:
      return digamma(a);
    case Op::Sigmoid:
      return 1.0 / (1.0 + exp(-a));
    case Op::Logsigmoid:
      return -softplus(-a);
    case Op::Softplus:
      return softplus(a);
    case Op::Relu:
      return a.isNaN() || a.sign() > 0 ? a : Real(0.0);
    case Op::Logaddexp:
      // The sum of top and a small term must not lose the latter's share of a zero.
      return withPrecision(2400, [&] {
        if (a == b) return a + ln2();
        const Real top = a > b ? a : b, gap = abs(a - b);
        return gap > 3000.0 ? top + exp(-gap) : top + log1p(exp(-gap));
      });
    case Op::Xlogy:
      return a.isZero() && !b.isNaN() ? Real(0.0) : a * log(b);
    case Op::Xlog1py:
      return a.isZero() && !b.isNaN() ? Real(0.0) : a * log1p(b);
    case Op::Xlogx:
      return a.isZero() ? Real(0.0) : a * log(a);
    case Op::Floor:
      return floor(a);
    case Op::Ceil:
      return ceil(a);
    case Op::Round:
      return roundEven(a);
    case Op::Trunc:
      return trunc(a);
    case Op::Mod:
      return floorMod(a, b);
    case Op::Maximum:
      return extreme(a, b, true, false);
    case Op::Minimum:
      return extreme(a, b, false, false);
    case Op::Fmax:
      return extreme(a, b, true, true);
    case Op::Fmin:
      return extreme(a, b, false, true);
    case Op::Clip:
      return extreme(extreme(a, b, true, false), c, false, false);
    case Op::Equal:
      return number(a == b);
    case Op::NotEqual:
      return number(!(a == b));
    case Op::Less:
      return number(a < b);
    case Op::LessEqual:
      return number(a <= b);
    case Op::Greater:
      return number(a > b);
    case Op::GreaterEqual:
      return number(a >= b);
    case Op::IsNan:
      return number(a.isNaN());
    case Op::IsFinite:
      return number(a.isFinite());
    case Op::LogicalAnd:
      return number(!a.isZero() && !b.isZero());
    case Op::LogicalOr:
      return number(!a.isZero() || !b.isZero());
    case Op::LogicalXor:
      return number(a.isZero() != b.isZero());
    case Op::LogicalNot:
      return number(a.isZero());
    case Op::Where:
      return a.isZero() ? c : b;
    case Op::ToNumber:
      return a;
    case Op::PowDeriv:
      return powFamily(a, b, n % 16, n / 16);
    case Op::HypotDeriv:
      return hypotFamily(a, b, n % 16, n / 16);
    case Op::Exp2Deriv:
      return exp2(a) * power(ln2(), n);
    case Op::SincDeriv:
      return sincFamily(a, n);
    case Op::Cauchy:
      return 1.0 / (1.0 + a * a);
    case Op::Atan2Deriv:
      return logFamily(a, b, n / 2, n % 2 == 1);
    case Op::Sech2:
      return power(sech(a), 2);
    case Op::Gaussian:
      return gaussianFamily(a, n);
    case Op::Polygamma:
      return polygammaFamily(a, n);
    case Op::SigmoidGrad:
      return power(sech(a * 0.5), 2) * 0.25;
    case Op::SigmoidDiff:
      return 1.0 / (1.0 + exp(b - a));
    case Op::SigmoidDiffGrad:
      return power(sech((a - b) * 0.5), 2) * 0.25;
    case Op::MaxWeight:
      return share(a, b);
    case Op::FmaxWeight:
      if (a.isNaN()) return b.isNaN() ? notANumber() : Real(0.0);
      return b.isNaN() ? Real(1.0) : share(a, b);
    default:
      return notANumber();
  }
}

Real referencePartial(Op op, int which, const Real* x, int n) {
  const Real &a = x[0], &b = x[1], &c = x[2];
  const bool first = which == 0;
  const Real minusA2 = 1.0 - a * a;
  switch (op) {
    case Op::Add:
      return 1.0;
    case Op::Sub:
      return first ? 1.0 : -1.0;
    case Op::Mul:
      return first ? b : a;
    case Op::Div:
      return first ? 1.0 / b : -(a / (b * b));
    case Op::Neg:
      return -1.0;
    case Op::Fma:
      return first ? b : which == 1 ? a : Real(1.0);
    case Op::Pow:
      // b - 1 exactly, for its parity.
      return first ? withPrecision(1200, [&] { return b * pow(a, b - 1.0); }) : pow(a, b) * log(a);
    case Op::Sin:
      return cos(a);
    case Op::Cos:
      return -sin(a);
    case Op::Square:
      return a * 2.0;
    case Op::Sqrt:
      return rsqrt(a) * 0.5;
    case Op::Rsqrt:
      return rsqrt(a) / a * -0.5;
    case Op::Cbrt:
      return cbrt(a) / (a * 3.0);
    case Op::Reciprocal:
      return -(1.0 / (a * a));
    case Op::Hypot:
      return (first ? a : b) / hypot(a, b);
    case Op::Abs:
      return Real(a.sign());
    case Op::Copysign:
      return first ? Real((mpfr_signbit(a.get()) != 0) == (mpfr_signbit(b.get()) != 0) ? 1 : -1)
                   : Real(0.0);
    case Op::Exp:
      return exp(a);
    case Op::Exp2:
      return exp2(a) * ln2();
    case Op::Expm1:
      return exp(a);
    case Op::Log:
      return 1.0 / a;
    case Op::Log2:
      return 1.0 / (a * ln2());
    case Op::Log10:
      return 1.0 / (a * log(Real(10.0)));
    case Op::Log1p:
      return withPrecision(2400, [&] { return 1.0 / (1.0 + a); });
    case Op::Tan:
      return 1.0 / power(cos(a), 2);
    case Op::Sinc:
      return sincFamily(a, 1);
    case Op::Asin:
      return rsqrt(minusA2);
    case Op::Acos:
      return -rsqrt(minusA2);
    case Op::Atan:
      return 1.0 / (1.0 + a * a);
    case Op::Atan2:
      return (first ? b : -a) / (a * a + b * b);
    case Op::Sinh:
      return cosh(a);
    case Op::Cosh:
      return sinh(a);
    case Op::Tanh:
      return power(sech(a), 2);
    case Op::Asinh:
      return rsqrt(1.0 + a * a);
    case Op::Acosh:
      return rsqrt(a * a - 1.0);
    case Op::Atanh:
      return 1.0 / minusA2;
    case Op::Erf:
      return exp(-(a * a)) * 2.0 / sqrt(pi());
    case Op::Erfc:
      return exp(-(a * a)) * -2.0 / sqrt(pi());
    case Op::Lgamma:
      return digamma(a);
    case Op::Digamma:
      return polygammaFamily(a, 1);
    case Op::Sigmoid:
      return power(sech(a * 0.5), 2) * 0.25;
    case Op::Logsigmoid:
      return 1.0 / (1.0 + exp(a));
    case Op::Softplus:
      return 1.0 / (1.0 + exp(-a));
    case Op::Relu:
      return number(a.sign() > 0);
    case Op::Logaddexp:
      return first ? 1.0 / (1.0 + exp(b - a)) : 1.0 / (1.0 + exp(a - b));
    case Op::Xlogy:
      return first ? log(b) : a / b;
    case Op::Xlog1py:
      return first ? log1p(b) : a / (1.0 + b);
    case Op::Xlogx:
      return log(a) + 1.0;
    case Op::Mod:
      return first ? Real(1.0) : withPrecision(2400, [&] { return -floor(a / b); });
    case Op::Maximum:
      return first ? share(a, b) : share(b, a);
    case Op::Minimum:
      return first ? share(b, a) : share(a, b);
    case Op::Fmax:
      return first ? share(a, b) : share(b, a);
    case Op::Fmin:
      return first ? share(b, a) : share(a, b);
    case Op::Clip: {
      const bool above = extreme(a, b, true, false) > c;
      return number(first ? b <= a && a <= c : which == 1 ? a < b && b <= c : above);
    }
    case Op::PowDeriv:
      return powFamily(a, b, n % 16 + (first ? 1 : 0), n / 16 + (first ? 0 : 1));
    case Op::HypotDeriv:
      return hypotFamily(a, b, n % 16 + (first ? 1 : 0), n / 16 + (first ? 0 : 1));
    case Op::Exp2Deriv:
      return exp2(a) * power(ln2(), n + 1);
    case Op::SincDeriv:
      return sincFamily(a, n + 1);
    case Op::Cauchy:
      return a * -2.0 / power(1.0 + a * a, 2);
    case Op::Atan2Deriv: {
      const int k = n / 2 + 1;
      const bool imaginary = n % 2 == 1;
      // d/db multiplies by 1, d/da by i.
      if (!first) return logFamily(a, b, k, imaginary);
      return imaginary ? logFamily(a, b, k, false) : -logFamily(a, b, k, true);
    }
    case Op::Sech2:
      return power(sech(a), 2) * tanh(a) * -2.0;
    case Op::Gaussian:
      return gaussianFamily(a, n + 1);
    case Op::Polygamma:
      return polygammaFamily(a, n + 1);
    case Op::SigmoidGrad:
      return power(sech(a * 0.5), 2) * tanh(a * 0.5) * -0.25;
    case Op::SigmoidDiff:
      return power(sech((a - b) * 0.5), 2) * (first ? 0.25 : -0.25);
    case Op::SigmoidDiffGrad: {
      const Real t = (a - b) * 0.5;
      return power(sech(t), 2) * tanh(t) * (first ? -0.25 : 0.25);
    }
    default:
      return notANumber();
  }
}

Real largestTerm(Op op, int which, const Real* x, int n) {
  const Real &a = x[0], &b = x[1];
  const bool first = which == 0;
  const bool value = which < 0;
  switch (op) {
    case Op::Lgamma:
      if (!value) return polygammaLargestTerm(a, 0);
      return a.sign() < 0 ? lgamma(1.0 - a) : Real(0.0);
    case Op::Digamma:
      return value ? polygammaLargestTerm(a, 0) : Real(0.0);
    case Op::Polygamma:
      return polygammaLargestTerm(a, value ? n : n + 1);
    case Op::Sinc:
      return value ? Real(0.0) : sincLargestTerm(a, 1);
    case Op::SincDeriv:
      return sincLargestTerm(a, value ? n : n + 1);
    case Op::Gaussian:
      return gaussianLargestTerm(a, value ? n : n + 1);
    case Op::Logaddexp:
      return value ? log1p(exp(-abs(a - b))) : Real(0.0);
    case Op::Xlogx:
      return value ? Real(0.0) : Real(1.0);
    case Op::PowDeriv: {
      const int i = n % 16 + (first ? 1 : 0), j = n / 16 + (which == 1 ? 1 : 0);
      return i > 0 && j > 0 ? powLargestTerm(a, b, i, j) : Real(0.0);
    }
    case Op::HypotDeriv: {
      const int i = n % 16 + (first ? 1 : 0), j = n / 16 + (which == 1 ? 1 : 0);
      const Real h = hypot(a, b);
      if (i == 2 && j == 1) return abs(b * 2.0) / power(h, 3);
      if (i == 1 && j == 2) return abs(a * 2.0) / power(h, 3);
      return 0.0;
    }
    case Op::Atan2Deriv: {
      const int k = value ? n / 2 : n / 2 + 1;
      if (k < 2) return 0.0;
      const Real s = power(hypot(a, b), -k);
      return s * (k > 2 ? k - 1.0 : 1.0);
    }
    default:
      return 0.0;
  }
}

bool isRegular(Op op, const double* x, int) {
  const double a = x[0], b = x[1];
  switch (op) {
    case Op::Sqrt:
    case Op::Cbrt:
    case Op::Xlogx:
    case Op::Copysign:
      return a != 0;
    case Op::Abs:
    case Op::Relu:
      return a != 0;
    case Op::Hypot:
    case Op::HypotDeriv:
    case Op::Atan2:
    case Op::Atan2Deriv:
      return a != 0 || b != 0;
    case Op::Asin:
    case Op::Acos:
      return a != 1 && a != -1;
    case Op::Acosh:
      return a != 1;
    case Op::Pow:
      // By b there is no derivative for a < 0; that one is asked for at a > 0 only.
      return a != 0;
    case Op::PowDeriv:
      return a > 0;
    default:
      return true;
  }
}

void mpfrEvaluate(Op op, mpfr_t out, const mpfr_t* operands, int attr) {
  const mpfr_prec_t before = Real::precision;
  Real::precision = std::max<mpfr_prec_t>(320, mpfr_get_prec(out) + 128);
  const int arity = [op] {
    switch (op) {
#define UNARY(code, id, ...) \
  case Op::id:               \
    return 1;
#define BINARY(code, id, ...) \
  case Op::id:                \
    return 2;
#define TERNARY(code, id, ...) \
  case Op::id:                 \
    return 3;
#include "ops/elementwise.def"
#undef UNARY
#undef BINARY
#undef TERNARY
      default:
        return 0;
    }
  }();
  Real x[3];
  for (int i = 0; i < arity; ++i) {
    const mpfr_prec_t bits = std::max(Real::precision, mpfr_get_prec(operands[i]));
    mpfr_set_prec(x[i].get(), bits);
    mpfr_set(x[i].get(), operands[i], MPFR_RNDN);
  }
  const Real r = reference(op, x, attr);
  mpfr_set(out, r.get(), MPFR_RNDN);
  Real::precision = before;
}

}  // namespace adjoint::testing

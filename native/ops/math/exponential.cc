// Exponentials, logarithms, powers, the sigmoid family.
#include "ops/math/double_double.h"
#include "ops/math/exp_core.h"
#include "ops/math/kernels.h"
#include "ops/math/log_core.h"
#include "ops/math/logistic_core.h"
#include "ops/math/sleef.h"

namespace adjoint::simd {
namespace {

constexpr double kLn2 = 0x1.62e42fefa39efp-1;
constexpr double kLn2Low = 0x1.abc9e3b39803fp-56;

/// e^a everywhere: with the core's bits where that is right. Results below the normal doubles are
/// rounded once more, by less than a unit in the last place in all.
[[gnu::noinline, gnu::cold]] V expAnywhere(V a) {
  // Beyond these every result is 0 or infinite.
  const ExpParts<V> e = expParts(clamp(a, -746.0, 710.0));
  const M k = bits(e.shifted) - bits(splat(kIntMagic));
  const M half = k >> 1;
  return e.mantissa * pow2(half) * pow2(k - half);
}

inline V exp(V a) {
  const CoreResult<V> r = expCore(a);
  return __builtin_expect(any(r.outside), 0) ? expAnywhere(a) : r.value;
}

/// log(a) everywhere: with the core's bits where that is right.
[[gnu::noinline, gnu::cold]] V logAnywhere(V a) {
  const CoreResult<V> r = logCore(a);
  return select(r.outside, sleef::log(a), r.value);
}

inline V log(V a) {
  const CoreResult<V> r = logCore(a);
  return __builtin_expect(any(r.outside), 0) ? logAnywhere(a) : r.value;
}

inline V log1p(V a) {
  V r = sleef::log1p(a);
  // SLEEF overflows from 1e307; there log(1 + a) = log(a).
  const M huge = (a > 1e300) & (a < kInf);
  if (__builtin_expect(any(huge), 0)) r = select(huge, sleef::log(a), r);
  // It loses the last bits of subnormals.
  return select(abs(a) < 0x1p-54, a, r);
}

/// Product of a factor of any size with a scaled exponential, rounded about once. An exponential
/// that is far out of range decides against the factor, which overflows later.
inline V times(ScaledDD e, V factor) {
  const Split f = split(factor);
  const V low = select(abs(factor) < kInf, e.mantissa.lo * f.mantissa, 0.0);
  const V r = scale(fma(e.mantissa.hi, f.mantissa, low), e.exponent + f.exponent);
  return select(e.exponent < -5000.0, copySign(splat(0.0), factor), r);
}

/// 2^a ln(2)^n, where 2^a alone may overflow.
inline V exp2Derivative(V a, int n) {
  const V x = clamp(a, -4000.0, 4000.0);
  const V k = round(x);
  ScaledDD e = expDD(constantDD(kLn2, kLn2Low) * (x - k));
  e.exponent += k;
  DD c = constantDD(1.0, 0.0);
  for (int i = 0; i < n; ++i) c = c * constantDD(kLn2, kLn2Low);
  const DD r = e.mantissa * c;
  return scale(r.hi, e.exponent);
}

inline M isOdd(V whole) { return abs(whole - 2.0 * trunc(0.5 * whole)) == 1.0; }

inline V wholePower(V x, int n) {
  V r = splat(1.0);
  for (int i = 0; i < n; ++i) r = r * x;
  return r;
}

/// d^n/dx^n d^m/dy^m x^y = x^(y-n) sum_k C(m,k) F^(k)(y) log(x)^(m-k), F(y) = y (y-1) ... (y-n+1),
/// with the power scaled, so that it may over- or underflow where the product does not.
inline V powDerivative(V x, V y, int n, int m) {
  // Taylor coefficients of F at y, up to the m-th: coefficient[k] = F^(k)(y) / k!.
  constexpr int kMax = 16;
  V coefficient[kMax] = {splat(1.0)};
  for (int k = 1; k <= m; ++k) coefficient[k] = V{};
  for (int j = 0; j < n; ++j) {
    const V f = y - static_cast<double>(j);
    for (int k = m; k > 0; --k) coefficient[k] = fma(coefficient[k], f, coefficient[k - 1]);
    coefficient[0] = coefficient[0] * f;
  }
  const V ax = abs(x);
  const DD log = logDD(ax);
  // sum_k m!/(m-k)! coefficient[k] log^(m-k), by Horner's rule in log.
  V c = coefficient[0];
  double falling = 1;
  for (int k = 1; k <= m; ++k) {
    falling *= m - k + 1;
    c = fma(c, log.hi, falling * coefficient[k]);
  }
  // Clamped, so that the product with the logarithm is finite; the power is 0, 1 or infinite long
  // before that.
  const DD exponent = twoSum(clamp(y, -0x1p900, 0x1p900), splat(-static_cast<double>(n)));
  // Not of the exponent, which may be rounded.
  const M odd = isOdd(y) ^ splatInt(n % 2 ? -1 : 0);
  V r = times(expDD(log * exponent), c);
  r = select((x < 0.0) & odd, -r, r);
  // log of a negative number, or a negative number to a fractional power.
  r = select((x < 0.0) & ((trunc(y) != y) | splatInt(m > 0 ? -1 : 0)), kNaN, r);
  const M special = (ax == 0.0) | ~(ax < kInf) | ~(abs(y) < kInf);
  if (__builtin_expect(any(special), 0)) {
    const V p = sleef::pow(x, y - static_cast<double>(n));
    V s;
    if (m == 0) {
      s = coefficient[0] * p;
    } else {
      // At x = 0 the power decides: 0 times a power of the logarithm is 0, also for 0^0 itself,
      // whose value is the constant 1 along y >= 0.
      const V limit = p * wholePower(splat(-kInf), m);
      const V zero = select(n == 0 ? (y >= 0.0) : (y > static_cast<double>(n)), splat(0.0),
                            coefficient[0] == 0.0 ? p : coefficient[0] * limit);
      s = select(ax == 0.0, zero, p * wholePower(sleef::log(x), m) * coefficient[0]);
    }
    // A constant polynomial, such as x^0 or the second derivative of x^1, has derivative 0 even at
    // 0.
    if (m == 0) s = select((coefficient[0] == 0.0) & ~isNaN(x), 0.0, s);
    r = select(special, s, r);
  }
  return r;
}

inline V pow(V x, V y) {
  V r = sleef::pow(x, y);
  // SLEEF gives infinity a little before the largest double.
  const M edge = (abs(r) == kInf) & (x != 0.0) & (abs(x) < kInf) & (abs(y) < kInf);
  if (__builtin_expect(any(edge), 0)) r = select(edge, powDerivative(x, y, 0, 0), r);
  return r;
}

/// t = a - b = hi + lo, for functions of e^-|t|.
struct Difference {
  V hi, lo;
};
inline Difference difference(V a, V b) {
  const DD d = twoSum(a, -b);
  return {d.hi, select(abs(d.hi) < kInf, d.lo, 0.0)};
}

/// sigmoid(a) everywhere: with the core's bits where that is right.
[[gnu::noinline, gnu::cold]] V sigmoidAnywhere(V a) {
  const V e = exp(-abs(a));
  return select(a < 0.0, e, 1.0) / (1.0 + e);
}
inline V sigmoid(V a) {
  const CoreResult<V> r = sigmoidCore(a, sigmoidParts(a));
  return __builtin_expect(any(r.outside), 0) ? sigmoidAnywhere(a) : r.value;
}
/// 1 / (1 + e^(b-a)), where a - b may need more than 53 bits.
inline V sigmoidDifference(V a, V b) {
  const Difference d = difference(a, b);
  V e = exp(-abs(d.hi));
  e = fma(e, -flipSign(d.lo, d.hi), e);
  return select(d.hi < 0.0, e, 1.0) / (1.0 + e);
}
/// e^-t / (1 + e^-t)^2 times 2^shift for t >= 0.
inline V bell(DD t, double shift) {
  const ScaledDD s = expDD(-t);
  const V e = value(s);
  return scale(s.mantissa.hi / fma(e, e + 2.0, 1.0), s.exponent + shift);
}
inline V sigmoidBell(V a) { return bell({abs(a), V{}}, 0); }
inline V sech2Bell(V a) { return bell({2.0 * abs(a), V{}}, 2); }

// Everywhere: with the core's bits where that is right.
[[gnu::noinline, gnu::cold]] V sigmoidDerivativeAnywhere(V a) {
  const CoreResult<V> r = sigmoidGradCore(sigmoidParts(a));
  return select(r.outside, sigmoidBell(a), r.value);
}
[[gnu::noinline, gnu::cold]] V sech2Anywhere(V a) {
  const CoreResult<V> r = sech2Core(tanhParts(a));
  return select(r.outside, sech2Bell(a), r.value);
}
inline V sigmoidDerivative(V a) {
  if constexpr (!kIsFused) return sigmoidBell(a);
  const CoreResult<V> r = sigmoidGradCore(sigmoidParts(a));
  return __builtin_expect(any(r.outside), 0) ? sigmoidDerivativeAnywhere(a) : r.value;
}
inline V sech2(V a) {
  if constexpr (!kIsFused) return sech2Bell(a);
  const CoreResult<V> r = sech2Core(tanhParts(a));
  return __builtin_expect(any(r.outside), 0) ? sech2Anywhere(a) : r.value;
}
inline V sigmoidDifferenceDerivative(V a, V b) {
  const Difference d = difference(a, b);
  return bell({abs(d.hi), flipSign(d.lo, d.hi)}, 0);
}
inline V softplus(V a) {
  const V tail = sleef::log1p(exp(-abs(a)));
  return select(a > 0.0, a + tail, tail);
}
inline V logAddExp(V a, V b) {
  const V top = select(a > b, a, b);
  Difference d = difference(a, b);
  // Equal operands, infinite ones too.
  d.hi = select(a == b, 0.0, d.hi);
  V e = exp(-abs(d.hi));
  e = fma(e, -flipSign(d.lo, d.hi), e);
  const V r = top + sleef::log1p(e);
  return select(isNaN(a) | isNaN(b), a + b, r);
}

inline V xLogY(V a, V b, V logarithm) { return select((a == 0.0) & ~isNaN(b), 0.0, a * logarithm); }

}  // namespace
}  // namespace adjoint::simd

namespace adjoint::kernel {

ADJOINT_KERNEL1(exp, simd::exp(x))
ADJOINT_KERNEL1(exp2, sleef::exp2(x))
ADJOINT_KERNEL1(exp2Deriv, exp2Derivative(x, attr))
ADJOINT_KERNEL1(expm1, sleef::expm1(x))
ADJOINT_KERNEL1(log, simd::log(x))
ADJOINT_KERNEL1(log2, sleef::log2(x))
ADJOINT_KERNEL1(log10, sleef::log10(x))
ADJOINT_KERNEL1(log1p, simd::log1p(x))
ADJOINT_KERNEL2(pow, simd::pow(x, y))
ADJOINT_KERNEL2(powDeriv, powDerivative(x, y, attr & 15, attr >> 4))
ADJOINT_KERNEL1(cbrt, sleef::cbrt(x))

ADJOINT_KERNEL1(sigmoid, simd::sigmoid(x))
ADJOINT_KERNEL1(sigmoidGrad, sigmoidDerivative(x))
ADJOINT_KERNEL2(sigmoidDiff, sigmoidDifference(x, y))
ADJOINT_KERNEL2(sigmoidDiffGrad, sigmoidDifferenceDerivative(x, y))
ADJOINT_KERNEL1(sech2, simd::sech2(x))
ADJOINT_KERNEL1(softplus, simd::softplus(x))
ADJOINT_KERNEL1(logsigmoid, -simd::softplus(-x))
ADJOINT_KERNEL2(logaddexp, logAddExp(x, y))
ADJOINT_KERNEL2(xlogy, xLogY(x, y, simd::log(y)))
ADJOINT_KERNEL2(xlog1py, xLogY(x, y, simd::log1p(y)))
ADJOINT_KERNEL1(xlogx, xLogY(x, x, simd::log(x)))

}  // namespace adjoint::kernel

// Circular and hyperbolic functions, hypot and the derivatives of plane polar coordinates, sinc.
#include "ops/math/double_double.h"
#include "ops/math/kernels.h"
#include "ops/math/sleef.h"

namespace adjoint::simd {
namespace {

constexpr double kPi = 0x1.921fb54442d18p+1;
constexpr double kLn2 = 0x1.62e42fefa39efp-1;
constexpr double kLn2Low = 0x1.abc9e3b39803fp-56;

// SLEEF's hyperbolic functions overflow from 709.78; e^|a| / 2 is exact enough from 20.
inline V sinh(V a) {
  V r = sleef::sinh(a);
  const M edge = abs(a) > 709.0;
  if (__builtin_expect(any(edge), 0)) {
    ScaledDD e = expDD({abs(a), V{}});
    e.exponent -= 1.0;
    r = select(edge, flipSign(value(e), a), r);
  }
  return r;
}
inline V cosh(V a) {
  V r = sleef::cosh(a);
  const M edge = abs(a) > 709.0;
  if (__builtin_expect(any(edge), 0)) {
    ScaledDD e = expDD({abs(a), V{}});
    e.exponent -= 1.0;
    r = select(edge, value(e), r);
  }
  return r;
}
/// log(2 a) for large finite a, where SLEEF's inverse hyperbolic functions overflow in a^2.
inline V logTwice(V a) {
  const DD r = logDD(a) + constantDD(kLn2, kLn2Low);
  return r.hi + r.lo;
}
inline V asinh(V a) {
  V r = sleef::asinh(a);
  const M huge = (abs(a) > 1e150) & (abs(a) < kInf);
  if (__builtin_expect(any(huge), 0)) r = select(huge, flipSign(logTwice(abs(a)), a), r);
  return r;
}
inline V acosh(V a) {
  V r = sleef::acosh(a);
  const M huge = (a > 1e150) & (a < kInf);
  if (__builtin_expect(any(huge), 0)) r = select(huge, logTwice(a), r);
  return r;
}

/// 1 / (1 + a^2) where a^2 may overflow.
inline V cauchy(V a) {
  const M huge = abs(a) > 0x1p500;
  const V r = 1.0 / a;
  return select(huge, r * r, 1.0 / fma(a, a, 1.0));
}

/// The pair (a, b) over a power of two near its larger member.
struct Scaled {
  V a, b, exponent;
};
inline Scaled scalePair(V a, V b) {
  const V top = select(abs(a) > abs(b), abs(a), abs(b));
  const V e = split(top).exponent;
  // Subnormal pairs need two factors.
  const V half = trunc(0.5 * e);
  const V f = pow2(doubleToInt(-half)), g = pow2(doubleToInt(half - e));
  return {a * f * g, b * f * g, e};
}

/// d^i/da^i d^j/db^j hypot = P(c, s) h^(1-i-j), c = a/h, s = b/h, P homogeneous of degree i + j:
/// d/da takes P to s^2 P_c - c s P_s + (1 - degree) c P, d/db the same with c and s exchanged.
inline V hypotDerivative(V a, V b, int i, int j) {
  constexpr int kMax = 32;
  const int degree = i + j;
  double p[kMax] = {0, 1};  // p[k] of c^k s^(degree-k), here for d/da hypot = c
  int d = 1;
  if (i == 0) p[0] = 1, p[1] = 0;  // s
  const auto raise = [&](bool byA) {
    double q[kMax] = {};
    for (int k = 0; k <= d; ++k) {
      const int l = d - k;
      if (byA) {
        if (k > 0) q[k - 1] += k * p[k];  // s^2 P_c
        q[k + 1] += (1 - d - l) * p[k];   // -c s P_s + (1 - d) c P
      } else {
        if (l > 0) q[k + 2] += l * p[k];  // c^2 P_s
        q[k] += (1 - d - k) * p[k];       // -c s P_c + (1 - d) s P
      }
    }
    ++d;
    for (int k = 0; k <= d; ++k) p[k] = q[k];
  };
  const int start = i == 0 ? 0 : 1;
  for (int k = start; k < i; ++k) raise(true);
  for (int k = i == 0 ? 1 : 0; k < j; ++k) raise(false);
  const Scaled t = scalePair(a, b);
  const V h = sqrt(fma(t.a, t.a, t.b * t.b));
  const V c = t.a / h, s = t.b / h;
  V r = V{};
  for (int k = degree; k >= 0; --k) {
    V term = splat(p[k]);
    for (int u = 0; u < k; ++u) term = term * c;
    for (int u = k; u < degree; ++u) term = term * s;
    r = p[k] == 0 ? r : r + term;
  }
  for (int k = 1; k < degree; ++k) r = r / h;
  r = scale(r, (1.0 - degree) * t.exponent);
  // The norm's subgradient of least norm.
  return select((a == 0.0) & (b == 0.0), 0.0, r);
}

/// Real (part 0) or imaginary (part 1) part of d^n/dz^n log z = (-1)^(n-1) (n-1)! / z^n, z = b + i
/// a.
inline V atan2Derivative(V a, V b, int n, int part) {
  const Scaled t = scalePair(a, b);
  const V d = fma(t.a, t.a, t.b * t.b);
  const V re = t.b / d, im = -t.a / d;
  V x = re, y = im;
  for (int k = 1; k < n; ++k) {
    const V f = splat(static_cast<double>(-k));
    const V u = f * fma(x, re, -(y * im));
    y = f * fma(x, im, y * re);
    x = u;
  }
  const V r = scale(part == 0 ? x : y, -static_cast<double>(n) * t.exponent);
  const M far = ((abs(a) == kInf) | (abs(b) == kInf)) & ~isNaN(a) & ~isNaN(b);
  return select(far, 0.0, r);
}

/// a - 2 round(a / 2), exact: the argument of sin(pi a) in [-1, 1].
inline V reducePi(V a) { return a - 2.0 * round(0.5 * a); }

inline V sinc(V a) {
  const V r = sleef::sinpi(reducePi(a)) / (kPi * a);
  return select(abs(a) < 1e-9, 1.0, r);
}

/// d^n/du^n sin(u)/u by the series sum_k (-1)^k u^(2k-n) / ((2k+1) (2k-n)!), in double-double for
/// the cancellation among its terms.
inline V sincSeries(DD u, int n, int terms) {
  const int first = (n + 1) / 2;
  // Term k: sign (-1)^k, power u^(2k-n).
  const DD u2 = u * u;
  DD power = 2 * first == n ? constantDD(1.0, 0.0) : u;
  DD sum = {V{}, V{}};
  for (int k = first; k < first + terms; ++k) {
    const V odd = splat(k % 2 == 0 ? 2.0 * k + 1 : -(2.0 * k + 1));
    sum = sum + power * reciprocal(DD{odd, V{}});
    const double i = 2 * k - n;
    power = (power * u2) * reciprocal(DD{splat((i + 1) * (i + 2)), V{}});
  }
  return sum.hi;
}

/// n-th derivative of sinc(a) = sin(pi a) / (pi a). With f the unnormalized sinc and u = pi a:
/// u f^(n)(u) = sin(u + n pi/2) - n f^(n-1)(u) going up, stable for u > n; the series below that.
inline V sincDerivative(V a, int n) {
  const V r = reducePi(a);
  const V s = sleef::sinpi(r), c = sleef::cospi(r);
  const V u = kPi * a;
  const V trig[4] = {s, c, -s, -c};
  V f = s / u;
  double scalePi = 1;
  for (int k = 1; k <= n; ++k) {
    const V g = fma(splat(static_cast<double>(-k)), f, trig[k & 3]);
    // The last division is by a itself: pi / (pi a), which also keeps pi a from overflowing.
    f = k < n ? g / u : g / a;
    scalePi = k < n ? scalePi * kPi : scalePi;
  }
  f = f * scalePi;
  const double reach = n == 1 ? 0.75 : (n + 6) / 3.0;
  const M near = abs(a) < reach;
  if (any(near)) {
    const DD ua = twoProd(a, splat(kPi));
    const DD up = quickTwoSum(ua.hi, fma(a, 0x1.1a62633145c07p-53, ua.lo));
    const int terms = n == 1 ? 12 : 20 + 3 * n;
    double piPower = 1;
    for (int k = 0; k < n; ++k) piPower *= kPi;
    const DD clean = {select(near, up.hi, 0.0), select(near, up.lo, 0.0)};
    f = select(near, sincSeries(clean, n, terms) * piPower, f);
  }
  return f;
}

}  // namespace
}  // namespace adjoint::simd

namespace adjoint::kernel {

ADJOINT_KERNEL1(sin, sleef::sin(x))
ADJOINT_KERNEL1(cos, sleef::cos(x))
ADJOINT_KERNEL1(tan, sleef::tan(x))
ADJOINT_KERNEL1(asin, sleef::asin(x))
ADJOINT_KERNEL1(acos, sleef::acos(x))
ADJOINT_KERNEL1(atan, sleef::atan(x))
ADJOINT_KERNEL1(cauchy, simd::cauchy(x))
ADJOINT_KERNEL2(atan2, sleef::atan2(x, y))
ADJOINT_KERNEL2(atan2Deriv, atan2Derivative(x, y, attr >> 1, attr & 1))
ADJOINT_KERNEL2(hypot, sleef::hypot(x, y))
ADJOINT_KERNEL2(hypotDeriv, hypotDerivative(x, y, attr & 15, attr >> 4))
ADJOINT_KERNEL1(sinh, simd::sinh(x))
ADJOINT_KERNEL1(cosh, simd::cosh(x))
ADJOINT_KERNEL1(tanh, sleef::tanh(x))
ADJOINT_KERNEL1(asinh, simd::asinh(x))
ADJOINT_KERNEL1(acosh, simd::acosh(x))
ADJOINT_KERNEL1(atanh, sleef::atanh(x))
ADJOINT_KERNEL1(sinc, simd::sinc(x))
ADJOINT_KERNEL1(sincDeriv, sincDerivative(x, attr))

}  // namespace adjoint::kernel

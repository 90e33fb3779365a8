// Circular and hyperbolic functions, hypot and the derivatives of plane polar coordinates, sinc.
#include "ops/math/double_double.h"
#include "ops/math/kernels.h"
#include "ops/math/logistic_core.h"
#include "ops/math/sincos_core.h"
#include "ops/math/sleef.h"

namespace adjoint::simd {
namespace {

constexpr double kPi = 0x1.921fb54442d18p+1;
constexpr double kPiLow = 0x1.1a62633145c07p-53;
constexpr double kLn2 = 0x1.62e42fefa39efp-1;
constexpr double kLn2Low = 0x1.abc9e3b39803fp-56;

// Sine and cosine everywhere: with the core's bits where that is right.
[[gnu::noinline, gnu::cold]] V sinAnywhere(V a) {
  const CoreResult<V> r = sinCore(a);
  return select(r.outside, sleef::sin(a), r.value);
}
[[gnu::noinline, gnu::cold]] V cosAnywhere(V a) {
  const CoreResult<V> r = cosCore(a);
  return select(r.outside, sleef::cos(a), r.value);
}
inline V sin(V a) {
  if constexpr (!kIsFused) return sleef::sin(a);
  const CoreResult<V> r = sinCore(a);
  return __builtin_expect(any(r.outside), 0) ? sinAnywhere(a) : r.value;
}
inline V cos(V a) {
  if constexpr (!kIsFused) return sleef::cos(a);
  const CoreResult<V> r = cosCore(a);
  return __builtin_expect(any(r.outside), 0) ? cosAnywhere(a) : r.value;
}

// SLEEF's hyperbolic functions overflow from 709.78; e^|a| / 2 is exact enough from 20.
inline V sinh(V a) {
  V r = sleef::sinh(a);
  const M edge = abs(a) > 709.0;
  if (__builtin_expect(any(edge), 0)) {
    ScaledDD e = expDD({abs(a), V{}});
    e.exponent -= 1.0;
    r = select(edge, flipSign(value(e), a), r);
  }
  return nearZero(a, r);
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
inline V tanh(V a) {
  if constexpr (!kIsFused) return sleef::tanh(a);
  return tanhCore(a, tanhParts(a));
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
  return nearZero(a, r);
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

/// a and b with exponents apart, and the inverse of their length, inverse 2^-exponent, to more than
/// 53 bits.
struct Polar {
  Split a, b;
  DD inverse;
  V exponent;
};
inline Polar polar(V a, V b) {
  const Split p = split(a), q = split(b);
  const V top = select(abs(a) > abs(b), p.exponent, q.exponent);
  // A side that is 2^600 times shorter than the other adds nothing.
  const V x = scale(p.mantissa, clamp(p.exponent - top, -600.0, 0.0));
  const V y = scale(q.mantissa, clamp(q.exponent - top, -600.0, 0.0));
  const DD d = twoProd(x, x) + twoProd(y, y);
  const V h = sqrt(d.hi);
  const V r = 1.0 / h;
  const V low = (fma(-h, h, d.hi) + d.lo) * (0.5 * r);
  return {p, q, {r, r * fma(-r, low, fma(-r, h, splat(1.0)))}, top};
}

/// m 2^e as two numbers, so that powers and sums of them cannot leave the range of doubles.
struct Wide {
  V mantissa, exponent;
};
inline Wide operator*(Wide a, Wide b) { return {a.mantissa * b.mantissa, a.exponent + b.exponent}; }
inline Wide operator+(Wide a, Wide b) {
  // A zero has no exponent to compare.
  const V ea = select(a.mantissa == 0.0, -1e6, a.exponent);
  const V eb = select(b.mantissa == 0.0, -1e6, b.exponent);
  const V top = select(ea > eb, ea, eb);
  return {scale(a.mantissa, clamp(ea - top, -200.0, 0.0)) +
              scale(b.mantissa, clamp(eb - top, -200.0, 0.0)),
          top};
}
inline V value(Wide x) { return scale(x.mantissa, x.exponent); }
inline Wide overLength(Wide x, const Polar& t) {
  const V q = x.mantissa * t.inverse.hi;
  const V r = fma(x.mantissa, t.inverse.lo, fma(x.mantissa, t.inverse.hi, -q));
  return {q + r, x.exponent - t.exponent};
}
inline Wide cosine(const Split& side, const Polar& t) {
  return overLength({side.mantissa, side.exponent}, t);
}

constexpr int kMaxDegree = 31;

/// Coefficients p[k] of c^k s^(degree-k) in the polynomial P of hypotDerivative.
inline void hypotPolynomial(double* p, int i, int j) {
  p[0] = i == 0 ? 1 : 0;
  p[1] = i == 0 ? 0 : 1;
  for (int d = 1; d < i + j; ++d) {
    double q[kMaxDegree + 3] = {};
    const bool byA = d < i;
    for (int k = 0; k <= d; ++k) {
      const int l = d - k;
      if (byA) {
        if (k > 0) q[k - 1] += k * p[k];
        q[k + 1] += (1 - d - l) * p[k];
      } else {
        if (l > 0) q[k + 2] += l * p[k];
        q[k] += (1 - d - k) * p[k];
      }
    }
    for (int k = 0; k <= d + 1; ++k) p[k] = q[k];
  }
}

/// d^i/da^i d^j/db^j hypot = P(c, s) h^(1-i-j), c = a/h, s = b/h, P homogeneous of degree i + j,
/// from c or s: d/da takes P to s^2 P_c - c s P_s + (1 - degree) c P, d/db the same with c and s
/// exchanged.
inline V hypotDerivative(V a, V b, const double* p, int degree) {
  const Polar t = polar(a, b);
  const Wide c = cosine(t.a, t), s = cosine(t.b, t);
  Wide r = {V{}, V{}};
  for (int k = degree; k >= 0; --k) {
    if (p[k] == 0) continue;
    Wide term = {splat(p[k]), V{}};
    for (int u = 0; u < k; ++u) term = term * c;
    for (int u = k; u < degree; ++u) term = term * s;
    r = degree < 3 ? term : r + term;
  }
  for (int k = 1; k < degree; ++k) r = overLength(r, t);
  // At the origin, the norm's subgradient of least norm.
  return select((a == 0.0) & (b == 0.0), 0.0, value(r));
}

/// Real (part 0) or imaginary (part 1) part of d^n/dz^n log z = (-1)^(n-1) (n-1)! / z^n, z = b + i
/// a.
inline V atan2Derivative(V a, V b, int n, int part) {
  const Polar t = polar(a, b);
  // 1/z = (c - i s) / h.
  const Wide re = overLength(cosine(t.b, t), t);
  Wide im = overLength(cosine(t.a, t), t);
  im.mantissa = -im.mantissa;
  Wide x = re, y = im;
  for (int k = 1; k < n; ++k) {
    const Wide f = {splat(static_cast<double>(-k)), V{}};
    const Wide u = x * re, v = y * im;
    // The difference of products exactly where they meet (Kahan), since equal ones must cancel.
    const V e =
        fma(x.mantissa, re.mantissa, -u.mantissa) - fma(y.mantissa, im.mantissa, -v.mantissa);
    Wide difference = u + Wide{-v.mantissa, v.exponent};
    difference.mantissa =
        select(u.exponent == v.exponent, difference.mantissa + e, difference.mantissa);
    const Wide sum = x * im + y * re;
    x = f * difference;
    y = f * sum;
  }
  const V r = value(part == 0 ? x : y);
  const M far = ((abs(a) == kInf) | (abs(b) == kInf)) & ~isNaN(a) & ~isNaN(b);
  return select(far, 0.0, r);
}

/// a - 2 round(a / 2), exact: the argument of sin(pi a) in [-1, 1].
inline V reducePi(V a) { return a - 2.0 * round(0.5 * a); }

inline V sinc(V a) {
  const V r = sleef::sinpi(reducePi(a)) / (kPi * a);
  return select(abs(a) < 1e-9, 1.0, r);
}

/// pi^n.
inline DD powerOfPi(int n) {
  DD r = constantDD(1.0, 0.0);
  for (int i = 0; i < n; ++i) r = r * constantDD(kPi, kPiLow);
  return r;
}

/// n-th derivative of sinc near 0: with u = pi a, pi^n sum_k (-1)^k u^(2k-n) / ((2k+1) (2k-n)!), in
/// double-double for the cancellation among its terms. An odd power of a is multiplied last, so
/// that it may be subnormal.
inline V sincSeries(V a, int n, int terms) {
  const int first = (n + 1) / 2;
  const bool odd = 2 * first != n;
  const DD u = constantDD(kPi, kPiLow) * a;
  const DD u2 = u * u;
  DD power = constantDD(1.0, 0.0);
  DD sum = {V{}, V{}};
  for (int k = first; k < first + terms; ++k) {
    const double sign = k % 2 == 0 ? 1 : -1;
    sum = sum + power * reciprocal(DD{splat(sign * (2.0 * k + 1)), V{}});
    const double i = 2 * k - n;
    power = (power * u2) * reciprocal(DD{splat((i + 1) * (i + 2)), V{}});
  }
  const DD r = sum * powerOfPi(odd ? n + 1 : n);
  return odd ? r.hi * a : r.hi;
}

/// sinc' for |a| <= 1/2: pi^2 a sum_k (-1)^k 2k/(2k+1)! (pi a)^(2k-2), whose terms fall fast enough
/// for doubles.
inline V sincSlopeNearZero(V a) {
  constexpr int kTerms = 13;
  const V u = kPi * a, t = u * u;
  double c[kTerms + 1];
  double factorial = 1;  // (2k+1)!
  for (int k = 1; k <= kTerms; ++k) {
    factorial *= 2.0 * k * (2 * k + 1);
    c[k] = (k % 2 == 0 ? 2.0 : -2.0) * k / factorial;
  }
  V sum = splat(c[kTerms]);
  for (int k = kTerms - 1; k > 0; --k) sum = fma(sum, t, c[k]);
  return (sum * (kPi * kPi)) * a;
}

/// n-th derivative of sinc(a) = sin(pi a) / (pi a). With f the unnormalized sinc and u = pi a:
/// u f^(n)(u) = sin(u + n pi/2) - n f^(n-1)(u) going up, stable for u > n; the series below that.
inline V sincDerivative(V a, int n) {
  const V r = reducePi(a);
  const V s = sleef::sinpi(r), c = sleef::cospi(r);
  const V u = kPi * a;
  const V trig[4] = {s, c, -s, -c};
  V f = s / u;
  for (int k = 1; k <= n; ++k) {
    const V g = fma(splat(static_cast<double>(-k)), f, trig[k & 3]);
    // The last factor is pi / (pi a) = 1 / a, times the other powers of pi.
    if (k < n) {
      f = g / u;
    } else {
      const DD scaled = powerOfPi(n - 1) * g;
      f = scaled.hi / a;
    }
  }
  if (n == 1) return select(abs(a) <= 0.5, sincSlopeNearZero(a), f);
  const double reach = (n + 6) / 3.0;
  const M near = abs(a) < reach;
  if (any(near)) {
    const int terms = 20 + 3 * n;
    f = select(near, sincSeries(select(near, a, 0.0), n, terms), f);
  }
  return f;
}

}  // namespace
}  // namespace adjoint::simd

namespace adjoint::kernel {

ADJOINT_KERNEL1(sin, simd::sin(x))
ADJOINT_KERNEL1(cos, simd::cos(x))
ADJOINT_KERNEL1(tan, nearZero(x, sleef::tan(x)))
ADJOINT_KERNEL1(asin, sleef::asin(x))
ADJOINT_KERNEL1(acos, sleef::acos(x))
ADJOINT_KERNEL1(atan, sleef::atan(x))
ADJOINT_KERNEL1(cauchy, simd::cauchy(x))
ADJOINT_KERNEL2(atan2, sleef::atan2(x, y))
ADJOINT_KERNEL2(atan2Deriv, atan2Derivative(x, y, attr >> 1, attr & 1))
ADJOINT_KERNEL2(hypot, sleef::hypot(x, y))
void hypotDeriv(double* out, const double* a, const double* b, const double*, std::size_t n,
                int attr) {
  using namespace simd;
  const int i = attr & 15, j = attr >> 4;
  double p[kMaxDegree + 3] = {};
  hypotPolynomial(p, i, j);
  map2(out, a, b, n, [&](V x, V y) { return hypotDerivative(x, y, p, i + j); });
}
ADJOINT_KERNEL1(sinh, simd::sinh(x))
ADJOINT_KERNEL1(cosh, simd::cosh(x))
ADJOINT_KERNEL1(tanh, simd::tanh(x))
ADJOINT_KERNEL1(asinh, simd::asinh(x))
ADJOINT_KERNEL1(acosh, simd::acosh(x))
ADJOINT_KERNEL1(atanh, nearZero(x, sleef::atanh(x)))
ADJOINT_KERNEL1(sinc, simd::sinc(x))
ADJOINT_KERNEL1(sincDeriv, sincDerivative(x, attr))

}  // namespace adjoint::kernel

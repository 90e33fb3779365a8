// Error function and its Gaussian, gamma functions.
#include "ops/math/double_double.h"
#include "ops/math/kernels.h"
#include "ops/math/sleef.h"

namespace adjoint::simd {
namespace {

constexpr double kPi = 0x1.921fb54442d18p+1;

/// d^n/da^n e^(-a^2) = (-1)^n H_n(a) e^(-a^2), with Hermite's polynomials and the square in
/// double-double.
inline V gaussianDerivative(V a, int n) {
  const V x = clamp(a, -100.0, 100.0);
  const ScaledDD e = expDD(-twoProd(x, x));
  V h = splat(1.0), previous = V{};
  for (int k = 0; k < n; ++k) {
    const V next = fma(-2.0 * x, h, (-2.0 * k) * previous);
    previous = h;
    h = next;
  }
  const Split s = split(h);
  return scale(fma(e.mantissa.hi, s.mantissa, e.mantissa.lo * s.mantissa), e.exponent + s.exponent);
}

// Bernoulli numbers B_2k, k = 1..
constexpr double kBernoulli[] = {1.0 / 6,       -1.0 / 30,      1.0 / 42, -1.0 / 30,
                                 5.0 / 66,      -691.0 / 2730,  7.0 / 6,  -3617.0 / 510,
                                 43867.0 / 798, -174611.0 / 330};
constexpr int kBernoulliCount = 10;

/// Polygamma for x > 0: recurrence up to kReach + n, then the asymptotic series
/// (Abramowitz and Stegun 6.3.18, 6.4.11); sums compensated.
inline V polygammaPositive(V x, int n) {
  constexpr double kReach = 12;
  double factorial = 1;  // n!
  for (int k = 2; k <= n; ++k) factorial *= k;
  const auto power = [n](V r) {
    V p = r;
    for (int k = 0; k < n; ++k) p = p * r;
    return p;
  };
  DD sum = {V{}, V{}};
  DD z = {x, V{}};
  const double reach = kReach + n;
  for (int k = 0; k < static_cast<int>(reach); ++k) {
    const M low = z.hi < reach;
    if (!any(low)) break;
    if (n == 0) {
      const DD term = reciprocal(z);
      sum = select(low & ~(abs(term.hi) == kInf), sum + term, select(low, DD{term.hi, V{}}, sum));
    } else {
      const V term = factorial * power(1.0 / z.hi);
      const DD next = sum + term;
      sum = select(low, select(abs(term) == kInf, DD{term, V{}}, next), sum);
    }
    z = select(low, z + splat(1.0), z);
  }
  const V w = 1.0 / z.hi, w2 = w * w;
  // sum_k B_2k (2k+n-1)!/(2k)! w^(2k+n), smallest first, without its factor w^n.
  double coefficient[kBernoulliCount];
  double ratio = 1;  // (2k+n-1)!/(2k)! for k = 1
  for (int i = 3; i <= n + 1; ++i) ratio *= i;
  if (n == 0) ratio = 0.5;
  for (int k = 1; k <= kBernoulliCount; ++k) {
    coefficient[k - 1] = kBernoulli[k - 1] * ratio;
    ratio *= (2.0 * k + n) * (2.0 * k + n + 1) / ((2.0 * k + 1) * (2.0 * k + 2));
  }
  V tail = splat(coefficient[kBernoulliCount - 1]);
  for (int k = kBernoulliCount - 2; k >= 0; --k) tail = fma(tail, w2, coefficient[k]);
  tail = tail * w2;
  if (n == 0) {
    // psi(x) = log z - 1/(2z) - sum B_2k/(2k z^2k) - sum 1/(x+k).
    DD r = logDD(select(z.hi < kInf, z.hi, 1.0));
    r = r + z.lo * w;
    r = r + reciprocal(z) * splat(-0.5);
    r = r + -tail;
    r = select(abs(sum.hi) == kInf, DD{-sum.hi, V{}}, r + -sum);
    return select(z.hi == kInf, z.hi, select(isNaN(x), x, r.hi + r.lo));
  }
  // (n-1)!/z^n + n!/(2 z^(n+1)) + ...
  const double before = factorial / n;
  V scaled = fma(w, 0.5 * factorial, tail) + before;
  for (int k = 0; k < n; ++k) scaled = scaled * w;
  const DD total = sum + scaled;
  const V r = select(abs(sum.hi) == kInf, sum.hi, total.hi + total.lo);
  return select(isNaN(x), x, n % 2 == 1 ? r : -r);
}

/// psi^(n). Below 1/2 by reflection: psi_n(x) = (-1)^n psi_n(1-x) - pi^(n+1) cot^(n)(pi x), where
/// cot^(n) is the polynomial P_n in cot with P_0 = c, P_(k+1) = -(1 + c^2) P_k'(c).
inline V polygamma(V x, int n) {
  const M left = x < 0.0;
  const V w = select(left, 1.0 - x, x);
  V r = polygammaPositive(w, n);
  if (any(left)) {
    const V f = x - round(x);
    const V s = sleef::sinpi(f), c = sleef::cospi(f);
    V term;
    if (n == 1) {
      const V q = kPi / s;
      term = -(q * q);
    } else {
      constexpr int kMax = 24;
      double p[kMax] = {0, 1};
      for (int k = 0; k < n; ++k) {
        double q[kMax] = {};
        for (int i = 1; i <= k + 1; ++i) {
          q[i - 1] -= i * p[i];
          q[i + 1] -= i * p[i];
        }
        for (int i = 0; i < kMax; ++i) p[i] = q[i];
      }
      const V cot = c / s;
      term = splat(p[n + 1]);
      for (int i = n; i >= 0; --i) term = fma(term, cot, p[i]);
      for (int k = 0; k <= n; ++k) term = term * kPi;
    }
    const V pole = splat(kNaN);
    const V reflected = (n % 2 == 0 ? r : -r) - term;
    r = select(left, select(s == 0.0, pole, reflected), r);
  }
  return r;
}

}  // namespace
}  // namespace adjoint::simd

namespace adjoint::kernel {

ADJOINT_KERNEL1(erf, sleef::erf(x))
ADJOINT_KERNEL1(erfc, sleef::erfc(x))
ADJOINT_KERNEL1(gaussian, gaussianDerivative(x, attr))
ADJOINT_KERNEL1(lgamma, sleef::lgamma(x))
ADJOINT_KERNEL1(digamma, simd::polygamma(x, 0))
ADJOINT_KERNEL1(polygamma, simd::polygamma(x, attr))

}  // namespace adjoint::kernel

// Error function and its Gaussian, gamma functions.
#include "ops/math/double_double.h"
#include "ops/math/kernels.h"
#include "ops/math/sleef.h"

namespace adjoint::simd {
namespace {

constexpr double kPi = 0x1.921fb54442d18p+1;
constexpr double kPiLow = 0x1.1a62633145c07p-53;

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

/// Polygamma for x > 0 (and next to 0 on either side): recurrence up to kReach + n, then the
/// asymptotic series (Abramowitz and Stegun 6.3.18, 6.4.11); sums compensated.
inline V polygammaPositive(DD argument, int n) {
  constexpr double kReach = 12;
  double factorial = 1;  // n!
  for (int k = 2; k <= n; ++k) factorial *= k;
  // Next to 0 the pole is all there is; x = 1 stands in so that nothing below becomes infinite.
  const M tiny = abs(argument.hi) < 0x1p-70;
  DD sum = {V{}, V{}};
  DD z = select(tiny, constantDD(1.0, 0.0), argument);
  const double reach = kReach + n;
  for (int k = 0; k < static_cast<int>(reach); ++k) {
    const M low = z.hi < reach;
    if (!any(low)) break;
    const DD r = reciprocal(z);
    DD term = r;
    for (int i = 0; i < n; ++i) term = term * r;
    const DD next = sum + term * splat(factorial);
    sum = select(low, next, sum);
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
  V result;
  if (n == 0) {
    // psi(x) = log z - 1/(2z) - sum B_2k/(2k z^2k) - sum 1/(x+k).
    DD r = logDD(select(z.hi < kInf, z.hi, 1.0));
    r = r + z.lo * w;
    r = r + reciprocal(z) * splat(-0.5);
    r = r + -tail;
    r = r + -sum;
    result = select(z.hi == kInf, z.hi, r.hi + r.lo);
  } else {
    // (n-1)!/z^n + n!/(2 z^(n+1)) + ...
    const double before = factorial / n;
    V scaled = fma(w, 0.5 * factorial, tail) + before;
    for (int k = 0; k < n; ++k) scaled = scaled * w;
    const DD total = sum + scaled;
    result = total.hi + total.lo;
  }
  V pole = splat(factorial);
  for (int k = 0; k <= n; ++k) pole = pole / argument.hi;
  result = select(tiny, n == 0 ? -pole : pole, result);
  result = select(isNaN(argument.hi), argument.hi, result);
  return n == 0 || n % 2 == 1 ? result : -result;
}

/// pi^(n+1) cot^(n)(pi x) for x = f + whole. With q = 1/sin^2 it is E(q) for odd n and cot F(q) for
/// even n, where (cot F)' = -q F - 2 (q - 1) q F' and E' = cot (-2 q dE/dq).
inline V cotDerivative(V f, int n) {
  constexpr int kMax = 16;
  double p[kMax] = {1};
  for (int k = 0; k < n; ++k) {
    double next[kMax] = {};
    for (int i = 0; i + 1 < kMax; ++i) {
      if (k % 2 == 0) {
        next[i + 1] -= p[i] * (1 + 2 * i);
        next[i] += p[i] * 2 * i;
      } else {
        next[i] -= p[i] * 2 * i;
      }
    }
    for (int i = 0; i < kMax; ++i) p[i] = next[i];
  }
  const V s = sleef::sinpi(f), c = sleef::cospi(f);
  const DD pi = constantDD(kPi, kPiLow);
  const DD csc = pi / DD{s, V{}};
  const DD q = csc * csc;
  // Horner's rule in pi^2 q, in double-double because the errors of the powers add up.
  const int degree = (n + 1) / 2;
  DD sum = {splat(p[degree]), V{}};
  DD weight = constantDD(1.0, 0.0);
  for (int i = degree - 1; i >= 0; --i) {
    sum = sum * q;
    weight = weight * (pi * pi);
    if (p[i] != 0) sum = sum + weight * splat(p[i]);
  }
  if (n % 2 == 0) sum = sum * (csc * c);
  return sum.hi + sum.lo;
}

/// psi^(n). Below 0 by reflection: psi_n(x) = (-1)^n psi_n(1-x) - pi^(n+1) cot^(n)(pi x).
inline V polygamma(V x, int n) {
  const M left = x < -0x1p-70;
  const DD reflected = twoSum(splat(1.0), -x);
  const V r = polygammaPositive(select(left, reflected, DD{x, V{}}), n);
  if (!any(left)) return r;
  const V f = x - round(x);
  const V y = (n % 2 == 0 ? r : -r) - cotDerivative(f, n);
  return select(left, select(f == 0.0, kNaN, y), r);
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

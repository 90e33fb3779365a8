#pragma once

#include "ops/math/vec.h"

/// Unevaluated sums hi + lo of two doubles, about 100 bits, where 53 lose the answer.
/// T. J. Dekker, "A floating-point technique for extending the available precision", 1971.
namespace adjoint::simd {

struct DD {
  V hi, lo;
};

/// a + b exactly, for |a| >= |b|.
inline DD quickTwoSum(V a, V b) {
  const V s = a + b;
  return {s, b - (s - a)};
}
/// a + b exactly (Knuth).
inline DD twoSum(V a, V b) {
  const V s = a + b;
  const V t = s - a;
  return {s, (a - (s - t)) + (b - t)};
}
/// a * b exactly.
inline DD twoProd(V a, V b) {
  const V p = a * b;
  return {p, fma(a, b, -p)};
}
inline DD operator+(DD a, V b) {
  const DD s = twoSum(a.hi, b);
  return quickTwoSum(s.hi, s.lo + a.lo);
}
inline DD operator+(DD a, DD b) {
  const DD s = twoSum(a.hi, b.hi);
  const DD t = twoSum(a.lo, b.lo);
  const DD u = quickTwoSum(s.hi, s.lo + t.hi);
  return quickTwoSum(u.hi, u.lo + t.lo);
}
inline DD operator*(DD a, V b) {
  const DD p = twoProd(a.hi, b);
  return quickTwoSum(p.hi, fma(a.lo, b, p.lo));
}
inline DD operator*(DD a, DD b) {
  const DD p = twoProd(a.hi, b.hi);
  return quickTwoSum(p.hi, fma(a.hi, b.lo, fma(a.lo, b.hi, p.lo)));
}
inline DD operator-(DD a) { return {-a.hi, -a.lo}; }
inline DD reciprocal(DD a) {
  const V q = 1.0 / a.hi;
  const V r = fma(-q, a.lo, fma(-q, a.hi, splat(1.0)));
  return quickTwoSum(q, q * r);
}
inline DD operator/(DD a, DD b) {
  const V q = a.hi / b.hi;
  const V r = fma(-q, b.hi, a.hi) + fma(-q, b.lo, a.lo);
  return quickTwoSum(q, r / b.hi);
}
inline DD constantDD(double hi, double lo) { return {splat(hi), splat(lo)}; }
inline DD select(M m, DD a, DD b) { return {select(m, a.hi, b.hi), select(m, a.lo, b.lo)}; }

constexpr double kLn2A = 0x1.62e42fefa3800p-1;
constexpr double kLn2B = 0x1.ef35793c76730p-45;

/// log(x) for positive finite x to about 2^-65, relative. NaN, zero and infinity are the caller's.
inline DD logDD(V x) {
  const M tiny = x < kMinNormal;
  x = select(tiny, x * 0x1p64, x);
  // x = m 2^e with sqrt(1/2) <= m < sqrt(2).
  const M e = (bits(x) - bits(splat(0x1.6a09e667f3bcdp-1))) >> 52;
  const V m = fromBits(bits(x) - (e << 52));
  const V k = intToDouble(e) - select(tiny, 64.0, splat(0.0));
  // log m = 2 atanh(s), s = (m - 1) / (m + 1).
  const DD s = DD{m - 1.0, V{}} / twoSum(m, splat(1.0));
  const DD s2 = s * s;
  const V z = s2.hi;
  V p = splat(2.0 / 29);
  p = fma(p, z, 2.0 / 27);
  p = fma(p, z, 2.0 / 25);
  p = fma(p, z, 2.0 / 23);
  p = fma(p, z, 2.0 / 21);
  p = fma(p, z, 2.0 / 19);
  p = fma(p, z, 2.0 / 17);
  p = fma(p, z, 2.0 / 15);
  p = fma(p, z, 2.0 / 13);
  p = fma(p, z, 2.0 / 11);
  p = fma(p, z, 2.0 / 9);
  p = fma(p, z, 2.0 / 7);
  p = fma(p, z, 2.0 / 5);
  const DD c = constantDD(0x1.5555555555555p-1, 0x1.5555555555555p-55);  // 2/3
  const DD tail = (c + p * z) * (s * s2);
  const DD logM = quickTwoSum(2.0 * s.hi, 2.0 * s.lo) + tail;
  const DD logE = quickTwoSum(k * kLn2A, k * kLn2B);
  return logE + logM;
}

/// e^t = (hi + lo) 2^exponent, hi between 0.7 and 1.5, to about 2^-57 relative in lo.
struct ScaledDD {
  DD mantissa;
  V exponent;
};
inline ScaledDD expDD(DD t) {
  // Beyond these every result is 0 or infinite whatever it is multiplied with.
  const M wild = ~(abs(t.hi) < 6000.0);
  t.hi = clamp(t.hi, -6000.0, 6000.0);
  t.lo = select(wild, 0.0, t.lo);
  const V k = round(t.hi * 0x1.71547652b82fep+0);
  const V r0 = fma(k, -kLn2A, t.hi);
  const DD kB = twoProd(k, splat(-kLn2B));
  const DD r1 = twoSum(r0, kB.hi);
  const DD r = quickTwoSum(r1.hi, r1.lo + (kB.lo + t.lo));
  const V z = r.hi;
  V p = splat(1.0 / 6227020800.0);
  p = fma(p, z, 1.0 / 479001600.0);
  p = fma(p, z, 1.0 / 39916800.0);
  p = fma(p, z, 1.0 / 3628800.0);
  p = fma(p, z, 1.0 / 362880.0);
  p = fma(p, z, 1.0 / 40320.0);
  p = fma(p, z, 1.0 / 5040.0);
  p = fma(p, z, 1.0 / 720.0);
  p = fma(p, z, 1.0 / 120.0);
  p = fma(p, z, 1.0 / 24.0);
  p = fma(p, z, 1.0 / 6.0);
  const DD square = twoProd(z, 0.5 * z);
  const V tail = fma(p, z * square.hi * 2.0, fma(r.lo, z, r.lo) + square.lo);
  const DD one = quickTwoSum(splat(1.0), z);
  const DD two = quickTwoSum(one.hi, square.hi);
  return {quickTwoSum(two.hi, two.lo + (one.lo + tail)), k};
}
inline V value(ScaledDD x) { return scale(x.mantissa.hi, x.exponent); }

}  // namespace adjoint::simd

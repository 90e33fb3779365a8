#pragma once

#include "ops/math/exp_core.h"

/// The sigmoid, the hyperbolic tangent and their derivatives. All are quotients over 1 + e^t,
/// t = -|x| or -2 |x|, so a function and its derivative share the exponential. All but the sigmoid
/// need fused multiply-adds, which give what a product rounds off.
namespace adjoint::simd {

constexpr long long kSignPattern = static_cast<long long>(0x8000000000000000ull);
/// Where the cores of the derivatives, and of the sigmoid, end.
constexpr double kLeastSigmoid = -708.0, kLeastTanh = -640.0;

/// -|x|.
template <class T>
inline T minusSize(T x) {
  return orBits(x, bitsLike(x, kSignPattern));
}

/// Where t is NaN, or not above `least`, from which on e^t and what is made of it is normal.
template <class T>
inline auto isOutside(T t, double least) {
  return notLess(constantLike(t, least), t);
}

/// A number that is hi + lo, with lo about as large as hi's rounding error.
template <class T>
struct Pair {
  T hi, lo;
};
/// a + b for |a| >= |b|.
template <class T>
inline Pair<T> pairOf(T a, T b) {
  const T hi = add(a, b);
  return {hi, add(sub(a, hi), b)};
}

/// 1 + power and its inverse, which is (1 + lack) inverse.
template <class T>
struct Denominator {
  T whole, wholeLow, inverse, lack;
};
template <class T>
inline Denominator<T> denominator(Pair<T> power) {
  const T one = constantLike(power.hi, 1.0);
  Denominator<T> d;
  d.whole = add(power.hi, one);
  d.wholeLow = add(add(power.hi, sub(one, d.whole)), power.lo);
  d.inverse = div(one, d.whole);
  d.lack = subMul(subMul(one, d.inverse, d.whole), d.inverse, d.wholeLow);
  return d;
}
/// top / (1 + power), rounded about once.
template <class T>
inline T quotient(Pair<T> top, const Denominator<T>& d) {
  const T y = mul(top.hi, d.inverse);
  return add(y, mulAdd(y, d.lack, mulAdd(top.lo, d.inverse, mulSub(top.hi, d.inverse, y))));
}
/// power / (1 + power)^2, by at most 2 units in the last place.
template <class T>
inline T bell(Pair<T> power, const Denominator<T>& d) {
  return mul(quotient(power, d), mulAdd(d.inverse, d.lack, d.inverse));
}

/// What a sigmoid and its derivative share.
template <class T>
struct SigmoidParts {
  T t;            ///< -|x|
  Pair<T> power;  ///< e^t
  Denominator<T> by;
};
template <class T>
inline SigmoidParts<T> sigmoidParts(T x) {
  const T t = minusSize(x), one = constantLike(x, 1.0);
  const ExpSum<T> e = expSum(t);
  const T exponent = shiftLeftBits(e.shifted, 52);
  const Pair<T> mantissa = pairOf(e.sum, e.rest);
  const Pair<T> power = {addBits(mantissa.hi, exponent), mul(mantissa.lo, addBits(one, exponent))};
  return {t, power, denominator(power)};
}

/// Wrong by at most 2.4 units in the last place.
template <class T>
inline CoreResult<T> sigmoidCore(T x, const SigmoidParts<T>& parts) {
  const T top = chooseNegative(x, parts.power.hi, constantLike(x, 1.0));
  return {div(top, parts.by.whole), isOutside(parts.t, kLeastSigmoid)};
}
template <class T>
inline CoreResult<T> sigmoidGradCore(const SigmoidParts<T>& parts) {
  return {bell(parts.power, parts.by), isOutside(parts.t, kLeastSigmoid)};
}

/// What a hyperbolic tangent and its derivative share.
template <class T>
struct TanhParts {
  T t;                  ///< -2 |x|
  Pair<T> power, less;  ///< e^t and e^t - 1, or those of the least t, whose tangent is 1
  Denominator<T> by;
};

/// As for the exponential, t is a whole multiple k of ln 2 and a rest; but where k is 0,
/// e^t - 1 = r + r^2 q(r) must be right relative to itself. Here q has degree 10, and the error is
/// 2^-59.
template <class T>
inline TanhParts<T> tanhParts(T x) {
  const auto c = [x](double number) { return constantLike(x, number); };
  const T one = c(1.0), least = c(kLeastTanh), ln2Low = c(-0x1.ef35793c76730p-45);
  const T t = minusSize(add(x, x));
  const T limited = larger(least, t);
  const T shifted = mulAdd(limited, c(0x1.71547652b82fep+0), c(0x1.8p52));
  const T k = sub(shifted, c(0x1.8p52));
  const T high = mulAdd(k, c(-0x1.62e42fefa3800p-1), limited);
  const T r = mulAdd(k, ln2Low, high);
  const T rLow = mulAdd(k, ln2Low, sub(high, r));
  const T r2 = mul(r, r);
  T even = mulAdd(c(0x1.1ef5545b4e662p-29), r2, c(0x1.27e52b0e32439p-22));
  T odd = mulAdd(c(0x1.af5d23673414fp-26), r2, c(0x1.71ddf951f6546p-19));
  even = mulAdd(even, r2, c(0x1.a01a018313029p-16));
  odd = mulAdd(odd, r2, c(0x1.a01a01af76693p-13));
  even = mulAdd(even, r2, c(0x1.6c16c16c1ccc0p-10));
  odd = mulAdd(odd, r2, c(0x1.111111110f7eap-7));
  even = mulAdd(even, r2, c(0x1.5555555555549p-5));
  odd = mulAdd(odd, r2, c(0x1.5555555555559p-3));
  even = mulAdd(even, r2, c(0.5));
  const T tail = mulAdd(mulAdd(odd, r, even), r2, rLow);
  const T sum = add(r, one);
  const Pair<T> mantissa = pairOf(sum, add(add(r, sub(one, sum)), tail));
  const T scale = addBits(one, shiftLeftBits(shifted, 52));
  const Pair<T> power = {mul(mantissa.hi, scale), mul(mantissa.lo, scale)};
  const Denominator<T> by = denominator(power);
  // The denominator is between 1 and 2, so that 2 less is exact.
  const Pair<T> less =
      pairOf(chooseNegative(k, sub(by.whole, c(2.0)), r), chooseNegative(k, by.wholeLow, tail));
  return {t, power, less, by};
}

/// Everywhere, wrong by at most 0.9 units in the last place.
template <class T>
inline T tanhCore(T x, const TanhParts<T>& parts) {
  const T size = andBits(quotient(parts.less, parts.by), bitsLike(x, ~kSignPattern));
  return orBits(size, andBits(x, bitsLike(x, kSignPattern)));
}
/// 4 e^t / (1 + e^t)^2.
template <class T>
inline CoreResult<T> sech2Core(const TanhParts<T>& parts) {
  const T quarter = bell(parts.power, parts.by);
  return {mul(quarter, constantLike(quarter, 4.0)), isOutside(parts.t, kLeastTanh)};
}

}  // namespace adjoint::simd

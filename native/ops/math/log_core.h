#pragma once

#include "ops/math/core_ops.h"

namespace adjoint::simd {

/// log(x) for normal x between 0 and 2^1023.5. With x = 2^k m, sqrt(1/2) <= m < sqrt(2), f = m - 1
/// and s = f / (f + 2),
///   log m = 2 atanh(s) = 2 s + s R(s^2) = f - s (f - R(s^2)),
/// where R is the polynomial of degree 7, without a constant, of the least largest error relative
/// to 2, 2^-58.9 (native/tools/minimax.py). f is exact, so is k times the first part of ln 2, which
/// has 42 bits, and where that cancels against log m the difference is exact: the result is wrong
/// by at most 0.9 units in the last place, 0.97 without fused multiply-adds.
template <class T>
inline CoreResult<T> logCore(T x) {
  const auto c = [x](double number) { return constantLike(x, number); };
  constexpr long long kOne = 0x3ff0000000000000ll, kSqrtHalf = 0x3fe6a09e667f3bcdll;
  // The exponent changes at sqrt(1/2) 2^k when the bits are moved up by that distance. Of all bit
  // patterns, those of normal numbers below 2^1023.5 and no others come to lie above the smallest
  // of them and are no NaN.
  const T moved = addBits(x, bitsLike(x, kOne - kSqrtHalf));
  const T k = sub(orBits(shiftRightBits(moved, 52), c(0x1p52)), c(0x1p52 + 1023.0));
  const T m = addBits(andBits(moved, bitsLike(x, 0x000fffffffffffffll)), bitsLike(x, kSqrtHalf));
  const T f = sub(m, c(1.0));
  const T minusS = div(f, sub(c(-1.0), m));
  const T z = mul(minusS, minusS);
  const T z2 = mul(z, z);
  // -R / z.
  T odd = mulAdd(c(-0x1.2f0567521c415p-3), z2, c(-0x1.74663eec55502p-3));
  T even = mulAdd(c(-0x1.39a1ba5535c16p-3), z2, c(-0x1.c71c52094943dp-3));
  odd = mulAdd(odd, z2, c(-0x1.24924941f13f0p-2));
  even = mulAdd(even, z2, c(-0x1.999999997fdb5p-2));
  odd = mulAdd(odd, z2, c(-0x1.5555555555592p-1));
  const T rest = mulAdd(mulAdd(even, z, odd), z, f);
  const T low = mulAdd(minusS, rest, mul(k, c(0x1.ef35793c76730p-45)));
  const T value = mulAdd(k, c(0x1.62e42fefa3800p-1), add(f, low));
  constexpr long long kBelow = 0x0010000000000000ll + (kOne - kSqrtHalf) - 1;
  return {value, notLess(bitsLike(x, kBelow), moved)};
}

}  // namespace adjoint::simd

#pragma once

#include "ops/math/core_ops.h"

namespace adjoint::simd {

/// log(x) for normal x between 0 and 89/64 2^1023. With x = 2^k m, 89/128 <= m < 89/64, f = m - 1
/// and s = f / (f + 2),
///   log m = 2 atanh(s) = 2 s + s R(s^2) = f - s (f - R(s^2)),
/// where R is the polynomial of degree 7, without a constant, of the least largest error relative
/// to 2, 2^-58 (native/tools/minimax.py). f is exact, so is k times the first part of ln 2, which
/// has 42 bits, and where that cancels against log m the difference is exact. From 89/128, a little
/// below sqrt(1/2), the product stays below 1/16 at both ends, and so does its rounding. The result
/// is wrong by at most 0.9 units in the last place, also without fused multiply-adds.
template <class T>
inline CoreResult<T> logCore(T x) {
  const auto c = [x](double number) { return constantLike(x, number); };
  constexpr long long kOne = 0x3ff0000000000000ll, kLeast = 0x3fe6400000000000ll;
  // The exponent changes at 89/128 2^k when the bits are moved up by that distance. Of all bit
  // patterns, those of normal numbers in the range and no others come to lie above the smallest of
  // them and are no NaN.
  const T moved = addBits(x, bitsLike(x, kOne - kLeast));
  const T k = sub(orBits(shiftRightBits(moved, 52), c(0x1p52)), c(0x1p52 + 1023.0));
  const T m = addBits(andBits(moved, bitsLike(x, 0x000fffffffffffffll)), bitsLike(x, kLeast));
  const T f = sub(m, c(1.0));
  const T minusS = div(f, sub(c(-1.0), m));
  const T z = mul(minusS, minusS);
  const T z2 = mul(z, z);
  // -R / z.
  T odd = mulAdd(c(-0x1.3224f90627cefp-3), z2, c(-0x1.74694d0fa6212p-3));
  T even = mulAdd(c(-0x1.39527b52bdd91p-3), z2, c(-0x1.c71c434b4d882p-3));
  odd = mulAdd(odd, z2, c(-0x1.24924953ca45ap-2));
  even = mulAdd(even, z2, c(-0x1.999999996c2bap-2));
  odd = mulAdd(odd, z2, c(-0x1.55555555555ccp-1));
  const T rest = mulAdd(mulAdd(even, z, odd), z, f);
  const T low = mulAdd(minusS, rest, mul(k, c(0x1.ef35793c76730p-45)));
  const T value = mulAdd(k, c(0x1.62e42fefa3800p-1), add(f, low));
  constexpr long long kBelow = 0x0010000000000000ll + (kOne - kLeast) - 1;
  return {value, notLess(bitsLike(x, kBelow), moved)};
}

}  // namespace adjoint::simd

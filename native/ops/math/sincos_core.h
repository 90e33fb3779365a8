#pragma once

#include "ops/math/core_ops.h"

namespace adjoint::simd {

/// sin(x), or cos(x), for |x| < 1e5 and with fused multiply-adds only.
///
/// The nearest whole multiple k of pi / 2 is taken from |x|; a cosine is a sine one multiple
/// further. pi / 2 in three parts: the first, of 53 bits, times k, from |x|, fits in a double,
/// because it is a multiple of 2^-53; the second has 36 bits, so that its product with k is a
/// double, whose difference is exact with its rounding error `rLow` (Dekker); the third goes into
/// that. Sine and cosine of the rest, |r| <= pi / 4, z = r^2, are
///   r + r z S(z) + rLow (1 - z / 2)  and  1 - z / 2 + z^2 C(z) - r rLow,
/// where S and C are the polynomials of degree 5 of the least largest relative error of the whole,
/// 2^-56.4 and 2^-59.6 (native/tools/minimax.py). Wrong by at most 0.8 units in the last place.
template <bool isCosine, class T>
inline CoreResult<T> sineCore(T x) {
  const auto c = [x](double number) { return constantLike(x, number); };
  const T one = c(1.0), sign = bitsLike(x, static_cast<long long>(0x8000000000000000ull));
  const T size = andBits(x, bitsLike(x, 0x7fffffffffffffffll));
  // The last two bits are those of k, or k + 1.
  const T magic = c(isCosine ? 0x1.8p52 + 1.0 : 0x1.8p52);
  const T shifted = mulAdd(size, c(0x1.45f306dc9c883p-1), magic);
  const T k = sub(shifted, magic);
  const T second = c(-0x1.1a62633140000p-54);
  const T r0 = mulAdd(k, c(-0x1.921fb54442d18p+0), size);
  const T r = mulAdd(k, second, r0);
  const T rLow = mulAdd(k, c(-0x1.701b839a25205p-92), mulAdd(k, second, sub(r0, r)));
  const T z = mul(r, r), z2 = mul(z, z);
  const T halfZ = mul(z, c(-0.5)), w = add(halfZ, one);

  T odd = mulAdd(c(-0x1.ae5e5a3823268p-26), z2, c(-0x1.a01a019bfd5a8p-13));
  T even = mulAdd(c(0x1.5d8fb8a444667p-33), z2, c(0x1.71de35675b670p-19));
  odd = mulAdd(odd, z2, c(-0x1.5555555555548p-3));
  even = mulAdd(even, z2, c(0x1.111111110f7cbp-7));
  const T s = mulAdd(even, z, odd);
  const T sine = add(r, mulAdd(mul(r, z), s, mul(rLow, w)));

  even = mulAdd(c(0x1.1ee9d785cf134p-29), z2, c(0x1.a01a019c83ea3p-16));
  odd = mulAdd(c(-0x1.8fa48205133a9p-37), z2, c(-0x1.27e4f7ea7df00p-22));
  even = mulAdd(even, z2, c(0x1.555555555554bp-5));
  odd = mulAdd(odd, z2, c(-0x1.6c16c16c14f8dp-10));
  const T cosine = mulAdd(odd, z, even);
  const T lost = sub(add(halfZ, sub(one, w)), mul(r, rLow));
  const T cosineSum = add(w, mulAdd(z2, cosine, lost));

  const T value = chooseNegative(shiftLeftBits(shifted, 63), cosineSum, sine);
  T turn = shiftLeftBits(shifted, 62);
  if constexpr (!isCosine) turn = xorBits(turn, x);
  return {xorBits(value, andBits(turn, sign)), notLess(size, c(1e5))};
}

template <class T>
inline CoreResult<T> sinCore(T x) {
  return sineCore<false>(x);
}
template <class T>
inline CoreResult<T> cosCore(T x) {
  return sineCore<true>(x);
}

}  // namespace adjoint::simd

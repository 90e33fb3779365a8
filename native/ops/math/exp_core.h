#pragma once

#include "ops/math/core_ops.h"

namespace adjoint::simd {

/// e^x = (sum + rest) 2^k, where |rest| < 1/8 is what rounding left of `sum` and what is small, and
/// k is in the last bits of `shifted`, which is k + 1.5 2^52. For |x| < 1400.
template <class T>
struct ExpSum {
  T sum, rest, shifted;
};

/// The sum of x's whole multiples of ln 2, k, and a rest r is x, and
///   e^r = 1 + r + r^2 q(r),  |r| <= ln(2) / 2,
/// where q is the polynomial of degree 9 whose e^r has the least largest relative error, 2^-57.8
/// with these doubles for coefficients (native/tools/minimax.py).
///
/// The first part of ln 2 has 42 bits, so `high` is exact. 1 + high is not, nor is r; what both
/// lack is added to the small term r^2 q, which leaves one rounding of the size of the result: it
/// is wrong by at most 0.73 units in the last place.
template <class T>
inline ExpSum<T> expSum(T x) {
  const auto c = [x](double number) { return constantLike(x, number); };
  const T magic = c(0x1.8p52), one = c(1.0), ln2Low = c(-0x1.ef35793c76730p-45);
  const T shifted = mulAdd(x, c(0x1.71547652b82fep+0), magic);
  const T k = sub(shifted, magic);
  const T high = mulAdd(k, c(-0x1.62e42fefa3800p-1), x);
  const T r = mulAdd(k, ln2Low, high);
  const T r2 = mul(r, r);
  // Two chains of half the length, each of which overwrites one register.
  T even = mulAdd(c(0x1.28ab6199bbb51p-22), r2, c(0x1.a0199c9faf597p-16));
  T odd = mulAdd(c(0x1.ad71042a379ffp-26), r2, c(0x1.71df2ca25b68dp-19));
  even = mulAdd(even, r2, c(0x1.6c16c18308462p-10));
  odd = mulAdd(odd, r2, c(0x1.a01a012823b17p-13));
  even = mulAdd(even, r2, c(0x1.5555555550f03p-5));
  odd = mulAdd(odd, r2, c(0x1.1111111127dfbp-7));
  even = mulAdd(even, r2, c(0x1.0000000000008p-1));
  odd = mulAdd(odd, r2, c(0x1.55555555554fbp-3));
  const T q = mulAdd(odd, r, even);
  const T sum = add(high, one);
  const T lost = mulAdd(k, ln2Low, add(high, sub(one, sum)));
  return {sum, mulAdd(q, r2, lost), shifted};
}

/// e^x = mantissa 2^k, with the mantissa between 0.7 and 1.42 and k as above.
template <class T>
struct ExpParts {
  T mantissa, shifted;
};
template <class T>
inline ExpParts<T> expParts(T x) {
  const ExpSum<T> e = expSum(x);
  return {add(e.sum, e.rest), e.shifted};
}

/// e^x, for |x| < 708: there the result is normal, and 2^k is multiplied with by adding k to the
/// exponent's bits.
template <class T>
inline CoreResult<T> expCore(T x) {
  const ExpParts<T> e = expParts(x);
  const T size = andBits(x, bitsLike(x, 0x7fffffffffffffffll));
  return {addBits(e.mantissa, shiftLeftBits(e.shifted, 52)), notLess(size, constantLike(x, 708.0))};
}

}  // namespace adjoint::simd

// Arithmetic, choice, comparison and logic.
#include "ops/math/double_double.h"
#include "ops/math/kernels.h"
#include "ops/math/sleef.h"

namespace adjoint::simd {
namespace {

/// NaN propagates, +0 > -0.
inline V maximum(V a, V b) {
  const V r = select(a == b, fromBits(bits(a) & bits(b)), select(a > b, a, b));
  return select(isNaN(a) | isNaN(b), a + b, r);
}
inline V minimum(V a, V b) {
  const V r = select(a == b, fromBits(bits(a) | bits(b)), select(a < b, a, b));
  return select(isNaN(a) | isNaN(b), a + b, r);
}

/// Remainder of |a| / b for b > 0 of any size, exactly, by long division 50 bits at a time.
double longRemainder(double a, double b) {
  const auto expo = [](double v) {
    int e;
    __builtin_frexp(v, &e);
    return e;
  };
  while (a >= b) {
    const int gap = expo(a) - expo(b);
    // b * 2^shift is exact, and a / that fits an integer.
    double t = b;
    for (int shift = gap - 50; shift > 0; shift -= 1000) {
      t *= __builtin_ldexp(1.0, shift < 1000 ? shift : 1000);
    }
    const double q = __builtin_trunc(a / t);
    a = __builtin_fma(-q, t, a);
    if (a < 0) a += t;
  }
  return a;
}

/// a - b * floor(a / b), exact but for the one addition where the signs of a and b differ.
inline V floorMod(V a, V b) {
  const V x = abs(a), d = abs(b);
  const V q = trunc(x / d);
  V r = fma(-q, d, x);
  r = select(r < 0.0, r + d, r);  // the quotient was rounded up to a whole number
  // Past 2^52 the quotient is not exact; a divisor this small makes the product inexact.
  const M far = (q >= 0x1p52) & (x < kInf) & (d > 0.0);
  if (any(far)) {
    for (int i = 0; i < kLanes; ++i) {
      if (far[i]) r[i] = longRemainder(x[i], d[i]);
    }
  }
  r = select((d == kInf) & (x < kInf), x, r);
  r = flipSign(r, a);
  r = select((r != 0.0) & ((signBit(r) ^ signBit(b)) != 0), r + b, r);
  return select(r == 0.0, copySign(splat(0.0), b), r);
}

/// Share of a in max(a, b): 1, 0, half each at a tie, NaN where either is.
inline V maxShare(V a, V b) {
  const V r = select(a > b, 1.0, select(a == b, 0.5, splat(0.0)));
  return select(isNaN(a) | isNaN(b), a + b, r);
}
/// The same for fmax, where a NaN loses; NaN where both are.
inline V fmaxShare(V a, V b) {
  V r = select(a > b, 1.0, select(a == b, 0.5, splat(0.0)));
  r = select(isNaN(b), 1.0, r);
  return select(isNaN(a), select(isNaN(b), a, 0.0), r);
}

}  // namespace
}  // namespace adjoint::simd

namespace adjoint::kernel {

ADJOINT_KERNEL2(add, x + y)
ADJOINT_KERNEL2(sub, x - y)
ADJOINT_KERNEL2(mul, (x * y))
ADJOINT_KERNEL2(div, x / y)
ADJOINT_KERNEL1(neg, -x)
ADJOINT_KERNEL3(fma, simd::fma(x, y, z))
ADJOINT_KERNEL3(fms, simd::fma(x, y, -z))
ADJOINT_KERNEL3(fnma, simd::fma(-x, y, z))
ADJOINT_KERNEL1(square, (x * x))
ADJOINT_KERNEL1(reciprocal, 1.0 / x)
ADJOINT_KERNEL1(sqrt, simd::sqrt(x))
ADJOINT_KERNEL1(rsqrt, 1.0 / simd::sqrt(x))
ADJOINT_KERNEL1(abs, simd::abs(x))
ADJOINT_KERNEL1(sign, select(isNaN(x), x, simd::toNumber(x > 0.0) - simd::toNumber(x < 0.0)))
ADJOINT_KERNEL2(copysign, copySign(x, y))

ADJOINT_KERNEL1(floor, simd::floor(x))
ADJOINT_KERNEL1(ceil, simd::ceil(x))
ADJOINT_KERNEL1(round, simd::round(x))
ADJOINT_KERNEL1(trunc, simd::trunc(x))
ADJOINT_KERNEL2(mod, floorMod(x, y))

ADJOINT_KERNEL2(max, maximum(x, y))
ADJOINT_KERNEL2(min, minimum(x, y))
ADJOINT_KERNEL2(fmax, select(isNaN(x), y, select(isNaN(y), x, maximum(x, y))))
ADJOINT_KERNEL2(fmin, select(isNaN(x), y, select(isNaN(y), x, minimum(x, y))))
ADJOINT_KERNEL2(maxWeight, maxShare(x, y))
ADJOINT_KERNEL2(fmaxWeight, fmaxShare(x, y))
ADJOINT_KERNEL3(clip, minimum(maximum(x, y), z))
ADJOINT_KERNEL1(relu, select(isNaN(x), x, select(x > 0.0, x, 0.0)))

ADJOINT_KERNEL2(equal, simd::toNumber(x == y))
ADJOINT_KERNEL2(notEqual, simd::toNumber(x != y))
ADJOINT_KERNEL2(less, simd::toNumber(x < y))
ADJOINT_KERNEL2(lessEqual, simd::toNumber(x <= y))
ADJOINT_KERNEL2(greater, simd::toNumber(x > y))
ADJOINT_KERNEL2(greaterEqual, simd::toNumber(x >= y))
ADJOINT_KERNEL1(isNan, simd::toNumber(isNaN(x)))
ADJOINT_KERNEL1(isFinite, simd::toNumber(simd::abs(x) < kInf))
ADJOINT_KERNEL2(logicalAnd, simd::toNumber((x != 0.0) & (y != 0.0)))
ADJOINT_KERNEL2(logicalOr, simd::toNumber((x != 0.0) | (y != 0.0)))
ADJOINT_KERNEL2(logicalXor, simd::toNumber((x != 0.0) ^ (y != 0.0)))
ADJOINT_KERNEL1(logicalNot, simd::toNumber(x == 0.0))
ADJOINT_KERNEL3(where, select(x != 0.0, y, z))
ADJOINT_KERNEL1(toNumber, x)

}  // namespace adjoint::kernel

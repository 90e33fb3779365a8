#pragma once

#include <sleef.h>

#include "ops/math/vec.h"

/// SLEEF's vector functions by name: the variants that give the same bits for every width
/// (finz with fused multiply-add, cinz without).
#if defined(__AVX512F__)
#define ADJOINT_SLEEF(fn, ulp) Sleef_finz_##fn##d8_##ulp##avx512f
#elif defined(__AVX2__) && defined(__FMA__)
#define ADJOINT_SLEEF(fn, ulp) Sleef_finz_##fn##d4_##ulp##avx2
#elif defined(__x86_64__)
#define ADJOINT_SLEEF(fn, ulp) Sleef_cinz_##fn##d2_##ulp##sse4
#else
#define ADJOINT_SLEEF(fn, ulp) Sleef_finz_##fn##d2_##ulp##advsimd
#endif

namespace adjoint::simd::sleef {

#define ADJOINT_SLEEF1(fn, ulp) \
  inline V fn(V a) { return ADJOINT_SLEEF(fn, ulp)(a); }
#define ADJOINT_SLEEF2(fn, ulp) \
  inline V fn(V a, V b) { return ADJOINT_SLEEF(fn, ulp)(a, b); }
ADJOINT_SLEEF1(exp, u10)
ADJOINT_SLEEF1(exp2, u10)
ADJOINT_SLEEF1(expm1, u10)
ADJOINT_SLEEF1(log, u10)
ADJOINT_SLEEF1(log2, u10)
ADJOINT_SLEEF1(log10, u10)
ADJOINT_SLEEF1(log1p, u10)
ADJOINT_SLEEF1(cbrt, u10)
ADJOINT_SLEEF1(sin, u10)
ADJOINT_SLEEF1(cos, u10)
ADJOINT_SLEEF1(tan, u10)
ADJOINT_SLEEF1(sinpi, u05)
ADJOINT_SLEEF1(cospi, u05)
ADJOINT_SLEEF1(asin, u10)
ADJOINT_SLEEF1(acos, u10)
ADJOINT_SLEEF1(atan, u10)
ADJOINT_SLEEF1(sinh, u10)
ADJOINT_SLEEF1(cosh, u10)
ADJOINT_SLEEF1(tanh, u10)
ADJOINT_SLEEF1(asinh, u10)
ADJOINT_SLEEF1(acosh, u10)
ADJOINT_SLEEF1(atanh, u10)
ADJOINT_SLEEF1(erf, u10)
ADJOINT_SLEEF1(erfc, u15)
ADJOINT_SLEEF1(lgamma, u10)
ADJOINT_SLEEF2(pow, u10)
ADJOINT_SLEEF2(hypot, u05)
ADJOINT_SLEEF2(atan2, u10)
#undef ADJOINT_SLEEF1
#undef ADJOINT_SLEEF2

}  // namespace adjoint::simd::sleef

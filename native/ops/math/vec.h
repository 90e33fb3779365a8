#pragma once

#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// The widest vector of doubles of this build, and what kernels need of it. Every function works
/// lane by lane, so the bits of a lane depend neither on the width nor on the other lanes.
namespace adjoint::simd {

#if defined(__AVX512F__)
constexpr int kLanes = 8;
#elif defined(__AVX2__) && defined(__FMA__)
constexpr int kLanes = 4;
#else
constexpr int kLanes = 2;
#endif

typedef double V __attribute__((vector_size(kLanes * 8)));
/// Lane masks (all ones or zero), bit patterns and small integers.
typedef long long M __attribute__((vector_size(kLanes * 8)));

inline V splat(double x) { return x - V{}; }
inline M splatInt(long long x) { return x - M{}; }
inline M bits(V x) { return reinterpret_cast<M>(x); }
inline V fromBits(M x) { return reinterpret_cast<V>(x); }

constexpr double kInf = __builtin_inf();
constexpr double kNaN = __builtin_nan("");
constexpr double kMinNormal = 0x1p-1022;

inline V load(const double* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(double* p, V v) { std::memcpy(p, &v, sizeof v); }

// The last, incomplete vector of a buffer; lanes past the end are 0.
#if defined(__AVX512F__)
inline V loadPart(const double* p, std::size_t n) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p);
}
inline void storePart(double* p, V v, std::size_t n) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), v);
}
#else
inline V loadPart(const double* p, std::size_t n) {
  V v = {};
  for (std::size_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
inline void storePart(double* p, V v, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) p[i] = v[i];
}
#endif

/// a * b + c with one rounding, in every build.
inline V fma(V a, V b, V c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_pd(a, b, c);
#elif defined(__AVX2__) && defined(__FMA__)
  return _mm256_fmadd_pd(a, b, c);
#else
  V r;
  for (int i = 0; i < kLanes; ++i) r[i] = __builtin_fma(a[i], b[i], c[i]);
  return r;
#endif
}
inline V fma(V a, double b, V c) { return fma(a, splat(b), c); }
inline V fma(V a, V b, double c) { return fma(a, b, splat(c)); }
inline V fma(V a, double b, double c) { return fma(a, splat(b), splat(c)); }

inline V sqrt(V a) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_pd(0xff, a);
#elif defined(__AVX2__) && defined(__FMA__)
  return _mm256_sqrt_pd(a);
#else
  V r;
  for (int i = 0; i < kLanes; ++i) r[i] = __builtin_sqrt(a[i]);
  return r;
#endif
}

#if defined(__AVX512F__)
inline V floor(V a) {
  return _mm512_maskz_roundscale_pd(0xff, a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
inline V ceil(V a) {
  return _mm512_maskz_roundscale_pd(0xff, a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
}
inline V trunc(V a) {
  return _mm512_maskz_roundscale_pd(0xff, a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
}
inline V round(V a) {
  return _mm512_maskz_roundscale_pd(0xff, a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
#elif defined(__AVX2__) && defined(__FMA__)
inline V floor(V a) { return _mm256_floor_pd(a); }
inline V ceil(V a) { return _mm256_ceil_pd(a); }
inline V trunc(V a) { return _mm256_round_pd(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
inline V round(V a) { return _mm256_round_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
#elif defined(__SSE4_1__)
inline V floor(V a) { return _mm_floor_pd(a); }
inline V ceil(V a) { return _mm_ceil_pd(a); }
inline V trunc(V a) { return _mm_round_pd(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
inline V round(V a) { return _mm_round_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
#else
inline V floor(V a) { return V{__builtin_floor(a[0]), __builtin_floor(a[1])}; }
inline V ceil(V a) { return V{__builtin_ceil(a[0]), __builtin_ceil(a[1])}; }
inline V trunc(V a) { return V{__builtin_trunc(a[0]), __builtin_trunc(a[1])}; }
inline V round(V a) { return V{__builtin_rint(a[0]), __builtin_rint(a[1])}; }
#endif

inline bool any(M m) {
#if defined(__AVX512F__)
  return _mm512_test_epi64_mask(reinterpret_cast<__m512i>(m), reinterpret_cast<__m512i>(m)) != 0;
#elif defined(__AVX2__) && defined(__FMA__)
  return _mm256_movemask_pd(reinterpret_cast<__m256d>(m)) != 0;
#else
  return (m[0] | m[1]) != 0;
#endif
}

inline V select(M m, V a, V b) { return m ? a : b; }
inline V select(M m, double a, V b) { return m ? splat(a) : b; }
inline V select(M m, V a, double b) { return m ? a : splat(b); }
inline V select(M m, double a, double b) { return m ? splat(a) : splat(b); }

constexpr long long kSignBit = static_cast<long long>(0x8000000000000000ull);
inline V abs(V a) { return fromBits(bits(a) & ~splatInt(kSignBit)); }
inline M signBit(V a) { return bits(a) & splatInt(kSignBit); }
/// a with the sign of b exchanged into it: a * sign(b).
inline V flipSign(V a, V b) { return fromBits(bits(a) ^ signBit(b)); }
inline V copySign(V a, V b) { return fromBits(bits(abs(a)) | signBit(b)); }
/// 1.0 where the mask holds, else 0.0.
inline V toNumber(M m) { return fromBits(m & bits(splat(1.0))); }
inline M isNaN(V a) { return a != a; }
/// Clamps to [lo, hi]; NaN passes.
inline V clamp(V a, double lo, double hi) {
  a = select(a < lo, lo, a);
  return select(a > hi, hi, a);
}

/// r, or a itself where it is so small that an odd function with derivative 1 at 0 rounds to it;
/// SLEEF loses the last bits of subnormals there.
inline V nearZero(V a, V r) { return select(abs(a) < 0x1p-28, a, r); }

// Integers of less than 2^51 in magnitude, between their two forms, by the bits of 1.5 * 2^52.
constexpr double kIntMagic = 0x1.8p52;
inline V intToDouble(M i) { return fromBits(i + bits(splat(kIntMagic))) - kIntMagic; }
inline M doubleToInt(V x) { return bits(x + kIntMagic) - bits(splat(kIntMagic)); }
/// 2^k for -1022 <= k <= 1023.
inline V pow2(M k) { return fromBits((k + 1023) << 52); }

/// x * 2^k for 2^-40 < |x| < 2^40 (or 0, infinite, NaN) and whole k, rounded once.
inline V scale(V x, V k) {
  k = clamp(k, -2000.0, 2000.0);
  const V first = clamp(k, -960.0, 960.0);
  return x * pow2(doubleToInt(first)) * pow2(doubleToInt(clamp(k - first, -1020.0, 1020.0)));
}

/// x = mantissa * 2^exponent with 1 <= |mantissa| < 2; zeros, infinities and NaN are their own
/// mantissas.
struct Split {
  V mantissa, exponent;
};
inline Split split(V x) {
  const M tiny = abs(x) < kMinNormal;
  const V y = select(tiny, x * 0x1p64, x);
  const M e = ((bits(y) >> 52) & splatInt(0x7ff)) - 1023;
  const V m = fromBits((bits(y) & splatInt(static_cast<long long>(0x800fffffffffffffull))) |
                       splatInt(0x3ff0000000000000ll));
  const M special = (x == 0.0) | ~(abs(x) < kInf);
  return {select(special, x, m),
          select(special, 0.0, intToDouble(e) - select(tiny, 64.0, splat(0.0)))};
}

// Loops over buffers. `out` may be an operand: an element is read before it is written.
template <class F>
inline void map1(double* out, const double* a, std::size_t n, F f) {
  std::size_t i = 0;
#pragma GCC ivdep
  for (; i + kLanes <= n; i += kLanes) store(out + i, f(load(a + i)));
  if (i < n) storePart(out + i, f(loadPart(a + i, n - i)), n - i);
}
template <class F>
inline void map2(double* out, const double* a, const double* b, std::size_t n, F f) {
  std::size_t i = 0;
#pragma GCC ivdep
  for (; i + kLanes <= n; i += kLanes) store(out + i, f(load(a + i), load(b + i)));
  if (i < n) storePart(out + i, f(loadPart(a + i, n - i), loadPart(b + i, n - i)), n - i);
}
template <class F>
inline void map3(double* out, const double* a, const double* b, const double* c, std::size_t n,
                 F f) {
  std::size_t i = 0;
#pragma GCC ivdep
  for (; i + kLanes <= n; i += kLanes) {
    store(out + i, f(load(a + i), load(b + i), load(c + i)));
  }
  if (i < n) {
    const std::size_t k = n - i;
    storePart(out + i, f(loadPart(a + i, k), loadPart(b + i, k), loadPart(c + i, k)), k);
  }
}

}  // namespace adjoint::simd

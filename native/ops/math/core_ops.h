#pragma once

#include "ops/math/vec.h"

/// The operations that the cores (exp_core.h, ...) are written in, for vectors of this build. A
/// core is a template, straight-line, and calls these by name only, so that another type can have
/// them too: one that records instructions instead of executing them, say, in its own namespace.
/// Every operation is one instruction, or two, of every processor.
namespace adjoint::simd {

/// A constant of the type of the first operand, whose value does not matter.
inline V constantLike(V, double x) { return splat(x); }
/// The same from its bit pattern.
inline V bitsLike(V, long long x) { return fromBits(splatInt(x)); }

inline V add(V a, V b) { return a + b; }
inline V sub(V a, V b) { return a - b; }
inline V mul(V a, V b) { return a * b; }
inline V div(V a, V b) { return a / b; }

// Fused, where the processor does it. A core must be accurate either way; without the instruction
// it has bits of its own, as everything has (design note 0007).
#if defined(__FMA__) || !defined(__x86_64__)
constexpr bool kIsFused = true;
/// a * b + c.
inline V mulAdd(V a, V b, V c) { return fma(a, b, c); }
#else
constexpr bool kIsFused = false;
inline V mulAdd(V a, V b, V c) { return a * b + c; }
#endif
/// c - a * b and a * b - c.
inline V subMul(V c, V a, V b) { return mulAdd(-a, b, c); }
inline V mulSub(V a, V b, V c) { return mulAdd(a, b, -c); }

/// a where a > b, else b: NaN where b is.
#if defined(__AVX512F__)
inline V larger(V a, V b) { return _mm512_maskz_max_pd(0xff, a, b); }
#elif defined(__AVX2__) && defined(__FMA__)
inline V larger(V a, V b) { return _mm256_max_pd(a, b); }
#else
inline V larger(V a, V b) { return select(a > b, a, b); }
#endif

// Bit patterns, as 64-bit integers that wrap around.
typedef unsigned long long Pattern __attribute__((vector_size(sizeof(V))));
inline Pattern pattern(V a) { return reinterpret_cast<Pattern>(a); }
inline V fromPattern(Pattern a) { return reinterpret_cast<V>(a); }
inline V andBits(V a, V b) { return fromPattern(pattern(a) & pattern(b)); }
inline V orBits(V a, V b) { return fromPattern(pattern(a) | pattern(b)); }
inline V xorBits(V a, V b) { return fromPattern(pattern(a) ^ pattern(b)); }
inline V addBits(V a, V b) { return fromPattern(pattern(a) + pattern(b)); }
inline V subBits(V a, V b) { return fromPattern(pattern(a) - pattern(b)); }
inline V shiftLeftBits(V a, int n) { return fromPattern(pattern(a) << n); }
inline V shiftRightBits(V a, int n) { return fromPattern(pattern(a) >> n); }

/// The mask of the lanes where a < b does not hold, those with NaN among them.
#if defined(__AVX2__) && defined(__FMA__) && !defined(__AVX512F__)
inline M notLess(V a, V b) { return reinterpret_cast<M>(_mm256_cmp_pd(a, b, _CMP_NLT_UQ)); }
#else
inline M notLess(V a, V b) { return ~(a < b); }
#endif
/// a where the first operand's sign bit is set, else b.
inline V chooseNegative(V s, V a, V b) { return select(bits(s) < 0, a, b); }

/// What a core gives: a value, and the mask of the lanes where it is not the function's, which the
/// caller must compute otherwise.
template <class T>
struct CoreResult {
  T value;
  decltype(notLess(T(), T())) outside;
};

}  // namespace adjoint::simd

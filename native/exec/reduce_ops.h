#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "exec/reduce.h"
#include "ops/math/vec.h"

/// The operations of reductions on doubles and on vectors of them, and whole groups of 16 partials
/// in registers.
namespace adjoint::exec {

struct SumOp {
  template <class T>
  static T apply(T acc, T x) {
    return acc + x;
  }
};

/// The integers that hold the bits of a T.
template <class T>
struct BitsOf {
  using Type = decltype(T{} == T{});
};
template <>
struct BitsOf<double> {
  using Type = std::uint64_t;
};
template <class T>
inline auto bitsOf(T x) {
  return std::bit_cast<typename BitsOf<T>::Type>(x);
}

// As the elementwise max and min: +0 > -0, a NaN replaces everything and stays. So the order of the
// terms shows in a NaN's payload at most.
struct MaxOp {
  template <class T>
  static T apply(T acc, T x) {
    const T larger = (x > acc) | (x != x) ? x : acc;
    return x == acc ? std::bit_cast<T>(bitsOf(acc) & bitsOf(x)) : larger;
  }
};
struct MinOp {
  template <class T>
  static T apply(T acc, T x) {
    const T smaller = (x < acc) | (x != x) ? x : acc;
    return x == acc ? std::bit_cast<T>(bitsOf(acc) | bitsOf(x)) : smaller;
  }
};

constexpr int kSumVectors = static_cast<int>(kSumLanes) / simd::kLanes;

/// Sixteen partials.
struct Partials {
  simd::V v[kSumVectors];

  void load(const double* x) {
    for (int i = 0; i < kSumVectors; ++i) v[i] = simd::load(x + i * simd::kLanes);
  }
  void store(double* x) const {
    for (int i = 0; i < kSumVectors; ++i) simd::store(x + i * simd::kLanes, v[i]);
  }
  template <class F>
  void add(const double* x) {
    for (int i = 0; i < kSumVectors; ++i) v[i] = F::apply(v[i], simd::load(x + i * simd::kLanes));
  }
  /// The first n < 16 partials take a term each.
  template <class F>
  void addSome(const double* x, int n) {
    for (int i = 0; i < kSumVectors; ++i) {
      const int left = n - i * simd::kLanes;
      if (left >= simd::kLanes) {
        v[i] = F::apply(v[i], simd::load(x + i * simd::kLanes));
      } else if (left > 0) {
        const simd::V part = simd::loadPart(x + i * simd::kLanes, static_cast<std::size_t>(left));
        v[i] = simd::select(lanesBelow(left), F::apply(v[i], part), v[i]);
      }
    }
  }
  /// p[j] += p[j+8], += p[j+4], += p[j+2], += p[j+1].
  template <class F>
  double tree() const {
#if defined(__AVX512F__)
    typedef double V4 __attribute__((vector_size(32)));
    const simd::V e = F::apply(v[0], v[1]);
    const V4 q = F::apply(__builtin_shufflevector(e, e, 0, 1, 2, 3),
                          __builtin_shufflevector(e, e, 4, 5, 6, 7));
#elif defined(__AVX2__) && defined(__FMA__)
    const simd::V q = F::apply(F::apply(v[0], v[2]), F::apply(v[1], v[3]));
#endif
#if defined(__AVX512F__) || (defined(__AVX2__) && defined(__FMA__))
    typedef double V2 __attribute__((vector_size(16)));
    const V2 d = F::apply(__builtin_shufflevector(q, q, 0, 1), __builtin_shufflevector(q, q, 2, 3));
#else
    simd::V e[4];
    for (int i = 0; i < 4; ++i) e[i] = F::apply(v[i], v[i + 4]);
    const simd::V d = F::apply(F::apply(e[0], e[2]), F::apply(e[1], e[3]));
#endif
    return F::apply(double{d[0]}, double{d[1]});
  }

 private:
  static simd::M lanesBelow(int n) {
    simd::M lane;
    for (int i = 0; i < simd::kLanes; ++i) lane[i] = i;
    return lane < simd::splatInt(n);
  }
};

/// acc[i] takes x[i].
template <class F>
inline void combine(double* acc, const double* x, std::int64_t n) {
  simd::map2(acc, acc, x, static_cast<std::size_t>(n),
             [](simd::V a, simd::V b) { return F::apply(a, b); });
}

}  // namespace adjoint::exec

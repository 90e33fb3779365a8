#pragma once

#include <cstdint>

#include "ops/math/vec.h"

namespace adjoint::exec {

#if defined(__AVX2__)
/// Four contiguous rows of `count` become four columns, by 4x4 blocks in registers.
inline void transposeFour(const double* rows, std::int64_t rowStride, std::int64_t count,
                          double* to, std::int64_t toStride) {
  std::int64_t t = 0;
  for (; t + 4 <= count; t += 4) {
    const double* from = rows + t;
    const __m256d r0 = _mm256_loadu_pd(from), r1 = _mm256_loadu_pd(from + rowStride);
    const __m256d r2 = _mm256_loadu_pd(from + 2 * rowStride);
    const __m256d r3 = _mm256_loadu_pd(from + 3 * rowStride);
    const __m256d low01 = _mm256_unpacklo_pd(r0, r1), high01 = _mm256_unpackhi_pd(r0, r1);
    const __m256d low23 = _mm256_unpacklo_pd(r2, r3), high23 = _mm256_unpackhi_pd(r2, r3);
    double* out = to + t * toStride;
    _mm256_storeu_pd(out, _mm256_permute2f128_pd(low01, low23, 0x20));
    _mm256_storeu_pd(out + toStride, _mm256_permute2f128_pd(high01, high23, 0x20));
    _mm256_storeu_pd(out + 2 * toStride, _mm256_permute2f128_pd(low01, low23, 0x31));
    _mm256_storeu_pd(out + 3 * toStride, _mm256_permute2f128_pd(high01, high23, 0x31));
  }
  for (; t < count; ++t)
    for (std::int64_t i = 0; i < 4; ++i) to[t * toStride + i] = rows[i * rowStride + t];
}
#endif

/// to[c, r] = from[r, c] for contiguous rows of `columns`, each matrix with its distance between
/// rows.
inline void transpose(const double* from, std::int64_t fromStride, std::int64_t rows,
                      std::int64_t columns, double* to, std::int64_t toStride) {
  std::int64_t r = 0;
#if defined(__AVX2__)
  for (; r + 4 <= rows; r += 4)
    transposeFour(from + r * fromStride, fromStride, columns, to + r, toStride);
#endif
  for (; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) to[c * toStride + r] = from[r * fromStride + c];
}

}  // namespace adjoint::exec

#pragma once

#include <cstdint>

#include "ops/math/vec.h"

namespace adjoint::exec {

#if defined(__AVX2__)
/// Of four rows, N columns (at most four) become rows of four numbers, by a 4x4 block in registers.
template <int N>
inline void transposeBlock(const double* const (&rows)[4], std::int64_t column, double* to,
                           std::int64_t toStride) {
  const auto load = [column](const double* row) {
    if constexpr (N == 4) return _mm256_loadu_pd(row + column);
    return _mm256_maskload_pd(row + column,
                              _mm256_setr_epi64x(-1, N > 1 ? -1 : 0, N > 2 ? -1 : 0, 0));
  };
  const __m256d r0 = load(rows[0]), r1 = load(rows[1]), r2 = load(rows[2]), r3 = load(rows[3]);
  const __m256d low01 = _mm256_unpacklo_pd(r0, r1), high01 = _mm256_unpackhi_pd(r0, r1);
  const __m256d low23 = _mm256_unpacklo_pd(r2, r3), high23 = _mm256_unpackhi_pd(r2, r3);
  double* out = to + column * toStride;
  _mm256_storeu_pd(out, _mm256_permute2f128_pd(low01, low23, 0x20));
  if constexpr (N > 1)
    _mm256_storeu_pd(out + toStride, _mm256_permute2f128_pd(high01, high23, 0x20));
  if constexpr (N > 2)
    _mm256_storeu_pd(out + 2 * toStride, _mm256_permute2f128_pd(low01, low23, 0x31));
  if constexpr (N > 3)
    _mm256_storeu_pd(out + 3 * toStride, _mm256_permute2f128_pd(high01, high23, 0x31));
}
#endif

/// Four rows of `count` become four columns.
inline void transposeFour(const double* const (&rows)[4], std::int64_t count, double* to,
                          std::int64_t toStride) {
  std::int64_t t = 0;
#if defined(__AVX2__)
  for (; t + 4 <= count; t += 4) transposeBlock<4>(rows, t, to, toStride);
  if (count - t == 3) return transposeBlock<3>(rows, t, to, toStride);
  if (count - t == 2) return transposeBlock<2>(rows, t, to, toStride);
  if (count - t == 1) return transposeBlock<1>(rows, t, to, toStride);
#endif
  for (; t < count; ++t)
    for (std::int64_t i = 0; i < 4; ++i) to[t * toStride + i] = rows[i][t];
}

/// to[c, r] = from[r, c] for contiguous rows of `columns`, each matrix with its distance between
/// rows.
inline void transpose(const double* from, std::int64_t fromStride, std::int64_t rows,
                      std::int64_t columns, double* to, std::int64_t toStride) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const double* at = from + r * fromStride;
    transposeFour({at, at + fromStride, at + 2 * fromStride, at + 3 * fromStride}, columns, to + r,
                  toStride);
  }
  for (; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) to[c * toStride + r] = from[r * fromStride + c];
}

/// to[c, r] = from[indices[r], c] for contiguous rows of `columns`.
inline void gatherRows(const double* from, std::int64_t columns, const double* indices,
                       std::int64_t rows, double* to, std::int64_t toStride) {
  const auto row = [&](std::int64_t r) {
    return from + static_cast<std::int64_t>(indices[r]) * columns;
  };
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4)
    transposeFour({row(r), row(r + 1), row(r + 2), row(r + 3)}, columns, to + r, toStride);
  for (; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) to[c * toStride + r] = row(r)[c];
}

}  // namespace adjoint::exec

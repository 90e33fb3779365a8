#include "exec/row_blend.h"

#include <algorithm>
#include <bit>

namespace adjoint::exec {

LanePicks RowBlend::picks(std::size_t k) const {
  LanePicks picks;
  std::copy_n(alike_.begin() + static_cast<std::ptrdiff_t>(8 * k), 8, picks.lanes.begin());
  picks.picked = picked_[k];
  return picks;
}

#if defined(__AVX512F__)
namespace {

/// The row of each element of eight rows of `Width`, eight elements at a time.
template <int Width>
struct RowOfElement {
  alignas(64) long long row[Width][8];

  constexpr RowOfElement() : row() {
    for (int e = 0; e < 8 * Width; ++e) row[e / 8][e % 8] = e / Width;
  }
};

bool beginsLine(const double* p) { return reinterpret_cast<std::uintptr_t>(p) % 64 == 0; }

/// Of the rows 1 to 8 one that begins a line of the cache, if it can in its column too.
std::int64_t alignedRow(const double* to, std::int64_t width, const double* column) {
  std::int64_t aligned = 8;
  for (std::int64_t row = 8; row > 0; --row) {
    if (!beginsLine(to + row * width)) continue;
    if (beginsLine(column + row)) return row;
    aligned = row;
  }
  return aligned;
}

}  // namespace

template <int Width, int Count>
void RowBlend::writeOf(const RowBlend& blend, const double* const* from, std::int64_t rows,
                       double* to) {
  static constexpr RowOfElement<Width> kRows;
  __m512d alike[Width];
  __m512i row[Width];
  __mmask8 picked[Width], third[Width];
#pragma GCC unroll 8
  for (int k = 0; k < Width; ++k) {
    alike[k] = _mm512_castsi512_pd(_mm512_load_epi64(blend.alike_.data() + 8 * k));
    row[k] = _mm512_load_epi64(kRows.row[k]);
    picked[k] = blend.picked_[static_cast<std::size_t>(k)];
    third[k] = blend.third_[static_cast<std::size_t>(k)];
  }
  const double* const x = Count > 0 ? from[0] : nullptr;
  const double* const y = from[Count > 1 ? 1 : 0];
  const double* const z = from[Count > 2 ? 2 : 0];
  const auto eight = [&](std::int64_t i) {
    const __m512d a = Count > 0 ? _mm512_loadu_pd(x + i) : _mm512_setzero_pd();
    const __m512d b = Count > 1 ? _mm512_loadu_pd(y + i) : a;
    const __m512d c = Count > 2 ? _mm512_loadu_pd(z + i) : a;
    double* const at = to + i * Width;
#pragma GCC unroll 8
    for (int k = 0; k < Width; ++k) {
      __m512d v = alike[k];
      if constexpr (Count == 1) v = _mm512_mask_permutexvar_pd(v, picked[k], row[k], a);
      // Places stand in the lanes that they replace.
      if constexpr (Count > 1)
        v = _mm512_mask2_permutex2var_pd(a, _mm512_castpd_si512(v), picked[k], b);
      if constexpr (Count > 2) v = _mm512_mask_permutexvar_pd(v, third[k], row[k], c);
      // In halves: Zen 4 takes a fourth longer to write whole vectors.
      _mm256_storeu_pd(at + 8 * k, __builtin_shufflevector(v, v, 0, 1, 2, 3));
      _mm256_storeu_pd(at + 8 * k + 4, __builtin_shufflevector(v, v, 4, 5, 6, 7));
    }
  };
  // Blocks overlap at both ends, so that those between begin where a line of the cache does.
  eight(0);
  if (rows == 8) return;
  for (std::int64_t i = alignedRow(to, Width, x); i < rows - 8; i += 8) eight(i);
  eight(rows - 8);
}

std::optional<RowBlend> RowBlend::of(std::span<const std::optional<double>> columns) {
#define ADJOINT_WRITES(width) \
  {&writeOf<width, 0>, &writeOf<width, 1>, &writeOf<width, 2>, &writeOf<width, 3>}
  static constexpr Write kWrites[][kMostVarying + 1] = {
      ADJOINT_WRITES(2), ADJOINT_WRITES(3), ADJOINT_WRITES(4), ADJOINT_WRITES(5),
      ADJOINT_WRITES(6), ADJOINT_WRITES(7), ADJOINT_WRITES(8)};
#undef ADJOINT_WRITES
  const auto width = static_cast<int>(columns.size());
  const auto varying = static_cast<std::size_t>(
      std::ranges::count_if(columns, [](const auto& number) { return !number; }));
  if (width < 2 || width > kWidest || varying > kMostVarying) return std::nullopt;
  RowBlend blend;
  blend.write_ = kWrites[width - 2][varying];
  int column = -1;  // among those that vary
  for (int j = 0; j < width; ++j) {
    const std::optional<double>& number = columns[static_cast<std::size_t>(j)];
    if (!number) ++column;
    for (int row = 0; row < 8; ++row) {
      const int e = row * width + j;
      const auto vector = static_cast<std::size_t>(e / 8);
      std::int64_t& element = blend.alike_[static_cast<std::size_t>(e)];
      if (number) {
        element = std::bit_cast<std::int64_t>(*number);
        continue;
      }
      if (column < 2) element = 8 * column + row;
      auto& lanes = column < 2 ? blend.picked_ : blend.third_;
      lanes[vector] = static_cast<std::uint8_t>(lanes[vector] | 1 << e % 8);
    }
  }
  return blend;
}

#else

std::optional<RowBlend> RowBlend::of(std::span<const std::optional<double>>) {
  return std::nullopt;
}

#endif

}  // namespace adjoint::exec

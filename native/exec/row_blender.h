#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/math/vec.h"
#include "plan/plan.h"

namespace adjoint::exec {

/// Columns of a run: the next element of each, and how far the next block of rows is.
struct Columns {
  const double* from[InterleaveStep::kMaxWidth];
  std::int64_t step[InterleaveStep::kMaxWidth];  ///< 0: uniform

  void next(std::int64_t width) {
    for (std::int64_t j = 0; j < width; ++j) from[j] += step[j];
  }
};

#if defined(__AVX512F__)
/// Where the elements of eight rows of `Width`, eight at a time, come from.
template <int Width>
struct EightRows {
  alignas(64) long long row[Width][8];
  std::uint8_t isColumn[Width][Width];  ///< lanes of vector k in column j

  constexpr EightRows() : row(), isColumn() {
    for (int e = 0; e < 8 * Width; ++e) {
      row[e / 8][e % 8] = e / Width;
      isColumn[e / 8][e % Width] =
          static_cast<std::uint8_t>(isColumn[e / 8][e % Width] | 1 << e % 8);
    }
  }
};

/// Rows that are alike but for a few columns, written as vectors of their elements. What is alike
/// is often so in many runs.
class Blender {
 public:
  /// False where rows are too few or too wide for that, or too many columns vary.
  bool run(const Columns& columns, std::int64_t width, std::int64_t rows, double* to) {
    if (rows < 8 || width < 2 || width > kWidest) return false;
    if (!isAlike(columns, width)) prepare(columns, width);
    if (count_ > kMostVarying) return false;
    using Write = void (Blender::*)(const Columns&, std::int64_t, double*) const;
    constexpr Write kWrites[] = {&Blender::write<2>, &Blender::write<3>, &Blender::write<4>,
                                 &Blender::write<5>, &Blender::write<6>, &Blender::write<7>,
                                 &Blender::write<8>};
    (this->*kWrites[width - 2])(columns, rows, to);
    return true;
  }

 private:
  static constexpr int kWidest = 8, kMostVarying = 3;

  bool isAlike(const Columns& columns, std::int64_t width) const {
    if (width != width_) return false;
    for (std::int64_t j = 0; j < width; ++j) {
      if (columns.step[j] != step_[j] || (step_[j] == 0 && columns.from[j] != from_[j]))
        return false;
    }
    return true;
  }

  void prepare(const Columns& columns, std::int64_t width) {
    width_ = width;
    count_ = 0;
    for (int j = 0; j < width; ++j) {
      step_[j] = columns.step[j];
      from_[j] = columns.from[j];
      if (step_[j] != 0 && count_++ < kMostVarying) varying_[count_ - 1] = j;
      const double first = *from_[j];
      for (std::int64_t row = 0; row < 8; ++row) alike_[row * width + j] = first;
    }
  }

  template <int Width>
  void write(const Columns& columns, std::int64_t rows, double* to) const {
    if (count_ == 0) return write<Width, 0>(columns, rows, to);
    if (count_ == 1) return write<Width, 1>(columns, rows, to);
    if (count_ == 2) return write<Width, 2>(columns, rows, to);
    write<Width, 3>(columns, rows, to);
  }

  /// The last of the rows 1 to 8 that begins a line of the cache; 8 if none does.
  static std::int64_t alignedRow(const double* to, std::int64_t width) {
    for (std::int64_t row = 8; row > 0; --row) {
      if (reinterpret_cast<std::uintptr_t>(to + row * width) % 64 == 0) return row;
    }
    return 8;
  }

  template <int Width, int Count>
  void write(const Columns& columns, std::int64_t rows, double* to) const {
    static constexpr EightRows<Width> kEight;
    const auto lanesOf = [this](int k, int c) -> __mmask8 {
      return c < Count ? kEight.isColumn[k][varying_[c]] : 0;
    };
    // What is the same in all rows; two varying columns take one instruction that picks from both
    // by places 0 to 7 and 8 to 15, which stand in the lanes that it replaces.
    __m512d alike[Width];
    __m512i row[Width];
    __mmask8 picked[Width], third[Width];
#pragma GCC unroll 8
    for (int k = 0; k < Width; ++k) {
      row[k] = _mm512_load_epi64(kEight.row[k]);
      const __m512i place =
          _mm512_mask_add_epi64(row[k], lanesOf(k, 1), row[k], _mm512_set1_epi64(8));
      picked[k] = static_cast<__mmask8>(lanesOf(k, 0) | lanesOf(k, 1));
      third[k] = lanesOf(k, 2);
      alike[k] = _mm512_load_pd(alike_ + 8 * k);
      if constexpr (Count > 1)
        alike[k] = _mm512_mask_mov_pd(alike[k], picked[k], _mm512_castsi512_pd(place));
    }
    // Blocks overlap at both ends, so that those between begin where a line of the cache does.
    for (std::int64_t next = 0; next < rows; next += next == 0 ? alignedRow(to, Width) : 8) {
      const std::int64_t i = std::min(next, rows - 8);
      __m512d x[3] = {};
      for (int c = 0; c < Count; ++c) x[c] = _mm512_loadu_pd(columns.from[varying_[c]] + i);
#pragma GCC unroll 8
      for (int k = 0; k < Width; ++k) {
        __m512d v = alike[k];
        if constexpr (Count == 1) v = _mm512_mask_permutexvar_pd(v, picked[k], row[k], x[0]);
        if constexpr (Count > 1)
          v = _mm512_mask2_permutex2var_pd(x[0], _mm512_castpd_si512(v), picked[k], x[1]);
        if constexpr (Count > 2) v = _mm512_mask_permutexvar_pd(v, third[k], row[k], x[2]);
        _mm512_storeu_pd(to + i * Width + 8 * k, v);
      }
    }
  }

  std::int64_t width_ = 0;
  const double* from_[kWidest] = {};
  std::int64_t step_[kWidest] = {};
  int varying_[kMostVarying] = {};
  int count_ = 0;
  alignas(64) double alike_[8 * kWidest];  ///< eight rows
};
#else
struct Blender {
  bool run(const Columns&, std::int64_t, std::int64_t, double*) { return false; }
};
#endif

}  // namespace adjoint::exec

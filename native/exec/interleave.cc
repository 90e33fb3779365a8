// Rows put together from several values.
#include <algorithm>

#include "exec/library.h"
#include "exec/transpose.h"

namespace adjoint::exec {
namespace {

/// Rows at a time: as many elements as uniform sources have.
constexpr std::int64_t kRows = InterleaveStep::kUniformElements;

/// Columns of a run: the next element of each, and how far the next block of rows is.
struct Columns {
  const double* from[InterleaveStep::kMaxWidth];
  std::int64_t step[InterleaveStep::kMaxWidth];  ///< 0: uniform

  void next(std::int64_t width) {
    for (std::int64_t j = 0; j < width; ++j) from[j] += step[j];
  }
};

#if defined(__AVX2__)
/// Four columns of which `varying` are not uniform, at most two: rows that are alike but for those.
template <int Count>
void blendFour(const double* const* from, const std::int64_t (&varying)[2], std::int64_t rows,
               double* to, std::int64_t toStride) {
  const __m256d alike = _mm256_setr_pd(*from[0], *from[1], *from[2], *from[3]);
  const auto only = [](std::int64_t lane) {
    return _mm256_castsi256_pd(
        _mm256_cmpeq_epi64(_mm256_setr_epi64x(0, 1, 2, 3), _mm256_set1_epi64x(lane)));
  };
  const __m256d first = only(varying[0]), second = only(varying[1]);
  const double* const x = from[varying[0]];
  const double* const y = from[varying[1]];
#pragma GCC unroll 4
  for (std::int64_t i = 0; i < rows; ++i, to += toStride) {
    __m256d row = alike;
    if constexpr (Count > 0) row = _mm256_blendv_pd(row, _mm256_broadcast_sd(x + i), first);
    if constexpr (Count > 1) row = _mm256_blendv_pd(row, _mm256_broadcast_sd(y + i), second);
    _mm256_storeu_pd(to, row);
  }
}
#endif

void interleaveFour(const Columns& columns, std::int64_t j, std::int64_t rows, double* to,
                    std::int64_t toStride) {
  const double* const* from = columns.from + j;
#if defined(__AVX2__)
  std::int64_t varying[2] = {0, 0};
  int count = 0;
  for (std::int64_t k = 0; k < 4; ++k) {
    if (columns.step[j + k] == 0) continue;
    if (count < 2) varying[count] = k;
    ++count;
  }
  if (count == 0) return blendFour<0>(from, varying, rows, to + j, toStride);
  if (count == 1) return blendFour<1>(from, varying, rows, to + j, toStride);
  if (count == 2) return blendFour<2>(from, varying, rows, to + j, toStride);
#endif
  transposeFour({from[0], from[1], from[2], from[3]}, rows, to + j, toStride);
}

void interleaveTwo(const double* const* from, std::int64_t rows, const std::int64_t* step,
                   double* to, std::int64_t toStride) {
  const std::int64_t x = step[0] == 0 ? 0 : 1, y = step[1] == 0 ? 0 : 1;
#pragma GCC unroll 4
  for (std::int64_t i = 0; i < rows; ++i, to += toStride) {
#if defined(__SSE2__)
    _mm_storeu_pd(to, _mm_loadh_pd(_mm_load_sd(from[0] + i * x), from[1] + i * y));
#else
    to[0] = from[0][i * x];
    to[1] = from[1][i * y];
#endif
  }
}

/// `rows` elements of each column side by side, four columns at a time.
void interleave(const Columns& columns, std::int64_t width, std::int64_t rows, double* to) {
  std::int64_t j = 0;
  for (; j + 4 <= width; j += 4) interleaveFour(columns, j, rows, to, width);
  if (width - j == 2) return interleaveTwo(columns.from + j, rows, columns.step + j, to + j, width);
  if (j == width) return;
  // The last four overlap those before.
  if (width >= 4) return interleaveFour(columns, width - 4, rows, to, width);
  for (; j < width; ++j) {
    const double* from = columns.from[j];
    for (std::int64_t i = 0; i < rows; ++i) to[i * width + j] = from[i];
  }
}

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
    __m512d alike[Width];
    __m512i row[Width];
    __mmask8 lanes[Width][Count + 1];
#pragma GCC unroll 8
    for (int k = 0; k < Width; ++k) {
      alike[k] = _mm512_load_pd(alike_ + 8 * k);
      row[k] = _mm512_load_epi64(kEight.row[k]);
      for (int c = 0; c < Count; ++c) lanes[k][c] = kEight.isColumn[k][varying_[c]];
    }
    // Blocks overlap at both ends, so that those between begin where a line of the cache does.
    for (std::int64_t next = 0; next < rows; next += next == 0 ? alignedRow(to, Width) : 8) {
      const std::int64_t i = std::min(next, rows - 8);
      __m512d x[Count + 1];
      for (int c = 0; c < Count; ++c) x[c] = _mm512_loadu_pd(columns.from[varying_[c]] + i);
#pragma GCC unroll 8
      for (int k = 0; k < Width; ++k) {
        __m512d v = alike[k];
        for (int c = 0; c < Count; ++c)
          v = _mm512_mask_permutexvar_pd(v, lanes[k][c], row[k], x[c]);
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

}  // namespace

bool runInterleave(const Plan& plan, const InterleaveStep& step,
                   const RunContext& context) noexcept {
  double* const out = bufferAt(plan, step.out, context);
  // Most steps have few sources; the places of others are looked up.
  const double* bases[InterleaveStep::kMaxWidth];
  const std::size_t known = std::min(step.sources.size(), std::size(bases));
  for (std::size_t k = 0; k < known; ++k)
    bases[k] = bufferAt(plan, step.sources[k].buffer, context);
  const auto baseOf = [&](std::uint32_t part) -> const double* {
    return part < known ? bases[part] : bufferAt(plan, step.sources[part].buffer, context);
  };
  Columns all;
  Blender blender;
  for (const InterleaveStep::Run& run : step.runs) {
    const InterleaveStep::Column* columns = step.columns.data() + run.first;
    double* to = out + run.start;
    if (run.rows == 1) {
      if (known == step.sources.size()) {
        for (std::int64_t j = 0; j < run.width; ++j)
          to[j] = bases[columns[j].part][columns[j].element];
      } else {
        for (std::int64_t j = 0; j < run.width; ++j)
          to[j] = baseOf(columns[j].part)[columns[j].element];
      }
      continue;
    }
    for (std::int64_t j = 0; j < run.width; ++j) {
      all.from[j] = baseOf(columns[j].part) + columns[j].element;
      all.step[j] = step.sources[columns[j].part].isUniform ? 0 : kRows;
    }
    if (blender.run(all, run.width, run.rows, to)) continue;
    for (std::int64_t i = 0; i < run.rows; i += kRows) {
      const std::int64_t rows = std::min(kRows, run.rows - i);
      interleave(all, run.width, rows, to + i * run.width);
      all.next(run.width);
    }
  }
  return true;
}

}  // namespace adjoint::exec

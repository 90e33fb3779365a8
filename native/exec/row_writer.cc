// Rows put together from several values.
#include "exec/row_writer.h"

#include <algorithm>

#include "exec/transpose.h"

namespace adjoint::exec {
namespace {

/// Rows at a time: as many elements as uniform sources have.
constexpr std::int64_t kRows = InterleaveStep::kUniformElements;

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

}  // namespace

RowWriter::RowWriter(const Plan& plan, const InterleaveStep& step, const RunContext& context)
    : plan_(plan),
      step_(step),
      context_(context),
      out_(bufferAt(plan, step.out, context)),
      known_(std::min(step.sources.size(), std::size(bases_))) {
  for (std::size_t k = 0; k < known_; ++k)
    bases_[k] = bufferAt(plan, step.sources[k].buffer, context);
}

void RowWriter::write(const InterleaveStep::Run& run, std::int64_t first, std::int64_t rows) {
  const InterleaveStep::Column* columns = step_.columns.data() + run.first;
  double* to = out_ + run.start + first * run.width;
  if (run.rows == 1) {
    if (known_ == step_.sources.size()) {
      for (std::int64_t j = 0; j < run.width; ++j)
        to[j] = bases_[columns[j].part][columns[j].element];
    } else {
      for (std::int64_t j = 0; j < run.width; ++j)
        to[j] = baseOf(columns[j].part)[columns[j].element];
    }
    return;
  }
  for (std::int64_t j = 0; j < run.width; ++j) {
    const bool isUniform = step_.sources[columns[j].part].isUniform;
    columns_.from[j] = baseOf(columns[j].part) + columns[j].element + (isUniform ? 0 : first);
    columns_.step[j] = isUniform ? 0 : kRows;
  }
  if (blender_.run(columns_, run.width, rows, to)) return;
  for (std::int64_t i = 0; i < rows; i += kRows) {
    interleave(columns_, run.width, std::min(kRows, rows - i), to + i * run.width);
    columns_.next(run.width);
  }
}

void RowWriter::writeExceptions() {
  for (const auto& [place, from] : step_.exceptions) out_[place] = baseOf(from.part)[from.element];
}

bool runInterleave(const Plan& plan, const InterleaveStep& step,
                   const RunContext& context) noexcept {
  RowWriter writer(plan, step, context);
  for (const InterleaveStep::Run& run : step.runs) writer.write(run, 0, run.rows);
  writer.writeExceptions();
  return true;
}

}  // namespace adjoint::exec

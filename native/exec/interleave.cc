// Rows put together from several values.
#include "exec/interleave.h"

#include <algorithm>

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

}  // namespace

InterleaveProgram::InterleaveProgram(const Plan& plan, const InterleaveStep& step)
    : step_(step), out_(placeOf(plan, step.out)) {
  for (const InterleaveStep::Source& source : step.sources)
    sources_.push_back(placeOf(plan, source.buffer));
  for (const InterleaveStep::Run& run : step.runs) runs_.push_back(blended(plan, run));
  std::vector<Moves::Move> singles;
  for (const InterleaveStep::Single& single : step.singles) singles.push_back(moved(single));
  singles_.add(std::move(singles));
}

InterleaveProgram::Blended InterleaveProgram::blended(const Plan& plan,
                                                      const InterleaveStep::Run& run) {
  Blended result;
  if (run.rows < RowBlend::kFewestRows || run.width > RowBlend::kWidest) return result;
  std::vector<std::optional<double>> columns;
  std::size_t varying = 0;
  for (const InterleaveStep::Column& column : step_.columnsOf(run)) {
    columns.emplace_back();
    if (step_.sources[column.part].isUniform) {
      const std::int64_t at = sources_[column.part].offset;
      columns.back() = plan.constants[static_cast<std::size_t>(at)];
    } else if (varying < RowBlend::kMostVarying) {
      result.varying[varying++] = place(column);
    }
  }
  const std::optional<RowBlend> blend = RowBlend::of(columns);
  if (!blend) return result;
  // Neighbors often have the same one.
  const auto recent = std::min<std::ptrdiff_t>(std::ssize(blends_), 4);
  const auto same = std::find(blends_.end() - recent, blends_.end(), *blend);
  result.blend = static_cast<std::uint32_t>(same - blends_.begin());
  if (same == blends_.end()) blends_.push_back(*blend);
  return result;
}

std::size_t InterleaveProgram::bytes() const {
  return sizeof(*this) + sources_.capacity() * sizeof(Place) + runs_.capacity() * sizeof(Blended) +
         blends_.capacity() * sizeof(RowBlend) + singles_.bytes();
}

bool InterleaveProgram::run(const RunContext& context) const noexcept {
  for (std::uint32_t r = 0; r < step_.runs.size(); ++r) write(context, r, 0, step_.runs[r].rows);
  singles_.run(context, out(context), 0);
  return true;
}

void InterleaveProgram::write(const RunContext& context, std::uint32_t r, std::int64_t first,
                              std::int64_t rows) const {
  const InterleaveStep::Run& run = step_.runs[r];
  double* const to = out(context) + run.start + first * run.width;
  const Blended& blended = runs_[r];
  if (blended.blend != kNone && rows >= RowBlend::kFewestRows) {
    const double* varying[RowBlend::kMostVarying];
#pragma GCC unroll 3
    for (std::size_t k = 0; k < RowBlend::kMostVarying; ++k)
      varying[k] = context.at(blended.varying[k].base, blended.varying[k].offset + first);
    return blends_[blended.blend].write(varying, rows, to);
  }
  const std::span<const InterleaveStep::Column> columns = step_.columnsOf(run);
  Columns walk;
  for (std::size_t j = 0; j < columns.size(); ++j) {
    const Place from = place(columns[j]);
    const bool isUniform = step_.sources[columns[j].part].isUniform;
    walk.from[j] = context.at(from.base, from.offset + (isUniform ? 0 : first));
    walk.step[j] = isUniform ? 0 : kRows;
  }
  for (std::int64_t i = 0; i < rows; i += kRows) {
    interleave(walk, run.width, std::min(kRows, rows - i), to + i * run.width);
    walk.next(run.width);
  }
}

}  // namespace adjoint::exec

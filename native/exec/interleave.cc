// Rows put together from several values.
#include <algorithm>

#include "exec/library.h"
#include "exec/transpose.h"

namespace adjoint::exec {
namespace {

/// Rows at a time: as many elements as uniform sources have.
constexpr std::int64_t kRows = InterleaveStep::kUniformElements;

/// `rows` elements of each column side by side, four columns at a time; the last four overlap those
/// before.
void interleave(const double* const* columns, std::int64_t width, std::int64_t rows, double* to) {
  std::int64_t j = 0;
  for (; j + 4 <= width; j += 4)
    transposeFour({columns[j], columns[j + 1], columns[j + 2], columns[j + 3]}, rows, to + j,
                  width);
  if (j == width) return;
  if (width >= 4) {
    j = width - 4;
    transposeFour({columns[j], columns[j + 1], columns[j + 2], columns[j + 3]}, rows, to + j,
                  width);
    return;
  }
  for (; j < width; ++j) {
    const double* from = columns[j];
    for (std::int64_t i = 0; i < rows; ++i) to[i * width + j] = from[i];
  }
}

}  // namespace

bool runInterleave(const Plan& plan, const InterleaveStep& step,
                   const RunContext& context) noexcept {
  double* const out = bufferAt(plan, step.out, context);
  const double* from[InterleaveStep::kMaxWidth];
  std::int64_t steps[InterleaveStep::kMaxWidth];
  for (const InterleaveStep::Run& run : step.runs) {
    const InterleaveStep::Column* columns = step.columns.data() + run.first;
    double* to = out + run.start;
    if (run.rows == 1) {
      for (std::int64_t j = 0; j < run.width; ++j) {
        const auto& source = step.sources[columns[j].part];
        to[j] = bufferAt(plan, source.buffer, context)[columns[j].element];
      }
      continue;
    }
    for (std::int64_t j = 0; j < run.width; ++j) {
      const auto& source = step.sources[columns[j].part];
      from[j] = bufferAt(plan, source.buffer, context) + columns[j].element;
      steps[j] = source.isUniform ? 0 : kRows;
    }
    for (std::int64_t i = 0; i < run.rows; i += kRows) {
      const std::int64_t rows = std::min(kRows, run.rows - i);
      interleave(from, run.width, rows, to + i * run.width);
      for (std::int64_t j = 0; j < run.width; ++j) from[j] += steps[j];
    }
  }
  return true;
}

}  // namespace adjoint::exec

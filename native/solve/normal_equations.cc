#include "solve/normal_equations.h"

#include <algorithm>

namespace adjoint {

NormalEquations::NormalEquations(const Elimination& elimination, CheckMemory check)
    : elimination_(elimination), upper_(elimination.upper()) {
  std::int64_t places = 0;
  std::int32_t widest = 0;
  for (const Elimination::Group& group : elimination.groups()) {
    places += std::int64_t{group.width} * (group.width + 1) / 2;
    widest = std::max(widest, group.width);
  }
  if (check != nullptr) check(static_cast<std::uint64_t>(places) * sizeof(std::int32_t));
  places_.resize(static_cast<std::size_t>(places));
  row_.resize(static_cast<std::size_t>(widest));
  placeProducts();
}

void NormalEquations::placeProducts() {
  const std::int32_t* const outer = upper_.outerIndexPtr();
  const std::int32_t* const inner = upper_.innerIndexPtr();
  const std::vector<std::int32_t>& positions = elimination_.positions();
  std::int32_t* place = places_.data();
  for (const Elimination::Group& group : elimination_.groups()) {
    const std::int32_t* const columns = elimination_.pattern().columnIndex.data() + group.entry;
    for (std::int32_t a = 0; a < group.width; ++a) {
      for (std::int32_t b = 0; b <= a; ++b) {
        const auto [row, column] = std::minmax(positions[static_cast<std::size_t>(columns[a])],
                                               positions[static_cast<std::size_t>(columns[b])]);
        const auto found = std::lower_bound(inner + outer[column], inner + outer[column + 1], row);
        *place++ = static_cast<std::int32_t>(found - inner);
      }
    }
  }
}

void NormalEquations::compute(const double* entries) {
  double* const values = upper_.valuePtr();
  std::fill(values, values + upper_.nonZeros(), 0.0);
  const std::int32_t* place = places_.data();
  for (const Elimination::Group& group : elimination_.groups()) {
    const double* const first = entries + group.entry;
    for (std::int32_t a = 0; a < group.width; ++a) {
      const double* line = first;
      for (std::int32_t b = 0; b <= a; ++b) row_[static_cast<std::size_t>(b)] = line[a] * line[b];
      for (std::int32_t r = 1; r < group.rows; ++r) {
        line += group.width;
        for (std::int32_t b = 0; b <= a; ++b) {
          row_[static_cast<std::size_t>(b)] += line[a] * line[b];
        }
      }
      for (std::int32_t b = 0; b <= a; ++b) values[*place++] += row_[static_cast<std::size_t>(b)];
    }
  }
}

}  // namespace adjoint

#include "solve/normal_equations.h"

#include <algorithm>
#include <utility>

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
  std::int32_t* places = places_.data();
  // Columns of a group by their positions: those of a column of A^T A come in its order, most of
  // them next to each other.
  std::vector<std::pair<std::int32_t, std::int32_t>> sorted;
  for (const Elimination::Group& group : elimination_.groups()) {
    sorted.clear();
    for (std::int32_t a = 0; a < group.width; ++a) {
      const auto column =
          elimination_.pattern().columnIndex[group.entry + static_cast<std::size_t>(a)];
      sorted.emplace_back(elimination_.positions()[static_cast<std::size_t>(column)], a);
    }
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t last = 0; last < sorted.size(); ++last) {
      const auto [column, a] = sorted[last];
      const std::int32_t* found = inner + outer[column];
      for (std::size_t i = 0; i <= last; ++i) {
        const auto [row, b] = sorted[i];
        if (*found != row) found = std::lower_bound(found, inner + outer[column + 1], row);
        const std::int64_t high = std::max(a, b);
        places[high * (high + 1) / 2 + std::min(a, b)] = static_cast<std::int32_t>(found - inner);
        if (i < last) ++found;
      }
    }
    places += std::int64_t{group.width} * (group.width + 1) / 2;
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

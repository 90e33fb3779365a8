#include "sparsity/arrangement.h"

#include <numeric>

namespace adjoint {

namespace {

using coloring::Index;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// Where lines start whose lengths these are, at position line + 1.
void addUp(std::vector<Index>& starts) {
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
}

}  // namespace

Arrangement arranged(const coloring::Pattern& pattern, SparseFormat format, Triangle triangle) {
  Arrangement result;
  auto& [places, entries] = result;
  places.rows = pattern.rows();
  places.columns = pattern.columns();
  entries.reserve(at(pattern.nonzeros()));
  std::vector<Index> rows;
  rows.reserve(at(pattern.nonzeros()));
  for (Index i = 0; i < pattern.rows(); ++i) {
    for (Index k = pattern.rowStart()[at(i)]; k < pattern.rowStart()[at(i) + 1]; ++k) {
      const Index j = pattern.columnIndex()[at(k)];
      const bool isWanted =
          triangle == Triangle::Full || j == i || (triangle == Triangle::Lower) == (j < i);
      if (!isWanted) continue;
      entries.push_back(k);
      rows.push_back(i);
      places.columnIndex.push_back(j);
    }
  }
  if (format == SparseFormat::Coo) {
    places.rowIndex = std::move(rows);
  } else if (format == SparseFormat::Csr) {
    places.rowIndex.assign(at(pattern.rows()) + 1, 0);
    for (const Index row : rows) ++places.rowIndex[at(row) + 1];
    addUp(places.rowIndex);
  } else {
    std::vector<Index> starts(at(pattern.columns()) + 1, 0);
    for (const Index column : places.columnIndex) ++starts[at(column) + 1];
    addUp(starts);
    std::vector<Index> next(starts.begin(), starts.end() - 1), byColumn(entries.size());
    places.rowIndex.resize(entries.size());
    for (std::size_t k = 0; k < entries.size(); ++k) {
      const Index place = next[at(places.columnIndex[k])]++;
      places.rowIndex[at(place)] = rows[k];
      byColumn[at(place)] = entries[k];
    }
    places.columnIndex = std::move(starts);
    entries = std::move(byColumn);
  }
  return result;
}

}  // namespace adjoint

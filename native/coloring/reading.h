#pragma once

#include <span>
#include <vector>

#include "coloring/coloring.h"

namespace adjoint::coloring {

/// The colors of one row's nonzeros at a time, counted.
class ColorsInRow {
 public:
  /// The coloring outlives this, and so does a row until the next one begins.
  explicit ColorsInRow(const Coloring& coloring)
      : colors_(coloring.colors), count_(static_cast<std::size_t>(coloring.count), 0) {}

  void begin(std::span<const Index> row) {
    for (const Index j : row_) {
      if (colors_[j] != kNoColor) count_[colors_[j]] = 0;
    }
    row_ = row;
    for (const Index j : row_) {
      if (colors_[j] != kNoColor) ++count_[colors_[j]];
    }
  }
  /// Whether j, one of the row's, is the only one of its color: its nonzero is an element of the
  /// compressed columns.
  bool isOnly(Index j) const { return colors_[j] != kNoColor && count_[colors_[j]] == 1; }

 private:
  const std::vector<Index>& colors_;
  std::vector<Index> count_;
  std::span<const Index> row_;
};

}  // namespace adjoint::coloring

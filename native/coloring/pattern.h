#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace adjoint::coloring {

/// Rows, columns, vertices, colors and positions of nonzeros.
using Index = std::int32_t;

/// Where the nonzeros of a rectangular matrix are: compressed sparse rows whose column indices are
/// sorted and unique.
class Pattern {
 public:
  /// 0 x 0.
  Pattern() : rowStart_(1, 0) {}
  /// `rowStart` has rows + 1 entries, row i's column indices are those from rowStart[i] on. Nothing
  /// is believed: throws Shape where the arrays do not fit the shape or each other, Index for an
  /// index outside its axis, Argument for indices that are not strictly increasing, Limit for more
  /// rows, columns or nonzeros than an Index can count.
  Pattern(std::int64_t rows, std::int64_t columns, std::vector<Index> rowStart,
          std::vector<Index> columnIndex);
  /// Of (row, column) pairs in any order, repeated or not. Throws as above.
  static Pattern fromEntries(std::int64_t rows, std::int64_t columns,
                             std::span<const Index> rowIndex, std::span<const Index> columnIndex);

  Index rows() const { return rows_; }
  Index columns() const { return columns_; }
  Index nonzeros() const { return rowStart_.back(); }
  std::span<const Index> row(Index i) const {
    return {columnIndex_.data() + rowStart_[i], columnIndex_.data() + rowStart_[i + 1]};
  }
  /// rows + 1 positions.
  const std::vector<Index>& rowStart() const { return rowStart_; }
  const std::vector<Index>& columnIndex() const { return columnIndex_; }

  /// The most nonzeros of a row.
  Index longestRow() const;
  /// columns x rows.
  Pattern transposed() const;

 private:
  Index rows_ = 0, columns_ = 0;
  std::vector<Index> rowStart_, columnIndex_;
};

/// Rows and columns as vertices, nonzeros as edges.
class BipartiteGraph {
 public:
  explicit BipartiteGraph(Pattern pattern);

  /// The pattern itself, and its transpose.
  const Pattern& byRow() const { return byRow_; }
  const Pattern& byColumn() const { return isSymmetric_ ? byRow_ : byColumn_; }

 private:
  Pattern byRow_, byColumn_;
  bool isSymmetric_ = false;  ///< then `byColumn_` is empty
};

/// The vertices of a symmetric matrix, an edge for every pair of nonzeros off the diagonal.
/// Nonzeros of the diagonal are no edges but remain in the pattern: they are to be recovered.
class AdjacencyGraph {
 public:
  /// Throws Shape for a matrix that is not square, Argument for one that is not symmetric.
  explicit AdjacencyGraph(Pattern pattern);

  const Pattern& pattern() const { return pattern_; }
  Index vertices() const { return pattern_.rows(); }
  bool hasWholeDiagonal() const { return hasWholeDiagonal_; }

 private:
  Pattern pattern_;
  bool hasWholeDiagonal_ = true;
};

}  // namespace adjoint::coloring

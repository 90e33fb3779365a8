#pragma once

#include <cstdint>
#include <vector>

#include "linalg/eigen_sparse.h"
#include "solve/runner.h"
#include "sparsity/assembly.h"

namespace adjoint {

/// What the pattern of a matrix A in compressed rows says of factorizations of A^T A, and of A on
/// top of a diagonal: an order of the columns that keeps the triangular factor sparse (approximate
/// minimum degree), the elimination tree, and sizes. Nothing of it depends on values.
class Elimination {
 public:
  /// Neighboring rows with entries in the same columns.
  struct Group {
    std::int64_t row;  ///< the first one
    std::int32_t rows, width;
    std::size_t entry;  ///< the first one
  };

  /// Throws ERR_LIMIT when A^T A has more than 2^28 entries on one side, or its factor 2^31.
  /// `check` may be null.
  Elimination(const SparsePattern& pattern, CheckMemory check);

  const SparsePattern& pattern() const { return pattern_; }
  const std::vector<Group>& groups() const { return groups_; }
  /// The column of A that is the k-th in the order, and the other way round.
  const std::vector<std::int32_t>& order() const { return order_; }
  const std::vector<std::int32_t>& positions() const { return positions_; }
  /// The upper triangle of A^T A in that order, its values zero; the diagonal is there.
  const Eigen::SparseMatrix<double>& upper() const { return upper_; }
  /// The elimination tree; -1 for a root.
  const std::vector<std::int32_t>& parents() const { return parents_; }
  /// The first column, in the order, of a group's rows.
  std::int32_t firstColumn(const Group& group) const;
  /// Entries of the triangular factor without its diagonal.
  std::int64_t factorEntries() const { return factorEntries_; }

 private:
  void groupRows();
  Eigen::SparseMatrix<double> unordered() const;
  void findOrder();
  void reorder();
  void countFactor();

  const SparsePattern& pattern_;
  const CheckMemory check_;
  std::vector<Group> groups_;
  std::vector<std::int32_t> order_, positions_, parents_;
  Eigen::SparseMatrix<double> upper_;
  std::int64_t factorEntries_ = 0;
};

}  // namespace adjoint

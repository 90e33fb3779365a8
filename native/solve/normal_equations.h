#pragma once

#include <cstdint>
#include <vector>

#include "solve/elimination.h"

namespace adjoint {

/// A^T A of a matrix whose pattern stays the same: the place of every product is found once.
class NormalEquations {
 public:
  /// `elimination` lives as long. `check` may be null.
  NormalEquations(const Elimination& elimination, CheckMemory check);

  /// From the entries of A.
  void compute(const double* entries);
  /// The upper triangle in the elimination's order.
  const Eigen::SparseMatrix<double>& upper() const { return upper_; }

 private:
  void placeProducts();

  const Elimination& elimination_;
  Eigen::SparseMatrix<double> upper_;
  /// For each group of rows, by pairs of its columns (a, b <= a), the entry of upper_ to add to.
  std::vector<std::int32_t> places_;
  std::vector<double> row_;
};

}  // namespace adjoint

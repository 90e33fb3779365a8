#pragma once

#include <cstdint>
#include <vector>

#include "solve/elimination.h"

namespace adjoint {

/// Least squares with A and the diagonal sqrt(damping) I below one another, by Givens rotations of
/// one row after the other into a triangle whose pattern is found once (A. George, M. T. Heath,
/// Solution of sparse linear least squares problems using Givens rotations, 1980). Rows come in the
/// order of their first columns, so that they end where the triangle is still empty.
class SparseRotations {
 public:
  /// `elimination` lives as long. `check` may be null.
  SparseRotations(const Elimination& elimination, CheckMemory check);

  /// s that minimizes |A s + b|^2 + damping |s|^2, from the entries of A in compressed rows. False
  /// when a pivot is zero.
  bool solve(const double* entries, const Eigen::VectorXd& b, double damping, Eigen::VectorXd& s);

 private:
  void findTriangle();
  void sortRows();
  /// Rotates the row in work_, which begins in this column and ends in `last`, into the triangle.
  void insert(std::int32_t column, std::int32_t last, double right);
  bool substitute(Eigen::VectorXd& s);

  const Elimination& elimination_;
  const std::size_t n_;
  /// Rows of the triangle without its diagonal: columns, ascending.
  std::vector<std::int64_t> starts_;
  std::vector<std::int32_t> columns_;
  std::vector<double> triangle_, diagonal_, right_;
  std::vector<std::int32_t> lasts_;  ///< of each row, the last column so far; -1: it is empty
  /// Groups of rows by their first columns.
  std::vector<std::int32_t> firstGroup_, nextGroup_;
  std::vector<double> work_;
};

}  // namespace adjoint

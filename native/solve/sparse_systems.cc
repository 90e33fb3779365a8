#include <algorithm>
#include <cmath>
#include <utility>

#include "solve/damped_system.h"
#include "solve/normal_equations.h"
#include "solve/precision.h"
#include "solve/sparse_rotations.h"

namespace adjoint {
namespace {

class SparseSystem : public DampedSystem {
 public:
  SparseSystem(const SparsePattern& pattern, CheckMemory check)
      : pattern_(pattern), elimination_(pattern, check), entries_(pattern.columnIndex.size()) {}

  std::int64_t elements() const override { return static_cast<std::int64_t>(entries_.size()); }

  void columnNorms(const double* j, Eigen::VectorXd& norms) const override {
    norms.setZero(pattern_.columns);
    const auto& columns = pattern_.columnIndex;
    for (std::size_t i = 0; i < columns.size(); ++i) norms[columns[i]] += j[i] * j[i];
    if (norms.allFinite() && !(norms.array() < kTiny).any()) {
      norms = norms.cwiseSqrt();
      return;
    }
    // Squares that overflow or underflow: parts of the largest element.
    Eigen::VectorXd largest = Eigen::VectorXd::Zero(pattern_.columns);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      largest[columns[i]] = std::max(largest[columns[i]], std::abs(j[i]));
    }
    norms.setZero();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (j[i] != 0) norms[columns[i]] += std::pow(j[i] / largest[columns[i]], 2);
    }
    norms = largest.cwiseProduct(norms.cwiseSqrt());
  }

  void assign(const double* j, const Eigen::VectorXd& scale, const Eigen::VectorXd& b,
              Eigen::VectorXd& gradient) override {
    const auto& columns = pattern_.columnIndex;
    for (std::size_t i = 0; i < columns.size(); ++i) entries_[i] = j[i] / scale[columns[i]];
    b_ = b;
    multiplyTransposed(b_, gradient);
    isStale_ = true;
  }

  std::int64_t factorEntries() const override {
    return elimination_.factorEntries() + pattern_.columns;
  }

 protected:
  static constexpr double kTiny = 1e-280;

  // y -= A x
  void subtractProduct(const Eigen::VectorXd& x, Eigen::VectorXd& y) const {
    eachRow(
        [&](Eigen::Index row, std::int32_t column, double entry) { y[row] -= entry * x[column]; });
  }
  // y = A^T x
  void multiplyTransposed(const Eigen::VectorXd& x, Eigen::VectorXd& y) const {
    y.setZero(pattern_.columns);
    eachRow(
        [&](Eigen::Index row, std::int32_t column, double entry) { y[column] += entry * x[row]; });
  }
  template <class Visit>
  void eachRow(Visit&& visit) const {
    for (Eigen::Index row = 0; row < pattern_.rows; ++row) {
      const auto at = static_cast<std::size_t>(row);
      const auto end = static_cast<std::size_t>(pattern_.rowIndex[at + 1]);
      for (auto i = static_cast<std::size_t>(pattern_.rowIndex[at]); i < end; ++i) {
        visit(row, pattern_.columnIndex[i], entries_[i]);
      }
    }
  }

  const SparsePattern& pattern_;
  Elimination elimination_;
  std::vector<double> entries_;
  Eigen::VectorXd b_;
  bool isStale_ = true;  ///< nothing was made of the entries yet
};

/// By the normal equations.
class SparseCholesky final : public SparseSystem {
 public:
  SparseCholesky(const SparsePattern& pattern, CheckMemory check)
      : SparseSystem(pattern, check), normal_(elimination_, check) {
    factor_.analyzePattern(normal_.upper());
  }

  bool solve(double damping, Eigen::VectorXd& step) override {
    if (std::exchange(isStale_, false)) normal_.compute(entries_.data());
    factor_.setShift(damping);
    factor_.factorize(normal_.upper());
    if (factor_.info() != Eigen::Success) return false;
    const double pivot = smallestPivot(damping);
    if (!(pivot > kSmallestPivot)) return false;
    step.setZero(pattern_.columns);
    const int rounds = pivot < kRefinedPivot ? kRefinements : 0;
    for (int i = 0; i <= rounds; ++i) {
      // What is left of the gradient, by way of the residuals: they have the digits.
      rest_ = -b_;
      if (i > 0) subtractProduct(step, rest_);
      multiplyTransposed(rest_, right_);
      right_ -= damping * step;
      ordered_.resizeLike(right_);
      for (Eigen::Index k = 0; k < pattern_.columns; ++k) ordered_[k] = right_[column(k)];
      solved_ = factor_.solve(ordered_);
      for (Eigen::Index k = 0; k < pattern_.columns; ++k) step[column(k)] += solved_[k];
    }
    return step.allFinite();
  }

 private:
  // Relative to the diagonal, which ends each column of the upper triangle.
  double smallestPivot(double damping) const {
    const auto& upper = normal_.upper();
    const auto pivots = factor_.vectorD();
    double smallest = 1;
    for (Eigen::Index k = 0; k < pattern_.columns; ++k) {
      const double diagonal = upper.valuePtr()[upper.outerIndexPtr()[k + 1] - 1] + damping;
      // Written so that NaN is smaller than everything.
      if (!(pivots[k] / diagonal >= smallest)) smallest = pivots[k] / diagonal;
    }
    return smallest;
  }
  std::int32_t column(Eigen::Index k) const {
    return elimination_.order()[static_cast<std::size_t>(k)];
  }

  NormalEquations normal_;
  // Ordered already: with the natural ordering Eigen takes the upper triangle as it is.
  Eigen::SimplicialLDLT<Eigen::SparseMatrix<double>, Eigen::Upper,
                        Eigen::NaturalOrdering<std::int32_t>>
      factor_;
  Eigen::VectorXd rest_, right_, ordered_, solved_;
};

class SparseQr final : public SparseSystem {
 public:
  SparseQr(const SparsePattern& pattern, CheckMemory check)
      : SparseSystem(pattern, check), rotations_(elimination_, check) {}

  bool solve(double damping, Eigen::VectorXd& step) override {
    return rotations_.solve(entries_.data(), b_, damping, step) && step.allFinite();
  }

 private:
  SparseRotations rotations_;
};

}  // namespace

std::unique_ptr<DampedSystem> makeSparseSystem(const SparsePattern& pattern,
                                               Factorization factorization, CheckMemory check) {
  const auto entries = static_cast<std::int64_t>(pattern.columnIndex.size());
  if (entries + pattern.columns + pattern.rows > kMaxElements - 1) {
    throw Error(ErrorCode::Limit, "leastSquares: the Jacobian has too many entries");
  }
  // Two Jacobians of the iteration, A, and the stacked matrix.
  if (check != nullptr) check(static_cast<std::uint64_t>(entries) * 40);
  if (factorization == Factorization::Qr) return std::make_unique<SparseQr>(pattern, check);
  return std::make_unique<SparseCholesky>(pattern, check);
}

}  // namespace adjoint

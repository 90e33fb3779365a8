#include <cmath>

#include "solve/damped_system.h"
#include "solve/levenberg_marquardt.h"
#include "solve/precision.h"

namespace adjoint {
namespace {

class DenseSystem : public DampedSystem {
 public:
  DenseSystem(std::int64_t rows, std::int64_t columns) : rows_(rows), columns_(columns) {}

  std::int64_t elements() const override { return rows_ * columns_; }
  void columnNorms(const double* j, Eigen::VectorXd& norms) const override {
    norms = adjoint::columnNorms(j, rows_, columns_);
  }
  std::int64_t factorEntries() const override { return columns_ * (columns_ + 1) / 2; }

 protected:
  const std::int64_t rows_, columns_;
};

/// By the normal equations.
class DenseCholesky final : public DenseSystem {
 public:
  using DenseSystem::DenseSystem;

  void assign(const double* j, const Eigen::VectorXd& scale, const Eigen::VectorXd& b,
              Eigen::VectorXd& gradient) override {
    a_ = Eigen::Map<const Eigen::MatrixXd>(j, rows_, columns_) * scale.cwiseInverse().asDiagonal();
    b_ = b;
    gradient.noalias() = a_.transpose() * b;
    normal_.setZero(columns_, columns_);
    normal_.selfadjointView<Eigen::Lower>().rankUpdate(a_.transpose());
  }

  bool solve(double damping, Eigen::VectorXd& step) override {
    damped_ = normal_;
    damped_.diagonal().array() += damping;
    factor_.compute(damped_);
    if (factor_.info() != Eigen::Success) return false;
    const double pivot =
        (factor_.matrixLLT().diagonal().array().square() / damped_.diagonal().array()).minCoeff();
    if (!(pivot > kSmallestPivot)) return false;
    step.setZero(columns_);
    const int rounds = pivot < kRefinedPivot ? kRefinements : 0;
    for (int i = 0; i <= rounds; ++i) {
      // What is left of the gradient, by way of the residuals: they have the digits.
      rest_ = -b_;
      rest_.noalias() -= a_ * step;
      right_.noalias() = a_.transpose() * rest_;
      right_ -= damping * step;
      factor_.solveInPlace(right_);
      step += right_;
    }
    return step.allFinite();
  }

 private:
  Eigen::MatrixXd a_, normal_, damped_;
  Eigen::VectorXd b_, rest_, right_;
  Eigen::LLT<Eigen::MatrixXd> factor_;
};

/// R of A once, and for every damping a QR factorization of R on top of a diagonal.
class DenseQr final : public DenseSystem {
 public:
  using DenseSystem::DenseSystem;

  void assign(const double* j, const Eigen::VectorXd& scale, const Eigen::VectorXd& b,
              Eigen::VectorXd& gradient) override {
    gradient.noalias() = Eigen::Map<const Eigen::MatrixXd>(j, rows_, columns_).transpose() * b;
    gradient.array() /= scale.array();
    folded_ = foldRows(j, b.data(), rows_, scale, 1);
  }

  bool solve(double damping, Eigen::VectorXd& step) override {
    const Eigen::Index rows = folded_.rows();
    stacked_.setZero(rows + columns_, columns_ + 1);
    stacked_.topRows(rows) = folded_;
    stacked_.bottomLeftCorner(columns_, columns_).diagonal().setConstant(std::sqrt(damping));
    const Eigen::HouseholderQR<Eigen::Ref<Eigen::MatrixXd>> inPlace(stacked_);
    const auto factor = stacked_.topLeftCorner(columns_, columns_);
    if ((factor.diagonal().array() == 0).any()) return false;
    step = -stacked_.col(columns_).head(columns_);
    factor.triangularView<Eigen::Upper>().solveInPlace(step);
    return step.allFinite();
  }

 private:
  Eigen::MatrixXd folded_, stacked_;
};

}  // namespace

void checkDenseSystem(std::int64_t rows, std::int64_t columns, Factorization factorization,
                      CheckMemory check) {
  if (rows > kMaxElements / columns || columns > kMaxElements / columns) {
    throw Error(ErrorCode::Limit, "leastSquares: a dense Jacobian of " + std::to_string(rows) +
                                      " by " + std::to_string(columns) + " is too large");
  }
  if (check == nullptr) return;
  // The Jacobian as it is computed and as the iteration has it, A with two matrices of its columns,
  // or R several times.
  const std::int64_t own = factorization == Factorization::Cholesky ? (rows + 3 * columns) * columns
                                                                    : 5 * columns * columns;
  check(static_cast<std::uint64_t>(2 * rows * columns + own) * sizeof(double));
}

std::unique_ptr<DampedSystem> makeDenseSystem(std::int64_t rows, std::int64_t columns,
                                              Factorization factorization) {
  if (factorization == Factorization::Cholesky)
    return std::make_unique<DenseCholesky>(rows, columns);
  return std::make_unique<DenseQr>(rows, columns);
}

}  // namespace adjoint

#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "exec/executor.h"
#include "linalg/eigen.h"

namespace adjoint {

/// Residuals r(p) of m observations in n parameters, and their Jacobian.
class ResidualProblem {
 public:
  virtual ~ResidualProblem() = default;
  virtual std::int64_t residuals() const = 0;
  virtual std::int64_t parameters() const = 0;
  /// Writes r [m]. A status that is not ok ends the fit.
  virtual RunStatus residual(const double* p, double* r) = 0;
  /// Writes J: [m x n] column-major, or the entries of a pattern that the caller knows.
  virtual RunStatus jacobian(const double* p, double* j) = 0;
};

/// Told from the thread that solves, read from any other.
struct SolveProgress {
  std::atomic<std::int64_t> iterations{0};
  std::atomic<double> sumOfSquares{0};
};

struct TrustRegionOptions {
  std::int64_t maxIterations = 1000;
  /// Relative change of the sum of squares and of the scaled parameters below which the main loop
  /// ends. What digits are left beyond it are then taken by Gauss-Newton steps.
  double tolerance = 1e-10;
  /// First trust radius as a multiple of the norm of the scaled parameters.
  double initialStep = 1;
};

enum class StopReason : std::uint8_t {
  Running,
  Converged,      ///< neither the sum of squares nor the parameters change any more
  ExactFit,       ///< the residuals are zero but for rounding
  Stalled,        ///< no step decreases the sum of squares though the gradient does not vanish
  MaxIterations,  ///< the limit of iterations
  NonFinite,      ///< residuals or Jacobian at the starting point are not finite
  Canceled,       ///< canceled, or past the deadline
  Failed,         ///< an evaluation failed; see failure()
};
const char* stopReasonName(StopReason reason);

/// The R of a QR factorization of a Jacobian with scaled columns, taken apart by singular values.
struct ScaledFactor {
  Eigen::VectorXd scale;     ///< d: columns were divided by it
  Eigen::MatrixXd v;         ///< right singular vectors of J / d
  Eigen::VectorXd singular;  ///< singular values of J / d, descending
  Eigen::VectorXd rotated;   ///< U^T Q^T r, the residual seen by each singular vector
};

/// Factors J (m x n, column-major) and r.
ScaledFactor factorScaled(const double* j, const double* r, std::int64_t m,
                          const Eigen::VectorXd& scale);

/// [R Q^T r] of a QR factorization of J with its columns divided by `scale`, r divided by `unit`:
/// upper triangular, at most n + 1 rows. Rows are folded in by blocks that stay in cache, one QR
/// each.
Eigen::MatrixXd foldRows(const double* j, const double* r, std::int64_t m,
                         const Eigen::VectorXd& scale, double unit);

/// The Euclidean norm, where squares overflow or underflow, too; infinite when an element is not
/// finite.
double normOf(const Eigen::Ref<const Eigen::VectorXd>& v);

/// Norms of the columns of J.
Eigen::VectorXd columnNorms(const double* j, std::int64_t m, std::int64_t n);

/// Levenberg-Marquardt with a trust region in parameters scaled by the column norms of the Jacobian
/// (J. J. Moré, The Levenberg-Marquardt algorithm: implementation and theory, 1978). The damped
/// systems are solved by the singular values of R, so that a Jacobian without full rank gives the
/// shortest step. A trial point where the residuals or the Jacobian are not finite shrinks the
/// region.
class LevenbergMarquardt {
 public:
  LevenbergMarquardt(ResidualProblem& problem, const double* start, TrustRegionOptions options);

  /// Iterates until it ends or `iterations` are done. `control` may be null.
  StopReason run(std::int64_t iterations, RunControl* control);

  StopReason reason() const { return reason_; }
  const RunStatus& failure() const { return failure_; }
  const Eigen::VectorXd& parameters() const { return p_; }
  const Eigen::VectorXd& residuals() const { return r_; }
  /// J at parameters(), m x n column-major.
  const std::vector<double>& jacobian() const { return j_; }
  double norm() const { return norm_; }  ///< of residuals(); its square may overflow
  double sumOfSquares() const { return norm_ * norm_; }
  std::int64_t iterations() const { return iterations_; }
  std::int64_t evaluations() const { return evaluations_; }
  /// Largest cosine of the angle between the residuals and a column of the Jacobian.
  double gradientCosine() const { return cosine_; }

 private:
  struct Trial {
    Eigen::VectorXd step;  ///< scaled
    double predicted = 0;  ///< relative decrease of the squared norm that the linear model promises
    double damping = 0;
  };

  bool begin();
  bool stopped(RunControl* control);
  void iterate(RunControl* control);
  /// Ends the main loop; `still` when neither the sum of squares nor its prediction changes.
  void conclude(bool still);
  void polish(RunControl* control);
  /// Residuals at q into trialR_, their norm or infinity.
  double evaluate(const Eigen::VectorXd& q);
  /// Jacobian at q into trialJ_; false when it is not finite.
  bool differentiate(const Eigen::VectorXd& q);
  void accept(const Eigen::VectorXd& q, double norm);
  void refactor();
  Trial trial(double radius) const;
  Eigen::VectorXd dampedStep(double damping) const;
  bool fail(const RunStatus& status);

  ResidualProblem& problem_;
  const TrustRegionOptions options_;
  const std::int64_t m_, n_;
  StopReason reason_ = StopReason::Running;
  RunStatus failure_;
  Eigen::VectorXd p_, r_, trialR_;
  std::vector<double> j_, trialJ_;
  ScaledFactor factor_;
  double norm_ = 0;
  double radius_ = 0;
  double cosine_ = 0;
  std::int64_t iterations_ = 0;
  std::int64_t evaluations_ = 0;
  bool begun_ = false;
};

/// Singular values below this fraction of the largest one count as zero.
constexpr double kRankTolerance = 1e-13;

}  // namespace adjoint

#pragma once

#include <cstdint>
#include <vector>

#include "solve/damped_system.h"
#include "solve/levenberg_marquardt.h"

namespace adjoint {

enum class LeastSquaresEnd : std::uint8_t {
  Running,
  Gradient,       ///< the residuals are orthogonal to the columns of the Jacobian
  Step,           ///< the step is short
  Cost,           ///< the cost does not change any more
  Zero,           ///< the residuals are zero but for rounding
  MaxIterations,  ///< the limit of iterations
  Singular,       ///< no damping gives a system that can be solved
  NotFinite,      ///< residuals or Jacobian at the starting point are not finite
  Stalled,        ///< no step decreases the cost though the gradient does not vanish
  Canceled,       ///< canceled, or past the deadline
  Failed,         ///< an evaluation failed; see failure()
};

struct DampingOptions {
  std::int64_t maxIterations = 200;
  /// Largest cosine of the angle between the residuals and a column of the Jacobian.
  double gradientTolerance = 1e-10;
  /// Length of a step relative to that of the variables, both scaled.
  double stepTolerance = 1e-10;
  /// Relative change of the cost, found and predicted.
  double costTolerance = 1e-14;
};

/// Levenberg-Marquardt whose damping follows the ratio of the decrease found to the one predicted
/// (H. B. Nielsen, Damping parameter in Marquardt's method, 1999), in variables scaled by the
/// column norms of the Jacobian: one factorization a trial, so that the Jacobian can be sparse. A
/// trial point where the residuals or the Jacobian are not finite raises the damping.
class DampedLeastSquares {
 public:
  /// `problem` writes its Jacobian as `system` reads it.
  DampedLeastSquares(ResidualProblem& problem, DampedSystem& system, const double* start,
                     DampingOptions options);

  /// Iterates until it ends or `iterations` are done. `control` may be null.
  LeastSquaresEnd run(std::int64_t iterations, RunControl* control);

  LeastSquaresEnd end() const { return end_; }
  const RunStatus& failure() const { return failure_; }
  const Eigen::VectorXd& variables() const { return x_; }
  const Eigen::VectorXd& residuals() const { return r_; }
  double norm() const { return norm_; }  ///< of residuals()
  /// As the problem wrote it last.
  const std::vector<double>& jacobian() const { return j_; }
  std::int64_t iterations() const { return iterations_; }
  std::int64_t evaluations() const { return evaluations_; }
  /// Largest cosine of the angle between the residuals and a column of the Jacobian.
  double gradientCosine() const { return cosine_; }

 private:
  bool begin();
  bool stopped(RunControl* control);
  void iterate(RunControl* control);
  bool fail(const RunStatus& status);
  /// Residuals at trialX_ into trialR_; their norm or infinity.
  double evaluate();
  /// Jacobian at x into j_, its column norms into trialNorms_; false when they are not finite.
  bool differentiate(const Eigen::VectorXd& x);
  void accept(double norm);
  void restore();
  /// Takes the Jacobian in j_ and the residuals.
  void rescale();
  bool isZero() const;
  /// More damping after a system that could not be solved.
  void dampSingular();
  void conclude(LeastSquaresEnd well);

  ResidualProblem& problem_;
  DampedSystem& system_;
  const DampingOptions options_;
  LeastSquaresEnd end_ = LeastSquaresEnd::Running;
  RunStatus failure_;
  Eigen::VectorXd x_, trialX_, r_, trialR_, unit_, gradient_, norms_, trialNorms_, scale_, step_;
  std::vector<double> j_;
  double norm_ = 0, trialNorm_ = 0;
  double damping_ = 1e-4, leastDamping_ = 1e-16, growth_ = 2;
  double cosine_ = 0;
  std::int64_t iterations_ = 0, evaluations_ = 0;
  bool begun_ = false;
};

}  // namespace adjoint

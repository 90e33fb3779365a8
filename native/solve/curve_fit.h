#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exec/executor.h"
#include "solve/levenberg_marquardt.h"
#include "tape/tape.h"

namespace adjoint {

/// A model f(parameters..., columns...) -> [m] to fit: a tape with one output, whose first inputs
/// are the parameters (scalars, or tensors of several) and whose other inputs are fixed data.
struct CurveFitData {
  TapePtr model;
  std::size_t parameterInputs = 0;
  std::vector<std::vector<double>> columns;  ///< values of the other inputs, in their order
  std::vector<double> response;              ///< [m]
  std::vector<double> weights;               ///< [m], positive: 1/variance; empty: all one
  std::vector<double> start;                 ///< elements of the parameters, in the order of inputs
};

struct CurveFitOptions {
  TrustRegionOptions solver;
  double confidence = 0.95;
};

/// What is known at the end. Vectors over parameters are in the order of their elements.
struct CurveFitResult {
  StopReason reason = StopReason::Running;
  RunStatus failure;
  /// With StopReason::NonFinite: the first observation where the model or its Jacobian is not
  /// finite at the start.
  std::int64_t nonFiniteAt = -1;
  std::int64_t iterations = 0, evaluations = 0;
  std::vector<double> parameters;
  std::vector<double> standardErrors, tValues, pValues, low, high;  ///< NaN: not determined
  std::vector<double> covariance;  ///< n x n, scaled by the variance of the residuals
  std::vector<bool> undetermined;  ///< the data does not determine this parameter
  /// n x rank, row-major: covariance = variance * F F^T. What predictCurve() takes.
  std::vector<double> factor;
  std::int64_t rank = 0;
  double conditionNumber = 0;             ///< of the Jacobian with scaled columns
  std::vector<double> fitted, residuals;  ///< [m]; residuals = response - fitted, unweighted
  double freedom = 0;                     ///< m - rank
  double sumOfSquares = 0;                ///< weighted, as are the rest
  double residualError = 0;               ///< sqrt(sumOfSquares / freedom)
  double totalSumOfSquares = 0;           ///< about the mean
  double logLikelihood = 0;               ///< of normal errors with the most likely variance
  double tQuantile = 0;                   ///< of the confidence asked for
  double gradientCosine = 0;
};

/// Checks what the tape decides, throws ERR_SHAPE, ERR_DTYPE or ERR_ARGUMENT; compiles.
class CurveFit {
 public:
  CurveFit(CurveFitData data, CurveFitOptions options);
  ~CurveFit();

  /// Fits. `control` and `progress` may be null. Throws nothing but ERR_MEMORY.
  CurveFitResult run(RunControl* control, SolveProgress* progress);

  const Plan& plan() const;

 private:
  class Problem;
  CurveFitData data_;
  const CurveFitOptions options_;
  std::unique_ptr<Problem> problem_;
};

struct CurvePrediction {
  std::vector<double> values;  ///< [m]
  /// sqrt(j F F^T j^T) for each row j of the model's Jacobian: times the residual error, the
  /// standard error of the fitted curve.
  std::vector<double> spread;
};

/// The model at other data. `factor` is [n x rank] as in the result.
CurvePrediction predictCurve(const TapePtr& model, std::size_t parameterInputs,
                             const std::vector<std::vector<double>>& columns,
                             const std::vector<double>& parameters,
                             const std::vector<double>& factor);

}  // namespace adjoint

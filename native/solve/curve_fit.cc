#include "solve/curve_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "solve/runner.h"
#include "solve/student_t.h"
#include "transform/transform.h"

namespace adjoint {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// A model with its Jacobian: two plans on the same parameters and columns.
class Model {
 public:
  Model(const TapePtr& tape, std::size_t parameterInputs,
        const std::vector<std::vector<double>>& columns)
      : parameterInputs_(parameterInputs), value_(tape), jacobian_(jacobianTape(tape)) {
    for (std::size_t i = 0; i < parameterInputs_; ++i) parameters_ += value_.inputElements(i);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      value_.setInput(parameterInputs_ + i, columns[i].data());
      jacobian_.setInput(parameterInputs_ + i, columns[i].data());
    }
  }

  std::int64_t parameters() const { return parameters_; }
  const Plan& plan() const { return value_.plan(); }

  /// f(p), valid until the next call.
  RunStatus value(const double* p, RunControl* control, const double** f) {
    setParameters(value_, p);
    const RunStatus status = value_.run(control);
    *f = value_.output(0);
    return status;
  }

  /// The Jacobian of f, [m x n] column-major.
  RunStatus jacobian(const double* p, std::int64_t m, double* j, RunControl* control) {
    setParameters(jacobian_, p);
    const RunStatus status = jacobian_.run(control);
    if (!status.ok) return status;
    for (std::size_t i = 0; i < parameterInputs_; ++i) {
      const std::int64_t elements = value_.inputElements(i);
      const double* const rows = jacobian_.output(i);  // [m, elements]
      for (std::int64_t k = 0; k < elements; ++k, j += m) {
        for (std::int64_t row = 0; row < m; ++row) j[row] = rows[row * elements + k];
      }
    }
    return status;
  }

 private:
  TapePtr jacobianTape(const TapePtr& tape) const {
    std::vector<std::size_t> wrt(parameterInputs_);
    std::iota(wrt.begin(), wrt.end(), std::size_t{0});
    return adjoint::jacobian(tape, wrt, JacobianMode::Auto).tape;
  }
  void setParameters(Runner& runner, const double* p) const {
    for (std::size_t i = 0; i < parameterInputs_; ++i) {
      runner.setInput(i, p);
      p += runner.inputElements(i);
    }
  }

  const std::size_t parameterInputs_;
  Runner value_, jacobian_;
  std::int64_t parameters_ = 0;
};

void checkInputs(const Tape& tape, std::size_t parameterInputs,
                 const std::vector<std::vector<double>>& columns, std::size_t parameters) {
  const auto& inputs = tape.inputs();
  if (tape.outputs().size() != 1 || tape.node(tape.outputs()[0].node).dtype != DType::F64) {
    throw Error(ErrorCode::Shape, "fit: a model has one result, a number for each observation");
  }
  if (parameterInputs == 0 || parameterInputs + columns.size() != inputs.size()) {
    throw Error(ErrorCode::Argument, "fit: the model has " + std::to_string(inputs.size()) +
                                         " inputs, which is not " +
                                         std::to_string(parameterInputs) + " parameters and " +
                                         std::to_string(columns.size()) + " columns");
  }
  std::int64_t elements = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (tape.node(inputs[i].node).dtype != DType::F64) {
      throw Error(ErrorCode::DType, "fit: " + inputs[i].name + " is boolean");
    }
    const std::int64_t count = tape.count(inputs[i].node);
    if (i < parameterInputs) {
      elements += count;
    } else if (static_cast<std::int64_t>(columns[i - parameterInputs].size()) != count) {
      throw Error(ErrorCode::Shape, "fit: " + inputs[i].name + ": expected " +
                                        std::to_string(count) + " numbers, got " +
                                        std::to_string(columns[i - parameterInputs].size()));
    }
  }
  if (elements != static_cast<std::int64_t>(parameters)) {
    throw Error(ErrorCode::Shape, "fit: the parameters have " + std::to_string(elements) +
                                      " elements, got " + std::to_string(parameters) + " numbers");
  }
}

const CurveFitData& checked(const CurveFitData& data, const CurveFitOptions& options) {
  if (!data.model) throw Error(ErrorCode::Argument, "fit: no model");
  checkInputs(*data.model, data.parameterInputs, data.columns, data.start.size());
  const std::int64_t m = data.model->count(data.model->outputs()[0].node);
  const std::int64_t n = static_cast<std::int64_t>(data.start.size());
  if (static_cast<std::int64_t>(data.response.size()) != m) {
    throw Error(ErrorCode::Shape, "fit: the model gives " + std::to_string(m) +
                                      " numbers for a response of " +
                                      std::to_string(data.response.size()));
  }
  if (!data.weights.empty() && static_cast<std::int64_t>(data.weights.size()) != m) {
    throw Error(ErrorCode::Shape, "fit: " + std::to_string(data.weights.size()) + " weights for " +
                                      std::to_string(m) + " observations");
  }
  if (n == 0) throw Error(ErrorCode::Argument, "fit: the model has no parameters");
  if (m < n) {
    throw Error(ErrorCode::Fit, "fit: " + std::to_string(m) +
                                    (m == 1 ? " observation" : " observations") +
                                    " can not determine " + std::to_string(n) + " parameters");
  }
  if (m > kMaxElements / n) throw Error(ErrorCode::Limit, "fit: the Jacobian is too large");
  const auto finite = [](double v) { return std::isfinite(v); };
  if (!std::all_of(data.response.begin(), data.response.end(), finite)) {
    throw Error(ErrorCode::Fit, "fit: the response is not finite everywhere");
  }
  if (!std::all_of(data.start.begin(), data.start.end(), finite)) {
    throw Error(ErrorCode::Argument, "fit: the starting values are not finite");
  }
  if (!std::all_of(data.weights.begin(), data.weights.end(),
                   [&](double w) { return finite(w) && w > 0; })) {
    throw Error(ErrorCode::Argument, "fit: weights are positive and finite");
  }
  if (!(options.confidence > 0 && options.confidence < 1)) {
    throw Error(ErrorCode::Argument, "fit: the confidence is between 0 and 1");
  }
  if (!(options.solver.tolerance >= 0 && options.solver.tolerance < 1)) {
    throw Error(ErrorCode::Argument, "fit: the tolerance is at least 0 and below 1");
  }
  if (options.solver.maxIterations < 0) {
    throw Error(ErrorCode::Argument, "fit: the limit of iterations is negative");
  }
  return data;
}

}  // namespace

class CurveFit::Problem final : public ResidualProblem {
 public:
  explicit Problem(const CurveFitData& data)
      : model_(data.model, data.parameterInputs, data.columns), data_(data) {
    for (const double w : data.weights) root_.push_back(std::sqrt(w));
  }

  std::int64_t residuals() const override {
    return static_cast<std::int64_t>(data_.response.size());
  }
  std::int64_t parameters() const override { return model_.parameters(); }

  // (f - y) sqrt(w)
  RunStatus residual(const double* p, double* r) override {
    const double* f = nullptr;
    const RunStatus status = model_.value(p, control, &f);
    if (!status.ok) return status;
    const std::size_t m = data_.response.size();
    for (std::size_t i = 0; i < m; ++i) r[i] = f[i] - data_.response[i];
    for (std::size_t i = 0; i < root_.size(); ++i) r[i] *= root_[i];
    return status;
  }

  RunStatus jacobian(const double* p, double* j) override {
    const RunStatus status = model_.jacobian(p, residuals(), j, control);
    if (!status.ok || root_.empty()) return status;
    const std::size_t m = root_.size();
    for (std::int64_t k = 0; k < parameters(); ++k, j += m) {
      for (std::size_t i = 0; i < m; ++i) j[i] *= root_[i];
    }
    return status;
  }

  std::int64_t firstNonFinite(const double* p) {
    const std::int64_t m = residuals();
    std::vector<double> r(static_cast<std::size_t>(m));
    std::vector<double> j(static_cast<std::size_t>(m * parameters()));
    residual(p, r.data());
    jacobian(p, j.data());
    for (std::int64_t i = 0; i < m; ++i) {
      bool finite = std::isfinite(r[static_cast<std::size_t>(i)]);
      for (std::int64_t k = 0; k < parameters(); ++k) {
        finite = finite && std::isfinite(j[static_cast<std::size_t>(k * m + i)]);
      }
      if (!finite) return i;
    }
    return -1;
  }

  Model& model() { return model_; }
  RunControl* control = nullptr;

 private:
  Model model_;
  const CurveFitData& data_;
  std::vector<double> root_;
};

namespace {

void describeParameters(const LevenbergMarquardt& solver, double confidence,
                        CurveFitResult& result) {
  const Eigen::VectorXd& p = solver.parameters();
  const Eigen::Index n = p.size();
  const std::int64_t m = solver.residuals().size();
  Eigen::VectorXd scale = columnNorms(solver.jacobian().data(), m, n);
  scale = (scale.array() > 0).select(scale, 1);
  const ScaledFactor parts =
      factorScaled(solver.jacobian().data(), solver.residuals().data(), m, scale);
  const double largest = parts.singular[0];
  result.rank = (parts.singular.array() > kRankTolerance * largest).count();
  if (largest == 0) result.rank = 0;
  result.conditionNumber =
      result.rank == n ? largest / parts.singular[n - 1] : std::numeric_limits<double>::infinity();
  result.freedom = static_cast<double>(m - result.rank);
  result.residualError = result.freedom > 0 ? solver.norm() / std::sqrt(result.freedom) : kNaN;
  result.tQuantile = studentQuantile(1 - confidence, result.freedom);

  // J = U S V^T D, so (J^T J)^-1 = F F^T with F = D^-1 V S^-1.
  const Eigen::MatrixXd factor = scale.cwiseInverse().asDiagonal() * parts.v.leftCols(result.rank) *
                                 parts.singular.head(result.rank).cwiseInverse().asDiagonal();
  const double variance = result.residualError * result.residualError;
  const Eigen::MatrixXd covariance = variance * (factor * factor.transpose());
  for (Eigen::Index i = 0; i < n; ++i) {
    // In a direction that the data says nothing about this parameter moves, too.
    const bool loose =
        result.rank < n && parts.v.row(i).tail(n - result.rank).cwiseAbs().maxCoeff() > 1e-6;
    const double error = loose ? kNaN : result.residualError * factor.row(i).stableNorm();
    const double t = p[i] / error;
    result.parameters.push_back(p[i]);
    result.undetermined.push_back(loose);
    result.standardErrors.push_back(error);
    result.tValues.push_back(t);
    result.pValues.push_back(studentTwoSided(t, result.freedom));
    result.low.push_back(p[i] - result.tQuantile * error);
    result.high.push_back(p[i] + result.tQuantile * error);
    for (Eigen::Index k = 0; k < result.rank; ++k) result.factor.push_back(factor(i, k));
    for (Eigen::Index k = 0; k < n; ++k) result.covariance.push_back(covariance(i, k));
  }
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index k = 0; k < n; ++k) {
      if (result.undetermined[static_cast<std::size_t>(i)] ||
          result.undetermined[static_cast<std::size_t>(k)]) {
        result.covariance[static_cast<std::size_t>(i * n + k)] = kNaN;
      }
    }
  }
}

void describeResiduals(const CurveFitData& data, double norm, CurveFitResult& result) {
  const std::size_t m = data.response.size();
  const auto weight = [&](std::size_t i) { return data.weights.empty() ? 1 : data.weights[i]; };
  double weights = 0, mean = 0, logWeights = 0;
  for (std::size_t i = 0; i < m; ++i) {
    weights += weight(i);
    mean += weight(i) * data.response[i];
    logWeights += std::log(weight(i));
  }
  mean /= weights;
  for (std::size_t i = 0; i < m; ++i) {
    const double distance = data.response[i] - mean;
    result.totalSumOfSquares += weight(i) * distance * distance;
  }
  const double count = static_cast<double>(m);
  constexpr double kTwoPi = 6.28318530717958647693;
  result.logLikelihood =
      0.5 * (logWeights - count * (std::log(kTwoPi / count) + 2 * std::log(norm) + 1));
}

}  // namespace

CurveFit::CurveFit(CurveFitData data, CurveFitOptions options)
    : data_(std::move(data)),
      options_(options),
      problem_(std::make_unique<Problem>(checked(data_, options_))) {}

CurveFit::~CurveFit() = default;

const Plan& CurveFit::plan() const { return problem_->model().plan(); }

CurveFitResult CurveFit::run(RunControl* control, SolveProgress* progress) {
  problem_->control = control;
  LevenbergMarquardt solver(*problem_, data_.start.data(), options_.solver);
  CurveFitResult result;
  do {
    result.reason = solver.run(1, control);
    if (progress != nullptr) {
      progress->iterations.store(solver.iterations(), std::memory_order_relaxed);
      progress->sumOfSquares.store(solver.sumOfSquares(), std::memory_order_relaxed);
    }
  } while (result.reason == StopReason::Running);
  result.failure = solver.failure();
  result.iterations = solver.iterations();
  result.evaluations = solver.evaluations();
  result.gradientCosine = solver.gradientCosine();
  if (result.reason == StopReason::NonFinite) {
    result.nonFiniteAt = problem_->firstNonFinite(data_.start.data());
  }
  if (result.reason == StopReason::NonFinite || result.reason == StopReason::Canceled ||
      result.reason == StopReason::Failed) {
    return result;
  }
  result.sumOfSquares = solver.residuals().squaredNorm();
  const double* fitted = nullptr;
  problem_->control = nullptr;
  problem_->model().value(solver.parameters().data(), nullptr, &fitted);
  const std::size_t m = data_.response.size();
  result.fitted.assign(fitted, fitted + m);
  for (std::size_t i = 0; i < m; ++i) result.residuals.push_back(data_.response[i] - fitted[i]);
  describeParameters(solver, options_.confidence, result);
  describeResiduals(data_, solver.norm(), result);
  return result;
}

CurvePrediction predictCurve(const TapePtr& model, std::size_t parameterInputs,
                             const std::vector<std::vector<double>>& columns,
                             const std::vector<double>& parameters,
                             const std::vector<double>& factor) {
  checkInputs(*model, parameterInputs, columns, parameters.size());
  const std::size_t n = parameters.size();
  if (n == 0 || factor.size() % n != 0) {
    throw Error(ErrorCode::Shape, "predict: the factor has no row for each parameter");
  }
  const std::size_t rank = factor.size() / n;
  const std::int64_t m = model->count(model->outputs()[0].node);
  Model compiled(model, parameterInputs, columns);
  const double* values = nullptr;
  std::vector<double> jacobian(static_cast<std::size_t>(m) * n);
  RunStatus status = compiled.value(parameters.data(), nullptr, &values);
  if (status.ok) status = compiled.jacobian(parameters.data(), m, jacobian.data(), nullptr);
  if (!status.ok) throw Error(status.code, "predict: the model failed");
  CurvePrediction prediction;
  prediction.values.assign(values, values + m);
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const RowMajor> f(factor.data(), static_cast<Eigen::Index>(n),
                                     static_cast<Eigen::Index>(rank));
  const Eigen::Map<const Eigen::MatrixXd> j(jacobian.data(), m, static_cast<Eigen::Index>(n));
  for (std::int64_t i = 0; i < m; ++i) prediction.spread.push_back((j.row(i) * f).norm());
  return prediction;
}

}  // namespace adjoint

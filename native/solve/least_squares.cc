#include "solve/least_squares.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "sparsity/sparse_derivative.h"
#include "transform/transform.h"

namespace adjoint {
namespace {

/// Variables for which a dense Jacobian is always right.
constexpr std::int64_t kFew = 8;
/// A Jacobian with a larger part of its entries is dense.
constexpr double kDensePart = 0.25;

void checkInputs(const LeastSquaresData& data) {
  const auto& inputs = data.residuals->inputs();
  if (data.inputs.size() != inputs.size()) {
    throw Error(ErrorCode::Argument, "leastSquares: the function has " +
                                         std::to_string(inputs.size()) + " inputs, got " +
                                         std::to_string(data.inputs.size()));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::int64_t count = data.residuals->count(inputs[i].node);
    if (static_cast<std::int64_t>(data.inputs[i].size()) != count) {
      throw Error(ErrorCode::Shape, "leastSquares: " + inputs[i].name + ": expected " +
                                        std::to_string(count) + " numbers, got " +
                                        std::to_string(data.inputs[i].size()));
    }
  }
  std::vector<bool> isSeen(inputs.size());
  for (const std::size_t position : data.wrt) {
    if (position >= inputs.size() || isSeen[position])
      throw Error(ErrorCode::Argument, "leastSquares: wrt is not a list of inputs");
    isSeen[position] = true;
    const auto& [name, node] = inputs[position];
    if (data.residuals->node(node).dtype != DType::F64)
      throw Error(ErrorCode::DType, "leastSquares: " + name + " is boolean");
    const auto& start = data.inputs[position];
    const auto bad =
        std::find_if(start.begin(), start.end(), [](double v) { return !std::isfinite(v); });
    if (bad != start.end()) {
      throw Error(ErrorCode::Argument, "leastSquares: x0: " + name + " is not finite at element " +
                                           std::to_string(bad - start.begin()));
    }
  }
}

void checkOptions(const DampingOptions& options) {
  for (const double tolerance :
       {options.gradientTolerance, options.stepTolerance, options.costTolerance}) {
    if (!(tolerance >= 0 && tolerance < 1))
      throw Error(ErrorCode::Argument, "leastSquares: a tolerance is at least 0 and below 1");
  }
  if (options.maxIterations < 0)
    throw Error(ErrorCode::Argument, "leastSquares: the limit of iterations is negative");
}

struct Sizes {
  std::int64_t residuals = 0, variables = 0;
};

Sizes checked(const LeastSquaresData& data, const LeastSquaresOptions& options) {
  if (!data.residuals) throw Error(ErrorCode::Argument, "leastSquares: no function");
  const Tape& tape = *data.residuals;
  checkInputs(data);
  checkOptions(options.damping);
  Sizes sizes;
  for (const auto& output : tape.outputs()) {
    if (tape.node(output.node).dtype != DType::F64)
      throw Error(ErrorCode::DType,
                  "leastSquares: residuals are numbers; " + output.name + " is boolean");
    sizes.residuals += tape.count(output.node);
  }
  for (const std::size_t position : data.wrt)
    sizes.variables += static_cast<std::int64_t>(data.inputs[position].size());
  if (sizes.residuals == 0) throw Error(ErrorCode::Shape, "leastSquares: there are no residuals");
  if (sizes.variables == 0) throw Error(ErrorCode::Shape, "leastSquares: there are no variables");
  if (sizes.residuals >= kMaxElements || sizes.variables >= kMaxElements)
    throw Error(ErrorCode::Limit, "leastSquares: too many residuals or variables");
  return sizes;
}

}  // namespace

/// The residuals and their Jacobian as two plans.
class LeastSquares::Problem final : public ResidualProblem {
 public:
  Problem(LeastSquaresData data, const LeastSquaresOptions& options)
      : sizes_(checked(data, options)),
        data_(std::move(data)),
        value_(data_.residuals, options.checkMemory) {
    TapePtr derivative;
    const bool isSmall = sizes_.variables <= kFew && options.jacobian == JacobianKind::Auto;
    if (options.jacobian != JacobianKind::Dense && !isSmall) {
      SparseDerivative found = sparseDerivative(data_.residuals, data_.wrt);
      const double all =
          static_cast<double>(sizes_.residuals) * static_cast<double>(sizes_.variables);
      const auto entries = static_cast<double>(found.pattern.columnIndex.size());
      if (options.jacobian == JacobianKind::Sparse || entries < kDensePart * all) {
        derivative = std::move(found.tape);
        pattern_ = std::move(found.pattern);
      }
    }
    if (!derivative) {
      checkDenseSystem(sizes_.residuals, sizes_.variables, options.factorization,
                       options.checkMemory);
      derivative = adjoint::jacobian(data_.residuals, data_.wrt, JacobianMode::Auto).tape;
    }
    jacobian_.emplace(derivative, options.checkMemory);
    for (std::size_t i = 0; i < data_.inputs.size(); ++i) {
      value_.setInput(i, data_.inputs[i].data());
      jacobian_->setInput(i, data_.inputs[i].data());
    }
  }

  std::int64_t residuals() const override { return sizes_.residuals; }
  std::int64_t parameters() const override { return sizes_.variables; }

  RunStatus residual(const double* x, double* r) override {
    setVariables(value_, x);
    const RunStatus status = value_.run(control);
    if (!status.ok) {
      failed = &value_.plan();
      return status;
    }
    for (std::size_t i = 0; i < data_.residuals->outputs().size(); ++i) {
      const std::int64_t elements = value_.outputElements(i);
      r = std::copy_n(value_.output(i), elements, r);
    }
    return status;
  }

  RunStatus jacobian(const double* x, double* j) override {
    setVariables(*jacobian_, x);
    const RunStatus status = jacobian_->run(control);
    if (!status.ok) {
      failed = &jacobian_->plan();
      return status;
    }
    if (pattern_) {
      std::copy_n(jacobian_->output(0), pattern_->columnIndex.size(), j);
    } else {
      copyDense(j);
    }
    return status;
  }

  /// Elements of the inputs to find.
  std::vector<double> start() const {
    std::vector<double> all;
    for (const std::size_t i : data_.wrt)
      all.insert(all.end(), data_.inputs[i].begin(), data_.inputs[i].end());
    return all;
  }

  /// The first residual that is not finite, or whose derivatives are not.
  std::int64_t firstNonFinite(const double* r, const double* j) const {
    std::int64_t first = sizes_.residuals;
    for (std::int64_t i = 0; i < sizes_.residuals && first == sizes_.residuals; ++i)
      if (!std::isfinite(r[i])) first = i;
    if (pattern_) {
      for (std::int64_t i = 0; i < first; ++i) {
        const auto at = static_cast<std::size_t>(i);
        for (std::int32_t k = pattern_->rowIndex[at]; k < pattern_->rowIndex[at + 1]; ++k)
          if (!std::isfinite(j[k])) first = i;
      }
    } else {
      for (std::int64_t k = 0; k < sizes_.variables; ++k, j += sizes_.residuals)
        for (std::int64_t i = 0; i < first; ++i)
          if (!std::isfinite(j[i])) first = i;
    }
    return first == sizes_.residuals ? -1 : first;
  }

  const std::optional<SparsePattern>& pattern() const { return pattern_; }
  RunControl* control = nullptr;
  const Plan* failed = nullptr;

 private:
  void setVariables(Runner& runner, const double* x) const {
    for (const std::size_t position : data_.wrt) {
      runner.setInput(position, x);
      x += runner.inputElements(position);
    }
  }
  // Blocks by output and input, [rows, elements] each, to one matrix in columns.
  void copyDense(double* j) {
    std::size_t block = 0;
    std::int64_t first = 0;
    for (std::size_t o = 0; o < data_.residuals->outputs().size(); ++o) {
      const std::int64_t rows = value_.outputElements(o);
      double* column = j + first;
      for (const std::size_t position : data_.wrt) {
        const std::int64_t elements = value_.inputElements(position);
        const double* const values = jacobian_->output(block++);
        for (std::int64_t k = 0; k < elements; ++k, column += sizes_.residuals)
          for (std::int64_t row = 0; row < rows; ++row) column[row] = values[row * elements + k];
      }
      first += rows;
    }
  }

  const Sizes sizes_;
  const LeastSquaresData data_;
  Runner value_;
  std::optional<Runner> jacobian_;
  std::optional<SparsePattern> pattern_;
};

LeastSquares::LeastSquares(LeastSquaresData data, LeastSquaresOptions options)
    : options_(options), problem_(std::make_unique<Problem>(std::move(data), options)) {
  const auto& pattern = problem_->pattern();
  if (options_.factorization == Factorization::Auto)
    options_.factorization = pattern ? Factorization::Cholesky : Factorization::Qr;
  options_.jacobian = pattern ? JacobianKind::Sparse : JacobianKind::Dense;
  system_ = pattern ? makeSparseSystem(*pattern, options_.factorization, options.checkMemory)
                    : makeDenseSystem(problem_->residuals(), problem_->parameters(),
                                      options_.factorization);
}

LeastSquares::~LeastSquares() = default;

JacobianKind LeastSquares::jacobian() const { return options_.jacobian; }
Factorization LeastSquares::factorization() const { return options_.factorization; }
std::int64_t LeastSquares::jacobianEntries() const { return system_->elements(); }
std::int64_t LeastSquares::factorEntries() const { return system_->factorEntries(); }

LeastSquaresResult LeastSquares::run(RunControl* control, SolveProgress* progress) {
  problem_->control = control;
  problem_->failed = nullptr;
  DampedLeastSquares solver(*problem_, *system_, problem_->start().data(), options_.damping);
  LeastSquaresResult result;
  do {
    result.end = solver.run(1, control);
    if (progress != nullptr) {
      progress->iterations.store(solver.iterations(), std::memory_order_relaxed);
      progress->sumOfSquares.store(solver.norm() * solver.norm(), std::memory_order_relaxed);
    }
  } while (result.end == LeastSquaresEnd::Running);
  result.failure = solver.failure();
  result.failed = problem_->failed;
  const Eigen::VectorXd& x = solver.variables();
  const Eigen::VectorXd& r = solver.residuals();
  result.variables.assign(x.begin(), x.end());
  result.residuals.assign(r.begin(), r.end());
  if (result.end == LeastSquaresEnd::NotFinite)
    result.nonFiniteAt = problem_->firstNonFinite(r.data(), solver.jacobian().data());
  result.iterations = solver.iterations();
  result.evaluations = solver.evaluations();
  result.cost = 0.5 * r.squaredNorm();
  result.gradientCosine = solver.gradientCosine();
  return result;
}

}  // namespace adjoint

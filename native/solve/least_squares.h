#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "solve/damped_least_squares.h"

namespace adjoint {

/// All outputs of a tape are residuals, one after another; `wrt` are the inputs to find.
struct LeastSquaresData {
  TapePtr residuals;
  std::vector<std::size_t> wrt;
  /// Values of all inputs in their order: where to start, or fixed data.
  std::vector<std::vector<double>> inputs;
};

enum class JacobianKind : std::uint8_t { Auto, Dense, Sparse };

struct LeastSquaresOptions {
  DampingOptions damping;
  JacobianKind jacobian = JacobianKind::Auto;
  Factorization factorization = Factorization::Auto;
  CheckMemory checkMemory = nullptr;  ///< asked before memory is taken
};

struct LeastSquaresResult {
  LeastSquaresEnd end = LeastSquaresEnd::Running;
  RunStatus failure;
  const Plan* failed = nullptr;  ///< the plan that `failure` is about; as long as the solver lives
  /// With LeastSquaresEnd::NotFinite: the first residual that is not finite at the start, or whose
  /// derivatives are not.
  std::int64_t nonFiniteAt = -1;
  std::int64_t iterations = 0, evaluations = 0;
  std::vector<double> variables;  ///< elements of the inputs `wrt`, one after another
  std::vector<double> residuals;
  double cost = 0;  ///< half the sum of squares
  double gradientCosine = 0;
};

/// min 1/2 |r(x)|^2. Checks what the tape decides (ERR_SHAPE, ERR_DTYPE, ERR_ARGUMENT, ERR_LIMIT,
/// ERR_MEMORY), chooses, and compiles.
class LeastSquares {
 public:
  LeastSquares(LeastSquaresData data, LeastSquaresOptions options);
  ~LeastSquares();

  /// `control` and `progress` may be null. Throws nothing but ERR_MEMORY.
  LeastSquaresResult run(RunControl* control, SolveProgress* progress);

  /// What was chosen: no Auto.
  JacobianKind jacobian() const;
  Factorization factorization() const;
  std::int64_t jacobianEntries() const;
  std::int64_t factorEntries() const;

 private:
  class Problem;
  LeastSquaresOptions options_;
  std::unique_ptr<Problem> problem_;
  std::unique_ptr<DampedSystem> system_;
};

}  // namespace adjoint

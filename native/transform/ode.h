#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ops/loop.h"

namespace adjoint {

enum class OdeMethod : std::uint8_t {
  Dopri5,  ///< Dormand & Prince 5(4) with step size control and continuous extension
  Rk4,     ///< the classical method of order 4, `steps` equal steps from one time to the next
};

/// What the derivatives of a solution are.
enum class OdeAdjoint : std::uint8_t {
  Discrete,    ///< those of the steps that are taken
  Continuous,  ///< in reverse the solution of the adjoint equation, integrated backwards
};

struct OdeOptions {
  OdeMethod method = OdeMethod::Dopri5;
  OdeAdjoint adjoint = OdeAdjoint::Discrete;
  std::int64_t steps = 10;         ///< of Rk4
  std::int64_t maxSteps = 100000;  ///< of Dopri5: steps tried from the first time to the last
  double firstStep = 0;            ///< of Dopri5: its size; 0: to be found
  std::vector<double> rtol, atol;  ///< of Dopri5, one for each value of the state
  Checkpoints checkpoints;         ///< of the loop over steps
  std::string directory;           ///< where its files go
};

/// A system dy/dt = f(t, y) of `y0.size()` values. Inputs of `rhs` are t, y..., constants...; its
/// outputs the derivatives of y...
struct OdeProblem {
  TapePtr rhs;
  std::vector<NodeId> y0;
  NodeId times = kNoNode;  ///< [m], m > 0, in either order; y0 belongs to the first
  std::vector<NodeId> constants;
};

struct OdeSolution {
  std::vector<NodeId> y;  ///< [m, ...]: rows at the times
  /// How many steps were taken, and how many were tried and not taken.
  NodeId accepted = kNoNode, rejected = kNoNode;
};

/// Appends the solution of an initial value problem (docs/design/0028). A run fails with ERR_LIMIT
/// where times are in no order, where maxSteps are not enough, or where the step size becomes too
/// small. Throws ERR_SHAPE, ERR_DTYPE or ERR_ARGUMENT where the parts of the problem do not fit.
OdeSolution appendOde(Builder& builder, const OdeProblem& problem, const OdeOptions& options);

}  // namespace adjoint

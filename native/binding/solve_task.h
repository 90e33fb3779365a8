#pragma once

#include "binding/task.h"
#include "solve/levenberg_marquardt.h"

namespace adjoint::binding {

/// A solve on the pool, for solveProgress and cancelSolve.
class SolveTask : public Task {
 public:
  SolveProgress progress;
};

/// Starts it: {promise, task}, the task being a number for solveProgress and cancelSolve.
napi_value startSolve(Environment& environment, std::shared_ptr<SolveTask> task);

}  // namespace adjoint::binding

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plan/plan.h"

namespace adjoint {

/// What a step of a plan does in one run, and how long that should take. The model's constants are
/// in cost.cc (docs/design/0015).
struct StepCost {
  /// Who computes it.
  enum class By : std::uint8_t { MachineCode, Interpreter, Library } by = By::Library;
  std::string text;                                        ///< "kernel 300x70"
  std::vector<std::pair<std::string, double>> operations;  ///< by name, the most frequent first
  double bytesRead = 0;  ///< of each buffer as many as the step looks at, each once
  double bytesWritten = 0;
  double seconds = 0;  ///< estimated, on one thread
};

namespace exec {

/// `by` says how a kernel is computed; `body` has the costs of the body's steps for a loop.
StepCost costOf(const Plan& plan, const Step& step, StepCost::By by,
                const std::vector<StepCost>& body);

}  // namespace exec
}  // namespace adjoint

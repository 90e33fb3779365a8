#pragma once

#include <cstdlib>
#include <memory>
#include <vector>

#include "exec/executor.h"
#include "plan/planner.h"
#include "tape/tape.h"

namespace adjoint::testing {

/// Values of one input or output, row-major.
using Values = std::vector<double>;
/// Values of all inputs or all outputs.
using Arrays = std::vector<Values>;

/// The same bits, any NaN being like any other.
bool identical(double a, double b);
bool identical(const Arrays& a, const Arrays& b);

/// A tape made into a plan and run with generated code, and made into a plain plan and run by the
/// interpreter; the two must agree to the bit. Memory the plan does not promise to write is
/// poisoned with NaN before every run.
class Evaluator {
 public:
  explicit Evaluator(const TapePtr& tape);
  explicit Evaluator(std::shared_ptr<const Plan> plan);

  /// The outputs; a run that fails is a failed test.
  Arrays operator()(const Arrays& inputs);
  /// How the run ended; `outputs` are set when it was well.
  RunStatus tryRun(const Arrays& inputs, Arrays& outputs);

  const Plan& plan() const { return *plan_; }

 private:
  struct Free {
    void operator()(double* p) const { std::free(p); }
  };
  using Memory = std::unique_ptr<double, Free>;
  Evaluator(std::shared_ptr<const Plan> plan, std::shared_ptr<const Plan> plain);
  static Memory allocate(std::int64_t doubles);
  RunStatus runOn(const Executable& executable, const Arrays& inputs, Arrays& outputs);

  std::shared_ptr<const Plan> plan_;
  std::shared_ptr<const Executable> executable_;
  std::shared_ptr<const Executable> interpreter_;
  Memory io_;
  Memory workspace_;
};

/// Evaluator(tape)(inputs).
Arrays evaluate(const TapePtr& tape, const Arrays& inputs);

/// Positions 0 .. n-1 of inputs, for `wrt`.
std::vector<std::size_t> allInputs(const Tape& tape);

/// Whether this run is under a sanitizer or valgrind: fewer repetitions, no limits of time.
bool isInstrumented();
/// A number from the environment.
std::size_t countFromEnvironment(const char* name, std::size_t otherwise);

}  // namespace adjoint::testing

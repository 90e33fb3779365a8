// Nonlinear least squares: lib/solve/native.ts is this file in TypeScript. Everything comes and
// goes by value.
#include "solve/least_squares.h"

#include <cmath>

#include "binding/handles.h"
#include "binding/solve_task.h"
#include "binding/values.h"

namespace adjoint::binding {
namespace {

constexpr const char* kEnds[] = {"running", "gradient",      "step",     "cost",
                                 "zero",    "maxIterations", "singular", "notFinite",
                                 "stalled", "canceled",      "failed"};

struct Request {
  LeastSquaresData data;
  LeastSquaresOptions options;
  std::chrono::steady_clock::time_point deadline;
};

double wholeBelow(double number, double count, const char* what) {
  if (number >= 0 && number < count && number == std::floor(number)) return number;
  throw Error(ErrorCode::Argument, std::string("leastSquares: ") + what + " is out of range");
}

/// A tape, positions of the inputs to find, values of all inputs, [maxIterations, gradient, step
/// and cost tolerance, JacobianKind, Factorization], and milliseconds from now.
Request readRequest(const Call& call) {
  const napi_env env = call.env;
  Request request;
  for (const std::int64_t position : readIntegers(env, call.arguments[1], "wrt")) {
    if (position < 0) throw Error(ErrorCode::Argument, "wrt: a position is negative");
    request.data.wrt.push_back(static_cast<std::size_t>(position));
  }
  request.data.inputs = readFloat64Lists(env, call.arguments[2], "inputs");
  const std::vector<double> numbers = readFloat64s(env, call.arguments[3], "options");
  request.deadline = readDeadline(env, call.arguments[4]);
  if (numbers.size() != 6) throw Error(ErrorCode::Argument, "leastSquares: options are incomplete");
  // Read last: reading arrays can run JavaScript, which can dispose of the tape.
  request.data.residuals = tapeOf(call, call.arguments[0], "residuals");
  LeastSquaresOptions& options = request.options;
  options.damping.maxIterations =
      static_cast<std::int64_t>(wholeBelow(numbers[0], 1e15, "maxIterations"));
  options.damping.gradientTolerance = numbers[1];
  options.damping.stepTolerance = numbers[2];
  options.damping.costTolerance = numbers[3];
  options.jacobian = static_cast<JacobianKind>(wholeBelow(numbers[4], 3, "jacobian"));
  options.factorization = static_cast<Factorization>(wholeBelow(numbers[5], 3, "factorization"));
  options.checkMemory = &checkMemory;
  return request;
}

/// A solver, what it found, and how long that took.
struct Solve {
  std::unique_ptr<LeastSquares> solver;
  LeastSquaresResult result;
  double prepareSeconds = 0, solveSeconds = 0;

  void run(Request& request, RunControl* control, SolveProgress* progress) {
    using Clock = std::chrono::steady_clock;
    const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
    const auto start = Clock::now();
    solver = std::make_unique<LeastSquares>(std::move(request.data), request.options);
    const auto prepared = Clock::now();
    result = solver->run(control, progress);
    prepareSeconds = seconds(prepared - start);
    solveSeconds = seconds(Clock::now() - prepared);
  }
};

napi_value makeResult(napi_env env, const Solve& solve) {
  const LeastSquares& solver = *solve.solver;
  const LeastSquaresResult& result = solve.result;
  const napi_value object = makeObject(env);
  const auto number = [&](const char* name, auto value) {
    setField(env, object, name, makeNumber(env, static_cast<double>(value)));
  };
  setField(env, object, "end", makeText(env, kEnds[static_cast<std::size_t>(result.end)]));
  number("nonFiniteAt", result.nonFiniteAt);
  number("iterations", result.iterations);
  number("evaluations", result.evaluations);
  setField(env, object, "variables", makeFloat64s(env, result.variables));
  setField(env, object, "residuals", makeFloat64s(env, result.residuals));
  number("cost", result.cost);
  number("gradientCosine", result.gradientCosine);
  const bool isSparse = solver.jacobian() == JacobianKind::Sparse;
  const bool isQr = solver.factorization() == Factorization::Qr;
  setField(env, object, "jacobian", makeText(env, isSparse ? "sparse" : "dense"));
  setField(env, object, "factorization", makeText(env, isQr ? "qr" : "cholesky"));
  number("jacobianEntries", solver.jacobianEntries());
  number("factorEntries", solver.factorEntries());
  number("prepareSeconds", solve.prepareSeconds);
  number("solveSeconds", solve.solveSeconds);
  return object;
}

/// Throws unless there is a result to give.
void checkEnd(const LeastSquaresResult& result, const RunControl& control) {
  if (result.end == LeastSquaresEnd::Failed)
    throw RunFailure(result.failure, *result.failed, false);
  if (result.end != LeastSquaresEnd::Canceled) return;
  const bool isCanceled = control.cancel.load(std::memory_order_relaxed);
  throw Error(ErrorCode::Abort,
              isCanceled ? "the solve was canceled" : "the solve was ended by its deadline");
}

class LeastSquaresTask final : public SolveTask {
 public:
  explicit LeastSquaresTask(Request request) : request_(std::move(request)) {
    control.deadline = request_.deadline;
  }

  void work() override { solve_.run(request_, &control, &progress); }
  napi_value settle(Environment& environment) override {
    if (!solve_.solver || control.cancel.load(std::memory_order_relaxed))
      solve_.result.end = LeastSquaresEnd::Canceled;
    checkEnd(solve_.result, control);
    return makeResult(environment.env, solve_);
  }

 private:
  Request request_;
  Solve solve_;
};

napi_value leastSquares(Call& call) {
  Request request = readRequest(call);
  RunControl control;
  control.deadline = request.deadline;
  Solve solve;
  solve.run(request, &control, nullptr);
  checkEnd(solve.result, control);
  return makeResult(call.env, solve);
}

napi_value leastSquaresAsync(Call& call) {
  return startSolve(*call.environment, std::make_shared<LeastSquaresTask>(readRequest(call)));
}

void defineLeastSquares(Environment& environment, napi_value exports) {
  defineFunction<leastSquares>(environment, exports, "leastSquares");
  defineFunction<leastSquaresAsync>(environment, exports, "leastSquaresAsync");
}

const Door door(&defineLeastSquares);

}  // namespace
}  // namespace adjoint::binding

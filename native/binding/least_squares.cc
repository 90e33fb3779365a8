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

napi_value makeResult(napi_env env, const LeastSquares& solver, const LeastSquaresResult& result) {
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

  void work() override {
    solver_ = std::make_unique<LeastSquares>(std::move(request_.data), request_.options);
    result_ = solver_->run(&control, &progress);
  }
  napi_value settle(Environment& environment) override {
    if (!solver_ || control.cancel.load(std::memory_order_relaxed))
      result_.end = LeastSquaresEnd::Canceled;
    checkEnd(result_, control);
    return makeResult(environment.env, *solver_, result_);
  }

 private:
  Request request_;
  std::unique_ptr<LeastSquares> solver_;
  LeastSquaresResult result_;
};

napi_value leastSquares(Call& call) {
  Request request = readRequest(call);
  RunControl control;
  control.deadline = request.deadline;
  LeastSquares solver(std::move(request.data), request.options);
  const LeastSquaresResult result = solver.run(&control, nullptr);
  checkEnd(result, control);
  return makeResult(call.env, solver, result);
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

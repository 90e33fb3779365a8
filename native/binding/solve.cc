// Curve fits: lib/fit/native.ts is this file in TypeScript. A fit takes everything it needs by
// value and gives everything back by value, so that nothing of it stays behind.
#include <cmath>

#include "binding/handles.h"
#include "binding/solve_task.h"
#include "binding/values.h"
#include "solve/curve_fit.h"
#include "solve/student_t.h"

namespace adjoint::binding {
namespace {

struct Request {
  CurveFitData data;
  CurveFitOptions options;
  std::chrono::steady_clock::time_point deadline;
};

/// A tape, the number of its inputs that are parameters, [response, weights or nothing, start,
/// ...columns], and [maxIterations, tolerance, confidence].
Request readRequest(const Call& call) {
  constexpr std::size_t kFixed = 3;
  const napi_env env = call.env;
  Request request;
  const std::int64_t inputs = readInteger(env, call.arguments[1], 0, kMaxList, "parameters");
  auto lists = readFloat64Lists(env, call.arguments[2], "data");
  const std::vector<double> numbers = readFloat64s(env, call.arguments[3], "options");
  request.deadline = readDeadline(env, call.arguments[4]);
  if (lists.size() < kFixed || numbers.size() != 3) {
    throw Error(ErrorCode::Argument, "fit: data or options are incomplete");
  }
  // Read last: reading arrays can run JavaScript, which can dispose of the tape.
  request.data.model = tapeOf(call, call.arguments[0], "model");
  request.data.parameterInputs = static_cast<std::size_t>(inputs);
  request.data.response = std::move(lists[0]);
  request.data.weights = std::move(lists[1]);
  request.data.start = std::move(lists[2]);
  lists.erase(lists.begin(), lists.begin() + kFixed);
  request.data.columns = std::move(lists);
  const double iterations = numbers[0];
  if (!(iterations >= 0 && iterations <= 1e15)) {
    throw Error(ErrorCode::Argument, "fit: the limit of iterations is not a number from 0");
  }
  request.options.solver.maxIterations = static_cast<std::int64_t>(iterations);
  request.options.solver.tolerance = numbers[1];
  request.options.confidence = numbers[2];
  return request;
}

napi_value makeResult(napi_env env, const CurveFitResult& result) {
  const napi_value object = makeObject(env);
  const auto number = [&](const char* name, double value) {
    setField(env, object, name, makeNumber(env, value));
  };
  const auto numbers = [&](const char* name, const std::vector<double>& values) {
    setField(env, object, name, makeFloat64s(env, values));
  };
  setField(env, object, "reason", makeText(env, stopReasonName(result.reason)));
  number("nonFiniteAt", static_cast<double>(result.nonFiniteAt));
  number("iterations", static_cast<double>(result.iterations));
  number("evaluations", static_cast<double>(result.evaluations));
  numbers("parameters", result.parameters);
  numbers("standardErrors", result.standardErrors);
  numbers("tValues", result.tValues);
  numbers("pValues", result.pValues);
  numbers("low", result.low);
  numbers("high", result.high);
  numbers("covariance", result.covariance);
  const napi_value undetermined = makeArray(env, result.undetermined.size());
  for (std::size_t i = 0; i < result.undetermined.size(); ++i) {
    setElement(env, undetermined, i, makeBoolean(env, result.undetermined[i]));
  }
  setField(env, object, "undetermined", undetermined);
  numbers("factor", result.factor);
  number("rank", static_cast<double>(result.rank));
  number("conditionNumber", result.conditionNumber);
  numbers("fitted", result.fitted);
  numbers("residuals", result.residuals);
  number("degreesOfFreedom", result.freedom);
  number("sumOfSquares", result.sumOfSquares);
  number("residualError", result.residualError);
  number("totalSumOfSquares", result.totalSumOfSquares);
  number("logLikelihood", result.logLikelihood);
  number("tQuantile", result.tQuantile);
  number("gradientCosine", result.gradientCosine);
  return object;
}

/// Throws unless there is a result to give.
void checkEnd(const CurveFitResult& result, const RunControl* control) {
  if (result.reason == StopReason::Canceled) {
    const bool canceled = control == nullptr || control->cancel.load(std::memory_order_relaxed);
    throw Error(ErrorCode::Abort,
                canceled ? "the fit was canceled" : "the fit was ended by its deadline");
  }
  if (result.reason == StopReason::Failed) {
    std::string text = "fit: the model failed";
    if (result.failure.element >= 0)
      text += " at element " + std::to_string(result.failure.element);
    throw Error(result.failure.code, text);
  }
}

class FitTask final : public SolveTask {
 public:
  explicit FitTask(Request request) : request_(std::move(request)) {
    control.deadline = request_.deadline;
  }

  void work() override {
    CurveFit fit(std::move(request_.data), request_.options);
    result_ = fit.run(&control, &progress);
  }
  napi_value settle(Environment& environment) override {
    if (control.cancel.load(std::memory_order_relaxed)) result_.reason = StopReason::Canceled;
    checkEnd(result_, &control);
    return makeResult(environment.env, result_);
  }

 private:
  Request request_;
  CurveFitResult result_;
};

napi_value fitCurve(Call& call) {
  Request request = readRequest(call);
  CurveFit fit(std::move(request.data), request.options);
  RunControl control;
  control.deadline = request.deadline;
  const CurveFitResult result = fit.run(&control, nullptr);
  checkEnd(result, &control);
  return makeResult(call.env, result);
}

napi_value fitCurveAsync(Call& call) {
  return startSolve(*call.environment, std::make_shared<FitTask>(readRequest(call)));
}

// A tape, the number of its inputs that are parameters, and [parameters, factor, ...columns].
napi_value predict(Call& call) {
  constexpr std::size_t kFixed = 2;
  const std::int64_t inputs = readInteger(call.env, call.arguments[1], 0, kMaxList, "parameters");
  auto lists = readFloat64Lists(call.env, call.arguments[2], "data");
  if (lists.size() < kFixed) throw Error(ErrorCode::Argument, "predict: data are incomplete");
  const std::vector<double> parameters = std::move(lists[0]);
  const std::vector<double> factor = std::move(lists[1]);
  lists.erase(lists.begin(), lists.begin() + kFixed);
  const TapePtr model = tapeOf(call, call.arguments[0], "model");
  const CurvePrediction prediction =
      predictCurve(model, static_cast<std::size_t>(inputs), lists, parameters, factor);
  const napi_value result = makeObject(call.env);
  setField(call.env, result, "values", makeFloat64s(call.env, prediction.values));
  setField(call.env, result, "spread", makeFloat64s(call.env, prediction.spread));
  return result;
}

napi_value quantile(Call& call) {
  const double p = readNumber(call.env, call.arguments[0], "probability");
  const double freedom = readNumber(call.env, call.arguments[1], "degrees of freedom");
  return makeNumber(call.env, studentQuantile(p, freedom));
}

void defineSolvers(Environment& environment, napi_value exports) {
  defineFunction<fitCurve>(environment, exports, "fitCurve");
  defineFunction<fitCurveAsync>(environment, exports, "fitCurveAsync");
  defineFunction<predict>(environment, exports, "predictCurve");
  defineFunction<quantile>(environment, exports, "studentQuantile");
}

const Door door(&defineSolvers);

}  // namespace
}  // namespace adjoint::binding

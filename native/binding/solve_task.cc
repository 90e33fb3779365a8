#include "binding/solve_task.h"

#include "binding/handles.h"
#include "binding/values.h"

namespace adjoint::binding {

napi_value startSolve(Environment& environment, std::shared_ptr<SolveTask> task) {
  const napi_env env = environment.env;
  const napi_value result = makeObject(env);
  setField(env, result, "task", makeNumber(env, static_cast<double>(environment.nextTask)));
  setField(env, result, "promise", startTask(environment, std::move(task)));
  return result;
}

namespace {

std::shared_ptr<SolveTask> findTask(const Call& call) {
  const std::int64_t number =
      readInteger(call.env, call.arguments[0], 1, std::int64_t{1} << 53, "task");
  const auto& tasks = call.environment->tasks;
  const auto found = tasks.find(static_cast<std::uint64_t>(number));
  return found == tasks.end() ? nullptr : std::dynamic_pointer_cast<SolveTask>(found->second);
}

// [iterations, sum of squares], or null when the solve is over.
napi_value solveProgress(Call& call) {
  const std::shared_ptr<SolveTask> task = findTask(call);
  napi_value result = nullptr;
  if (!task) {
    check(call.env, napi_get_null(call.env, &result));
    return result;
  }
  result = makeArray(call.env, 2);
  const auto& [iterations, sumOfSquares] = task->progress;
  setElement(call.env, result, 0,
             makeNumber(call.env, static_cast<double>(iterations.load(std::memory_order_relaxed))));
  setElement(call.env, result, 1,
             makeNumber(call.env, sumOfSquares.load(std::memory_order_relaxed)));
  return result;
}

napi_value cancelSolve(Call& call) {
  if (const std::shared_ptr<SolveTask> task = findTask(call)) {
    task->control.cancel.store(true, std::memory_order_relaxed);
  }
  return nullptr;
}

void defineTasks(Environment& environment, napi_value exports) {
  defineFunction<solveProgress>(environment, exports, "solveProgress");
  defineFunction<cancelSolve>(environment, exports, "cancelSolve");
}

const Door door(&defineTasks);

}  // namespace
}  // namespace adjoint::binding

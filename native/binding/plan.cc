#include <mutex>
#include <unordered_map>

#include "binding/handles.h"
#include "binding/session.h"
#include "binding/values.h"
#include "plan/loop_reports.h"
#include "plan/planner.h"
#include "transform/transform.h"

namespace adjoint::binding {
namespace {

// Plans that were given a number for other threads. Weak: a number does not keep its plan alive.
struct Registry {
  std::mutex mutex;
  std::uint64_t next = 1;
  std::unordered_map<std::uint64_t, std::weak_ptr<const SharedPlan>> plans;
};

Registry& registry() {
  static Registry* const instance = new Registry;  // threads may outlive static objects
  return *instance;
}

napi_value text(Call& call) { return makeText(call.env, planOf(call)->plan().toString()); }

/// Those within loops included.
std::size_t countKernels(const Plan& plan) {
  std::size_t kernels = 0;
  for (const Step& step : plan.steps) {
    if (std::holds_alternative<Kernel>(step)) ++kernels;
    if (const auto* loop = std::get_if<LaneStep>(&step)) kernels += countKernels(*loop->plan);
    if (const auto* steps = std::get_if<LoopStep>(&step)) kernels += countKernels(*steps->body);
  }
  return kernels;
}

napi_value stats(Call& call) {
  const std::shared_ptr<const SharedPlan> shared = planOf(call);
  const Plan& plan = shared->plan();
  const napi_env env = call.env;
  const napi_value result = makeObject(env);
  const auto set = [&](const char* name, double value) {
    setField(env, result, name, makeNumber(env, value));
  };
  set("nodes", plan.tape ? static_cast<double>(plan.tape->size()) : 0);
  set("steps", static_cast<double>(plan.steps.size()));
  set("kernels", static_cast<double>(countKernels(plan)));
  set("segments", static_cast<double>(shared->executable->segments()));
  set("bytes", static_cast<double>(plan.bytes() + shared->executable->bytes()));
  set("workspaceBytes",
      static_cast<double>(shared->executable->workspaceDoubles()) * sizeof(double));
  set("flops", shared->flops);
  if (const char* obstacle = shared->executable->obstacle())
    setField(env, result, "obstacle", makeText(env, obstacle));
  return result;
}

napi_value costs(Call& call) {
  static constexpr const char* kBy[] = {"machine code", "interpreter", "library"};
  const std::vector<StepCost> costs = planOf(call)->executable->costs();
  const napi_env env = call.env;
  const napi_value list = makeArray(env, costs.size());
  for (std::size_t i = 0; i < costs.size(); ++i) {
    const StepCost& cost = costs[i];
    const napi_value object = makeObject(env);
    const napi_value operations = makeObject(env);
    for (const auto& [name, times] : cost.operations)
      setField(env, operations, name.c_str(), makeNumber(env, times));
    setField(env, object, "text", makeText(env, cost.text));
    setField(env, object, "by", makeText(env, kBy[static_cast<int>(cost.by)]));
    setField(env, object, "operations", operations);
    setField(env, object, "bytesRead", makeNumber(env, cost.bytesRead));
    setField(env, object, "bytesWritten", makeNumber(env, cost.bytesWritten));
    setField(env, object, "seconds", makeNumber(env, cost.seconds));
    setElement(env, list, i, object);
  }
  return list;
}

napi_value loops(Call& call) {
  static constexpr const char* kTrips[] = {"fixed", "while", "counted"};
  static constexpr const char* kPolicies[] = {"auto",    "all",    "every",     "sqrt",
                                              "revolve", "online", "multistage"};
  const std::vector<LoopReport> reports = reportLoops(planOf(call)->plan());
  const napi_env env = call.env;
  const napi_value list = makeArray(env, reports.size());
  const auto set = [&](napi_value object, const char* name, auto number) {
    setField(env, object, name, makeNumber(env, static_cast<double>(number)));
  };
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const LoopReport& report = reports[i];
    const napi_value object = makeObject(env);
    setField(env, object, "name", makeText(env, report.name));
    set(object, "depth", report.depth);
    set(object, "steps", report.steps);
    setField(env, object, "trips", makeText(env, kTrips[static_cast<int>(report.trips)]));
    if (report.forwardSteps) set(object, "forwardSteps", *report.forwardSteps);
    if (report.kept) {
      const LoopReport::Kept& kept = *report.kept;
      const napi_value own = makeObject(env);
      const char* policy = kPolicies[static_cast<int>(kept.checkpoints.policy)];
      setField(env, own, "policy", makeText(env, policy));
      set(own, "slots", kept.checkpoints.slots);
      set(own, "memoryBytes", kept.memoryBytes);
      set(own, "files", kept.files);
      set(own, "diskBytes", kept.diskBytes);
      setField(env, own, "directory", makeText(env, kept.directory));
      setField(env, object, "checkpoints", own);
    }
    setElement(env, list, i, object);
  }
  return list;
}

napi_value ports(napi_env env, const Plan& plan, const std::vector<IoPort>& ports) {
  const napi_value list = makeArray(env, ports.size());
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const IoPort& port = ports[i];
    const Buffer& buffer = plan.buffers[port.buffer];
    const napi_value object = makePort(env, port.name, port.shape, port.dtype);
    setField(env, object, "offset", makeNumber(env, static_cast<double>(buffer.offset)));
    setField(env, object, "elements", makeNumber(env, static_cast<double>(buffer.elements)));
    setElement(env, list, i, object);
  }
  return list;
}

napi_value layout(Call& call) {
  const std::shared_ptr<const SharedPlan> shared = planOf(call);
  const Plan& plan = shared->plan();
  const napi_value result = makeObject(call.env);
  setField(call.env, result, "doubles", makeNumber(call.env, static_cast<double>(plan.ioDoubles)));
  setField(call.env, result, "inputs", ports(call.env, plan, plan.inputs));
  setField(call.env, result, "outputs", ports(call.env, plan, plan.outputs));
  return result;
}

napi_value session(Call& call) { return newSession(*call.environment, planOf(call)->executable); }

napi_value share(Call& call) {
  const std::shared_ptr<const SharedPlan> plan = planOf(call);
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  if (plan->token == 0) {
    std::erase_if(all.plans, [](const auto& entry) { return entry.second.expired(); });
    plan->token = all.next++;
    all.plans.emplace(plan->token, plan);
  }
  return makeNumber(call.env, static_cast<double>(plan->token));
}

napi_value adoptPlan(Call& call) {
  constexpr std::int64_t kLargest = (std::int64_t{1} << 53) - 1;
  const std::int64_t token = readInteger(call.env, call.arguments[0], 1, kLargest, "token");
  std::shared_ptr<const SharedPlan> plan;
  {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    const auto found = all.plans.find(static_cast<std::uint64_t>(token));
    if (found != all.plans.end()) plan = found->second.lock();
  }
  if (!plan) {
    throw Error(ErrorCode::State, "no plan is shared under the number " + std::to_string(token));
  }
  return wrapPlan(*call.environment, std::move(plan));
}

}  // namespace

std::shared_ptr<const SharedPlan> planOf(const Call& call) {
  std::shared_ptr<const SharedPlan> plan =
      static_cast<PlanHandle*>(receiver(call, Kind::Plan))->plan;
  if (!plan) throw Error(ErrorCode::State, "the plan is disposed of");
  return plan;
}

napi_value wrapPlan(Environment& environment, std::shared_ptr<const SharedPlan> plan) {
  const std::int64_t bytes =
      static_cast<std::int64_t>(plan->plan().bytes() + plan->executable->bytes());
  return wrap(environment, std::make_unique<PlanHandle>(environment, std::move(plan)), bytes);
}

napi_value compileTape(Call& call) {
  auto shared = std::make_shared<SharedPlan>();
  const TapePtr tape = tapeOf(call);
  shared->executable = makeExecutable(makePlan(tape));
  shared->flops = estimateCost(*tape);
  return wrapPlan(*call.environment, std::move(shared));
}

void definePlan(Environment& environment, napi_value exports) {
  defineClass(
      environment, Kind::Plan, "Plan",
      {method<text>(environment, "toString"), method<stats>(environment, "stats"),
       method<costs>(environment, "costs"), method<loops>(environment, "loops"),
       method<layout>(environment, "layout"), method<session>(environment, "session"),
       method<share>(environment, "share"), method<dispose<Kind::Plan>>(environment, "dispose")});
  defineFunction<adoptPlan>(environment, exports, "adoptPlan");
}

}  // namespace adjoint::binding

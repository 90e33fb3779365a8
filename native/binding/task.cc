#include "binding/task.h"

#include "binding/values.h"
#include "exec/pool.h"

namespace adjoint::binding {

void completeTask(Environment& environment, std::uint64_t number) {
  const auto found = environment.tasks.find(number);
  if (found == environment.tasks.end()) return;
  const std::shared_ptr<Task> task = std::move(found->second);
  environment.tasks.erase(found);
  const napi_env env = environment.env;
  if (environment.tasks.empty()) {
    napi_unref_threadsafe_function(env, environment.channel->function);
  }
  napi_value value = nullptr;
  napi_value error = nullptr;
  try {
    if (task->failure_) std::rethrow_exception(task->failure_);
    value = task->settle(environment);
    if (value == nullptr) check(env, napi_get_undefined(env, &value));
  } catch (...) {
    error = currentError(env);
    // A JavaScript exception of settle() rejects the promise too.
    if (error == nullptr) napi_get_and_clear_last_exception(env, &error);
  }
  task->finished(environment);
  if (error != nullptr) {
    napi_reject_deferred(env, task->deferred_, error);
  } else {
    napi_resolve_deferred(env, task->deferred_, value);
  }
}

namespace {

void onComplete(napi_env env, napi_value, void* context, void* data) noexcept {
  if (env == nullptr) return;  // the environment is going down
  const std::uint64_t number = reinterpret_cast<std::uintptr_t>(data);
  completeTask(*static_cast<Environment*>(context), number);
}

// Runs before Node takes the thread-safe function down: hooks are called last in, first out.
void onTearDown(void* data) noexcept {
  Environment& environment = *static_cast<Environment*>(data);
  environment.channel->close();
  for (const auto& [number, task] : environment.tasks) {
    task->control.cancel.store(true, std::memory_order_relaxed);
  }
}

void openChannel(Environment& environment) {
  if (environment.channel) return;
  const napi_env env = environment.env;
  const napi_value name = makeText(env, "adjoint");
  auto channel = std::make_shared<Channel>();
  check(env, napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr,
                                             &environment, onComplete, &channel->function));
  napi_unref_threadsafe_function(env, channel->function);
  environment.channel = std::move(channel);
  napi_add_env_cleanup_hook(env, onTearDown, &environment);
}

}  // namespace

void Task::perform() noexcept {
  try {
    if (!control.cancel.load(std::memory_order_relaxed)) work();
  } catch (...) {
    failure_ = std::current_exception();
  }
}

napi_value startTask(Environment& environment, std::shared_ptr<Task> task) {
  const napi_env env = environment.env;
  openChannel(environment);
  napi_value promise = nullptr;
  check(env, napi_create_promise(env, &task->deferred_, &promise));
  const std::uint64_t number = environment.nextTask++;
  environment.tasks.emplace(number, task);
  if (environment.tasks.size() == 1) {
    napi_ref_threadsafe_function(env, environment.channel->function);
  }
  try {
    Pool::shared().submit([task, number, channel = environment.channel] {
      task->perform();
      channel->post(number);
    });
  } catch (...) {
    task->failure_ = std::current_exception();
    completeTask(environment, number);
  }
  return promise;
}

napi_value rejectedWithCurrent(napi_env env) noexcept {
  napi_value error = currentError(env);
  if (error == nullptr) napi_get_and_clear_last_exception(env, &error);
  napi_deferred deferred = nullptr;
  napi_value promise = nullptr;
  if (error != nullptr && napi_create_promise(env, &deferred, &promise) == napi_ok) {
    napi_reject_deferred(env, deferred, error);
  }
  return promise;
}

std::chrono::steady_clock::time_point readDeadline(napi_env env, napi_value value) {
  using Clock = std::chrono::steady_clock;
  const double milliseconds = readNumber(env, value, "deadline");
  if (!(milliseconds >= 0)) {
    throw Error(ErrorCode::Argument,
                "deadline: expected milliseconds from now, got " + formatNumber(milliseconds));
  }
  constexpr double kYear = 365 * 24 * 3600 * 1e3;
  if (milliseconds == 0 || milliseconds > kYear) return Clock::time_point::max();
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(
                            std::chrono::duration<double, std::milli>(milliseconds));
}

void Channel::post(std::uint64_t number) noexcept {
  // Node deletes the function after the hook that closes this channel has run, never during a call.
  const std::lock_guard lock(mutex_);
  if (!open_) return;
  napi_call_threadsafe_function(function, reinterpret_cast<void*>(number), napi_tsfn_nonblocking);
}

void Channel::close() noexcept {
  const std::lock_guard lock(mutex_);
  open_ = false;
}

}  // namespace adjoint::binding

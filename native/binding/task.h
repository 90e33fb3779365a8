#pragma once

#include <exception>
#include <memory>
#include <mutex>

#include "binding/environment.h"
#include "exec/executor.h"

namespace adjoint::binding {

/// Long work on the core's pool that settles a promise. It owns, or shares, everything work()
/// touches: the environment that started it may be gone before it ends. The last thread to let go
/// of it destroys it, so what belongs to JavaScript is let go of in finished().
class Task {
 public:
  virtual ~Task() = default;

  /// On a pool thread. No Node-API. What it throws rejects the promise. Not called once canceled.
  virtual void work() = 0;
  /// On the JavaScript thread, if work() ended well: what the promise resolves with. May throw.
  virtual napi_value settle(Environment& environment) = 0;
  /// On the JavaScript thread, always, unless the environment has gone before.
  virtual void finished(Environment&) noexcept {}

  RunControl control;

 private:
  friend napi_value startTask(Environment& environment, std::shared_ptr<Task> task);
  friend void completeTask(Environment& environment, std::uint64_t number);
  void perform() noexcept;

  std::exception_ptr failure_;
  napi_deferred deferred_ = nullptr;
};

/// Hands the task to the pool; returns the promise. The process stays alive until it is settled.
napi_value startTask(Environment& environment, std::shared_ptr<Task> task);

/// A promise rejected with the exception being handled: for entries that return promises. In a
/// catch block.
napi_value rejectedWithCurrent(napi_env env) noexcept;

/// An entry of a function that returns a promise: it never throws.
template <napi_value (*function)(Call&)>
napi_value promising(Call& call) {
  try {
    return function(call);
  } catch (...) {
    return rejectedWithCurrent(call.env);
  }
}

/// Milliseconds from now, 0 and Infinity meaning never, for RunControl.
std::chrono::steady_clock::time_point readDeadline(napi_env env, napi_value value);

/// The way from pool threads back to an environment's thread. Outlives the environment as long as
/// tasks need it.
class Channel {
 public:
  /// Tells the environment that a task has ended; does nothing once the environment is going down.
  void post(std::uint64_t number) noexcept;
  void close() noexcept;

  napi_threadsafe_function function = nullptr;

 private:
  std::mutex mutex_;
  bool open_ = true;
};

}  // namespace adjoint::binding

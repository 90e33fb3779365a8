#pragma once

#include <node_api.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "exec/executor.h"
#include "tape/error.h"

/// The room that knows Node-API. It uses the C interface: entries are called millions of times, and
/// the C++ wrapper ends the process on statuses that a worker gets while it is being terminated.
namespace adjoint::binding {

class Channel;
class Handle;
class SessionHandle;
class Task;

/// Thrown when a JavaScript exception is pending (or the environment is shutting down): unwinds to
/// the entry, which returns at once. Never leaves it.
struct Pending {};

/// A run that failed, with what is known about the place.
class RunFailure : public Error {
 public:
  RunFailure(const RunStatus& found, const Plan& plan, bool deadlinePassed);

  /// Node of the tape the user traced, kNoNode when unknown.
  NodeId node = kNoNode;
  std::string operation;
  RunStatus status;
};

/// Classes of wrapped objects. The position is the index of the class's constructor and type tag.
enum class Kind : std::uint8_t { Builder, Tape, Plan, Session };
constexpr std::size_t kKinds = 4;

/// One Node environment (the main thread or a worker) that loaded the addon: nothing of it is
/// shared with others. Used on its own thread only.
class Environment : public std::enable_shared_from_this<Environment> {
 public:
  explicit Environment(napi_env env) : env(env) {}

  const napi_env env;

  /// Tells V8 about native memory held by objects of this environment.
  void adjustBytes(std::int64_t change);
  std::int64_t bytes() const { return bytes_; }

  napi_ref constructors[kKinds] = {};
  /// The object the next constructor call wraps: how native code makes instances.
  Handle* arriving = nullptr;

  /// Handles of sessions: position in `slots`, plus kSlots times the slot's generation, so that a
  /// number is never used twice.
  static constexpr std::uint32_t kSlots = 1u << 22;
  double addSession(SessionHandle* session);
  void removeSession(double handle);
  /// nullptr when there is no such session (any more).
  SessionHandle* findSession(double handle) const {
    if (!(handle >= 0 && handle < 9007199254740992.0)) return nullptr;
    const auto number = static_cast<std::uint64_t>(handle);
    const std::uint64_t index = number % kSlots;
    if (static_cast<double>(number) != handle || index >= slots_.size()) return nullptr;
    const Slot& slot = slots_[index];
    return slot.generation == number / kSlots ? slot.session : nullptr;
  }
  /// Where JavaScript writes the handle of the session that runNext runs.
  double* next = nullptr;

  /// Async work: tasks under way by number, and the way back to this thread, made when first
  /// needed.
  std::unordered_map<std::uint64_t, std::shared_ptr<Task>> tasks;
  std::shared_ptr<Channel> channel;
  std::uint64_t nextTask = 1;

 private:
  struct Slot {
    SessionHandle* session = nullptr;
    std::uint32_t generation = 0;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> freeSlots_;
  std::int64_t bytes_ = 0;
};

/// Arguments of one call. Missing ones are `undefined`; none is read twice.
struct Call {
  static constexpr std::size_t kMaxArguments = 6;

  napi_env env = nullptr;
  Environment* environment = nullptr;
  napi_value self = nullptr;
  napi_value arguments[kMaxArguments] = {};
  std::size_t count = kMaxArguments;
};

/// Throws Pending unless the status is ok; a failure without a JavaScript exception becomes one of
/// our own.
void checkFailed(napi_env env, napi_status status);
inline void check(napi_env env, napi_status status) {
  if (status != napi_ok) [[unlikely]]
    checkFailed(env, status);
}

/// The exception being handled, as a JavaScript Error with the properties of lib/native.ts; nullptr
/// when one is pending or none can be made. Only inside a catch block.
napi_value currentError(napi_env env) noexcept;
/// The same, thrown. The one place where C++ exceptions become JavaScript ones.
void throwCurrent(napi_env env) noexcept;

/// Every function that JavaScript calls has this frame: no C++ exception crosses the boundary.
template <napi_value (*function)(Call&)>
napi_value entry(napi_env env, napi_callback_info info) noexcept {
  Call call;
  call.env = env;
  void* data = nullptr;
  if (napi_get_cb_info(env, info, &call.count, call.arguments, &call.self, &data) != napi_ok) {
    return nullptr;
  }
  call.environment = static_cast<Environment*>(data);
  try {
    return function(call);
  } catch (...) {
    throwCurrent(env);
    return nullptr;
  }
}

/// What a JavaScript object of ours wraps. dispose() frees at once, the finalizer is the net.
class Handle {
 public:
  Handle(Kind kind, Environment& environment)
      : kind(kind), environment(environment.shared_from_this()) {}
  virtual ~Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  /// Frees what it holds; may be called twice.
  virtual void release() = 0;
  /// Tells V8 that it holds this many bytes now.
  void report(std::int64_t bytes);

  const Kind kind;
  const std::shared_ptr<Environment> environment;
  /// A JavaScript object's finalizer frees it.
  bool owned = false;

 private:
  std::int64_t reported_ = 0;
};

/// Defines a class whose methods are entries; `constructible` from JavaScript or from native code
/// only.
napi_value defineClass(Environment& environment, Kind kind, const char* name,
                       const std::vector<napi_property_descriptor>& methods);
/// A new JavaScript object that owns `handle`, which holds this many bytes.
napi_value wrap(Environment& environment, std::unique_ptr<Handle> handle, std::int64_t bytes);

/// The Handle of a method's receiver. V8 has checked that it is an instance of the method's class.
Handle* receiver(const Call& call, Kind kind);
/// The Handle of an argument; ERR_ARGUMENT unless it is an object of ours of that class.
Handle* unwrap(const Call& call, napi_value value, Kind kind, const char* what);

/// The method `dispose` of every class.
template <Kind kind>
napi_value dispose(Call& call) {
  Handle* handle = receiver(call, kind);
  handle->release();
  handle->report(0);
  return nullptr;
}

template <napi_value (*function)(Call&)>
napi_property_descriptor method(Environment& environment, const char* name) {
  return {name,    nullptr, entry<function>,     nullptr,
          nullptr, nullptr, napi_default_method, &environment};
}

void defineFunction(Environment& environment, napi_value exports, const char* name,
                    napi_callback callback);
template <napi_value (*function)(Call&)>
void defineFunction(Environment& environment, napi_value exports, const char* name) {
  defineFunction(environment, exports, name, entry<function>);
}

}  // namespace adjoint::binding

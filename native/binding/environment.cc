#include "binding/environment.h"

#include <cmath>
#include <cstring>
#include <new>
#include <stdexcept>

#include "binding/handles.h"
#include "binding/values.h"
#include "ops/loop.h"

namespace adjoint::binding {
namespace {

// Random numbers by which objects of this addon's classes are known from all others.
constexpr napi_type_tag kTags[kKinds] = {
    {0x6f8d3b1c5a7e4920, 0xb3c1d7f0a25e8641},
    {0x1d94c7e8f36b4a05, 0x97e2b05c4d1f8a36},
    {0xc20e5f7b8a314d96, 0x8fd4a61b3e92c750},
    {0x5be1742d90cf4f83, 0xa4760d9ce5b8312f},
};
constexpr const char* kNames[kKinds] = {"Builder", "Tape", "Plan", "Session"};

/// The operation at fault; within a loop over steps, the loop, the step and that.
std::string placeOf(const RunStatus& status, const Plan& plan) {
  if (!plan.tape || status.node >= plan.tape->size()) return "run";
  const Node& node = plan.tape->node(status.node);
  std::string text = loopOrOpName(*plan.tape, node);
  if (status.step < 0) return text;
  // A branch, and a function that is computed again, are loops of one step.
  if (LoopAttributes::read(*plan.tape, node).length > 1)
    text += ": step " + std::to_string(status.step);
  if (status.operation != nullptr) text += std::string(": ") + status.operation;
  return text;
}

/// With the index that the program gave.
RunStatus restored(RunStatus status, const Plan& plan) {
  // Within a loop over steps it is restored already, with the tape of the step.
  if (plan.tape && status.step < 0) status.restoreIndex(*plan.tape);
  return status;
}

std::string runMessage(const RunStatus& status, const Plan& plan, bool deadlinePassed) {
  std::string text = placeOf(status, plan);
  switch (status.code) {
    case ErrorCode::Abort:
      return deadlinePassed ? "the run was ended by its deadline" : "the run was canceled";
    case ErrorCode::Limit:
      // A loop of no steps that is given NaN is a condition that did not hold.
      if (status.limit == 0 && std::isnan(status.value)) return text + " failed";
      // A `while` that would go on has taken all that it may; a given number is no such one.
      if (status.value == static_cast<double>(status.limit))
        return text + ": more than " + std::to_string(status.limit) + " steps (maxSteps)";
      return text + ": the number of steps is " + formatNumber(status.value) +
             ", not a whole number from 0 to " + std::to_string(status.limit) + " (maxSteps)";
    case ErrorCode::Data:
      if (status.directory == nullptr) return text + " failed";
      return text + ": checkpoints can not be kept in " + status.directory + ": " +
             std::strerror(static_cast<int>(status.value));
    case ErrorCode::Index:
      text += ": index " + formatNumber(status.value);
      if (status.element >= 0) text += " at element " + std::to_string(status.element);
      return text + " is not in [0, " + std::to_string(status.limit) + ")";
    case ErrorCode::Singular:
      text += ": the matrix is singular";
      break;
    case ErrorCode::NotPositiveDefinite:
      text += ": the matrix is not positive definite";
      break;
    case ErrorCode::Memory:
      text += ": out of memory";
      break;
    default:
      text += " failed";
  }
  if (status.element >= 0) text += " at element " + std::to_string(status.element);
  return text;
}

void setNumber(napi_env env, napi_value object, const char* name, double value) {
  napi_value number = nullptr;
  check(env, napi_create_double(env, value, &number));
  check(env, napi_set_named_property(env, object, name, number));
}

void setText(napi_env env, napi_value object, const char* name, const char* text) {
  napi_value value = nullptr;
  check(env, napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value));
  check(env, napi_set_named_property(env, object, name, value));
}

napi_value makeError(napi_env env, ErrorCode code, const char* message) {
  napi_value text = nullptr;
  napi_value error = nullptr;
  check(env, napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text));
  check(env, napi_create_error(env, nullptr, text, &error));
  setText(env, error, "adjointCode", errorCodeName(code));
  return error;
}

napi_value makeError(napi_env env, const RunFailure& failure) {
  napi_value error = makeError(env, failure.code(), failure.what());
  if (failure.node != kNoNode) setNumber(env, error, "node", failure.node);
  if (failure.status.step >= 0) {
    setNumber(env, error, "step", static_cast<double>(failure.status.step));
    if (failure.status.origin != kNoNode) setNumber(env, error, "stepNode", failure.status.origin);
  }
  if (!failure.operation.empty()) setText(env, error, "operation", failure.operation.c_str());
  if (failure.status.element >= 0) {
    setNumber(env, error, "element", static_cast<double>(failure.status.element));
  }
  if (failure.code() == ErrorCode::Index) {
    setNumber(env, error, "value", failure.status.value);
    setNumber(env, error, "limit", static_cast<double>(failure.status.limit));
  }
  return error;
}

napi_value convertCurrent(napi_env env) {
  try {
    throw;
  } catch (const Pending&) {
    return nullptr;
  } catch (const RunFailure& failure) {
    return makeError(env, failure);
  } catch (const Error& error) {
    return makeError(env, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return makeError(env, ErrorCode::Memory, "out of memory");
  } catch (const std::length_error&) {
    return makeError(env, ErrorCode::Memory, "more memory than can be addressed");
  } catch (const std::exception& error) {
    return makeError(env, ErrorCode::Native, error.what());
  } catch (...) {
    return makeError(env, ErrorCode::Native, "unknown failure in the addon");
  }
}

void finalizeHandle(napi_env, void* data, void*) {
  Handle* handle = static_cast<Handle*>(data);
  handle->release();
  handle->report(0);
  delete handle;
}

}  // namespace

RunFailure::RunFailure(const RunStatus& found, const Plan& plan, bool deadlinePassed)
    : Error(found.code, runMessage(restored(found, plan), plan, deadlinePassed)),
      status(restored(found, plan)) {
  if (!plan.tape || status.node >= plan.tape->size()) return;
  const Node& at = plan.tape->node(status.node);
  node = at.origin;
  operation = status.operation != nullptr ? status.operation : loopOrOpName(*plan.tape, at);
}

void Environment::adjustBytes(std::int64_t change) {
  bytes_ += change;
  std::int64_t total = 0;
  // During tear-down this can fail; V8's view no longer matters then.
  napi_adjust_external_memory(env, change, &total);
}

double Environment::addSession(SessionHandle* session) {
  std::uint32_t index;
  if (!freeSlots_.empty()) {
    index = freeSlots_.back();
    freeSlots_.pop_back();
  } else {
    if (slots_.size() >= kSlots) throw Error(ErrorCode::Limit, "too many sessions at once");
    index = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
    freeSlots_.reserve(slots_.capacity());  // so that removeSession can not fail
  }
  slots_[index].session = session;
  return static_cast<double>(index) + static_cast<double>(slots_[index].generation) * kSlots;
}

void Environment::removeSession(double handle) {
  const std::uint64_t number = static_cast<std::uint64_t>(handle);
  const std::uint32_t index = static_cast<std::uint32_t>(number % kSlots);
  Slot& slot = slots_[index];
  slot.session = nullptr;
  // A slot whose generations are used up is never used again.
  if (++slot.generation < (1u << 31)) freeSlots_.push_back(index);
}

void Handle::report(std::int64_t bytes) {
  if (bytes == reported_) return;
  environment->adjustBytes(bytes - reported_);
  reported_ = bytes;
}

void checkFailed(napi_env env, napi_status status) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending || status == napi_pending_exception || status == napi_closing) throw Pending{};
  throw Error(ErrorCode::Native, "Node-API call failed with status " + std::to_string(status));
}

napi_value currentError(napi_env env) noexcept {
  try {
    return convertCurrent(env);
  } catch (...) {
    return nullptr;
  }
}

void throwCurrent(napi_env env) noexcept {
  const napi_value error = currentError(env);
  if (error != nullptr) {
    napi_throw(env, error);
    return;
  }
  // Not even the error object could be made: out of memory. Silence would look like success.
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) == napi_ok && !pending) {
    napi_throw_error(env, errorCodeName(ErrorCode::Memory), "out of memory");
  }
}

namespace {

template <Kind kind>
napi_value construct(Call& call) {
  // Defined for every class, but only builders are made by JavaScript.
  Environment& environment = *call.environment;
  Handle* arriving = environment.arriving;
  environment.arriving = nullptr;
  std::unique_ptr<Handle> made;
  if (arriving == nullptr) {
    if constexpr (kind == Kind::Builder) {
      made = newBuilder(environment);
      arriving = made.get();
    } else {
      throw Error(ErrorCode::Argument, std::string(kNames[static_cast<std::size_t>(kind)]) +
                                           " objects are made by the addon only");
    }
  }
  if (arriving->kind != kind) throw Error(ErrorCode::Native, "object of another class arriving");
  const napi_env env = call.env;
  check(env, napi_type_tag_object(env, call.self, &kTags[static_cast<std::size_t>(kind)]));
  check(env, napi_wrap(env, call.self, arriving, finalizeHandle, nullptr, nullptr));
  arriving->owned = true;
  made.release();
  return call.self;
}

template <Kind kind>
napi_value constructEntry(napi_env env, napi_callback_info info) noexcept {
  napi_value target = nullptr;
  // Without `new` the receiver may be any object.
  if (napi_get_new_target(env, info, &target) != napi_ok || target == nullptr) {
    napi_throw_type_error(env, nullptr, "Class constructor cannot be invoked without 'new'");
    return nullptr;
  }
  return entry<construct<kind>>(env, info);
}

constexpr napi_callback kConstructors[kKinds] = {
    constructEntry<Kind::Builder>, constructEntry<Kind::Tape>, constructEntry<Kind::Plan>,
    constructEntry<Kind::Session>};

}  // namespace

napi_value defineClass(Environment& environment, Kind kind, const char* name,
                       const std::vector<napi_property_descriptor>& methods) {
  const napi_env env = environment.env;
  const std::size_t index = static_cast<std::size_t>(kind);
  napi_value constructor = nullptr;
  check(env, napi_define_class(env, name, NAPI_AUTO_LENGTH, kConstructors[index], &environment,
                               methods.size(), methods.data(), &constructor));
  check(env, napi_create_reference(env, constructor, 1, &environment.constructors[index]));
  return constructor;
}

napi_value wrap(Environment& environment, std::unique_ptr<Handle> handle, std::int64_t bytes) {
  const napi_env env = environment.env;
  napi_value constructor = nullptr;
  napi_value object = nullptr;
  const std::size_t index = static_cast<std::size_t>(handle->kind);
  check(env, napi_get_reference_value(env, environment.constructors[index], &constructor));
  environment.arriving = handle.get();
  const napi_status status = napi_new_instance(env, constructor, 0, nullptr, &object);
  if (status != napi_ok) {
    environment.arriving = nullptr;
    if (handle->owned) handle.release();  // failed late: the finalizer frees it
    check(env, status);
  }
  handle.release()->report(bytes);  // the object's finalizer owns it now
  return object;
}

Handle* receiver(const Call& call, Kind kind) {
  void* data = nullptr;
  if (napi_unwrap(call.env, call.self, &data) != napi_ok || data == nullptr) {
    throw Error(ErrorCode::Argument, "a method was called on an object of another kind");
  }
  Handle* handle = static_cast<Handle*>(data);
  if (handle->kind != kind) throw Error(ErrorCode::Argument, "a method of another class");
  return handle;
}

Handle* unwrap(const Call& call, napi_value value, Kind kind, const char* what) {
  const std::size_t index = static_cast<std::size_t>(kind);
  napi_valuetype type = napi_undefined;
  bool ours = false;
  void* data = nullptr;
  if (napi_typeof(call.env, value, &type) != napi_ok || type != napi_object ||
      napi_check_object_type_tag(call.env, value, &kTags[index], &ours) != napi_ok || !ours ||
      napi_unwrap(call.env, value, &data) != napi_ok || data == nullptr) {
    throw Error(ErrorCode::Argument, std::string(what) + ": expected a native " + kNames[index] +
                                         ", got " + describe(call.env, value));
  }
  return static_cast<Handle*>(data);
}

void defineFunction(Environment& environment, napi_value exports, const char* name,
                    napi_callback callback) {
  const napi_env env = environment.env;
  napi_value function = nullptr;
  check(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, &environment, &function));
  check(env, napi_set_named_property(env, exports, name, function));
}

}  // namespace adjoint::binding

#include <memory>

#include "binding/handles.h"
#include "binding/values.h"

namespace adjoint::binding {
namespace {

/// The version in package.json; a test holds them together.
constexpr const char* kVersion = "0.1.0";

// Static objects of other files register here before the addon's first environment exists.
Door*& firstDoor() {
  static Door* first = nullptr;
  return first;
}

napi_value nativeBytes(Call& call) {
  return makeNumber(call.env, static_cast<double>(call.environment->bytes()));
}

napi_value version(Call& call) { return makeText(call.env, kVersion); }

void freeEnvironment(napi_env, void* data, void*) {
  delete static_cast<std::shared_ptr<Environment>*>(data);
}

void open(napi_env env, napi_value exports) {
  auto owner = std::make_unique<std::shared_ptr<Environment>>(std::make_shared<Environment>(env));
  Environment& environment = **owner;
  check(env, napi_set_instance_data(env, owner.get(), freeEnvironment, nullptr));
  owner.release();
  defineBuilder(environment, exports);
  defineTape(environment, exports);
  definePlan(environment, exports);
  defineSession(environment, exports);
  defineFunction<nativeBytes>(environment, exports, "nativeBytes");
  defineFunction<version>(environment, exports, "version");
  Door::openAll(environment, exports);
}

}  // namespace

Door::Door(Define define) : define_(define), next_(firstDoor()) { firstDoor() = this; }

void Door::openAll(Environment& environment, napi_value exports) {
  for (const Door* door = firstDoor(); door != nullptr; door = door->next_) {
    door->define_(environment, exports);
  }
}

}  // namespace adjoint::binding

NAPI_MODULE_INIT() {
  try {
    adjoint::binding::open(env, exports);
    return exports;
  } catch (...) {
    adjoint::binding::throwCurrent(env);
    return nullptr;
  }
}

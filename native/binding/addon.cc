#include <napi.h>

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

void define(Environment& environment, napi_value exports) {
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

/// What happens once an environment is written with node-addon-api; entries use the C interface
/// (docs/design/0006).
static Napi::Object openAddon(Napi::Env env, Napi::Object exports) {
  using adjoint::binding::Environment;
  try {
    auto environment = std::make_shared<Environment>(env);
    env.SetInstanceData(new std::shared_ptr<Environment>(environment));
    adjoint::binding::define(*environment, exports);
  } catch (...) {
    adjoint::binding::throwCurrent(env);
  }
  return exports;
}

NODE_API_MODULE(adjoint, openAddon)

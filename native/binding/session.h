#pragma once

#include <memory>

#include "binding/environment.h"
#include "exec/executor.h"

namespace adjoint::binding {

/// Doubles on a 64-byte boundary, not initialized.
class AlignedDoubles {
 public:
  AlignedDoubles() = default;
  explicit AlignedDoubles(std::int64_t count);

  double* data() const { return memory_.get(); }
  std::int64_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(double* memory) const;
  };
  std::unique_ptr<double, Free> memory_;
  std::int64_t bytes_ = 0;
};

/// What an async run computes on. The arena itself belongs to JavaScript, which may detach it at
/// any time.
struct AsyncMemory {
  AlignedDoubles io;
  AlignedDoubles workspace;
};

class RunTask;

class SessionHandle final : public Handle {
 public:
  SessionHandle(Environment& environment, std::shared_ptr<const Executable> executable);
  ~SessionHandle() override { release(); }
  void release() override;

  std::int64_t bytes() const;
  /// Throws ERR_STATE once the arena's buffer was transferred away: its memory is another's then.
  void checkArena(napi_env env) const;

  /// nullptr once disposed of.
  std::shared_ptr<const Executable> executable;
  AlignedDoubles workspace;
  double* io = nullptr;
  napi_ref buffer = nullptr;  ///< weak: the JavaScript session holds it
  double number = -1;         ///< the handle for run()
  std::shared_ptr<RunTask> running;
  std::shared_ptr<AsyncMemory> asyncMemory;
};

napi_value newSession(Environment& environment, std::shared_ptr<const Executable> executable);

}  // namespace adjoint::binding

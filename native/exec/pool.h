#pragma once

#include <functional>

namespace adjoint {

/// The core's own threads for asynchronous calls: libuv's four also serve files and names.
///
/// Threads start with the first task and are never joined, and their queue is never destroyed: a
/// process that exits, or a worker environment that is torn down, waits for nothing. Tasks keep
/// alive what they use, and tell nobody who may be gone.
class Pool {
 public:
  static Pool& shared();

  /// Runs the task on some thread, in order of submission when threads are free. Throws Error
  /// (ERR_MEMORY) if not even one thread can be started. What the task throws is dropped: a task
  /// reports its own failures.
  void submit(std::function<void()> task);

  /// Threads the pool may have.
  unsigned size() const;

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

 private:
  Pool();
  ~Pool() = default;
  struct State;
  State* const state_;
};

}  // namespace adjoint

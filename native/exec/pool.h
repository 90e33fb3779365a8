#pragma once

#include <atomic>
#include <cstdint>
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

  /// A loop over chunks, shared with the caller. Lives on the caller's stack.
  struct Loop {
    /// Computes one chunk; `worker` is below the number of threads, and no two threads have the
    /// same at one time. False ends the loop early.
    bool (*body)(void* context, unsigned worker, std::int64_t chunk) noexcept = nullptr;
    void* context = nullptr;
    std::int64_t chunks = 0;

    std::atomic<std::int64_t> next{0};
    std::atomic<bool> ended{false};
    unsigned helpers = 0, joined = 0, active = 0;  ///< guarded by the pool
    Loop* later = nullptr;
  };

  /// Runs the chunks 0 .. chunks - 1 on the calling thread and on up to threads - 1 others that are
  /// free; returns when all are done. Allocates nothing once the pool's threads are there. False if
  /// a chunk ended the loop.
  bool run(Loop& loop, unsigned threads);
  /// Likewise a loop of body(worker, chunk), which throws nothing.
  template <class Body>
  bool run(std::int64_t chunks, unsigned threads, Body body) {
    Loop loop;
    loop.body = [](void* self, unsigned worker, std::int64_t chunk) noexcept -> bool {
      return (*static_cast<Body*>(self))(worker, chunk);
    };
    loop.context = &body;
    loop.chunks = chunks;
    return run(loop, threads);
  }

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

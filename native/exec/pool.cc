#include "exec/pool.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "tape/error.h"

namespace adjoint {

struct Pool::State {
  std::mutex mutex;
  std::condition_variable ready;
  std::deque<std::function<void()>> tasks;
  unsigned threads = 0;
  unsigned idle = 0;
  unsigned limit = std::max(1u, std::thread::hardware_concurrency());
  Loop* loops = nullptr;  ///< those that want helpers, the newest first
  std::condition_variable helped;

  static void workOn(Loop& loop, unsigned worker) {
    while (!loop.ended.load(std::memory_order_relaxed)) {
      const std::int64_t chunk = loop.next.fetch_add(1, std::memory_order_relaxed);
      if (chunk >= loop.chunks) return;
      if (!loop.body(loop.context, worker, chunk))
        loop.ended.store(true, std::memory_order_relaxed);
    }
  }

  /// A loop that has room for one more thread.
  Loop* openLoop() const {
    for (Loop* loop = loops; loop != nullptr; loop = loop->later) {
      if (loop->joined < loop->helpers) return loop;
    }
    return nullptr;
  }

  void help(Loop& loop, std::unique_lock<std::mutex>& lock) {
    const unsigned worker = ++loop.joined;
    ++loop.active;
    lock.unlock();
    workOn(loop, worker);
    lock.lock();
    if (--loop.active == 0) helped.notify_all();
  }

  /// One more thread, if there may be. False where none could be started.
  bool start() {
    try {
      std::thread([this] { work(); }).detach();
      ++threads;
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  }

  void work() {
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      ++idle;
      ready.wait(lock, [&] { return !tasks.empty() || openLoop() != nullptr; });
      --idle;
      if (Loop* loop = openLoop(); loop != nullptr) {
        help(*loop, lock);
        continue;
      }
      std::function<void()> task = std::move(tasks.front());
      tasks.pop_front();
      lock.unlock();
      try {
        task();
      } catch (...) {
        // An exception here would end the process; see submit.
      }
      task = nullptr;  // what it holds goes before the lock comes back
      lock.lock();
    }
  }
};

Pool::Pool() : state_(new State) {}

Pool& Pool::shared() {
  static Pool* const pool = new Pool;  // never destroyed: see the class
  return *pool;
}

unsigned Pool::size() const { return state_->limit; }

void Pool::submit(std::function<void()> task) {
  State* state = state_;
  {
    std::lock_guard<std::mutex> lock(state->mutex);
    state->tasks.push_back(std::move(task));
    if (state->idle < state->tasks.size() && state->threads < state->limit && !state->start() &&
        state->threads == 0) {
      state->tasks.pop_back();
      throw Error(ErrorCode::Memory, "no thread could be started");
    }
  }
  state->ready.notify_one();
}

bool Pool::run(Loop& loop, unsigned threads) {
  State& state = *state_;
  if (threads <= 1 || loop.chunks <= 1) {
    State::workOn(loop, 0);
    return !loop.ended.load(std::memory_order_relaxed);
  }
  {
    const std::lock_guard<std::mutex> lock(state.mutex);
    loop.helpers = threads - 1;
    loop.later = state.loops;
    state.loops = &loop;
    // More threads than processors find no time of their own, but keep the promise of the call.
    const unsigned most = std::max(state.limit, loop.helpers);
    for (unsigned free = state.idle; free < loop.helpers && state.threads < most; ++free) {
      if (!state.start()) break;
    }
  }
  state.ready.notify_all();
  State::workOn(loop, 0);
  std::unique_lock<std::mutex> lock(state.mutex);
  Loop** at = &state.loops;
  while (*at != &loop) at = &(*at)->later;
  *at = loop.later;
  state.helped.wait(lock, [&] { return loop.active == 0; });
  return !loop.ended.load(std::memory_order_relaxed);
}

}  // namespace adjoint

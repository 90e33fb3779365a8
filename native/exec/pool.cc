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

  void work() {
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      ++idle;
      ready.wait(lock, [&] { return !tasks.empty(); });
      --idle;
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
    if (state->idle < state->tasks.size() && state->threads < state->limit) {
      try {
        std::thread([state] { state->work(); }).detach();
        ++state->threads;
      } catch (const std::system_error&) {
        if (state->threads == 0) {
          state->tasks.pop_back();
          throw Error(ErrorCode::Memory, "no thread could be started");
        }
      }
    }
  }
  state->ready.notify_one();
}

}  // namespace adjoint

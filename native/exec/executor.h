#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "exec/cost.h"
#include "plan/plan.h"
#include "tape/error.h"

namespace adjoint {

/// How a run ended. Never an exception: runs happen on pool threads.
struct RunStatus {
  bool ok = true;
  ErrorCode code = ErrorCode::Native;
  NodeId node = kNoNode;      ///< node of the plan's tape at fault
  std::int64_t element = -1;  ///< which element, where that is known
  double value = 0;           ///< e.g. the index that is out of range
  std::int64_t limit = 0;
  /// Within a loop over steps, `node`: which step of it, by its index; what was at fault in the
  /// innermost loop; and where that came from in the step of this one. Names are the plan's.
  std::int64_t step = -1;
  const char* operation = nullptr;
  NodeId origin = kNoNode;
  const char* directory = nullptr;  ///< where checkpoints could not be kept; `value` is errno

  /// Of an index: makes value and limit those that the program gave, where the tape, that of the
  /// plan with `node`, reads the element from a larger table (ops/table_index.h).
  void restoreIndex(const Tape& tape);
};

/// Told by the caller, polled between blocks of long work.
struct RunControl {
  /// How many may work on the run, the calling one included; the workspace must be one for as many.
  unsigned threads = 1;
  std::atomic<bool> cancel{false};
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  /// Steps of the plan and of its loops over steps: those that are done, and all that are known of.
  /// What nobody knows beforehand is added when it shows.
  std::atomic<std::int64_t> stepsDone{0}, stepsPlanned{0};
  /// Of a run within a step of another one: that one's, which says as well when to end.
  RunControl* outer = nullptr;
};

/// Memories of a loop's step beside its workspace (LoopStep): Base::Io, Next and Kept. The first
/// and the last are only read.
struct StepRows {
  double* row = nullptr;
  double* next = nullptr;
  double* kept = nullptr;
};

namespace exec {
class StraightCode;
}

/// A plan prepared for an executor: registers assigned, kernels looked up. Immutable, shared
/// between threads.
class Executable {
 public:
  virtual ~Executable() = default;

  /// Doubles of scratch memory a run on so many threads needs, beside the plan's io.
  virtual std::int64_t workspaceDoubles(unsigned threads = 1) const = 0;

  /// Runs every step. `io` holds plan.ioDoubles, `workspace` workspaceDoubles(); both 64-byte
  /// aligned, and neither is used by another run at the same time. Allocates nothing. `control` may
  /// be null.
  virtual RunStatus run(double* io, double* workspace, RunControl* control) const noexcept = 0;
  /// Likewise for the plan of a loop's step.
  virtual RunStatus runStep(const StepRows& rows, double* workspace,
                            RunControl* control) const noexcept = 0;
  /// The same as code that cannot fail, which is not to be interrupted; null where it is more.
  virtual const exec::StraightCode* straight() const { return nullptr; }

  virtual const Plan& plan() const = 0;
  /// Runs of operations that are machine code.
  virtual std::size_t segments() const = 0;
  /// Whether machine code asks for the lines in the queue behind its io (exec/line_queue.h).
  virtual bool asksForLines() const { return false; }
  /// Why nothing is machine code; null where that could be had.
  virtual const char* obstacle() const = 0;
  /// What every step costs.
  virtual std::vector<StepCost> costs() const = 0;
  /// Runs some times, on one thread, and gives the median seconds of every step and, as the last,
  /// of a whole run.
  virtual RunStatus measure(double* io, double* workspace, std::vector<double>& seconds) const = 0;
  virtual std::size_t bytes() const = 0;
};

/// The portable executor: one operation at a time over a block of points that fits the first-level
/// cache.
std::shared_ptr<const Executable> makeInterpreter(std::shared_ptr<const Plan> plan);
/// Machine code for runs of operations where the machine allows it, the interpreter for the rest.
/// The same bits.
std::shared_ptr<const Executable> makeExecutable(std::shared_ptr<const Plan> plan);

}  // namespace adjoint

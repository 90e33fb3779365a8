#pragma once

#include <memory>

#include "exec/block.h"
#include "exec/library.h"
#include "exec/line_queue.h"
#include "plan/plan.h"

namespace adjoint::exec {

/// Of a loop over lanes; none where what it reads and writes stays in a cache.
LineQueue lineQueueOf(const LaneStep& step);

/// A loop over blocks of lanes around an executable of its own.
class LaneProgram {
 public:
  /// `body`: of step.plan, with the step's queue behind its io.
  LaneProgram(const Plan& plan, const LaneStep& step, std::shared_ptr<const Executable> body);

  /// Doubles of scratch memory, for one thread, and for each one more.
  std::int64_t scratch() const { return scratch_; }
  std::int64_t threadScratch() const { return perThread_; }
  /// Pieces that threads may take; no more threads than these are used.
  std::int64_t chunks() const { return chunks_; }
  const Executable& body() const { return *body_; }
  /// False: status says why.
  bool run(const RunContext& context) const noexcept;

 private:
  struct Port {
    LaneStep::Port outside;
    Place place;
    Place indices;            ///< of gathered rows
    std::int64_t offset = 0;  ///< in the body's memory
    std::int64_t rows = 0;    ///< of a block: elements of a lane
    // Reductions: where the sum of one chunk and those of all chunks stand.
    std::int64_t state = 0, accumulators = 0;  ///< in a thread's memory
    std::int64_t table = 0;                    ///< scratch offset: results by chunk
    std::int64_t total = 0;  ///< scratch offset: the last reduction's accumulators
    // Products: the current chain's sum, in a thread's memory. Their chunks' results are in the
    // table where there are several.
    std::int64_t chain = 0;
    OuterProducts product;

    std::int64_t productSize() const { return product.batch * product.m * product.n; }
  };

  void placeProducts();
  bool runChunk(const RunContext& context, double* own, std::int64_t chunk) const;
  ReduceShape shapeOf(const Port& port, std::int64_t terms) const;
  void share(const RunContext& context, double* own) const;
  void readPort(const RunContext& context, const Port& port, double* to, std::int64_t first,
                std::int64_t n) const;
  template <class Visit>
  void visitLines(const RunContext& context, std::int64_t first, std::int64_t n, Visit visit) const;
  void askFor(const RunContext& context, double* own, std::int64_t first, std::int64_t n) const;
  void readBlock(const RunContext& context, double* own, std::int64_t first, std::int64_t n) const;
  void writeBlock(const RunContext& context, double* own, std::int64_t first, std::int64_t n) const;
  void feed(const Port& port, const RunContext& context, double* own, const double* x,
            std::int64_t at, std::int64_t rows) const;
  void multiply(const Port& port, const RunContext& context, double* own, const double* a,
                const double* b, std::int64_t first, std::int64_t n) const;
  void finish(const RunContext& context) const;

  std::shared_ptr<const Executable> body_;
  std::int64_t lanes_, block_;
  std::int64_t chunkLanes_ = 0, chunks_ = 0;
  std::vector<Port> inputs_, outputs_;
  std::int64_t io_ = 0, workspace_ = 0, turned_ = 0, packed_ = 0;  ///< in a thread's memory
  LineQueue lines_;
  std::int64_t parts_ = 1;  ///< chunks of a sum with a term a lane
  std::int64_t perThread_ = 0;
  std::int64_t first_ = 0;  ///< scratch offset: the first thread's memory
  std::int64_t scratch_ = 0;
};

}  // namespace adjoint::exec

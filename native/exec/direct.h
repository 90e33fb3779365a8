#pragma once

#include <cstdint>
#include <vector>

#include "exec/code.h"
#include "exec/jit.h"
#include "plan/plan.h"

namespace adjoint::exec {

/// A short kernel over consecutive elements as one loop of machine code on the memories themselves:
/// for steps of loops, where what a block program sets up would take longer than its work. The last
/// elements that do not fill a vector are computed by a vector that ends with them, together with
/// some that are done already; and likewise the first ones, where that makes stores aligned.
class DirectKernel {
 public:
  /// False: the kernel is none of these.
  bool compile(const Plan& plan, const Kernel& kernel, JitBuilder& jit);
  void link(const JitModule& module);
  /// Doubles of scratch memory.
  std::int64_t scratch() const { return scratch_; }

  /// `slots`: the memories by Base, then the scratch memory.
  void run(double* const* slots) const {
    visitCalls([&](CodeFunction function, std::int64_t points) { function(slots, points); });
  }
  /// Calls visit(function, points) for all that `run` calls.
  template <class Visit>
  void visitCalls(Visit visit) const {
    for (const Call& call : calls_) visit(call.function, call.points);
  }

 private:
  struct Call {
    std::uint32_t number;  ///< in the module
    CodeFunction function;
    std::int64_t points;
  };

  std::int64_t firstAligned(const Plan& plan, const Kernel& kernel) const;

  std::int64_t lanes_ = 0, scratch_ = 0;
  std::vector<Call> calls_;
};

}  // namespace adjoint::exec

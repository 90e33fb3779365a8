#pragma once

#include <cstdint>

#include "exec/code.h"
#include "exec/jit.h"
#include "plan/plan.h"

namespace adjoint::exec {

/// A short kernel over consecutive elements as one loop of machine code on the memories themselves:
/// for steps of loops, where what a block program sets up would take longer than its work. The last
/// elements that do not fill a vector are computed by a vector that ends with them, together with
/// some that are done already. Few vectors are computed two by two, side by side.
class DirectKernel {
 public:
  /// False: the kernel is none of these.
  bool compile(const Plan& plan, const Kernel& kernel, JitBuilder& jit);
  void link(const JitModule& module);
  /// The code's number in the builder, and the elements it is run over.
  std::uint32_t bodyNumber() const { return bodyNumber_; }
  std::int64_t wholePoints() const { return whole_; }
  /// Doubles of scratch memory.
  std::int64_t scratch() const { return scratch_; }

  /// `slots`: the memories by Base, then the scratch memory.
  void run(double* const* slots) const {
    visitCalls([&](CodeFunction function, std::int64_t points) { function(slots, points); });
  }
  /// Calls add(function, points) for all that `run` calls.
  template <class Add>
  void visitCalls(Add add) const {
    add(body_, whole_);
    if (tail_ != nullptr) add(tail_, lanes_);
  }

 private:
  std::int64_t whole_ = 0, lanes_ = 0, scratch_ = 0;
  std::uint32_t bodyNumber_ = 0, tailNumber_ = 0;
  bool hasTail_ = false;
  CodeFunction body_ = nullptr, tail_ = nullptr;
};

}  // namespace adjoint::exec

#pragma once

#include <vector>

#include "plan/plan.h"
#include "plan/view.h"

namespace adjoint {

/// Buffers of a plan that is being made. What a value is, and which memory it takes, is its node's
/// business; temporary ones get their places later (placeTemporaries).
class PlanBuffers {
 public:
  PlanBuffers(const Tape& tape, const Views& views, Plan& plan)
      : tape_(tape), views_(views), plan_(plan), buffers_(tape.size(), kNone) {}

  /// Of a value that is no view; made when it is first asked for.
  BufferId of(NodeId value);
  /// One with every element of the value in row-major order.
  BufferId contiguousOf(NodeId operand);
  bool has(NodeId value) const { return buffers_[value] != kNone; }
  /// The value is there.
  void put(NodeId value, BufferId buffer) { buffers_[value] = buffer; }

  BufferId addTemporary(std::int64_t elements) { return add({Base::Temp, 0, elements}); }
  BufferId addIo(std::int64_t elements);
  BufferId addConstants(const std::vector<double>& values);

 private:
  BufferId add(const Buffer& buffer);

  static constexpr BufferId kNone = 0xffffffffu;

  const Tape& tape_;
  const Views& views_;
  Plan& plan_;
  std::vector<BufferId> buffers_;  ///< by node
};

}  // namespace adjoint

#include "exec/direct.h"

#include <algorithm>

#include "exec/abreast.h"
#include "exec/overlap.h"
#include "exec/plain_kernel.h"
#include "exec/schedule.h"

namespace adjoint::exec {
namespace {

/// Longer kernels are worth blocks, and threads.
constexpr std::int64_t kMostPoints = 2048;
constexpr std::int64_t kDoubleBytes = sizeof(double);
constexpr std::uint32_t kScratchSlot = kBases;  ///< after the memories by Base

/// The kernel's elements from `first` on; false where an address is out of reach.
bool write(const Plan& plan, const Kernel& kernel, std::int64_t first, Code& code) {
  CodeWriter writer(code);
  code.spillSlot = kScratchSlot;
  bool isInReach = true;
  const auto operand = [&](const Place& place, bool moves) {
    const std::int64_t bytes = (place.offset + (moves ? first : 0)) * kDoubleBytes;
    isInReach = isInReach && bytes == static_cast<std::int32_t>(bytes);
    return MemoryOperand{static_cast<std::uint32_t>(place.base), moves, bytes};
  };
  const auto store = [&](const Access& to, std::uint32_t value) {
    writer.store(operand(placeOf(plan, to), true), value);
  };
  return writePlainKernel(plan, kernel, writer, operand, store) && isInReach;
}

}  // namespace

bool DirectKernel::compile(const Plan& plan, const Kernel& kernel, JitBuilder& jit) {
  lanes_ = lanesOf(jit.instructionSet());
  const std::int64_t points = kernel.points();
  if (points < lanes_ || points > kMostPoints || !isPlainKernel(plan, kernel)) return false;
  const Kernel ordered = scheduled(kernel);
  // Up to four vectors are straight lines of two of them; more are a loop and the last one.
  const std::int64_t vectors = (points + lanes_ - 1) / lanes_, last = points - lanes_;
  const bool isShort = vectors > 1 && vectors <= 4;
  whole_ = isShort ? lanes_ : points - points % lanes_;
  hasTail_ = isShort ? vectors > 2 : whole_ != points;
  const auto add = [&](std::int64_t first, std::int64_t second, std::uint32_t& number) {
    Code code;
    if (!write(plan, ordered, first, code)) return false;
    if (second > first) code = twoAbreast(code, (second - first) * kDoubleBytes);
    code = overlapped(code, jit.instructionSet());
    scratch_ = std::max(scratch_, code.spillDoubles(lanes_));
    number = jit.add(std::move(code));
    return true;
  };
  if (!add(0, isShort ? std::min(lanes_, last) : 0, bodyNumber_)) return false;
  return !hasTail_ || add(vectors == 4 ? 2 * lanes_ : last, last, tailNumber_);
}

void DirectKernel::link(const JitModule& module) {
  body_ = module.function(bodyNumber_);
  if (hasTail_) tail_ = module.function(tailNumber_);
}

}  // namespace adjoint::exec

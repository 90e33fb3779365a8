#include "exec/direct.h"

#include <algorithm>

#include "exec/abreast.h"
#include "exec/alias.h"
#include "exec/overlap.h"
#include "exec/schedule.h"

namespace adjoint::exec {
namespace {

/// Longer kernels are worth blocks, and threads.
constexpr std::int64_t kMostPoints = 2048;
constexpr std::size_t kMostOperations = 1000;
constexpr std::int64_t kDoubleBytes = sizeof(double);
constexpr std::uint32_t kScratchSlot = kBases;  ///< after the memories by Base

/// Whether the one loop walks the access element by element, or not at all where that is allowed.
bool isPlain(const Kernel& kernel, const Access& access, bool mayStand) {
  const IndexMap& map = kernel.maps[access.map];
  return map.windows.empty() && (map.stride[0] == 1 || (mayStand && map.stride[0] == 0));
}

bool isDirect(const Plan& plan, const Kernel& kernel) {
  const std::int64_t points = kernel.points();
  if (kernel.extents.size() != 1 || points > kMostPoints) return false;
  if (!kernel.reductions.empty() || !kernel.gathers.empty()) return false;
  if (kernel.body.size() > kMostOperations) return false;
  Intervals stores;
  for (const Instr& instr : kernel.body) {
    if (instr.kind != InstrKind::Store) continue;
    const Access& access = kernel.accesses[static_cast<std::size_t>(instr.extra)];
    if (!isPlain(kernel, access, false)) return false;
    const Place place = placeOf(plan, access);
    stores.add(place.base, place.offset, place.offset + points);
  }
  stores.close();
  for (const Instr& instr : kernel.body) {
    if (instr.kind == InstrKind::Iota || instr.kind == InstrKind::Gather) return false;
    if (instr.kind == InstrKind::Compute && !canLower(static_cast<Op>(instr.op))) return false;
    if (instr.kind != InstrKind::Load) continue;
    const Access& access = kernel.accesses[static_cast<std::size_t>(instr.extra)];
    if (!isPlain(kernel, access, true)) return false;
    // What the last vector reads again must still be there.
    const Place place = placeOf(plan, access);
    if (stores.overlaps(place.base, place.offset, place.offset + points)) return false;
  }
  return true;
}

/// The kernel's elements from `first` on; false where an address is out of reach.
bool write(const Plan& plan, const Kernel& kernel, std::int64_t first, Code& code) {
  CodeWriter writer(code);
  Lowering lowering(writer);
  code.spillSlot = kScratchSlot;
  bool isInReach = true;
  const auto operand = [&](const Instr& instr) {
    const Access& access = kernel.accesses[static_cast<std::size_t>(instr.extra)];
    const Place place = placeOf(plan, access);
    const bool moves = kernel.maps[access.map].stride[0] == 1;
    const std::int64_t bytes = (place.offset + (moves ? first : 0)) * 8;
    isInReach = isInReach && bytes == static_cast<std::int32_t>(bytes);
    return MemoryOperand{static_cast<std::uint32_t>(place.base), moves, bytes};
  };
  std::vector<Lowering::Value> values(kernel.body.size());
  for (std::size_t i = 0; i < kernel.body.size(); ++i) {
    const Instr& instr = kernel.body[i];
    switch (instr.kind) {
      case InstrKind::Const:
        values[i].number = writer.constant(kernel.constants[static_cast<std::size_t>(instr.extra)]);
        break;
      case InstrKind::Load: {
        const MemoryOperand from = operand(instr);
        values[i].number = writer.read(from.isIndexed ? Micro::Load : Micro::Broadcast, from);
        break;
      }
      case InstrKind::Store:
        writer.store(operand(instr), lowering.number(values[instr.a]));
        break;
      default:
        if (!lowering.lower(static_cast<Op>(instr.op), values[instr.a], values[instr.b],
                            values[instr.c], values[i]))
          return false;
    }
  }
  return isInReach;
}

}  // namespace

bool DirectKernel::compile(const Plan& plan, const Kernel& kernel, JitBuilder& jit) {
  lanes_ = lanesOf(jit.instructionSet());
  const std::int64_t points = kernel.points();
  if (points < lanes_ || !isDirect(plan, kernel)) return false;
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

#pragma once

#include "exec/block.h"

namespace adjoint::exec {

constexpr std::int64_t kCacheDoubles = 32 * 1024 / 8;  ///< about the first-level cache
constexpr std::int64_t kMaxLanes = 512;

/// Slots that are not registers, until it is known how many registers there are: these bits mark
/// what else they count.
constexpr std::uint32_t kStream = 0x80000000u;
constexpr std::uint32_t kInvariant = 0x40000000u;
constexpr std::uint32_t kNumber = 0x20000000u;

struct SlotCounts {
  std::uint32_t streams = 0, invariants = 0;
};

/// Makes segments of a program's operations where there is `jit`, gives all slots their numbers,
/// chooses how many lanes a block has, and places everything in the scratch memory.
void layOut(BlockProgram& program, const SlotCounts& counts, std::int64_t mostLanes,
            JitBuilder* jit);

}  // namespace adjoint::exec

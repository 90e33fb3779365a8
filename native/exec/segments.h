#pragma once

#include <vector>

#include "exec/block.h"
#include "exec/jit.h"
#include "plan/kernel.h"

namespace adjoint::exec {

/// The same kernel with data movement before and after its operations, as far as operands allow, so
/// that operations form long runs.
Kernel groupOperations(const Kernel& kernel);

/// Takes the operations out of a program's body, one instruction of kind Segment for each run of
/// them. Slots are registers below `firstOther`. Registers that only segments use are taken out of
/// the register file: they get numbers from the new `program.registers` on.
std::vector<Segment> extractSegments(BlockProgram& program, std::uint32_t firstOther);

}  // namespace adjoint::exec

#pragma once

#include <functional>
#include <vector>

#include "exec/block.h"
#include "exec/code.h"
#include "plan/kernel.h"

namespace adjoint::exec {

/// What a slot of a block program is to generated code.
struct SlotPlace {
  enum class Kind : std::uint8_t {
    Lanes,     ///< vectors at `at`
    Number,    ///< one number, once at `at`
    Constant,  ///< `value`
  } kind = Kind::Lanes;
  MemoryOperand at;
  double value = 0;
};

/// Operations in a row over the lanes of a block, without data movement between them.
struct Segment {
  struct Operation {
    Op op = Op::Add;
    std::uint32_t d = 0, a = 0, b = 0, c = 0;  ///< slots
    bool isStored = true;                      ///< d is read from memory later
  };
  std::vector<Operation> operations;
};

/// The same kernel with data movement before and after its operations, as far as operands allow, so
/// that operations form long runs.
Kernel groupOperations(const Kernel& kernel);

/// The segment as instructions. `placeOf` says what a slot is that is read before it is written, or
/// stored.
Code codeOf(const Segment& segment, const std::function<SlotPlace(std::uint32_t)>& placeOf,
            std::uint32_t spillSlot);

/// Takes the operations out of a program's body, one instruction of kind Segment for each run of
/// them. Slots are registers below `firstOther`. Registers that only segments use are taken out of
/// the register file: they get numbers from the new `program.registers` on.
std::vector<Segment> extractSegments(BlockProgram& program, std::uint32_t firstOther);

}  // namespace adjoint::exec

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
  /// A sum to one number of lanes that the segment makes.
  struct Sum {
    std::uint32_t slot = 0, reduction = 0;
    bool isOnlyReader = false;  ///< of that slot, past the segment
  };
  std::vector<Sum> sums;
};

/// The same kernel with data movement before and after its operations, as far as operands allow, so
/// that operations form long runs.
Kernel groupOperations(const Kernel& kernel);

/// Where values are that a segment does not make, or that others read.
struct SegmentPlaces {
  std::function<SlotPlace(std::uint32_t)> ofSlot;
  /// Of a reduction's partials. None: sums are not the segment's affair.
  std::function<MemoryOperand(std::uint32_t)> ofPartials;
  std::uint32_t spillSlot = 0;
};

/// The segment as instructions.
Code codeOf(const Segment& segment, const SegmentPlaces& places);

/// Finds sums whose terms a segment makes right before they are added; at most `most` a segment.
void findSums(const BlockProgram& program, std::vector<Segment>& segments, std::size_t most);

/// Takes the operations out of a program's body, one instruction of kind Segment for each run of
/// them. Slots are registers below `firstOther`. Registers that only segments use are taken out of
/// the register file: they get numbers from the new `program.registers` on.
std::vector<Segment> extractSegments(BlockProgram& program, std::uint32_t firstOther);

}  // namespace adjoint::exec

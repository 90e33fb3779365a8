#include "exec/block.h"

namespace adjoint::exec {

SlotUse slotUseOf(BlockKind kind) {
  switch (kind) {
    case BlockKind::Splat:
    case BlockKind::Gather:
      return {1, true};
    case BlockKind::CopyStore:
    case BlockKind::WalkStore:
    case BlockKind::StoreKnown:
    case BlockKind::Reduce:
      return {1, false};
    case BlockKind::SplatLoad:
    case BlockKind::CopyLoad:
    case BlockKind::WalkLoad:
    case BlockKind::WalkIota:
    case BlockKind::LoadKnown:
      return {0, true};
    case BlockKind::Compute:
      return {3, true};
    case BlockKind::Inline:
    case BlockKind::Segment:
      break;
  }
  return {};
}

Place placeOf(const Plan& plan, const Access& access) {
  if (access.buffer >= plan.buffers.size()) brokenKernel("no such buffer");
  const Buffer& buffer = plan.buffers[access.buffer];
  return {buffer.base, buffer.offset + access.offset};
}

std::size_t BlockProgram::bytes() const {
  std::size_t n = sizeof(*this);
  n += (cells.capacity() + prologue.capacity() + body.capacity()) * sizeof(BlockInstr);
  n += segments.capacity() * (sizeof(CodeFunction) + sizeof(std::uint32_t));
  n += functions.capacity() * sizeof(ElementKernel) + numbers.capacity() * sizeof(Number);
  for (const Pattern& pattern : patterns)
    n += sizeof(Pattern) + pattern.dims.capacity() * sizeof(PatternDim);
  n += places.capacity() * sizeof(Place) + streams.capacity() * sizeof(Stream);
  n += windows.capacity() * sizeof(Window);
  n += periodics.capacity() * sizeof(Periodic) + walks.capacity() * sizeof(Walk);
  for (const Known& known : knownPlaces) n += sizeof(Known) + known.places.bytes();
  n += gathers.capacity() * sizeof(Gather) + reductions.capacity() * sizeof(Reduction);
  return n;
}

void linkBlock(BlockProgram& program, const JitModule& module) {
  for (const std::uint32_t number : program.segmentNumbers)
    program.segments.push_back(module.function(number));
  for (const std::uint32_t number : program.wholeNumbers)
    program.whole.push_back(module.function(number));
}

}  // namespace adjoint::exec

#include "exec/kernel_facts.h"

#include <algorithm>

namespace adjoint::exec {

const Access& accessOf(const Kernel& kernel, std::size_t i) {
  if (i >= kernel.accesses.size()) brokenKernel("no such access");
  const Access& result = kernel.accesses[i];
  if (result.map >= kernel.maps.size()) brokenKernel("no such map");
  return result;
}

KernelFacts::KernelFacts(const Plan& plan, const Kernel& kernel, BlockProgram& program)
    : plan_(plan), kernel_(kernel), body_(kernel.body), program_(program) {
  for (const IndexMap& map : kernel.maps)
    program.patterns.push_back(makePattern(map, kernel.extents));
  findKnownGathers();
  findLive();
  findAliases();
  chooseStores();
}

/// Gathers by indices that are constants.
void KernelFacts::findKnownGathers() {
  known_.assign(body_.size(), kNone);
  for (std::size_t i = 0; i < body_.size(); ++i) {
    if (body_[i].kind != InstrKind::Gather) continue;
    const Instr& index = body_[body_[i].a];
    if (index.kind != InstrKind::Load) continue;
    const auto at = static_cast<std::size_t>(index.extra);
    const Place constants = place(at);
    if (constants.base != Base::Constant) continue;
    const adjoint::Gather& gather = kernel_.gathers.at(static_cast<std::size_t>(body_[i].extra));
    const Place source = place(gather.access);
    auto known = placesOfGather({pattern(gather.access), gather.stride, gather.limit}, pattern(at),
                                plan_.constants.data() + constants.offset, program_.points);
    if (!known) continue;
    const std::int64_t readable = plan_.doubles(source.base) - source.offset;
    known_[i] = program_.addKnown(source, KnownPlaces::ofPlaces(std::move(*known), readable));
  }
}

void KernelFacts::findLive() {
  lastUse_.assign(body_.size(), kNone);
  for (std::size_t i = body_.size(); i-- > 0;) {
    if (!isLive(i)) continue;
    const Instr& instr = body_[i];
    const std::uint32_t operands[3] = {instr.a, instr.b, instr.c};
    const int n = operandsOf(i);
    for (int k = 0; k < n; ++k) {
      if (operands[k] >= i) brokenKernel("an operand that is not earlier");
      std::uint32_t& last = lastUse_[operands[k]];
      if (last == kNone) last = static_cast<std::uint32_t>(i);
    }
  }
}

void KernelFacts::findAliases() {
  for (std::size_t i = 0; i < body_.size(); ++i) {
    if (!isLive(i)) continue;
    const InstrKind kind = body_[i].kind;
    const auto extra = static_cast<std::size_t>(body_[i].extra);
    if (kind == InstrKind::Load || kind == InstrKind::Store) {
      const Reach reach = reachOf(extra);
      (kind == InstrKind::Load ? loads_ : stores_).add(reach.base, reach.from, reach.to);
    }
    if (kind == InstrKind::Gather) {
      const adjoint::Gather& gather = kernel_.gathers[extra];
      const Reach reach = reachOf(gather.access);
      const std::int64_t last = gather.stride * std::max<std::int64_t>(0, gather.limit - 1);
      loads_.add(reach.base, reach.from + std::min<std::int64_t>(0, last),
                 reach.to + std::max<std::int64_t>(0, last));
    }
  }
  loads_.close();
  stores_.close();
}

KernelFacts::Reach KernelFacts::reachOf(std::size_t access) const {
  const auto [base, offset] = place(access);
  const Pattern& walk = pattern(access);
  return {base, offset + walk.minOffset, offset + walk.maxOffset + 1};
}

bool KernelFacts::overlaps(const Intervals& list, std::size_t access) const {
  const Reach reach = reachOf(access);
  return list.overlaps(reach.base, reach.from, reach.to);
}

/// Points read or written when every block is rounded up to whole vectors.
std::int64_t KernelFacts::pointsInVectors() const {
  return program_.tile > 0 ? program_.points + 8 : roundUp(program_.points, 8);
}

/// A contiguous load, where rounding up stays within its base and no store comes between.
bool KernelFacts::isReadInPlace(std::size_t access) const {
  if (!pattern(access).contiguous() || isStored(access)) return false;
  const auto [base, offset] = place(access);
  return offset + pointsInVectors() <= plan_.doubles(base);
}

/// A contiguous store, where rounding up touches padding only.
bool KernelFacts::isWrittenInPlace(std::size_t i) const {
  if (!pattern(i).contiguous() || overlaps(loads_, i)) return false;
  if (program_.tile > 0 && program_.tileInner % 8 != 0) return false;
  if (program_.points % 8 == 0) return true;
  const Access& to = access(i);
  const std::int64_t elements = plan_.buffers[to.buffer].elements;
  return to.offset + program_.points >= elements &&
         to.offset + roundUp(program_.points, 8) <= roundUp(elements, 8);
}

void KernelFacts::chooseStores() {
  storeOf_.assign(body_.size(), kNone);
  for (std::size_t i = 0; i < body_.size(); ++i) {
    if (body_[i].kind != InstrKind::Store) continue;
    const auto to = static_cast<std::size_t>(body_[i].extra);
    if (pattern(to).windowed) brokenKernel("a window on a store");
    if (body_[body_[i].a].kind == InstrKind::Const) continue;
    std::uint32_t& chosen = storeOf_[body_[i].a];
    if (chosen == kNone && isWrittenInPlace(to)) chosen = static_cast<std::uint32_t>(i);
  }
}

}  // namespace adjoint::exec

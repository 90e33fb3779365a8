// Which instruction set code is written in, and what the targets of all of them share.
#include "exec/target.h"

#include <cstdlib>
#include <cstring>

#include "exec/target_asmjit.h"

#if defined(ADJOINT_ASMJIT)

#include <dlfcn.h>

#include <algorithm>
#include <tuple>

/// Debian's asmjit is a static library that is not position-independent where it names stderr,
/// which it writes to from failed assertions: a shared object links with it only if it has that
/// symbol itself.
__attribute__((visibility("hidden"))) void* adjointStderr __asm__("stderr") = nullptr;

namespace {

__attribute__((constructor)) void findStderr() {
  if (void* theirs = dlsym(RTLD_DEFAULT, "stderr")) adjointStderr = *static_cast<void**>(theirs);
}

}  // namespace

#endif

namespace adjoint::exec {
namespace {

std::vector<InstructionSet> findInstructionSets() {
  std::vector<InstructionSet> sets;
#if defined(ADJOINT_ASMJIT) && defined(__x86_64__)
  const auto& features = asmjit::CpuInfo::host().features().x86();
  const bool hasAvx2 = features.hasAVX2() && features.hasFMA();
  if (hasAvx2 && features.hasAVX512_F() && features.hasAVX512_DQ() && features.hasAVX512_VL())
    sets.push_back(InstructionSet::Avx512);
  if (hasAvx2) sets.push_back(InstructionSet::Avx2);
  if (features.hasSSE4_1()) sets.push_back(InstructionSet::Sse4);
#elif defined(ADJOINT_ASMJIT) && defined(__aarch64__)
  sets.push_back(InstructionSet::Neon);
#endif
  return sets;
}

}  // namespace

const std::vector<InstructionSet>& instructionSets() {
  static const std::vector<InstructionSet> sets = findInstructionSets();
  return sets;
}

const char* nameOf(InstructionSet set) {
  constexpr const char* kNames[] = {"off", "sse4", "avx2", "avx512", "neon"};
  return kNames[static_cast<int>(set)];
}

int registersOf(InstructionSet set) {
  return set == InstructionSet::Avx512 || set == InstructionSet::Neon ? 32 : 16;
}

int lanesOf(InstructionSet set) {
  constexpr int kLanes[] = {0, 2, 4, 8, 2};
  return kLanes[static_cast<int>(set)];
}

InstructionSet chosenInstructionSet() {
  const std::vector<InstructionSet>& sets = instructionSets();
  if (const char* setting = std::getenv("ADJOINT_JIT")) {
    if (std::strcmp(setting, nameOf(InstructionSet::None)) == 0) return InstructionSet::None;
    for (const InstructionSet set : sets) {
      if (std::strcmp(setting, nameOf(set)) == 0) return set;
    }
  }
  return sets.empty() ? InstructionSet::None : sets.front();
}

#if defined(ADJOINT_ASMJIT)

std::vector<std::uint32_t> slotsByUse(const Code& code) {
  std::vector<std::uint32_t> named;
  for (const MemoryOperand& m : code.memory) named.push_back(m.slot);
  named.push_back(code.spillSlot);
  std::ranges::sort(named);
  std::vector<std::pair<std::ptrdiff_t, std::uint32_t>> counts;
  for (auto at = named.begin(); at != named.end();) {
    const auto last = std::upper_bound(at, named.end(), *at);
    counts.emplace_back(last - at, *at);
    at = last;
  }
  const auto isMoving = [&](std::uint32_t slot) {
    return std::ranges::find(code.moving, slot, &MovingSlot::slot) != code.moving.end();
  };
  std::ranges::stable_sort(counts, std::greater{}, [&](const auto& c) {
    return std::tuple{c.second == code.spillSlot, isMoving(c.second), c.first};
  });
  std::vector<std::uint32_t> slots;
  for (const auto& [count, slot] : counts) slots.push_back(slot);
  return slots;
}

std::string bytesOf(asmjit::CodeHolder& holder, const Failure& failure) {
  if (failure.failed || holder.flatten() != asmjit::kErrorOk ||
      holder.resolveUnresolvedLinks() != asmjit::kErrorOk ||
      holder.relocateToBase(0) != asmjit::kErrorOk)
    return {};
  std::string bytes(holder.codeSize(), '\0');
  if (holder.copyFlattenedData(bytes.data(), bytes.size()) != asmjit::kErrorOk) return {};
  return failure.failed ? std::string() : bytes;
}

#endif

std::unique_ptr<Target> makeTarget([[maybe_unused]] InstructionSet set,
                                   [[maybe_unused]] const Code& code) {
#if defined(ADJOINT_ASMJIT) && defined(__x86_64__)
  if (set == InstructionSet::Sse4) return makeSseTarget(code);
  if (set == InstructionSet::Avx2) return makeAvxTarget(code, false);
  if (set == InstructionSet::Avx512) return makeAvxTarget(code, true);
#elif defined(ADJOINT_ASMJIT) && defined(__aarch64__)
  if (set == InstructionSet::Neon) return makeNeonTarget(code);
#endif
  return nullptr;
}

}  // namespace adjoint::exec

#pragma once

#include "exec/target.h"

#if defined(ADJOINT_ASMJIT)

#include <asmjit/core.h>

/// What the targets share that write with asmjit's assemblers.
namespace adjoint::exec {

constexpr std::int64_t kDouble = sizeof(double);
/// Bytes from the address in Code::spillSlot to the first spill slot.
constexpr std::int64_t kSpillStart = (Code::kCallDoubles + Code::kSavedDoubles) * kDouble;

/// An instruction that cannot be written makes the whole code fail.
class Failure : public asmjit::ErrorHandler {
 public:
  void handleError(asmjit::Error, const char*, asmjit::BaseEmitter*) override { failed = true; }
  bool failed = false;
};

/// The slots that a code names: first that of spilled values, those whose addresses move, then
/// those named most often.
std::vector<std::uint32_t> slotsByUse(const Code& code);

/// The written bytes, or none.
std::string bytesOf(asmjit::CodeHolder& holder, const Failure& failure);

std::unique_ptr<Target> makeSseTarget(const Code& code);
std::unique_ptr<Target> makeAvxTarget(const Code& code, bool isWide);
std::unique_ptr<Target> makeNeonTarget(const Code& code);

}  // namespace adjoint::exec

#endif

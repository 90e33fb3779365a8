#include "exec/uses.h"

#include <algorithm>
#include <functional>

namespace adjoint::exec {

Uses::Uses(const Code& code)
    : code_(code), first_(code.ops.size(), kNever), later_(3 * code.ops.size(), kNever) {
  const std::size_t size = code.ops.size();
  for (const LoopSum& sum : code.sums) first_[sum.value] = static_cast<std::uint32_t>(size);
  for (std::size_t i = size; i-- > 0;) {
    const MicroOp& op = code.ops[i];
    if (!hasEffect(op.kind) && first_[i] == kNever) continue;
    const std::uint32_t operands[3] = {op.a, op.b, op.c};
    const int n = arityOf(op.kind);
    for (int k = 0; k < n; ++k) later_[3 * i + static_cast<std::size_t>(k)] = first_[operands[k]];
    for (int k = 0; k < n; ++k) first_[operands[k]] = static_cast<std::uint32_t>(i);
  }
}

bool Uses::isReadOnlyNext(std::uint32_t v) const {
  std::size_t next = std::size_t{v} + 1;
  while (next < code_.ops.size() && isReread(code_.ops[next].kind)) ++next;
  if (next == code_.ops.size() || first_[v] != next) return false;
  const MicroOp& reader = code_.ops[next];
  const bool decides = reader.kind == Micro::Guard || reader.kind == Micro::Select;
  return decides && reader.a == v && reader.b != v && reader.c != v && *later(next) == kNever;
}

bool Uses::isInvariant(std::uint32_t v) const {
  const MicroOp& op = code_.ops[v];
  return op.kind == Micro::Constant || op.kind == Micro::Pattern ||
         (op.kind == Micro::Broadcast &&
          !code_.memory[static_cast<std::size_t>(op.extra)].isIndexed);
}

/// Calls `visit` with each operand of an instruction that somebody wants, and its next reader.
template <class Visit>
void Uses::visit(std::size_t i, Visit visit) const {
  const MicroOp& op = code_.ops[i];
  if (!hasEffect(op.kind) && first_[i] == kNever) return;
  const std::uint32_t operands[3] = {op.a, op.b, op.c};
  const int n = arityOf(op.kind);
  for (int k = 0; k < n; ++k) visit(operands[k], later(i)[k]);
}

int Uses::pressure() const {
  int held = 0, most = 0;
  BigVector<std::uint8_t> isHeld(code_.ops.size(), 0);
  for (std::size_t i = 0; i < code_.ops.size(); ++i) {
    visit(i, [&](std::uint32_t v, std::uint32_t next) {
      if (isInvariant(v)) return;
      const bool isSoon = next != kNever && next - i < kSoon;
      const bool isKept = isReread(code_.ops[v].kind) ? isSoon : next != kNever;
      held += isKept - isHeld[v];
      isHeld[v] = isKept;
    });
    const bool isValue = !hasEffect(code_.ops[i].kind) && !isReread(code_.ops[i].kind);
    if (isValue && first_[i] != kNever) {
      ++held;
      isHeld[i] = 1;
    }
    most = std::max(most, held);
  }
  return most;
}

std::vector<std::uint32_t> Uses::invariants() const {
  std::vector<std::uint32_t> uses(code_.ops.size(), 0), result;
  for (std::size_t i = 0; i < code_.ops.size(); ++i) {
    if (code_.ops[i].kind == Micro::Call) return {};
    visit(i, [&](std::uint32_t v, std::uint32_t) {
      if (isInvariant(v) && uses[v]++ == 0) result.push_back(v);
    });
  }
  std::ranges::stable_sort(result, std::greater{}, [&](std::uint32_t v) { return uses[v]; });
  return result;
}

}  // namespace adjoint::exec

#include "exec/row_places.h"

#include <algorithm>

namespace adjoint::exec {
namespace {

/// Of addresses in instructions.
constexpr std::int64_t kMostDoubles = (std::int64_t{1} << 31) / 8;

}  // namespace

RowPlaces::RowPlaces(const Plan& plan, const LoopStep& step) {
  for (const LoopStep::Port& port : step.streams)
    if (!port.isUniform) add(plan, port);
  for (const LoopStep::Port& port : step.results) add(plan, port);
}

void RowPlaces::add(const Plan& plan, const LoopStep::Port& port) {
  if (port.buffer == LoopStep::kNone) return;
  const Buffer& buffer = plan.buffers[port.buffer];
  if (buffer.offset + port.elements >= kMostDoubles) return;
  const auto same = std::ranges::find_if(walks_, [&](const Walk& walk) {
    return walk.base == buffer.base && walk.elements == port.elements;
  });
  if (same == walks_.end() && walks_.size() == kMostWalks) return;
  const auto slot = kFirstSlot + static_cast<std::uint32_t>(same - walks_.begin());
  if (same == walks_.end()) walks_.push_back({buffer.base, port.elements});
  rows_.push_back({port.inside, port.elements, buffer.offset, slot});
}

bool RowPlaces::contains(std::int64_t inside) const {
  return std::ranges::any_of(rows_, [&](const Row& row) { return row.inside == inside; });
}

void RowPlaces::apply(Code& code) const {
  for (MemoryOperand& operand : code.memory) {
    if (operand.slot != static_cast<std::uint32_t>(Base::Temp)) continue;
    const auto row = std::ranges::find_if(rows_, [&](const Row& r) {
      return operand.offset >= r.inside * 8 && operand.offset < (r.inside + r.elements) * 8;
    });
    if (row == rows_.end()) continue;
    operand.slot = row->slot;
    operand.offset += (row->outside - row->inside) * 8;
  }
}

}  // namespace adjoint::exec

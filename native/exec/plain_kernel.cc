#include "exec/plain_kernel.h"

#include "exec/alias.h"

namespace adjoint::exec {
namespace {

constexpr std::size_t kMostOperations = 1000;

const Access& accessOf(const Kernel& kernel, const Instr& instr) {
  return kernel.accesses[static_cast<std::size_t>(instr.extra)];
}

/// Whether the one loop walks the access element by element, or not at all where that is allowed.
bool isPlain(const Kernel& kernel, const Access& access, bool mayStand) {
  const IndexMap& map = kernel.maps[access.map];
  return map.windows.empty() && (map.stride[0] == 1 || (mayStand && map.stride[0] == 0));
}

}  // namespace

bool isPlainKernel(const Plan& plan, const Kernel& kernel) {
  if (kernel.extents.size() != 1 || kernel.body.size() > kMostOperations) return false;
  if (!kernel.reductions.empty() || !kernel.gathers.empty()) return false;
  const std::int64_t points = kernel.points();
  Intervals stores;
  for (const Instr& instr : kernel.body) {
    if (instr.kind != InstrKind::Store) continue;
    const Access& access = accessOf(kernel, instr);
    if (!isPlain(kernel, access, false)) return false;
    const Place place = placeOf(plan, access);
    stores.add(place.base, place.offset, place.offset + points);
  }
  stores.close();
  for (const Instr& instr : kernel.body) {
    if (instr.kind == InstrKind::Iota || instr.kind == InstrKind::Gather) return false;
    if (instr.kind == InstrKind::Compute && !canLower(static_cast<Op>(instr.op))) return false;
    if (instr.kind != InstrKind::Load) continue;
    const Access& access = accessOf(kernel, instr);
    if (!isPlain(kernel, access, true)) return false;
    // What the last vector reads again must still be there.
    const Place place = placeOf(plan, access);
    if (stores.overlaps(place.base, place.offset, place.offset + points)) return false;
  }
  return true;
}

bool writePlainKernel(const Plan& plan, const Kernel& kernel, CodeWriter& writer,
                      const std::function<MemoryOperand(const Place&, bool moves)>& operand,
                      const std::function<void(const Access&, std::uint32_t value)>& store) {
  Lowering lowering(writer);
  std::vector<Lowering::Value> values(kernel.body.size());
  for (std::size_t i = 0; i < kernel.body.size(); ++i) {
    const Instr& instr = kernel.body[i];
    switch (instr.kind) {
      case InstrKind::Const:
        values[i].number = writer.constant(kernel.constants[static_cast<std::size_t>(instr.extra)]);
        break;
      case InstrKind::Load: {
        const Access& access = accessOf(kernel, instr);
        const bool moves = kernel.maps[access.map].stride[0] == 1;
        values[i].number = writer.read(moves ? Micro::Load : Micro::Broadcast,
                                       operand(placeOf(plan, access), moves));
        break;
      }
      case InstrKind::Store:
        store(accessOf(kernel, instr), lowering.number(values[instr.a]));
        break;
      default:
        if (!lowering.lower(static_cast<Op>(instr.op), values[instr.a], values[instr.b],
                            values[instr.c], values[i]))
          return false;
    }
  }
  return true;
}

}  // namespace adjoint::exec

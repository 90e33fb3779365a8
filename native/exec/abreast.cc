#include "exec/abreast.h"

#include <array>

#include "exec/uses.h"

namespace adjoint::exec {
namespace {

class Doubler {
 public:
  Doubler(const Code& code, std::int64_t distance) : code_(code) {
    for (auto& map : maps_) map.resize(code.ops.size());
    result_.spillSlot = code.spillSlot;
    result_.constants = code.constants;
    result_.calls = code.calls;
    result_.memory = code.memory;
    for (MemoryOperand operand : code.memory) {
      if (operand.isIndexed) operand.offset += distance;
      result_.memory.push_back(operand);
    }
  }

  Code run() {
    for (std::size_t i = 0; i < code_.ops.size();) {
      const std::size_t end = endOfGroup(i);
      for (const std::size_t which : {0, 1})
        for (std::size_t k = i; k < end; ++k) emit(k, which);
      i = end;
    }
    return std::move(result_);
  }

 private:
  /// A comparison and what decides by it stay together: then its mask needs no register.
  std::size_t endOfGroup(std::size_t i) const {
    if (code_.ops[i].kind != Micro::Compare) return i + 1;
    std::size_t next = i + 1;
    while (next < code_.ops.size() && isReread(code_.ops[next].kind)) ++next;
    if (next == code_.ops.size()) return i + 1;
    const MicroOp& reader = code_.ops[next];
    const bool decides = reader.kind == Micro::Guard || reader.kind == Micro::Select;
    return decides && reader.a == i ? next + 1 : i + 1;
  }

  bool isMemory(Micro kind) const {
    return kind == Micro::Load || kind == Micro::Broadcast || kind == Micro::LoadNow ||
           kind == Micro::Store;
  }

  void emit(std::size_t i, std::size_t which) {
    MicroOp op = code_.ops[i];
    const bool isOne =
        op.kind == Micro::Constant || (op.kind == Micro::Broadcast &&
                                       !code_.memory[static_cast<std::size_t>(op.extra)].isIndexed);
    if (which == 1 && isOne) {
      maps_[1][i] = maps_[0][i];
      return;
    }
    std::uint32_t* const operands[3] = {&op.a, &op.b, &op.c};
    for (int k = 0; k < arityOf(op.kind); ++k) *operands[k] = maps_[which][*operands[k]];
    if (which == 1 && isMemory(op.kind)) op.extra += static_cast<std::int32_t>(code_.memory.size());
    maps_[which][i] = static_cast<std::uint32_t>(result_.ops.size());
    result_.ops.push_back(op);
  }

  const Code& code_;
  Code result_;
  std::array<std::vector<std::uint32_t>, 2> maps_;
};

}  // namespace

Code twoAbreast(const Code& code, std::int64_t distance) { return Doubler(code, distance).run(); }

}  // namespace adjoint::exec

#include "exec/overlap.h"

#include <algorithm>
#include <unordered_map>

#include "exec/uses.h"
#include "ops/order.h"

namespace adjoint::exec {
namespace {

/// Operations in their order among which the next one is looked for.
constexpr std::size_t kWindow = 256;
/// A processor looks so far ahead by itself: past the end of short code into its next round.
constexpr std::size_t kShort = 128;
/// Operations begun in a cycle.
constexpr std::int64_t kWidth = 3;
/// Registers for operands from memory.
constexpr int kForOperands = 3;
/// Values that may wait beside those that do so in the order given, where these are more than there
/// are registers: most of those wait for long, and in memory.
constexpr int kMoreWaiting = 4;

/// Cycles until the result is there.
std::int64_t latencyOf(Micro kind) {
  switch (kind) {
    case Micro::Div:
    case Micro::Sqrt:
      return 15;
    case Micro::And:
    case Micro::Or:
    case Micro::Xor:
    case Micro::AddBits:
    case Micro::ShiftLeft:
    case Micro::ShiftRight:
    case Micro::Select:
    case Micro::Negative:
    case Micro::Guard:
      return 1;
    default:
      return 4;
  }
}

class Scheduler {
 public:
  Scheduler(const Code& code, InstructionSet set)
      : code_(code), uses_(code), room_(room(set)), position_(code.ops.size()) {}

  Code run() {
    findUnits();
    if (units_.size() <= kShort) return code_;
    result_ = code_;
    result_.ops.clear();
    result_.ops.reserve(code_.ops.size());
    std::size_t first = 0;  // all units before are done
    while (true) {
      while (first < units_.size() && units_[first].isDone) ++first;
      if (first == units_.size()) break;
      place(units_[next(first)]);
    }
    for (LoopSum& sum : result_.sums) {
      if (isReread(code_.ops[sum.value].kind)) read(sum.value);
      sum.value = position_[sum.value];
    }
    return std::move(result_);
  }

 private:
  /// An operation, or a comparison and what decides by it.
  struct Unit {
    std::uint32_t first = 0, last = 0;
    bool isDone = false;
    std::vector<std::uint32_t> overwritten;  ///< of stores: values that are read before
  };

  /// How many values may wait.
  int room(InstructionSet set) const {
    const auto partials = static_cast<int>(code_.sums.size() * kSumLanes) / lanesOf(set);
    return std::max(registersOf(set) - kForOperands - partials, uses_.pressure() + kMoreWaiting);
  }

  /// Whether it keeps its place among others of the kind.
  bool isOrdered(const Unit& unit) const {
    const Micro kind = code_.ops[unit.last].kind;
    return hasEffect(kind) || kind == Micro::LoadNow;
  }

  template <class Visit>
  void visitReads(const Unit& unit, Visit visit) const {
    for (const std::uint32_t i : {unit.first, unit.last}) {
      const MicroOp& op = code_.ops[i];
      const std::uint32_t operands[3] = {op.a, op.b, op.c};
      for (int k = 0; k < arityOf(op.kind); ++k) {
        const bool isOwn = i == unit.last && operands[k] == unit.first && unit.first != unit.last;
        if (!isOwn) visit(operands[k]);
      }
      if (unit.first == unit.last) break;
    }
  }
  /// But for what is read from memory.
  template <class Visit>
  void visitOperands(const Unit& unit, Visit visit) const {
    visitReads(unit, [&](std::uint32_t v) {
      if (!isReread(code_.ops[v].kind)) visit(v);
    });
  }

  void findUnits() {
    const std::size_t size = code_.ops.size();
    ready_.assign(size, 0);
    isMade_.assign(size, 0);
    readers_.assign(size, 0);
    for (std::uint32_t i = 0; i < size; ++i) {
      const MicroOp& op = code_.ops[i];
      if (isReread(op.kind) || (!hasEffect(op.kind) && uses_.first(i) == Uses::kNever)) continue;
      Unit unit{i, i, false, {}};
      if (op.kind == Micro::Compare && uses_.isReadOnlyNext(i)) unit.last = i = uses_.first(i);
      if (op.kind == Micro::Store) unit.overwritten = loadsOf(op, i);
      units_.push_back(unit);
      visitReads(unit, [&](std::uint32_t v) { ++readers_[v]; });
    }
    for (const LoopSum& sum : code_.sums) ++readers_[sum.value];
  }

  /// The values before i that are read from where an instruction writes: memory may be used again
  /// for other values.
  std::vector<std::uint32_t> loadsOf(const MicroOp& store, std::uint32_t i) {
    const auto keyOf = [this](const MicroOp& op) {
      const MemoryOperand& at = code_.memory[static_cast<std::size_t>(op.extra)];
      return static_cast<std::uint64_t>(at.offset) ^ std::uint64_t{at.slot} << 40;
    };
    for (; read_ < i; ++read_) {
      const Micro kind = code_.ops[read_].kind;
      if (kind == Micro::Load || kind == Micro::Broadcast)
        loads_[keyOf(code_.ops[read_])].push_back(read_);
    }
    const auto found = loads_.find(keyOf(store));
    return found == loads_.end() ? std::vector<std::uint32_t>() : found->second;
  }

  bool overwritesUnread(const Unit& unit) const {
    return std::ranges::any_of(unit.overwritten, [&](std::uint32_t v) { return readers_[v] > 0; });
  }

  /// The unit to come next: of those near the first one that is left, the first whose operands are
  /// there by now, or will be soonest; one that takes a register only as long as there is room.
  std::size_t next(std::size_t first) {
    const std::size_t end = std::min(units_.size(), first + kWindow);
    std::size_t best = first;
    std::int64_t soonest = readyAt(units_[first]);
    bool isBehindOrdered = isOrdered(units_[first]);
    for (std::size_t u = first + 1; u < end && soonest > now_; ++u) {
      const Unit& unit = units_[u];
      if (unit.isDone) continue;
      if (isOrdered(unit)) {
        if (isBehindOrdered) continue;
        isBehindOrdered = true;
      }
      const std::int64_t ready = readyAt(unit);
      if (ready < 0 || ready >= soonest || overwritesUnread(unit) ||
          (held_ + growth(unit) > room_ && growth(unit) > 0))
        continue;
      best = u;
      soonest = ready;
    }
    return best;
  }

  /// When its operands are there; -1: some are not even begun.
  std::int64_t readyAt(const Unit& unit) const {
    std::int64_t ready = 0;
    bool isBegun = true;
    visitOperands(unit, [&](std::uint32_t v) {
      isBegun = isBegun && isMade_[v];
      ready = std::max(ready, ready_[v]);
    });
    return isBegun ? ready : -1;
  }

  /// Registers that it takes more than it gives back.
  int growth(const Unit& unit) const {
    int growth = hasEffect(code_.ops[unit.last].kind) ? 0 : 1;
    std::uint32_t seen[6];
    int count = 0;
    visitOperands(unit, [&](std::uint32_t v) {
      if (std::find(seen, seen + count, v) != seen + count) return;
      seen[count++] = v;
      std::uint32_t reads = 0;
      visitOperands(unit, [&](std::uint32_t other) { reads += other == v; });
      growth -= readers_[v] == reads;
    });
    return growth;
  }

  void place(Unit& unit) {
    held_ += growth(unit);
    const std::int64_t begin = std::max(now_, readyAt(unit));
    visitReads(unit, [&](std::uint32_t v) { --readers_[v]; });
    for (const std::uint32_t i : {unit.first, unit.last}) {
      emit(i);
      if (unit.first == unit.last) break;
    }
    isMade_[unit.last] = 1;
    ready_[unit.last] = begin + latencyOf(code_.ops[unit.last].kind);
    unit.isDone = true;
    if (begin > now_) now_ = begin, begun_ = 0;
    if (++begun_ == kWidth) ++now_, begun_ = 0;
  }

  /// What is read from memory comes before its first reader.
  void emit(std::uint32_t i) {
    MicroOp op = code_.ops[i];
    std::uint32_t* const operands[3] = {&op.a, &op.b, &op.c};
    for (int k = 0; k < arityOf(op.kind); ++k) {
      const std::uint32_t v = *operands[k];
      if (isReread(code_.ops[v].kind)) read(v);
      *operands[k] = position_[v];
    }
    append(i, op);
  }

  void read(std::uint32_t v) {
    if (!isMade_[v]) append(v, code_.ops[v]);
    isMade_[v] = 1;
  }

  void append(std::uint32_t i, const MicroOp& op) {
    position_[i] = static_cast<std::uint32_t>(result_.ops.size());
    result_.ops.push_back(op);
  }

  const Code& code_;
  const Uses uses_;
  const int room_;
  Code result_;
  std::vector<Unit> units_;
  std::vector<std::uint32_t> position_;  ///< of each value in the result
  std::vector<std::uint32_t> readers_;   ///< reads that are to come
  std::vector<std::int64_t> ready_;      ///< when each value is there
  std::vector<std::uint8_t> isMade_;
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> loads_;  ///< by place
  std::uint32_t read_ = 0;  ///< instructions before are in there
  std::int64_t now_ = 0, begun_ = 0;
  int held_ = 0;  ///< values that are waiting
};

}  // namespace

Code overlapped(const Code& code, InstructionSet set) {
  return code.ops.size() <= kShort ? code : Scheduler(code, set).run();
}

}  // namespace adjoint::exec

// Scalar kernels for the code generator.
#include <algorithm>

#include "exec/alias.h"
#include "exec/scalar.h"
#include "exec/schedule.h"

namespace adjoint::exec {
namespace {

constexpr std::uint32_t kScratchSlot = kBases;  ///< after the memories by Base
constexpr std::size_t kMostLanes = 8;
constexpr std::size_t kWorthACall = 3;
/// Calls are collected over so many instructions; more would keep too many values waiting.
constexpr std::size_t kWindow = 1024;

class Compiler {
 public:
  Compiler(const Plan& plan, const Kernel& kernel, Code& code)
      : plan_(plan),
        kernel_(kernel),
        body_(kernel.body),
        size_(kernel.body.size()),
        writer_(code),
        code_(code),
        lowering_(writer_) {}

  bool run() {
    code_.isScalar = true;
    code_.spillSlot = kScratchSlot;
    if (!readBody()) return false;
    values_.resize(size_);
    for (std::size_t from = 0; from < size_; from += kWindow)
      emitWindow(from, std::min(size_, from + kWindow));
    return isInReach_;
  }

 private:
  static bool isEffect(const Instr& instr) {
    return instr.kind == InstrKind::Store || instr.kind == InstrKind::Reduce;
  }
  /// Operations of many instructions are called if several lanes can be filled.
  static bool isCall(const Instr& instr) {
    const Op op = static_cast<Op>(instr.op);
    return instr.kind == InstrKind::Compute && (hasCore(op) || !canLower(op));
  }

  /// What is written; false for computed addresses.
  bool readBody() {
    for (const Instr& instr : body_) {
      if (instr.kind == InstrKind::Gather) return false;
      if (!isEffect(instr)) continue;
      const Place place = target(instr).place;
      stores_.add(place.base, place.offset, place.offset + 1);
    }
    stores_.close();
    return true;
  }

  Point target(const Instr& instr) const {
    const auto extra = static_cast<std::size_t>(instr.extra);
    if (instr.kind == InstrKind::Store) return pointOf(plan_, kernel_, extra);
    // One term: the reduction is that term.
    const adjoint::Reduction& reduction = kernel_.reductions.at(extra);
    return pointOf(plan_, kernel_, reduction.access, reduction.reducedLoops);
  }

  /// Calls that do not wait for each other come together, so that one computes several lanes.
  void emitWindow(std::size_t from, std::size_t to) {
    waves_.clear();
    order_.clear();
    for (std::size_t i = from; i < to; ++i) {
      const Instr& instr = body_[i];
      // Even waves compute, odd ones call.
      std::uint32_t wave = 0;
      const std::uint32_t operands[3] = {instr.a, instr.b, instr.c};
      const int n = arityOf(instr);
      for (int k = 0; k < n; ++k) {
        if (operands[k] >= from) wave = std::max(wave, waves_[operands[k] - from]);
      }
      wave += isCall(instr) ? 1 + wave % 2 : wave % 2;
      waves_.push_back(wave);
      order_.push_back({wave, instr.op, static_cast<std::uint32_t>(i)});
    }
    std::ranges::stable_sort(order_, [](const Item& x, const Item& y) {
      if (x.wave != y.wave) return x.wave < y.wave;
      return x.wave % 2 == 1 && x.op < y.op;
    });
    for (std::size_t at = 0; at < order_.size();) {
      const Instr& instr = body_[order_[at].index];
      if (!isCall(instr)) {
        emitOne(order_[at++].index);
        continue;
      }
      std::size_t end = at + 1;
      while (end < order_.size() && end - at < kMostLanes && order_[end].wave == order_[at].wave &&
             order_[end].op == instr.op && body_[order_[end].index].extra == instr.extra)
        ++end;
      if (end - at < kWorthACall && hasCore(static_cast<Op>(instr.op))) {
        for (; at < end; ++at) emitOne(order_[at].index);
      } else {
        emitCall(at, end);
      }
      at = end;
    }
  }

  struct Item {
    std::uint32_t wave;
    OpCode op;
    std::uint32_t index;
  };

  static MemoryOperand laneOf(std::int64_t operand, std::size_t lane) {
    return {kScratchSlot, false, (operand * 8 + static_cast<std::int64_t>(lane)) * 8};
  }

  void emitCall(std::size_t from, std::size_t to) {
    const Instr& first = body_[order_[from].index];
    const Row& row = rowOf(static_cast<Op>(first.op));
    for (std::size_t at = from; at < to; ++at) {
      const Instr& instr = body_[order_[at].index];
      const std::uint32_t operands[3] = {instr.a, instr.b, instr.c};
      for (int k = 0; k < row.arity; ++k)
        writer_.store(laneOf(k + 1, at - from), lowering_.number(values_[operands[k]]));
    }
    code_.calls.push_back({row.kernel, first.extra, static_cast<std::int32_t>(to - from)});
    writer_.add(Micro::Call, 0, 0, 0, static_cast<std::int32_t>(code_.calls.size() - 1));
    for (std::size_t at = from; at < to; ++at)
      values_[order_[at].index].number = writer_.read(Micro::LoadNow, laneOf(0, at - from));
  }

  MemoryOperand operand(const Place& place) {
    const std::int64_t bytes = place.offset * 8;
    if (bytes != static_cast<std::int32_t>(bytes)) isInReach_ = false;
    return {static_cast<std::uint32_t>(place.base), false, bytes};
  }

  void emitOne(std::uint32_t i) {
    const Instr& instr = body_[i];
    Lowering::Value& value = values_[i];
    switch (instr.kind) {
      case InstrKind::Compute:
        lowering_.lower(static_cast<Op>(instr.op), values_[instr.a], values_[instr.b],
                        values_[instr.c], value);
        break;
      case InstrKind::Const:
        value.number =
            writer_.constant(kernel_.constants.at(static_cast<std::size_t>(instr.extra)));
        break;
      case InstrKind::Iota:
        value.number = writer_.constant(0.0);
        break;
      case InstrKind::Load: {
        const Point p = pointOf(plan_, kernel_, static_cast<std::size_t>(instr.extra));
        if (!p.inside) {
          value.number = writer_.constant(p.fill);
          break;
        }
        // What is written later is read before that.
        const bool isWritten = stores_.overlaps(p.place.base, p.place.offset, p.place.offset + 1);
        value.number = writer_.read(isWritten ? Micro::LoadNow : Micro::Load, operand(p.place));
        break;
      }
      case InstrKind::Store:
      case InstrKind::Reduce:
        writer_.store(operand(target(instr).place), lowering_.number(values_[instr.a]));
        break;
      case InstrKind::Gather:
        break;
    }
  }

  const Plan& plan_;
  const Kernel& kernel_;
  const BigVector<Instr>& body_;
  const std::size_t size_;
  CodeWriter writer_;
  Code& code_;
  Lowering lowering_;
  Intervals stores_;
  BigVector<Lowering::Value> values_;
  std::vector<std::uint32_t> waves_;
  std::vector<Item> order_;
  bool isInReach_ = true;
};

}  // namespace

bool compileScalar(const Plan& plan, const Kernel& kernel, Code& code) {
  const Kernel ordered = scheduled(kernel);
  return Compiler(plan, ordered, code).run();
}

}  // namespace adjoint::exec

// Registers for straight-line code: one walk in program order; the value that is wanted last gives
// way (L. A. Belady, A study of replacement algorithms for a virtual-storage computer, 1966).
// Linear in the length of the code.
#include <algorithm>
#include <bit>
#include <functional>

#include "exec/target.h"
#include "exec/uses.h"
#include "ops/order.h"

namespace adjoint::exec {
namespace {

constexpr std::uint32_t kNever = Uses::kNever;
/// Owns registers of partial sums.
constexpr std::uint32_t kPartials = 0xfffffffeu;
/// A spilled value that is wanted again this soon gets a slot with a short address.
constexpr std::uint32_t kNearUse = 300;
constexpr std::uint32_t kNearSpills = Code::kNearSpills;

class Assigner {
 public:
  Assigner(const Code& code, Target& target)
      : code_(code),
        target_(target),
        size_(code.ops.size()),
        uses_(code),
        owner_(static_cast<std::size_t>(target.registers()), kNever) {}

  std::string run() {
    nextUse_.resize(size_);
    for (std::uint32_t v = 0; v < size_; ++v) nextUse_[v] = uses_.first(v);
    register_.assign(size_, -1);
    spill_.assign(size_, kNever);
    for (std::uint32_t slot = kNearSpills; slot-- > 0;) freeNear_.push_back(slot);
    target_.begin();
    if (!code_.isScalar) {
      keepPartials();
      keepInvariants();
      target_.beginLoop();
    }
    for (at_ = 0; at_ < size_; ++at_) {
      askForLines();
      step(at_);
    }
    for (std::size_t k = 0; k < code_.sums.size(); ++k) addToPartials(code_.sums[k].value, k);
    if (!code_.isScalar) target_.endLoop();
    visitPartials([&](int r, const Source& partials) { target_.store(partials, r); });
    return target_.end();
  }

 private:
  // --- sums of lanes -----------------------------------------------------------------------------

  /// Vectors that hold the partials of a sum, in registers of their own.
  int vectorsOfPartials() const { return static_cast<int>(kSumLanes) / target_.lanes(); }

  template <class Visit>
  void visitPartials(Visit visit) const {
    int r = 0;
    for (const LoopSum& sum : code_.sums) {
      for (int i = 0; i < vectorsOfPartials(); ++i) {
        const int memory = i * target_.lanes() / 2;
        visit(r++,
              Source{Source::Kind::Memory, 0, sum.partials + static_cast<std::uint32_t>(memory)});
      }
    }
  }

  void keepPartials() {
    visitPartials([&](int r, const Source& partials) {
      target_.load(r, partials);
      owner_[static_cast<std::size_t>(r)] = kPartials;
      kept_ |= 1u << r;
    });
  }

  /// The next vector of partials is always in the first register.
  void addToPartials(std::uint32_t v, std::size_t k) {
    pinned_ = 0;
    bringIn(v);
    const int vectors = vectorsOfPartials();
    const int first = static_cast<int>(k) * vectors;
    const bool isLast =
        std::none_of(code_.sums.begin() + static_cast<std::ptrdiff_t>(k) + 1, code_.sums.end(),
                     [v](const LoopSum& sum) { return sum.value == v; });
    const int sum = isLast && !isKept(v) ? register_[v] : takeRegister();
    const Source operands[] = {{Source::Kind::Register, first, 0},
                               {Source::Kind::Register, register_[v], 0}};
    target_.operate({.kind = Micro::Add}, sum, operands[0], operands[1], {});
    for (int i = 0; i + 1 < vectors; ++i) target_.move(first + i, first + i + 1);
    target_.move(first + vectors - 1, sum);
    if (isLast) advance(v, kNever);
  }

  // --- numbers that stay -------------------------------------------------------------------------

  /// Registers that nothing else needs have the numbers that are read most often, for all rounds.
  void keepInvariants() {
    constexpr int kForOperands = 3;
    const int room = target_.registers() - std::popcount(kept_) - uses_.pressure() - kForOperands;
    if (room <= 0) return;
    std::vector<std::uint32_t> invariants = uses_.invariants();
    if (invariants.size() > static_cast<std::size_t>(room))
      invariants.resize(static_cast<std::size_t>(room));
    for (const std::uint32_t v : invariants) {
      const int r = takeRegister();
      target_.load(r, sourceOf(v));
      hold(v, r);
      kept_ |= 1u << r;
    }
  }

  bool isKept(std::uint32_t v) const { return register_[v] >= 0 && (kept_ >> register_[v] & 1u); }

  // --- values ----------------------------------------------------------------------------------

  Source sourceOf(std::uint32_t v) const {
    if (register_[v] >= 0) return {Source::Kind::Register, register_[v], 0};
    const MicroOp& op = code_.ops[v];
    const auto extra = static_cast<std::uint32_t>(op.extra);
    switch (op.kind) {
      case Micro::Load:
        return {Source::Kind::Memory, 0, extra};
      case Micro::Broadcast:
        return {Source::Kind::One, 0, extra};
      case Micro::Constant:
        return {Source::Kind::Constant, 0, extra};
      case Micro::Pattern:
        return {Source::Kind::Pattern, 0, extra};
      default:
        return {Source::Kind::Spill, 0, spill_[v]};
    }
  }

  void evict(int r) {
    const std::uint32_t v = owner_[static_cast<std::size_t>(r)];
    if (!isReread(code_.ops[v].kind) && spill_[v] == kNever) {
      spill_[v] = takeSpill(nextUse_[v]);
      target_.store({Source::Kind::Spill, 0, spill_[v]}, r);
    }
    register_[v] = -1;
    owner_[static_cast<std::size_t>(r)] = kNever;
  }

  /// Values that are wanted soon take turns in a few slots with short addresses. Others take free
  /// slots by ascending address, once around, then those that have become free meanwhile if there
  /// are enough.
  std::uint32_t takeSpill(std::uint32_t wanted) {
    if (wanted - at_ < kNearUse && !freeNear_.empty()) return takeLast(freeNear_);
    if (freeFar_.empty() && givenFar_.size() > farSpills_ / Code::kFreeSpills) {
      freeFar_.swap(givenFar_);
      std::sort(freeFar_.begin(), freeFar_.end(), std::greater<>());
    }
    return freeFar_.empty() ? kNearSpills + farSpills_++ : takeLast(freeFar_);
  }

  static std::uint32_t takeLast(std::vector<std::uint32_t>& slots) {
    const std::uint32_t slot = slots.back();
    slots.pop_back();
    return slot;
  }

  /// A free register; values in `pinned_` stay where they are.
  int takeRegister() {
    int best = -1;
    std::uint64_t latest = 0;
    for (int r = 0; r < target_.registers(); ++r) {
      const std::uint32_t v = owner_[static_cast<std::size_t>(r)];
      if (v == kNever) return r;
      if ((pinned_ | kept_) >> r & 1u) continue;
      // Of two, the one that need not be written gives way.
      const bool isClean = isReread(code_.ops[v].kind) || spill_[v] != kNever;
      const std::uint64_t score = 2 * static_cast<std::uint64_t>(nextUse_[v]) + (isClean ? 9 : 0);
      if (best < 0 || score > latest) {
        best = r;
        latest = score;
      }
    }
    evict(best);
    return best;
  }

  void hold(std::uint32_t v, int r) {
    register_[v] = static_cast<std::int16_t>(r);
    owner_[static_cast<std::size_t>(r)] = v;
  }

  void bringIn(std::uint32_t v) {
    if (register_[v] < 0) {
      const Source from = sourceOf(v);
      const int r = takeRegister();
      target_.load(r, from);
      hold(v, r);
    }
    pinned_ |= 1u << register_[v];
  }

  /// One use is done.
  void advance(std::uint32_t v, std::uint32_t next) {
    nextUse_[v] = next;
    if (next != kNever || isKept(v)) return;
    if (register_[v] >= 0) {
      owner_[static_cast<std::size_t>(register_[v])] = kNever;
      register_[v] = -1;
    }
    if (spill_[v] != kNever) {
      given_.push_back(spill_[v]);
      spill_[v] = kNever;
    }
  }

  /// Spill slots of values that were wanted for the last time may be used from here on.
  void reuseSpills() {
    for (const std::uint32_t slot : given_)
      (slot < kNearSpills ? freeNear_ : givenFar_).push_back(slot);
    given_.clear();
  }

  // --- instructions ----------------------------------------------------------------------------

  /// Evenly all along the way.
  void askForLines() {
    for (; asked_ * size_ < at_ * code_.asked.size(); ++asked_)
      target_.prefetch(code_.asked[asked_]);
  }

  void step(std::uint32_t i) {
    const MicroOp& op = code_.ops[i];
    pinned_ = 0;
    switch (op.kind) {
      case Micro::Load:
      case Micro::Broadcast:
      case Micro::Constant:
      case Micro::Pattern:
        return;
      case Micro::LoadNow: {
        if (nextUse_[i] == kNever) return;
        const int r = takeRegister();
        target_.load(r, {Source::Kind::Memory, 0, static_cast<std::uint32_t>(op.extra)});
        return hold(i, r);
      }
      case Micro::Store:
        bringIn(op.a);
        target_.store({Source::Kind::Memory, 0, static_cast<std::uint32_t>(op.extra)},
                      register_[op.a]);
        advance(op.a, *uses_.later(i));
        return reuseSpills();
      case Micro::Call:
        for (int r = 0; r < target_.registers(); ++r) {
          if (owner_[static_cast<std::size_t>(r)] != kNever) evict(r);
        }
        return target_.call(code_.calls[static_cast<std::size_t>(op.extra)]);
      default:
        if (nextUse_[i] != kNever) compute(i, op);
    }
  }

  bool isFoldable(Micro kind, std::uint32_t v, std::uint32_t i, std::uint32_t next) const {
    if (register_[v] >= 0 || (next != kNever && next - i < Uses::kSoon)) return false;
    return target_.canFold(kind, sourceOf(v).kind);
  }

  void compute(std::uint32_t i, MicroOp op) {
    const int n = arityOf(op.kind);
    std::uint32_t v[3] = {op.a, op.b, op.c};
    const std::uint32_t* later = uses_.later(i);
    std::uint32_t next[3] = {later[0], later[1], later[2]};
    const bool isFused = op.kind == Micro::Fma || op.kind == Micro::Fms || op.kind == Micro::Fnma;
    const bool commutes = isFused || op.kind == Micro::Add || op.kind == Micro::Mul ||
                          op.kind == Micro::And || op.kind == Micro::Or || op.kind == Micro::Xor;
    const auto foldable = [&](int k) {
      for (int j = 0; j < n; ++j) {
        if (j != k && v[j] == v[k]) return false;
      }
      return isFoldable(op.kind, v[k], i, next[k]);
    };
    // One operand may be read from memory: the last, or the second of a multiply-add and of a
    // choice.
    int folded = -1;
    if (op.kind != Micro::Select && foldable(n - 1)) folded = n - 1;
    if (folded < 0 && n == 3 && foldable(1)) folded = 1;
    if (folded < 0 && commutes && foldable(0)) {
      std::swap(v[0], v[1]);
      std::swap(next[0], next[1]);
      folded = 1;
    }
    for (int k = 0; k < n; ++k) {
      if (k != folded && register_[v[k]] >= 0) pinned_ |= 1u << register_[v[k]];
    }
    for (int k = 0; k < n; ++k) {
      if (k != folded) bringIn(v[k]);
    }
    if (op.kind == Micro::Compare) op.c = uses_.isReadOnlyNext(i);
    Source from[3];
    for (int k = 0; k < n; ++k) from[k] = sourceOf(v[k]);
    // Some instructions write their result before they have read all operands.
    const int apart = op.kind == Micro::Pick ? takeRegister() : -1;
    for (int k = 0; k < n; ++k) advance(v[k], next[k]);
    const int d = apart >= 0 ? apart : destination(from, n);
    target_.operate(op, d, from[0], from[1], from[2]);
    hold(i, d);
    reuseSpills();
  }

  /// A register that an operand leaves free, if there is one. Where instructions overwrite an
  /// operand, it is the first of two, and of three the last: a sum.
  int destination(const Source* from, int n) {
    for (int i = 0; i < n; ++i) {
      const Source& source = from[n < 3 ? i : n - 1 - i];
      if (source.kind == Source::Kind::Register &&
          owner_[static_cast<std::size_t>(source.reg)] == kNever)
        return source.reg;
    }
    return takeRegister();
  }

  const Code& code_;
  Target& target_;
  const std::size_t size_;
  const Uses uses_;
  std::vector<std::uint32_t> owner_;               ///< value by register
  BigVector<std::uint32_t> nextUse_;               ///< by value, seen from the current instruction
  BigVector<std::int16_t> register_;               ///< by value; -1: none
  BigVector<std::uint32_t> spill_;                 ///< by value
  std::vector<std::uint32_t> freeNear_, freeFar_;  ///< spill slots, the next one last
  std::vector<std::uint32_t> givenFar_;            ///< that have become free
  std::vector<std::uint32_t> given_;               ///< by the current instruction
  std::uint32_t farSpills_ = 0;
  std::uint32_t at_ = 0;   ///< the current instruction
  std::size_t asked_ = 0;  ///< lines
  std::uint32_t pinned_ = 0;
  std::uint32_t kept_ = 0;  ///< registers with numbers that stay
};

}  // namespace

std::string generateCode(const Code& code, InstructionSet set) {
  const std::unique_ptr<Target> target = makeTarget(set, code);
  return target == nullptr ? std::string() : Assigner(code, *target).run();
}

}  // namespace adjoint::exec

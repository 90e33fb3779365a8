// AVX2 and AVX-512: vectors of four and eight doubles, instructions with three operands.
#include "exec/target_x86.h"

#if defined(ADJOINT_ASMJIT) && defined(__x86_64__)

#include <algorithm>

namespace adjoint::exec {
namespace {

namespace x86 = asmjit::x86;

/// Predicates of vcmppd; those of order are false for NaN.
std::uint8_t predicateOf(std::int32_t extra) {
  constexpr std::uint8_t kCodes[] = {0, 1, 2, 3, 4, 13, 14, 5};
  return kCodes[extra];
}

/// Whether scalar code can name all 32 registers of AVX-512: masks of single lanes are AVX2's.
bool isArithmetic(const Code& code) {
  return std::ranges::all_of(code.ops, [](const MicroOp& op) { return op.kind <= Micro::Sqrt; });
}

class AvxTarget final : public X86Target {
 public:
  AvxTarget(const Code& code, bool isWide) : X86Target(code, kindFor(code, isWide)) {
    for (const LanePicks& pick : code.picks) {
      const bool isKnown = std::ranges::find(masks_, pick.picked) != masks_.end();
      if (!isKnown && masks_.size() < kMasks) masks_.push_back(pick.picked);
    }
  }

  bool canFold(Micro kind, Source::Kind source) const override {
    if (kind == Micro::Guard || kind == Micro::Negative || kind == Micro::ShiftLeft ||
        kind == Micro::ShiftRight)
      return false;
    if (kind == Micro::Pick || source == Source::Kind::Pattern)
      return kind == Micro::Pick && source == Source::Kind::Pattern;
    const bool isLogic = kind == Micro::And || kind == Micro::Or || kind == Micro::Xor ||
                         kind == Micro::Select || kind == Micro::AddBits;
    switch (source) {
      case Source::Kind::Register:
        return false;
      case Source::Kind::One:
        return lanes_ != 4 && !isLogic;
      case Source::Kind::Constant:
        return lanes_ != 8 || kind != Micro::Compare;
      default:
        return lanes_ > 1 || !isLogic;
    }
  }

  void load(int d, const Source& from) override {
    const x86::Vec to = vec(d);
    if (isZero(from)) {
      const x86::Xmm low = x86::xmm(static_cast<std::uint32_t>(d));
      // The upper lanes become zero too.
      if (d < 16) {
        as_.vxorpd(low, low, low);
      } else {
        as_.vpxorq(to, to, to);
      }
      return;
    }
    if (lanes_ == 1) {
      as_.vmovsd(to.as<x86::Xmm>(), memory(from));
    } else if (from.kind == Source::Kind::One ||
               (from.kind == Source::Kind::Constant && lanes_ == 8)) {
      as_.vbroadcastsd(to, one(from));
    } else {
      as_.vmovupd(to, memory(from));
    }
  }

  void operate(const MicroOp& op, int d, const Source& a, const Source& b,
               const Source& c) override {
    switch (op.kind) {
      case Micro::Add:
        return lanes_ == 1 ? emit(x86::Inst::kIdVaddsd, d, a, b)
                           : emit(x86::Inst::kIdVaddpd, d, a, b);
      case Micro::Sub:
        return lanes_ == 1 ? emit(x86::Inst::kIdVsubsd, d, a, b)
                           : emit(x86::Inst::kIdVsubpd, d, a, b);
      case Micro::Mul:
        return lanes_ == 1 ? emit(x86::Inst::kIdVmulsd, d, a, b)
                           : emit(x86::Inst::kIdVmulpd, d, a, b);
      case Micro::Div:
        return lanes_ == 1 ? emit(x86::Inst::kIdVdivsd, d, a, b)
                           : emit(x86::Inst::kIdVdivpd, d, a, b);
      case Micro::Min:
        return lanes_ == 1 ? emit(x86::Inst::kIdVminsd, d, a, b)
                           : emit(x86::Inst::kIdVminpd, d, a, b);
      case Micro::Max:
        return lanes_ == 1 ? emit(x86::Inst::kIdVmaxsd, d, a, b)
                           : emit(x86::Inst::kIdVmaxpd, d, a, b);
      case Micro::And:
        return emit(lanes_ == 8 ? x86::Inst::kIdVpandq : x86::Inst::kIdVandpd, d, a, b);
      case Micro::Or:
        return emit(lanes_ == 8 ? x86::Inst::kIdVporq : x86::Inst::kIdVorpd, d, a, b);
      case Micro::Xor:
        return emit(lanes_ == 8 ? x86::Inst::kIdVpxorq : x86::Inst::kIdVxorpd, d, a, b);
      case Micro::AddBits:
        return emit(x86::Inst::kIdVpaddq, d, a, b);
      case Micro::ShiftLeft:
        return emitImmediate(x86::Inst::kIdVpsllq, d, a, op.extra);
      case Micro::ShiftRight:
        return emitImmediate(x86::Inst::kIdVpsrlq, d, a, op.extra);
      case Micro::Negative:
        return negative(d, a, b, c);
      case Micro::Guard:
        return guard(op, d, a, b, c);
      case Micro::Pick:
        return pick(op.extra, d, a.reg, b.reg, c);
      case Micro::Sqrt:
        return squareRoot(d, a);
      case Micro::Round:
        return round(op, d, a);
      case Micro::Compare:
        return compare(op, d, a, b);
      case Micro::Select:
        return select(d, a, b, c);
      case Micro::Fma:
      case Micro::Fms:
      case Micro::Fnma:
        return fused(op.kind, d, a, b, c);
      default:
        failure_.failed = true;
    }
  }

 private:
  // Constants are as wide as what an instruction reads of them.
  static constexpr Kind kOne{
      1, 16, 16, x86::Inst::kIdVmovsd, x86::Inst::kIdVmovsd, x86::Inst::kIdVmovapd, true};
  static constexpr Kind kOneOfMany{
      1, 32, 16, x86::Inst::kIdVmovsd, x86::Inst::kIdVmovsd, x86::Inst::kIdVmovapd, true};
  static constexpr Kind kFour{
      4, 16, 32, x86::Inst::kIdVmovupd, x86::Inst::kIdVmovsd, x86::Inst::kIdVmovapd, true};
  static constexpr Kind kEight{
      8, 32, 8, x86::Inst::kIdVmovupd, x86::Inst::kIdVmovsd, x86::Inst::kIdVmovapd, true};

  static const Kind& kindFor(const Code& code, bool isWide) {
    if (!code.isScalar) return isWide ? kEight : kFour;
    return isWide && isArithmetic(code) ? kOneOfMany : kOne;
  }

  /// The operand of an instruction.
  asmjit::Operand operand(const Source& from) {
    if (from.kind == Source::Kind::Register) return vec(from.reg);
    const bool isOne = from.kind == Source::Kind::One || from.kind == Source::Kind::Constant;
    if (lanes_ == 8 && isOne) return one(from)._1to8();
    return memory(from);
  }

  x86::Vec vec(int r) const override {
    const auto id = static_cast<std::uint32_t>(r);
    if (lanes_ == 8) return x86::zmm(id);
    if (lanes_ == 4) return x86::ymm(id);
    return x86::xmm(id);
  }

  // --- instructions ----------------------------------------------------------------------------

  void emit(asmjit::InstId id, int d, const Source& a, const Source& b) {
    as_.emit(id, vec(d), operand(a), operand(b));
  }

  void emitImmediate(asmjit::InstId id, int d, const Source& a, std::int32_t immediate) {
    as_.emit(id, vec(d), operand(a), asmjit::Imm(immediate));
  }

  void negative(int d, const Source& a, const Source& b, const Source& c) {
    if (lanes_ == 8) {
      as_.vpmovq2m(x86::k1, vec(a.reg));
      as_.k(x86::k1).vblendmpd(vec(d), vec(c.reg), vec(b.reg));
    } else {
      as_.emit(x86::Inst::kIdVblendvpd, vec(d), operand(c), operand(b), operand(a));
    }
  }

  // --- picked lanes ----------------------------------------------------------------------------

  static constexpr std::size_t kFirstMask = 2, kMasks = 6;

  void loadMasks() override {
    for (std::size_t i = 0; i < masks_.size(); ++i) loadMask(kFirstMask + i, masks_[i]);
  }

  void loadMask(std::size_t k, std::uint8_t mask) {
    as_.mov(x86::eax, mask);
    as_.kmovb(x86::k(static_cast<std::uint32_t>(k)), x86::eax);
  }

  void pick(std::int32_t number, int d, int a, int b, const Source& pattern) {
    if (lanes_ != 8) failure_.failed = true;
    const std::uint8_t mask = code_.picks[static_cast<std::size_t>(number)].picked;
    const auto kept = static_cast<std::size_t>(std::ranges::find(masks_, mask) - masks_.begin());
    const std::size_t k = kept < masks_.size() ? kFirstMask + kept : 1;
    if (kept == masks_.size()) loadMask(k, mask);
    as_.emit(x86::Inst::kIdVmovapd, vec(d), operand(pattern));
    as_.k(x86::k(static_cast<std::uint32_t>(k)))
        .emit(x86::Inst::kIdVpermi2pd, vec(d), vec(a), vec(b));
  }

  void testLanes(int mask) override {
    if (lanes_ == 8) {
      if (!takeWaiting(mask)) as_.vpmovq2m(x86::k1, vec(mask));
      as_.kortestb(x86::k1, x86::k1);
    } else if (lanes_ == 4) {
      as_.vptest(vec(mask), vec(mask));
    } else {
      as_.vmovq(x86::rax, vec(mask).as<x86::Xmm>());
      as_.test(x86::rax, x86::rax);
    }
  }

  /// Whether the mask is in k1 and nowhere else.
  bool takeWaiting(int mask) {
    const bool isWaiting = waiting_ == mask;
    waiting_ = -1;
    return isWaiting;
  }

  void squareRoot(int d, const Source& a) {
    if (lanes_ == 1) {
      as_.emit(x86::Inst::kIdVsqrtsd, vec(d),
               a.kind == Source::Kind::Register ? vec(a.reg) : vec(d), operand(a));
    } else {
      as_.emit(x86::Inst::kIdVsqrtpd, vec(d), operand(a));
    }
  }

  void round(const MicroOp& op, int d, const Source& a) {
    constexpr int kQuiet = 8;  // no exception for an inexact result
    const asmjit::Imm mode = op.extra | kQuiet;
    if (lanes_ == 1) {
      as_.emit(x86::Inst::kIdVroundsd, vec(d),
               a.kind == Source::Kind::Register ? vec(a.reg) : vec(d), operand(a), mode);
    } else {
      as_.emit(lanes_ == 8 ? x86::Inst::kIdVrndscalepd : x86::Inst::kIdVroundpd, vec(d), operand(a),
               mode);
    }
  }

  void compare(const MicroOp& op, int d, const Source& a, const Source& b) {
    const asmjit::Imm predicate = predicateOf(op.extra);
    if (lanes_ == 8) {
      as_.emit(x86::Inst::kIdVcmppd, x86::k1, operand(a), operand(b), predicate);
      if (op.c == 0) {
        as_.vpmovm2q(vec(d), x86::k1);
      } else {
        waiting_ = d;
      }
    } else {
      as_.emit(lanes_ == 1 ? x86::Inst::kIdVcmpsd : x86::Inst::kIdVcmppd, vec(d), operand(a),
               operand(b), predicate);
    }
  }

  void select(int d, const Source& a, const Source& b, const Source& c) {
    if (lanes_ < 8) {
      as_.emit(x86::Inst::kIdVblendvpd, vec(d), operand(c), operand(b), operand(a));
      return;
    }
    if (takeWaiting(a.reg)) {
      as_.k(x86::k1).emit(x86::Inst::kIdVblendmpd, vec(d), vec(c.reg), operand(b));
      return;
    }
    // The bits of three operands in the order in which they are given.
    const bool isMemory = b.kind != Source::Kind::Register;
    if (d == b.reg && !isMemory) {
      as_.emit(x86::Inst::kIdVpternlogq, vec(d), vec(a.reg), operand(c), asmjit::Imm(0xe2));
    } else if (d == a.reg && !isMemory) {
      as_.emit(x86::Inst::kIdVpternlogq, vec(d), operand(b), operand(c), asmjit::Imm(0xca));
    } else if (d == a.reg) {
      as_.emit(x86::Inst::kIdVpternlogq, vec(d), vec(c.reg), operand(b), asmjit::Imm(0xac));
    } else {
      if (d != c.reg) as_.vmovapd(vec(d), vec(c.reg));
      as_.emit(x86::Inst::kIdVpternlogq, vec(d), vec(a.reg), operand(b), asmjit::Imm(0xb8));
    }
  }

  void fused(Micro kind, int d, Source a, Source b, const Source& c) {
    // Three orders of the operands: 132 is d * third + second, 213 second * d + third, 231 second *
    // third + d.
    using Id = asmjit::InstId;
    namespace I = x86::Inst;
    struct Forms {
      Id f132, f213, f231;
    };
    const bool isOne = lanes_ == 1;
    Forms forms;
    if (kind == Micro::Fma) {
      forms = isOne ? Forms{I::kIdVfmadd132sd, I::kIdVfmadd213sd, I::kIdVfmadd231sd}
                    : Forms{I::kIdVfmadd132pd, I::kIdVfmadd213pd, I::kIdVfmadd231pd};
    } else if (kind == Micro::Fms) {
      forms = isOne ? Forms{I::kIdVfmsub132sd, I::kIdVfmsub213sd, I::kIdVfmsub231sd}
                    : Forms{I::kIdVfmsub132pd, I::kIdVfmsub213pd, I::kIdVfmsub231pd};
    } else {
      forms = isOne ? Forms{I::kIdVfnmadd132sd, I::kIdVfnmadd213sd, I::kIdVfnmadd231sd}
                    : Forms{I::kIdVfnmadd132pd, I::kIdVfnmadd213pd, I::kIdVfnmadd231pd};
    }
    const auto isAt = [&](const Source& s) {
      return s.kind == Source::Kind::Register && s.reg == d;
    };
    if (isAt(c)) {
      as_.emit(forms.f231, vec(d), vec(a.reg), operand(b));
      return;
    }
    if (isAt(b)) std::swap(a, b);
    if (!isAt(a)) as_.vmovapd(vec(d), vec(a.reg));
    if (b.kind == Source::Kind::Register) {
      as_.emit(forms.f213, vec(d), vec(b.reg), operand(c));
    } else {
      as_.emit(forms.f132, vec(d), vec(c.reg), operand(b));
    }
  }

  std::vector<std::uint8_t> masks_;  ///< of picked lanes: the first ones, which stay in registers
  int waiting_ = -1;                 ///< the register of a mask that is in k1 only
};

}  // namespace

std::unique_ptr<Target> makeAvxTarget(const Code& code, bool isWide) {
  return std::make_unique<AvxTarget>(code, isWide);
}

}  // namespace adjoint::exec

#endif

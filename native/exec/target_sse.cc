// SSE4.1: vectors of two doubles, instructions that overwrite their first operand. Vectors that an
// instruction reads from memory must be aligned: constants and spilled values are.
#include "exec/target_x86.h"

#if defined(ADJOINT_ASMJIT) && defined(__x86_64__)

namespace adjoint::exec {
namespace {

namespace x86 = asmjit::x86;

class SseTarget final : public X86Target {
 public:
  explicit SseTarget(const Code& code) : X86Target(code, code.isScalar ? kOne : kTwo) {}

  bool canFold(Micro kind, Source::Kind source) const override {
    if (kind == Micro::Guard || kind == Micro::Negative || kind == Micro::ShiftLeft ||
        kind == Micro::ShiftRight || source == Source::Kind::Register)
      return false;
    const bool isLogic = kind == Micro::And || kind == Micro::Or || kind == Micro::Xor ||
                         kind == Micro::Select || kind == Micro::AddBits;
    if (lanes_ == 1) return source == Source::Kind::Constant || !isLogic;
    return source == Source::Kind::Constant || source == Source::Kind::Spill;
  }

  void load(int d, const Source& from) override {
    if (isZero(from)) {
      as_.xorpd(at(d), at(d));
    } else if (lanes_ == 1) {
      as_.movsd(at(d), memory(from));
    } else if (from.kind == Source::Kind::One) {
      as_.movddup(at(d), one(from));
    } else {
      as_.movupd(at(d), memory(from));
    }
  }

  void operate(const MicroOp& op, int d, const Source& a, const Source& b,
               const Source& c) override {
    namespace I = x86::Inst;
    const bool isOne = lanes_ == 1;
    switch (op.kind) {
      case Micro::Add:
        return binary(isOne ? I::kIdAddsd : I::kIdAddpd, d, a, b, true);
      case Micro::Sub:
        return binary(isOne ? I::kIdSubsd : I::kIdSubpd, d, a, b, false);
      case Micro::Mul:
        return binary(isOne ? I::kIdMulsd : I::kIdMulpd, d, a, b, true);
      case Micro::Div:
        return binary(isOne ? I::kIdDivsd : I::kIdDivpd, d, a, b, false);
      case Micro::Min:
        return binary(isOne ? I::kIdMinsd : I::kIdMinpd, d, a, b, false);
      case Micro::Max:
        return binary(isOne ? I::kIdMaxsd : I::kIdMaxpd, d, a, b, false);
      case Micro::And:
        return binary(I::kIdAndpd, d, a, b, true);
      case Micro::Or:
        return binary(I::kIdOrpd, d, a, b, true);
      case Micro::Xor:
        return binary(I::kIdXorpd, d, a, b, true);
      case Micro::AddBits:
        return binary(I::kIdPaddq, d, a, b, true);
      case Micro::ShiftLeft:
        copy(d, a.reg);
        return static_cast<void>(as_.psllq(at(d), op.extra));
      case Micro::ShiftRight:
        copy(d, a.reg);
        return static_cast<void>(as_.psrlq(at(d), op.extra));
      case Micro::Sqrt:
        return static_cast<void>(as_.emit(isOne ? I::kIdSqrtsd : I::kIdSqrtpd, at(d), operand(a)));
      case Micro::Round: {
        constexpr int kQuiet = 8;  // no exception for an inexact result
        as_.emit(isOne ? I::kIdRoundsd : I::kIdRoundpd, at(d), operand(a),
                 asmjit::Imm(op.extra | kQuiet));
        return;
      }
      case Micro::Compare:
        return compare(op, d, a, b);
      case Micro::Select:
        as_.movapd(kScratch, at(a.reg));
        return choose(d, b, c);
      case Micro::Negative:
        // The sign in all bits: of the high halves' integers, then for the low halves too.
        as_.pshufd(kScratch, at(a.reg), 0xf5);
        as_.psrad(kScratch, 31);
        return choose(d, b, c);
      case Micro::Guard:
        return guard(op, d, a, b, c);
      default:  // a fused multiply-add
        failure_.failed = true;
    }
  }

 private:
  static constexpr Kind kOne{
      1, 15, 16, x86::Inst::kIdMovsd, x86::Inst::kIdMovsd, x86::Inst::kIdMovapd, false};
  static constexpr Kind kTwo{
      2, 15, 16, x86::Inst::kIdMovupd, x86::Inst::kIdMovsd, x86::Inst::kIdMovapd, false};
  /// What blendvpd takes for its mask.
  static constexpr x86::Xmm kScratch = x86::xmm0;

  static x86::Xmm at(int r) { return x86::xmm(static_cast<std::uint32_t>(r + 1)); }
  x86::Vec vec(int r) const override { return at(r); }

  asmjit::Operand operand(const Source& from) {
    if (from.kind == Source::Kind::Register) return at(from.reg);
    return memory(from);
  }

  static bool isAt(const Source& s, int r) {
    return s.kind == Source::Kind::Register && s.reg == r;
  }

  void copy(int d, int a) {
    if (d != a) as_.movapd(at(d), at(a));
  }

  void binary(asmjit::InstId id, int d, const Source& a, const Source& b, bool commutes,
              const asmjit::Operand& immediate = {}) {
    if (!isAt(b, d) || a.reg == d) {
      copy(d, a.reg);
      as_.emit(id, at(d), operand(b), immediate);
    } else if (commutes) {
      as_.emit(id, at(d), at(a.reg), immediate);
    } else {
      as_.movapd(kScratch, at(a.reg));
      as_.emit(id, kScratch, at(d), immediate);
      as_.movapd(at(d), kScratch);
    }
  }

  /// There is "less" and no "greater": those exchange their operands.
  void compare(const MicroOp& op, int d, const Source& a, const Source& b) {
    constexpr std::uint8_t kCodes[] = {0, 1, 2, 3, 4, 2, 1, 5};
    const asmjit::Imm code = kCodes[op.extra];
    const auto id = lanes_ == 1 ? x86::Inst::kIdCmpsd : x86::Inst::kIdCmppd;
    const auto predicate = static_cast<Predicate>(op.extra);
    if (predicate != Predicate::GreaterEqual && predicate != Predicate::Greater)
      return binary(id, d, a, b, false, code);
    if (b.kind == Source::Kind::Register) return binary(id, d, b, a, false, code);
    as_.emit(lanes_ == 1 ? x86::Inst::kIdMovsd : x86::Inst::kIdMovapd, kScratch, memory(b));
    as_.emit(id, kScratch, at(a.reg), code);
    as_.movapd(at(d), kScratch);
  }

  /// b where the scratch register has ones, else c.
  void choose(int d, const Source& b, const Source& c) {
    if (isAt(b, d) && c.reg != d) {
      // c ^ ((b ^ c) & mask)
      as_.xorpd(at(d), at(c.reg));
      as_.andpd(at(d), kScratch);
      as_.xorpd(at(d), at(c.reg));
    } else {
      copy(d, c.reg);
      as_.emit(x86::Inst::kIdBlendvpd, at(d), operand(b), kScratch);
    }
  }

  void testLanes(int mask) override {
    if (lanes_ == 1) {
      as_.movq(x86::rax, at(mask));
      as_.test(x86::rax, x86::rax);
    } else {
      as_.ptest(at(mask), at(mask));
    }
  }
};

}  // namespace

std::unique_ptr<Target> makeSseTarget(const Code& code) {
  return std::make_unique<SseTarget>(code);
}

}  // namespace adjoint::exec

#endif

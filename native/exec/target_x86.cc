// Machine code for x86-64: AVX2 and AVX-512, by asmjit's assembler.
#include "exec/target.h"

#if defined(ADJOINT_ASMJIT) && defined(__x86_64__)

#include <asmjit/core.h>
#include <asmjit/x86.h>
#include <dlfcn.h>

#include <algorithm>

/// Debian's asmjit is a static library that is not position-independent where it names stderr,
/// which it writes to from failed assertions: a shared object links with it only if it has that
/// symbol itself.
__attribute__((visibility("hidden"))) void* adjointStderr __asm__("stderr") = nullptr;

namespace {

__attribute__((constructor)) void findStderr() {
  if (void* theirs = dlsym(RTLD_DEFAULT, "stderr")) adjointStderr = *static_cast<void**>(theirs);
}

}  // namespace

namespace adjoint::exec {
namespace {

namespace x86 = asmjit::x86;

constexpr std::int64_t kDouble = sizeof(double);
/// The spill pointer points here, so that the first slots have addresses of one byte.
constexpr std::int64_t kSpillStart = (Code::kCallDoubles + Code::kSavedDoubles) * kDouble;
constexpr std::int64_t kSpillBias = kSpillStart + 128;

class Failure : public asmjit::ErrorHandler {
 public:
  void handleError(asmjit::Error, const char*, asmjit::BaseEmitter*) override { failed = true; }
  bool failed = false;
};

bool hasAvx2() {
  const auto& features = asmjit::CpuInfo::host().features().x86();
  return features.hasAVX2() && features.hasFMA();
}
bool hasAvx512() {
  const auto& features = asmjit::CpuInfo::host().features().x86();
  return hasAvx2() && features.hasAVX512_F() && features.hasAVX512_DQ() && features.hasAVX512_VL();
}

/// Predicates of vcmppd; those of order are false for NaN.
std::uint8_t predicateOf(std::int32_t extra) {
  constexpr std::uint8_t kCodes[] = {0, 1, 2, 3, 4, 13, 14, 5};
  return kCodes[extra];
}

class X86Target final : public Target {
 public:
  X86Target(const Code& code, bool isWide)
      : code_(code),
        lanes_(code.isScalar ? 1
               : isWide      ? 8
                             : 4) {}

  int registers() const override { return lanes_ == 8 ? 32 : 16; }

  bool canFold(Micro kind, Source::Kind source) const override {
    if (kind == Micro::Guard || kind == Micro::Negative || kind == Micro::ShiftLeft ||
        kind == Micro::ShiftRight)
      return false;
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

  void begin() override {
    code_holder_.init(asmjit::Environment::host());
    code_holder_.setErrorHandler(&failure_);
    code_holder_.attach(&as_);
    pool_ = as_.newLabel();
    choosePointers();
    for (const x86::Gp& r : saved_) as_.push(r);
    if (saved_.size() % 2 == 0) as_.sub(x86::rsp, 8);
    for (std::size_t i = 0; i < pointers_.size(); ++i)
      as_.mov(pointers_[i].reg, x86::ptr(x86::rdi, slotOffset(pointers_[i].slot)));
    as_.add(pointerOf(code_.spillSlot), static_cast<int>(kSpillBias));
    if (code_.isScalar) return;
    as_.shl(x86::rsi, 3);  // bytes
    as_.xor_(x86::ecx, x86::ecx);
    loop_ = as_.newLabel();
    as_.bind(loop_);
  }

  std::string end() override {
    if (!code_.isScalar) {
      as_.add(x86::rcx, lanes_ * kDouble);
      as_.cmp(x86::rcx, x86::rsi);
      as_.jl(loop_);
    }
    if (saved_.size() % 2 == 0) as_.add(x86::rsp, 8);
    for (std::size_t i = saved_.size(); i-- > 0;) as_.pop(saved_[i]);
    as_.vzeroupper();
    as_.ret();
    for (const Detour& detour : detours_) emitDetour(detour);
    as_.align(asmjit::AlignMode::kData, 64);
    as_.bind(pool_);
    for (const double x : code_.constants) {
      for (std::int64_t i = 0; i < poolStride() / kDouble; ++i) as_.embedDouble(x);
    }
    if (failure_.failed || code_holder_.flatten() != asmjit::kErrorOk ||
        code_holder_.resolveUnresolvedLinks() != asmjit::kErrorOk ||
        code_holder_.relocateToBase(0) != asmjit::kErrorOk)
      return {};
    std::string bytes(code_holder_.codeSize(), '\0');
    if (code_holder_.copyFlattenedData(bytes.data(), bytes.size()) != asmjit::kErrorOk) return {};
    return failure_.failed ? std::string() : bytes;
  }

  void load(int d, const Source& from) override {
    const x86::Vec to = vec(d);
    if (from.kind == Source::Kind::Constant &&
        std::bit_cast<std::uint64_t>(code_.constants[from.index]) == 0) {
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

  void store(const Source& to, int a) override {
    if (lanes_ == 1) {
      as_.vmovsd(memory(to), vec(a).as<x86::Xmm>());
    } else {
      as_.vmovupd(memory(to), vec(a));
    }
  }

  void call(const KernelCall& call) override {
    const x86::Gp area = x86::r11;
    as_.lea(area, x86::ptr(pointerOf(code_.spillSlot), static_cast<int>(-kSpillBias)));
    const std::int64_t step = 8 * kDouble;
    // Lanes the callee computes beside those it is asked for repeat the first.
    if (call.lanes % 4 != 0) {
      for (std::int64_t k = 1; k <= 3; ++k) {
        as_.vmovsd(x86::xmm0, x86::ptr(area, static_cast<int>(k * step)));
        for (std::int64_t lane = call.lanes; lane % 4 != 0; ++lane)
          as_.vmovsd(x86::ptr(area, static_cast<int>(k * step + lane * kDouble)), x86::xmm0);
      }
    }
    as_.mov(x86::rdi, area);
    as_.lea(x86::rsi, x86::ptr(area, static_cast<int>(step)));
    as_.lea(x86::rdx, x86::ptr(area, static_cast<int>(2 * step)));
    as_.lea(x86::rcx, x86::ptr(area, static_cast<int>(3 * step)));
    as_.mov(x86::r8d, (call.lanes + 3) / 4 * 4);
    as_.mov(x86::r9d, call.attr);
    as_.mov(x86::rax, reinterpret_cast<std::uint64_t>(call.kernel));
    as_.call(x86::rax);
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
  struct Pointer {
    std::uint32_t slot;
    x86::Gp reg;
  };
  struct Detour {
    asmjit::Label from, back;
    int d, x;
    ElementKernel kernel;
  };

  // --- addresses -------------------------------------------------------------------------------

  static int slotOffset(std::uint32_t slot) { return static_cast<int>(slot * sizeof(double*)); }

  /// The slots named most often have their addresses in registers.
  void choosePointers() {
    std::vector<std::uint32_t> slots;
    for (const MemoryOperand& m : code_.memory) slots.push_back(m.slot);
    slots.push_back(code_.spillSlot);
    std::ranges::sort(slots);
    std::vector<std::pair<std::ptrdiff_t, std::uint32_t>> counts;
    for (auto at = slots.begin(); at != slots.end();) {
      const auto last = std::upper_bound(at, slots.end(), *at);
      counts.emplace_back(last - at, *at);
      at = last;
    }
    // That of spilled values comes first: its register has the shortest instructions.
    std::ranges::stable_sort(counts, std::greater{}, [&](const auto& c) {
      return std::pair{c.second == code_.spillSlot, c.first};
    });
    // Calls leave the first six alone.
    const x86::Gp all[] = {x86::rbx, x86::rbp, x86::r12, x86::r13, x86::r14, x86::r15,
                           x86::rdx, x86::r8,  x86::r9,  x86::r10, x86::r11};
    const std::size_t usable = code_.isScalar ? 6 : std::size(all);
    for (std::size_t i = 0; i < std::min(usable, counts.size()); ++i) {
      // Code without calls takes those first that need not be saved.
      const std::size_t r = code_.isScalar ? i : (i + 6) % std::size(all);
      pointers_.push_back({counts[i].second, all[r]});
      if (r < 6) saved_.push_back(all[r]);
    }
  }

  x86::Gp pointerOf(std::uint32_t slot) {
    for (const Pointer& p : pointers_) {
      if (p.slot == slot) return p.reg;
    }
    if (code_.isScalar) failure_.failed = true;
    as_.mov(x86::rax, x86::ptr(x86::rdi, slotOffset(slot)));
    return x86::rax;
  }

  /// Bytes from one constant to the next: as many as an instruction reads.
  std::int64_t poolStride() const { return lanes_ == 1 ? 16 : lanes_ == 4 ? 32 : kDouble; }

  x86::Mem memory(const Source& from) {
    const auto size = static_cast<std::uint32_t>(lanes_ * kDouble);
    switch (from.kind) {
      case Source::Kind::Constant:
        return x86::Mem(pool_, static_cast<int>(from.index * poolStride()), size);
      case Source::Kind::Spill: {
        const std::int64_t offset =
            kSpillStart + static_cast<std::int64_t>(from.index) * lanes_ * kDouble - kSpillBias;
        return x86::Mem(pointerOf(code_.spillSlot), static_cast<int>(offset), size);
      }
      default: {
        const MemoryOperand& m = code_.memory[from.index];
        const x86::Gp pointer = pointerOf(m.slot);
        if (m.offset != static_cast<std::int32_t>(m.offset)) failure_.failed = true;
        const auto offset =
            static_cast<std::int32_t>(m.slot == code_.spillSlot ? m.offset - kSpillBias : m.offset);
        return m.isIndexed ? x86::Mem(pointer, x86::rcx, 0, offset, size)
                           : x86::Mem(pointer, offset, size);
      }
    }
  }

  /// A single double.
  x86::Mem one(const Source& from) {
    x86::Mem m = memory(from);
    m.setSize(8);
    return m;
  }

  /// The operand of an instruction.
  asmjit::Operand operand(const Source& from) {
    if (from.kind == Source::Kind::Register) return vec(from.reg);
    const bool isOne = from.kind == Source::Kind::One || from.kind == Source::Kind::Constant;
    if (lanes_ == 8 && isOne) return one(from)._1to8();
    return memory(from);
  }

  x86::Vec vec(int r) const {
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

  /// Lanes that leave a core's range are rare: they are computed at the end of the code.
  void guard(const MicroOp& op, int d, const Source& a, const Source& b, const Source& c) {
    Detour detour{as_.newLabel(), as_.newLabel(), d, b.reg,
                  code_.calls[static_cast<std::size_t>(op.extra)].kernel};
    if (lanes_ == 8) {
      as_.vpmovq2m(x86::k1, vec(a.reg));
      as_.kortestb(x86::k1, x86::k1);
      as_.jnz(detour.from);
    } else if (lanes_ == 4) {
      as_.vptest(vec(a.reg), vec(a.reg));
      as_.jnz(detour.from);
    } else {
      as_.vmovq(x86::rax, vec(a.reg).as<x86::Xmm>());
      as_.test(x86::rax, x86::rax);
      as_.jnz(detour.from);
    }
    if (d != c.reg) as_.vmovapd(vec(d), vec(c.reg));
    as_.bind(detour.back);
    detours_.push_back(detour);
  }

  /// A call that changes no register but d.
  void emitDetour(const Detour& detour) {
    as_.bind(detour.from);
    const x86::Gp spills = pointerOf(code_.spillSlot);
    const std::int64_t saved = Code::kCallDoubles * kDouble - kSpillBias;
    const auto place = [&](int r) {
      return x86::Mem(spills, static_cast<int>(saved + r * lanes_ * kDouble),
                      static_cast<std::uint32_t>(lanes_ * kDouble));
    };
    const auto move = [&](const asmjit::Operand& to, const asmjit::Operand& from) {
      as_.emit(lanes_ == 1 ? x86::Inst::kIdVmovsd : x86::Inst::kIdVmovupd, to, from);
    };
    for (int r = 0; r < registers(); ++r) move(place(r), vec(r));
    const x86::Gp callers[] = {x86::rdi, x86::rsi, x86::rdx, x86::rcx,
                               x86::r8,  x86::r9,  x86::r10, x86::r11};
    for (const x86::Gp& r : callers) as_.push(r);
    as_.lea(x86::rax, x86::ptr(spills, static_cast<int>(-kSpillBias)));
    as_.lea(x86::rsi, place(detour.x));
    as_.mov(x86::rdi, x86::rax);
    as_.mov(x86::rdx, x86::rsi);
    as_.mov(x86::rcx, x86::rsi);
    as_.mov(x86::r8d, static_cast<int>(lanes_));
    as_.xor_(x86::r9d, x86::r9d);
    as_.vzeroupper();
    as_.mov(x86::rax, reinterpret_cast<std::uint64_t>(detour.kernel));
    as_.call(x86::rax);
    for (std::size_t i = std::size(callers); i-- > 0;) as_.pop(callers[i]);
    for (int r = 0; r < registers(); ++r) {
      if (r != detour.d) move(vec(r), place(r));
    }
    move(vec(detour.d), x86::Mem(spills, static_cast<int>(-kSpillBias),
                                 static_cast<std::uint32_t>(lanes_ * kDouble)));
    as_.jmp(detour.back);
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
      as_.vpmovm2q(vec(d), x86::k1);
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
    // The bits of three operands in the order in which they are given.
    if (d == b.reg && b.kind == Source::Kind::Register) {
      as_.emit(x86::Inst::kIdVpternlogq, vec(d), vec(a.reg), operand(c), asmjit::Imm(0xe2));
    } else if (d == a.reg && b.kind == Source::Kind::Register) {
      as_.emit(x86::Inst::kIdVpternlogq, vec(d), operand(b), operand(c), asmjit::Imm(0xca));
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

  const Code& code_;
  const std::int64_t lanes_;
  Failure failure_;
  asmjit::CodeHolder code_holder_;
  x86::Assembler as_;
  asmjit::Label pool_, loop_;
  std::vector<Pointer> pointers_;
  std::vector<x86::Gp> saved_;
  std::vector<Detour> detours_;
};

}  // namespace

int targetLanes() { return hasAvx512() ? 8 : hasAvx2() ? 4 : 0; }

std::unique_ptr<Target> makeTarget(const Code& code) {
  if (!hasAvx2()) return nullptr;
  return std::make_unique<X86Target>(code, hasAvx512());
}

}  // namespace adjoint::exec

#else

namespace adjoint::exec {

int targetLanes() { return 0; }
std::unique_ptr<Target> makeTarget(const Code&) { return nullptr; }

}  // namespace adjoint::exec

#endif

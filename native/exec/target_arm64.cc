// AArch64: NEON, with vectors of two doubles, by asmjit's assembler. Instructions have three or
// four operands, and only loads and stores know memory.
#include "exec/target_asmjit.h"

#if defined(ADJOINT_ASMJIT) && defined(__aarch64__)

#include <asmjit/arm/a64assembler.h>

#include <iterator>
#include <unordered_set>

namespace adjoint::exec {
namespace {

namespace a64 = asmjit::a64;

/// Conditional branches reach a megabyte: detours are written before the first of them is so far.
constexpr std::size_t kDetourReach = 256 * 1024;

class NeonTarget final : public Target {
 public:
  explicit NeonTarget(const Code& code) : code_(code), lanes_(code.isScalar ? 1 : 2) {}

  int registers() const override { return 31; }
  int lanes() const override { return static_cast<int>(lanes_); }
  bool canFold(Micro, Source::Kind) const override { return false; }

  void begin() override {
    holder_.init(asmjit::Environment::host());
    holder_.setErrorHandler(&failure_);
    holder_.attach(&as_);
    emitPool();
    choosePointers();
    enter();
  }

  void beginLoop() override {
    as_.lsl(kEnd, kEnd, 3);  // bytes
    as_.mov(kIndex, 0);
    loop_ = as_.newLabel();
    as_.bind(loop_);
  }

  void endLoop() override {
    for (const Pointer& p : pointers_) {
      if (p.advances) as_.add(p.reg, p.reg, lanes_ * kDouble);
    }
    as_.add(kIndex, kIndex, lanes_ * kDouble);
    as_.cmp(kIndex, kEnd);
    const asmjit::Label done = as_.newLabel();
    as_.b_ge(done);
    as_.b(loop_);
    as_.bind(done);
  }

  void move(int d, int a) override { as_.mov(vec(d).b16(), vec(a).b16()); }

  std::string end() override {
    leave();
    emitDetours();
    return bytesOf(holder_, failure_);
  }

  void load(int d, const Source& from) override {
    if (from.kind == Source::Kind::Constant) return loadConstant(d, from.index);
    if (from.kind == Source::Kind::One && lanes_ > 1) {
      as_.ld1r(vec(d).d2(), a64::ptr(addressOf(from)));
    } else {
      as_.ldr(whole(d), memory(from));
    }
  }

  void store(const Source& to, int a) override { as_.str(whole(a), memory(to)); }

  void call(const KernelCall& call) override {
    const std::int64_t step = 8 * kDouble;
    const a64::Gp area = pointerOf(code_.spillSlot);
    // Lanes the callee computes beside those it is asked for repeat the first.
    if (call.lanes % 2 != 0) {
      for (std::int64_t k = 1; k <= 3; ++k) {
        as_.ldr(kScratch.d(), a64::ptr(area, static_cast<int>(k * step)));
        as_.str(kScratch.d(), a64::ptr(area, static_cast<int>(k * step + call.lanes * kDouble)));
      }
    }
    as_.mov(a64::x0, area);
    for (std::uint32_t k = 1; k <= 3; ++k) as_.add(a64::x(k), area, k * step);
    as_.mov(a64::x4, (call.lanes + 1) / 2 * 2);
    as_.mov(a64::w5, static_cast<std::uint32_t>(call.attr));
    as_.mov(kAddress, reinterpret_cast<std::uint64_t>(call.kernel));
    as_.blr(kAddress);
  }

  void prefetch(std::uint32_t address) override {
    as_.ldr(kAddress, memory(code_.memory[address], kDouble));
    // The assembler has no prfm: Arm Architecture Reference Manual, C6.2, PRFM (immediate).
    constexpr std::uint32_t kPrfm = 0xf9800000, kIntoSecondCache = 2;
    as_.embedUInt32(kPrfm | kAddress.id() << 5 | kIntoSecondCache);
  }

  void operate(const MicroOp& op, int to, const Source& first, const Source& second,
               const Source& third) override {
    using I = a64::Inst;
    const auto d = number(to), a = number(first.reg), b = number(second.reg);
    switch (op.kind) {
      case Micro::Add:
        return emit(I::kIdFadd_v, d, a, b);
      case Micro::Sub:
        return emit(I::kIdFsub_v, d, a, b);
      case Micro::Mul:
        return emit(I::kIdFmul_v, d, a, b);
      case Micro::Div:
        return emit(I::kIdFdiv_v, d, a, b);
      case Micro::Min:
        emit(I::kIdFcmgt_v, number(kScratchId), b, a);
        return select(to, kScratchId, first.reg, second.reg);
      case Micro::Max:
        emit(I::kIdFcmgt_v, number(kScratchId), a, b);
        return select(to, kScratchId, first.reg, second.reg);
      case Micro::Fma:
      case Micro::Fms:
      case Micro::Fnma:
        return fused(op.kind, to, first.reg, second.reg, third.reg);
      case Micro::Sqrt:
        return emit(I::kIdFsqrt_v, d, a);
      case Micro::Round: {
        constexpr asmjit::InstId kIds[] = {I::kIdFrintn_v, I::kIdFrintm_v, I::kIdFrintp_v,
                                           I::kIdFrintz_v};
        return emit(kIds[op.extra], d, a);
      }
      case Micro::Compare:
        return compare(static_cast<Predicate>(op.extra), to, first.reg, second.reg);
      case Micro::And:
        return emit(I::kIdAnd_v, bits(to), bits(first.reg), bits(second.reg));
      case Micro::Or:
        return emit(I::kIdOrr_v, bits(to), bits(first.reg), bits(second.reg));
      case Micro::Xor:
        return emit(I::kIdEor_v, bits(to), bits(first.reg), bits(second.reg));
      case Micro::Select:
        return select(to, first.reg, second.reg, third.reg);
      case Micro::Negative:
        emit(I::kIdSshr_v, number(kScratchId), a, asmjit::Imm(63));
        return select(to, kScratchId, second.reg, third.reg);
      case Micro::AddBits:
        return emit(I::kIdAdd_v, d, a, b);
      case Micro::ShiftLeft:
        return emit(I::kIdShl_v, d, a, asmjit::Imm(op.extra));
      case Micro::ShiftRight:
        return emit(I::kIdUshr_v, d, a, asmjit::Imm(op.extra));
      case Micro::Guard:
        return guard(op, to, first.reg, second.reg, third.reg);
      default:
        failure_.failed = true;
    }
  }

 private:
  // x0 and x1 are the function's arguments; x18 is the system's.
  static constexpr a64::Gp kSlots = a64::x0, kEnd = a64::x1, kIndex = a64::x2;
  static constexpr a64::Gp kAddress = a64::x16, kOffset = a64::x17;
  static constexpr int kScratchId = 31;
  static constexpr a64::Vec kScratch = a64::v31;

  /// A slot's address; one that advances has the bytes of the lanes done added to it.
  struct Pointer {
    std::uint32_t slot;
    bool advances;
    a64::Gp reg;
  };
  struct Detour {
    asmjit::Label from, back;
    int d, x;
    ElementKernel kernel;
  };

  // --- registers -------------------------------------------------------------------------------

  /// Those come last whose lower halves belong to the caller.
  static a64::Vec vec(int r) {
    const int id = r == kScratchId ? r : r < 8 ? r : r < 23 ? r + 8 : r - 15;
    return a64::v(static_cast<std::uint32_t>(id));
  }
  /// As operand of arithmetic, of logic, and of loads and stores.
  a64::Vec number(int r) const { return lanes_ == 1 ? a64::Vec(vec(r).d()) : vec(r).d2(); }
  a64::Vec bits(int r) const { return lanes_ == 1 ? a64::Vec(vec(r).b8()) : vec(r).b16(); }
  a64::Vec whole(int r) const { return lanes_ == 1 ? a64::Vec(vec(r).d()) : a64::Vec(vec(r).q()); }

  template <class... Operands>
  void emit(asmjit::InstId id, const Operands&... operands) {
    as_.emit(id, operands...);
  }

  // --- the frame -------------------------------------------------------------------------------

  /// Constants stand before the code: their distance is known when they are read.
  void emitPool() {
    if (code_.constants.empty()) return;
    const asmjit::Label start = as_.newLabel();
    as_.b(start);
    as_.align(asmjit::AlignMode::kData, 16);
    pool_ = as_.offset();
    for (const double x : code_.constants) {
      for (std::int64_t i = 0; i < lanes_; ++i) as_.embedDouble(x);
    }
    as_.bind(start);
  }

  /// An address has one register and an offset, or two registers.
  static bool advances(const MemoryOperand& m) { return m.isIndexed && m.offset != 0; }

  void choosePointers() {
    // Calls leave the first nine alone, and one for the constants.
    const a64::Gp all[] = {a64::x19, a64::x20, a64::x21, a64::x22, a64::x23, a64::x24, a64::x25,
                           a64::x26, a64::x27, a64::x3,  a64::x4,  a64::x5,  a64::x6,  a64::x7,
                           a64::x8,  a64::x9,  a64::x10, a64::x11, a64::x12, a64::x13, a64::x14};
    constants_ = code_.isScalar ? a64::x28 : a64::x15;
    std::unordered_set<std::uint32_t> resting{code_.spillSlot}, advancing;
    for (const MemoryOperand& m : code_.memory) (advances(m) ? advancing : resting).insert(m.slot);
    const std::size_t usable = code_.isScalar ? 9 : std::size(all);
    const auto add = [&](std::uint32_t slot, bool isAdvancing) {
      if (pointers_.size() == usable) return;
      // Code without calls takes those first that need not be saved.
      const std::size_t i = pointers_.size();
      pointers_.push_back({slot, isAdvancing, all[code_.isScalar ? i : (i + 9) % std::size(all)]});
    };
    for (const std::uint32_t slot : slotsByUse(code_)) {
      if (resting.contains(slot)) add(slot, false);
      if (advancing.contains(slot)) add(slot, true);
    }
  }

  /// What is the caller's, in pairs.
  std::vector<std::pair<a64::Gp, a64::Gp>> savedPairs() const {
    std::size_t n = 0;
    for (const Pointer& p : pointers_) n += p.reg.id() >= 19;
    std::vector<std::pair<a64::Gp, a64::Gp>> pairs{{a64::x29, a64::x30}};
    for (std::uint32_t i = 0; i < n; i += 2) pairs.emplace_back(a64::x(19 + i), a64::x(20 + i));
    // The constants' register of scalar code.
    if (code_.isScalar && n < 9) pairs.emplace_back(a64::x27, a64::x28);
    return pairs;
  }
  bool savesVectors() const { return code_.ops.size() > 23; }

  void enter() {
    for (const auto& [one, other] : savedPairs()) as_.stp(one, other, a64::ptr_pre(a64::sp, -16));
    if (savesVectors()) {
      for (std::uint32_t r = 8; r < 16; r += 2)
        as_.stp(a64::d(r), a64::d(r + 1), a64::ptr_pre(a64::sp, -16));
    }
    if (!code_.constants.empty()) {
      const asmjit::Label here = as_.newLabel();
      as_.bind(here);
      const std::size_t at = as_.offset();
      as_.adr(constants_, here);
      as_.mov(kOffset, at - pool_);
      as_.sub(constants_, constants_, kOffset);
    }
    for (const Pointer& p : pointers_) loadPointer(p.reg, p.slot);
  }

  void leave() {
    if (savesVectors()) {
      for (std::uint32_t r = 16; r > 8; r -= 2)
        as_.ldp(a64::d(r - 2), a64::d(r - 1), a64::ptr_post(a64::sp, 16));
    }
    const auto pairs = savedPairs();
    for (std::size_t i = pairs.size(); i-- > 0;)
      as_.ldp(pairs[i].first, pairs[i].second, a64::ptr_post(a64::sp, 16));
    as_.ret(a64::x30);
  }

  // --- addresses -------------------------------------------------------------------------------

  void loadPointer(const a64::Gp& to, std::uint32_t slot) {
    const std::int64_t offset = static_cast<std::int64_t>(slot) * kDouble;
    as_.ldr(to, withOffset(kSlots, offset, kDouble));
  }

  a64::Gp pointerOf(std::uint32_t slot, bool advances = false) {
    for (const Pointer& p : pointers_) {
      if (p.slot == slot && p.advances == advances) return p.reg;
    }
    if (code_.isScalar) failure_.failed = true;
    loadPointer(kAddress, slot);
    if (advances) as_.add(kAddress, kAddress, kIndex);
    return kAddress;
  }

  /// `offset` bytes past `base`, for a load or store of `size` bytes: in the instruction, or with
  /// the upper bits in a register, or all of them.
  a64::Mem withOffset(const a64::Gp& base, std::int64_t offset, std::int64_t size) {
    if (offset >= 0 && offset % size == 0 && offset < 4096 * size)
      return a64::ptr(base, static_cast<std::int32_t>(offset));
    if (offset >= 0 && offset % size == 0 && offset < 1 << 24) {
      as_.add(kAddress, base, offset & ~0xfffll);
      return a64::ptr(kAddress, static_cast<std::int32_t>(offset & 0xfff));
    }
    as_.mov(kOffset, offset);
    return a64::ptr(base, kOffset);
  }

  a64::Mem memory(const Source& from) {
    const std::int64_t size = lanes_ * kDouble;
    if (from.kind == Source::Kind::Spill)
      return withOffset(pointerOf(code_.spillSlot), kSpillStart + from.index * size, size);
    return memory(code_.memory[from.index], size);
  }
  a64::Mem memory(const MemoryOperand& m, std::int64_t size) {
    if (m.isIndexed && !advances(m)) return a64::ptr(pointerOf(m.slot), kIndex);
    return withOffset(pointerOf(m.slot, advances(m)), m.offset, size);
  }

  /// Of a single double, in a register.
  a64::Gp addressOf(const Source& from) {
    const MemoryOperand& m = code_.memory[from.index];
    const a64::Gp base = pointerOf(m.slot);
    if (m.isIndexed) failure_.failed = true;
    if (m.offset == 0) return base;
    as_.mov(kOffset, m.offset);
    as_.add(kAddress, base, kOffset);
    return kAddress;
  }

  void loadConstant(int d, std::uint32_t index) {
    const std::int64_t size = lanes_ * kDouble;
    if (std::bit_cast<std::uint64_t>(code_.constants[index]) == 0) {
      as_.movi(vec(d).d2(), 0);
    } else {
      as_.ldr(whole(d), withOffset(constants_, index * size, size));
    }
  }

  // --- instructions ----------------------------------------------------------------------------

  void copy(int d, int a) {
    if (d != a) as_.mov(vec(d).b16(), vec(a).b16());
  }

  /// b where the mask has ones, else c. Which of three instructions, by what d holds.
  void select(int d, int mask, int b, int c) {
    if (d == b) {
      as_.bif(bits(d), bits(c), bits(mask));
    } else if (d == c) {
      as_.bit(bits(d), bits(b), bits(mask));
    } else {
      copy(d, mask);
      as_.bsl(bits(d), bits(b), bits(c));
    }
  }

  void fused(Micro kind, int d, int a, int b, int c) {
    using I = a64::Inst;
    if (lanes_ == 1) {
      const asmjit::InstId id = kind == Micro::Fma   ? I::kIdFmadd_v
                                : kind == Micro::Fms ? I::kIdFnmsub_v
                                                     : I::kIdFmsub_v;
      return emit(id, number(d), number(a), number(b), number(c));
    }
    // Vectors: the sum is overwritten, and before that made negative or moved to its place.
    const bool isFactor = d == a || d == b;
    const int sum = isFactor && (d != c || kind == Micro::Fms) ? kScratchId : d;
    if (kind == Micro::Fms) {
      emit(I::kIdFneg_v, number(sum), number(c));
    } else {
      copy(sum, c);
    }
    emit(kind == Micro::Fnma ? I::kIdFmls_v : I::kIdFmla_v, number(sum), number(a), number(b));
    copy(d, sum);
  }

  void compare(Predicate predicate, int d, int a, int b) {
    using I = a64::Inst;
    const auto inverse = [&] { as_.mvn(bits(d), bits(d)); };
    switch (predicate) {
      case Predicate::Equal:
        return emit(I::kIdFcmeq_v, number(d), number(a), number(b));
      case Predicate::NotEqual:
        emit(I::kIdFcmeq_v, number(d), number(a), number(b));
        return inverse();
      case Predicate::Less:
        return emit(I::kIdFcmgt_v, number(d), number(b), number(a));
      case Predicate::LessEqual:
        return emit(I::kIdFcmge_v, number(d), number(b), number(a));
      case Predicate::Greater:
        return emit(I::kIdFcmgt_v, number(d), number(a), number(b));
      case Predicate::GreaterEqual:
        return emit(I::kIdFcmge_v, number(d), number(a), number(b));
      case Predicate::NotLess:
        emit(I::kIdFcmgt_v, number(d), number(b), number(a));
        return inverse();
      case Predicate::Unordered:
        // A number equals itself.
        emit(I::kIdFcmeq_v, number(kScratchId), number(a), number(a));
        emit(I::kIdFcmeq_v, number(d), number(b), number(b));
        as_.and_(bits(d), bits(d), bits(kScratchId));
        return inverse();
    }
  }

  /// Lanes that leave a core's range are rare: they are computed out of the way.
  void guard(const MicroOp& op, int d, int mask, int x, int otherwise) {
    if (!detours_.empty() && as_.offset() - firstGuard_ > kDetourReach) {
      const asmjit::Label over = as_.newLabel();
      as_.b(over);
      emitDetours();
      as_.bind(over);
    }
    if (detours_.empty()) firstGuard_ = as_.offset();
    const Detour detour{as_.newLabel(), as_.newLabel(), d, x,
                        code_.calls[static_cast<std::size_t>(op.extra)].kernel};
    if (lanes_ == 1) {
      as_.fmov(kAddress, vec(mask).d());
    } else {
      // The sum of masks, each 0 or -1.
      as_.addp(kScratch.d(), vec(mask).d2());
      as_.fmov(kAddress, kScratch.d());
    }
    as_.cbnz(kAddress, detour.from);
    copy(d, otherwise);
    as_.bind(detour.back);
    detours_.push_back(detour);
  }

  void emitDetours() {
    for (const Detour& detour : detours_) emitDetour(detour);
    detours_.clear();
  }

  /// A call that changes no register but d.
  void emitDetour(const Detour& detour) {
    constexpr std::int64_t kVector = 2 * kDouble;
    as_.bind(detour.from);
    const a64::Gp spills = pointerOf(code_.spillSlot);
    const auto place = [](int r) { return a64::ptr(kAddress, static_cast<int>(r * kVector)); };
    const auto findPlaces = [&] { as_.add(kAddress, spills, Code::kCallDoubles * kDouble); };
    findPlaces();
    for (int r = 0; r < registers(); ++r) as_.str(vec(r).q(), place(r));
    as_.sub(a64::sp, a64::sp, 128);
    for (std::uint32_t r = 0; r < 16; r += 2)
      as_.stp(a64::x(r), a64::x(r + 1), a64::ptr(a64::sp, static_cast<int>(r * 8)));
    as_.add(a64::x1, kAddress, detour.x * kVector);
    as_.mov(a64::x0, spills);
    as_.mov(a64::x2, a64::x1);
    as_.mov(a64::x3, a64::x1);
    as_.mov(a64::x4, lanes_);
    as_.mov(a64::w5, 0);
    as_.mov(kAddress, reinterpret_cast<std::uint64_t>(detour.kernel));
    as_.blr(kAddress);
    for (std::uint32_t r = 0; r < 16; r += 2)
      as_.ldp(a64::x(r), a64::x(r + 1), a64::ptr(a64::sp, static_cast<int>(r * 8)));
    as_.add(a64::sp, a64::sp, 128);
    findPlaces();
    for (int r = 0; r < registers(); ++r) {
      if (r != detour.d) as_.ldr(vec(r).q(), place(r));
    }
    as_.ldr(whole(detour.d), a64::ptr(spills));
    as_.b(detour.back);
  }

  const Code& code_;
  const std::int64_t lanes_;
  Failure failure_;
  asmjit::CodeHolder holder_;
  a64::Assembler as_;
  asmjit::Label loop_;
  std::size_t pool_ = 0;        ///< where the constants are
  std::size_t firstGuard_ = 0;  ///< of those whose detours are not written
  a64::Gp constants_;
  std::vector<Pointer> pointers_;
  std::vector<Detour> detours_;
};

}  // namespace

std::unique_ptr<Target> makeNeonTarget(const Code& code) {
  return std::make_unique<NeonTarget>(code);
}

}  // namespace adjoint::exec

#endif

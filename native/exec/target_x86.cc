// Machine code for x86-64, whatever its vector instructions, by asmjit's assembler.
#include "exec/target_x86.h"

#if defined(ADJOINT_ASMJIT) && defined(__x86_64__)

#include <algorithm>

namespace adjoint::exec {
namespace {

namespace x86 = asmjit::x86;

/// The spill pointer points here, so that the first slots have addresses of one byte.
constexpr std::int64_t kSpillBias = kSpillStart + 128;

/// Instructions of scalar code from which it prefetches itself.
constexpr std::size_t kLongCode = 16384;

/// Points to spilled values that are far from the others.
const x86::Gp kWindow = x86::rbp;

int slotOffset(std::uint32_t slot) { return static_cast<int>(slot * sizeof(double*)); }

}  // namespace

X86Target::X86Target(const Code& code, const Kind& kind)
    : code_(code),
      lanes_(kind.lanes),
      kind_(kind),
      isLong_(code.isScalar && code.ops.size() > kLongCode) {}

void X86Target::begin() {
  holder_.init(asmjit::Environment::host());
  holder_.setErrorHandler(&failure_);
  holder_.attach(&as_);
  pool_ = as_.newLabel();
  picks_ = as_.newLabel();
  choosePointers();
  for (const x86::Gp& r : saved_) as_.push(r);
  if (saved_.size() % 2 == 0) as_.sub(x86::rsp, 8);
  for (std::size_t i = 0; i < pointers_.size(); ++i)
    as_.mov(pointers_[i].reg, x86::ptr(x86::rdi, slotOffset(pointers_[i].slot)));
  as_.add(pointerOf(code_.spillSlot), static_cast<int>(kSpillBias));
  if (hasWindow_) {
    as_.mov(kWindow, pointerOf(code_.spillSlot));
    windowAt_ = kSpillBias;
  }
  loadMasks();
}

void X86Target::beginLoop() {
  as_.shl(x86::rsi, 3);  // bytes
  as_.xor_(x86::ecx, x86::ecx);
  loop_ = as_.newLabel();
  as_.bind(loop_);
}

void X86Target::endLoop() {
  for (const MovingSlot& m : code_.moving) as_.add(pointerOf(m.slot), m.bytes);
  as_.add(x86::rcx, lanes_ * kDouble);
  as_.cmp(x86::rcx, x86::rsi);
  as_.jl(loop_);
}

std::string X86Target::end() {
  if (saved_.size() % 2 == 0) as_.add(x86::rsp, 8);
  for (std::size_t i = saved_.size(); i-- > 0;) as_.pop(saved_[i]);
  if (kind_.hasUpperHalves) as_.vzeroupper();
  as_.ret();
  for (const Detour& detour : detours_) emitDetour(detour);
  as_.align(asmjit::AlignMode::kData, 64);
  as_.bind(pool_);
  for (const double x : code_.constants) {
    for (std::int64_t i = 0; i < kind_.poolStride / kDouble; ++i) as_.embedDouble(x);
  }
  as_.align(asmjit::AlignMode::kData, 64);
  as_.bind(picks_);
  for (const LanePicks& pick : code_.picks) as_.embed(pick.lanes.data(), sizeof pick.lanes);
  return bytesOf(holder_, failure_);
}

void X86Target::store(const Source& to, int a) {
  if (isFar(to)) moveWindow(spillOffset(to.index));
  const bool isRow = to.kind == Source::Kind::Memory && isMoving(code_.memory[to.index].slot);
  if (isRow && lanes_ == 8) {
    // Rows are long, and Zen 4 takes a fourth longer to write whole vectors.
    x86::Mem half = memory(to);
    half.setSize(32);
    as_.vmovupd(half, vec(a).as<x86::Zmm>().half());
    half.addOffset(32);
    as_.vextractf64x4(half, vec(a).as<x86::Zmm>(), 1);
    return;
  }
  as_.emit(kind_.move, memory(to), vec(a));
}

void X86Target::call(const KernelCall& call) {
  const x86::Gp area = x86::r11;
  as_.lea(area, x86::ptr(pointerOf(code_.spillSlot), static_cast<int>(-kSpillBias)));
  const std::int64_t step = 8 * kDouble;
  // Lanes the callee computes beside those it is asked for repeat the first.
  if (call.lanes % 4 != 0) {
    for (std::int64_t k = 1; k <= 3; ++k) {
      as_.emit(kind_.moveOne, x86::xmm0, x86::ptr(area, static_cast<int>(k * step)));
      for (std::int64_t lane = call.lanes; lane % 4 != 0; ++lane)
        as_.emit(kind_.moveOne, x86::ptr(area, static_cast<int>(k * step + lane * kDouble)),
                 x86::xmm0);
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

/// Into the second-level cache: the first one is full of what the code works on.
void X86Target::prefetch(std::uint32_t address) {
  as_.mov(x86::rax, one({Source::Kind::Memory, 0, address}));
  as_.prefetcht1(x86::ptr(x86::rax));
}

bool X86Target::isMoving(std::uint32_t slot) const {
  return std::ranges::find(code_.moving, slot, &MovingSlot::slot) != code_.moving.end();
}

/// The slots named most often have their addresses in registers.
void X86Target::choosePointers() {
  // That of spilled values comes first: its register has the shortest instructions.
  const std::vector<std::uint32_t> slots = slotsByUse(code_);
  // Calls leave the first six alone.
  const x86::Gp all[] = {x86::rbx, x86::rbp, x86::r12, x86::r13, x86::r14, x86::r15,
                         x86::rdx, x86::r8,  x86::r9,  x86::r10, x86::r11};
  const std::size_t usable = code_.isScalar ? 6 : std::size(all);
  hasWindow_ = isLong_ && slots.size() < usable;
  for (std::size_t i = 0; i < std::min(usable, slots.size()); ++i) {
    // Code without calls takes those first that need not be saved.
    const std::size_t r = code_.isScalar ? i + (hasWindow_ && i > 0) : (i + 6) % std::size(all);
    pointers_.push_back({slots[i], all[r]});
    if (r < 6) saved_.push_back(all[r]);
  }
  if (hasWindow_) saved_.push_back(kWindow);
}

x86::Gp X86Target::pointerOf(std::uint32_t slot) {
  for (const Pointer& p : pointers_) {
    if (p.slot == slot) return p.reg;
  }
  if (code_.isScalar || isMoving(slot)) failure_.failed = true;
  as_.mov(x86::rax, x86::ptr(x86::rdi, slotOffset(slot)));
  return x86::rax;
}

bool X86Target::isFar(const Source& s) const {
  return hasWindow_ && s.kind == Source::Kind::Spill && s.index >= Code::kNearSpills;
}

std::int64_t X86Target::spillOffset(std::uint32_t index) const {
  return kSpillStart + static_cast<std::int64_t>(index) * lanes_ * kDouble;
}

/// Slots far from others are written in the order of their addresses (assign.cc), so a pointer that
/// goes with them makes most offsets a byte.
void X86Target::moveWindow(std::int64_t offset) {
  constexpr std::int64_t kReach = 128;
  ++storesSinceMove_;
  const std::int64_t from = offset - windowAt_;
  if ((from >= -kReach && from < kReach) || storesSinceMove_ < 3) return;
  const std::int64_t step = from >= kReach && from < 2 * kReach ? kReach : from + kReach;
  // -128 takes a byte where 128 takes four.
  if (step == kReach)
    as_.sub(kWindow, static_cast<int>(-kReach));
  else
    as_.add(kWindow, static_cast<int>(step));
  windowAt_ += step;
  storesSinceMove_ = 0;
}

/// Straight-line code that is longer than the caches near the processor is fetched a line at a
/// time, as fast as the next cache answers; asked for in time, it is there. Lines come in pairs.
void X86Target::prefetchCode() {
  constexpr int kAhead = 32768;
  constexpr std::size_t kLines = 128;
  if (!isLong_ || as_.offset() < nextPrefetch_) return;
  as_.prefetcht0(x86::ptr(x86::rip, kAhead));
  nextPrefetch_ = as_.offset() + kLines;
}

/// Offsets of a byte count doubles in instructions that can name 32 registers.
void X86Target::shortenOffset(const x86::Mem& m) {
  if (lanes_ != 1 || kind_.registers < 32 || m.hasBaseLabel() || m.offset() % kDouble != 0) return;
  const auto isByte = [](std::int64_t x) { return x == static_cast<std::int8_t>(x); };
  if (isByte(m.offset() / kDouble) && !isByte(m.offset())) as_.evex();
}

x86::Mem X86Target::memory(const Source& from) {
  prefetchCode();
  const x86::Mem m = address(from);
  shortenOffset(m);
  return m;
}

x86::Mem X86Target::address(const Source& from) {
  const auto size = static_cast<std::uint32_t>(lanes_ * kDouble);
  switch (from.kind) {
    case Source::Kind::Constant:
      return x86::Mem(pool_, static_cast<int>(from.index * kind_.poolStride), size);
    case Source::Kind::Pattern:
      return x86::Mem(picks_, static_cast<int>(from.index * sizeof(LanePicks::lanes)), size);
    case Source::Kind::Spill: {
      const std::int64_t offset = spillOffset(from.index);
      if (isFar(from)) return x86::Mem(kWindow, static_cast<int>(offset - windowAt_), size);
      return x86::Mem(pointerOf(code_.spillSlot), static_cast<int>(offset - kSpillBias), size);
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

x86::Mem X86Target::one(const Source& from) {
  x86::Mem m = memory(from);
  m.setSize(8);
  return m;
}

void X86Target::guard(const MicroOp& op, int d, const Source& a, const Source& b, const Source& c) {
  Detour detour{as_.newLabel(), as_.newLabel(), d, b.reg,
                code_.calls[static_cast<std::size_t>(op.extra)].kernel};
  testLanes(a.reg);
  as_.jnz(detour.from);
  if (d != c.reg) as_.emit(kind_.copy, vec(d), vec(c.reg));
  as_.bind(detour.back);
  detours_.push_back(detour);
}

/// A call that changes no register but d.
void X86Target::emitDetour(const Detour& detour) {
  as_.bind(detour.from);
  const x86::Gp spills = pointerOf(code_.spillSlot);
  const std::int64_t saved = Code::kCallDoubles * kDouble - kSpillBias;
  const auto place = [&](int r) {
    return x86::Mem(spills, static_cast<int>(saved + r * lanes_ * kDouble),
                    static_cast<std::uint32_t>(lanes_ * kDouble));
  };
  for (int r = 0; r < registers(); ++r) as_.emit(kind_.move, place(r), vec(r));
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
  if (kind_.hasUpperHalves) as_.vzeroupper();
  as_.mov(x86::rax, reinterpret_cast<std::uint64_t>(detour.kernel));
  as_.call(x86::rax);
  loadMasks();
  for (std::size_t i = std::size(callers); i-- > 0;) as_.pop(callers[i]);
  for (int r = 0; r < registers(); ++r) {
    if (r != detour.d) as_.emit(kind_.move, vec(r), place(r));
  }
  as_.emit(kind_.move, vec(detour.d),
           x86::Mem(spills, static_cast<int>(-kSpillBias),
                    static_cast<std::uint32_t>(lanes_ * kDouble)));
  as_.jmp(detour.back);
}

}  // namespace adjoint::exec

#endif

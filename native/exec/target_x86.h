#pragma once

#include "exec/target_asmjit.h"

#if defined(ADJOINT_ASMJIT) && defined(__x86_64__)

#include <asmjit/x86.h>

namespace adjoint::exec {

/// What code for x86-64 has in common whatever its vector instructions: addresses, the loop, calls.
class X86Target : public Target {
 public:
  int registers() const final { return kind_.registers; }
  int lanes() const final { return static_cast<int>(lanes_); }
  void begin() final;
  void beginLoop() final;
  void endLoop() final;
  std::string end() final;
  void store(const Source& to, int a) final;
  void move(int d, int a) final { as_.emit(kind_.copy, vec(d), vec(a)); }
  void call(const KernelCall& call) final;
  void prefetch(std::uint32_t address) final;

 protected:
  struct Kind {
    std::int64_t lanes;
    int registers;
    std::int64_t poolStride;       ///< bytes from one constant to the next
    asmjit::InstId move, moveOne;  ///< between memory and a vector, and its first lane
    asmjit::InstId copy;           ///< between registers
    bool hasUpperHalves;           ///< that slow other instructions down unless they are zero
  };

  X86Target(const Code& code, const Kind& kind);

  virtual asmjit::x86::Vec vec(int r) const = 0;
  /// Those that stay in registers, which are the callee's of every call.
  virtual void loadMasks() {}
  /// Sets the zero flag unless the mask holds in some lane.
  virtual void testLanes(int mask) = 0;

  /// For the instruction that is written next.
  asmjit::x86::Mem memory(const Source& from);
  /// A single double.
  asmjit::x86::Mem one(const Source& from);
  /// Lanes that leave a core's range are rare: they are computed at the end of the code.
  void guard(const MicroOp& op, int d, const Source& a, const Source& b, const Source& c);
  bool isZero(const Source& s) const {
    return s.kind == Source::Kind::Constant &&
           std::bit_cast<std::uint64_t>(code_.constants[s.index]) == 0;
  }

  const Code& code_;
  const std::int64_t lanes_;
  Failure failure_;
  asmjit::x86::Assembler as_;

 private:
  struct Pointer {
    std::uint32_t slot;
    asmjit::x86::Gp reg;
  };
  struct Detour {
    asmjit::Label from, back;
    int d, x;
    ElementKernel kernel;
  };

  void choosePointers();
  void prefetchCode();
  bool isFar(const Source& s) const;
  /// From the beginning of the spilled values' memory, in bytes.
  std::int64_t spillOffset(std::uint32_t index) const;
  void moveWindow(std::int64_t offset);
  asmjit::x86::Mem address(const Source& from);
  bool isMoving(std::uint32_t slot) const;
  void shortenOffset(const asmjit::x86::Mem& m);
  asmjit::x86::Gp pointerOf(std::uint32_t slot);
  void emitDetour(const Detour& detour);

  const Kind kind_;
  const bool isLong_;
  std::size_t nextPrefetch_ = 0;  ///< offset in the code
  bool hasWindow_ = false;        ///< a pointer that goes along with what is spilled
  std::int64_t windowAt_ = 0;     ///< where it points, from the beginning of that memory
  int storesSinceMove_ = 0;
  asmjit::CodeHolder holder_;
  asmjit::Label pool_, picks_, loop_;
  std::vector<Pointer> pointers_;
  std::vector<asmjit::x86::Gp> saved_;
  std::vector<Detour> detours_;
};

}  // namespace adjoint::exec

#endif

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exec/code.h"

namespace adjoint::exec {

/// What machine code is written in. All give the same bits for the same Code.
enum class InstructionSet : std::uint8_t {
  None,    ///< the interpreter does everything
  Sse4,    ///< SSE4.1; no fused multiply-adds
  Avx2,    ///< with FMA
  Avx512,  ///< F, DQ and VL
  Neon,
};

/// Those that the running processor has, the best first.
const std::vector<InstructionSet>& instructionSets();
/// The best, or that which the environment variable ADJOINT_JIT names: "sse4", ..., "off".
InstructionSet chosenInstructionSet();
const char* nameOf(InstructionSet set);
/// Of its vectors.
int lanesOf(InstructionSet set);
/// Of vectors.
int registersOf(InstructionSet set);

/// A vector register, or memory of the kinds an instruction of the target may read directly.
struct Source {
  enum class Kind : std::uint8_t {
    Register,
    Memory,
    One,
    Constant,
    Pattern,
    Spill
  } kind = Kind::Register;
  int reg = 0;
  /// Of Code::memory (Memory, One), Code::constants, Code::picks, or a spill slot.
  std::uint32_t index = 0;
};

/// Writes a Code as machine code for one instruction set. Registers are numbered from 0.
class Target {
 public:
  virtual ~Target() = default;

  virtual int registers() const = 0;
  /// Of a vector.
  virtual int lanes() const = 0;
  /// Whether this instruction may have one operand of this kind: the last, or the second of three
  /// (for a choice only that).
  virtual bool canFold(Micro kind, Source::Kind source) const = 0;

  virtual void begin() = 0;
  /// Of vector code, after what is done once.
  virtual void beginLoop() = 0;
  virtual void endLoop() = 0;
  virtual void load(int d, const Source& from) = 0;
  virtual void move(int d, int a) = 0;
  virtual void store(const Source& to, int a) = 0;
  /// d may be one of the operands' registers. All operands are registers but perhaps one.
  virtual void operate(const MicroOp& op, int d, const Source& a, const Source& b,
                       const Source& c) = 0;
  virtual void call(const KernelCall& call) = 0;
  /// Asks for the line whose address is at Code::memory[address].
  virtual void prefetch(std::uint32_t address) = 0;
  /// The code; empty where it could not be written.
  virtual std::string end() = 0;
};

/// Whether sums within loops are worth it: their partials move from register to register.
inline bool sumsInLoops(InstructionSet set) { return lanesOf(set) >= 4; }

/// Null for None.
std::unique_ptr<Target> makeTarget(InstructionSet set, const Code& code);

/// Machine code, position-independent; empty where it cannot be written.
std::string generateCode(const Code& code, InstructionSet set);

}  // namespace adjoint::exec

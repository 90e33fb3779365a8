#pragma once

#include <memory>
#include <string>

#include "exec/code.h"

namespace adjoint::exec {

/// A vector register, or memory of the kinds an instruction of the target may read directly.
struct Source {
  enum class Kind : std::uint8_t { Register, Memory, One, Constant, Spill } kind = Kind::Register;
  int reg = 0;
  std::uint32_t index = 0;  ///< of Code::memory (Memory, One), Code::constants, or a spill slot
};

/// Writes a Code as machine code for one kind of processor. Registers are numbered from 0.
class Target {
 public:
  virtual ~Target() = default;

  virtual int registers() const = 0;
  /// Whether this instruction may have one operand of this kind: the last, or the second of three
  /// (for a choice only that).
  virtual bool canFold(Micro kind, Source::Kind source) const = 0;

  virtual void begin() = 0;
  virtual void load(int d, const Source& from) = 0;
  virtual void store(const Source& to, int a) = 0;
  /// d may be one of the operands' registers. All operands are registers but perhaps one.
  virtual void operate(const MicroOp& op, int d, const Source& a, const Source& b,
                       const Source& c) = 0;
  virtual void call(const KernelCall& call) = 0;
  /// The code; empty where it could not be written.
  virtual std::string end() = 0;
};

/// For the running processor, or null.
std::unique_ptr<Target> makeTarget(const Code& code);
/// Lanes of the vectors that makeTarget's code computes with; 0 where there is none.
int targetLanes();

/// Machine code, position-independent; empty where it cannot be written.
std::string generateCode(const Code& code);

}  // namespace adjoint::exec

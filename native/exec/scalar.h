#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "exec/block.h"
#include "exec/code.h"

namespace adjoint::exec {

/// 16 bytes. Three-operand operations, calls and gathers are followed by a second instruction with
/// the rest.
struct ScalarInstr {
  std::uint16_t op = 0;  ///< ScalarOp
  std::uint16_t function = 0;
  std::uint32_t d = 0, a = 0, b = 0;
};

/// A kernel of one point, translated. Immutable.
struct ScalarProgram {
  struct Gather {
    Place place;
    std::int64_t stride, limit;
    NodeId node;
  };
  BigVector<ScalarInstr> code;
  std::vector<ElementKernel> functions;
  std::vector<Gather> gathers;
  std::uint32_t registers = 0;

  std::int64_t scratch() const { return roundUp(registers, 8); }
  std::size_t bytes() const {
    return sizeof(*this) + code.capacity() * sizeof(ScalarInstr) +
           functions.capacity() * sizeof(ElementKernel) + gathers.capacity() * sizeof(Gather);
  }
};

/// With all loops of extent 1, an access is one address or its fill value. Windows of the loops in
/// `skip` (a bit each) are left out.
struct Point {
  bool inside = true;
  Place place;
  double fill = 0;
};
Point pointOf(const Plan& plan, const Kernel& kernel, std::size_t access, std::uint32_t skip = 0);

std::unique_ptr<const ScalarProgram> compileScalar(const Plan& plan, const Kernel& kernel);
/// The same kernel for the code generator: slots are the memories by Base, then the scratch memory.
/// False for one with computed addresses.
bool compileScalar(const Plan& plan, const Kernel& kernel, Code& code);
/// False: status says why.
bool runScalar(const ScalarProgram& program, const RunContext& context) noexcept;

/// The operations a scalar program computes without a call, with the bits of the row's kernel;
/// X(name of the row, enumerator, value). Only those whose value IEEE 754 leaves no choice about.
#define ADJOINT_SCALAR_UNARY(X)    \
  X("neg", Neg, -a)                \
  X("abs", Abs, __builtin_fabs(a)) \
  X("square", Square, a* a)        \
  X("sqrt", Sqrt, __builtin_sqrt(a))
#define ADJOINT_SCALAR_BINARY(X)                \
  X("add", Add, a + b)                          \
  X("sub", Sub, a - b)                          \
  X("mul", Mul, a* b)                           \
  X("div", Div, a / b)                          \
  X("equal", Equal, a == b ? 1.0 : 0.0)         \
  X("notEqual", NotEqual, a != b ? 1.0 : 0.0)   \
  X("less", Less, a < b ? 1.0 : 0.0)            \
  X("lessEqual", LessEqual, a <= b ? 1.0 : 0.0) \
  X("greater", Greater, a > b ? 1.0 : 0.0)      \
  X("greaterEqual", GreaterEqual, a >= b ? 1.0 : 0.0)

enum class ScalarOp : std::uint16_t {
#define X(name, id, value) id,
  ADJOINT_SCALAR_UNARY(X) ADJOINT_SCALAR_BINARY(X)
#undef X
      Fma,
  Where,
  Call,
  Const,  ///< the value's bits are in a and b
  LoadIo,
  LoadTemp,
  LoadConstant,
  LoadNext,
  LoadKept,
  StoreIo,
  StoreTemp,
  StoreNext,
  Gather,
  End,
};

}  // namespace adjoint::exec

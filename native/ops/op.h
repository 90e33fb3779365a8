#pragma once

#include "tape/tape.h"

namespace adjoint {

/// Operation codes, derived from the rows. Codes are explicit and append-only: saved tapes outlive
/// versions.
enum class Op : OpCode {
  Input = tapeop::kInput,
  Constant = tapeop::kConstant,
  Data = tapeop::kData,
#define UNARY(code, id, ...) id = code,
#define BINARY(code, id, ...) id = code,
#define TERNARY(code, id, ...) id = code,
#include "ops/elementwise.def"
#undef UNARY
#undef BINARY
#undef TERNARY
#define STRUCTURAL(code, id, ...) id = code,
#define COMPOSITE(code, id, ...) id = code,
#include "ops/structural.def"
#undef STRUCTURAL
#undef COMPOSITE
};

static_assert(static_cast<OpCode>(Op::Custom) == tapeop::kCustom);
static_assert(static_cast<OpCode>(Op::Lanes) == tapeop::kLanes);
static_assert(static_cast<OpCode>(Op::Loop) == tapeop::kLoop);

inline OpCode code(Op op) { return static_cast<OpCode>(op); }
inline Op opOf(const Node& node) { return static_cast<Op>(node.op); }

}  // namespace adjoint

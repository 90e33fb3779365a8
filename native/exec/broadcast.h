#pragma once

#include "ops/row.h"

namespace adjoint::exec {

/// An operation's kernel for operands of which those in `numbers` (bit k: operand k; not all of
/// them) are one number each, read once. The same bits as with the number in every lane. nullptr:
/// there is none.
ElementKernel broadcastKernel(Op op, unsigned numbers);

}  // namespace adjoint::exec

#pragma once

#include "exec/block.h"

namespace adjoint::exec {

/// The kernel's reductions, and tiles of columns where they are worth it.
void addReductions(const Plan& plan, const Kernel& kernel, BlockProgram& program);

}  // namespace adjoint::exec

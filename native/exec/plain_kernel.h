#pragma once

#include <functional>

#include "exec/block.h"
#include "exec/code.h"
#include "plan/plan.h"

namespace adjoint::exec {

/// Whether a kernel is one loop over consecutive elements, and numbers, in operations that are all
/// machine code, of which none reads what another writes.
bool isPlainKernel(const Plan& plan, const Kernel& kernel);

/// Writes one round of a plain kernel. `operand` says where the next elements at a place are, or,
/// where `moves` is false, the number there; `store` takes what is stored. False: it has an
/// operation that needs a call.
bool writePlainKernel(const Plan& plan, const Kernel& kernel, CodeWriter& writer,
                      const std::function<MemoryOperand(const Place&, bool moves)>& operand,
                      const std::function<void(const Access&, std::uint32_t value)>& store);

}  // namespace adjoint::exec

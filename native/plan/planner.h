#pragma once

#include <memory>

#include "plan/plan.h"

namespace adjoint {

/// Compiles a tape: fused multiply-adds, kernels, buffers and their places. Throws ERR_LIMIT or
/// ERR_MEMORY.
std::shared_ptr<const Plan> makePlan(TapePtr tape);

}  // namespace adjoint

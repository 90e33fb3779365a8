#pragma once

#include <memory>
#include <vector>

#include "plan/plan.h"
#include "plan/planner.h"
#include "plan/structure.h"

namespace adjoint {

/// A plan of a tape as it is: its kernels and other steps in their order, its buffers and their
/// places. `inputZeros`: known zeros of inputs, by position; may be shorter.
std::shared_ptr<const Plan> assemblePlan(TapePtr tape, const PlanOptions& options,
                                         std::vector<ElementSet> inputZeros = {});

}  // namespace adjoint

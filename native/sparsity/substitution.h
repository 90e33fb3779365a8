#pragma once

#include <span>

#include "coloring/recovery.h"
#include "ops/expr.h"

namespace adjoint {

/// Evaluates a substitution plan: the values at `entries`, positions of nonzeros, from the elements
/// of the compressed matrix. The nonzeros form trees in which each is subtracted from the one above
/// it. A chain of them is a linear recurrence, and chains hang on others at most as deep as the
/// logarithm of their number (heavy paths: D. D. Sleator and R. E. Tarjan, A data structure for
/// dynamic trees, 1983), so that the operations are few, however deep the trees.
Expr substituted(const coloring::SubstitutionPlan& plan, Expr compressed,
                 std::span<const coloring::Index> entries);

}  // namespace adjoint

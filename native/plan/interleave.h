#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plan/plan.h"

namespace adjoint {

/// Rows of a result that take an element each of the same parts, from one row to the next the next
/// element: part j of a result with `width` columns is column j.
std::vector<InterleaveStep::Run> interleavedRuns(std::span<const double> positions,
                                                 std::span<const std::int64_t> counts,
                                                 const std::vector<bool>& isUniform,
                                                 std::vector<InterleaveStep::Column>& columns);

/// Gathers by known positions from values that are joined for them alone read the parts themselves,
/// where most of them are rows with a column of each part.
TapePtr interleaveParts(const TapePtr& t);

}  // namespace adjoint

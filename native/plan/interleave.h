#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "plan/plan.h"

namespace adjoint {

/// A value that is joined with others.
struct JoinedPart {
  std::int64_t count = 0;
  std::optional<double> uniform;  ///< all its elements
};

/// What is at `positions` of the joined parts as runs: rows of a result that take an element each
/// of the same parts, from one row to the next the next element. Sets the step's runs, columns and
/// singles; element 0 of one of several uniform parts with the same number stands for them all.
void findRuns(std::span<const double> positions, std::span<const JoinedPart> parts,
              InterleaveStep& step);

/// Gathers by known positions from values that are joined for them alone read the parts themselves,
/// where most of them are rows with a column of each part.
TapePtr interleaveParts(const TapePtr& t);

}  // namespace adjoint

#pragma once

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "sparsity/detection.h"
#include "test/support/evaluator.h"

namespace adjoint::testing {

/// Rows and columns.
using Entries = std::set<std::pair<std::int64_t, std::int64_t>>;
using Positions = std::vector<std::size_t>;

/// The entries of a pattern, whose form is checked.
Entries entriesOf(const SparsePattern& pattern);
/// Detected for all points.
Entries globalEntries(const TapePtr& t, const Positions& wrt, PatternOf of = PatternOf::Jacobian);
/// Detected for one.
Entries localEntries(const TapePtr& t, const Positions& wrt, const Arrays& inputs,
                     PatternOf of = PatternOf::Jacobian);
/// Entries of the dense Jacobian that are not 0, by both modes. NaN does not count: it is also what
/// zeros make of an infinite derivative.
Entries nonzerosOf(const TapePtr& t, const Positions& wrt, const Arrays& inputs);
/// All of `inner` is in `outer`.
void expectWithin(const Entries& inner, const Entries& outer, const char* what);

}  // namespace adjoint::testing

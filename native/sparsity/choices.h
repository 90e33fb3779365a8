#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sparsity/constants.h"
#include "sparsity/decisions.h"
#include "sparsity/derivative_calls.h"
#include "sparsity/index_ranges.h"

namespace adjoint {

/// What is decided at one point (decisions.h).
struct DecisionValues {
  std::span<const Decision> decisions;
  std::span<const std::vector<double>> values;  ///< of each
};

/// Branches and indices of an expanded tape, as far as they are known: from constants, or at a
/// point.
class Choices {
 public:
  /// `decided` may be null: at all points.
  Choices(const ExpandedTape& expanded, const DecisionValues* decided)
      : expanded_(expanded), decided_(decided), constants_(*expanded.tape) {}

  /// Where it is 0 the node does not depend on the operand; null: it may depend on all elements.
  const std::vector<double>* weights(NodeId id, std::size_t operand) const;
  /// The condition of a `where`, or null.
  const std::vector<double>* condition(NodeId id);
  /// The indices of a gather or a sum of scattered values, or null; good until the next call.
  const std::vector<std::int64_t>* indices(NodeId id);
  /// How many steps a loop takes, where that is known.
  std::optional<std::int64_t> steps(NodeId loop);
  /// Where indices are not known, what they can be at all.
  std::optional<std::vector<IndexRange>> ranges(NodeId indices) {
    return indexRanges(*expanded_.tape, indices, constants_);
  }

 private:
  const ExpandedTape& expanded_;
  const DecisionValues* decided_;
  Constants constants_;
  std::vector<std::int64_t> decidedIndices_;
};

}  // namespace adjoint

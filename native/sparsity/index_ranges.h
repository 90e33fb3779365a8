#pragma once

#include <optional>
#include <vector>

#include "sparsity/constants.h"

namespace adjoint {

/// Integers first, first + step, ... up to last.
struct IndexRange {
  std::int64_t first = 0, last = 0, step = 1;
  auto operator<=>(const IndexRange&) const = default;
};

/// What the elements of indices computed at run time can be, whatever the inputs: positions in an
/// order of elements (argsort, argmax), places in a table (table_index.h), moved, and with
/// constants added and multiplied. Nothing where that is not known, or not within a few operations.
std::optional<std::vector<IndexRange>> indexRanges(const Tape& t, NodeId id, Constants& constants);

}  // namespace adjoint

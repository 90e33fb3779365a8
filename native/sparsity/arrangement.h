#pragma once

#include <vector>

#include "coloring/pattern.h"
#include "sparsity/assembly.h"

namespace adjoint {

/// Nonzeros of a pattern in the order of a format: coordinates are in the order of rows.
struct Arrangement {
  SparsePattern pattern;
  std::vector<coloring::Index> entries;  ///< positions in the pattern that was given
};
Arrangement arranged(const coloring::Pattern& pattern, SparseFormat format, Triangle triangle);

}  // namespace adjoint

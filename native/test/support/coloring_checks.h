#pragma once

#include <string>

#include "coloring/coloring.h"

namespace adjoint::testing {

// By definition and slowly: an empty string, or what is wrong.

/// Columns of one color have no nonzeros in one row, and only columns without any are not colored.
std::string wrongInColumns(const coloring::Pattern& pattern, const coloring::Coloring& columns);
/// Vertices at distance one or two have different colors.
std::string wrongAtDistanceTwo(const coloring::Pattern& pattern,
                               const coloring::Coloring& coloring);
/// No neighbors of one color, no path on four vertices of two colors. Vertices without a color may
/// be anything that recovery allows.
std::string wrongInStar(const coloring::Pattern& pattern, const coloring::Coloring& coloring);
/// No neighbors of one color, no cycle of two colors.
std::string wrongInAcyclic(const coloring::Pattern& pattern, const coloring::Coloring& coloring);
/// Each nonzero is alone with its column's color in its row, or with its row's color in its column.
std::string wrongInBicoloring(const coloring::Pattern& pattern,
                              const coloring::Bicoloring& bicoloring);

}  // namespace adjoint::testing

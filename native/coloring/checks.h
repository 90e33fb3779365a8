#pragma once

#include <span>

#include "coloring/coloring.h"

namespace adjoint::coloring {

/// Throws Argument unless `order` is a permutation of so many vertices.
void checkOrder(std::span<const Index> order, Index vertices);

/// Throws Shape unless there is a color for each of so many vertices, Argument for one out of
/// range.
void checkColors(const Coloring& coloring, Index vertices);

}  // namespace adjoint::coloring

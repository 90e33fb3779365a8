#pragma once

#include <span>

#include "coloring/pattern.h"

namespace adjoint::coloring {

/// Throws Argument unless `order` is a permutation of so many vertices.
void checkOrder(std::span<const Index> order, Index vertices);

}  // namespace adjoint::coloring

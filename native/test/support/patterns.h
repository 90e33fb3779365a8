#pragma once

#include <cstdint>

#include "coloring/pattern.h"

namespace adjoint::testing {

using coloring::Index;
using coloring::Pattern;

/// Points of a grid, each with itself and its nearest neighbors: 5, or 7 when nz > 1. Points are
/// numbered along x first.
Pattern gridPattern(Index nx, Index ny, Index nz = 1);
/// Entries at most `half` away from the diagonal.
Pattern bandPattern(Index n, Index half);
/// Dense first row and column, and the diagonal.
Pattern arrowPattern(Index n);
/// A vertex and its leaves. `hub` is its number.
Pattern starPattern(Index leaves, Index hub, bool hasDiagonal);
/// Two species on a periodic grid of n x n points: an equation reads both at its point and its own
/// at the 4 neighbors.
Pattern brusselatorPattern(Index n);
/// About perRow entries in each row, some of them repeated and so fewer.
Pattern randomPattern(Index rows, Index columns, double perRow, std::uint64_t seed);
/// The union of a pattern and its transpose, with a whole diagonal or none.
Pattern symmetrized(const Pattern& pattern, bool hasDiagonal);

}  // namespace adjoint::testing

#pragma once

namespace adjoint {

/// Pivots of scaled normal equations, relative to their diagonal: one that is not above the first
/// is noise.
constexpr double kSmallestPivot = 1e-14;
/// Below it, solutions of normal equations are refined by the residuals.
constexpr double kRefinedPivot = 1e-6;
constexpr int kRefinements = 2;

}  // namespace adjoint

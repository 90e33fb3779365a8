#pragma once

#include <span>

#include "coloring/methods.h"
#include "transform/transform.h"

namespace adjoint {

// Derivatives of a function compressed by a coloring: those by the columns of one color, added up,
// are one lane of a forward sweep, those of the rows of one color one lane of a reverse sweep.
// Lanes share the function's own values. Results have the inputs of the function and as first
// output a vector, the derivatives at `entries`, nonzeros of the graph's pattern by position. With
// `withValues` the function's own outputs come before it.
// Argument is thrown for colors that do not determine every nonzero, Shape for a pattern or
// coloring of another size, Limit for compressed matrices of more than 2^31 - 1 elements.

/// Entries of the Jacobian by the inputs `wrt` (positions): forward sweeps for columns, reverse
/// ones for rows, each entry read where it is alone.
TapePtr compressedJacobian(const TapePtr& t, std::span<const std::size_t> wrt,
                           const coloring::BipartiteGraph& graph,
                           const coloring::Bicoloring& colors,
                           std::span<const coloring::Index> entries, bool withValues = false);

/// Entries of the Hessian of a scalar function: forward sweeps over the gradient. Entries of
/// acyclic colorings are computed by substitution, others are read; one of two mirrored entries is.
/// `withValues`: the function's value and its gradient by each of `wrt`.
TapePtr compressedHessian(const TapePtr& t, std::span<const std::size_t> wrt,
                          const coloring::AdjacencyGraph& graph, coloring::Method method,
                          const coloring::Coloring& colors,
                          std::span<const coloring::Index> entries, bool withValues = false);

/// The outputs of `first`, then those of `second`, which has the same inputs.
TapePtr joinedOutputs(const TapePtr& first, const TapePtr& second);

}  // namespace adjoint

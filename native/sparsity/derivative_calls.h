#pragma once

#include <span>
#include <vector>

#include "tape/tape.h"

namespace adjoint {

/// A function without calls of custom functions, for finding dependences: its values may be others.
struct ExpandedTape {
  TapePtr tape;
  /// By node, the function's that it is a copy of, kNoNode for one of a custom function; empty
  /// where the tape is the function's own.
  std::vector<NodeId> source;

  NodeId sourceOf(NodeId id) const { return source.empty() ? id : source[id]; }
};

/// Replaces calls of custom functions by what their derivative rules make of tangents that are the
/// operands themselves: results then depend, differentiably, on what the rules say. With
/// `withCoefficients` also on what the coefficients of the tangents depend on.
ExpandedTape expandDerivatives(const TapePtr& t, std::span<const std::size_t> wrt,
                               bool withCoefficients);

}  // namespace adjoint

#pragma once

#include <span>
#include <vector>

#include "tape/tape.h"

namespace adjoint {

struct DecisionValues;

/// A function without calls of custom functions and without short loops, for finding dependences:
/// its values may be others.
struct ExpandedTape {
  TapePtr tape;
  /// By node, the function's that it is a copy of, kNoNode for one of a custom function; empty
  /// where the tape is the function's own.
  std::vector<NodeId> source;
  /// By node, where the loop comes from whose step's nodes its origin is one of, or kNoNode; empty
  /// where there is none.
  std::vector<NodeId> loop;

  NodeId sourceOf(NodeId id) const { return source.empty() ? id : source[id]; }
  NodeId loopOf(NodeId id) const { return loop.empty() ? kNoNode : loop[id]; }
};

/// Writes out the steps of loops, as long as these are not too many, and replaces calls of custom
/// functions by what their derivative rules make of tangents that are the operands themselves:
/// results then depend, differentiably, on what the rules say. With `withCoefficients` also on what
/// the coefficients of the tangents depend on. `decided`: numbers of steps at one point, or null.
/// `unrolled`: what loops that are written out may take, all together (unrolled_loops.h).
ExpandedTape expandDerivatives(const TapePtr& t, std::span<const std::size_t> wrt,
                               bool withCoefficients, const DecisionValues* decided,
                               std::int64_t unrolled);

}  // namespace adjoint

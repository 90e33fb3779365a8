#pragma once

#include <span>
#include <vector>

#include "ops/loop.h"
#include "sparsity/constants.h"
#include "tape/tape.h"

namespace adjoint {

/// A value that decides, at one point, on which elements a node depends: the condition of `where`,
/// indices, which elements are extreme, a partial that is constant in pieces, or the number of
/// steps of a loop. What decides within steps does so for all points.
struct Decision {
  NodeId node = kNoNode;
  /// The condition, indices or what a loop's number of steps follows from, else the operand whose
  /// partial it is.
  std::size_t operand = 0;
};

/// The operand that stands for the number of steps: itself, or the first value of a condition.
std::size_t stepsOperand(const LoopAttributes& loop);

/// The decisions of nodes that depend on inputs of interest, in the order of nodes. What constants
/// decide is decided at every point.
std::vector<Decision> decisionsOf(const Tape& t, const std::vector<bool>& active,
                                  Constants& constants);

/// A tape with the function's inputs that computes its decisions, an output each of the shape of
/// the operand.
TapePtr decisionTape(const TapePtr& t, std::span<const std::size_t> wrt);

}  // namespace adjoint

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sparsity/assembly.h"
#include "tape/tape.h"

namespace adjoint {

/// The matrix whose pattern is wanted.
enum class PatternOf { Jacobian, Hessian };

/// Neighboring rows, or columns, of which each has more than half as many entries as the largest
/// input, or output, has elements, and 32 at least.
struct DenseLines {
  bool areRows = true;
  std::int64_t first = 0, count = 1;
  std::int64_t nonzeros = 0;  ///< of the first one
  /// The node of the traced tape that made them dense: it united the elements of a row, gave the
  /// element of a column to many, or let the elements of a row of a Hessian interact.
  NodeId origin = kNoNode;
  /// Where that is a loop, the node of its step, if it is known.
  NodeId stepOrigin = kNoNode;
  OpCode op = 0;
};

struct DetectedPattern {
  SparsePattern pattern;          ///< CSR, columns ascending
  std::vector<DenseLines> dense;  ///< the first ones
};

/// How much is done for loops, in all loops of a function together.
struct LoopEffort {
  /// Nodes of steps that are written out (unrolled_loops.h): all that is known about one step is
  /// known about each.
  std::int64_t nodes = std::int64_t{1} << 17;
  /// Sets that are looked at, step after step, in other loops (loop_dependence.h).
  std::int64_t sets = std::int64_t{1} << 24;
};

struct DetectionOptions {
  PatternOf of = PatternOf::Jacobian;
  std::int64_t maxNonzeros = std::int64_t{1} << 27;
  /// The pattern at one point: values of the outputs of `decisionTape` there; null: at all points.
  const std::vector<std::vector<double>>* decisions = nullptr;
  LoopEffort loops = {};
};

/// Which elements of the outputs depend on which elements of the inputs `wrt`, by the operations
/// between them (A. Griewank and A. Walther, Evaluating Derivatives, 2008, section 7.1); of a
/// Hessian, which pairs of them are in one nonlinear operation that the output depends on
/// (A. Walther, Computing sparse Hessians with automatic differentiation, 2008). Every nonzero is
/// in the pattern, whatever the values, constants that are 0 included. Throws Limit for more
/// nonzeros than `maxNonzeros`, Shape for decisions that are not those of the tape.
DetectedPattern detectPattern(const TapePtr& t, std::span<const std::size_t> wrt,
                              const DetectionOptions& options = {});

}  // namespace adjoint

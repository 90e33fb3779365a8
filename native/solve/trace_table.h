#pragma once

#include <string>
#include <vector>

#include "tape/tape.h"

namespace adjoint {

/// One node of a tape with its numbers, as a textbook tabulates them.
struct TraceRow {
  NodeId node = kNoNode;
  std::string text;  ///< its formula: "sin(v3)"
  Shape shape;
  std::vector<double> primal;   ///< its value
  std::vector<double> tangent;  ///< its directional derivative along the seeds
  std::vector<double>
      adjoint;  ///< the output's derivative by it; empty unless there is one scalar output
};

/// Evaluates every node of the tape at these inputs (one list an input, row-major), with the
/// tangent for these seeds (likewise) and the adjoint. Booleans have zeros for both. The
/// results of a `custom` function and of a loop are rows, these are none. For tapes a person can
/// read: throws ERR_LIMIT past a million values, ERR_SHAPE for lists of wrong lengths, and what a
/// run throws.
std::vector<TraceRow> traceTable(const TapePtr& tape,
                                 const std::vector<std::vector<double>>& inputs,
                                 const std::vector<std::vector<double>>& seeds);

}  // namespace adjoint

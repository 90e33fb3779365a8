#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/lane_function.h"
#include "sparsity/movement.h"
#include "transform/transform.h"

namespace adjoint {

/// Elements of a value that all lanes compute alike, and the rows of the Jacobian they are.
struct LaneElements {
  NodeId node;
  std::vector<std::int64_t> elements, rows;  ///< one a lane
};

/// Lanes and what each of them gives.
struct LaneSet {
  Shape shape;  ///< of the lanes
  std::vector<LaneElements> outputs;
};

/// A value and the rows of its elements.
struct Piece {
  NodeId node;
  std::vector<std::int64_t> rows;
};

/// The outputs as the active values that they are joined of.
std::vector<Piece> piecesOf(const Tape& t, const std::vector<bool>& active, Movement& movement);

/// A piece as sets of lanes that do the same each.
struct PieceLanes {
  std::vector<LaneSet> sets;  ///< none where there is no such form
  NodeId cause = kNoNode;     ///< the operation because of which there is none
  double cost = 0;            ///< estimated operations of the longest Jacobian of one lane
  double entries = 0;         ///< of the Jacobians of all lanes, or less
  double operations = 0;      ///< estimated, of the Jacobians of all lanes
};
/// In at most so many sets.
PieceLanes lanesOf(const Tape& t, const std::vector<bool>& active, Movement& movement,
                   const Piece& piece, JacobianMode mode, std::size_t maxSets = 1024);

}  // namespace adjoint

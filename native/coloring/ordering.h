#pragma once

#include <cstdint>
#include <vector>

#include "coloring/pattern.h"

namespace adjoint::coloring {

/// In which order a greedy coloring takes vertices (A. H. Gebremedhin, D. Nguyen, M. M. A. Patwary
/// and A. Pothen, ColPack: Software for graph coloring and related problems in scientific
/// computing, 2013, section 3). Ties go to what is named below, and all of them are deterministic.
enum class Order {
  Natural,              ///< as they are numbered
  LargestFirst,         ///< by degree, the largest first; then as numbered
  SmallestLast,         ///< last the one of least degree, and so on among those that are left
  IncidenceDegree,      ///< next the one with most neighbors before it
  DynamicLargestFirst,  ///< next the one with most neighbors among those that are left
  Random,               ///< a permutation that a seed decides
  /// Next the one whose neighbors have most different colors already, of these that of largest
  /// degree (D. Brelaz, New methods to color the vertices of a graph, 1979), up to 64 colors.
  SaturationDegree,
};

/// Which of equal vertices SmallestLast puts last: those numbered last, or first. On grids one of
/// the two leads to the fewest colors, which one depends on their sides.
enum class Ties { LastOnes, FirstOnes };

/// A permutation of the vertices. Neighbors are those at distance one.
std::vector<Index> distanceOneOrdering(const AdjacencyGraph& graph, Order order,
                                       std::uint64_t seed = 0);
/// Neighbors are those at distance one or two. To keep this near linear in the nonzeros, vertices
/// with so many neighbors that all pairs of them can not be visited connect nobody: their neighbors
/// all need different colors in any order.
std::vector<Index> distanceTwoOrdering(const AdjacencyGraph& graph, Order order,
                                       std::uint64_t seed = 0, Ties ties = Ties::LastOnes);
/// The same, but what is at distance two only through vertices that are no longer left is no
/// neighbor, and neighbors are told one after the other, each before its own. For graphs of few
/// pairs of neighbors only.
std::vector<Index> distanceTwoOrderingAmongLeft(const AdjacencyGraph& graph, Order order);
/// Columns are neighbors that have nonzeros in one row; dense rows as above.
std::vector<Index> columnOrdering(const BipartiteGraph& graph, Order order, std::uint64_t seed = 0,
                                  Ties ties = Ties::LastOnes);
/// Rows are neighbors that have nonzeros in one column.
std::vector<Index> rowOrdering(const BipartiteGraph& graph, Order order, std::uint64_t seed = 0,
                               Ties ties = Ties::LastOnes);

}  // namespace adjoint::coloring

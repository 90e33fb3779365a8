#pragma once

#include <cstdint>

#include "coloring/coloring.h"
#include "coloring/ordering.h"

namespace adjoint::coloring {

/// What gets colors, and how nonzeros are read from the compressed matrix.
enum class Method { Columns, Rows, RowsAndColumns, DistanceTwo, Star, Acyclic };

/// Whether the method is of symmetric matrices.
constexpr bool isSymmetric(Method method) { return method >= Method::DistanceTwo; }

/// How a pattern is colored.
struct Choice {
  Method method = Method::Columns;
  Order order = Order::Natural;
  std::uint64_t seed = 0;  ///< of Order::Random
  int passes = 0;          ///< of recoloring, for columns, rows and distance two
};

/// A coloring by one of the methods for rectangular matrices. Smallest-last orders of columns and
/// of rows are tried with ties either way where that could take fewer colors, orders by degrees of
/// both beside the natural one. A side without colors has kNoColor.
Bicoloring color(const BipartiteGraph& graph, const Choice& choice);
/// By one of those for symmetric matrices. At distance two several readings of an order by degrees
/// are tried where that could take fewer colors and is quick.
Coloring color(const AdjacencyGraph& graph, const Choice& choice);

}  // namespace adjoint::coloring

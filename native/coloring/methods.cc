#include "coloring/methods.h"

#include "tape/error.h"

namespace adjoint::coloring {

namespace {

[[noreturn]] void failOf(const char* matrices) {
  throw Error(ErrorCode::Argument, std::string("the method is not one for ") + matrices);
}

/// Of a side that has none.
Coloring noColors(const Pattern& lines) {
  return {std::vector<Index>(static_cast<std::size_t>(lines.rows()), kNoColor), 0};
}

}  // namespace

Bicoloring color(const BipartiteGraph& graph, const Choice& choice) {
  const auto& [method, order, seed] = choice;
  switch (method) {
    case Method::Columns:
      return {noColors(graph.byRow()), colorColumns(graph, columnOrdering(graph, order, seed))};
    case Method::Rows:
      return {colorRows(graph, rowOrdering(graph, order, seed)), noColors(graph.byColumn())};
    case Method::RowsAndColumns:
      return colorRowsAndColumns(graph, rowOrdering(graph, order, seed),
                                 columnOrdering(graph, order, seed));
    default:
      failOf("rectangular matrices");
  }
}

Coloring color(const AdjacencyGraph& graph, const Choice& choice) {
  const auto& [method, order, seed] = choice;
  switch (method) {
    case Method::DistanceTwo:
      return colorDistanceTwo(graph, distanceTwoOrdering(graph, order, seed));
    case Method::Star:
      return colorStar(graph, distanceOneOrdering(graph, order, seed));
    case Method::Acyclic:
      return colorAcyclic(graph, distanceOneOrdering(graph, order, seed));
    default:
      failOf("symmetric matrices");
  }
}

}  // namespace adjoint::coloring

#include "coloring/by_lines.h"
#include "coloring/checks.h"

namespace adjoint::coloring {

namespace {

struct OwnsAll {
  static constexpr bool kAlways = true;
  bool operator()(Index, Index) const { return true; }
};

/// Vertices of a class keep a common color or get smaller ones, so no pass needs more colors.
template <class Color>
Coloring recolor(Coloring coloring, int passes, Color color) {
  std::vector<Index> order(coloring.colors.size());
  for (int pass = 0; pass < passes; ++pass) {
    const ColorClasses classes = colorClasses(coloring);
    auto next = order.begin();
    for (Index c = coloring.count; c-- > 0;)
      next = std::copy(classes.vertex.begin() + classes.start[c],
                       classes.vertex.begin() + classes.start[c + 1], next);
    for (std::size_t v = 0; v < order.size(); ++v) {
      if (coloring.colors[v] == kNoColor) *next++ = static_cast<Index>(v);
    }
    coloring = color(order);
  }
  return coloring;
}

}  // namespace

Coloring colorColumns(const BipartiteGraph& graph, std::span<const Index> order) {
  checkOrder(order, graph.byColumn().rows());
  return ByLines<OwnsAll, false>(graph.byColumn(), graph.byRow(), {}).color(order);
}

Coloring colorRows(const BipartiteGraph& graph, std::span<const Index> order) {
  checkOrder(order, graph.byRow().rows());
  return ByLines<OwnsAll, false>(graph.byRow(), graph.byColumn(), {}).color(order);
}

Coloring colorDistanceTwo(const AdjacencyGraph& graph, std::span<const Index> order) {
  checkOrder(order, graph.vertices());
  const Pattern& pattern = graph.pattern();
  if (graph.hasWholeDiagonal()) return ByLines<OwnsAll, false>(pattern, pattern, {}).color(order);
  return ByLines<OwnsAll, true>(pattern, pattern, {}).color(order);
}

Coloring recolorColumns(const BipartiteGraph& graph, Coloring coloring, int passes) {
  checkColors(coloring, graph.byColumn().rows());
  return recolor(std::move(coloring), passes,
                 [&](std::span<const Index> order) { return colorColumns(graph, order); });
}

Coloring recolorRows(const BipartiteGraph& graph, Coloring coloring, int passes) {
  checkColors(coloring, graph.byRow().rows());
  return recolor(std::move(coloring), passes,
                 [&](std::span<const Index> order) { return colorRows(graph, order); });
}

Coloring recolorDistanceTwo(const AdjacencyGraph& graph, Coloring coloring, int passes) {
  checkColors(coloring, graph.vertices());
  return recolor(std::move(coloring), passes,
                 [&](std::span<const Index> order) { return colorDistanceTwo(graph, order); });
}

}  // namespace adjoint::coloring

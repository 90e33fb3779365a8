#include "coloring/by_lines.h"
#include "coloring/order_check.h"

namespace adjoint::coloring {

namespace {

struct OwnsAll {
  bool operator()(Index, Index) const { return true; }
};

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
  return ByLines<OwnsAll, true>(graph.pattern(), graph.pattern(), {}).color(order);
}

}  // namespace adjoint::coloring

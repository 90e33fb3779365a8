#include <algorithm>

#include "coloring/checks.h"
#include "coloring/coloring.h"
#include "tape/big_vector.h"

namespace adjoint::coloring {

namespace {

/// Vertices of two colors that are connected are a tree. A vertex is in one tree for each color
/// that its neighbors have, so trees are sets of pairs (vertex, color of neighbors), which are
/// joined and found (R. E. Tarjan, Efficiency of a good but not linear set union algorithm, 1975).
/// The pairs of a vertex are where its row is in the pattern: it has no more of them than
/// neighbors.
class Trees {
 public:
  explicit Trees(const Pattern& graph)
      : graph_(graph),
        used_(static_cast<std::size_t>(graph.rows()), 0),
        pairs_(static_cast<std::size_t>(graph.nonzeros())) {}

  Coloring color(std::span<const Index> order) {
    const auto n = static_cast<std::size_t>(graph_.rows());
    Coloring result;
    std::vector<Index>& colors = result.colors;
    colors.assign(n, kNoColor);
    // By color, the last vertex for which it was found so.
    std::vector<Index> once(n, -1), twice(n, -1), forbidden(n, -1);
    for (const Index v : order) {
      if (graph_.row(v).empty()) continue;
      bool canClose = false;
      for (const Index w : graph_.row(v)) {
        if (colors[w] == kNoColor) continue;
        forbidden[colors[w]] = v;
        const bool isSecond = once[colors[w]] == v;
        (isSecond ? twice : once)[colors[w]] = v;
        canClose |= isSecond;
      }
      if (canClose) {
        // A color closes a cycle when two neighbors are in one tree with it.
        for (const Index w : graph_.row(v)) {
          if (colors[w] == kNoColor || twice[colors[w]] != v) continue;
          const Index first = graph_.rowStart()[w];
          for (Index p = first; p < first + used_[w]; ++p) {
            Pair& root = pairs_[find(p)];
            if (root.visitor == v) forbidden[pairs_[p].color] = v;
            root.visitor = v;
          }
        }
      }
      Index color = 0;
      while (forbidden[color] == v) ++color;
      for (const Index w : graph_.row(v)) {
        if (colors[w] != kNoColor) join(pairOf(w, color), pairOf(v, colors[w]));
      }
      colors[v] = color;
      result.count = std::max(result.count, color + 1);
    }
    return result;
  }

 private:
  struct Pair {
    Index color;    ///< of neighbors
    Index parent;   ///< a pair, itself for the root
    Index visitor;  ///< of a root, the vertex that has a neighbor in the tree
  };

  Index find(Index p) {
    while (pairs_[p].parent != p) p = pairs_[p].parent = pairs_[pairs_[p].parent].parent;
    return p;
  }
  void join(Index a, Index b) {
    a = find(a);
    b = find(b);
    pairs_[std::max(a, b)].parent = std::min(a, b);
  }
  Index pairOf(Index v, Index color) {
    const Index first = graph_.rowStart()[v], end = first + used_[v];
    for (Index p = first; p < end; ++p) {
      if (pairs_[p].color == color) return p;
    }
    pairs_[end] = {color, end, -1};
    ++used_[v];
    return end;
  }

  const Pattern& graph_;
  std::vector<Index> used_;  ///< by vertex, the number of its pairs
  BigVector<Pair> pairs_;
};

}  // namespace

Coloring colorAcyclic(const AdjacencyGraph& graph, std::span<const Index> order) {
  checkOrder(order, graph.vertices());
  Coloring result = Trees(graph.pattern()).color(order);
  dropNeedlessColors(graph, result);
  return result;
}

}  // namespace adjoint::coloring

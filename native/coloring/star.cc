#include <bit>
#include <cstdint>
#include <optional>

#include "coloring/checks.h"
#include "coloring/coloring.h"
#include "tape/big_vector.h"

namespace adjoint::coloring {

namespace {

// A color is possible for v unless a neighbor has it, or it closes a path of two colors:
//   - two neighbors of v have the same color: then no neighbor of these may be of v's color;
//   - a neighbor w has just one neighbor x of v's color, which has other neighbors of w's color: x
//     is the hub of a star, and w one of its spokes.
// Both are known when each vertex keeps the colors of its neighbors and where it is a spoke. A star
// of one edge has no hub yet. So a vertex asks its neighbors, and never what is beyond them.

constexpr int kBits = 64;

/// Sets of colors, as bits.
struct Seen {
  std::uint64_t neighbors = 0;  ///< of its neighbors
  std::uint64_t hub = 0;        ///< of more than one of them
  std::uint64_t spoke = 0;      ///< of just one of them, the hub of a star of at least two edges
};

/// A neighbor of w that has this color, other than v.
Index otherOf(const Pattern& graph, const std::vector<Index>& colors, Index w, Index color,
              Index v) {
  for (const Index x : graph.row(w)) {
    if (colors[x] == color && x != v && x != w) return x;
  }
  return v;
}

/// Nothing when 64 colors are not enough.
std::optional<Coloring> withBits(const Pattern& graph, std::span<const Index> order) {
  Coloring result;
  std::vector<Index>& colors = result.colors;
  colors.assign(static_cast<std::size_t>(graph.rows()), kNoColor);
  BigVector<Seen> seen(colors.size());
  const auto bitOf = [&](Index w) { return std::uint64_t{1} << colors[w]; };
  for (const Index v : order) {
    if (graph.row(v).empty()) continue;
    std::uint64_t once = 0, twice = 0;
    for (const Index w : graph.row(v)) {
      if (colors[w] == kNoColor) continue;
      twice |= once & bitOf(w);
      once |= bitOf(w);
    }
    std::uint64_t forbidden = once;
    for (const Index w : graph.row(v)) {
      if (colors[w] == kNoColor) continue;
      forbidden |= twice & bitOf(w) ? seen[w].neighbors : seen[w].spoke;
    }
    const int color = std::countr_one(forbidden);
    if (color == kBits) return std::nullopt;
    const std::uint64_t bit = std::uint64_t{1} << color;
    seen[v].neighbors = once;
    seen[v].hub = twice;
    for (const Index w : graph.row(v)) {
      if (colors[w] == kNoColor) continue;
      Seen& at = seen[w];
      if (at.neighbors & bit) {
        if (!(at.hub & bit)) {
          at.hub |= bit;
          seen[otherOf(graph, colors, w, color, v)].spoke |= bitOf(w);
        }
        seen[v].spoke |= bitOf(w);
      }
      at.neighbors |= bit;
      if (twice & bitOf(w)) at.spoke |= bit;
    }
    colors[v] = color;
    result.count = std::max(result.count, color + 1);
  }
  return result;
}

/// The same sets as lists, for any number of colors. The list of a vertex is where its row is in
/// the pattern: it has no more colors than neighbors.
class WithLists {
 public:
  explicit WithLists(const Pattern& graph)
      : graph_(graph),
        used_(static_cast<std::size_t>(graph.rows()), 0),
        items_(static_cast<std::size_t>(graph.nonzeros())) {}

  Coloring color(std::span<const Index> order) {
    const auto n = static_cast<std::size_t>(graph_.rows());
    Coloring result;
    std::vector<Index>& colors = result.colors;
    colors.assign(n, kNoColor);
    // By color, the last vertex for which it was found so.
    std::vector<Index> once(n, -1), twice(n, -1), forbidden(n, -1), listed(n, -1);
    for (const Index v : order) {
      if (graph_.row(v).empty()) continue;
      for (const Index w : graph_.row(v)) {
        if (colors[w] == kNoColor) continue;
        forbidden[colors[w]] = v;
        (once[colors[w]] == v ? twice : once)[colors[w]] = v;
      }
      for (const Index w : graph_.row(v)) {
        if (colors[w] == kNoColor) continue;
        for (const Item& item : listOf(w)) {
          if (item.isSpoke || twice[colors[w]] == v) forbidden[item.color] = v;
        }
      }
      Index color = 0;
      while (forbidden[color] == v) ++color;
      for (const Index w : graph_.row(v)) {
        const Index other = colors[w];
        if (other == kNoColor) continue;
        const bool isHub = twice[other] == v;
        Item* found = find(w, color);
        if (found == nullptr) {
          add(w, {color, v, isHub});
        } else if (found->only != kNoVertex) {
          find(found->only, other)->isSpoke = true;
          found->only = kNoVertex;
        }
        if (listed[other] != v) add(v, {other, isHub ? kNoVertex : w, found != nullptr});
        listed[other] = v;
      }
      colors[v] = color;
      result.count = std::max(result.count, color + 1);
    }
    return result;
  }

 private:
  static constexpr Index kNoVertex = -1;
  struct Item {
    Index color = kNoColor;
    Index only = kNoVertex;  ///< the one neighbor of this color, where there are not more
    bool isSpoke = false;    ///< whether that is the hub of a star of at least two edges
  };

  std::span<Item> listOf(Index v) {
    return {items_.data() + graph_.rowStart()[v], static_cast<std::size_t>(used_[v])};
  }
  Item* find(Index v, Index color) {
    for (Item& item : listOf(v)) {
      if (item.color == color) return &item;
    }
    return nullptr;
  }
  void add(Index v, const Item& item) { items_[graph_.rowStart()[v] + used_[v]++] = item; }

  const Pattern& graph_;
  std::vector<Index> used_;  ///< by vertex, the length of its list
  BigVector<Item> items_;
};

}  // namespace

Coloring colorStar(const AdjacencyGraph& graph, std::span<const Index> order) {
  checkOrder(order, graph.vertices());
  std::optional<Coloring> result = withBits(graph.pattern(), order);
  if (!result) result = WithLists(graph.pattern()).color(order);
  dropNeedlessColors(graph, *result);
  return std::move(*result);
}

}  // namespace adjoint::coloring

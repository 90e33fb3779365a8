#include "coloring/methods.h"

#include <algorithm>

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

Index longestRow(const Pattern& pattern) {
  Index longest = 0;
  for (Index i = 0; i < pattern.rows(); ++i)
    longest = std::max(longest, static_cast<Index>(pattern.row(i).size()));
  return longest;
}

/// Vertices that are in one line all need different colors: no coloring takes fewer than the
/// longest line has. `lines` are those of the vertices that `colorIn` colors, in the order of
/// `orderBy`.
template <class ColorIn, class OrderBy>
Coloring fewest(const Choice& choice, const Pattern& lines, ColorIn colorIn, OrderBy orderBy) {
  Coloring best = colorIn(orderBy(Ties::LastOnes));
  if (choice.order != Order::SmallestLast || best.count <= longestRow(lines)) return best;
  Coloring other = colorIn(orderBy(Ties::FirstOnes));
  return other.count < best.count ? other : best;
}

Coloring columnsOf(const BipartiteGraph& graph, const Choice& choice) {
  Coloring found = fewest(
      choice, graph.byRow(), [&](const auto& order) { return colorColumns(graph, order); },
      [&](Ties ties) { return columnOrdering(graph, choice.order, choice.seed, ties); });
  return recolorColumns(graph, std::move(found), choice.passes);
}

Coloring rowsOf(const BipartiteGraph& graph, const Choice& choice) {
  Coloring found = fewest(
      choice, graph.byColumn(), [&](const auto& order) { return colorRows(graph, order); },
      [&](Ties ties) { return rowOrdering(graph, choice.order, choice.seed, ties); });
  return recolorRows(graph, std::move(found), choice.passes);
}

/// An order by degrees is tried after the natural one, which is quick and often as good.
Bicoloring rowsAndColumnsOf(const BipartiteGraph& graph, const Choice& choice) {
  const auto colored = [&](Order order) {
    return colorRowsAndColumns(graph, rowOrdering(graph, order, choice.seed),
                               columnOrdering(graph, order, choice.seed));
  };
  Bicoloring found = colored(choice.order);
  if (choice.order == Order::Natural || choice.order == Order::Random) return found;
  Bicoloring other = colored(Order::Natural);
  return other.count() < found.count() ? other : found;
}

/// Pairs of neighbors of a vertex, all in all, up to which other orders are tried too.
constexpr std::int64_t kFewPairs = std::int64_t{1} << 22;

bool hasFewPairs(const Pattern& pattern) {
  std::int64_t pairs = 0;
  for (Index i = 0; i < pattern.rows(); ++i) {
    const auto length = static_cast<std::int64_t>(pattern.row(i).size());
    pairs += length * length;
    if (pairs > kFewPairs) return false;
  }
  return true;
}

/// Where it takes more colors than a vertex has neighbors, other readings of an order that depends
/// on degrees are tried: ties the other way, neighbors among those that are left, and degrees of
/// neighbors at distance one.
Coloring distanceTwoOf(const AdjacencyGraph& graph, const Choice& choice) {
  Coloring best = fewest(
      choice, graph.pattern(), [&](const auto& order) { return colorDistanceTwo(graph, order); },
      [&](Ties ties) { return distanceTwoOrdering(graph, choice.order, choice.seed, ties); });
  const auto attempt = [&](const std::vector<Index>& order) {
    Coloring found = colorDistanceTwo(graph, order);
    if (found.count < best.count) best = std::move(found);
  };
  const bool isByDegree = choice.order != Order::Natural && choice.order != Order::Random;
  if (isByDegree && best.count > longestRow(graph.pattern()) && hasFewPairs(graph.pattern())) {
    attempt(distanceOneOrdering(graph, choice.order));
    if (choice.order == Order::SmallestLast || choice.order == Order::IncidenceDegree)
      attempt(distanceTwoOrderingAmongLeft(graph, choice.order));
  }
  return recolorDistanceTwo(graph, std::move(best), choice.passes);
}

}  // namespace

Bicoloring color(const BipartiteGraph& graph, const Choice& choice) {
  switch (choice.method) {
    case Method::Columns:
      return {noColors(graph.byRow()), columnsOf(graph, choice)};
    case Method::Rows:
      return {rowsOf(graph, choice), noColors(graph.byColumn())};
    case Method::RowsAndColumns:
      return rowsAndColumnsOf(graph, choice);
    default:
      failOf("rectangular matrices");
  }
}

Coloring color(const AdjacencyGraph& graph, const Choice& choice) {
  switch (choice.method) {
    case Method::DistanceTwo:
      return distanceTwoOf(graph, choice);
    case Method::Star:
      return colorStar(graph, distanceOneOrdering(graph, choice.order, choice.seed));
    case Method::Acyclic:
      return colorAcyclic(graph, distanceOneOrdering(graph, choice.order, choice.seed));
    default:
      failOf("symmetric matrices");
  }
}

}  // namespace adjoint::coloring

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

/// Pairs of vertices that meet in a line up to which other orders are tried, and one that takes
/// longer, where no more colors than these are to be saved.
constexpr std::int64_t kFewPairs = std::int64_t{1} << 22, kFewerPairs = std::int64_t{1} << 20;
constexpr Index kFewColors = 2;

bool hasFewPairs(const Pattern& lines, std::int64_t most) {
  std::int64_t pairs = 0;
  for (Index i = 0; i < lines.rows(); ++i) {
    const auto length = static_cast<std::int64_t>(lines.row(i).size());
    pairs += length * length;
    if (pairs > most) return false;
  }
  return true;
}

bool isByDegree(Order order) { return order != Order::Natural && order != Order::Random; }

/// The coloring of fewest colors among those that are tried, until one takes no more than the
/// longest line has vertices: these all need different colors.
template <class ColorIn>
class Fewest {
 public:
  /// `lines` are those of the vertices that `colorIn` colors in an order.
  Fewest(const Pattern& lines, ColorIn colorIn, const std::vector<Index>& order)
      : colorIn_(colorIn), least_(lines.longestRow()), best_(colorIn(order)) {}

  template <class OrderBy>
  void attempt(OrderBy orderBy) {
    if (excess() <= 0) return;
    Coloring found = colorIn_(orderBy());
    if (found.count < best_.count) best_ = std::move(found);
  }
  /// Colors that could be saved.
  Index excess() const { return best_.count - least_; }
  Coloring best() && { return std::move(best_); }

 private:
  ColorIn colorIn_;
  const Index least_;
  Coloring best_;
};

/// Smallest last is tried with ties either way, and by saturation.
template <class ColorIn, class OrderBy>
Fewest<ColorIn> fewest(const Choice& choice, const Pattern& lines, ColorIn colorIn,
                       OrderBy orderBy) {
  Fewest<ColorIn> result(lines, colorIn, orderBy(choice.order, Ties::LastOnes));
  if (choice.order != Order::SmallestLast) return result;
  result.attempt([&] { return orderBy(choice.order, Ties::FirstOnes); });
  if (result.excess() <= kFewColors && hasFewPairs(lines, kFewerPairs))
    result.attempt([&] { return orderBy(Order::SaturationDegree, Ties::LastOnes); });
  return result;
}

Coloring columnsOf(const BipartiteGraph& graph, const Choice& choice) {
  auto found = fewest(
      choice, graph.byRow(), [&](const auto& order) { return colorColumns(graph, order); },
      [&](Order order, Ties ties) { return columnOrdering(graph, order, choice.seed, ties); });
  return recolorColumns(graph, std::move(found).best(), choice.passes);
}

Coloring rowsOf(const BipartiteGraph& graph, const Choice& choice) {
  auto found = fewest(
      choice, graph.byColumn(), [&](const auto& order) { return colorRows(graph, order); },
      [&](Order order, Ties ties) { return rowOrdering(graph, order, choice.seed, ties); });
  return recolorRows(graph, std::move(found).best(), choice.passes);
}

/// The natural order is quick, and now and then better than one by degrees.
Bicoloring rowsAndColumnsOf(const BipartiteGraph& graph, const Choice& choice) {
  const auto colored = [&](Order order) {
    return colorRowsAndColumns(graph, rowOrdering(graph, order, choice.seed),
                               columnOrdering(graph, order, choice.seed));
  };
  Bicoloring found = colored(choice.order);
  if (!isByDegree(choice.order)) return found;
  Bicoloring other = colored(Order::Natural);
  return other.count() < found.count() ? other : found;
}

/// More readings of an order by degrees: by those of neighbors at distance one, and with neighbors
/// among vertices that are left.
Coloring distanceTwoOf(const AdjacencyGraph& graph, const Choice& choice) {
  auto found = fewest(
      choice, graph.pattern(), [&](const auto& order) { return colorDistanceTwo(graph, order); },
      [&](Order order, Ties ties) { return distanceTwoOrdering(graph, order, choice.seed, ties); });
  const Order order = choice.order;
  if (isByDegree(order) && found.excess() > 0 && hasFewPairs(graph.pattern(), kFewPairs)) {
    found.attempt([&] { return distanceOneOrdering(graph, order); });
    if (order == Order::SmallestLast || order == Order::IncidenceDegree)
      found.attempt([&] { return distanceTwoOrderingAmongLeft(graph, order); });
  }
  return recolorDistanceTwo(graph, std::move(found).best(), choice.passes);
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

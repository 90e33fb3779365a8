// Colorings of patterns: lib/sparse/coloring.ts is this file in TypeScript. Patterns come and
// colors go by value.
#include "coloring/coloring.h"

#include <algorithm>
#include <array>

#include "binding/handles.h"
#include "binding/values.h"
#include "coloring/ordering.h"
#include "coloring/pattern.h"

namespace adjoint::binding {
namespace {

using coloring::AdjacencyGraph;
using coloring::BipartiteGraph;
using coloring::Coloring;
using coloring::Index;
using coloring::Order;
using coloring::Pattern;
using coloring::Ties;

constexpr std::int64_t kMostPasses = 1000;

/// By place: the names of `Order`.
constexpr std::array<const char*, 6> kOrders = {
    "natural", "largestFirst", "smallestLast", "incidenceDegree", "dynamicLargestFirst", "random"};

Order readOrder(napi_env env, napi_value value) {
  const std::string name = readText(env, value, "order");
  for (std::size_t i = 0; i < kOrders.size(); ++i)
    if (name == kOrders[i]) return static_cast<Order>(i);
  throw Error(ErrorCode::Argument, "order: " + name + " is none");
}

Index longestRow(const Pattern& pattern) {
  Index longest = 0;
  for (Index i = 0; i < pattern.rows(); ++i)
    longest = std::max(longest, static_cast<Index>(pattern.row(i).size()));
  return longest;
}

/// A coloring in the order of `orderOf(ties)`, whose colors are `least` or more: where it has more
/// of them, it is tried the other way round too. Then `recolor`ed.
template <class Color, class OrderOf, class Recolor>
Coloring fewest(Order order, Index least, Color color, OrderOf orderOf, Recolor recolor) {
  Coloring best = color(orderOf(Ties::LastOnes));
  if (order == Order::SmallestLast && best.count > least) {
    Coloring other = color(orderOf(Ties::FirstOnes));
    if (other.count < best.count) best = std::move(other);
  }
  return recolor(std::move(best));
}

/// Method, order, [rows, columns, seed, passes of recoloring], where rows start, column indices.
napi_value colorPattern(Call& call) {
  const napi_env env = call.env;
  const std::string method = readText(env, call.arguments[0], "method");
  const Order order = readOrder(env, call.arguments[1]);
  const std::vector<std::int64_t> numbers = readIntegers(env, call.arguments[2], "numbers");
  if (numbers.size() != 4) throw Error(ErrorCode::Argument, "numbers: expected four");
  Pattern pattern(numbers[0], numbers[1], readInt32s(env, call.arguments[3], "rowStarts"),
                  readInt32s(env, call.arguments[4], "columnIndices"));
  const auto seed = static_cast<std::uint64_t>(numbers[2]);
  const auto passes = static_cast<int>(std::clamp<std::int64_t>(numbers[3], 0, kMostPasses));
  Coloring ofColumns, ofRows;
  if (method == "columns" || method == "rows" || method == "rowsAndColumns") {
    const BipartiteGraph graph(std::move(pattern));
    if (method == "columns") {
      ofColumns = fewest(
          order, longestRow(graph.byRow()),
          [&](const std::vector<Index>& vertices) { return colorColumns(graph, vertices); },
          [&](Ties ties) { return columnOrdering(graph, order, seed, ties); },
          [&](Coloring found) { return recolorColumns(graph, std::move(found), passes); });
    } else if (method == "rows") {
      ofRows = fewest(
          order, longestRow(graph.byColumn()),
          [&](const std::vector<Index>& vertices) { return colorRows(graph, vertices); },
          [&](Ties ties) { return rowOrdering(graph, order, seed, ties); },
          [&](Coloring found) { return recolorRows(graph, std::move(found), passes); });
    } else {
      auto both = colorRowsAndColumns(graph, rowOrdering(graph, order, seed),
                                      columnOrdering(graph, order, seed));
      ofColumns = std::move(both.columns);
      ofRows = std::move(both.rows);
    }
  } else {
    const AdjacencyGraph graph(std::move(pattern));
    if (method == "distanceTwo") {
      ofColumns = fewest(
          order, longestRow(graph.pattern()),
          [&](const std::vector<Index>& vertices) { return colorDistanceTwo(graph, vertices); },
          [&](Ties ties) { return distanceTwoOrdering(graph, order, seed, ties); },
          [&](Coloring found) { return recolorDistanceTwo(graph, std::move(found), passes); });
    } else if (method == "star") {
      ofColumns = colorStar(graph, distanceOneOrdering(graph, order, seed));
    } else if (method == "acyclic") {
      ofColumns = colorAcyclic(graph, distanceOneOrdering(graph, order, seed));
    } else {
      throw Error(ErrorCode::Argument, "method: " + method + " is none");
    }
  }
  const napi_value result = makeObject(env);
  setField(env, result, "columnColors", makeInt32s(env, ofColumns.colors));
  setField(env, result, "columnCount", makeNumber(env, ofColumns.count));
  setField(env, result, "rowColors", makeInt32s(env, ofRows.colors));
  setField(env, result, "rowCount", makeNumber(env, ofRows.count));
  return result;
}

void defineColorings(Environment& environment, napi_value exports) {
  defineFunction<colorPattern>(environment, exports, "colorPattern");
}

const Door door(&defineColorings);

}  // namespace
}  // namespace adjoint::binding

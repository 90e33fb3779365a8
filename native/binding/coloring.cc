// Colorings of patterns: lib/sparse/coloring.ts is this file in TypeScript. Patterns come and
// colors go by value.
#include "coloring/coloring.h"

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
using coloring::Order;
using coloring::Pattern;

/// By place: the names of `Order`.
constexpr std::array<const char*, 6> kOrders = {
    "natural", "largestFirst", "smallestLast", "incidenceDegree", "dynamicLargestFirst", "random"};

Order readOrder(napi_env env, napi_value value) {
  const std::string name = readText(env, value, "order");
  for (std::size_t i = 0; i < kOrders.size(); ++i)
    if (name == kOrders[i]) return static_cast<Order>(i);
  throw Error(ErrorCode::Argument, "order: " + name + " is none");
}

/// Method, order, [rows, columns, seed], where rows start, column indices.
napi_value colorPattern(Call& call) {
  const napi_env env = call.env;
  const std::string method = readText(env, call.arguments[0], "method");
  const Order order = readOrder(env, call.arguments[1]);
  const std::vector<std::int64_t> numbers = readIntegers(env, call.arguments[2], "numbers");
  if (numbers.size() != 3) throw Error(ErrorCode::Argument, "numbers: expected three");
  Pattern pattern(numbers[0], numbers[1], readInt32s(env, call.arguments[3], "rowStarts"),
                  readInt32s(env, call.arguments[4], "columnIndices"));
  const auto seed = static_cast<std::uint64_t>(numbers[2]);
  Coloring ofColumns, ofRows;
  if (method == "columns" || method == "rows" || method == "rowsAndColumns") {
    const BipartiteGraph graph(std::move(pattern));
    if (method == "columns") {
      ofColumns = colorColumns(graph, columnOrdering(graph, order, seed));
    } else if (method == "rows") {
      ofRows = colorRows(graph, rowOrdering(graph, order, seed));
    } else {
      auto both = colorRowsAndColumns(graph, rowOrdering(graph, order, seed),
                                      columnOrdering(graph, order, seed));
      ofColumns = std::move(both.columns);
      ofRows = std::move(both.rows);
    }
  } else {
    const AdjacencyGraph graph(std::move(pattern));
    if (method == "distanceTwo") {
      ofColumns = colorDistanceTwo(graph, distanceTwoOrdering(graph, order, seed));
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

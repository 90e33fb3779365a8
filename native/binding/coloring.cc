// Colorings of patterns: lib/sparse/coloring.ts is this file in TypeScript. Patterns come and
// colors go by value.
#include "binding/coloring.h"

#include <algorithm>
#include <array>

#include "binding/handles.h"
#include "binding/values.h"
#include "coloring/pattern.h"

namespace adjoint::binding {

using coloring::AdjacencyGraph;
using coloring::Bicoloring;
using coloring::BipartiteGraph;
using coloring::Choice;
using coloring::Method;
using coloring::Order;
using coloring::Pattern;

namespace {

constexpr std::int64_t kMostPasses = 1000;

/// By place: the names of `Method` and `Order`.
constexpr std::array<const char*, 6> kMethods = {"columns",     "rows", "rowsAndColumns",
                                                 "distanceTwo", "star", "acyclic"};
constexpr std::array<const char*, 6> kOrders = {
    "natural", "largestFirst", "smallestLast", "incidenceDegree", "dynamicLargestFirst", "random"};

/// Method, order, [rows, columns, seed, passes], where rows start, column indices.
napi_value colorPattern(Call& call) {
  const napi_env env = call.env;
  Choice choice;
  choice.method = coloringMethod(readText(env, call.arguments[0], "method"));
  choice.order = coloringOrder(readText(env, call.arguments[1], "order"));
  const std::vector<std::int64_t> numbers = readIntegers(env, call.arguments[2], "numbers");
  if (numbers.size() != 4) throw Error(ErrorCode::Argument, "numbers: expected four");
  choice.seed = static_cast<std::uint64_t>(numbers[2]);
  choice.passes = static_cast<int>(std::clamp<std::int64_t>(numbers[3], 0, kMostPasses));
  Pattern pattern(numbers[0], numbers[1], readInt32s(env, call.arguments[3], "rowStarts"),
                  readInt32s(env, call.arguments[4], "columnIndices"));
  Bicoloring colors;
  if (isSymmetric(choice.method)) {
    colors.columns = coloring::color(AdjacencyGraph(std::move(pattern)), choice);
  } else {
    colors = coloring::color(BipartiteGraph(std::move(pattern)), choice);
  }
  dropOtherSide(choice.method, colors);
  const napi_value result = makeObject(env);
  setField(env, result, "columnColors", makeInt32s(env, colors.columns.colors));
  setField(env, result, "columnCount", makeNumber(env, colors.columns.count));
  setField(env, result, "rowColors", makeInt32s(env, colors.rows.colors));
  setField(env, result, "rowCount", makeNumber(env, colors.rows.count));
  return result;
}

void defineColorings(Environment& environment, napi_value exports) {
  defineFunction<colorPattern>(environment, exports, "colorPattern");
}

const Door door(&defineColorings);

template <class Enum>
Enum named(const std::array<const char*, 6>& names, const std::string& name, const char* what) {
  const auto* const found = std::ranges::find(names, name);
  if (found == names.end())
    throw Error(ErrorCode::Argument, std::string(what) + ": " + name + " is none");
  return static_cast<Enum>(found - names.begin());
}

}  // namespace

Method coloringMethod(const std::string& name) { return named<Method>(kMethods, name, "method"); }

Order coloringOrder(const std::string& name) { return named<Order>(kOrders, name, "order"); }

const char* nameOf(Method method) { return kMethods.at(static_cast<std::size_t>(method)); }

const char* nameOf(Order order) { return kOrders.at(static_cast<std::size_t>(order)); }

void dropOtherSide(Method method, Bicoloring& colors) {
  if (method == Method::Rows) colors.columns.colors.clear();
  if (method != Method::Rows && method != Method::RowsAndColumns) colors.rows.colors.clear();
}

}  // namespace adjoint::binding

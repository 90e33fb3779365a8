// Sparse Jacobians and Hessians: lib/sparse/derivative.ts is this file in TypeScript.
#include <algorithm>
#include <array>

#include "binding/coloring.h"
#include "binding/handles.h"
#include "binding/pattern.h"
#include "binding/values.h"
#include "sparsity/sparse_derivative.h"

namespace adjoint::binding {
namespace {

constexpr std::array<const char*, 3> kMethods = {"auto", "instances", "coloring"};
constexpr std::array<const char*, 3> kModes = {"auto", "forward", "reverse"};
constexpr std::array<const char*, 3> kFormats = {"csr", "csc", "coo"};
constexpr std::array<const char*, 3> kTriangles = {"full", "lower", "upper"};

std::size_t placeIn(std::span<const char* const> names, const std::string& name, const char* what) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) throw Error(ErrorCode::Argument, std::string(what) + ": " + name);
  return static_cast<std::size_t>(found - names.begin());
}

napi_value makeBlock(napi_env env, const Tape& tape, const JacobianBlock& block) {
  const napi_value result = makeObject(env);
  setField(env, result, "lanes", makeNumber(env, static_cast<double>(block.lanes)));
  setField(env, result, "outputs", makeNumber(env, static_cast<double>(block.outputs)));
  setField(env, result, "inputs", makeNumber(env, static_cast<double>(block.inputs)));
  setField(env, result, "mode", makeText(env, kModes[static_cast<std::size_t>(block.mode)]));
  setField(env, result, "forwardCost", makeNumber(env, block.forwardCost));
  setField(env, result, "reverseCost", makeNumber(env, block.reverseCost));
  if (block.denseBy != kNoNode) {
    const Node& node = tape.node(block.denseBy);
    setField(env, result, "operation", makeText(env, opName(node.op)));
    setField(env, result, "node", makeNumber(env, node.origin));
  }
  return result;
}

napi_value makeWay(napi_env env, const SparseWay& way) {
  const napi_value result = makeObject(env);
  if (way.coloring) {
    setField(env, result, "method", makeText(env, nameOf(way.coloring->method)));
    setField(env, result, "order", makeText(env, nameOf(way.coloring->order)));
  }
  setField(env, result, "columnColors", makeNumber(env, way.columnColors));
  setField(env, result, "rowColors", makeNumber(env, way.rowColors));
  setField(env, result, "cost", makeNumber(env, way.cost));
  setField(env, result, "isTooLarge", makeBoolean(env, way.isTooLarge));
  return result;
}

/// Of, method, mode, format, triangle, and of the coloring method and order or "".
void readNames(napi_env env, napi_value value, SparseOptions& options) {
  const std::vector<std::string> names = readTexts(env, value, "names");
  if (names.size() != 7) throw Error(ErrorCode::Argument, "names: expected seven");
  if (names[0] != "jacobian" && names[0] != "hessian")
    throw Error(ErrorCode::Argument, "of: " + names[0]);
  options.of = names[0] == "hessian" ? PatternOf::Hessian : PatternOf::Jacobian;
  options.method = static_cast<SparseMethod>(placeIn(kMethods, names[1], "method"));
  options.mode = static_cast<JacobianMode>(placeIn(kModes, names[2], "mode"));
  options.format = static_cast<SparseFormat>(placeIn(kFormats, names[3], "format"));
  options.triangle = static_cast<Triangle>(placeIn(kTriangles, names[4], "triangle"));
  if (!names[5].empty()) options.coloring = coloringMethod(names[5]);
  if (!names[6].empty()) options.order = coloringOrder(names[6]);
}

/// Tape, wrt, names, numbers: the seed, the most nonzeros and colors, whether values are wanted,
/// and of a pattern that is given rows and columns; where its rows start, its column indices.
napi_value derivative(Call& call) {
  const napi_env env = call.env;
  const std::vector<std::int64_t> positions = readIntegers(env, call.arguments[1], "wrt");
  SparseOptions options;
  readNames(env, call.arguments[2], options);
  const std::vector<std::int64_t> numbers = readIntegers(env, call.arguments[3], "numbers");
  if (numbers.size() != 4 && numbers.size() != 6)
    throw Error(ErrorCode::Argument, "numbers: expected four or six");
  options.seed = static_cast<std::uint64_t>(numbers[0]);
  options.maxNonzeros = std::min(options.maxNonzeros, numbers[1]);
  options.maxColors = std::min(options.maxColors, numbers[2]);
  options.withValues = numbers[3] != 0;
  std::vector<std::int32_t> starts = readInt32s(env, call.arguments[4], "rowStarts");
  std::vector<std::int32_t> columns = readInt32s(env, call.arguments[5], "columnIndices");
  coloring::Pattern pattern;
  if (numbers.size() == 6) {
    pattern = coloring::Pattern(numbers[4], numbers[5], std::move(starts), std::move(columns));
    options.pattern = &pattern;
  }
  const TapePtr tape = tapeOf(call, call.arguments[0], "tape");
  SparseDerivative found = sparseDerivative(tape, readWrt(*tape, positions), options);
  if (!found.ways.empty() && found.ways[0].coloring)
    dropOtherSide(found.ways[0].coloring->method, found.colors);
  const napi_value blocks = makeArray(env, found.blocks.size());
  for (std::size_t i = 0; i < found.blocks.size(); ++i)
    setElement(env, blocks, i, makeBlock(env, *found.function, found.blocks[i]));
  const napi_value ways = makeArray(env, found.ways.size());
  for (std::size_t i = 0; i < found.ways.size(); ++i)
    setElement(env, ways, i, makeWay(env, found.ways[i]));
  const napi_value result = makeObject(env);
  setPattern(env, result, found.pattern);
  setField(env, result, "blocks", blocks);
  setField(env, result, "ways", ways);
  setField(env, result, "columnColors", makeInt32s(env, found.colors.columns.colors));
  setField(env, result, "rowColors", makeInt32s(env, found.colors.rows.colors));
  setField(env, result, "tape", wrapTape(*call.environment, std::move(found.tape)));
  return result;
}

void defineSparse(Environment& environment, napi_value exports) {
  defineFunction<derivative>(environment, exports, "sparseDerivative");
}

const Door door(&defineSparse);

}  // namespace
}  // namespace adjoint::binding

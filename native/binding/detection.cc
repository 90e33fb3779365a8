// Detected patterns: lib/sparsity.ts is this file in TypeScript.
#include "sparsity/detection.h"

#include <algorithm>
#include <iterator>

#include "binding/handles.h"
#include "binding/pattern.h"
#include "binding/values.h"
#include "coloring/pattern.h"
#include "sparsity/decisions.h"
#include "tape/builder.h"

namespace adjoint::binding {
namespace {

napi_value makeDense(napi_env env, const DenseLines& lines) {
  const napi_value result = makeObject(env);
  setField(env, result, "areRows", makeBoolean(env, lines.areRows));
  setField(env, result, "first", makeNumber(env, static_cast<double>(lines.first)));
  setField(env, result, "count", makeNumber(env, static_cast<double>(lines.count)));
  setField(env, result, "nonzeros", makeNumber(env, static_cast<double>(lines.nonzeros)));
  setField(env, result, "operation", makeText(env, opName(lines.op)));
  setField(env, result, "node", makeNumber(env, lines.origin));
  if (lines.stepOrigin != kNoNode)
    setField(env, result, "stepNode", makeNumber(env, lines.stepOrigin));
  return result;
}

/// Tape, wrt, "jacobian" or "hessian", the most nonzeros, and the decisions' values or null.
napi_value detect(Call& call) {
  const napi_env env = call.env;
  const std::vector<std::int64_t> positions = readIntegers(env, call.arguments[1], "wrt");
  const std::string of = readText(env, call.arguments[2], "of");
  if (of != "jacobian" && of != "hessian")
    throw Error(ErrorCode::Argument, "of: expected \"jacobian\" or \"hessian\"");
  DetectionOptions options;
  options.of = of == "hessian" ? PatternOf::Hessian : PatternOf::Jacobian;
  options.maxNonzeros =
      readInteger(env, call.arguments[3], 0, std::int64_t{1} << 53, "maxNonzeros");
  std::vector<std::vector<double>> decisions;
  if (!isNull(env, call.arguments[4])) {
    decisions = readFloat64Lists(env, call.arguments[4], "decisions");
    options.decisions = &decisions;
  }
  const TapePtr tape = tapeOf(call, call.arguments[0], "tape");
  const DetectedPattern found = detectPattern(tape, readWrt(*tape, positions), options);
  const napi_value dense = makeArray(env, found.dense.size());
  for (std::size_t i = 0; i < found.dense.size(); ++i)
    setElement(env, dense, i, makeDense(env, found.dense[i]));
  const napi_value result = makeObject(env);
  setPattern(env, result, found.pattern);
  setField(env, result, "dense", dense);
  return result;
}

/// Tape, wrt.
napi_value decisionsOf(Call& call) {
  const std::vector<std::int64_t> positions = readIntegers(call.env, call.arguments[1], "wrt");
  const TapePtr tape = tapeOf(call, call.arguments[0], "tape");
  return wrapTape(*call.environment, decisionTape(tape, readWrt(*tape, positions)));
}

/// [rows, columns], where the rows of a pattern start, its column indices, and those of another.
napi_value missingEntries(Call& call) {
  const napi_env env = call.env;
  const std::vector<std::int64_t> size = readIntegers(env, call.arguments[0], "rowsColumns");
  if (size.size() != 2) throw Error(ErrorCode::Argument, "rowsColumns: expected two");
  const auto read = [&](std::size_t first) {
    return coloring::Pattern(size[0], size[1], readInt32s(env, call.arguments[first], "rowStarts"),
                             readInt32s(env, call.arguments[first + 1], "columnIndices"));
  };
  const coloring::Pattern whole = read(1), given = read(3);
  std::vector<std::int32_t> rows, columns;
  for (coloring::Index i = 0; i < whole.rows(); ++i) {
    std::ranges::set_difference(whole.row(i), given.row(i), std::back_inserter(columns));
    rows.resize(columns.size(), i);
  }
  const napi_value result = makeObject(env);
  setField(env, result, "rows", makeInt32s(env, rows));
  setField(env, result, "columns", makeInt32s(env, columns));
  return result;
}

void defineDetection(Environment& environment, napi_value exports) {
  defineFunction<detect>(environment, exports, "detectPattern");
  defineFunction<decisionsOf>(environment, exports, "decisionTape");
  defineFunction<missingEntries>(environment, exports, "missingEntries");
}

const Door door(&defineDetection);

}  // namespace
}  // namespace adjoint::binding

#include <algorithm>

#include "binding/handles.h"
#include "binding/values.h"
#include "solve/trace_table.h"
#include "tape/dot.h"
#include "transform/transform.h"

namespace adjoint::binding {
namespace {

// Positions of inputs or outputs: whole numbers below `limit`, none twice.
std::vector<std::size_t> readPositions(napi_env env, napi_value value, const char* what) {
  std::vector<std::size_t> positions;
  for (const std::int64_t position : readIntegers(env, value, what)) {
    if (position < 0) {
      throw Error(ErrorCode::Argument, std::string(what) + ": negative position");
    }
    positions.push_back(static_cast<std::size_t>(position));
  }
  return positions;
}

void checkPositions(const std::vector<std::size_t>& positions, std::size_t limit, const char* what,
                    bool distinct) {
  std::vector<bool> seen(limit);
  for (const std::size_t position : positions) {
    if (position >= limit) {
      throw Error(ErrorCode::Argument, std::string(what) + ": position " +
                                           std::to_string(position) + " is not in [0, " +
                                           std::to_string(limit) + ")");
    }
    if (distinct && seen[position]) {
      throw Error(ErrorCode::Argument,
                  std::string(what) + ": position " + std::to_string(position) + " twice");
    }
    seen[position] = true;
  }
}

void checkWrt(const Tape& tape, const std::vector<std::size_t>& wrt) {
  checkPositions(wrt, tape.inputs().size(), "wrt", true);
}

napi_value text(Call& call) { return makeText(call.env, tapeOf(call)->toString()); }

napi_value dot(Call& call) { return makeText(call.env, toDot(*tapeOf(call))); }

napi_value size(Call& call) {
  return makeNumber(call.env, static_cast<double>(tapeOf(call)->size()));
}

napi_value bytes(Call& call) {
  return makeNumber(call.env, static_cast<double>(tapeOf(call)->bytes()));
}

napi_value ports(napi_env env, const Tape& tape, const std::vector<Port>& ports) {
  const napi_value list = makeArray(env, ports.size());
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const Node& node = tape.node(ports[i].node);
    setElement(env, list, i, makePort(env, ports[i].name, tape.shape(node), node.dtype));
  }
  return list;
}

napi_value inputs(Call& call) {
  const TapePtr tape = tapeOf(call);
  return ports(call.env, *tape, tape->inputs());
}

napi_value outputs(Call& call) {
  const TapePtr tape = tapeOf(call);
  return ports(call.env, *tape, tape->outputs());
}

using Transform = TapePtr (*)(const TapePtr&, std::span<const std::size_t>);

template <Transform transform>
napi_value derive(Call& call) {
  const std::vector<std::size_t> wrt = readPositions(call.env, call.arguments[0], "wrt");
  const TapePtr tape = tapeOf(call);
  checkWrt(*tape, wrt);
  return wrapTape(*call.environment, transform(tape, wrt));
}

napi_value map(Call& call) {
  const std::int64_t lanes = readInteger(call.env, call.arguments[0], 1, kMaxElements, "lanes");
  const std::vector<bool> batched = readBooleans(call.env, call.arguments[1], "batched");
  const TapePtr tape = tapeOf(call);
  if (batched.size() != tape->inputs().size()) {
    throw Error(ErrorCode::Argument, "batched: expected one boolean for each of " +
                                         std::to_string(tape->inputs().size()) + " inputs, got " +
                                         std::to_string(batched.size()));
  }
  return wrapTape(*call.environment, vmap(tape, lanes, batched));
}

JacobianMode readMode(napi_env env, napi_value value) {
  const std::string name = readText(env, value, "mode");
  if (name == "auto") return JacobianMode::Auto;
  if (name == "forward") return JacobianMode::Forward;
  if (name == "reverse") return JacobianMode::Reverse;
  throw Error(ErrorCode::Argument, "mode: expected \"auto\", \"forward\" or \"reverse\"");
}

const char* nameOf(JacobianMode mode) {
  return mode == JacobianMode::Forward ? "forward" : "reverse";
}

napi_value jacobianOf(Call& call) {
  const std::vector<std::size_t> wrt = readPositions(call.env, call.arguments[0], "wrt");
  const JacobianMode mode = readMode(call.env, call.arguments[1]);
  const TapePtr tape = tapeOf(call);
  checkWrt(*tape, wrt);
  JacobianResult found = jacobian(tape, wrt, mode);
  const napi_env env = call.env;
  const napi_value result = makeObject(env);
  setField(env, result, "tape", wrapTape(*call.environment, std::move(found.tape)));
  setField(env, result, "mode", makeText(env, nameOf(found.mode)));
  setField(env, result, "forwardCost", makeNumber(env, found.forwardCost));
  setField(env, result, "reverseCost", makeNumber(env, found.reverseCost));
  return result;
}

napi_value select(Call& call) {
  const std::vector<std::size_t> positions =
      readPositions(call.env, call.arguments[0], "positions");
  const TapePtr tape = tapeOf(call);
  checkPositions(positions, tape->outputs().size(), "positions", false);
  return wrapTape(*call.environment, selectOutputs(tape, positions));
}

napi_value trace(Call& call) {
  const napi_env env = call.env;
  const auto values = readFloat64Lists(env, call.arguments[0], "inputs");
  const auto seeds = readFloat64Lists(env, call.arguments[1], "seeds");
  const TapePtr tape = tapeOf(call);
  const std::vector<TraceRow> rows = traceTable(tape, values, seeds);
  const napi_value list = makeArray(env, rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const TraceRow& row = rows[i];
    const napi_value object = makeObject(env);
    setField(env, object, "node", makeNumber(env, row.node));
    setField(env, object, "text", makeText(env, row.text));
    setField(env, object, "shape", makeShape(env, row.shape));
    setField(env, object, "primal", makeFloat64s(env, row.primal));
    setField(env, object, "tangent", makeFloat64s(env, row.tangent));
    setField(env, object, "adjoint", makeFloat64s(env, row.adjoint));
    setElement(env, list, i, object);
  }
  return list;
}

TapePtr alive(TapePtr tape) {
  if (!tape) throw Error(ErrorCode::State, "the tape is disposed of");
  return tape;
}

}  // namespace

std::vector<std::size_t> readWrt(const Tape& tape, const std::vector<std::int64_t>& given) {
  const auto limit = static_cast<std::int64_t>(tape.inputs().size());
  std::vector<std::size_t> wrt;
  for (const std::int64_t position : given) {
    const auto at = static_cast<std::size_t>(position);
    if (position < 0 || position >= limit || std::ranges::find(wrt, at) != wrt.end()) {
      throw Error(ErrorCode::Argument, "wrt: position " + std::to_string(position) +
                                           " is not in [0, " + std::to_string(limit) +
                                           "), or given twice");
    }
    wrt.push_back(at);
  }
  return wrt;
}

TapePtr tapeOf(const Call& call) {
  return alive(static_cast<TapeHandle*>(receiver(call, Kind::Tape))->tape);
}

TapePtr tapeOf(const Call& call, napi_value argument, const char* what) {
  return alive(static_cast<TapeHandle*>(unwrap(call, argument, Kind::Tape, what))->tape);
}

napi_value wrapTape(Environment& environment, TapePtr tape) {
  const std::int64_t bytes = static_cast<std::int64_t>(tape->bytes());
  auto handle = std::make_unique<TapeHandle>(environment, std::move(tape));
  return wrap(environment, std::move(handle), bytes);
}

void defineTape(Environment& environment, napi_value) {
  defineClass(
      environment, Kind::Tape, "Tape",
      {method<text>(environment, "toString"), method<dot>(environment, "toDot"),
       method<size>(environment, "size"), method<bytes>(environment, "bytes"),
       method<inputs>(environment, "inputs"), method<outputs>(environment, "outputs"),
       method<derive<jvp>>(environment, "jvp"), method<derive<vjp>>(environment, "vjp"),
       method<derive<valueAndGrad>>(environment, "valueAndGrad"),
       method<derive<gradient>>(environment, "gradient"), method<map>(environment, "vmap"),
       method<jacobianOf>(environment, "jacobian"), method<select>(environment, "selectOutputs"),
       method<trace>(environment, "trace"), method<compileTape>(environment, "plan"),
       method<dispose<Kind::Tape>>(environment, "dispose")});
}

}  // namespace adjoint::binding

#include <array>
#include <span>

#include "binding/handles.h"
#include "binding/values.h"
#include "ops/row.h"
#include "transform/transform.h"

namespace adjoint::binding {
namespace {

constexpr std::size_t kMaxCode = 1024;

// Rows by code for operations that apply() takes from outside; leaves and functions have entries of
// their own.
const std::array<const Row*, kMaxCode>& openRows() {
  static const std::array<const Row*, kMaxCode> table = [] {
    std::array<const Row*, kMaxCode> rows{};
    for (const Row& row : allRows()) {
      const OpCode at = code(row.op);
      const bool closed = row.op == Op::Input || row.op == Op::Constant || row.op == Op::Data ||
                          row.op == Op::Item || tapeop::hasRule(at);
      if (!closed && at < kMaxCode) rows[at] = &row;
    }
    return rows;
  }();
  return table;
}

const Row& readRow(napi_env env, napi_value value, std::size_t operands) {
  double number = -1;
  const Row* row = nullptr;
  if (napi_get_value_double(env, value, &number) == napi_ok && number >= 0 && number < kMaxCode &&
      static_cast<double>(static_cast<int>(number)) == number) {
    row = openRows()[static_cast<std::size_t>(number)];
  }
  if (row == nullptr) {
    throw Error(ErrorCode::Argument,
                "op: expected the code of an operation, got " + describe(env, value));
  }
  if (row->arity >= 0 && static_cast<std::size_t>(row->arity) != operands) {
    throw Error(ErrorCode::Argument, std::string(row->name) + ": expected " +
                                         std::to_string(row->arity) + " operands, got " +
                                         std::to_string(operands));
  }
  return *row;
}

// The fast reader of a NodeId: whatever is not a whole number below `size` is refused.
NodeId readNode(napi_env env, napi_value value, std::size_t size) {
  double number = -1;
  if (napi_get_value_double(env, value, &number) == napi_ok && number >= 0 &&
      number < static_cast<double>(size)) [[likely]] {
    const NodeId node = static_cast<NodeId>(number);
    if (static_cast<double>(node) == number) [[likely]]
      return node;
  }
  throw Error(ErrorCode::Argument,
              "operand: expected a node of this builder, got " + describe(env, value));
}

napi_value input(Call& call) {
  const std::string name = readText(call.env, call.arguments[0], "name");
  const Shape shape = readShape(call.env, call.arguments[1], "shape");
  const bool isBool = call.count > 2 && readBoolean(call.env, call.arguments[2], "isBool");
  const NodeId node = builderOf(call).input(name, shape, isBool ? DType::Bool : DType::F64);
  return makeNumber(call.env, node);
}

napi_value constant(Call& call) {
  const double value = readNumber(call.env, call.arguments[0], "value");
  return makeNumber(call.env, builderOf(call).constant(value));
}

napi_value data(Call& call) {
  std::vector<double> values = readFloat64s(call.env, call.arguments[0], "values");
  const Shape shape = readShape(call.env, call.arguments[1], "shape");
  const bool isBool = readBoolean(call.env, call.arguments[2], "isBool");
  if (static_cast<std::int64_t>(values.size()) != elementCount(shape)) {
    throw Error(ErrorCode::Shape, "constant: shape " + toString(shape) + " has " +
                                      std::to_string(elementCount(shape)) + " elements, got " +
                                      std::to_string(values.size()));
  }
  if (isBool) {
    for (double& value : values) value = value != 0 ? 1 : 0;
  }
  BuilderHandle& handle = builderHandleOf(call);
  const std::size_t bytes = values.size() * sizeof(double);
  const NodeId node =
      handle.builder->data(std::move(values), shape, isBool ? DType::Bool : DType::F64);
  handle.grown(bytes);
  return makeNumber(call.env, node);
}

// The fast doors: no JavaScript runs while numbers are read, so the builder may be looked up first.
template <std::size_t operands>
napi_value op(Call& call) {
  BuilderHandle& handle = builderHandleOf(call);
  const Row& row = readRow(call.env, call.arguments[0], operands);
  NodeId nodes[operands];
  const std::size_t size = handle.builder->size();
  for (std::size_t i = 0; i < operands; ++i) {
    nodes[i] = readNode(call.env, call.arguments[i + 1], size);
  }
  if (handle.hasFunctions) [[unlikely]]
    handle.checkNodes(nodes);
  const NodeId node = apply(*handle.builder, row.op, std::span<const NodeId>(nodes, operands));
  handle.grown();
  napi_value result = nullptr;
  check(call.env, napi_create_uint32(call.env, node, &result));
  return result;
}

napi_value opN(Call& call) {
  const std::vector<NodeId> operands = readNodes(call.env, call.arguments[1], "operands");
  const std::vector<std::int64_t> attrs = readIntegers(call.env, call.arguments[2], "attrs");
  BuilderHandle& handle = builderHandleOf(call);
  const Row& row = readRow(call.env, call.arguments[0], operands.size());
  handle.checkNodes(operands);
  const NodeId node = apply(*handle.builder, row.op, operands, attrs);
  handle.grown();
  return makeNumber(call.env, node);
}

struct Signature {
  Shape shape;
  DType dtype;
};

std::vector<Signature> portsOf(const Tape& tape, const std::vector<Port>& ports) {
  std::vector<Signature> result;
  for (const Port& port : ports) {
    result.push_back({tape.shape(port.node), tape.node(port.node).dtype});
  }
  return result;
}

void checkSignature(const std::string& what, const std::vector<Signature>& expected,
                    const std::vector<Signature>& got) {
  if (expected.size() != got.size()) {
    throw Error(ErrorCode::Argument, what + ": expected " + std::to_string(expected.size()) +
                                         ", got " + std::to_string(got.size()));
  }
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (expected[i].dtype != got[i].dtype) {
      throw Error(ErrorCode::DType, what + " " + std::to_string(i) + ": expected " +
                                        dtypeName(expected[i].dtype) + ", got " +
                                        dtypeName(got[i].dtype));
    }
    if (expected[i].shape != got[i].shape) {
      throw Error(ErrorCode::Shape, what + " " + std::to_string(i) + ": expected shape " +
                                        toString(expected[i].shape) + ", got " +
                                        toString(got[i].shape));
    }
  }
}

std::vector<Signature> operandPorts(const BuilderHandle& handle,
                                    const std::vector<NodeId>& operands) {
  handle.checkNodes(operands);
  std::vector<Signature> ports;
  for (const NodeId node : operands) {
    ports.push_back({handle.builder->shape(node), handle.builder->dtype(node)});
  }
  return ports;
}

napi_value callTape(Call& call) {
  const std::vector<NodeId> operands = readNodes(call.env, call.arguments[1], "operands");
  const TapePtr tape = tapeOf(call, call.arguments[0], "tape");
  BuilderHandle& handle = builderHandleOf(call);
  checkSignature("call: argument", portsOf(*tape, tape->inputs()), operandPorts(handle, operands));
  const std::vector<NodeId> outputs = inlineTape(*handle.builder, *tape, operands);
  handle.hasFunctions = true;  // maybe: the tape's own
  handle.grown();
  return makeNumbers(call.env, outputs);
}

// Tangents and cotangents are numbers, those of booleans too.
std::vector<Signature> derivatives(std::vector<Signature> ports) {
  for (Signature& port : ports) port.dtype = DType::F64;
  return ports;
}

std::vector<Signature> join(std::initializer_list<const std::vector<Signature>*> lists) {
  std::vector<Signature> all;
  for (const std::vector<Signature>* list : lists)
    all.insert(all.end(), list->begin(), list->end());
  return all;
}

napi_value custom(Call& call) {
  const std::string name = readText(call.env, call.arguments[0], "name");
  const std::vector<NodeId> operands = readNodes(call.env, call.arguments[4], "operands");
  const TapePtr primal = tapeOf(call, call.arguments[1], "primal");
  TapePtr rules[2];
  for (int i = 0; i < 2; ++i) {
    const napi_value argument = call.arguments[2 + i];
    if (!isNull(call.env, argument)) rules[i] = tapeOf(call, argument, i == 0 ? "jvp" : "vjp");
  }
  BuilderHandle& handle = builderHandleOf(call);
  Builder& builder = *handle.builder;
  const std::vector<Signature> x = portsOf(*primal, primal->inputs());
  const std::vector<Signature> y = portsOf(*primal, primal->outputs());
  const std::vector<Signature> dx = derivatives(x);
  const std::vector<Signature> dy = derivatives(y);
  checkSignature(name + ": argument", x, operandPorts(handle, operands));
  if (rules[0]) {
    checkSignature(name + ": input of jvp", join({&x, &dx}),
                   portsOf(*rules[0], rules[0]->inputs()));
    checkSignature(name + ": output of jvp", dy, portsOf(*rules[0], rules[0]->outputs()));
  }
  if (rules[1]) {
    checkSignature(name + ": input of vjp", join({&x, &y, &dy}),
                   portsOf(*rules[1], rules[1]->inputs()));
    checkSignature(name + ": output of vjp", dx, portsOf(*rules[1], rules[1]->outputs()));
  }
  auto rule =
      std::make_shared<CustomRule>(CustomRule{name, primal, rules[0], rules[1], nullptr, {}});
  const std::int64_t index = static_cast<std::int64_t>(builder.addRule(std::move(rule)));
  const NodeId function =
      builder.append(code(Op::Custom), DType::F64, {}, operands, std::span(&index, 1));
  handle.hasFunctions = true;
  std::vector<NodeId> outputs;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(y.size()); ++i) {
    const Signature& port = y[static_cast<std::size_t>(i)];
    outputs.push_back(builder.append(code(Op::Item), port.dtype, port.shape,
                                     std::span(&function, 1), std::span(&i, 1)));
  }
  handle.grown();
  return makeNumbers(call.env, outputs);
}

napi_value shape(Call& call) {
  const Builder& builder = builderOf(call);
  const NodeId node = readNode(call.env, call.arguments[0], builder.size());
  return makeShape(call.env, builder.shape(node));
}

napi_value isBool(Call& call) {
  const Builder& builder = builderOf(call);
  const NodeId node = readNode(call.env, call.arguments[0], builder.size());
  return makeBoolean(call.env, builder.dtype(node) == DType::Bool);
}

napi_value size(Call& call) {
  return makeNumber(call.env, static_cast<double>(builderOf(call).size()));
}

napi_value finish(Call& call) {
  std::vector<std::string> names = readTexts(call.env, call.arguments[0], "names");
  const std::vector<NodeId> nodes = readNodes(call.env, call.arguments[1], "nodes");
  BuilderHandle& handle = builderHandleOf(call);
  handle.checkNodes(nodes);
  if (names.size() != nodes.size()) {
    throw Error(ErrorCode::Argument, "finish: " + std::to_string(names.size()) + " names for " +
                                         std::to_string(nodes.size()) + " nodes");
  }
  std::vector<Port> outputs;
  for (std::size_t i = 0; i < nodes.size(); ++i) outputs.push_back({std::move(names[i]), nodes[i]});
  TapePtr tape = handle.builder->finish(std::move(outputs));
  handle.release();
  handle.report(0);
  return wrapTape(*call.environment, std::move(tape));
}

}  // namespace

void BuilderHandle::reportGrowth() {
  report(static_cast<std::int64_t>(builder->bytes()));
  nextReport_ = builder->size() + builder->size() / 4 + 1024;
  unreported_ = 0;
}

void BuilderHandle::checkNodes(std::span<const NodeId> nodes) const {
  for (const NodeId node : nodes) {
    if (node >= builder->size()) {
      throw Error(ErrorCode::Argument, "operand: this builder has no node " + std::to_string(node));
    }
    if (hasFunctions && tapeop::hasRule(builder->node(node).op)) {
      throw Error(ErrorCode::Argument,
                  "operand: node " + std::to_string(node) + " is a function, not a value");
    }
  }
}

BuilderHandle& builderHandleOf(const Call& call) {
  BuilderHandle& handle = static_cast<BuilderHandle&>(*receiver(call, Kind::Builder));
  if (!handle.builder) throw Error(ErrorCode::State, "the builder is finished or disposed of");
  return handle;
}

Builder& builderOf(const Call& call) { return *builderHandleOf(call).builder; }

std::unique_ptr<Handle> newBuilder(Environment& environment) {
  return std::make_unique<BuilderHandle>(environment);
}

void defineBuilder(Environment& environment, napi_value exports) {
  openRows();
  const napi_value constructor =
      defineClass(environment, Kind::Builder, "Builder",
                  {method<input>(environment, "input"), method<constant>(environment, "constant"),
                   method<data>(environment, "data"), method<op<1>>(environment, "op1"),
                   method<op<2>>(environment, "op2"), method<op<3>>(environment, "op3"),
                   method<opN>(environment, "op"), method<callTape>(environment, "call"),
                   method<custom>(environment, "custom"), method<loop>(environment, "loop"),
                   method<ode>(environment, "ode"), method<shape>(environment, "shape"),
                   method<isBool>(environment, "isBool"), method<size>(environment, "size"),
                   method<finish>(environment, "finish"),
                   method<dispose<Kind::Builder>>(environment, "dispose")});
  setField(environment.env, exports, "Builder", constructor);
}

}  // namespace adjoint::binding

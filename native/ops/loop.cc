#include "ops/loop.h"

#include <string>

#include "ops/row.h"

namespace adjoint {

LoopAttributes LoopAttributes::read(const Tape& t, const Node& loop) {
  const auto& attrs = t.attrs(loop);
  const auto count = [&](std::size_t i) { return static_cast<std::size_t>(attrs[i]); };
  LoopAttributes result;
  result.rule = count(0);
  result.length = attrs[1];
  result.constants = count(2);
  result.carries = count(3);
  result.streams = count(4);
  result.trips = static_cast<LoopTrips>(attrs[5]);
  result.reverse = attrs[6] != 0;
  result.indexed = attrs[7] != 0;
  result.checkpoints = {static_cast<CheckpointPolicy>(attrs[8]), attrs[9], attrs[10], attrs[11]};
  return result;
}

std::vector<std::int64_t> LoopAttributes::write() const {
  return {static_cast<std::int64_t>(rule),
          length,
          static_cast<std::int64_t>(constants),
          static_cast<std::int64_t>(carries),
          static_cast<std::int64_t>(streams),
          static_cast<std::int64_t>(trips),
          reverse ? 1 : 0,
          indexed ? 1 : 0,
          static_cast<std::int64_t>(checkpoints.policy),
          checkpoints.slots,
          checkpoints.diskSlots,
          checkpoints.bytes};
}

namespace {

struct Value {
  Shape shape;
  DType dtype;
  bool operator==(const Value&) const = default;
};

std::string describe(const Value& value) {
  return (value.dtype == DType::Bool ? "booleans " : "numbers ") + toString(value.shape);
}

void require(const std::string& what, const Value& expected, const Value& got) {
  if (expected == got) return;
  throw Error(expected.dtype == got.dtype ? ErrorCode::Shape : ErrorCode::DType,
              "loop: " + what + " should be " + describe(expected) + ", got " + describe(got));
}

Shape stacked(std::int64_t length, const Shape& row) {
  Shape shape = row;
  shape.insert(shape.begin(), length);
  return shape;
}

}  // namespace

std::vector<NodeId> appendLoop(Builder& builder, std::shared_ptr<const CustomRule> rule,
                               LoopAttributes attributes, std::span<const NodeId> operands) {
  const Tape& step = *rule->primal;
  const bool isCounted = attributes.trips == LoopTrips::Counted;
  const std::size_t inputs = attributes.inputs();
  if (attributes.length < 0 || step.inputs().size() != inputs + (attributes.indexed ? 1 : 0) ||
      step.outputs().size() < attributes.carries || operands.size() != inputs + (isCounted ? 1 : 0))
    throw Error(ErrorCode::Argument, "loop: the step does not fit the loop's operands");
  const auto port = [&](const Port& p) {
    return Value{step.shape(p.node), step.node(p.node).dtype};
  };
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Value got{builder.shape(operands[i]), builder.dtype(operands[i])};
    if (i == inputs) {
      require("number of steps", {{}, DType::F64}, got);
      continue;
    }
    Value expected = port(step.inputs()[i]);
    const bool isStream = i >= attributes.constants + attributes.carries;
    if (isStream) expected.shape = stacked(attributes.length, expected.shape);
    require(step.inputs()[i].name, expected, got);
  }
  if (attributes.indexed) require("index", {{}, DType::F64}, port(step.inputs()[inputs]));
  for (std::size_t k = 0; k < attributes.carries; ++k) {
    const Port& carry = step.inputs()[attributes.constants + k];
    require("next value of " + carry.name, port(carry), port(step.outputs()[k]));
  }
  if (attributes.trips == LoopTrips::While) {
    if (attributes.carries == 0) throw Error(ErrorCode::Argument, "loop: no condition");
    require("condition", {{}, DType::Bool}, port(step.outputs()[0]));
  }

  const std::size_t count = step.outputs().size();
  attributes.rule = builder.addRule(rule);
  const NodeId loop = builder.append(code(Op::Loop), DType::F64, {}, operands, attributes.write());
  if (loopCanFail(builder.tape(), builder.node(loop))) builder.check(loop);
  std::vector<NodeId> items;
  const auto addItem = [&](const Value& value) {
    const auto position = static_cast<std::int64_t>(items.size());
    items.push_back(
        builder.append(code(Op::Item), value.dtype, value.shape, {&loop, 1}, {&position, 1}));
  };
  for (std::size_t k = 0; k < count; ++k) {
    Value value = port(step.outputs()[k]);
    if (k >= attributes.carries) value.shape = stacked(attributes.length, value.shape);
    addItem(value);
  }
  if (attributes.trips == LoopTrips::While) addItem({{}, DType::F64});
  return items;
}

const char* loopOrOpName(const Tape& tape, const Node& node) {
  // Programs make it by adding to a value.
  if (opOf(node) == Op::ScatterSum) return rowOf(Op::ScatterAdd).name;
  if (opOf(node) != Op::Loop) return opName(node.op);
  return tape.rule(LoopAttributes::read(tape, node).rule).name.c_str();
}

std::size_t itemCount(const Tape& tape, const Node& call) {
  const auto& attrs = tape.attrs(call);
  const std::size_t outputs =
      tape.rule(static_cast<std::size_t>(attrs[0])).primal->outputs().size();
  const bool isWhile =
      opOf(call) == Op::Loop && LoopAttributes::read(tape, call).trips == LoopTrips::While;
  return outputs + (isWhile ? 1 : 0);
}

bool loopCanFail(const Tape& tape, const Node& loop) {
  const LoopAttributes attributes = LoopAttributes::read(tape, loop);
  // A number of steps that another loop counted is right.
  const bool isGiven = attributes.trips == LoopTrips::Counted &&
                       opOf(tape.node(tape.operands(loop).back())) != Op::Item;
  return isGiven || attributes.trips == LoopTrips::While ||
         !tape.rule(attributes.rule).primal->checks().empty();
}

}  // namespace adjoint

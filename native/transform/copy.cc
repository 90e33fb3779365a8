#include "transform/copy.h"

#include <algorithm>

#include "ops/row.h"
#include "transform/loops.h"
#include "transform/moves.h"
#include "transform/transform.h"

namespace adjoint {

Copier::Copier(Builder& builder, const Tape& from) : builder_(builder), from_(from) {}

NodeId Copier::copy(const Node& node, std::span<const NodeId> operands) {
  if (node.op == tapeop::kConstant) {
    return builder_.constant(Tape::constantValue(node), from_.shape(node), node.dtype);
  }
  if (node.op == tapeop::kData) {
    return builder_.data(from_.sharedData(node.attr), from_.shape(node), node.dtype);
  }
  if (tapeop::hasRule(node.op)) {
    std::vector<std::int64_t> attrs = from_.attrs(node);
    attrs[0] = static_cast<std::int64_t>(
        builder_.addRule(from_.sharedRule(static_cast<std::size_t>(attrs[0]))));
    const NodeId id = builder_.append(node.op, node.dtype, {}, operands, attrs);
    if (canFail(from_, node)) builder_.check(id);
    return id;
  }
  // Shapes and attributes are few and nodes are many: remember where each went.
  if (node.shape >= shapes_.size()) shapes_.resize(node.shape + 1, kNoNode);
  if (shapes_[node.shape] == kNoNode) shapes_[node.shape] = builder_.intern(from_.shape(node));
  if (node.attr >= attrs_.size()) attrs_.resize(node.attr + 1, kNoNode);
  if (attrs_[node.attr] == kNoNode) attrs_[node.attr] = builder_.internAttrs(from_.attrs(node));
  const NodeId id = builder_.appendInterned(node.op, node.dtype, shapes_[node.shape],
                                            attrs_[node.attr], operands);
  if (canFail(from_, node)) builder_.check(id);
  return id;
}

NodeId Copier::copyMapped(const Node& node, const std::vector<NodeId>& map) {
  const auto old = from_.operands(node);
  if (old.size() <= 3) {
    NodeId operands[3];
    std::transform(old.begin(), old.end(), operands, [&](NodeId id) { return map[id]; });
    return copy(node, {operands, old.size()});
  }
  std::vector<NodeId> operands(old.size());
  std::transform(old.begin(), old.end(), operands.begin(), [&](NodeId id) { return map[id]; });
  return copy(node, operands);
}

namespace {

/// The largest of indices that are integers from 0 on whatever the inputs; -1 where nothing is
/// known within `steps` operations.
std::int64_t largestIndex(const Tape& tape, NodeId id, int& steps) {
  if (--steps < 0) return -1;
  const Node& node = tape.node(id);
  const auto operands = tape.operands(node);
  const auto of = [&](std::size_t k) { return largestIndex(tape, operands[k], steps); };
  switch (opOf(node)) {
    case Op::Constant:
    case Op::Data: {
      const auto known = knownIndices(tape, id, kMaxElements);
      return known.empty() ? -1 : std::ranges::max(known);
    }
    case Op::Iota:
      return tape.shape(node)[static_cast<std::size_t>(tape.attrs(node)[0])] - 1;
    case Op::ArgSort:
    case Op::ArgMax:
    case Op::ArgMin:
      return tape.shape(operands[0])[static_cast<std::size_t>(tape.attrs(node)[0])] - 1;
    case Op::Reshape:
    case Op::Transpose:
    case Op::BroadcastTo:
    case Op::Slice:
      return of(0);
    case Op::Add:
    case Op::Mul:
    case Op::Fma: {
      const std::int64_t a = of(0), b = of(1), c = operands.size() > 2 ? of(2) : 0;
      if (a < 0 || b < 0 || c < 0 || a > kMaxElements || b > kMaxElements) return -1;
      return opOf(node) == Op::Add ? a + b : a * b + c;
    }
    default:
      return -1;
  }
}

}  // namespace

bool canFail(const Tape& tape, const Node& node) {
  if (opOf(node) == Op::Loop) return loopCanFail(tape, node);
  const bool isGather = opOf(node) == Op::Gather;
  if (!isGather && opOf(node) != Op::ScatterSum) return false;
  const NodeId indices = node.operand[isGather ? 1 : 0];
  if (tape.count(indices) == 0) return false;
  const std::int64_t limit =
      isGather ? tape.shape(node.operand[0])[static_cast<std::size_t>(tape.attrs(node)[0])]
               : tape.attrs(node)[1];
  int steps = 16;
  const std::int64_t largest = largestIndex(tape, indices, steps);
  return largest < 0 || largest >= limit;
}

std::vector<NodeId> inlineTape(Builder& builder, const Tape& callee,
                               std::span<const NodeId> arguments, bool keepOrigins) {
  if (arguments.size() != callee.inputs().size()) {
    throw Error(ErrorCode::Argument, "a function of " + std::to_string(callee.inputs().size()) +
                                         " inputs is called with " +
                                         std::to_string(arguments.size()));
  }
  std::vector<NodeId> map(callee.size(), kNoNode);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Port& port = callee.inputs()[i];
    if (builder.shape(arguments[i]) != callee.shape(port.node)) {
      throw Error(ErrorCode::Shape, "input " + port.name + " has shape " +
                                        toString(callee.shape(port.node)) + ", got " +
                                        toString(builder.shape(arguments[i])));
    }
    if (builder.dtype(arguments[i]) != callee.node(port.node).dtype) {
      throw Error(ErrorCode::DType,
                  "input " + port.name + " is " + dtypeName(callee.node(port.node).dtype));
    }
    map[port.node] = arguments[i];
  }
  Copier copier(builder, callee);
  for (NodeId id = 0; id < callee.size(); ++id) {
    const Node& node = callee.node(id);
    if (node.op == tapeop::kInput) continue;
    if (keepOrigins) builder.setOrigin(node.origin);
    map[id] = copier.copyMapped(node, map);
  }
  if (keepOrigins) builder.setOrigin(kNoNode);
  std::vector<NodeId> results;
  for (const Port& port : callee.outputs()) results.push_back(map[port.node]);
  return results;
}

TapePtr selectOutputs(const TapePtr& t, std::span<const std::size_t> positions) {
  std::vector<Port> ports;
  for (const std::size_t position : positions) {
    if (position >= t->outputs().size())
      throw Error(ErrorCode::Argument, "no output " + std::to_string(position));
    ports.push_back(t->outputs()[position]);
  }
  return Builder(*t).finish(std::move(ports));
}

namespace {

const TapePtr& stepOf(const Tape& t, const Node& loop) {
  return t.rule(LoopAttributes::read(t, loop).rule).primal;
}

bool hasCalls(const Tape& t) {
  return std::any_of(t.nodes().begin(), t.nodes().end(), [&](const Node& node) {
    return opOf(node) == Op::Custom || (opOf(node) == Op::Loop && hasCalls(*stepOf(t, node)));
  });
}

/// One level of calls replaced by their primal.
TapePtr expandOnce(const Tape& t) {
  Builder builder;
  Copier copier(builder, t);
  std::vector<NodeId> map(t.size(), kNoNode);
  std::vector<std::vector<NodeId>> results(t.size());
  for (NodeId id = 0; id < t.size(); ++id) {
    const Node& node = t.node(id);
    builder.setOrigin(node.origin);
    if (node.op == tapeop::kInput) {
      map[id] = builder.input(t.inputs()[node.attr].name, t.shape(node), node.dtype);
    } else if (opOf(node) == Op::Custom) {
      std::vector<NodeId> arguments;
      for (const NodeId operand : t.operands(node)) arguments.push_back(map[operand]);
      const auto rule = static_cast<std::size_t>(t.attrs(node)[0]);
      results[id] = inlineTape(builder, *t.rule(rule).primal, arguments);
    } else if (opOf(node) == Op::Loop && hasCalls(*stepOf(t, node))) {
      std::vector<NodeId> operands;
      for (const NodeId operand : t.operands(node)) operands.push_back(map[operand]);
      const LoopAttributes attributes = LoopAttributes::read(t, node);
      const auto rule =
          stepRule(t.rule(attributes.rule), expandCalls(t.rule(attributes.rule).primal));
      results[id] = appendLoop(builder, rule, attributes, operands);
    } else if (opOf(node) == Op::Item && !results[node.operand[0]].empty()) {
      map[id] = results[node.operand[0]][static_cast<std::size_t>(t.attrs(node)[0])];
    } else {
      map[id] = copier.copyMapped(node, map);
    }
  }
  std::vector<Port> outputs = t.outputs();
  for (Port& port : outputs) port.node = map[port.node];
  return builder.finish(std::move(outputs));
}

}  // namespace

TapePtr expandCalls(const TapePtr& t) {
  TapePtr result = t;
  while (hasCalls(*result)) result = expandOnce(*result);
  return result;
}

}  // namespace adjoint

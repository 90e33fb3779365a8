#include "solve/trace_table.h"

#include <algorithm>
#include <numeric>

#include "exec/executor.h"
#include "ops/expr.h"
#include "ops/op.h"
#include "plan/planner.h"
#include "tape/dot.h"
#include "transform/copy.h"
#include "transform/transform.h"

namespace adjoint {
namespace {

using Lists = std::vector<std::vector<double>>;

constexpr std::int64_t kMaxValues = 1000000;

// Memory that starts on a 64-byte boundary, as runs want it.
class Scratch {
 public:
  explicit Scratch(std::int64_t doubles) : memory_(static_cast<std::size_t>(doubles) + 8) {}
  double* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    return memory_.data() + (64 - address % 64) % 64 / sizeof(double);
  }

 private:
  std::vector<double> memory_;
};

Lists evaluate(const TapePtr& tape, const Lists& inputs) {
  const auto executable = makeExecutable(makePlan(tape));
  const Plan& plan = executable->plan();
  Scratch io(plan.ioDoubles);
  Scratch workspace(executable->workspaceDoubles());
  for (std::size_t i = 0; i < plan.inputs.size(); ++i) {
    std::copy(inputs[i].begin(), inputs[i].end(),
              io.data() + plan.buffers[plan.inputs[i].buffer].offset);
  }
  const RunStatus status = executable->run(io.data(), workspace.data(), nullptr);
  if (!status.ok) {
    throw Error(status.code, "trace: " + std::string(errorCodeName(status.code)) + " at element " +
                                 std::to_string(status.element));
  }
  Lists outputs;
  for (const IoPort& port : plan.outputs) {
    const Buffer& buffer = plan.buffers[port.buffer];
    const double* const first = io.data() + buffer.offset;
    outputs.emplace_back(first, first + buffer.elements);
  }
  return outputs;
}

void checkLists(const Tape& tape, const Lists& lists, const char* what) {
  const auto& ports = tape.inputs();
  if (lists.size() != ports.size()) {
    throw Error(ErrorCode::Shape, std::string("trace: expected ") + std::to_string(ports.size()) +
                                      " " + what + ", got " + std::to_string(lists.size()));
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const std::int64_t expected = tape.count(ports[i].node);
    if (static_cast<std::int64_t>(lists[i].size()) != expected) {
      throw Error(ErrorCode::Shape, "trace: " + std::string(what) + " of " + ports[i].name +
                                        ": expected " + std::to_string(expected) +
                                        " numbers, got " + std::to_string(lists[i].size()));
    }
  }
}

// The inputs of `tape` on a new builder, and where its nodes are there.
std::vector<NodeId> copyInputs(Builder& builder, const Tape& tape) {
  std::vector<NodeId> map(tape.size(), kNoNode);
  for (const Port& port : tape.inputs()) {
    const Node& node = tape.node(port.node);
    map[port.node] = builder.input(port.name, tape.shape(node), node.dtype);
  }
  return map;
}

// The tape with these nodes as its outputs.
TapePtr withOutputs(const Tape& tape, const std::vector<NodeId>& outputs) {
  Builder builder;
  Copier copier(builder, tape);
  std::vector<NodeId> map = copyInputs(builder, tape);
  for (std::size_t i = 0; i < tape.size(); ++i) {
    const Node& node = tape.node(static_cast<NodeId>(i));
    if (node.op != tapeop::kInput) map[i] = copier.copyMapped(node, map);
  }
  std::vector<Port> ports;
  for (const NodeId node : outputs) ports.push_back({"v" + std::to_string(node), map[node]});
  return builder.finish(std::move(ports));
}

// The tape with a term added to each of these nodes, an input of its own: the derivative by the
// term is the node's adjoint.
TapePtr withTerms(const Tape& tape, const std::vector<NodeId>& nodes) {
  Builder builder;
  Copier copier(builder, tape);
  std::vector<NodeId> map = copyInputs(builder, tape);
  std::vector<NodeId> terms(tape.size(), kNoNode);
  for (const NodeId node : nodes) {
    terms[node] = builder.input("term_" + std::to_string(node), tape.shape(node));
  }
  for (std::size_t i = 0; i < tape.size(); ++i) {
    const Node& node = tape.node(static_cast<NodeId>(i));
    if (node.op != tapeop::kInput) map[i] = copier.copyMapped(node, map);
    if (terms[i] == kNoNode) continue;
    const NodeId sum[2] = {map[i], terms[i]};
    map[i] = apply(builder, Op::Add, sum);
  }
  std::vector<Port> ports;
  for (const Port& port : tape.outputs()) ports.push_back({port.name, map[port.node]});
  return builder.finish(std::move(ports));
}

Lists adjoints(const Tape& tape, const std::vector<NodeId>& nodes, const Lists& inputs) {
  const TapePtr varied = withTerms(tape, nodes);
  std::vector<std::size_t> wrt(nodes.size());
  std::iota(wrt.begin(), wrt.end(), inputs.size());
  Lists arguments = inputs;
  for (const NodeId node : nodes) {
    // x + -0 is x, signed zeros included.
    arguments.emplace_back(static_cast<std::size_t>(tape.count(node)), -0.0);
  }
  arguments.push_back({1.0});
  Lists results = evaluate(vjp(varied, wrt), arguments);
  results.erase(results.begin());  // the value
  return results;
}

// A scalar taken out of a tensor is two nodes, a slice and a reshape; a textbook names it x[0].
bool isElement(const Tape& tape, NodeId id) {
  const Node& node = tape.node(id);
  return opOf(node) == Op::Reshape && tape.shape(node).empty() &&
         opOf(tape.node(node.operand[0])) == Op::Slice;
}

std::string elementText(const Tape& tape, NodeId id) {
  const NodeId slice = tape.node(id).operand[0];
  const NodeId source = tape.node(slice).operand[0];
  const auto& ranges = tape.attrs(tape.node(slice));
  std::string position;
  for (std::size_t k = 0; k < ranges.size(); k += 3) {
    position += (k > 0 ? ", " : "") + std::to_string(ranges[k]);
  }
  if (tape.node(source).op == tapeop::kInput) return nodeText(tape, source) + "[" + position + "]";
  return "at(v" + std::to_string(source) + "; " + position + ")";
}

// A result of a function or a loop, by what that is called and reads: it is no row itself.
std::string itemText(const Tape& tape, NodeId id) {
  const Node& node = tape.node(id);
  const Node& call = tape.node(node.operand[0]);
  std::string text = tape.rule(static_cast<std::size_t>(tape.attrs(call)[0])).name + "(";
  for (const NodeId operand : tape.operands(call)) {
    if (text.back() != '(') text += ", ";
    text += "v" + std::to_string(operand);
  }
  return text + "; " + std::to_string(tape.attrs(node)[0]) + ")";
}

// Slices read by elements only, and the inputs read by such slices only: the elements stand for
// them.
std::vector<bool> findHidden(const Tape& tape) {
  std::vector<bool> hidden(tape.size());
  for (NodeId id = 0; id < tape.size(); ++id) {
    const Node& node = tape.node(id);
    hidden[id] =
        opOf(node) == Op::Slice || (node.op == tapeop::kInput && !tape.shape(node).empty());
  }
  std::vector<bool> read(tape.size());
  for (std::size_t i = tape.size(); i-- > 0;) {
    const auto id = static_cast<NodeId>(i);
    hidden[id] = hidden[id] && read[id];
    for (const NodeId operand : tape.operands(tape.node(id))) {
      read[operand] = true;
      if (!isElement(tape, id) && !(hidden[id] && opOf(tape.node(id)) == Op::Slice)) {
        hidden[operand] = false;
      }
    }
  }
  for (const Port& port : tape.outputs()) hidden[port.node] = false;
  return hidden;
}

}  // namespace

std::vector<TraceRow> traceTable(const TapePtr& tape, const Lists& inputs, const Lists& seeds) {
  checkLists(*tape, inputs, "inputs");
  checkLists(*tape, seeds, "seeds");
  std::vector<NodeId> numbers;
  std::vector<NodeId> booleans;
  std::int64_t values = 0;
  for (std::size_t i = 0; i < tape->size(); ++i) {
    const NodeId id = static_cast<NodeId>(i);
    const Node& node = tape->node(id);
    if (tapeop::hasRule(node.op)) continue;
    (node.dtype == DType::Bool ? booleans : numbers).push_back(id);
    values += tape->count(id);
    if (values > kMaxValues) {
      throw Error(ErrorCode::Limit,
                  "trace: the table has more than " + std::to_string(kMaxValues) + " values");
    }
  }

  std::vector<std::size_t> wrt;
  Lists arguments = inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (tape->node(tape->inputs()[i].node).dtype == DType::Bool) continue;
    wrt.push_back(i);
    arguments.push_back(seeds[i]);
  }
  std::vector<TraceRow> rows(tape->size());
  Lists both = evaluate(jvp(withOutputs(*tape, numbers), wrt), arguments);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    rows[numbers[i]].primal = std::move(both[i]);
    rows[numbers[i]].tangent = std::move(both[numbers.size() + i]);
  }
  if (!booleans.empty()) {
    Lists found = evaluate(withOutputs(*tape, booleans), inputs);
    for (std::size_t i = 0; i < booleans.size(); ++i) {
      rows[booleans[i]].tangent.resize(found[i].size());
      rows[booleans[i]].primal = std::move(found[i]);
    }
  }
  const auto& outputs = tape->outputs();
  const bool isScalar = outputs.size() == 1 && tape->shape(outputs[0].node).empty() &&
                        tape->node(outputs[0].node).dtype == DType::F64;
  if (isScalar) {
    Lists found = adjoints(*tape, numbers, inputs);
    for (std::size_t i = 0; i < numbers.size(); ++i) rows[numbers[i]].adjoint = std::move(found[i]);
    for (const NodeId id : booleans) rows[id].adjoint.resize(rows[id].primal.size());
  }
  std::vector<NodeId> listed(numbers);
  listed.insert(listed.end(), booleans.begin(), booleans.end());
  std::sort(listed.begin(), listed.end());
  const std::vector<bool> hidden = findHidden(*tape);
  std::vector<TraceRow> table;
  for (const NodeId id : listed) {
    if (hidden[id]) continue;
    TraceRow& row = rows[id];
    row.node = id;
    const bool named = isElement(*tape, id) && hidden[tape->node(id).operand[0]];
    const bool isItem = opOf(tape->node(id)) == Op::Item;
    row.text = isItem ? itemText(*tape, id) : named ? elementText(*tape, id) : nodeText(*tape, id);
    row.shape = tape->shape(id);
    table.push_back(std::move(row));
  }
  return table;
}

}  // namespace adjoint

#include "sparsity/local_jacobian.h"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>

#include "ops/row.h"
#include "transform/copy.h"
#include "transform/rules.h"

namespace adjoint {

namespace {

/// A set of small numbers for every node of a tape.
class NodeSets {
 public:
  NodeSets(std::size_t nodes, std::size_t limit)
      : words_((limit + 63) / 64), bits_(nodes * words_, 0) {}

  void add(NodeId id, std::size_t i) { row(id)[i / 64] |= std::uint64_t{1} << i % 64; }
  void addAll(NodeId id, NodeId of) {
    for (std::size_t w = 0; w < words_; ++w) row(id)[w] |= row(of)[w];
  }
  std::size_t size(NodeId id) const {
    std::size_t count = 0;
    for (std::size_t w = 0; w < words_; ++w)
      count += static_cast<std::size_t>(std::popcount(row(id)[w]));
    return count;
  }
  /// Of a set that is not empty.
  std::size_t first(NodeId id) const {
    std::size_t w = 0;
    while (row(id)[w] == 0) ++w;
    return 64 * w + static_cast<std::size_t>(std::countr_zero(row(id)[w]));
  }
  std::vector<std::size_t> members(NodeId id) const {
    std::vector<std::size_t> result;
    for (std::size_t w = 0; w < words_; ++w) {
      for (std::uint64_t left = row(id)[w]; left != 0; left &= left - 1)
        result.push_back(64 * w + static_cast<std::size_t>(std::countr_zero(left)));
    }
    return result;
  }

 private:
  std::uint64_t* row(NodeId id) { return bits_.data() + id * words_; }
  const std::uint64_t* row(NodeId id) const { return bits_.data() + id * words_; }

  std::size_t words_;
  std::vector<std::uint64_t> bits_;
};

/// What one direction takes to pass an operand of the node: a multiplication and an addition.
double passCost(const Node& node) {
  return rowOf(node).family == Family::Linear && opOf(node) != Op::Sum ? 0 : 2;
}

class Analysis {
 public:
  Analysis(const Tape& t, std::span<const std::size_t> wrt)
      : tape_(t), wrt_(wrt), in_(t.size(), wrt.size()), out_(t.size(), t.outputs().size()) {
    for (std::size_t i = 0; i < wrt.size(); ++i) in_.add(t.inputs()[wrt[i]].node, i);
    for (NodeId id = 0; id < t.size(); ++id) {
      for (const NodeId operand : differentiableOperands(t, t.node(id))) in_.addAll(id, operand);
    }
    for (std::size_t o = 0; o < t.outputs().size(); ++o) out_.add(t.outputs()[o].node, o);
    for (std::size_t i = t.size(); i-- > 0;) {
      const auto id = static_cast<NodeId>(i);
      for (const NodeId operand : differentiableOperands(t, t.node(id))) out_.addAll(operand, id);
    }
  }

  std::vector<LocalGroup> groups() {
    std::vector<std::size_t> parent(wrt_.size());
    std::iota(parent.begin(), parent.end(), 0u);
    const auto find = [&](std::size_t i) {
      while (parent[i] != i) i = parent[i] = parent[parent[i]];
      return i;
    };
    std::vector<std::vector<std::size_t>> depends;
    for (const Port& port : tape_.outputs()) {
      depends.push_back(in_.members(port.node));
      for (const std::size_t i : depends.back()) parent[find(i)] = find(depends.back()[0]);
    }
    // Groups in the order of their first outputs.
    std::vector<LocalGroup> result;
    std::vector<std::size_t> groupOf(wrt_.size(), kNone);
    for (std::size_t o = 0; o < depends.size(); ++o) {
      if (depends[o].empty()) continue;
      std::size_t& group = groupOf[find(depends[o][0])];
      if (group == kNone) {
        group = result.size();
        result.emplace_back();
      }
      result[group].outputs.push_back(o);
      for (const std::size_t i : depends[o]) result[group].entries.push_back({o, wrt_[i]});
    }
    for (std::size_t i = 0; i < wrt_.size(); ++i) {
      if (groupOf[find(i)] != kNone) result[groupOf[find(i)]].inputs.push_back(wrt_[i]);
    }
    // Each direction passes only the nodes that it reaches.
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const std::size_t reached = out_.size(id);
      const Node& node = tape_.node(id);
      for (const NodeId operand : differentiableOperands(tape_, node)) {
        const std::size_t pushed = in_.size(operand);
        if (reached == 0 || pushed == 0) continue;
        LocalGroup& group = result[groupOf[find(in_.first(operand))]];
        group.forwardCost += passCost(node) * static_cast<double>(pushed);
        group.reverseCost += passCost(node) * static_cast<double>(reached);
      }
    }
    return result;
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  const Tape& tape_;
  std::span<const std::size_t> wrt_;
  NodeSets in_;   ///< inputs that a node depends on
  NodeSets out_;  ///< outputs that depend on a node
};

/// Parts of a tape, each in time that depends on the part alone.
class Parts {
 public:
  explicit Parts(const Tape& t) : tape_(t), map_(t.size(), kNoNode) {}

  struct Part {
    TapePtr tape;                     ///< the outputs, and the inputs that they need
    std::vector<std::size_t> inputs;  ///< positions on the whole tape
  };
  Part of(const std::vector<std::size_t>& outputs) {
    std::vector<NodeId> found, open;
    const auto visit = [&](NodeId id) {
      if (map_[id] != kNoNode) return;
      map_[id] = 0;
      found.push_back(id);
      open.push_back(id);
    };
    for (const std::size_t o : outputs) visit(tape_.outputs()[o].node);
    while (!open.empty()) {
      const NodeId id = open.back();
      open.pop_back();
      for (const NodeId operand : tape_.operands(tape_.node(id))) visit(operand);
    }
    std::ranges::sort(found);
    Part part;
    Builder builder;
    Copier copier(builder, tape_);
    for (const NodeId id : found) {
      const Node& node = tape_.node(id);
      builder.setOrigin(node.origin);
      if (node.op == tapeop::kInput) {
        part.inputs.push_back(node.attr);
        map_[id] = builder.input("x", tape_.shape(node), node.dtype);
      } else {
        map_[id] = copier.copyMapped(node, map_);
      }
    }
    std::vector<Port> ports;
    for (const std::size_t o : outputs) ports.push_back({"y", map_[tape_.outputs()[o].node]});
    part.tape = builder.finish(std::move(ports));
    for (const NodeId id : found) map_[id] = kNoNode;
    return part;
  }

 private:
  const Tape& tape_;
  std::vector<NodeId> map_;
};

/// Writes the entries of groups, by rows or by columns.
class Writer {
 public:
  explicit Writer(const Tape& t) : parts_(t) {
    for (const Port& port : t.inputs())
      inputs_.push_back(builder_.input(port.name, t.shape(port.node), t.node(port.node).dtype));
  }

  void reverse(const LocalGroup& group) {
    for (std::size_t first = 0, end = 0; first < group.entries.size(); first = end) {
      const std::size_t output = group.entries[first].output;
      const Parts::Part part = parts_.of({output});
      std::vector<std::size_t> wrt;
      for (; end < group.entries.size() && group.entries[end].output == output; ++end)
        wrt.push_back(position(part, group.entries[end].input));
      for (const NodeId value : copy(part, *gradient(part.tape, wrt)))
        outputs_.push_back({"entry", value});
    }
  }

  void forward(const LocalGroup& group) {
    std::map<std::size_t, std::vector<std::size_t>> columns;  // entries by input
    for (std::size_t i = 0; i < group.entries.size(); ++i)
      columns[group.entries[i].input].push_back(i);
    std::vector<NodeId> values(group.entries.size());
    for (const auto& [input, entries] : columns) {
      std::vector<std::size_t> outputs;
      for (const std::size_t i : entries) outputs.push_back(group.entries[i].output);
      const Parts::Part part = parts_.of(outputs);
      const auto found = copy(part, *derivative(part.tape, position(part, input)));
      for (std::size_t i = 0; i < entries.size(); ++i) values[entries[i]] = found[i];
    }
    for (const NodeId value : values) outputs_.push_back({"entry", value});
  }

  TapePtr finish() { return builder_.finish(std::move(outputs_)); }

 private:
  static std::size_t position(const Parts::Part& part, std::size_t input) {
    return static_cast<std::size_t>(std::ranges::find(part.inputs, input) - part.inputs.begin());
  }

  std::vector<NodeId> copy(const Parts::Part& part, const Tape& t) {
    std::vector<NodeId> arguments;
    for (const std::size_t input : part.inputs) arguments.push_back(inputs_[input]);
    return inlineTape(builder_, t, arguments, true);
  }

  Parts parts_;
  Builder builder_;
  std::vector<NodeId> inputs_;
  std::vector<Port> outputs_;
};

bool isForward(const LocalGroup& group, JacobianMode mode) {
  return mode == JacobianMode::Auto ? group.forwardCost < group.reverseCost
                                    : mode == JacobianMode::Forward;
}

}  // namespace

double localCost(const Tape& t, std::span<const std::size_t> wrt, JacobianMode mode) {
  double cost = 0;
  for (const LocalGroup& group : Analysis(t, wrt).groups())
    cost += isForward(group, mode) ? group.forwardCost : group.reverseCost;
  return cost;
}

LocalJacobian localJacobian(const TapePtr& t, std::span<const std::size_t> wrt, JacobianMode mode) {
  LocalJacobian result;
  result.groups = Analysis(*t, wrt).groups();
  Writer writer(*t);
  for (LocalGroup& group : result.groups) {
    group.mode = isForward(group, mode) ? JacobianMode::Forward : JacobianMode::Reverse;
    group.mode == JacobianMode::Forward ? writer.forward(group) : writer.reverse(group);
  }
  result.tape = writer.finish();
  return result;
}

}  // namespace adjoint

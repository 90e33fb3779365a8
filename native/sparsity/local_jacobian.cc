#include "sparsity/local_jacobian.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "ops/row.h"
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
  Builder builder;
  std::vector<NodeId> inputs;
  for (const Port& port : t->inputs())
    inputs.push_back(builder.input(port.name, t->shape(port.node), t->node(port.node).dtype));
  std::vector<Port> outputs;
  for (LocalGroup& group : result.groups) {
    const bool forward = isForward(group, mode);
    group.mode = forward ? JacobianMode::Forward : JacobianMode::Reverse;
    const TapePtr part = selectOutputs(t, group.outputs);
    std::vector<std::vector<NodeId>> columns(t->inputs().size());
    if (forward) {
      for (const std::size_t input : group.inputs)
        columns[input] = inlineTape(builder, *derivative(part, input), inputs, true);
    }
    std::size_t next = 0;
    for (std::size_t row = 0; row < group.outputs.size(); ++row) {
      const std::size_t from = next;
      std::vector<std::size_t> own;
      for (; next < group.entries.size() && group.entries[next].output == group.outputs[row];
           ++next)
        own.push_back(group.entries[next].input);
      std::vector<NodeId> found;
      if (forward) {
        for (const std::size_t input : own) found.push_back(columns[input][row]);
      } else {
        found = inlineTape(builder, *gradient(selectOutputs(part, {&row, 1}), own), inputs, true);
      }
      for (std::size_t k = from; k < next; ++k) outputs.push_back({"entry", found[k - from]});
    }
  }
  result.tape = builder.finish(std::move(outputs));
  return result;
}

}  // namespace adjoint

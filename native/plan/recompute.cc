#include "plan/recompute.h"

#include <algorithm>
#include <bit>
#include <unordered_map>

#include "ops/op.h"
#include "ops/row.h"
#include "plan/analysis.h"
#include "plan/lanes.h"
#include "transform/copy.h"
#include "transform/moves.h"

namespace adjoint {

namespace {

/// Operations, and values read, of all computations that stand for one store and the loads of it.
constexpr int kMaxOperations = 16, kMaxReads = 12;

bool isCutOrPlaced(const Node& node) {
  return (opOf(node) == Op::Slice || opOf(node) == Op::Place) && node.dtype == DType::F64;
}

class Recomputer {
 public:
  explicit Recomputer(const Tape& t) : tape_(t), copier_(builder_, t), map_(t.size(), kNoNode) {}

  TapePtr run() {
    countMoves();
    builder_.setSharing(true);
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      builder_.setOrigin(node.origin == kNoNode ? id : node.origin);
      if (node.op == tapeop::kInput) {
        map_[id] = builder_.input(tape_.inputs()[node.attr].name, tape_.shape(node), node.dtype);
      } else if (isCutOrPlaced(node) && isWorthwhile(node.operand[0])) {
        map_[id] = moved(node);
      } else {
        map_[id] = copier_.copyMapped(tape_.node(id), map_);
      }
      costs_.resize(builder_.size());
      if (!costs_[map_[id]].isSet) costs_[map_[id]] = costOf(map_[id], isStored_[id]);
    }
    std::vector<Port> outputs = tape_.outputs();
    for (Port& port : outputs) port.node = map_[port.node];
    return builder_.finish(std::move(outputs));
  }

 private:
  /// What computing a value again takes.
  struct Cost {
    bool isSet = false;
    bool isCheap = false;
    int operations = 0, reads = 0;
  };

  /// How often values are moved, and which are in memory whatever happens here.
  void countMoves() {
    moves_.assign(tape_.size(), 0);
    isStored_.assign(tape_.size(), false);
    for (const Node& node : tape_.nodes()) {
      if (isCutOrPlaced(node)) {
        ++moves_[node.operand[0]];
      } else if (!isElementwise(node) && !movesData(opOf(node)) && !isReduction(opOf(node))) {
        for (const NodeId operand : tape_.operands(node)) isStored_[operand] = true;
      }
    }
    for (const Port& port : tape_.outputs()) isStored_[port.node] = true;
    for (const NodeId id : tape_.checks()) isStored_[id] = true;
  }

  bool isWorthwhile(NodeId value) const {
    if (!isElementwise(tape_.node(value)) || isStored_[value]) return false;
    const Cost& cost = costs_[map_[value]];
    return cost.isCheap && cost.operations > 0 &&
           cost.operations * moves_[value] <= kMaxOperations &&
           cost.reads * moves_[value] <= kMaxReads;
  }

  /// Of a node of the new tape.
  Cost costOf(NodeId id, bool isStored) const {
    const Node& node = builder_.node(id);
    Cost cost{true, true, 0, 1};
    if (node.op == tapeop::kConstant) return {true, true, 0, 0};
    if (isStored) return cost;
    if (movesData(opOf(node))) {
      // Reads what it moves, unless that is a computed value that nobody else has stored.
      cost.isCheap = isInMemory(id);
      return cost;
    }
    if (!isElementwise(node)) {
      cost.isCheap = opOf(node) != Op::Gather && opOf(node) != Op::Iota;
      return cost;
    }
    cost = {true, isCheap(node), 0, 0};
    cost.operations = 1;
    const auto operands = builder_.tape().operands(node);
    for (const NodeId operand : operands) {
      const Cost& of = costs_[operand];
      cost.isCheap = cost.isCheap && of.isCheap;
      cost.operations = std::min(kMaxOperations + 1, cost.operations + of.operations);
      cost.reads = std::min(kMaxReads + 1, cost.reads + of.reads);
    }
    return cost;
  }

  /// Whether what a chain of moves begins with is not computed by a kernel.
  bool isInMemory(NodeId id) const {
    while (movesData(opOf(builder_.node(id)))) id = builder_.node(id).operand[0];
    const Node& node = builder_.node(id);
    return !isElementwise(node) && opOf(node) != Op::Gather && opOf(node) != Op::Iota;
  }

  /// The slice or placement `node` of its operand, computed from those of what that reads.
  NodeId moved(const Node& node) {
    const Shape& shape = tape_.shape(node);
    const auto& attrs = tape_.attrs(node);
    const NodeId root = map_[node.operand[0]];
    const std::vector<NodeId> order = computation(root);
    // Outside there must be zeros, whatever the operations make of zeros.
    const bool isMasked =
        opOf(node) == Op::Place && std::bit_cast<std::uint64_t>(ofZeros(order)) != 0;
    std::unordered_map<NodeId, NodeId> at;
    for (const NodeId id : order) {
      const Node from = builder_.node(id);  // the builder's nodes move while it grows
      if (from.op == tapeop::kConstant) {
        at[id] = builder_.constant(Tape::constantValue(from), shape, from.dtype);
      } else if (costs_[id].operations == 0) {
        const bool isWhole = isMasked && undoes(from, shape, attrs);
        at[id] = isWhole ? from.operand[0] : append(node.op, from.dtype, shape, {id}, attrs);
      } else {
        std::vector<NodeId> operands;
        for (const NodeId operand : builder_.tape().operands(from)) operands.push_back(at[operand]);
        const std::vector<std::int64_t> own = builder_.tape().attrs(from);
        at[id] = append(from.op, from.dtype, shape, operands, own);
      }
    }
    if (!isMasked) return at[root];
    const NodeId one = builder_.constant(1, builder_.shape(root), DType::Bool);
    const NodeId isInside = append(node.op, DType::Bool, shape, {one}, attrs);
    const NodeId zero = builder_.constant(0, shape, node.dtype);
    return append(code(Op::Where), node.dtype, shape, {isInside, at[root], zero}, {});
  }

  /// What a cheap value is computed from and with, operands first.
  std::vector<NodeId> computation(NodeId root) const {
    std::vector<NodeId> order, open = {root};
    while (!open.empty()) {
      const NodeId id = open.back();
      const auto isMissing = [&](NodeId o) { return std::ranges::find(order, o) == order.end(); };
      if (isMissing(id) && costs_[id].operations > 0) {
        const auto operands = builder_.tape().operands(builder_.node(id));
        const auto missing = std::ranges::find_if(operands, isMissing);
        if (missing != operands.end()) {
          open.push_back(*missing);
          continue;
        }
      }
      if (isMissing(id)) order.push_back(id);
      open.pop_back();
    }
    return order;
  }

  /// The last value of a computation, where all that it reads is zero.
  double ofZeros(const std::vector<NodeId>& order) const {
    std::unordered_map<NodeId, double> value;
    for (const NodeId id : order) {
      const Node& node = builder_.node(id);
      double& result = value[id];
      if (node.op == tapeop::kConstant) result = Tape::constantValue(node);
      if (costs_[id].operations == 0) continue;
      double x[3] = {};
      const auto operands = builder_.tape().operands(node);
      for (std::size_t k = 0; k < operands.size(); ++k) x[k] = value[operands[k]];
      const auto& attrs = builder_.tape().attrs(node);
      const auto attr = attrs.empty() ? 0 : static_cast<std::int32_t>(attrs[0]);
      rowOf(node).kernel(&value[id], x, x + 1, x + 2, 1, attr);
    }
    return value[order.back()];
  }

  /// Whether a node is a slice that a placement into this shape puts back where it was.
  bool undoes(const Node& slice, const Shape& shape, const std::vector<std::int64_t>& place) const {
    if (opOf(slice) != Op::Slice || builder_.shape(slice.operand[0]) != shape) return false;
    const auto& attrs = builder_.tape().attrs(slice);
    for (std::size_t k = 0; k < attrs.size(); k += 3) {
      if (attrs[k] != place[k] || attrs[k + 2] != place[k + 2]) return false;
    }
    return true;
  }

  NodeId append(OpCode op, DType dtype, const Shape& shape, const std::vector<NodeId>& operands,
                const std::vector<std::int64_t>& attrs) {
    const NodeId id = builder_.append(op, dtype, shape, operands, attrs);
    costs_.resize(builder_.size());
    if (!costs_[id].isSet) costs_[id] = costOf(id, false);
    return id;
  }

  const Tape& tape_;
  Builder builder_;
  Copier copier_;
  std::vector<NodeId> map_;
  std::vector<int> moves_;      ///< by node of the tape: slices and placements of it
  std::vector<bool> isStored_;  ///< likewise
  std::vector<Cost> costs_;     ///< by node of the new tape
};

}  // namespace

TapePtr recomputeMoved(const TapePtr& t) {
  const bool hasAny = std::ranges::any_of(t->nodes(), [&](const Node& node) {
    return isCutOrPlaced(node) && isElementwise(t->node(node.operand[0])) &&
           isCheap(t->node(node.operand[0]));
  });
  return hasAny ? Recomputer(*t).run() : t;
}

}  // namespace adjoint

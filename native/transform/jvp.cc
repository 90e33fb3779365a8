#include "transform/copy.h"
#include "transform/loops.h"
#include "transform/rules.h"
#include "transform/transform.h"

namespace adjoint {

namespace {

class Pusher {
 public:
  /// With `one` the seeds are the constant 1, and no inputs.
  Pusher(const TapePtr& t, std::span<const std::size_t> wrt, bool one)
      : tape_(*t),
        copier_(builder_, tape_),
        active_(activeNodes(tape_, wrt)),
        map_(tape_.size(), kNoNode),
        tangents_(tape_.size()),
        tuples_() {
    for (const Port& port : tape_.inputs()) {
      map_[port.node] =
          builder_.input(port.name, tape_.shape(port.node), tape_.node(port.node).dtype);
    }
    for (const std::size_t i : wrt) {
      const Port& port = tape_.inputs()[i];
      if (tape_.node(port.node).dtype == DType::Bool) {
        throw Error(ErrorCode::NotDifferentiable, "input " + port.name + " is boolean");
      }
      if (one) {
        const Expr d{&builder_, builder_.constant(1, tape_.shape(port.node))};
        tangents_[port.node] = {d, {}, true, false};
        continue;
      }
      const Expr d{&builder_, builder_.input("d_" + port.name, tape_.shape(port.node))};
      tangents_[port.node] = seed(d);
    }
  }

  TapePtr run(bool withOutputs) {
    builder_.reserve(2 * tape_.size());
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      if (node.op == tapeop::kInput) continue;
      builder_.setOrigin(node.origin);
      if (active_[id] && opOf(node) == Op::Loop) {
        pushLoopNode(id, node);
        continue;
      }
      if (opOf(node) == Op::Item && loops_.contains(node.operand[0])) {
        const PushedLoop& loop = loops_.at(node.operand[0]);
        const auto position = static_cast<std::size_t>(tape_.attrs(node)[0]);
        map_[id] = loop.items[position];
        tangents_[id] = loop.tangents[position];
        continue;
      }
      map_[id] = copier_.copyMapped(node, map_);
      if (active_[id]) pushNode(id, node);
    }
    std::vector<Port> outputs;
    if (withOutputs) {
      for (const Port& port : tape_.outputs()) outputs.push_back({port.name, map_[port.node]});
    }
    for (const Port& port : tape_.outputs()) {
      const Expr d = settleOr(tangents_[port.node], builder_, tape_.shape(port.node));
      outputs.push_back({"d_" + port.name, d.id});
    }
    return builder_.finish(std::move(outputs));
  }

 private:
  void pushNode(NodeId id, const Node& node) {
    if (opOf(node) == Op::Custom) return pushCustom(id, node);
    if (opOf(node) == Op::Item) {
      tangents_[id] = tuples_.at(node.operand[0])[static_cast<std::size_t>(tape_.attrs(node)[0])];
      return;
    }
    std::vector<Expr> x;
    std::vector<Masked> dx;
    bool any = false;
    for (const NodeId operand : tape_.operands(node)) {
      x.push_back({&builder_, map_[operand]});
      dx.push_back(tangents_[operand]);
      any = any || dx.back().present();
    }
    if (any) tangents_[id] = pushForward({tape_, node, builder_, x, {&builder_, map_[id]}}, dx);
  }

  void pushLoopNode(NodeId id, const Node& node) {
    std::vector<NodeId> operands;
    std::vector<Masked> tangents;
    for (const NodeId operand : tape_.operands(node)) {
      operands.push_back(map_[operand]);
      tangents.push_back(tangents_[operand]);
    }
    loops_.emplace(id, pushLoop(builder_, tape_, node, operands, tangents));
  }

  void pushCustom(NodeId id, const Node& node) {
    const CustomRule& rule = tape_.rule(static_cast<std::size_t>(tape_.attrs(node)[0]));
    std::vector<NodeId> arguments;
    std::vector<bool> present;
    for (const NodeId operand : tape_.operands(node)) arguments.push_back(map_[operand]);
    for (const NodeId item : itemsOf(builder_, *rule.primal, map_[id])) arguments.push_back(item);
    for (const NodeId operand : tape_.operands(node)) {
      present.push_back(tangents_[operand].present());
      arguments.push_back(settleOr(tangents_[operand], builder_, tape_.shape(operand)).id);
    }
    std::vector<Masked>& results = tuples_[id];
    for (const NodeId result : inlineTape(builder_, *customJvp(rule, present), arguments)) {
      results.push_back({{&builder_, result}, {}, true, false});
    }
  }

  const Tape& tape_;
  Builder builder_;
  Copier copier_;
  std::vector<bool> active_;
  std::vector<NodeId> map_;
  BigVector<Masked> tangents_;
  std::unordered_map<NodeId, std::vector<Masked>> tuples_;
  std::unordered_map<NodeId, PushedLoop> loops_;
};

}  // namespace

TapePtr jvp(const TapePtr& t, std::span<const std::size_t> wrt) {
  return Pusher(t, wrt, false).run(true);
}

TapePtr derivative(const TapePtr& t, std::size_t input) {
  return Pusher(t, {&input, 1}, true).run(false);
}

}  // namespace adjoint

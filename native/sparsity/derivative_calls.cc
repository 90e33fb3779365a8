#include "sparsity/derivative_calls.h"

#include <algorithm>

#include "ops/op.h"
#include "sparsity/choices.h"
#include "sparsity/unrolled_loops.h"
#include "transform/copy.h"
#include "transform/rules.h"
#include "transform/transform.h"

namespace adjoint {

namespace {

/// Whether there are calls, or loops that the budget is enough for.
bool isExpandable(const Tape& t, std::int64_t budget) {
  return std::ranges::any_of(t.nodes(), [&](const Node& node) {
    return opOf(node) == Op::Custom || (opOf(node) == Op::Loop && unrolledCost(t, node) <= budget);
  });
}

class Expander {
 public:
  Expander(const ExpandedTape& from, std::span<const std::size_t> wrt, bool withCoefficients,
           const DecisionValues* decided, std::int64_t& budget)
      : from_(from),
        tape_(*from.tape),
        choices_(from, decided),
        withCoefficients_(withCoefficients),
        budget_(budget),
        active_(activeNodes(tape_, wrt)),
        map_(tape_.size(), kNoNode),
        results_(tape_.size()) {}

  ExpandedTape run() {
    Copier copier(builder_, tape_);
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      builder_.setOrigin(node.origin);
      if (node.op == tapeop::kInput) {
        map_[id] = builder_.input(tape_.inputs()[node.attr].name, tape_.shape(node), node.dtype);
      } else if (opOf(node) == Op::Custom) {
        call(id, node);
      } else if (opOf(node) == Op::Loop && unrolledCost(tape_, node) <= budget_) {
        loop(id, node);
      } else if (opOf(node) == Op::Item && !results_[node.operand[0]].empty()) {
        map_[id] = results_[node.operand[0]][static_cast<std::size_t>(tape_.attrs(node)[0])];
      } else {
        map_[id] = copier.copyMapped(node, map_);
      }
      loops_.resize(builder_.size(), from_.loopOf(id));
    }
    // Checks are kept, and so nodes keep their numbers.
    for (NodeId id = 0; id < builder_.size(); ++id) builder_.check(id);
    std::vector<Port> ports = tape_.outputs();
    for (Port& port : ports) port.node = map_[port.node];
    ExpandedTape result;
    result.source.assign(builder_.size(), kNoNode);
    for (NodeId id = 0; id < tape_.size(); ++id) {
      if (opOf(tape_.node(id)) != Op::Item && map_[id] != kNoNode)
        result.source[map_[id]] = from_.sourceOf(id);
    }
    result.loop = std::move(loops_);
    result.tape = builder_.finish(std::move(ports));
    return result;
  }

 private:
  NodeId stopped(NodeId id) {
    const Node& node = builder_.node(id);
    const DType type = node.dtype;
    const Shape shape = builder_.shape(id);
    return builder_.append(code(Op::StopGradient), type, shape, {&id, 1});
  }

  void loop(NodeId id, const Node& node) {
    budget_ -= unrolledCost(tape_, node);
    std::vector<NodeId> operands;
    for (const NodeId operand : tape_.operands(node)) operands.push_back(map_[operand]);
    // A loop within a step is where that step's line is.
    std::vector<NodeId>* loops = from_.loopOf(id) == kNoNode ? &loops_ : nullptr;
    results_[id] = unrollLoop(builder_, tape_, node, operands, choices_.steps(id), loops);
  }

  void call(NodeId id, const Node& node) {
    const CustomRule& rule = tape_.rule(static_cast<std::size_t>(tape_.attrs(node)[0]));
    std::vector<NodeId> x, fixed;
    std::vector<bool> present;
    for (const NodeId operand : tape_.operands(node)) {
      x.push_back(map_[operand]);
      fixed.push_back(stopped(map_[operand]));
      present.push_back(active_[operand]);
    }
    std::vector<NodeId>& results = results_[id];
    results = inlineTape(builder_, *rule.primal, fixed);
    if (!active_[id]) return;
    const TapePtr jvp = customJvp(rule, present);
    const std::vector<NodeId> values = results;
    const auto apply = [&](const std::vector<NodeId>& at) {
      std::vector<NodeId> arguments = at;
      arguments.insert(arguments.end(), results.begin(), results.end());
      arguments.insert(arguments.end(), x.begin(), x.end());
      const std::vector<NodeId> tangents = inlineTape(builder_, *jvp, arguments);
      for (std::size_t i = 0; i < tangents.size(); ++i) {
        if (builder_.node(values[i]).dtype == DType::Bool) continue;
        // A constant tangent does not make the value one.
        const NodeId sum[] = {tangents[i], values[i]};
        const Shape shape = builder_.shape(values[i]);
        results[i] = builder_.append(code(Op::Add), DType::F64, shape, sum);
      }
    };
    apply(fixed);
    if (withCoefficients_) apply(x);
  }

  const ExpandedTape& from_;
  const Tape& tape_;
  Choices choices_;
  bool withCoefficients_;
  std::int64_t& budget_;
  std::vector<bool> active_;
  Builder builder_;
  std::vector<NodeId> map_;
  std::vector<std::vector<NodeId>> results_;  ///< of calls and loops
  std::vector<NodeId> loops_;                 ///< by node of the builder
};

}  // namespace

ExpandedTape expandDerivatives(const TapePtr& t, std::span<const std::size_t> wrt,
                               bool withCoefficients, const DecisionValues* decided,
                               std::int64_t unrolled) {
  ExpandedTape result{t, {}, {}};
  while (isExpandable(*result.tape, unrolled))
    result = Expander(result, wrt, withCoefficients, decided, unrolled).run();
  return result;
}

}  // namespace adjoint

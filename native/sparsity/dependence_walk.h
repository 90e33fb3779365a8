#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "sparsity/choices.h"
#include "sparsity/dependence.h"
#include "sparsity/interactions.h"
#include "sparsity/liveness.h"
#include "sparsity/loop_dependence.h"

namespace adjoint {

/// Finds what every node depends on, in the order of nodes. Each operation has a rule; what has no
/// derivative (comparisons, rounding, indices, stopGradient) passes nothing on.
class DependenceWalk {
 public:
  /// Without `interactions` these are not looked for; without `decided` all branches count.
  /// `loopBudget`: numbers of sets that may be looked at in loops, step after step.
  DependenceWalk(const ExpandedTape& expanded, IndexSets& sets, const DecisionValues* decided,
                 Interactions* interactions, std::int64_t& loopBudget);

  /// `inputs`: what the tape's inputs depend on. `visit(node, dependence)` is called for each
  /// node that an output needs, or an interaction, where these are looked for.
  template <class Visit>
  void run(std::span<const Dependence> inputs, Visit visit) {
    left_ = uses_;
    for (NodeId id = 0; id < tape_.size(); ++id) {
      if (!isVisited_[id]) continue;
      const Node& node = tape_.node(id);
      sets_.setMaker(maker(id));
      found_[id] = node.op == tapeop::kInput ? inputs[node.attr] : ofNode(id, node);
      visit(id, found_[id]);
      for (const NodeId operand : tape_.operands(node)) release(operand);
      if (left_[id] == 0) found_[id] = {};
    }
  }
  /// A run for a step of a loop on another tape: what it makes is made by that node.
  void runWithin(NodeId loop, std::span<const Dependence> inputs) {
    within_ = loop;
    run(inputs, [](NodeId, const Dependence&) {});
  }
  /// Of an output's node, when it has run without interactions.
  const Dependence& of(NodeId id) const { return found_[id]; }

 private:
  /// Which nodes are visited, and how often each is read.
  void plan();
  Dependence ofNode(NodeId id, const Node& node);
  Dependence elementwise(NodeId id, const Node& node);
  Dependence choice(NodeId id, const Node& node);
  Dependence movement(const Node& node);
  Dependence gather(NodeId id, const Node& node);
  Dependence gatherAny(const Dependence& from, const Around& around, NodeId indices);
  Dependence scatter(NodeId id, const Node& node);
  Dependence scatterAny(const Dependence& from, const Around& around, NodeId indices);
  Dependence reduction(NodeId id, const Node& node, bool isExtreme);
  Dependence recurrence(NodeId id, const Node& node);
  Dependence product(NodeId id, const Node& node);
  std::vector<Dependence> loop(NodeId id, const Node& node);
  Dependence item(const Node& node) const;
  Dependence spreadOver(const BigVector<SetId>& sets, const Around& around) const;

  /// Empty where not live.
  Dependence liveOf(const Dependence& from, const LiveElements& live);
  std::size_t count(NodeId id) const { return static_cast<std::size_t>(tape_.count(id)); }
  void release(NodeId id);
  NodeId maker(NodeId id) const { return within_ == kNoNode ? id : within_; }

  const Tape& tape_;
  IndexSets& sets_;
  Dependences dependences_;
  Choices choices_;
  Interactions* interactions_;
  std::vector<Dependence> found_;    ///< by node, until its last use
  std::vector<bool> isVisited_;      ///< by node
  std::vector<std::uint32_t> uses_;  ///< by node
  std::vector<std::uint32_t> left_;  ///< those to come
  NodeId within_ = kNoNode;
  std::map<NodeId, std::unique_ptr<LoopDependence>> loops_;
  std::map<NodeId, std::vector<Dependence>> items_;  ///< of loops, until their last use
  std::int64_t& loopBudget_;
  std::optional<Liveness> live_;  ///< for interactions
  std::map<std::pair<Layer, LiveElements>, Layer> liveLayers_;
};

}  // namespace adjoint

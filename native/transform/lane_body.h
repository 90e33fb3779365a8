#pragma once

#include <string>
#include <vector>

#include "ops/expr.h"
#include "tape/builder.h"

namespace adjoint {

/// Builds a function of one lane: operations of a tape on one lane, without its axis.
class LaneBody {
 public:
  /// `axis`: the lane axis of every node of the tape, -1 for those without.
  LaneBody(const Tape& t, const std::vector<int>& axis)
      : tape_(t), axis_(axis), map_(t.size(), kNoNode) {}

  Builder& builder() { return builder_; }
  bool has(NodeId id) const { return map_[id] != kNoNode; }
  NodeId at(NodeId id) const { return map_[id]; }

  void input(NodeId id, const std::string& name);
  /// One input that has the elements of all these values, one value after another.
  void inputs(const std::vector<NodeId>& ids, const std::string& name);
  void constant(NodeId id);
  /// The operation on one lane. Its operands are there.
  void operation(NodeId id);

 private:
  Shape laneShape(NodeId id) const;
  Expr operand(const Node& node, std::size_t k);
  NodeId build(NodeId id, const Node& node);
  NodeId product(NodeId id, const Node& node);
  NodeId elementwise(const Node& node, const Shape& shape);

  const Tape& tape_;
  const std::vector<int>& axis_;
  Builder builder_;
  std::vector<NodeId> map_;
};

}  // namespace adjoint

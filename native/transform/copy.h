#pragma once

#include <span>
#include <vector>

#include "ops/expr.h"
#include "tape/tape.h"

namespace adjoint {

/// Copies nodes of one tape onto a builder, shapes, attributes, constants and rules included. Nodes
/// that can fail become checks.
class Copier {
 public:
  Copier(Builder& builder, const Tape& from);

  /// A copy of `node` on `operands`, which are nodes of the builder. Not for inputs.
  NodeId copy(const Node& node, std::span<const NodeId> operands);
  /// Copies a node whose operands were all copied before, by the map of old nodes to new ones.
  NodeId copyMapped(const Node& node, const std::vector<NodeId>& map);

 private:
  Builder& builder_;
  const Tape& from_;
  std::vector<ShapeId> shapes_;
  std::vector<AttrId> attrs_;
};

/// Whether computing the node can fail: an index that only values decide.
bool canFail(const Tape& tape, const Node& node);

}  // namespace adjoint

#pragma once

#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tape/tape.h"

namespace adjoint {

/// What ops/ tells tape/ about its rows; set once, before the first tape is made.
struct OpTraits {
  const char* (*name)(OpCode) = nullptr;
  /// f(a, b) and f(b, a) have the same bits: they are one node, in the order first written.
  bool (*isCommutative)(OpCode) = nullptr;
};
void setOpTraits(OpTraits traits);
const char* opName(OpCode op);
bool isCommutative(OpCode op);

/// Grows a tape. Nodes are hash-consed: asking twice for the same operation on the same operands
/// gives the same node. The builder checks nothing about an operation; ops/ does, before it asks.
class Builder {
 public:
  Builder();
  /// Begins with a copy of a tape; only `finish` may follow.
  explicit Builder(const Tape& tape);

  NodeId input(std::string name, const Shape& shape, DType dtype = DType::F64);
  NodeId constant(double value, const Shape& shape = {}, DType dtype = DType::F64);
  /// Row-major dense constant; all-equal data becomes a kConstant.
  NodeId data(std::vector<double> values, const Shape& shape, DType dtype = DType::F64);
  NodeId data(std::shared_ptr<const std::vector<double>> values, const Shape& shape, DType dtype);
  NodeId append(OpCode op, DType dtype, const Shape& shape, std::span<const NodeId> operands,
                std::span<const std::int64_t> attrs = {});
  /// append for callers that have the shape and attribute already interned in this builder.
  NodeId appendInterned(OpCode op, DType dtype, ShapeId shape, AttrId attr,
                        std::span<const NodeId> operands);
  /// The index of the rule, or of one that is the same.
  std::size_t addRule(std::shared_ptr<const CustomRule> rule);

  const Tape& tape() const { return *tape_; }
  const Node& node(NodeId id) const { return tape_->nodes_[id]; }
  const Shape& shape(NodeId id) const { return tape_->shape(id); }
  DType dtype(NodeId id) const { return node(id).dtype; }
  std::size_t size() const { return tape_->nodes_.size(); }

  ShapeId intern(const Shape& shape);
  AttrId internAttrs(std::span<const std::int64_t> attrs);

  /// Makes room for this many nodes, so that a large tape is not moved while it grows.
  void reserve(std::size_t nodes);

  /// For copies of a tape whose nodes are known to differ: appends without looking for equal nodes.
  void setSharing(bool sharing) { sharing_ = sharing; }

  /// New nodes get this origin until it is set again (kNoNode: they are their own).
  void setOrigin(NodeId origin) { origin_ = origin; }

  /// Makes the node one of the tape's checks.
  void check(NodeId id) { tape_->checks_.push_back(id); }
  /// For a function that runs only where another has found nothing to fail: it has no checks.
  void clearChecks() { tape_->checks_.clear(); }

  /// Ends the tape: dead nodes go, the rest keep their order.
  /// Inputs stay, used or not. The builder is empty afterwards.
  TapePtr finish(std::vector<Port> outputs);

  std::size_t bytes() const;

 private:
  static constexpr std::size_t kNearSlots = 8;
  /// An entry of the table of nodes: open addressing, a power of two of them.
  struct Slot {
    NodeId id = kNoNode;
    std::uint32_t hash = 0;
  };

  NodeId cons(const Node& node, std::span<const NodeId> variadic);
  NodeId push(const Node& node, std::span<const NodeId> variadic);
  /// Where the search for a node starts: near the entries of nodes made at about the same time, so
  /// that large tapes stay within the caches. Tables have half as many slots again as nodes, or
  /// more.
  static std::size_t home(const Node& node, std::span<const NodeId> variadic, std::uint32_t hash);
  /// First slot that `ends` the search: a few near home, then, where those are crowded, anywhere.
  template <class Ends>
  std::size_t probe(std::size_t home, std::uint32_t hash, Ends ends) const;
  bool isSame(NodeId id, const Node& node, std::span<const NodeId> variadic) const;
  void grow();
  /// Rules of calls that are dead are not part of the tape.
  void dropUnusedRules();
  static std::uint32_t hash(const Node& node, std::span<const NodeId> variadic);

  std::shared_ptr<Tape> tape_;
  BigVector<Slot> table_;
  bool sharing_ = true;
  std::unordered_map<std::string, ShapeId> shapeIds_;
  std::unordered_map<std::string, AttrId> attrIds_;
  std::unordered_multimap<std::uint64_t, std::uint32_t> dataIds_;
  ShapeId lastShape_ = 0;
  NodeId origin_ = kNoNode;
};

}  // namespace adjoint

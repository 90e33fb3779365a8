#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "ops/op.h"
#include "sparsity/index_map.h"
#include "sparsity/movement.h"
#include "tape/builder.h"

namespace adjoint {

/// Thrown where what a lane depends on has no form as a function of one lane, or too long a one.
struct Mixed {
  NodeId node;  ///< the operation that makes it so
};

/// The function that every lane computes, written out element by element: elements of values, one a
/// lane, are scalars of its body. What does not depend on the inputs of interest is an input of the
/// body, and so is what the data movement leads back to.
class LaneFunction {
 public:
  /// An input of the body: each lane has an element of a value of the tape.
  struct Input {
    NodeId node;
    MapId map;
    /// The same elements where the data movement still has them in simpler places.
    NodeId nearNode;
    MapId nearMap;
    bool isActive;  ///< node is one of the inputs of interest
  };

  /// At most `limit` operations.
  LaneFunction(const Tape& t, const std::vector<bool>& active, Movement& movement,
               std::int64_t lanes, std::int64_t limit)
      : tape_(t), active_(active), movement_(movement), maps_(lanes), limit_(limit) {}

  /// The body's node of these elements of a value. Throws Split or Mixed.
  NodeId at(NodeId node, MapId map);

  IndexMaps& maps() { return maps_; }
  const IndexMaps& maps() const { return maps_; }
  Builder& body() { return body_; }
  const std::vector<Input>& inputs() const { return inputs_; }
  /// Operations and inputs, those weighted by what reading them takes.
  std::int64_t cost() const { return cost_; }
  /// Inputs that are of interest.
  std::int64_t activeInputs() const;
  /// Whether these are as many as the values that they are of have elements.
  bool isFull() const;
  /// The operation with the most operands.
  NodeId longest() const { return longest_; }
  /// Whether every lane is an element of all values, moved about.
  bool isPointwise() const { return isPointwise_; }

 private:
  using Source = Movement::Source;
  /// A value that waits for its operands.
  struct Frame {
    Source key;
    std::vector<Source> operands;
    std::size_t next = 0;
  };

  /// One output of a function with rules of its own: the same element for every lane, each of
  /// another instance of the function.
  struct CallSite {
    NodeId call;
    std::shared_ptr<const CustomRule> rule;  ///< of one instance
    std::vector<bool> isMapped;
    MapId instances;
    std::int64_t element;
  };
  CallSite callSite(const Source& s);

  static std::uint64_t keyOf(const Source& s) {
    return static_cast<std::uint64_t>(s.node) << 32 | s.map;
  }
  const NodeId* found(const Source& s) const {
    const auto it = values_.find(keyOf(s));
    return it == values_.end() ? nullptr : &it->second;
  }
  void keep(const Source& s, NodeId value) { values_.emplace(keyOf(s), value); }

  /// Gives the value at once, or what it waits for.
  void open(const Source& s, std::vector<Frame>& frames);
  bool openLeaf(const Source& s);
  void addInput(const Source& s);
  std::vector<Source> operandsOf(const Source& s);
  std::vector<Source> recurrenceOperands(const Source& s);
  std::vector<Source> scatterOperands(const Source& s);
  std::vector<Source> callOperands(const Source& s);
  NodeId callItem(const Frame& frame, const std::vector<NodeId>& x);
  NodeId combine(const Frame& frame);
  NodeId valueOf(const Source& s) const { return values_.at(keyOf(s)); }
  NodeId operate(Op op, NodeId a, NodeId b);

  const Tape& tape_;
  const std::vector<bool>& active_;
  Movement& movement_;
  IndexMaps maps_;
  Builder body_;
  std::vector<Input> inputs_;
  std::unordered_map<std::uint64_t, NodeId> values_;
  std::unordered_map<std::uint64_t, Source> near_;
  std::unordered_map<std::uint64_t, NodeId> calls_;  ///< by node and instances
  std::int64_t limit_;
  std::int64_t cost_ = 0;
  NodeId longest_ = kNoNode;
  std::size_t mostOperands_ = 0;
  bool isPointwise_ = true;
};

}  // namespace adjoint

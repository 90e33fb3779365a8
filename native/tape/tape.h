#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tape/big_vector.h"
#include "tape/error.h"
#include "tape/shape.h"

namespace adjoint {

using NodeId = std::uint32_t;
using ShapeId = std::uint32_t;
using AttrId = std::uint32_t;
/// An operation as tape/ sees it: a number. ops/ gives it meaning.
using OpCode = std::uint16_t;

constexpr NodeId kNoNode = 0xffffffffu;

/// The operations tape/ itself must know; the rest are rows of ops/.
namespace tapeop {
constexpr OpCode kInput = 1;     ///< attr: index into Tape::inputs
constexpr OpCode kConstant = 2;  ///< every element equal; the value's bits are in operand[0..1]
constexpr OpCode kData = 3;      ///< dense constant; attr: index into Tape::data
constexpr OpCode kCustom = 220;  ///< attrs: index into the tape's rules
constexpr OpCode kLanes = 222;   ///< attrs: likewise, and more
constexpr OpCode kLoop = 224;    ///< attrs: likewise, and more
/// Whether the first attribute is an index into the tape's rules.
constexpr bool hasRule(OpCode op) { return op == kCustom || op == kLanes || op == kLoop; }
}  // namespace tapeop

/// One operation with its operands: 28 bytes, so a tape of a million nodes stays small.
struct Node {
  static constexpr std::uint8_t kVariadic = 255;

  OpCode op = 0;
  DType dtype = DType::F64;
  /// 0..3, or kVariadic: operand[0] is then an offset into Tape::pool and operand[1] the count.
  std::uint8_t arity = 0;
  ShapeId shape = 0;
  AttrId attr = 0;
  std::uint32_t operand[3] = {0, 0, 0};
  /// Node of the tape the user traced that this one was derived from, for source locations.
  std::uint32_t origin = kNoNode;
};

struct Port {
  std::string name;
  NodeId node = kNoNode;
};

class Tape;

/// A function with derivative rules of its own (`custom`), held by a `custom` node.
/// primal: x... -> y...; jvp: x..., dx... -> dy...; vjp: x..., y..., yBar... -> xBar...
/// A missing rule follows from the other one, or from the primal when both are missing.
struct CustomRule {
  std::string name;
  std::shared_ptr<const Tape> primal;
  std::shared_ptr<const Tape> jvp;
  std::shared_ptr<const Tape> vjp;
  /// Of a function mapped over lanes: that of one lane, and which inputs have the lanes as their
  /// first axis. All outputs have.
  std::shared_ptr<const CustomRule> each;
  std::vector<bool> isMapped;
  /// Of a loop: where the files of its checkpoints go.
  std::string directory = {};
};

/// A finished function: nodes in topological order, immutable and shared between threads.
class Tape {
 public:
  std::span<const Node> nodes() const { return nodes_; }
  const Node& node(NodeId id) const { return nodes_[id]; }
  std::size_t size() const { return nodes_.size(); }

  std::span<const NodeId> operands(const Node& node) const {
    if (node.arity == Node::kVariadic) return {pool_.data() + node.operand[0], node.operand[1]};
    return {node.operand, node.arity};
  }
  const Shape& shape(const Node& node) const { return shapes_[node.shape]; }
  const Shape& shape(NodeId id) const { return shapes_[nodes_[id].shape]; }
  std::int64_t count(NodeId id) const { return counts_[nodes_[id].shape]; }
  /// Integer attributes of a node; what they mean is the operation's affair.
  const std::vector<std::int64_t>& attrs(const Node& node) const { return attrs_[node.attr]; }

  /// Value of a kConstant node.
  static double constantValue(const Node& node);
  /// Elements of a kData node, row-major.
  const std::vector<double>& data(const Node& node) const { return *data_[node.attr]; }
  const CustomRule& rule(std::size_t index) const { return *rules_[index]; }
  std::shared_ptr<const CustomRule> sharedRule(std::size_t index) const { return rules_[index]; }
  std::shared_ptr<const std::vector<double>> sharedData(std::size_t i) const { return data_[i]; }

  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  /// Nodes that can fail, computed whether an output needs them or not: where a function fails, so
  /// do the functions derived from it.
  const std::vector<NodeId>& checks() const { return checks_; }

  /// One node a line; complete: two tapes with one print compute the same.
  std::string toString() const;
  /// Bytes of native memory held.
  std::size_t bytes() const;

 private:
  friend class Builder;

  BigVector<Node> nodes_;
  std::vector<NodeId> pool_;
  // Deques: references to shapes and attributes stay good while the tape grows.
  std::deque<Shape> shapes_;
  std::vector<std::int64_t> counts_;
  std::deque<std::vector<std::int64_t>> attrs_;
  std::vector<std::shared_ptr<const std::vector<double>>> data_;
  std::vector<std::shared_ptr<const CustomRule>> rules_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  std::vector<NodeId> checks_;
};

using TapePtr = std::shared_ptr<const Tape>;

/// Whether two tapes have the same print, apart from where their nodes come from.
bool haveSamePrint(const Tape& a, const Tape& b);
/// Whether two functions have rules of the same prints.
bool haveSamePrint(const CustomRule& a, const CustomRule& b);

}  // namespace adjoint

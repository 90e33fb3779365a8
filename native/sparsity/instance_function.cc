#include "sparsity/instance_function.h"

#include <algorithm>
#include <string>

#include "ops/op.h"
#include "transform/lane_body.h"

namespace adjoint {

namespace {

class Finder {
 public:
  Finder(const Tape& t, const std::vector<bool>& active, Movement& movement, AxisClasses& classes,
         IndexMaps& maps, NodeId node, int axis)
      : tape_(t),
        active_(active),
        movement_(movement),
        maps_(maps),
        node_(node),
        axis_(node + 1, AxisClasses::kNone),
        use_(node + 1, Use::None) {
    const std::uint32_t instances = classes.classOf(node, axis);
    for (NodeId id = 0; id <= node; ++id) axis_[id] = classes.axisIn(id, instances);
  }

  std::optional<InstanceFunction> run() {
    if (axis_[node_] < 0 || !isInside(node_) || !collect()) return std::nullopt;
    LaneBody body(tape_, axis_);
    for (NodeId id = 0; id <= node_; ++id) {
      if (use_[id] == Use::Inside) body.operation(id);
      if (use_[id] != Use::Given) continue;
      if (tape_.node(id).op == tapeop::kConstant) {
        body.constant(id);
        continue;
      }
      InstanceFunction::Input input{id, axis_[id], active_[id], {}};
      if (input.isActive && !findElements(input)) return std::nullopt;
      body.input(id, "x" + std::to_string(result_.inputs.size()));
      result_.inputs.push_back(std::move(input));
    }
    const NodeId value = body.at(node_);
    result_.body = body.builder().finish({{"y", value}});
    return std::move(result_);
  }

 private:
  enum class Use : std::uint8_t { None, Inside, Given };

  /// Whether the operation is one on every instance.
  bool isInside(NodeId id) const {
    const Node& node = tape_.node(id);
    const Op op = opOf(node);
    if (!active_[id] || isLeaf(node) || op == Op::Gather || op == Op::Custom || op == Op::Item)
      return false;
    const auto operands = tape_.operands(node);
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const int linked = axis_[id] < 0 ? kAbsent : linkedAxis(tape_, node, k, axis_[id]);
      if (linked == kMixed || linked != axis_[operands[k]]) return false;
    }
    return true;
  }

  /// Marks what is computed inside, and what is given to it.
  bool collect() {
    std::vector<NodeId> open = {node_};
    use_[node_] = Use::Inside;
    while (!open.empty()) {
      const NodeId id = open.back();
      open.pop_back();
      for (const NodeId operand : tape_.operands(tape_.node(id))) {
        if (use_[operand] != Use::None) continue;
        if (axis_[operand] == AxisClasses::kSeveral) return false;
        use_[operand] = isInside(operand) ? Use::Inside : Use::Given;
        if (use_[operand] == Use::Inside) open.push_back(operand);
      }
    }
    return true;
  }

  bool findElements(InstanceFunction::Input& input) {
    const Shape& shape = tape_.shape(input.node);
    const std::int64_t extent = maps_.lanes();
    const std::int64_t inner =
        input.axis < 0 ? 1 : rowMajorStrides(shape)[static_cast<std::size_t>(input.axis)];
    const std::int64_t count = tape_.count(input.node) / (input.axis < 0 ? 1 : extent);
    for (std::int64_t i = 0; i < count; ++i) {
      const Line line =
          input.axis < 0 ? Line{i, 0} : Line{i / inner * extent * inner + i % inner, inner};
      try {
        input.elements.push_back(movement_.find(maps_, {input.node, maps_.line(line)}));
      } catch (const Split&) {
        return false;
      }
      // Leads to what is computed of other instances.
      const NodeId source = input.elements.back().node;
      if (source != kNoNode && active_[source] && tape_.node(source).op != tapeop::kInput)
        return false;
      if (source != kNoNode && !active_[source]) input.elements.back().node = kNoNode;
    }
    return true;
  }

  const Tape& tape_;
  const std::vector<bool>& active_;
  Movement& movement_;
  IndexMaps& maps_;
  const NodeId node_;
  std::vector<int> axis_;  ///< along the instances, by node
  std::vector<Use> use_;
  InstanceFunction result_;
};

}  // namespace

std::optional<InstanceFunction> instanceFunction(const Tape& t, const std::vector<bool>& active,
                                                 Movement& movement, AxisClasses& classes,
                                                 IndexMaps& maps, NodeId node, int axis) {
  return Finder(t, active, movement, classes, maps, node, axis).run();
}

}  // namespace adjoint

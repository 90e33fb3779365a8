#include <algorithm>
#include <optional>
#include <unordered_map>

#include "transform/copy.h"
#include "transform/loops.h"
#include "transform/moves.h"
#include "transform/rules.h"
#include "transform/transform.h"

namespace adjoint {

namespace {

/// What a loop is copied for: to leave out and move out what can be, or to move out what is not
/// worth a cotangent of its own in every step, and else stay as it is.
enum class Aim : std::uint8_t { Plan, Cotangents };

/// What stays of a loop: positions of outputs of its step, and the step with these alone.
struct Kept {
  std::vector<std::size_t> outputs;
  TapePtr step;
};

TapePtr copyLoops(const TapePtr& t, Aim aim);

/// What stays of a loop of which these outputs are used: a carry is needed where its last value is,
/// or where an output that is needed reads it.
Kept keptParts(const LoopAttributes& attributes, const TapePtr& step, std::vector<bool> used,
               Aim aim) {
  if (aim == Aim::Cotangents) used.assign(used.size(), true);
  if (attributes.trips == LoopTrips::While) used[0] = true;
  Kept result;
  for (bool isSettled = false; !isSettled;) {
    isSettled = true;
    result.outputs.clear();
    for (std::size_t i = 0; i < used.size(); ++i) {
      if (used[i]) result.outputs.push_back(i);
    }
    result.step = copyLoops(selectOutputs(step, result.outputs), aim);
    const std::vector<bool> read = inputsRead(*result.step);
    for (std::size_t k = 0; k < attributes.carries; ++k) {
      if (used[k] || !read[attributes.constants + k]) continue;
      used[k] = true;
      isSettled = false;
    }
  }
  return result;
}

/// What each node of a step is to a plan that moves work out of it.
struct Placement {
  std::vector<bool> inside;   ///< stays in the step
  std::vector<bool> outside;  ///< is computed before the loop, or is needed for what is
  std::vector<NodeId> moved;  ///< those outside that the inside reads
};

bool isLeaf(const Node& node) {
  return rowOf(node).family == Family::Leaf || node.op == tapeop::kInput;
}

/// Views of fixed values that are worth values of their own before the loop: the smallest between
/// what is read in the step and the value itself, where they all have no more elements than it has.
/// A loop that sums cotangents of its constants then has sums of what it reads.
std::vector<bool> viewsToMove(const Tape& step, const std::vector<bool>& isFixed) {
  std::unordered_map<NodeId, std::int64_t> elements;  // by value: of what is read of it
  std::unordered_map<NodeId, NodeId> values;          // by view
  const auto isView = [&](NodeId id) {
    return movesData(opOf(step.node(id))) && !isLeaf(step.node(id));
  };
  std::vector<bool> isKnown(step.size(), false);
  const auto read = [&](NodeId id) {
    if (!isFixed[id]) return;
    NodeId smallest = id;
    for (; isView(id); id = step.node(id).operand[0])
      if (step.count(id) < step.count(smallest)) smallest = id;
    if (step.count(id) < step.count(smallest)) smallest = id;
    if (isKnown[smallest]) return;
    isKnown[smallest] = true;
    elements[id] += step.count(smallest);
    if (smallest != id) values.emplace(smallest, id);
  };
  for (const Port& port : step.outputs()) read(port.node);
  for (const NodeId id : step.checks()) read(id);
  for (NodeId id = 0; id < step.size(); ++id) {
    if (isFixed[id]) continue;
    for (const NodeId operand : step.operands(step.node(id))) read(operand);
  }
  std::vector<bool> result(step.size(), false);
  for (const auto& [view, value] : values) {
    const bool isInput = step.node(value).op == tapeop::kInput;
    if ((isInput || !isLeaf(step.node(value))) && elements[value] <= step.count(value))
      result[view] = true;
  }
  return result;
}

/// Nodes that depend on constants of the loop alone go outside, but not mere movement of data,
/// which costs more as a value than where it is read, unless that saves work on cotangents.
Placement place(const Tape& step, std::size_t constants, bool canMove, Aim aim) {
  std::vector<bool> isFixed(step.size(), false);
  for (NodeId id = 0; id < step.size(); ++id) {
    const Node& node = step.node(id);
    if (node.op == tapeop::kInput) {
      isFixed[id] = node.attr < constants;
    } else {
      isFixed[id] = canMove && !tapeop::hasRule(node.op) && opOf(node) != Op::Item &&
                    !canFail(step, node) &&
                    std::ranges::all_of(step.operands(node), [&](NodeId x) { return isFixed[x]; });
    }
  }
  std::vector<bool> isMovedView(step.size(), false);
  if (canMove && aim == Aim::Cotangents) isMovedView = viewsToMove(step, isFixed);
  Placement result{std::vector<bool>(step.size()), std::vector<bool>(step.size()), {}};
  std::vector<bool> isMoved(step.size(), false);
  const auto need = [&](NodeId id) {
    const Node& node = step.node(id);
    if (isFixed[id] && !isLeaf(node) && (isMovedView[id] || !movesData(opOf(node)))) {
      isMoved[id] = result.outside[id] = true;
    } else {
      result.inside[id] = true;
    }
  };
  for (const Port& port : step.outputs()) need(port.node);
  for (const NodeId id : step.checks()) need(id);
  for (std::size_t i = step.size(); i-- > 0;) {
    const auto id = static_cast<NodeId>(i);
    for (const NodeId operand : step.operands(step.node(id))) {
      if (result.inside[id]) need(operand);
      if (result.outside[id]) result.outside[operand] = true;
    }
  }
  for (NodeId id = 0; id < step.size(); ++id) {
    if (isMoved[id]) result.moved.push_back(id);
  }
  return result;
}

class Simplifier {
 public:
  Simplifier(const TapePtr& t, Aim aim)
      : tape_(*t), aim_(aim), copier_(builder_, tape_), map_(tape_.size(), kNoNode) {}

  TapePtr run() {
    const std::vector<bool> live = findLive();
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      builder_.setOrigin(node.origin);
      if (node.op == tapeop::kInput) {
        map_[id] = builder_.input(tape_.inputs()[node.attr].name, tape_.shape(node), node.dtype);
      } else if (!live[id]) {
        continue;
      } else if (opOf(node) == Op::Loop) {
        copyLoop(id, node);
      } else if (opOf(node) == Op::Item && items_.contains(node.operand[0])) {
        map_[id] = items_[node.operand[0]][static_cast<std::size_t>(tape_.attrs(node)[0])];
      } else {
        map_[id] = copier_.copyMapped(node, map_);
      }
    }
    if (tape_.checks().empty()) builder_.clearChecks();
    std::vector<Port> outputs = tape_.outputs();
    for (Port& port : outputs) port.node = map_[port.node];
    return builder_.finish(std::move(outputs));
  }

 private:
  /// Backwards, so that of a loop only what later ones keep is used.
  std::vector<bool> findLive() {
    std::vector<bool> live(tape_.size(), false);
    std::unordered_map<NodeId, std::vector<bool>> used;
    for (const Port& port : tape_.outputs()) live[port.node] = true;
    for (const NodeId id : tape_.checks()) live[id] = true;
    for (std::size_t i = tape_.size(); i-- > 0;) {
      const auto id = static_cast<NodeId>(i);
      const Node& node = tape_.node(id);
      if (!live[id]) continue;
      const auto operands = tape_.operands(node);
      if (opOf(node) == Op::Loop) {
        const LoopAttributes attributes = LoopAttributes::read(tape_, node);
        const TapePtr& step = tape_.rule(attributes.rule).primal;
        std::vector<bool>& outputs = used[id];
        outputs.resize(step->outputs().size());
        const Kept& kept = kept_[id] = keptParts(attributes, step, outputs, aim_);
        const std::vector<bool> read = inputsRead(*kept.step);
        for (std::size_t k = 0; k < operands.size(); ++k) {
          if (k >= attributes.inputs() || read[k]) live[operands[k]] = true;
        }
        for (const std::size_t output : kept.outputs) {
          if (output < attributes.carries) live[operands[attributes.constants + output]] = true;
        }
        continue;
      }
      for (const NodeId operand : operands) live[operand] = true;
      if (opOf(node) != Op::Item || opOf(tape_.node(node.operand[0])) != Op::Loop) continue;
      std::vector<bool>& outputs = used[node.operand[0]];
      outputs.resize(itemCount(tape_, tape_.node(node.operand[0])));
      outputs[static_cast<std::size_t>(tape_.attrs(node)[0])] = true;
    }
    return live;
  }

  void copyLoop(NodeId id, const Node& node) {
    const Kept& kept = kept_.at(id);
    const LoopAttributes old = LoopAttributes::read(tape_, node);
    const Tape& step = *kept.step;
    const auto operands = tape_.operands(node);
    const std::vector<bool> read = inputsRead(step);
    const Placement placement = place(step, old.constants, old.length > 1, aim_);
    const std::vector<NodeId> outside = copyOutside(step, placement, operands);

    Builder inner;
    std::vector<NodeId> within(step.size(), kNoNode);
    std::vector<NodeId> given;
    LoopAttributes attributes = old;
    const auto add = [&](std::size_t i) {
      within[step.inputs()[i].node] = addInputs(inner, step, {&i, 1}, "")[0];
    };
    /// One input for each operand that is read inside; gives how many.
    const auto addDistinct = [&](std::size_t first, std::size_t count) {
      std::unordered_map<NodeId, NodeId> known;
      for (std::size_t i = first; i < first + count; ++i) {
        const NodeId port = step.inputs()[i].node;
        if (!placement.inside[port]) continue;
        const NodeId operand = map_[operands[i]];
        if (const auto same = known.find(operand); same != known.end()) {
          within[port] = same->second;
          continue;
        }
        add(i);
        known[operand] = within[port];
        given.push_back(operand);
      }
      return known.size();
    };
    attributes.constants = addDistinct(0, old.constants) + placement.moved.size();
    for (const NodeId moved : placement.moved) {
      const std::string name = "fixed" + std::to_string(moved);
      within[moved] = inner.input(name, step.shape(moved), step.node(moved).dtype);
      given.push_back(outside[moved]);
    }
    attributes.carries = 0;
    for (const std::size_t output : kept.outputs) {
      if (output >= old.carries) break;
      add(old.constants + output);
      given.push_back(map_[operands[old.constants + output]]);
      ++attributes.carries;
    }
    attributes.streams = addDistinct(old.constants + old.carries, old.streams);
    attributes.indexed = old.indexed && read[old.inputs()];
    if (attributes.indexed) add(old.inputs());
    if (old.trips == LoopTrips::Counted) given.push_back(map_[operands.back()]);

    Copier copier(inner, step);
    for (NodeId inside = 0; inside < step.size(); ++inside) {
      const Node& own = step.node(inside);
      if (own.op == tapeop::kInput || !placement.inside[inside]) continue;
      inner.setOrigin(own.origin);
      within[inside] = copier.copyMapped(own, within);
    }
    if (step.checks().empty()) inner.clearChecks();
    std::vector<Port> ports = step.outputs();
    for (Port& port : ports) port.node = within[port.node];
    const auto rule = stepRule(tape_.rule(old.rule), inner.finish(std::move(ports)));
    const std::vector<NodeId> items = appendLoop(builder_, rule, attributes, given);
    std::vector<NodeId>& all = items_[id];
    all.assign(itemCount(tape_, node), kNoNode);
    for (std::size_t i = 0; i < kept.outputs.size(); ++i) all[kept.outputs[i]] = items[i];
    if (old.trips == LoopTrips::While) all.back() = items.back();
  }

  /// What is moved out of the step, on this tape.
  std::vector<NodeId> copyOutside(const Tape& step, const Placement& placement,
                                  std::span<const NodeId> operands) {
    std::vector<NodeId> result(step.size(), kNoNode);
    Copier copier(builder_, step);
    for (NodeId id = 0; id < step.size(); ++id) {
      if (!placement.outside[id]) continue;
      const Node& node = step.node(id);
      result[id] =
          node.op == tapeop::kInput ? map_[operands[node.attr]] : copier.copyMapped(node, result);
    }
    return result;
  }

  const Tape& tape_;
  const Aim aim_;
  Builder builder_;
  Copier copier_;
  std::vector<NodeId> map_;
  std::unordered_map<NodeId, Kept> kept_;
  std::unordered_map<NodeId, std::vector<NodeId>> items_;
};

TapePtr copyLoops(const TapePtr& t, Aim aim) {
  const bool hasLoops =
      std::ranges::any_of(t->nodes(), [](const Node& node) { return opOf(node) == Op::Loop; });
  return hasLoops ? Simplifier(t, aim).run() : t;
}

}  // namespace

TapePtr simplifyLoops(const TapePtr& t) { return copyLoops(t, Aim::Plan); }
TapePtr moveFixedOutside(const TapePtr& t) { return copyLoops(t, Aim::Cotangents); }

}  // namespace adjoint

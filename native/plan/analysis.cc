#include "plan/analysis.h"

#include <algorithm>
#include <map>

#include "ops/row.h"
#include "transform/lane_axes.h"
#include "transform/moves.h"

namespace adjoint {

namespace {

/// Longest chain of cheap operations that is computed again rather than stored.
constexpr std::uint8_t kMaxRecomputeDepth = 4;

Role roleOf(const Node& node, bool isMovement) {
  if (isMovement) return Role::View;
  const Row& row = rowOf(node);
  switch (row.op) {
    case Op::Constant:
      return Role::Constant;
    case Op::Input:
    case Op::Data:
      return Role::Leaf;
    case Op::Iota:
    case Op::Gather:
      return Role::Pointwise;
    case Op::Sum:
    case Op::ReduceMax:
    case Op::ReduceMin:
      return Role::Reduction;
    case Op::Concat:
      return Role::Concat;
    default:
      return row.kernel ? Role::Pointwise : Role::Library;
  }
}

}  // namespace

PointwiseOperands pointwiseOperands(const Tape& tape, const Node& node) {
  PointwiseOperands result;
  if (opOf(node) == Op::Gather) {
    result.ids[result.count++] = node.operand[1];
    return result;
  }
  for (const NodeId id : tape.operands(node)) result.ids[result.count++] = id;
  return result;
}

Analysis::Analysis(const Tape& tape)
    : tape_(tape),
      views_(tape),
      roles_(tape.size()),
      levels_(tape.size(), 0),
      recomputed_(tape.size(), false),
      recomputeDepth_(tape.size(), 0),
      stored_(tape.size(), false) {
  std::map<Shape, std::uint32_t> spaces;
  for (const Node& node : tape.nodes()) {
    if (node.shape >= spaceOfShape_.size()) spaceOfShape_.resize(node.shape + 1, kNoNode);
    if (spaceOfShape_[node.shape] != kNoNode) continue;
    const Shape key = squeezed(tape.shape(node));
    const auto [it, isNew] =
        spaces.try_emplace(key, static_cast<std::uint32_t>(spaceShapes_.size()));
    if (isNew) spaceShapes_.push_back(key);
    spaceOfShape_[node.shape] = it->second;
  }
  // A value that is kept can end views that were resolved before through it, and keep more.
  std::size_t kept;
  do {
    kept = views_.keptCount();
    assignRoles();
  } while (views_.keptCount() != kept);
  assignLevels();
  markStored();
}

void Analysis::assignRoles() {
  // From the end: a view that must be kept reads through views before it.
  for (const Port& port : tape_.outputs()) views_.resolve(views_.strip(port.node));
  for (const NodeId id : tape_.checks()) views_.resolve(views_.strip(id));
  for (std::size_t i = tape_.size(); i-- > 0;) {
    const auto id = static_cast<NodeId>(i);
    const Node& node = tape_.node(id);
    const bool isMovement = views_.isMovement(id);
    roles_[id] = roleOf(node, isMovement && !views_.isKept(id));
    if (isMovement && views_.isKept(id)) {
      roles_[id] = Role::Pointwise;
      views_.resolve(id, true);
      continue;
    }
    if (roles_[id] == Role::View) continue;
    const auto keepContiguous = [&](NodeId operand) {
      const NodeId base = views_.strip(operand);
      if (views_.isVirtual(base)) views_.keep(base);
    };
    switch (opOf(node)) {
      case Op::Gather: {
        keepContiguous(node.operand[0]);
        views_.resolve(views_.strip(node.operand[1]));
        break;
      }
      case Op::BatchMatMul:
        for (const NodeId operand : tape_.operands(node)) {
          const View view = views_.resolve(operand);
          // A step takes one batch stride and no windows.
          const bool plain = view.windows.empty() && view.rank <= 3 &&
                             tape_.node(view.root).op != tapeop::kConstant;
          if (!plain && view.root != operand) keepContiguous(operand);
        }
        break;
      case Op::LaneMatMul:
        for (const NodeId operand : tape_.operands(node)) {
          const View view = views_.resolve(operand);
          // Lanes are next to each other.
          const bool plain = view.windows.empty() && view.stride[2] == 1;
          if (!plain && view.root != operand) keepContiguous(operand);
        }
        break;
      case Op::ScatterSum:
      case Op::CumSum:
      case Op::LinearRecurrence:
      case Op::ArgMax:
      case Op::ArgMin:
      case Op::ArgSort:
      case Op::Interleave:
      case Op::Lanes:
      case Op::Loop:
        for (const NodeId operand : tape_.operands(node)) keepContiguous(operand);
        break;
      default:
        for (const NodeId operand : tape_.operands(node)) {
          const NodeId base = views_.strip(operand);
          if (views_.isVirtual(base)) views_.resolve(base);
        }
    }
  }
}

std::uint32_t Analysis::readyLevel(NodeId id) const {
  switch (roles_[id]) {
    case Role::Constant:
    case Role::Leaf:
      return 0;
    default:
      return levels_[id] + 1;
  }
}

std::uint32_t Analysis::usableLevel(NodeId operand, std::uint32_t space) {
  const NodeId value = views_.strip(operand);
  if (roles_[value] == Role::Constant) return 0;
  if (roles_[value] == Role::Pointwise && this->space(value) == space) return levels_[value];
  return readyLevel(views_.resolve(value).root);
}

bool isElementwise(const Node& node) {
  return !isLeaf(node) && !movesData(opOf(node)) && rowOf(node).kernel != nullptr;
}

bool isReduction(Op op) { return op == Op::Sum || op == Op::ReduceMax || op == Op::ReduceMin; }

bool isCheap(const Node& node) {
  switch (opOf(node)) {
    case Op::Add:
    case Op::Sub:
    case Op::Mul:
    case Op::Fma:
    case Op::Fms:
    case Op::Fnma:
    case Op::Neg:
    case Op::Square:
    case Op::Abs:
    case Op::Where:
    case Op::ToNumber:
    case Op::Iota:
      return true;
    default:
      return rowOf(node).result == DType::Bool && rowOf(node).kernel;
  }
}

std::vector<std::uint32_t> useCounts(const Tape& tape) {
  std::vector<std::uint32_t> uses(tape.size(), 0);
  for (const Node& node : tape.nodes()) {
    for (const NodeId operand : tape.operands(node)) ++uses[operand];
  }
  for (const Port& port : tape.outputs()) ++uses[port.node];
  for (const NodeId id : tape.checks()) ++uses[id];
  return uses;
}

std::int64_t operationPrice(const Node& node) {
  if (movesData(opOf(node))) return 0;
  if (isCheap(node)) return 1;
  switch (opOf(node)) {
    case Op::Div:
    case Op::Reciprocal:
    case Op::Sqrt:
      return 8;
    default:
      return kElementaryPrice;
  }
}

void Analysis::assignLevels() {
  for (NodeId id = 0; id < tape_.size(); ++id) {
    const Node& node = tape_.node(id);
    std::uint32_t level = 0;
    const auto atLeast = [&](std::uint32_t other) { level = std::max(level, other); };
    switch (roles_[id]) {
      case Role::Constant:
      case Role::Leaf:
      case Role::View:
        continue;
      case Role::Pointwise: {
        if (views_.isMovement(id)) {
          atLeast(readyLevel(views_.resolve(id, true).root));
          break;
        }
        bool cheap = isCheap(node);
        std::uint8_t depth = 1;
        const PointwiseOperands operands = pointwiseOperands(tape_, node);
        for (std::size_t k = 0; k < operands.count; ++k) {
          atLeast(usableLevel(operands.ids[k], space(id)));
          const NodeId value = views_.strip(operands.ids[k]);
          if (roles_[value] == Role::Pointwise && space(value) == space(id)) {
            cheap = cheap && recomputed_[value];
            depth = std::max<std::uint8_t>(depth,
                                           static_cast<std::uint8_t>(recomputeDepth_[value] + 1));
          } else if (roles_[value] != Role::Constant) {
            // Only what is in memory whatever happens may be read again.
            const Role root = roles_[views_.resolve(value).root];
            cheap = cheap && root != Role::Pointwise;
          }
        }
        if (opOf(node) == Op::Gather) atLeast(readyLevel(views_.resolve(node.operand[0]).root));
        recomputed_[id] = cheap && depth <= kMaxRecomputeDepth;
        recomputeDepth_[id] = depth;
        break;
      }
      case Role::Reduction:
        atLeast(usableLevel(node.operand[0], space(node.operand[0])));
        break;
      case Role::Concat:
        for (const NodeId piece : tape_.operands(node)) atLeast(storeLevel(piece));
        break;
      case Role::Library:
        for (const NodeId operand : tape_.operands(node))
          atLeast(readyLevel(views_.resolve(operand).root));
        break;
    }
    levels_[id] = level;
    levelCount_ = std::max(levelCount_, level + 1);
  }
  for (const Port& port : tape_.outputs())
    levelCount_ = std::max(levelCount_, storeLevel(port.node) + 1);
}

std::uint32_t Analysis::storeLevel(NodeId piece) { return usableLevel(piece, space(piece)); }

void Analysis::markRead(NodeId operand, std::uint32_t space, std::uint32_t level) {
  const NodeId value = views_.strip(operand);
  if (roles_[value] == Role::Constant) return;
  if (roles_[value] == Role::Pointwise && this->space(value) == space) {
    if (levels_[value] != level && !recomputed_[value]) stored_[value] = true;
    return;
  }
  stored_[views_.resolve(value).root] = true;
}

void Analysis::markStored() {
  for (NodeId id = 0; id < tape_.size(); ++id) {
    const Node& node = tape_.node(id);
    switch (roles_[id]) {
      case Role::Constant:
      case Role::Leaf:
      case Role::View:
        break;
      case Role::Pointwise: {
        if (views_.isMovement(id)) {
          stored_[id] = true;
          stored_[views_.resolve(id, true).root] = true;
          break;
        }
        const PointwiseOperands operands = pointwiseOperands(tape_, node);
        for (std::size_t k = 0; k < operands.count; ++k)
          markRead(operands.ids[k], space(id), levels_[id]);
        if (opOf(node) == Op::Gather) stored_[views_.resolve(node.operand[0]).root] = true;
        break;
      }
      case Role::Reduction:
        stored_[id] = true;
        markRead(node.operand[0], space(node.operand[0]), levels_[id]);
        break;
      case Role::Concat:
        stored_[id] = true;
        for (const NodeId piece : tape_.operands(node))
          markRead(piece, space(piece), storeLevel(piece));
        break;
      case Role::Library:
        stored_[id] = true;
        for (const NodeId operand : tape_.operands(node))
          stored_[views_.resolve(operand).root] = true;
        break;
    }
  }
  for (const Port& port : tape_.outputs())
    markRead(port.node, space(port.node), storeLevel(port.node));
  markChecks();
}

/// What can fail and no output needs is stored, so that it is computed.
void Analysis::markChecks() {
  if (tape_.checks().empty()) return;
  std::vector<bool> isUsed(tape_.size(), false);
  for (const Port& port : tape_.outputs()) isUsed[port.node] = true;
  for (std::size_t i = tape_.size(); i-- > 0;) {
    if (!isUsed[i]) continue;
    for (const NodeId operand : tape_.operands(tape_.node(static_cast<NodeId>(i))))
      isUsed[operand] = true;
  }
  for (const NodeId id : tape_.checks()) {
    if (!isUsed[id]) stored_[views_.resolve(views_.strip(id)).root] = true;
  }
}

}  // namespace adjoint

#include "sparsity/pieces.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "ops/op.h"
#include "sparsity/local_jacobian.h"

namespace adjoint {

namespace {

/// Operations of one lane that are written out; few lanes are not worth long ones.
constexpr std::int64_t kMaxOperations = 4096, kMaxOperationsOfFew = 512;
constexpr std::int64_t kFewLanes = 8;
/// Rows of so many entries that have no zeros are better done as a matrix.
constexpr std::int64_t kLongRow = 64;

std::int64_t limitFor(std::int64_t lanes) {
  return lanes < kFewLanes ? kMaxOperationsOfFew : kMaxOperations;
}

/// The concat that a value is, but for the order of its elements; kNoNode: none.
NodeId joinUnder(const Tape& t, const std::vector<bool>& active, NodeId id) {
  for (;; id = t.node(id).operand[0]) {
    if (!active[id]) return kNoNode;
    switch (opOf(t.node(id))) {
      case Op::Concat:
        return id;
      case Op::Reshape:
      case Op::Transpose:
      case Op::Flip:
        break;
      default:
        return kNoNode;
    }
  }
}

/// All elements of a piece as lanes of this shape: along one axis, or, without one, all of them.
LaneSet lanesAlong(const Tape& t, const Piece& piece, std::optional<std::size_t> axis) {
  const Shape& shape = t.shape(piece.node);
  if (!axis) {
    std::vector<std::int64_t> elements(piece.rows.size());
    std::iota(elements.begin(), elements.end(), 0);
    return {shape, {{piece.node, std::move(elements), piece.rows}}};
  }
  LaneSet result{{shape[*axis]}, {}};
  const std::int64_t inner = rowMajorStrides(shape)[*axis], extent = shape[*axis];
  const std::int64_t outputs = t.count(piece.node) / extent;
  for (std::int64_t k = 0; k < outputs; ++k) {
    LaneElements output{piece.node, {}, {}};
    for (std::int64_t lane = 0; lane < extent; ++lane) {
      const std::int64_t element = (k / inner * extent + lane) * inner + k % inner;
      output.elements.push_back(element);
      output.rows.push_back(piece.rows[static_cast<std::size_t>(element)]);
    }
    result.outputs.push_back(std::move(output));
  }
  return result;
}

LaneSet subset(const LaneSet& set, const std::vector<std::int64_t>& lanes) {
  LaneSet result{{static_cast<std::int64_t>(lanes.size())}, {}};
  for (const LaneElements& output : set.outputs) {
    LaneElements part{output.node, {}, {}};
    for (const std::int64_t lane : lanes) {
      part.elements.push_back(output.elements[static_cast<std::size_t>(lane)]);
      part.rows.push_back(output.rows[static_cast<std::size_t>(lane)]);
    }
    result.outputs.push_back(std::move(part));
  }
  return result;
}

/// What one way of laying out the lanes would take.
struct Trial {
  LaneSet set;
  double cost = 0;          ///< of all lanes
  double jacobianCost = 0;  ///< of one lane
  double entries = 0;       ///< of all lanes, or less
  bool isPointwise = false;
  std::optional<Split> split;
  std::optional<Mixed> mixed;
};

Trial tryLanes(const Tape& t, const std::vector<bool>& active, Movement& movement, LaneSet set,
               JacobianMode mode) {
  Trial trial{std::move(set), 0, 0, 0, false, {}, {}};
  const std::int64_t lanes = elementCount(trial.set.shape);
  LaneFunction function(t, active, movement, lanes, limitFor(lanes));
  try {
    std::vector<Port> ports;
    for (const LaneElements& output : trial.set.outputs)
      ports.push_back({"y", function.at(output.node, function.maps().list(output.elements))});
    if (trial.set.outputs.size() == 1 && function.activeInputs() > kLongRow && function.isFull())
      trial.mixed = Mixed{function.longest()};
    std::vector<std::size_t> wrt;
    for (std::size_t i = 0; i < function.inputs().size(); ++i) {
      if (function.inputs()[i].isActive) wrt.push_back(i);
    }
    trial.jacobianCost = localCost(*function.body().finish(std::move(ports)), wrt, mode);
  } catch (Split& split) {
    trial.split = std::move(split);
  } catch (const Mixed& mixed) {
    trial.mixed = mixed;
  }
  trial.cost = static_cast<double>(function.cost()) * static_cast<double>(lanes);
  trial.entries = static_cast<double>(lanes) * static_cast<double>(trial.set.outputs.size()) *
                  static_cast<double>(function.activeInputs());
  trial.isPointwise = function.isPointwise();
  return trial;
}

/// The cheapest layout of a piece's lanes.
Trial bestTrial(const Tape& t, const std::vector<bool>& active, Movement& movement,
                const Piece& piece, JacobianMode mode) {
  Trial best = tryLanes(t, active, movement, lanesAlong(t, piece, std::nullopt), mode);
  if (best.isPointwise && !best.mixed) return best;
  const Shape& shape = t.shape(piece.node);
  const auto rank = [](const Trial& trial) { return trial.mixed ? 2 : trial.split ? 1 : 0; };
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] <= 1 || shape[axis] == t.count(piece.node)) continue;
    Trial other = tryLanes(t, active, movement, lanesAlong(t, piece, axis), mode);
    const bool isBetter = rank(other) != rank(best) ? rank(other) < rank(best)
                                                    : !other.mixed && other.cost < best.cost;
    if (isBetter) best = std::move(other);
  }
  return best;
}

}  // namespace

std::vector<Piece> piecesOf(const Tape& t, const std::vector<bool>& active, Movement& movement) {
  std::vector<Piece> result, open;
  std::int64_t row = 0;
  for (const Port& port : t.outputs()) {
    Piece piece{port.node, std::vector<std::int64_t>(static_cast<std::size_t>(t.count(port.node)))};
    std::iota(piece.rows.begin(), piece.rows.end(), row);
    row += t.count(port.node);
    open.push_back(std::move(piece));
    while (!open.empty()) {
      Piece top = std::move(open.back());
      open.pop_back();
      if (!active[top.node] || top.rows.empty()) continue;
      const NodeId join = joinUnder(t, active, top.node);
      if (join == kNoNode) {
        // The same elements in the same order, in the shape in which they are computed.
        while (opOf(t.node(top.node)) == Op::Reshape) top.node = t.node(top.node).operand[0];
        result.push_back(std::move(top));
        continue;
      }
      // Element by element: all of them lead to the join's operands.
      IndexMaps maps(t.count(top.node));
      Movement::Source from{top.node, maps.line({0, 1})};
      while (from.node != join) from = movement.back(maps, from);
      std::vector<std::int64_t> elements = maps.all(from.map), parts;
      movement.choose(join, elements, parts);
      const auto operands = t.operands(t.node(join));
      std::vector<Piece> found;
      for (const NodeId operand : operands)
        found.push_back(
            {operand, std::vector<std::int64_t>(static_cast<std::size_t>(t.count(operand)))});
      for (std::size_t i = 0; i < parts.size(); ++i)
        found[static_cast<std::size_t>(parts[i])].rows[static_cast<std::size_t>(elements[i])] =
            top.rows[i];
      open.insert(open.end(), std::make_move_iterator(found.rbegin()),
                  std::make_move_iterator(found.rend()));
    }
  }
  return result;
}

PieceLanes lanesOf(const Tape& t, const std::vector<bool>& active, Movement& movement,
                   const Piece& piece, JacobianMode mode, std::size_t maxSets) {
  PieceLanes result;
  std::vector<Trial> open;
  open.push_back(bestTrial(t, active, movement, piece, mode));
  while (!open.empty()) {
    Trial trial = std::move(open.back());
    open.pop_back();
    if (trial.split && result.sets.size() + open.size() + trial.split->groups.size() > maxSets)
      trial.mixed = Mixed{trial.split->node};
    if (trial.mixed) return {{}, trial.mixed->node, 0, 0, 0};
    if (!trial.split) {
      result.cost = std::max(result.cost, trial.jacobianCost);
      result.entries += trial.entries;
      result.operations += trial.jacobianCost * static_cast<double>(elementCount(trial.set.shape));
      result.sets.push_back(std::move(trial.set));
      continue;
    }
    const auto& groups = trial.split->groups;
    for (std::size_t i = groups.size(); i-- > 0;)
      open.push_back(tryLanes(t, active, movement, subset(trial.set, groups[i]), mode));
  }
  return result;
}

}  // namespace adjoint

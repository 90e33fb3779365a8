#include "transform/lane_body.h"

#include "ops/build.h"
#include "ops/row.h"

namespace adjoint {

namespace {

/// An axis of a value, counted without its lane axis.
std::int64_t without(int lane, std::int64_t axis) {
  return lane >= 0 && axis > lane ? axis - 1 : axis;
}

}  // namespace

void LaneBody::input(NodeId id, const std::string& name) {
  map_[id] = builder_.input(name, laneShape(id), tape_.node(id).dtype);
}

void LaneBody::inputs(const std::vector<NodeId>& ids, const std::string& name) {
  std::int64_t all = 0;
  for (const NodeId id : ids) all += elementCount(laneShape(id));
  const Expr input{&builder_, builder_.input(name, {all}, tape_.node(ids[0]).dtype)};
  std::int64_t from = 0;
  for (const NodeId id : ids) {
    const Shape shape = laneShape(id);
    const std::int64_t count = elementCount(shape);
    map_[id] = ex::reshape(ex::sliceAxis(input, 0, {from, count, 1}), shape).id;
    from += count;
  }
}

void LaneBody::constant(NodeId id) {
  const Node& node = tape_.node(id);
  map_[id] = builder_.constant(Tape::constantValue(node), laneShape(id), node.dtype);
}

void LaneBody::operation(NodeId id) {
  const Node& node = tape_.node(id);
  builder_.setOrigin(node.origin == kNoNode ? id : node.origin);
  map_[id] = build(id, node);
}

Shape LaneBody::laneShape(NodeId id) const {
  Shape shape = tape_.shape(id);
  if (axis_[id] >= 0) shape.erase(shape.begin() + axis_[id]);
  return shape;
}

Expr LaneBody::operand(const Node& node, std::size_t k) {
  return {&builder_, map_[tape_.operands(node)[k]]};
}

NodeId LaneBody::build(NodeId id, const Node& node) {
  const int lane = axis_[id];
  const Shape shape = laneShape(id);
  const auto& attrs = tape_.attrs(node);
  const auto operands = tape_.operands(node);
  const int from = operands.empty() ? -1 : axis_[operands[0]];
  switch (opOf(node)) {
    case Op::StopGradient:
      return map_[operands[0]];
    case Op::Reshape:
      return ex::reshape(operand(node, 0), shape).id;
    case Op::Transpose: {
      ex::Axes axes;
      for (const std::int64_t axis : attrs) {
        if (axis != from) axes.push_back(without(from, axis));
      }
      return ex::transpose(operand(node, 0), axes).id;
    }
    case Op::BroadcastTo: {
      // Axes align from the last one on; a lane axis of extent 1 or none goes from either side.
      Shape aligned(tape_.shape(id).size() - tape_.shape(operands[0]).size(), 1);
      const Shape& own = tape_.shape(operands[0]);
      aligned.insert(aligned.end(), own.begin(), own.end());
      if (lane >= 0) aligned.erase(aligned.begin() + lane);
      return ex::broadcastTo(ex::reshape(operand(node, 0), aligned), shape).id;
    }
    case Op::Slice:
    case Op::Place: {
      std::vector<ex::Range> ranges;
      for (std::size_t k = 0; k < tape_.shape(operands[0]).size(); ++k) {
        if (static_cast<int>(k) != from)
          ranges.push_back({attrs[3 * k], attrs[3 * k + 1], attrs[3 * k + 2]});
      }
      const Expr x = operand(node, 0);
      return (opOf(node) == Op::Slice ? ex::slice(x, ranges) : ex::place(x, ranges)).id;
    }
    case Op::Flip: {
      ex::Axes axes;
      for (const std::int64_t axis : attrs) axes.push_back(without(from, axis));
      return ex::flip(operand(node, 0), axes).id;
    }
    case Op::Concat: {
      std::vector<Expr> parts;
      for (std::size_t k = 0; k < operands.size(); ++k) parts.push_back(operand(node, k));
      return ex::concat(parts, without(lane, attrs[0])).id;
    }
    case Op::ScatterSum:
      return ex::scatterSum(operand(node, 0), operand(node, 1), without(lane, attrs[0]), attrs[1])
          .id;
    case Op::Sum:
    case Op::ReduceMax:
    case Op::ReduceMin: {
      ex::Axes axes;
      for (const std::int64_t axis : attrs) axes.push_back(without(from, axis));
      const Expr x = operand(node, 0);
      return (opOf(node) == Op::Sum         ? ex::sum(x, axes)
              : opOf(node) == Op::ReduceMax ? ex::reduceMax(x, axes)
                                            : ex::reduceMin(x, axes))
          .id;
    }
    case Op::CumSum:
      return ex::cumsum(operand(node, 0), without(from, attrs[0]), attrs[1] != 0).id;
    case Op::LinearRecurrence:
      return ex::linearRecurrence(operand(node, 0), operand(node, 1), without(from, attrs[0]),
                                  attrs[1] != 0)
          .id;
    case Op::ArgSort:
    case Op::ArgMax:
    case Op::ArgMin:
      return apply(opOf(node), {operand(node, 0)}, {without(from, attrs[0])}).id;
    case Op::BatchMatMul:
      return product(id, node);
    default:
      return elementwise(node, shape);
  }
}

/// A lane axis among the rows or columns leaves a product with one row or column.
NodeId LaneBody::product(NodeId id, const Node& node) {
  const auto rank = static_cast<int>(tape_.shape(id).size());
  const auto matrix = [&](std::size_t k) {
    const NodeId x = tape_.operands(node)[k];
    Shape shape = tape_.shape(x);
    if (axis_[x] >= rank - 2) {
      shape[static_cast<std::size_t>(axis_[x])] = 1;
    } else if (axis_[x] >= 0) {
      shape.erase(shape.begin() + axis_[x]);
    }
    return ex::reshape(operand(node, k), shape);
  };
  return ex::reshape(ex::batchMatmul(matrix(0), matrix(1)), laneShape(id)).id;
}

NodeId LaneBody::elementwise(const Node& node, const Shape& shape) {
  NodeId x[3];
  const auto operands = tape_.operands(node);
  for (std::size_t k = 0; k < operands.size(); ++k) x[k] = map_[operands[k]];
  // As they are: the tape is a final one, and its own operations are unknown to apply.
  return builder_.append(node.op, node.dtype, shape, {x, operands.size()}, tape_.attrs(node));
}

}  // namespace adjoint

#include <algorithm>

#include "ops/table_index.h"
#include "transform/copy.h"
#include "transform/loops.h"
#include "transform/rules.h"
#include "transform/transform.h"

namespace adjoint {

namespace {

using namespace ex;

Axes shifted(Axes axes) {
  for (std::int64_t& axis : axes) ++axis;
  return axes;
}

class Batcher {
 public:
  Batcher(const TapePtr& t, std::int64_t lanes, const std::vector<bool>& batched)
      : tape_(*t), lanes_(lanes), batched_(batched), copier_(builder_, tape_), map_(tape_.size()) {}

  /// Outputs have a lane axis where they vary or `wanted` says so.
  LaneTape run(const std::vector<bool>& wanted) {
    if (lanes_ < 0) throw Error(ErrorCode::Argument, "vmap: negative number of lanes");
    if (batched_.size() != tape_.inputs().size()) {
      throw Error(ErrorCode::Argument, "vmap: says of " + std::to_string(batched_.size()) +
                                           " inputs whether they are batched, the function has " +
                                           std::to_string(tape_.inputs().size()));
    }
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      builder_.setOrigin(node.origin);
      map_[id] = batch(id, node);
      // Loops see to themselves.
      if (opOf(node) != Op::Loop && canFail(tape_, node)) builder_.check(map_[id].value.id);
    }
    LaneTape result;
    std::vector<Port> outputs;
    for (const Port& port : tape_.outputs()) {
      const Lane& own = map_[port.node];
      result.outputs.push_back(own.batched || wanted[outputs.size()]);
      outputs.push_back({port.name, (result.outputs.back() ? spread(own) : own.value).id});
    }
    result.tape = builder_.finish(std::move(outputs));
    return result;
  }

 private:
  Lane batch(NodeId id, const Node& node) {
    if (node.op == tapeop::kInput) {
      const bool isBatched = batched_[node.attr];
      const Shape& own = tape_.shape(node);
      const NodeId input = builder_.input(tape_.inputs()[node.attr].name,
                                          isBatched ? withLanes(lanes_, own) : own, node.dtype);
      return {{&builder_, input}, isBatched};
    }
    if (opOf(node) == Op::Item) {
      const std::int64_t position = tape_.attrs(node)[0];
      if (const auto loop = loops_.find(node.operand[0]); loop != loops_.end())
        return loop->second[static_cast<std::size_t>(position)];
      const Lane& tuple = map_[node.operand[0]];
      const Shape& own = tape_.shape(node);
      const NodeId item =
          builder_.append(node.op, node.dtype, tuple.batched ? withLanes(lanes_, own) : own,
                          {&tuple.value.id, 1}, {&position, 1});
      return {{&builder_, item}, tuple.batched};
    }
    std::vector<Lane> x;
    bool any = false;
    for (const NodeId operand : tape_.operands(node)) {
      x.push_back(map_[operand]);
      any = any || x.back().batched;
    }
    if (!any) {
      std::vector<NodeId> operands;
      for (const Lane& lane : x) operands.push_back(lane.value.id);
      return {{&builder_, copier_.copy(node, operands)}, false};
    }
    if (opOf(node) == Op::Custom) return {custom(node, x), true};
    if (opOf(node) == Op::Loop) {
      const auto steps = stepsOf_.find(x.empty() ? kNoNode : x.back().value.id);
      BatchedLoop loop = batchLoop(builder_, tape_, node, lanes_, x,
                                   steps == stepsOf_.end() ? kNoNode : steps->second);
      if (loop.steps != kNoNode) stepsOf_[loop.items.back().value.id] = loop.steps;
      loops_[id] = std::move(loop.items);
      return {};
    }
    return {batchNode(node, x), true};
  }

  Expr spread(const Lane& x) { return adjoint::spread(x, lanes_); }

  Expr batchNode(const Node& node, const std::vector<Lane>& x) {
    const auto& attrs = tape_.attrs(node);
    const Shape& own = tape_.shape(node);
    const Expr first = x[0].value;
    switch (opOf(node)) {
      case Op::Reshape:
        return reshape(first, withLanes(lanes_, own));
      case Op::Transpose: {
        Axes axes = shifted(attrs);
        axes.insert(axes.begin(), 0);
        return transpose(first, axes);
      }
      case Op::BroadcastTo: {
        const std::size_t rank = first.shape().size() - 1;
        Shape aligned = withLanes(lanes_, Shape(own.size() - rank, 1));
        aligned.insert(aligned.end(), first.shape().begin() + 1, first.shape().end());
        return broadcastTo(reshape(first, aligned), withLanes(lanes_, own));
      }
      case Op::Slice:
      case Op::Place: {
        std::vector<Range> ranges{{0, lanes_, 1}};
        for (std::size_t i = 0; i < attrs.size(); i += 3)
          ranges.push_back({attrs[i], attrs[i + 1], attrs[i + 2]});
        return opOf(node) == Op::Slice ? slice(first, ranges) : place(first, ranges);
      }
      case Op::Flip:
        return flip(first, shifted(attrs));
      case Op::Concat: {
        std::vector<Expr> parts;
        for (const Lane& part : x) parts.push_back(spread(part));
        return concat(parts, attrs[0] + 1);
      }
      case Op::Gather:
        return batchGather(x[0], x[1], attrs[0]);
      case Op::ScatterSum:
        return batchScatter(x[0], x[1], attrs[0], attrs[1]);
      case Op::Sum:
        return sum(first, shifted(attrs));
      case Op::ReduceMax:
        return reduceMax(first, shifted(attrs));
      case Op::ReduceMin:
        return reduceMin(first, shifted(attrs));
      case Op::ArgMax:
      case Op::ArgMin:
      case Op::ArgSort:
        return apply(opOf(node), {first}, {attrs[0] + 1});
      case Op::CumSum:
        return cumsum(first, attrs[0] + 1, attrs[1] != 0);
      case Op::LinearRecurrence:
        return linearRecurrence(spread(x[0]), spread(x[1]), attrs[0] + 1, attrs[1] != 0);
      case Op::BatchMatMul:
        return product(own, x[0], x[1]);
      case Op::StopGradient:
        return stopGradient(first);
      default:
        return elementwise(node, x);
    }
  }

  /// A vector of each lane times a matrix that all share is a row of one product.
  Expr product(const Shape& own, const Lane& a, const Lane& b) {
    const bool isPlain = own.size() == 2 && a.batched != b.batched;
    const Shape& left = a.value.shape();
    const Shape& right = b.value.shape();
    if (isPlain && a.batched && own[0] == 1)
      return reshape(batchMatmul(reshape(a.value, {lanes_, left.back()}), b.value),
                     withLanes(lanes_, own));
    if (isPlain && b.batched && own[1] == 1)
      return reshape(batchMatmul(reshape(b.value, {lanes_, right[1]}), transpose(a.value, {1, 0})),
                     withLanes(lanes_, own));
    return batchMatmul(spread(a), spread(b));
  }

  /// Operands have one shape, so those without lanes broadcast along the new first axis.
  Expr elementwise(const Node& node, const std::vector<Lane>& x) {
    NodeId operands[3];
    for (std::size_t i = 0; i < x.size(); ++i) operands[i] = x[i].value.id;
    return {&builder_, apply(builder_, opOf(node), {operands, x.size()}, tape_.attrs(node))};
  }

  /// Indices of each lane turned into rows of a table of lanes * size rows.
  Expr flatIndices(Expr indices, std::int64_t size) {
    const Expr lane = iota(builder_, 0, indices.shape());
    return tableIndex(indices, indices + lane * static_cast<double>(size), size, lanes_ * size);
  }

  Expr batchGather(const Lane& x, const Lane& indices, std::int64_t axis) {
    if (!indices.batched) return gather(x.value, indices.value, axis + 1);
    if (!x.batched) return moveAxis(gather(x.value, indices.value, axis), axis, 0);
    const Expr rows = moveAxis(x.value, axis + 1, 1);
    Shape table = rows.shape();
    const std::int64_t size = table[1];
    table.erase(table.begin());
    table[0] = lanes_ * size;
    // [lanes, indices..., rest...]; the leading axes of `rest` belong before the indices.
    Expr result = gather(reshape(rows, table), flatIndices(indices.value, size), 0);
    const auto width = static_cast<std::int64_t>(indices.value.shape().size()) - 1;
    for (std::int64_t i = 0; i < axis; ++i) result = moveAxis(result, 1 + width + i, 1 + i);
    return result;
  }

  Expr batchScatter(const Lane& indices, const Lane& updates, std::int64_t axis,
                    std::int64_t size) {
    if (!indices.batched) return scatterSum(indices.value, updates.value, axis + 1, size);
    Expr moving = spread(updates);
    const auto width = static_cast<std::int64_t>(indices.value.shape().size()) - 1;
    // [lanes, before..., indices..., after...] -> [lanes, indices..., before..., after...]
    for (std::int64_t i = 0; i < width; ++i) moving = moveAxis(moving, 1 + axis + i, 1 + i);
    const Expr flat = scatterSum(flatIndices(indices.value, size), moving, 0, lanes_ * size);
    Shape shape = flat.shape();
    shape[0] = size;
    return moveAxis(reshape(flat, withLanes(lanes_, shape)), 1, 1 + axis);
  }

  /// The rule of a custom function over lanes is the rule's own functions over lanes.
  Expr custom(const Node& node, const std::vector<Lane>& x) {
    const CustomRule& rule = tape_.rule(static_cast<std::size_t>(tape_.attrs(node)[0]));
    const std::size_t n = x.size();
    const std::size_t m = rule.primal->outputs().size();
    std::vector<bool> primal;
    for (const Lane& lane : x) primal.push_back(lane.batched);
    const auto extended = [&](std::size_t more) {
      std::vector<bool> result = primal;
      result.resize(n + more, true);
      return result;
    };
    auto batched = std::make_shared<CustomRule>();
    batched->name = rule.name;
    batched->each = tape_.sharedRule(static_cast<std::size_t>(tape_.attrs(node)[0]));
    batched->isMapped = primal;
    batched->primal = vmap(rule.primal, lanes_, primal);
    if (rule.jvp)
      batched->jvp =
          spreadInputs(vmap(rule.jvp, lanes_, std::vector<bool>(2 * n, true)), primal, n);
    if (rule.vjp) batched->vjp = sumShared(vmap(rule.vjp, lanes_, extended(2 * m)), primal);
    const auto attr = static_cast<std::int64_t>(builder_.addRule(batched));
    std::vector<NodeId> operands;
    for (const Lane& lane : x) operands.push_back(lane.value.id);
    return {&builder_, builder_.append(node.op, node.dtype, {}, operands, {&attr, 1})};
  }

  /// Inputs shared by all lanes arrive without a lane axis; the tangents and the rule have one.
  TapePtr spreadInputs(const TapePtr& t, const std::vector<bool>& batched, std::size_t n) {
    Builder builder;
    std::vector<NodeId> arguments;
    for (std::size_t i = 0; i < t->inputs().size(); ++i) {
      const Port& port = t->inputs()[i];
      Shape shape = t->shape(port.node);
      const Shape full = shape;
      if (!batched[i % n]) shape.erase(shape.begin());
      const Expr input{&builder, builder.input(port.name, shape, t->node(port.node).dtype)};
      arguments.push_back(broadcastTo(input, full).id);
    }
    return finishWith(builder, *t, inlineTape(builder, *t, arguments));
  }

  /// The cotangent of an input shared by all lanes is the sum over lanes.
  TapePtr sumShared(const TapePtr& t, const std::vector<bool>& batched) {
    Builder builder;
    std::vector<NodeId> inputs;
    for (const Port& port : t->inputs())
      inputs.push_back(builder.input(port.name, t->shape(port.node), t->node(port.node).dtype));
    std::vector<NodeId> bars = inlineTape(builder, *t, inputs);
    for (std::size_t i = 0; i < bars.size(); ++i) {
      if (!batched[i]) bars[i] = sum({&builder, bars[i]}, {0}).id;
    }
    return finishWith(builder, *t, bars);
  }

  static TapePtr finishWith(Builder& builder, const Tape& like,
                            const std::vector<NodeId>& results) {
    std::vector<Port> ports = like.outputs();
    for (std::size_t i = 0; i < ports.size(); ++i) ports[i].node = results[i];
    return builder.finish(std::move(ports));
  }

  const Tape& tape_;
  std::int64_t lanes_;
  const std::vector<bool>& batched_;
  Builder builder_;
  Copier copier_;
  std::vector<Lane> map_;
  std::unordered_map<NodeId, std::vector<Lane>> loops_;
  /// Of numbers of steps that differ between lanes: the largest.
  std::unordered_map<NodeId, NodeId> stepsOf_;
};

}  // namespace

LaneTape vmapVarying(const TapePtr& t, std::int64_t lanes, const std::vector<bool>& batched,
                     const std::vector<bool>& wanted) {
  return Batcher(t, lanes, batched).run(wanted);
}

TapePtr vmap(const TapePtr& t, std::int64_t lanes, const std::vector<bool>& batched) {
  return vmapVarying(t, lanes, batched, std::vector<bool>(t->outputs().size(), true)).tape;
}

}  // namespace adjoint

#include <limits>

#include "transform/loops.h"
#include "transform/rules.h"
#include "transform/transform.h"

namespace adjoint {

using namespace ex;

namespace {

class LoopBatcher {
 public:
  LoopBatcher(Builder& builder, const Tape& t, const Node& loop, std::int64_t lanes,
              const std::vector<Lane>& operands)
      : builder_(builder),
        rule_(t.rule(LoopAttributes::read(t, loop).rule)),
        step_(rule_.primal),
        attributes_(LoopAttributes::read(t, loop)),
        lanes_(lanes),
        operands_(operands) {}

  BatchedLoop run(NodeId steps) {
    findBatched();
    const bool isWhile = attributes_.trips == LoopTrips::While;
    const bool isCounted = attributes_.trips == LoopTrips::Counted;
    if (isWhile && inputs_[attributes_.constants]) return runWhile();
    if (isCounted && operands_.back().batched) return runCounted(steps);
    std::vector<NodeId> operands = ownOperands();
    if (isCounted) operands.push_back(operands_.back().value.id);
    const auto items = appendLoop(builder_, stepRule(rule_, each_.tape), attributes_, operands);
    BatchedLoop result;
    for (std::size_t i = 0; i < each_.outputs.size(); ++i) addItem(result, items[i], i);
    if (isWhile) result.items.push_back({{&builder_, items.back()}, false});
    return result;
  }

 private:
  std::size_t firstStream() const { return attributes_.constants + attributes_.carries; }

  /// By fixpoint: a carry has lanes where its first value has, or what a step makes of it.
  void findBatched() {
    for (std::size_t i = 0; i < attributes_.inputs(); ++i) inputs_.push_back(operands_[i].batched);
    if (attributes_.indexed) inputs_.push_back(false);
    while (batchStep()) {
    }
  }

  /// Whether more carries have lanes than before.
  bool batchStep() {
    std::vector<bool> wanted(step_->outputs().size(), false);
    for (std::size_t k = 0; k < attributes_.carries; ++k)
      wanted[k] = inputs_[attributes_.constants + k];
    each_ = vmapVarying(step_, lanes_, inputs_, wanted);
    bool isNew = false;
    for (std::size_t k = 0; k < attributes_.carries; ++k) {
      isNew = isNew || each_.outputs[k] != wanted[k];
      inputs_[attributes_.constants + k] = each_.outputs[k];
    }
    return isNew;
  }

  /// Lanes that are done keep their carries, so that every carry has lanes.
  void batchAllCarries() {
    for (std::size_t k = 0; k < attributes_.carries; ++k) inputs_[attributes_.constants + k] = true;
    batchStep();
  }

  /// An operand as the loop takes it: lanes first, but after the rows of a stream.
  NodeId operand(std::size_t i) const {
    if (!inputs_[i]) return operands_[i].value.id;
    const Expr all = spread(operands_[i], lanes_);
    return (i < firstStream() ? all : moveAxis(all, 0, 1)).id;
  }
  std::vector<NodeId> ownOperands() const {
    std::vector<NodeId> result;
    for (std::size_t i = 0; i < attributes_.inputs(); ++i) result.push_back(operand(i));
    return result;
  }

  /// Output i of the step became `item`.
  void addItem(BatchedLoop& result, NodeId item, std::size_t i) const {
    const bool isBatched = each_.outputs[i];
    const Expr value{&builder_, item};
    const bool isRows = isBatched && i >= attributes_.carries;
    result.items.push_back({isRows ? moveAxis(value, 1, 0) : value, isBatched});
  }

  /// `next` in lanes that go on, `now` in others.
  static Expr select(Expr live, Expr next, Expr now) {
    if (next.id == now.id) return next;
    Shape shape = live.shape();
    shape.resize(now.shape().size(), 1);
    return apply(Op::Where, {broadcastTo(reshape(live, shape), Shape(now.shape())), next, now});
  }

  std::vector<std::size_t> range(std::size_t first, std::size_t count) const {
    std::vector<std::size_t> result;
    for (std::size_t i = first; i < first + count; ++i) result.push_back(i);
    return result;
  }

  /// The condition of the loop is that any lane goes on; the conditions of the lanes and their
  /// numbers of steps are carries.
  BatchedLoop runWhile() {
    batchAllCarries();
    const Tape& each = *each_.tape;
    Builder builder;
    const std::size_t constants = attributes_.constants;
    std::vector<NodeId> inputs = addInputs(builder, each, range(0, constants), "");
    builder.input("any_" + each.inputs()[constants].name, {}, DType::Bool);
    for (const NodeId id : addInputs(builder, each, range(constants, attributes_.carries), ""))
      inputs.push_back(id);
    const Expr steps{&builder, builder.input("steps", {lanes_})};
    const std::size_t rest = each.inputs().size() - firstStream();
    for (const NodeId id : addInputs(builder, each, range(firstStream(), rest), ""))
      inputs.push_back(id);

    std::vector<NodeId> results = inlineTape(builder, each, inputs, true);
    const Expr live{&builder, inputs[constants]};
    const Expr next = apply(Op::LogicalAnd, {live, {&builder, results[0]}});
    std::vector<Port> ports = each.outputs();
    for (std::size_t k = 0; k < ports.size(); ++k) {
      if (k >= attributes_.carries) {
        ports[k].node = results[k];
        continue;
      }
      const Expr now{&builder, inputs[constants + k]};
      ports[k].node = k == 0 ? next.id : select(live, {&builder, results[k]}, now).id;
    }
    ports.insert(ports.begin() + static_cast<std::ptrdiff_t>(attributes_.carries),
                 {"steps", (steps + apply(Op::ToNumber, {live})).id});
    ports.insert(ports.begin(), {"any_" + ports[0].name, anyOf(next, {0}).id});

    std::vector<NodeId> operands = ownOperands();
    const Expr first{&builder_, operands[constants]};
    operands.insert(operands.begin() + static_cast<std::ptrdiff_t>(firstStream()),
                    builder_.constant(0, {lanes_}));
    operands.insert(operands.begin() + static_cast<std::ptrdiff_t>(constants),
                    anyOf(first, {0}).id);
    LoopAttributes attributes = attributes_;
    attributes.carries += 2;
    const auto items = appendLoop(builder_, stepRule(rule_, builder.finish(std::move(ports))),
                                  attributes, operands);
    BatchedLoop result;
    const std::size_t carries = attributes_.carries;
    for (std::size_t i = 0; i < each_.outputs.size(); ++i)
      addItem(result, items[i < carries ? 1 + i : 2 + i], i);
    result.items.push_back({{&builder_, items[1 + carries]}, true});
    result.steps = items.back();
    return result;
  }

  /// Runs as long as the lane that takes most steps.
  BatchedLoop runCounted(NodeId steps) {
    batchAllCarries();
    const Tape& each = *each_.tape;
    Builder builder;
    const std::size_t constants = attributes_.constants;
    std::vector<NodeId> inputs = addInputs(builder, each, range(0, constants), "");
    const Expr counts{&builder, builder.input("steps", {lanes_})};
    const std::size_t rest = each.inputs().size() - constants;
    for (const NodeId id : addInputs(builder, each, range(constants, rest), ""))
      inputs.push_back(id);
    const Expr index{&builder, attributes_.indexed ? inputs.back() : builder.input("index", {})};

    const std::vector<NodeId> results = inlineTape(builder, each, inputs, true);
    const Expr live = apply(Op::Less, {index, counts});
    std::vector<Port> ports = each.outputs();
    for (std::size_t k = 0; k < ports.size(); ++k) {
      const Expr next{&builder, results[k]};
      ports[k].node = k < attributes_.carries
                          ? select(live, next, {&builder, inputs[constants + k]}).id
                          : next.id;
    }
    std::vector<NodeId> operands = ownOperands();
    const Expr all = operands_.back().value;
    operands.insert(operands.begin() + static_cast<std::ptrdiff_t>(constants), all.id);
    operands.push_back(steps == kNoNode ? largest(all).id : steps);
    LoopAttributes attributes = attributes_;
    attributes.constants += 1;
    attributes.indexed = true;
    const auto items = appendLoop(builder_, stepRule(rule_, builder.finish(std::move(ports))),
                                  attributes, operands);
    BatchedLoop result;
    for (std::size_t i = 0; i < each_.outputs.size(); ++i) addItem(result, items[i], i);
    return result;
  }

  /// The largest number of steps; NaN, at which the loop fails, where any is not a whole number
  /// from 0 on.
  Expr largest(Expr counts) const {
    if (lanes_ == 0) return {&builder_, builder_.constant(0)};
    const Expr isWhole = apply(Op::Equal, {counts, floor(counts)});
    const Expr isValid =
        apply(Op::LogicalAnd, {isWhole, apply(Op::GreaterEqual, {counts, full(counts, 0)})});
    const Expr none = full(counts, std::numeric_limits<double>::quiet_NaN());
    return reduceMax(apply(Op::Where, {isValid, counts, none}), {0});
  }

  Builder& builder_;
  const CustomRule& rule_;
  TapePtr step_;
  LoopAttributes attributes_;
  std::int64_t lanes_;
  const std::vector<Lane>& operands_;
  /// Which inputs of the step have lanes, and the step that makes of them.
  std::vector<bool> inputs_;
  LaneTape each_;
};

}  // namespace

BatchedLoop batchLoop(Builder& builder, const Tape& t, const Node& loop, std::int64_t lanes,
                      const std::vector<Lane>& operands, NodeId steps) {
  return LoopBatcher(builder, t, loop, lanes, operands).run(steps);
}

}  // namespace adjoint

#include <algorithm>

#include "transform/copy.h"
#include "transform/loops.h"
#include "transform/rules.h"
#include "transform/slice_assembly.h"
#include "transform/transform.h"

namespace adjoint {

namespace {

class Puller {
 public:
  Puller(const TapePtr& t, std::span<const std::size_t> wrt)
      : tape_(*t),
        wrt_(wrt.begin(), wrt.end()),
        copier_(builder_, tape_),
        active_(activeNodes(tape_, wrt)),
        map_(tape_.size(), kNoNode),
        sums_(tape_.size()) {
    for (const Port& port : tape_.inputs()) {
      map_[port.node] =
          builder_.input(port.name, tape_.shape(port.node), tape_.node(port.node).dtype);
    }
    for (const std::size_t i : wrt) {
      const Port& port = tape_.inputs()[i];
      if (tape_.node(port.node).dtype == DType::Bool) {
        throw Error(ErrorCode::NotDifferentiable, "input " + port.name + " is boolean");
      }
    }
  }

  void copyPrimal() {
    builder_.reserve(3 * tape_.size());
    const auto reached = reachedItems();
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      if (node.op == tapeop::kInput) continue;
      builder_.setOrigin(node.origin);
      if (const auto items = reached.find(id); items != reached.end()) {
        copyLoop(id, node, items->second);
      } else if (opOf(node) == Op::Item && loops_.contains(node.operand[0])) {
        const auto position = static_cast<std::size_t>(tape_.attrs(node)[0]);
        map_[id] = loops_.at(node.operand[0]).item(position);
      } else {
        map_[id] = copier_.copyMapped(node, map_);
      }
    }
  }

  void seedWithInputs() {
    for (const Port& port : tape_.outputs()) {
      const Expr bar{&builder_, builder_.input("bar_" + port.name, tape_.shape(port.node))};
      if (active_[port.node]) sums_[port.node].add(seed(bar));
    }
  }

  void seedWithOne() {
    const Port& port = tape_.outputs()[0];
    if (active_[port.node])
      sums_[port.node].add({{&builder_, builder_.constant(1)}, {}, true, false});
  }

  TapePtr run(bool withOutputs = true) {
    for (std::size_t i = tape_.size(); i-- > 0;) {
      const auto id = static_cast<NodeId>(i);
      const Node& node = tape_.node(id);
      if (!active_[id] || node.op == tapeop::kInput) continue;
      builder_.setOrigin(node.origin);
      pullNode(id, node);
    }
    std::vector<Port> outputs;
    if (withOutputs) {
      for (const Port& port : tape_.outputs()) outputs.push_back({port.name, map_[port.node]});
    }
    for (const std::size_t i : wrt_) {
      const Port& port = tape_.inputs()[i];
      const Expr bar = settleOr(takeCotangent(port.node), builder_, tape_.shape(port.node));
      outputs.push_back({"bar_" + port.name, bar.id});
    }
    return builder_.finish(std::move(outputs));
  }

 private:
  /// The sum of what has reached a node; the node is done with afterwards.
  Masked takeCotangent(NodeId id) {
    if (const auto it = slices_.find(id); it != slices_.end()) {
      it->second.addTo(sums_[id], tape_.shape(id));
      slices_.erase(it);
    }
    const Masked total = sums_[id].total();
    sums_[id] = MaskedSum();
    return total;
  }

  /// Which items of loops may have a cotangent; of no loop where none has.
  std::unordered_map<NodeId, std::vector<bool>> reachedItems() const {
    std::unordered_map<NodeId, std::vector<bool>> result;
    const auto isLoop = [](const Node& node) { return opOf(node) == Op::Loop; };
    if (std::ranges::none_of(tape_.nodes(), isLoop)) return result;
    std::vector<NodeId> seeds;
    for (const Port& port : tape_.outputs()) seeds.push_back(port.node);
    const std::vector<bool> reached = reachedNodes(tape_, active_, seeds);
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      if (opOf(node) != Op::Item || !reached[id] || !isLoop(tape_.node(node.operand[0]))) continue;
      std::vector<bool>& items = result[node.operand[0]];
      items.resize(itemCount(tape_, tape_.node(node.operand[0])));
      items[static_cast<std::size_t>(tape_.attrs(node)[0])] = true;
    }
    return result;
  }

  /// Its place is taken by a loop that also keeps what its cotangents need.
  void copyLoop(NodeId id, const Node& node, const std::vector<bool>& items) {
    std::vector<NodeId> operands;
    std::vector<bool> isActive;
    for (const NodeId operand : tape_.operands(node)) {
      operands.push_back(map_[operand]);
      isActive.push_back(active_[operand]);
    }
    loops_.emplace(
        std::piecewise_construct, std::forward_as_tuple(id),
        std::forward_as_tuple(builder_, tape_, node, std::move(operands), isActive, items));
  }

  void pullNode(NodeId id, const Node& node) {
    if (opOf(node) == Op::Custom) return pullCustom(id, node);
    if (opOf(node) == Op::Loop) return pullLoop(id, node);
    const Masked yBar = takeCotangent(id);
    if (!yBar.present()) return;
    if (opOf(node) == Op::Item) {
      auto& tuple = tuples_[node.operand[0]];
      tuple.resize(itemCount(tape_, tape_.node(node.operand[0])));
      tuple[static_cast<std::size_t>(tape_.attrs(node)[0])].add(yBar);
      return;
    }
    const auto operands = tape_.operands(node);
    x_.clear();
    wanted_.clear();
    for (const NodeId operand : operands) {
      x_.push_back({&builder_, map_[operand]});
      wanted_.push_back(active_[operand]);
    }
    const RuleSite site{tape_, node, builder_, x_, {&builder_, map_[id]}};
    if (opOf(node) == Op::Slice) {
      const auto run = SliceAssembly::flatRun(tape_.shape(operands[0]), rangesOf(site));
      if (run) {
        slices_[operands[0]].add(*run, yBar);
        return;
      }
    }
    pullBack(site, yBar, wanted_, bars_);
    for (std::size_t i = 0; i < bars_.size(); ++i) {
      if (active_[operands[i]]) sums_[operands[i]].add(bars_[i]);
    }
  }

  void pullLoop(NodeId id, const Node& node) {
    const auto tuple = tuples_.find(id);
    if (tuple == tuples_.end()) return;
    std::vector<Masked> bars;
    for (const MaskedSum& sum : tuple->second) bars.push_back(sum.total());
    const std::vector<Masked> results = loops_.at(id).pull(bars);
    const auto operands = tape_.operands(node);
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (active_[operands[i]]) sums_[operands[i]].add(results[i]);
    }
  }

  void pullCustom(NodeId id, const Node& node) {
    const auto tuple = tuples_.find(id);
    if (tuple == tuples_.end()) return;
    const CustomRule& rule = tape_.rule(static_cast<std::size_t>(tape_.attrs(node)[0]));
    std::vector<NodeId> arguments;
    for (const NodeId operand : tape_.operands(node)) arguments.push_back(map_[operand]);
    const std::size_t count = tuple->second.size();
    for (const NodeId item : itemsOf(builder_, *rule.primal, map_[id])) arguments.push_back(item);
    // Whether any cotangent is not zero by the function's structure; none: unknown.
    Expr some;
    bool isKnown = true;
    for (std::size_t k = 0; k < count; ++k) {
      const Shape& shape = rule.primal->shape(rule.primal->outputs()[k].node);
      const Masked total = tuple->second[k].total();
      arguments.push_back(settleOr(total, builder_, shape).id);
      if (!total.present()) continue;
      isKnown = isKnown && !total.always() && total.structural;
      if (!isKnown) continue;
      const Expr any = anyOf(total.mask, ex::allAxes(total.mask));
      some = some ? apply(Op::LogicalOr, {some, any}) : any;
    }
    const std::vector<NodeId> bars = inlineTape(builder_, *customVjp(rule), arguments);
    const auto operands = tape_.operands(node);
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (!active_[operands[i]]) continue;
      Masked bar{{&builder_, bars[i]}, {}, true, false};
      if (isKnown && some) bar = restrict(bar, some);
      sums_[operands[i]].add(bar);
    }
  }

  const Tape& tape_;
  std::vector<std::size_t> wrt_;
  Builder builder_;
  Copier copier_;
  std::vector<bool> active_;
  std::vector<NodeId> map_;
  BigVector<MaskedSum> sums_;
  // Of the node at hand, kept for their memory.
  std::vector<Expr> x_;
  std::vector<bool> wanted_;
  std::vector<Masked> bars_;
  std::unordered_map<NodeId, SliceAssembly> slices_;
  std::unordered_map<NodeId, std::vector<MaskedSum>> tuples_;
  std::unordered_map<NodeId, LoopPull> loops_;
};

}  // namespace

TapePtr vjp(const TapePtr& tape, std::span<const std::size_t> wrt) {
  const TapePtr t = moveFixedOutside(tape);
  Puller puller(t, wrt);
  puller.copyPrimal();
  puller.seedWithInputs();
  return puller.run();
}

namespace {

TapePtr pullOne(const TapePtr& tape, std::span<const std::size_t> wrt, bool withOutputs) {
  const TapePtr t = moveFixedOutside(tape);
  if (t->outputs().size() != 1 || !t->shape(t->outputs()[0].node).empty()) {
    throw Error(ErrorCode::Shape,
                "grad: the function has one scalar output; this one has " +
                    (t->outputs().size() == 1 ? "shape " + toString(t->shape(t->outputs()[0].node))
                                              : std::to_string(t->outputs().size()) + " outputs") +
                    " (use jacobian or vjp)");
  }
  Puller puller(t, wrt);
  puller.copyPrimal();
  puller.seedWithOne();
  return puller.run(withOutputs);
}

}  // namespace

TapePtr valueAndGrad(const TapePtr& t, std::span<const std::size_t> wrt) {
  return pullOne(t, wrt, true);
}
TapePtr gradient(const TapePtr& t, std::span<const std::size_t> wrt) {
  return pullOne(t, wrt, false);
}

}  // namespace adjoint

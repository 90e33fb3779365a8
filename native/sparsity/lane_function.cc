#include "sparsity/lane_function.h"

#include <algorithm>
#include <set>

#include "ops/build.h"
#include "ops/order.h"
#include "ops/row.h"
#include "transform/rules.h"

namespace adjoint {

namespace {

/// What reading an element through a table takes, in operations.
constexpr std::int64_t kTableCost = 4;
/// Entries of all tables of one function.
constexpr std::int64_t kMaxTableEntries = std::int64_t{1} << 27;

}  // namespace

NodeId LaneFunction::at(NodeId node, MapId map) {
  std::vector<Frame> frames;
  const Source wanted{node, map};
  open(wanted, frames);
  while (!frames.empty()) {
    Frame& top = frames.back();
    while (top.next < top.operands.size() && found(top.operands[top.next])) ++top.next;
    if (top.next < top.operands.size()) {
      open(Source(top.operands[top.next]), frames);
      continue;
    }
    keep(top.key, combine(top));
    frames.pop_back();
  }
  return valueOf(wanted);
}

std::int64_t LaneFunction::activeInputs() const {
  return std::ranges::count_if(inputs_, [](const Input& input) { return input.isActive; });
}

bool LaneFunction::isFull() const {
  std::int64_t elements = 0;
  std::set<NodeId> nodes;
  for (const Input& input : inputs_) {
    if (input.isActive && nodes.insert(input.node).second) elements += tape_.count(input.node);
  }
  return activeInputs() >= elements;
}

void LaneFunction::open(const Source& s, std::vector<Frame>& frames) {
  if (found(s) || openLeaf(s)) return;
  Frame frame{s, {}, 0};
  if (movement_.moves(s.node)) {
    const Source from = movement_.find(maps_, s);
    if (from.node == kNoNode) return keep(s, body_.constant(0));
    if (!maps_.of(from.map).isLine() && maps_.of(s.map).isLine()) near_.emplace(keyOf(from), s);
    frame.operands.push_back(from);
  } else {
    frame.operands = operandsOf(s);
    cost_ += std::max<std::int64_t>(1, static_cast<std::int64_t>(frame.operands.size()) - 1);
    if (frame.operands.size() > mostOperands_) {
      mostOperands_ = frame.operands.size();
      longest_ = s.node;
    }
  }
  if (cost_ > limit_ || maps_.tableEntries() > kMaxTableEntries) throw Mixed{s.node};
  frames.push_back(std::move(frame));
}

bool LaneFunction::openLeaf(const Source& s) {
  const Node& node = tape_.node(s.node);
  if (node.op == tapeop::kConstant) {
    keep(s, body_.constant(Tape::constantValue(node), {}, node.dtype));
    return true;
  }
  if (node.op == tapeop::kData && maps_.of(s.map).isUniform()) {
    const auto element = static_cast<std::size_t>(maps_.of(s.map).offset);
    keep(s, body_.constant(tape_.data(node)[element], {}, node.dtype));
    return true;
  }
  if (active_[s.node] && node.op != tapeop::kInput) return false;
  addInput(s);
  return true;
}

void LaneFunction::addInput(const Source& s) {
  Source near = s;
  if (const auto it = near_.find(keyOf(s)); it != near_.end()) near = it->second;
  inputs_.push_back({s.node, s.map, near.node, near.map, active_[s.node]});
  cost_ += maps_.of(near.map).isUniform() ? 0 : maps_.of(near.map).isLine() ? 1 : kTableCost;
  keep(s, body_.input("x" + std::to_string(inputs_.size()), {}, tape_.node(s.node).dtype));
}

NodeId LaneFunction::callItem(const Frame& frame, const std::vector<NodeId>& x) {
  const CallSite site = callSite(frame.key);
  const Tape& primal = *site.rule->primal;
  const auto [call, isNew] = calls_.try_emplace(keyOf({site.call, site.instances}), kNoNode);
  if (isNew) {
    std::vector<NodeId> arguments;
    std::size_t next = 0;
    for (const Port& port : primal.inputs()) {
      std::vector<Expr> parts;
      for (std::int64_t i = 0; i < primal.count(port.node); ++i)
        parts.push_back(ex::reshape({&body_, x[next++]}, {1}));
      const Shape& shape = primal.shape(port.node);
      arguments.push_back(parts.empty() ? body_.constant(0, shape, primal.node(port.node).dtype)
                                        : ex::reshape(ex::concat(parts, 0), shape).id);
    }
    const auto rule = static_cast<std::int64_t>(body_.addRule(site.rule));
    call->second = body_.append(code(Op::Custom), DType::F64, {}, arguments, {&rule, 1});
  }
  const auto position = static_cast<std::size_t>(tape_.attrs(tape_.node(frame.key.node))[0]);
  const Expr item{&body_, itemsOf(body_, primal, call->second)[position]};
  const Expr flat = ex::reshape(item, {elementCount(item.shape())});
  return ex::reshape(ex::sliceAxis(flat, 0, {site.element, 1, 1}), {}).id;
}

NodeId LaneFunction::operate(Op op, NodeId a, NodeId b) {
  const NodeId operands[] = {a, b};
  return apply(body_, op, operands);
}

NodeId LaneFunction::combine(const Frame& frame) {
  const Node& node = tape_.node(frame.key.node);
  std::vector<NodeId> x;
  for (const Source& operand : frame.operands) x.push_back(valueOf(operand));
  body_.setOrigin(node.origin);
  if (movement_.moves(frame.key.node)) return x[0];
  switch (opOf(node)) {
    case Op::Sum:
      if (x.empty()) return body_.constant(0);
      return combineInOrder(x, [&](NodeId a, NodeId b) { return operate(Op::Add, a, b); });
    case Op::ReduceMax:
    case Op::ReduceMin: {
      // One operation of all terms: ties share the derivative evenly.
      std::vector<Expr> terms;
      for (const NodeId id : x) terms.push_back(ex::reshape({&body_, id}, {1}));
      const Expr all = ex::concat(terms, 0);
      return (opOf(node) == Op::ReduceMax ? ex::reduceMax(all, {0}) : ex::reduceMin(all, {0})).id;
    }
    case Op::BatchMatMul: {
      NodeId total = kNoNode, chain = kNoNode;
      const auto endChain = [&] {
        if (chain == kNoNode) return;
        total = total == kNoNode ? chain : operate(Op::Add, total, chain);
        chain = kNoNode;
      };
      for (std::size_t i = 0; i < x.size(); i += 2) {
        if (i / 2 % kProductChain == 0) endChain();
        const NodeId term = operate(Op::Mul, x[i], x[i + 1]);
        chain = chain == kNoNode ? term : operate(Op::Add, term, chain);
      }
      endChain();
      return total == kNoNode ? body_.constant(0) : total;
    }
    case Op::CumSum:
      return x.size() == 1 ? x[0] : operate(Op::Add, x[1], x[0]);
    case Op::LinearRecurrence:
      return x.size() == 1 ? x[0] : operate(Op::Add, operate(Op::Mul, x[1], x[2]), x[0]);
    case Op::ScatterSum: {
      NodeId total = x.empty() ? body_.constant(0) : x[0];
      for (std::size_t i = 1; i < x.size(); ++i) total = operate(Op::Add, total, x[i]);
      return total;
    }
    case Op::Item:
      return callItem(frame, x);
    default:
      return apply(body_, opOf(node), x, tape_.attrs(node));
  }
}

}  // namespace adjoint

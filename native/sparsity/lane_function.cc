#include "sparsity/lane_function.h"

#include <algorithm>
#include <set>

#include "ops/build.h"
#include "ops/order.h"
#include "ops/row.h"

namespace adjoint {

namespace {

/// What reading an element through a table takes, in operations.
constexpr std::int64_t kTableCost = 4;
/// Entries of all tables of one function.
constexpr std::int64_t kMaxTableEntries = std::int64_t{1} << 27;

/// Elements of a reduction's operand: the first term of each result, and how far the terms are.
struct Terms {
  Linear first;
  std::vector<std::int64_t> distances;
};

Terms termsOf(const Tape& t, const Node& node) {
  const Shape& from = t.shape(node.operand[0]);
  const std::vector<std::int64_t> strides = rowMajorStrides(from);
  std::vector<std::int64_t> kept, distances = {0};
  for (std::size_t k = 0; k < from.size(); ++k) {
    if (!std::ranges::binary_search(t.attrs(node), static_cast<std::int64_t>(k))) {
      kept.push_back(strides[k]);
      continue;
    }
    std::vector<std::int64_t> more;
    for (const std::int64_t distance : distances) {
      for (std::int64_t i = 0; i < from[k]; ++i) more.push_back(distance + i * strides[k]);
    }
    distances = std::move(more);
  }
  return {Linear(t.shape(node), 0, kept), std::move(distances)};
}

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

std::vector<LaneFunction::Source> LaneFunction::operandsOf(const Source& s) {
  const Node& node = tape_.node(s.node);
  const auto operands = tape_.operands(node);
  std::vector<Source> result;
  if (rowOf(node).kernel != nullptr) {
    for (const NodeId operand : operands) result.push_back({operand, s.map});
    return result;
  }
  isPointwise_ = false;
  switch (opOf(node)) {
    case Op::Sum:
    case Op::ReduceMax:
    case Op::ReduceMin: {
      const std::int64_t terms =
          tape_.count(node.operand[0]) / std::max<std::int64_t>(1, tape_.count(s.node));
      if (cost_ + terms > limit_ || terms > kSumChunk) throw Mixed{s.node};
      const Terms of = termsOf(tape_, node);
      const MapId first = maps_.through(of.first, s.map);
      for (const std::int64_t distance : of.distances)
        result.push_back({operands[0], maps_.shifted(first, distance)});
      return result;
    }
    case Op::BatchMatMul: {
      const Shape& of = tape_.shape(node);
      const std::int64_t k = tape_.shape(operands[0]).back();
      if (cost_ + 2 * k > limit_) throw Mixed{s.node};
      const std::size_t rank = of.size();
      std::vector<std::int64_t> a = rowMajorStrides(tape_.shape(operands[0]));
      std::vector<std::int64_t> b = rowMajorStrides(tape_.shape(operands[1]));
      const std::int64_t stepA = a[rank - 1], stepB = b[rank - 2];
      a[rank - 1] = b[rank - 2] = 0;
      const MapId rows = maps_.through(Linear(of, 0, a), s.map);
      const MapId columns = maps_.through(Linear(of, 0, b), s.map);
      for (std::int64_t i = 0; i < k; ++i) {
        result.push_back({operands[0], maps_.shifted(rows, i * stepA)});
        result.push_back({operands[1], maps_.shifted(columns, i * stepB)});
      }
      return result;
    }
    case Op::CumSum:
    case Op::LinearRecurrence:
      return recurrenceOperands(s);
    case Op::ScatterSum:
      return scatterOperands(s);
    default:
      throw Mixed{s.node};
  }
}

/// The forcing term, then for all but the first element the factor (of a recurrence) and the
/// element before.
std::vector<LaneFunction::Source> LaneFunction::recurrenceOperands(const Source& s) {
  const Node& node = tape_.node(s.node);
  const auto& attrs = tape_.attrs(node);
  const Shape& of = tape_.shape(node);
  const auto axis = static_cast<std::size_t>(attrs[0]);
  std::vector<std::int64_t> coefficients(of.size(), 0);
  coefficients[axis] = 1;
  const auto& position = maps_.of(maps_.through(Linear(of, 0, coefficients), s.map));
  // Where lanes lie along the axis, each depends on another number of elements.
  if (!position.isUniform()) throw Mixed{s.node};
  const bool isReverse = attrs[1] != 0;
  const std::int64_t inner = rowMajorStrides(of)[axis];
  const bool isFirst = position.offset == (isReverse ? of[axis] - 1 : 0);
  const bool hasFactor = opOf(node) == Op::LinearRecurrence;
  std::vector<Source> result = {{node.operand[hasFactor ? 1 : 0], s.map}};
  if (isFirst) return result;
  if (hasFactor) result.push_back({node.operand[0], s.map});
  result.push_back({s.node, maps_.shifted(s.map, isReverse ? inner : -inner)});
  return result;
}

/// The updates that are added to an element, in their order.
std::vector<LaneFunction::Source> LaneFunction::scatterOperands(const Source& s) {
  const Node& node = tape_.node(s.node);
  const auto& attrs = tape_.attrs(node);
  const Shape& of = tape_.shape(node);
  const Shape& updates = tape_.shape(node.operand[1]);
  const auto axis = static_cast<std::size_t>(attrs[0]);
  const auto* indices = movement_.constants().indices(node.operand[0], attrs[1]);
  if (indices == nullptr) throw Mixed{s.node};
  const std::size_t width = tape_.shape(node.operand[0]).size();
  // An element of the result in the updates, at index 0.
  const std::vector<std::int64_t> strides = rowMajorStrides(updates);
  std::vector<std::int64_t> rest(of.size(), 0), along(of.size(), 0);
  for (std::size_t k = 0; k < of.size(); ++k) {
    if (k != axis) rest[k] = strides[k < axis ? k : k - 1 + width];
  }
  along[axis] = 1;
  const MapId first = maps_.through(Linear(of, 0, rest), s.map);
  const MapId target = maps_.through(Linear(of, 0, along), s.map);
  const std::int64_t step = rowMajorStrides(of)[axis];
  std::vector<std::vector<std::int64_t>> hits(static_cast<std::size_t>(attrs[1]));
  for (std::size_t i = 0; i < indices->size(); ++i)
    hits[static_cast<std::size_t>((*indices)[i])].push_back(static_cast<std::int64_t>(i) * step);
  std::vector<std::int64_t> counts;
  for (std::int64_t lane = 0; lane < maps_.lanes(); ++lane) {
    const auto at = static_cast<std::size_t>(maps_.at(target, lane));
    counts.push_back(static_cast<std::int64_t>(hits[at].size()));
  }
  auto groups = groupedBy(counts);
  if (groups.size() > 1) throw Split{s.node, std::move(groups)};
  std::vector<Source> result;
  for (std::int64_t k = 0; k < counts[0]; ++k) {
    std::vector<std::int64_t> elements = maps_.all(first);
    for (std::int64_t lane = 0; lane < maps_.lanes(); ++lane) {
      const auto at = static_cast<std::size_t>(maps_.at(target, lane));
      elements[static_cast<std::size_t>(lane)] += hits[at][static_cast<std::size_t>(k)];
    }
    result.push_back({node.operand[1], maps_.list(std::move(elements))});
  }
  return result;
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
    default:
      return apply(body_, opOf(node), x, tape_.attrs(node));
  }
}

}  // namespace adjoint

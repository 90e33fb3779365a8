// What an element of a value is made of, operation by operation.
#include <algorithm>

#include "ops/order.h"
#include "ops/row.h"
#include "sparsity/lane_function.h"

namespace adjoint {

namespace {

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
    case Op::Item:
      if (opOf(tape_.node(operands[0])) != Op::Custom) throw Mixed{s.node};
      return callOperands(s);
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

LaneFunction::CallSite LaneFunction::callSite(const Source& s) {
  const NodeId call = tape_.node(s.node).operand[0];
  const auto rule = tape_.sharedRule(static_cast<std::size_t>(tape_.attrs(tape_.node(call))[0]));
  const bool isMapped = rule->each != nullptr;
  const std::int64_t lanes = isMapped ? tape_.shape(s.node)[0] : 1;
  const std::int64_t inner = tape_.count(s.node) / lanes;
  std::vector<std::int64_t> instances = maps_.all(s.map);
  const std::int64_t element = instances[0] % inner;
  for (std::int64_t& instance : instances) {
    if (instance % inner != element) throw Mixed{s.node};
    instance /= inner;
  }
  const std::size_t operands = tape_.operands(tape_.node(call)).size();
  return {call, isMapped ? rule->each : rule,
          isMapped ? rule->isMapped : std::vector<bool>(operands, false),
          maps_.list(std::move(instances)), element};
}

/// All elements of the instance's operands.
std::vector<LaneFunction::Source> LaneFunction::callOperands(const Source& s) {
  const CallSite site = callSite(s);
  const Tape& primal = *site.rule->primal;
  cost_ += static_cast<std::int64_t>(primal.size());
  std::vector<Source> result;
  for (std::size_t k = 0; k < primal.inputs().size(); ++k) {
    const NodeId operand = tape_.operands(tape_.node(site.call))[k];
    const std::int64_t count = primal.count(primal.inputs()[k].node);
    if (cost_ + count > limit_) throw Mixed{s.node};
    std::vector<std::int64_t> first = maps_.all(site.instances);
    for (std::int64_t& element : first) element = site.isMapped[k] ? element * count : 0;
    const MapId map = maps_.list(std::move(first));
    for (std::int64_t i = 0; i < count; ++i) result.push_back({operand, maps_.shifted(map, i)});
  }
  return result;
}

}  // namespace adjoint

#include "sparsity/movement.h"

#include <algorithm>

#include "ops/op.h"
#include "transform/moves.h"

namespace adjoint {

namespace {

/// Elements of a gather in its operand, at index 0 of the gathered axis.
Linear gatheredRows(const Shape& from, const Shape& indices, const Shape& of, std::int64_t axis) {
  const std::vector<std::int64_t> strides = rowMajorStrides(from);
  const auto at = static_cast<std::size_t>(axis);
  std::vector<std::int64_t> coefficients(of.size(), 0);
  for (std::size_t k = 0; k < at; ++k) coefficients[k] = strides[k];
  for (std::size_t k = at + 1; k < from.size(); ++k)
    coefficients[k - 1 + indices.size()] = strides[k];
  return {of, 0, coefficients};
}

/// Elements of a gather in its indices.
Linear gatheredPositions(const Shape& indices, const Shape& of, std::int64_t axis) {
  const std::vector<std::int64_t> strides = rowMajorStrides(indices);
  std::vector<std::int64_t> coefficients(of.size(), 0);
  std::ranges::copy(strides, coefficients.begin() + axis);
  return {of, 0, coefficients};
}

}  // namespace

std::vector<std::vector<std::int64_t>> groupedBy(const std::vector<std::int64_t>& keys) {
  std::vector<std::vector<std::int64_t>> groups;
  std::unordered_map<std::int64_t, std::size_t> groupOf;
  for (std::size_t i = 0; i < keys.size();) {
    const auto [it, isNew] = groupOf.try_emplace(keys[i], groups.size());
    if (isNew) groups.emplace_back();
    std::vector<std::int64_t>& group = groups[it->second];
    for (const std::int64_t key = keys[i]; i < keys.size() && keys[i] == key; ++i)
      group.push_back(static_cast<std::int64_t>(i));
  }
  return groups;
}

bool Movement::moves(NodeId id) {
  if (!active_[id]) return false;
  const Node& node = tape_.node(id);
  const Op op = opOf(node);
  if (op != Op::Gather) return op == Op::Concat || (movesData(op) && op != Op::StopGradient);
  const auto axis = static_cast<std::size_t>(tape_.attrs(node)[0]);
  return constants_.indices(node.operand[1], tape_.shape(node.operand[0])[axis]) != nullptr;
}

const std::vector<std::int64_t>& Movement::startsOf(NodeId concat) {
  std::vector<std::int64_t>& starts = starts_[concat];
  if (!starts.empty()) return starts;
  const Node& node = tape_.node(concat);
  const auto axis = static_cast<std::size_t>(tape_.attrs(node)[0]);
  std::int64_t next = 0;
  for (const NodeId operand : tape_.operands(node)) {
    starts.push_back(next);
    next += tape_.shape(operand)[axis];
  }
  return starts;
}

void Movement::choose(NodeId id, std::vector<std::int64_t>& elements,
                      std::vector<std::int64_t>& operands) {
  const Node& node = tape_.node(id);
  const Shape& of = tape_.shape(node);
  const auto& attrs = tape_.attrs(node);
  const std::vector<std::int64_t> strides = rowMajorStrides(of);
  operands.assign(elements.size(), 0);
  if (opOf(node) == Op::Concat) {
    const auto axis = static_cast<std::size_t>(attrs[0]);
    const std::vector<std::int64_t>& starts = startsOf(id);
    const std::int64_t inner = strides[axis], extent = of[axis];
    // Elements are mostly neighbors in one part: its first and last ones at that place of the outer
    // axes are found once.
    std::int64_t first = 0, end = 0, part = 0, image = 0;
    for (std::size_t i = 0; i < elements.size(); ++i) {
      if (elements[i] < first || elements[i] >= end) {
        const std::int64_t at = elements[i] / inner % extent;
        const std::int64_t outer = elements[i] / (inner * extent);
        // The last part that starts there or before it: empty ones start where the next does.
        part = std::ranges::upper_bound(starts, at) - starts.begin() - 1;
        const NodeId operand = tape_.operands(node)[static_cast<std::size_t>(part)];
        const std::int64_t own = tape_.shape(operand)[axis];
        first = (outer * extent + starts[static_cast<std::size_t>(part)]) * inner;
        end = first + own * inner;
        image = outer * own * inner;
      }
      operands[i] = part;
      elements[i] += image - first;
    }
    return;
  }
  // Place.
  const Shape& from = tape_.shape(node.operand[0]);
  const std::vector<std::int64_t> own = rowMajorStrides(from);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    std::int64_t left = elements[i], element = 0;
    for (std::size_t k = 0; k < of.size() && operands[i] == 0; ++k) {
      const std::int64_t at = left / strides[k] - attrs[3 * k];
      left %= strides[k];
      const std::int64_t step = attrs[3 * k + 2];
      if (at < 0 || at % step != 0 || at / step >= from[k]) operands[i] = -1;
      element += at / step * own[k];
    }
    elements[i] = operands[i] == 0 ? element : 0;
  }
}

Movement::Source Movement::back(IndexMaps& maps, Source from) {
  const Node& node = tape_.node(from.node);
  if (opOf(node) == Op::Reshape) return {node.operand[0], from.map};
  return {node.operand[0], maps.through(linearOf(tape_, node), from.map)};
}

Movement::Picks Movement::picksOf(const Node& node) {
  const std::int64_t axis = tape_.attrs(node)[0];
  const Shape& from = tape_.shape(node.operand[0]);
  const Shape& indices = tape_.shape(node.operand[1]);
  const Shape& of = tape_.shape(node);
  const auto at = static_cast<std::size_t>(axis);
  return {gatheredRows(from, indices, of, axis), gatheredPositions(indices, of, axis),
          *constants_.indices(node.operand[1], from[at]), rowMajorStrides(from)[at]};
}

Movement::Source Movement::find(IndexMaps& maps, Source from) {
  while (from.node != kNoNode && moves(from.node)) {
    const Node& node = tape_.node(from.node);
    switch (opOf(node)) {
      case Op::Gather: {
        const Picks picks = picksOf(node);
        const MapId rows = maps.through(picks.rows, from.map);
        const MapId positions = maps.through(picks.positions, from.map);
        if (!maps.of(positions).isUniform()) return findEach(maps, from);
        from = {node.operand[0], maps.shifted(rows, picks.offset(maps.of(positions).offset))};
        break;
      }
      case Op::Concat:
      case Op::Place: {
        std::vector<std::int64_t> elements = maps.all(from.map), operands;
        choose(from.node, elements, operands);
        const bool isOne = std::ranges::all_of(
            operands, [&](std::int64_t operand) { return operand == operands[0]; });
        if (!isOne) return findEach(maps, from);
        from.node =
            operands[0] < 0 ? kNoNode : tape_.operands(node)[static_cast<std::size_t>(operands[0])];
        from.map = maps.list(std::move(elements));
        break;
      }
      default:
        from = back(maps, from);
    }
  }
  return from;
}

void Movement::step(Strand& strand, std::vector<Strand>& others) {
  const Node& node = tape_.node(strand.node);
  std::vector<std::int64_t>& elements = strand.elements;
  switch (opOf(node)) {
    case Op::Reshape:
      strand.node = node.operand[0];
      return;
    case Op::Gather: {
      const Picks picks = picksOf(node);
      for (std::int64_t& element : elements)
        element = picks.rows(element) + picks.offset(picks.positions(element));
      strand.node = node.operand[0];
      return;
    }
    case Op::Concat:
    case Op::Place: {
      std::vector<std::int64_t> operands;
      choose(strand.node, elements, operands);
      const auto nodeOf = [&](std::int64_t operand) {
        return operand < 0 ? kNoNode : tape_.operands(node)[static_cast<std::size_t>(operand)];
      };
      const auto groups = groupedBy(operands);
      if (groups.size() == 1) {
        strand.node = nodeOf(operands[0]);
        return;
      }
      for (const auto& group : groups) {
        Strand part{nodeOf(operands[static_cast<std::size_t>(group[0])]), {}, {}};
        for (const std::int64_t i : group) {
          part.lanes.push_back(strand.lanes[static_cast<std::size_t>(i)]);
          part.elements.push_back(elements[static_cast<std::size_t>(i)]);
        }
        others.push_back(std::move(part));
      }
      strand = std::move(others.back());
      others.pop_back();
      return;
    }
    default: {
      linearOf(tape_, node).apply(elements);
      strand.node = node.operand[0];
    }
  }
}

Movement::Source Movement::findEach(IndexMaps& maps, Source from) {
  std::vector<std::int64_t> sources(static_cast<std::size_t>(maps.lanes()));
  std::vector<std::int64_t> elements(sources.size());
  std::vector<Strand> open = {{from.node, {}, maps.all(from.map)}};
  for (std::int64_t lane = 0; lane < maps.lanes(); ++lane) open[0].lanes.push_back(lane);
  while (!open.empty()) {
    Strand strand = std::move(open.back());
    open.pop_back();
    while (strand.node != kNoNode && moves(strand.node)) step(strand, open);
    for (std::size_t i = 0; i < strand.lanes.size(); ++i) {
      const auto lane = static_cast<std::size_t>(strand.lanes[i]);
      sources[lane] = strand.node;
      elements[lane] = strand.elements[i];
    }
  }
  auto groups = groupedBy(sources);
  if (groups.size() > 1) throw Split{from.node, std::move(groups)};
  return {static_cast<NodeId>(sources[0]), maps.list(std::move(elements))};
}

}  // namespace adjoint

#include "sparsity/liveness.h"

#include <algorithm>

#include "ops/row.h"
#include "sparsity/dependence.h"
#include "transform/rules.h"

namespace adjoint {

Liveness::Liveness(const Tape& t, Choices& choices, std::vector<bool> wanted)
    : tape_(t),
      choices_(choices),
      wanted_(std::move(wanted)),
      isKnown_(t.size(), false),
      live_(t.size()) {
  for (const Port& port : t.outputs()) isKnown_[port.node] = true;
  for (std::size_t i = t.size(); i-- > 0;) {
    if (!isKnown_[i]) continue;
    const auto id = static_cast<NodeId>(i);
    const Node& node = t.node(id);
    const auto operands = t.operands(node);
    const auto differentiable = differentiableOperands(t, node);
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const bool passes = std::ranges::find(differentiable, operands[k]) != differentiable.end();
      // What is live in all its elements can not become more so.
      const bool isAll = isKnown_[operands[k]] && !live_[operands[k]];
      if (passes && wanted_[operands[k]] && !isAll) pass(id, node, k);
    }
  }
}

void Liveness::add(NodeId operand, LiveElements elements) {
  if (isKnown_[operand] && (!live_[operand] || live_[operand] == elements)) return;
  if (isKnown_[operand] && elements) {
    Elements both = *elements;
    for (std::size_t i = 0; i < both.size(); ++i) both[i] |= (*live_[operand])[i];
    if (both == *live_[operand]) return;
    if (both != *elements) elements = std::make_shared<const Elements>(std::move(both));
  }
  isKnown_[operand] = true;
  const bool isAll = elements && std::ranges::find(*elements, 0) == elements->end();
  live_[operand] = isAll ? nullptr : std::move(elements);
}

Liveness::Elements Liveness::elementsOf(NodeId id) const {
  if (live_[id]) return *live_[id];
  return Elements(static_cast<std::size_t>(tape_.count(id)), 1);
}

template <class Keeps>
LiveElements Liveness::where(Elements elements, Keeps keeps) const {
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = elements[i] != 0 && keeps(i);
  return std::make_shared<const Elements>(std::move(elements));
}

void Liveness::pass(NodeId id, const Node& node, std::size_t k) {
  const NodeId operand = tape_.operands(node)[k];
  const LiveElements& own = live_[id];
  switch (opOf(node)) {
    case Op::Where: {
      const std::vector<double>* condition = choices_.condition(id);
      if (condition == nullptr) return add(operand, own);
      return add(operand, where(elementsOf(id),
                                [&](std::size_t i) { return ((*condition)[i] != 0) == (k == 1); }));
    }
    case Op::Reshape:
      return add(operand, own);
    case Op::Transpose:
    case Op::BroadcastTo:
    case Op::Slice:
    case Op::Place:
    case Op::Flip:
    case Op::Concat:
      return add(operand, moved(id, node, k));
    case Op::Gather:
    case Op::ScatterSum: {
      const std::vector<std::int64_t>* indices = choices_.indices(id);
      if (indices == nullptr) return add(operand, LiveElements{});
      return add(operand, opOf(node) == Op::Gather ? gathered(id, node, *indices)
                                                   : scattered(id, node, *indices));
    }
    case Op::Sum:
      return own ? add(operand, spread(id, node)) : add(operand, own);
    case Op::ReduceMax:
    case Op::ReduceMin: {
      const std::vector<double>* chosen = choices_.weights(id, 0);
      if (chosen == nullptr) return add(operand, spread(id, node));
      return add(operand,
                 where(spread(id, node), [&](std::size_t i) { return (*chosen)[i] != 0; }));
    }
    case Op::CumSum:
    case Op::LinearRecurrence:
      return add(operand, behind(id));
    case Op::BatchMatMul:
    case Op::Loop:
    case Op::Item:
      return add(operand, LiveElements{});
    default: {
      const std::vector<double>* partial = choices_.weights(id, k);
      if (partial == nullptr) return add(operand, own);
      return add(operand, where(elementsOf(id), [&](std::size_t i) { return (*partial)[i] != 0; }));
    }
  }
}

Liveness::Elements Liveness::moved(NodeId id, const Node& node, std::size_t k) const {
  const Elements own = elementsOf(id);
  Elements result = noneOf(tape_.operands(node)[k]);
  for (const Move& move : movesOf(tape_, node)) {
    if (move.operand != k) continue;
    visitMove(move, [&](std::int64_t from, std::int64_t to) {
      result[static_cast<std::size_t>(from)] |= own[static_cast<std::size_t>(to)];
    });
  }
  return result;
}

Liveness::Elements Liveness::gathered(NodeId id, const Node& node,
                                      const std::vector<std::int64_t>& indices) const {
  const Elements own = elementsOf(id);
  Elements result = noneOf(node.operand[0]);
  const Around a = around(tape_.shape(node.operand[0]), tape_.attrs(node)[0]);
  std::size_t at = 0;
  for (std::int64_t o = 0; o < a.outer; ++o) {
    for (const std::int64_t index : indices) {
      for (std::int64_t i = 0; i < a.inner; ++i)
        result[static_cast<std::size_t>((o * a.n + index) * a.inner + i)] |= own[at++];
    }
  }
  return result;
}

Liveness::Elements Liveness::scattered(NodeId id, const Node& node,
                                       const std::vector<std::int64_t>& indices) const {
  const Elements own = elementsOf(id);
  Elements result = noneOf(node.operand[1]);
  const Around a = around(tape_.shape(node), tape_.attrs(node)[0]);
  std::size_t at = 0;
  for (std::int64_t o = 0; o < a.outer; ++o) {
    for (const std::int64_t index : indices) {
      for (std::int64_t i = 0; i < a.inner; ++i)
        result[at++] = own[static_cast<std::size_t>((o * a.n + index) * a.inner + i)];
    }
  }
  return result;
}

Liveness::Elements Liveness::spread(NodeId id, const Node& node) const {
  const Elements own = elementsOf(id);
  Elements result = noneOf(node.operand[0]);
  const CombinedElements terms = combinedElements(tape_.shape(node.operand[0]), tape_.attrs(node));
  for (std::size_t r = 0; r < own.size(); ++r) {
    for (const std::int64_t term : terms.then)
      result[static_cast<std::size_t>(terms.first[r] + term)] = own[r];
  }
  return result;
}

Liveness::Elements Liveness::running(NodeId id, const Node& node) const {
  Elements result = elementsOf(id);
  const auto& attrs = tape_.attrs(node);
  visitLines(tape_.shape(node), attrs[0], attrs[1] == 0, [&](std::int64_t at, std::int64_t later) {
    if (later >= 0) result[static_cast<std::size_t>(at)] |= result[static_cast<std::size_t>(later)];
  });
  return result;
}

}  // namespace adjoint

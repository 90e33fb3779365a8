#include "plan/structure.h"

#include <algorithm>

#include "ops/row.h"
#include "transform/moves.h"

namespace adjoint {

namespace {

/// Of longer values nothing is known: a set takes a bit an element.
constexpr std::int64_t kMostElements = std::int64_t{1} << 20;
/// Nor of tapes of more nodes, whose plans should take no longer to make than they do.
constexpr std::size_t kMostNodes = 100'000;
/// Spans of this share of all elements are not worth having.
constexpr double kMostKept = 0.8;

/// By row the columns between the first and the last element that `isKept`.
template <class IsKept>
std::vector<Span> spansOf(const Shape& shape, IsKept isKept) {
  const std::int64_t columns = shape.back(), rows = elementCount(shape) / columns;
  std::vector<Span> spans;
  std::int64_t kept = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t first = 0, last = columns;
    while (first < last && !isKept(static_cast<std::size_t>(row * columns + first))) ++first;
    while (last > first && !isKept(static_cast<std::size_t>(row * columns + last - 1))) --last;
    spans.push_back({first, last});
    kept += last - first;
  }
  if (static_cast<double>(kept) > kMostKept * static_cast<double>(rows * columns)) spans.clear();
  return spans;
}

bool isMatrix(const Shape& shape) { return shape.size() >= 2 && elementCount(shape) > 0; }

}  // namespace

Structure::Structure(const Tape& t, const std::vector<ElementSet>& inputZeros)
    : tape_(t), zeros_(t.size()), need_(t.size(), Need::None), needed_(t.size()) {
  if (t.size() > kMostNodes) return;
  findZeros(inputZeros);
  findNeeded();
}

void Structure::findZeros(const std::vector<ElementSet>& inputZeros) {
  for (NodeId id = 0; id < tape_.size(); ++id) {
    const Node& node = tape_.node(id);
    const std::int64_t count = tape_.count(id);
    if (count > kMostElements) continue;
    ElementSet found;
    if (node.op == tapeop::kInput) {
      if (node.attr < inputZeros.size()) found = inputZeros[node.attr];
    } else if (node.op == tapeop::kConstant) {
      if (Tape::constantValue(node) == 0) found.assign(static_cast<std::size_t>(count), true);
    } else if (node.op == tapeop::kData) {
      for (const double x : tape_.data(node)) found.push_back(x == 0);
    } else if (opOf(node) == Op::Neg) {
      found = zeros_[node.operand[0]];
    } else {
      const auto operands = tape_.operands(node);
      const bool isFromZeros =
          opOf(node) == Op::Place ||
          std::ranges::any_of(operands, [&](NodeId operand) { return !zeros_[operand].empty(); });
      if (!isFromZeros) continue;
      ElementSet known(static_cast<std::size_t>(count), true);
      const bool isMoved =
          visitMoves(tape_, node, [&](std::size_t k, std::int64_t from, std::int64_t to) {
            const ElementSet& source = zeros_[operands[k]];
            if (source.empty() || !source[static_cast<std::size_t>(from)])
              known[static_cast<std::size_t>(to)] = false;
          });
      if (isMoved) found = std::move(known);
    }
    if (std::ranges::find(found, true) != found.end()) zeros_[id] = std::move(found);
  }
}

void Structure::need(NodeId id, std::size_t element) {
  if (need_[id] == Need::All) return;
  const auto count = static_cast<std::size_t>(tape_.count(id));
  if (tape_.count(id) > kMostElements) {
    need_[id] = Need::All;
    return;
  }
  need_[id] = Need::Some;
  if (needed_[id].empty()) needed_[id].assign(count, false);
  needed_[id][element] = true;
}

void Structure::findNeeded() {
  for (const Port& port : tape_.outputs()) need_[port.node] = Need::All;
  for (const NodeId id : tape_.checks()) need_[id] = Need::All;
  for (NodeId id = static_cast<NodeId>(tape_.size()); id-- > 0;) {
    if (need_[id] == Need::None) continue;
    const Node& node = tape_.node(id);
    const auto operands = tape_.operands(node);
    ElementSet& own = needed_[id];
    const bool isAll = need_[id] == Need::All;
    const auto isNeeded = [&](std::int64_t i) { return isAll || own[static_cast<std::size_t>(i)]; };
    const bool isSmall = tape_.count(id) <= kMostElements;
    if (opOf(node) == Op::ScatterSum && isSmall) {
      const Around to = around(tape_.shape(node), tape_.attrs(node)[0]);
      const std::vector<std::int64_t> indices = knownIndices(tape_, operands[0], to.n);
      if (!indices.empty()) {
        need_[operands[0]] = Need::All;
        std::size_t next = 0;
        for (std::int64_t o = 0; o < to.outer; ++o) {
          for (const std::int64_t index : indices) {
            for (std::int64_t i = 0; i < to.inner; ++i, ++next)
              if (isNeeded((o * to.n + index) * to.inner + i)) need(operands[1], next);
          }
        }
        continue;
      }
    }
    const bool isMoved =
        isSmall && visitMoves(tape_, node, [&](std::size_t k, std::int64_t from, std::int64_t to) {
          if (isNeeded(to)) need(operands[k], static_cast<std::size_t>(from));
        });
    if (isMoved) {
      if (opOf(node) == Op::Gather) need_[operands[1]] = Need::All;
      continue;
    }
    const bool isElementwise = rowOf(node).kernel != nullptr && !isAll;
    for (const NodeId operand : operands) {
      if (!isElementwise) {
        need_[operand] = Need::All;
        continue;
      }
      for (std::size_t i = 0; i < own.size(); ++i)
        if (own[i]) need(operand, i);
    }
  }
}

std::vector<Span> Structure::nonzeroSpans(NodeId id) const {
  if (zeros_[id].empty() || !isMatrix(tape_.shape(id))) return {};
  return spansOf(tape_.shape(id), [&](std::size_t i) { return !zeros_[id][i]; });
}

std::vector<Span> Structure::neededSpans(NodeId id) const {
  if (need_[id] != Need::Some || !isMatrix(tape_.shape(id))) return {};
  return spansOf(tape_.shape(id), [&](std::size_t i) { return needed_[id][i]; });
}

}  // namespace adjoint

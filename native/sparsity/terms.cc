#include "sparsity/terms.h"

#include <algorithm>
#include <numeric>
#include <ranges>
#include <utility>

#include "ops/build.h"
#include "transform/copy.h"
#include "transform/rules.h"

namespace adjoint {

namespace {

constexpr std::size_t kMaxTerms = 256;
/// Elements that are followed, in all steps together.
constexpr std::size_t kMaxElements = std::size_t{1} << 26;

using Positions = std::vector<std::int64_t>;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

Positions upTo(std::size_t count) {
  Positions result(count);
  std::iota(result.begin(), result.end(), 0);
  return result;
}

bool isUpTo(const Positions& positions, std::int64_t count) {
  if (static_cast<std::int64_t>(positions.size()) != count) return false;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    if (positions[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

Positions chosen(const Positions& from, const Positions& positions) {
  Positions result;
  result.reserve(positions.size());
  for (const std::int64_t i : positions) result.push_back(from[at(i)]);
  return result;
}

/// Elements of a list.
Expr chosen(Expr list, const Positions& positions) {
  if (isUpTo(positions, elementCount(list.shape()))) return list;
  const auto count = static_cast<std::int64_t>(positions.size());
  const NodeId indices =
      list.builder->data(std::vector<double>(positions.begin(), positions.end()), {count});
  return ex::gather(list, {list.builder, indices}, 0);
}

Expr flat(Expr x) { return ex::reshape(x, {elementCount(x.shape())}); }

/// Values that are sums, or elements of sums, with a scatter among the terms.
std::vector<bool> scatteredSums(const Tape& t, const std::vector<bool>& active,
                                Movement& movement) {
  std::vector<bool> result(t.size(), false);
  for (NodeId id = 0; id < t.size(); ++id) {
    if (!active[id]) continue;
    const Node& node = t.node(id);
    const auto operands = t.operands(node);
    const auto isScaled = [&](NodeId sum, NodeId factor) { return result[sum] && !active[factor]; };
    switch (opOf(node)) {
      case Op::ScatterSum:
        result[id] = movement.constants().indices(operands[0], t.attrs(node)[1]) != nullptr;
        break;
      case Op::Mul:
        result[id] = isScaled(operands[0], operands[1]) || isScaled(operands[1], operands[0]);
        break;
      case Op::Div:
        result[id] = isScaled(operands[0], operands[1]);
        break;
      default: {
        const Op op = opOf(node);
        const bool hasSum = std::ranges::any_of(operands, [&](NodeId o) { return result[o]; });
        result[id] =
            hasSum && (op == Op::Add || op == Op::Sub || op == Op::Neg || movement.moves(id));
      }
    }
  }
  return result;
}

/// Takes sums apart, from the outputs towards the scatters and past them.
class Walk {
 public:
  Walk(const Tape& t, const std::vector<bool>& active, const std::vector<bool>& isSum,
       Movement& movement)
      : tape_(t), active_(active), isSum_(isSum), movement_(movement) {
    map_ = copyOnto(builder_, tape_);
    // Copying an operation can make several.
    original_.assign(builder_.size(), kNoNode);
    for (NodeId id = tape_.size(); id-- > 0;) original_[map_[id]] = id;
    auto next = static_cast<NodeId>(tape_.size() - 1);
    for (NodeId& id : std::views::reverse(original_)) {
      if (id == kNoNode) id = next;
      next = id;
    }
  }

  Piece copied(Piece piece) const {
    piece.node = map_[piece.node];
    return piece;
  }
  /// None where there are too many.
  std::vector<Piece> termsOf(const Piece& piece);
  /// The tape, with its nodes as the terms number them, and without outputs.
  void finish(Terms& terms) {
    terms.tape = std::make_shared<const Tape>(builder_.tape());
    terms.original = std::move(original_);
  }

 private:
  /// Elements of a value and the rows to which they are added.
  struct Elements {
    NodeId node;
    Positions elements, rows;
    Expr factor;  ///< of all, or a list of one each; none: 1
    bool isNegative = false;
  };

  void open(Elements elements);
  void openScaled(Elements top);
  void openUpdates(const Elements& top);
  void openSources(Elements top);
  /// Some of the elements, and what these are elements of.
  static Elements part(const Elements& of, const Positions& positions, NodeId node,
                       Positions elements);
  Piece term(Elements top);

  const Tape& tape_;
  const std::vector<bool>& active_;
  const std::vector<bool>& isSum_;
  Movement& movement_;
  Builder builder_;
  std::vector<NodeId> map_;  ///< by node, on the builder
  std::vector<NodeId> original_;
  std::vector<Elements> open_;
  std::size_t opened_ = 0;
};

std::vector<Piece> Walk::termsOf(const Piece& piece) {
  std::vector<Piece> result;
  opened_ = 0;
  open_.clear();
  open({piece.node, upTo(piece.rows.size()), piece.rows, {}});
  while (!open_.empty()) {
    Elements top = std::move(open_.back());
    open_.pop_back();
    if (result.size() == kMaxTerms || opened_ > kMaxElements) return {};
    const NodeId from = top.node;
    const Node& node = tape_.node(from);
    builder_.setOrigin(node.origin);
    if (!isSum_[from]) {
      result.push_back(term(std::move(top)));
      original_.resize(builder_.size(), from);
      continue;
    }
    const auto operands = tape_.operands(node);
    switch (opOf(node)) {
      case Op::Add:
      case Op::Sub: {
        Elements second = top;
        second.node = operands[1];
        second.isNegative = top.isNegative != (opOf(node) == Op::Sub);
        open(std::move(second));
        top.node = operands[0];
        open(std::move(top));
        break;
      }
      case Op::Neg:
        top.node = operands[0];
        top.isNegative = !top.isNegative;
        open(std::move(top));
        break;
      case Op::Mul:
      case Op::Div:
        openScaled(std::move(top));
        break;
      case Op::ScatterSum:
        openUpdates(top);
        break;
      default:
        openSources(std::move(top));
    }
    original_.resize(builder_.size(), from);
  }
  return result;
}

void Walk::open(Elements elements) {
  if (!active_[elements.node] || elements.rows.empty()) return;
  opened_ += elements.rows.size();
  open_.push_back(std::move(elements));
}

void Walk::openScaled(Elements top) {
  const Node& node = tape_.node(top.node);
  const auto operands = tape_.operands(node);
  const std::size_t sum = isSum_[operands[0]] ? 0 : 1;
  const Expr other{&builder_, map_[operands[1 - sum]]};
  const bool isOne = elementCount(other.shape()) == 1;
  Expr factor = isOne ? ex::reshape(other, {1}) : chosen(flat(other), top.elements);
  using ex::operator*;
  using ex::operator/;
  if (opOf(node) == Op::Div) factor = 1.0 / factor;
  if (top.factor) {
    const Shape& longer = elementCount(factor.shape()) == 1 ? top.factor.shape() : factor.shape();
    const Shape shape = longer;
    factor = ex::broadcastTo(top.factor, shape) * ex::broadcastTo(factor, shape);
  }
  top.factor = factor;
  top.node = operands[sum];
  open(std::move(top));
}

Walk::Elements Walk::part(const Elements& of, const Positions& positions, NodeId node,
                          Positions elements) {
  Elements result{node, std::move(elements), chosen(of.rows, positions), of.factor, of.isNegative};
  if (of.factor && elementCount(of.factor.shape()) > 1)
    result.factor = chosen(of.factor, positions);
  return result;
}

/// All updates of each element, in the order in which they are added.
void Walk::openUpdates(const Elements& top) {
  const Node& node = tape_.node(top.node);
  const auto operands = tape_.operands(node);
  const auto& attrs = tape_.attrs(node);
  const Shape& of = tape_.shape(node);
  const Positions& indices = *movement_.constants().indices(operands[0], attrs[1]);
  const std::int64_t extent = attrs[1], inner = rowMajorStrides(of)[at(attrs[0])];
  // Where the elements of each place of the sum are in the list.
  std::vector<std::size_t> starts(at(tape_.count(top.node)) + 1, 0);
  for (const std::int64_t element : top.elements) ++starts[at(element) + 1];
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  Positions order(top.elements.size());
  std::vector<std::size_t> next(starts.begin(), starts.end() - 1);
  for (std::size_t i = 0; i < order.size(); ++i)
    order[next[at(top.elements[i])]++] = static_cast<std::int64_t>(i);

  Positions positions, updates;
  const std::int64_t count = tape_.count(operands[1]);
  for (std::int64_t outer = 0, update = 0; update < count; ++outer) {
    for (const std::int64_t index : indices) {
      const std::int64_t first = (outer * extent + index) * inner;
      for (std::int64_t k = 0; k < inner; ++k, ++update) {
        for (std::size_t i = starts[at(first + k)]; i < starts[at(first + k) + 1]; ++i) {
          positions.push_back(order[i]);
          updates.push_back(update);
        }
      }
    }
    if (opened_ + positions.size() > kMaxElements) break;
  }
  open(part(top, positions, operands[1], std::move(updates)));
}

/// One step through data movement.
void Walk::openSources(Elements top) {
  Movement::Strand strand{top.node, upTo(top.elements.size()), std::move(top.elements)};
  std::vector<Movement::Strand> strands;
  movement_.step(strand, strands);
  strands.push_back(std::move(strand));
  for (std::size_t i = strands.size(); i-- > 0;) {
    Movement::Strand& own = strands[i];
    if (own.node != kNoNode) open(part(top, own.lanes, own.node, std::move(own.elements)));
  }
}

/// The elements as a value of their own, where they are not those of one.
Piece Walk::term(Elements top) {
  while (opOf(tape_.node(top.node)) == Op::Reshape) top.node = tape_.node(top.node).operand[0];
  const std::int64_t count = tape_.count(top.node);
  Positions order(at(count), -1);
  bool isAll = static_cast<std::int64_t>(top.elements.size()) == count;
  for (std::size_t i = 0; i < top.elements.size() && isAll; ++i) {
    std::int64_t& position = order[at(top.elements[i])];
    isAll = position < 0;
    position = static_cast<std::int64_t>(i);
  }
  Expr value{&builder_, map_[top.node]};
  if (isAll) {
    top = part(top, order, top.node, {});
  } else {
    value = chosen(flat(value), top.elements);
  }
  using ex::operator*;
  using ex::operator-;
  if (top.factor) {
    const Shape shape = value.shape();
    const bool isOne = elementCount(top.factor.shape()) == 1;
    value = value * (isOne ? ex::broadcastTo(ex::reshape(top.factor, {}), shape)
                           : ex::reshape(top.factor, shape));
  }
  if (top.isNegative) value = -value;
  return {value.id, std::move(top.rows)};
}

}  // namespace

std::vector<NodeId> copyOnto(Builder& builder, const Tape& t) {
  Copier copier(builder, t);
  std::vector<NodeId> map(t.size(), kNoNode);
  for (const Port& port : t.inputs())
    map[port.node] = builder.input(port.name, t.shape(port.node), t.node(port.node).dtype);
  for (NodeId id = 0; id < t.size(); ++id) {
    const Node& node = t.node(id);
    if (node.op == tapeop::kInput) continue;
    builder.setOrigin(node.origin);
    map[id] = copier.copyMapped(node, map);
  }
  builder.setOrigin(kNoNode);
  return map;
}

Terms termsOf(const TapePtr& t, std::span<const std::size_t> wrt) {
  const std::vector<bool> active = activeNodes(*t, wrt);
  Movement movement(*t, active);
  Terms result{t, {}, 0, {}};
  for (const Port& port : t->outputs()) result.rows += t->count(port.node);
  for (Piece& piece : piecesOf(*t, active, movement))
    result.pieces.push_back({std::move(piece), {}});
  const std::vector<bool> isSum = scatteredSums(*t, active, movement);
  const bool hasSums = std::ranges::any_of(
      result.pieces, [&](const SummedPiece& piece) { return isSum[piece.whole.node]; });
  if (!hasSums) return result;
  Walk walk(*t, active, isSum, movement);
  for (SummedPiece& piece : result.pieces) {
    if (isSum[piece.whole.node]) piece.terms = walk.termsOf(piece.whole);
    piece.whole = walk.copied(std::move(piece.whole));
  }
  walk.finish(result);
  return result;
}

}  // namespace adjoint

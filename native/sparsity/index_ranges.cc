#include "sparsity/index_ranges.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "ops/op.h"
#include "transform/moves.h"

namespace adjoint {

namespace {

using Ranges = std::optional<std::vector<IndexRange>>;

/// Numbers beyond are no indices, and sums of such are exact.
constexpr double kLargest = 1e12;

/// The step of numbers that need not be whole, from the first up to the last + 1 (excluded).
constexpr std::int64_t kAnyStep = 0;

bool isSingle(const IndexRange& range) {
  return range.first == range.last && range.step != kAnyStep;
}

IndexRange sum(const IndexRange& a, const IndexRange& b) {
  const bool isAny = a.step == kAnyStep || b.step == kAnyStep;
  const std::int64_t step = isSingle(a)   ? b.step
                            : isSingle(b) ? a.step
                            : isAny       ? kAnyStep
                                          : std::gcd(a.step, b.step);
  const std::int64_t more = a.step == kAnyStep && b.step == kAnyStep ? 1 : 0;
  return {a.first + b.first, a.last + b.last + more, step};
}

/// By one number, not negative.
std::optional<IndexRange> product(const IndexRange& a, const IndexRange& b) {
  if (!isSingle(b)) return isSingle(a) ? product(b, a) : std::nullopt;
  const std::int64_t by = b.first;
  if (by < 0 || static_cast<double>(a.last + 1) * static_cast<double>(by) > kLargest) return {};
  if (by == 0) return IndexRange{0, 0, 1};
  const std::int64_t more = a.step == kAnyStep ? by - 1 : 0;
  return IndexRange{a.first * by, a.last * by + more, a.step * by};
}

/// What a condition says of the elements of one value.
struct Bounds {
  NodeId id = kNoNode;
  std::optional<double> first, end;
  bool isWhole = false;
};

class Finder {
 public:
  Finder(const Tape& t, Constants& constants) : tape_(t), constants_(constants) {}

  Ranges of(NodeId id) {
    if (--steps_ < 0) return {};
    if (const std::vector<double>* values = constants_.of(id)) return ofConstant(*values);
    Ranges result = computed(id);
    return result ? result : fromConditions(id);
  }

 private:
  Ranges computed(NodeId id) {
    const Node& node = tape_.node(id);
    switch (opOf(node)) {
      case Op::ArgSort:
      case Op::ArgMax:
      case Op::ArgMin: {
        const Shape& from = tape_.shape(node.operand[0]);
        const std::int64_t n = from[static_cast<std::size_t>(tape_.attrs(node)[0])];
        return std::vector<IndexRange>(static_cast<std::size_t>(tape_.count(id)), {0, n - 1, 1});
      }
      case Op::Reshape:
      case Op::Transpose:
      case Op::BroadcastTo:
      case Op::Slice:
      case Op::Flip:
        return moved(id, node);
      case Op::Add:
        return combined(of(node.operand[0]), of(node.operand[1]), sum);
      case Op::Mul:
        return combined(of(node.operand[0]), of(node.operand[1]), product);
      case Op::Fma:
        return combined(combined(of(node.operand[0]), of(node.operand[1]), product),
                        of(node.operand[2]), sum);
      case Op::Where:
        return within(node);
      default:
        return {};
    }
  }

  /// The number that all elements of a constant are.
  std::optional<double> sameNumber(NodeId id) {
    const std::vector<double>* values = constants_.of(id);
    const bool isOne = values != nullptr && !values->empty() &&
                       std::ranges::all_of(*values, [&](double x) { return x == values->front(); });
    return isOne ? std::optional(values->front()) : std::nullopt;
  }

  /// first <= id && id < end && id == floor(id)
  void addTerm(const Node& term, std::vector<Bounds>& all) {
    const NodeId left = term.operand[0], right = term.operand[1];
    const auto it = std::ranges::find(all, left, &Bounds::id);
    Bounds& bounds = it != all.end() ? *it : all.emplace_back(Bounds{left, {}, {}, false});
    if (opOf(term) == Op::GreaterEqual) {
      bounds.first = sameNumber(right);
    } else if (opOf(term) == Op::Less) {
      bounds.end = sameNumber(right);
    } else {
      const Node& floor = tape_.node(right);
      bounds.isWhole = opOf(floor) == Op::Floor && floor.operand[0] == left;
    }
  }

  std::vector<Bounds> boundsOf(NodeId condition) {
    std::vector<NodeId> open = {condition};
    std::vector<Bounds> all;
    while (!open.empty() && --steps_ >= 0) {
      const Node& term = tape_.node(open.back());
      open.pop_back();
      switch (opOf(term)) {
        case Op::LogicalAnd:
          open.insert(open.end(), {term.operand[0], term.operand[1]});
          break;
        case Op::GreaterEqual:
        case Op::Less:
        case Op::Equal:
          addTerm(term, all);
          break;
        default:
          break;
      }
    }
    return all;
  }

  /// Of a choice whose other branch is no index (-1): what the condition says holds where it is
  /// one.
  Ranges within(const Node& node) {
    const std::optional<double> other = sameNumber(node.operand[2]);
    if (!other || *other >= 0) return {};
    const std::size_t known = known_.size();
    for (const Bounds& bounds : boundsOf(node.operand[0])) {
      if (!bounds.first || !bounds.end || !(*bounds.first >= 0) || !(*bounds.end <= kLargest) ||
          !(*bounds.first < *bounds.end))
        continue;
      const auto first = static_cast<std::int64_t>(std::floor(*bounds.first));
      const auto last = static_cast<std::int64_t>(std::ceil(*bounds.end)) - 1;
      known_.push_back({bounds.id, {first, last, bounds.isWhole ? 1 : kAnyStep}});
    }
    Ranges result = of(node.operand[1]);
    known_.resize(known);
    return result;
  }

  /// What is known from conditions of choices around.
  Ranges fromConditions(NodeId id) const {
    for (const auto& [at, range] : known_)
      if (at == id) return std::vector(static_cast<std::size_t>(tape_.count(id)), range);
    return {};
  }

  static Ranges ofConstant(const std::vector<double>& values) {
    std::vector<IndexRange> result;
    for (const double x : values) {
      if (!(x >= 0 && x <= kLargest) || x != static_cast<double>(static_cast<std::int64_t>(x)))
        return {};
      const auto index = static_cast<std::int64_t>(x);
      result.push_back({index, index, 1});
    }
    return result;
  }

  Ranges moved(NodeId id, const Node& node) {
    const Ranges from = of(node.operand[0]);
    if (!from) return {};
    std::vector<IndexRange> result(static_cast<std::size_t>(tape_.count(id)));
    visitMove(movesOf(tape_, node).front(), [&](std::int64_t source, std::int64_t to) {
      result[static_cast<std::size_t>(to)] = (*from)[static_cast<std::size_t>(source)];
    });
    return result;
  }

  template <class Combine>
  static Ranges combined(const Ranges& a, const Ranges& b, Combine combine) {
    if (!a || !b) return {};
    std::vector<IndexRange> result;
    for (std::size_t i = 0; i < a->size(); ++i) {
      const std::optional<IndexRange> range = combine((*a)[i], (*b)[i]);
      if (!range || static_cast<double>(range->last) > kLargest) return {};
      result.push_back(*range);
    }
    return result;
  }

  const Tape& tape_;
  Constants& constants_;
  std::vector<std::pair<NodeId, IndexRange>> known_;
  int steps_ = 64;
};

}  // namespace

std::optional<std::vector<IndexRange>> indexRanges(const Tape& t, NodeId id, Constants& constants) {
  Ranges result = Finder(t, constants).of(id);
  if (result) {
    for (IndexRange& range : *result) range.step = std::max<std::int64_t>(range.step, 1);
  }
  return result;
}

}  // namespace adjoint

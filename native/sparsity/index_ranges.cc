#include "sparsity/index_ranges.h"

#include <numeric>
#include <utility>
#include <vector>

#include "ops/op.h"
#include "ops/table_index.h"
#include "transform/moves.h"

namespace adjoint {

namespace {

using Ranges = std::optional<std::vector<IndexRange>>;

/// Numbers beyond are no indices, and sums of such are exact.
constexpr double kLargest = 1e12;

bool isSingle(const IndexRange& range) { return range.first == range.last; }

IndexRange sum(const IndexRange& a, const IndexRange& b) {
  const std::int64_t step = isSingle(a) ? b.step : isSingle(b) ? a.step : std::gcd(a.step, b.step);
  return {a.first + b.first, a.last + b.last, step};
}

/// By one number, not negative.
std::optional<IndexRange> product(const IndexRange& a, const IndexRange& b) {
  if (!isSingle(b)) return isSingle(a) ? product(b, a) : std::nullopt;
  const std::int64_t by = b.first;
  if (by < 0 || static_cast<double>(a.last) * static_cast<double>(by) > kLargest) return {};
  return IndexRange{a.first * by, a.last * by, by == 0 ? 1 : a.step * by};
}

class Finder {
 public:
  Finder(const Tape& t, Constants& constants) : tape_(t), constants_(constants) {}

  Ranges of(NodeId id) {
    if (--steps_ < 0) return {};
    if (const std::vector<double>* values = constants_.of(id)) return ofConstant(*values);
    for (const auto& [index, range] : inside_) {
      if (index == id) return std::vector(static_cast<std::size_t>(tape_.count(id)), range);
    }
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
        return ofTable(id);
      default:
        return {};
    }
  }

 private:
  /// Places in a table: where they are any, the indices of its axis are within it.
  Ranges ofTable(NodeId id) {
    const auto made = tableIndexAt(tape_, id);
    if (!made) return {};
    inside_.emplace_back(made->indices, IndexRange{0, made->size - 1, 1});
    Ranges result = of(made->positions);
    inside_.pop_back();
    return result;
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
  /// Indices that are known to be within their axis.
  std::vector<std::pair<NodeId, IndexRange>> inside_;
  int steps_ = 64;
};

}  // namespace

std::optional<std::vector<IndexRange>> indexRanges(const Tape& t, NodeId id, Constants& constants) {
  return Finder(t, constants).of(id);
}

}  // namespace adjoint

#include "plan/scalarize.h"

#include <algorithm>
#include <numeric>

#include "ops/build.h"
#include "ops/order.h"
#include "ops/row.h"
#include "plan/plan.h"
#include "tape/around.h"
#include "transform/moves.h"

namespace adjoint {

namespace {

/// Visits (element of a shape in row-major order, sum of stride * index over axes).
template <class Visit>
void visitStrided(const Shape& shape, const std::vector<std::int64_t>& strides, Visit visit) {
  const Move move{0, shape, 0, 0, strides, rowMajorStrides(shape)};
  visitMove(move, [&](std::int64_t at, std::int64_t element) { visit(element, at); });
}

class Scalarizer {
 public:
  Scalarizer(const Tape& t, std::int64_t lanes, const std::vector<bool>& isMapped)
      : tape_(t), lanes_(lanes), isMapped_(isMapped), elements_(t.size()) {}

  TapePtr run() {
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      builder_.setOrigin(node.origin == kNoNode ? id : node.origin);
      expand(id, node);
    }
    std::vector<Port> outputs;
    for (const Port& port : tape_.outputs()) outputs.push_back({port.name, assemble(port.node)});
    return builder_.finish(std::move(outputs));
  }

 private:
  using Elements = std::vector<NodeId>;

  Shape laneShape() const { return lanes_ > 0 ? Shape{lanes_} : Shape{}; }
  Shape withLanes(Shape shape) const {
    if (lanes_ > 0) shape.push_back(lanes_);
    return shape;
  }

  Expr expr(NodeId id) { return {&builder_, id}; }
  Elements& of(NodeId id) { return elements_[id]; }

  /// An operation on elements; those that are the same in every lane are repeated where others are
  /// not.
  NodeId operate(Op op, DType type, std::initializer_list<NodeId> operands,
                 const std::vector<std::int64_t>& attrs = {}) {
    NodeId x[3];
    std::size_t n = 0;
    bool isVector = false;
    for (const NodeId id : operands) {
      x[n++] = id;
      isVector = isVector || !builder_.shape(id).empty();
    }
    if (isVector) {
      for (std::size_t k = 0; k < n; ++k) x[k] = ex::broadcastTo(expr(x[k]), laneShape()).id;
    }
    // The planner's own operations are unknown to apply, and have nothing to simplify.
    if (rowOf(op).internal && rowOf(op).partials == nullptr)
      return builder_.append(code(op), type, isVector ? laneShape() : Shape{}, {x, n}, attrs);
    return apply(builder_, op, {x, n}, attrs);
  }

  NodeId fused(NodeId a, NodeId b, NodeId c) {
    if (kFusedProducts) return operate(Op::Fma, DType::F64, {a, b, c});
    return operate(Op::Add, DType::F64, {operate(Op::Mul, DType::F64, {a, b}), c});
  }

  /// Elements of an input, cut out of it when they are first wanted.
  void expandInput(NodeId id, const Node& node) {
    const Shape& own = tape_.shape(node);
    const bool isMapped = lanes_ > 0 && isMapped_[node.attr];
    const NodeId input =
        builder_.input(tape_.inputs()[node.attr].name, isMapped ? withLanes(own) : own, node.dtype);
    const std::int64_t count = tape_.count(id);
    const Shape flat = isMapped ? Shape{count, lanes_} : Shape{count};
    const Expr rows = ex::reshape(expr(input), flat);
    for (std::int64_t i = 0; i < count; ++i) {
      const Expr row = ex::sliceAxis(rows, 0, {i, 1, 1});
      of(id).push_back(ex::reshape(row, isMapped ? laneShape() : Shape{}).id);
    }
  }

  NodeId assemble(NodeId id) {
    const Elements& elements = of(id);
    const Shape shape = withLanes(tape_.shape(id));
    std::vector<Expr> rows;
    for (const NodeId element : elements) {
      Expr row = expr(element);
      if (lanes_ > 0) row = ex::broadcastTo(row, {lanes_});
      rows.push_back(ex::reshape(row, lanes_ > 0 ? Shape{1, lanes_} : Shape{1}));
    }
    if (rows.empty()) return builder_.constant(0.0, shape, tape_.node(id).dtype);
    return ex::reshape(ex::concat(rows, 0), shape).id;
  }

  void expand(NodeId id, const Node& node) {
    const Shape& shape = tape_.shape(node);
    Elements& out = of(id);
    const std::int64_t count = tape_.count(id);
    switch (opOf(node)) {
      case Op::Input:
        return expandInput(id, node);
      case Op::Constant:
        out.assign(static_cast<std::size_t>(count),
                   builder_.constant(Tape::constantValue(node), {}, node.dtype));
        return;
      case Op::Data:
        for (const double x : tape_.data(node)) out.push_back(builder_.constant(x, {}, node.dtype));
        return;
      case Op::Iota: {
        std::vector<std::int64_t> strides(shape.size(), 0);
        strides[static_cast<std::size_t>(tape_.attrs(node)[0])] = 1;
        return visitStrided(shape, strides, [&](std::int64_t, std::int64_t at) {
          out.push_back(builder_.constant(static_cast<double>(at)));
        });
      }
      case Op::Reshape:
      case Op::StopGradient:
      case Op::Transpose:
      case Op::BroadcastTo:
      case Op::Slice:
      case Op::Flip:
      case Op::Place:
      case Op::Concat:
      case Op::Gather:
        return expandMovement(id, node);
      case Op::ScatterSum:
        return expandScatter(id, node);
      case Op::Sum:
      case Op::ReduceMax:
      case Op::ReduceMin:
        return expandReduction(id, node);
      case Op::ArgMax:
      case Op::ArgMin:
        return expandBest(id, node);
      case Op::BatchMatMul:
        return expandProduct(id, node);
      case Op::CumSum:
      case Op::LinearRecurrence:
        return expandRecurrence(id, node);
      default:
        expandElementwise(id, node);
    }
  }

  void expandElementwise(NodeId id, const Node& node) {
    const auto operands = tape_.operands(node);
    const auto& attrs = tape_.attrs(node);
    const Op op = opOf(node);
    for (std::size_t i = 0; i < static_cast<std::size_t>(tape_.count(id)); ++i) {
      const auto element = [&](std::size_t k) { return of(operands[k])[i]; };
      of(id).push_back(operands.size() == 1 ? operate(op, node.dtype, {element(0)}, attrs)
                       : operands.size() == 2
                           ? operate(op, node.dtype, {element(0), element(1)}, attrs)
                           : operate(op, node.dtype, {element(0), element(1), element(2)}, attrs));
    }
  }

  void expandMovement(NodeId id, const Node& node) {
    const auto operands = tape_.operands(node);
    Elements& out = of(id);
    out.assign(static_cast<std::size_t>(tape_.count(id)),
               opOf(node) == Op::Place ? builder_.constant(0.0, {}, node.dtype) : kNoNode);
    visitMoves(tape_, node, [&](std::size_t k, std::int64_t from, std::int64_t to) {
      out[static_cast<std::size_t>(to)] = of(operands[k])[static_cast<std::size_t>(from)];
    });
  }

  void expandScatter(NodeId id, const Node& node) {
    const NodeId updates = node.operand[1];
    const Around to = around(tape_.shape(node), tape_.attrs(node)[0]);
    const std::vector<std::int64_t> indices = knownIndices(tape_, node.operand[0], to.n);
    Elements& out = of(id);
    out.assign(static_cast<std::size_t>(tape_.count(id)), builder_.constant(0.0));
    std::size_t next = 0;
    for (std::int64_t o = 0; o < to.outer; ++o) {
      for (const std::int64_t index : indices) {
        for (std::int64_t i = 0; i < to.inner; ++i) {
          NodeId& sum = out[static_cast<std::size_t>((o * to.n + index) * to.inner + i)];
          sum = operate(Op::Add, DType::F64, {sum, of(updates)[next++]});
        }
      }
    }
  }

  /// Terms in order, by rule 2 or 3 of docs/design/0003.
  NodeId reduce(Op op, const Elements& terms) {
    return combineInOrder(terms,
                          [&](NodeId a, NodeId b) { return operate(op, DType::F64, {a, b}); });
  }

  void expandReduction(NodeId id, const Node& node) {
    const NodeId operand = node.operand[0];
    const Shape& from = tape_.shape(operand);
    const auto& axes = tape_.attrs(node);
    const std::vector<std::int64_t> strides = rowMajorStrides(tape_.shape(node));
    std::vector<std::int64_t> resultStrides(from.size(), 0);
    std::size_t kept = 0;
    for (std::size_t k = 0; k < from.size(); ++k) {
      if (!std::ranges::binary_search(axes, static_cast<std::int64_t>(k)))
        resultStrides[k] = strides[kept++];
    }
    std::vector<Elements> terms(static_cast<std::size_t>(tape_.count(id)));
    visitStrided(from, resultStrides, [&](std::int64_t i, std::int64_t at) {
      terms[static_cast<std::size_t>(at)].push_back(of(operand)[static_cast<std::size_t>(i)]);
    });
    const Op op = opOf(node) == Op::Sum         ? Op::Add
                  : opOf(node) == Op::ReduceMax ? Op::Maximum
                                                : Op::Minimum;
    for (const Elements& some : terms) of(id).push_back(reduce(op, some));
  }

  /// The best value of neighboring ones and its position.
  struct Best {
    NodeId value, position;
    std::int64_t count;
  };

  /// The first NaN, or else the first of the best values.
  void expandBest(NodeId id, const Node& node) {
    const Around axes = around(tape_.shape(node.operand[0]), tape_.attrs(node)[0]);
    const Elements& x = of(node.operand[0]);
    for (std::int64_t o = 0; o < axes.outer; ++o) {
      for (std::int64_t i = 0; i < axes.inner; ++i) {
        std::vector<Best> found;
        for (std::int64_t k = 0; k < axes.n; ++k) {
          const auto at = static_cast<std::size_t>((o * axes.n + k) * axes.inner + i);
          found.push_back({x[at], builder_.constant(static_cast<double>(k), {}, node.dtype), 1});
          while (found.size() > 1 && found.back().count == found[found.size() - 2].count)
            joinLast(found, opOf(node));
        }
        while (found.size() > 1) joinLast(found, opOf(node));
        of(id).push_back(found[0].position);
      }
    }
  }

  void joinLast(std::vector<Best>& found, Op op) {
    const Best later = found.back();
    found.pop_back();
    Best& best = found.back();
    const auto decide = [&](Op of, std::initializer_list<NodeId> x) {
      return operate(of, DType::Bool, x);
    };
    const Op isAsGood = op == Op::ArgMax ? Op::GreaterEqual : Op::LessEqual;
    const NodeId isBeaten =
        decide(Op::LogicalNot, {decide(Op::LogicalOr, {decide(isAsGood, {best.value, later.value}),
                                                       decide(Op::IsNan, {best.value})})});
    const auto choose = [&](NodeId a, NodeId b) {
      return operate(Op::Where, builder_.dtype(a), {isBeaten, a, b});
    };
    best = {choose(later.value, best.value), choose(later.position, best.position),
            best.count + later.count};
  }

  void expandProduct(NodeId id, const Node& node) {
    const Elements& a = of(node.operand[0]);
    const Elements& b = of(node.operand[1]);
    const Shape& shape = tape_.shape(node);
    const std::int64_t m = shape[shape.size() - 2], n = shape.back();
    const std::int64_t k = tape_.shape(node.operand[0]).back();
    const NodeId zero = builder_.constant(0.0);
    for (std::int64_t at = 0; at < tape_.count(id); ++at) {
      const std::int64_t batch = at / (m * n), i = at / n % m, j = at % n;
      NodeId total = zero;
      for (std::int64_t from = 0; from < k; from += kProductChain) {
        NodeId chain = zero;
        for (std::int64_t t = from; t < std::min(k, from + kProductChain); ++t)
          chain = fused(a[static_cast<std::size_t>((batch * m + i) * k + t)],
                        b[static_cast<std::size_t>((batch * k + t) * n + j)], chain);
        total = from == 0 ? chain : operate(Op::Add, DType::F64, {total, chain});
      }
      of(id).push_back(total);
    }
  }

  void expandRecurrence(NodeId id, const Node& node) {
    const auto& attrs = tape_.attrs(node);
    const bool hasFactor = opOf(node) == Op::LinearRecurrence;
    const Elements& b = of(node.operand[hasFactor ? 1 : 0]);
    const Around axes = around(tape_.shape(node), attrs[0]);
    Elements& out = of(id);
    out.resize(b.size());
    for (std::int64_t o = 0; o < axes.outer; ++o) {
      for (std::int64_t i = 0; i < axes.inner; ++i) {
        NodeId last = kNoNode;
        for (std::int64_t step = 0; step < axes.n; ++step) {
          const std::int64_t row = attrs[1] != 0 ? axes.n - 1 - step : step;
          const auto at = static_cast<std::size_t>((o * axes.n + row) * axes.inner + i);
          if (last == kNoNode) {
            last = b[at];
          } else if (hasFactor) {
            last = operate(Op::Fma, DType::F64, {of(node.operand[0])[at], last, b[at]});
          } else {
            last = operate(Op::Add, DType::F64, {last, b[at]});
          }
          out[at] = last;
        }
      }
    }
  }

  const Tape& tape_;
  const std::int64_t lanes_;
  const std::vector<bool>& isMapped_;
  Builder builder_;
  std::vector<Elements> elements_;  ///< by node, row-major
};

/// Of joining two ranges for their best value.
constexpr std::int64_t kBestOperations = 6;

bool isKnown(const Tape& t, NodeId indices, std::int64_t size) {
  return t.count(indices) == 0 || !knownIndices(t, indices, size).empty();
}

}  // namespace

std::int64_t scalarOperations(const Tape& t, std::int64_t limit) {
  // A tape whose calls can fail keeps them: their messages name nodes and elements.
  if (!t.checks().empty()) return -1;
  std::int64_t total = 0, elements = 0;
  for (NodeId id = 0; id < t.size(); ++id) {
    const Node& node = t.node(id);
    const std::int64_t count = t.count(id);
    elements += count;
    switch (opOf(node)) {
      case Op::Gather:
        if (!isKnown(t, node.operand[1],
                     t.shape(node.operand[0])[static_cast<std::size_t>(t.attrs(node)[0])]))
          return -1;
        break;
      case Op::ScatterSum:
        if (!isKnown(t, node.operand[0], t.attrs(node)[1])) return -1;
        total += t.count(node.operand[1]);
        break;
      case Op::Sum:
      case Op::ReduceMax:
      case Op::ReduceMin:
        // Sums of nothing, and of more than a chunk, stay as they are.
        if (t.count(node.operand[0]) == 0 ||
            t.count(node.operand[0]) / std::max<std::int64_t>(1, count) > kSumChunk)
          return -1;
        total += t.count(node.operand[0]);
        break;
      case Op::BatchMatMul:
        total += count * t.shape(node.operand[0]).back();
        break;
      case Op::CumSum:
      case Op::LinearRecurrence:
        total += count;
        break;
      case Op::ArgMax:
      case Op::ArgMin:
        total += kBestOperations * t.count(node.operand[0]);
        break;
      case Op::ArgSort:
      case Op::Custom:
      case Op::Loop:
      case Op::Item:
        return -1;
      default:
        if (rowOf(node).kernel != nullptr) total += count;
    }
    if (total > limit || elements > 16 * limit) return -1;
  }
  return total;
}

TapePtr scalarize(const Tape& t, std::int64_t lanes, const std::vector<bool>& isMapped) {
  return Scalarizer(t, lanes, isMapped).run();
}

}  // namespace adjoint

#include "plan/scalarize.h"

#include <algorithm>
#include <numeric>

#include "ops/build.h"
#include "ops/order.h"
#include "ops/row.h"
#include "plan/around.h"
#include "plan/plan.h"

namespace adjoint {

namespace {

/// Visits the elements of a shape in row-major order with the sum of stride * index over axes.
template <class Visit>
void visit(const Shape& shape, const std::vector<std::int64_t>& strides, std::int64_t offset,
           Visit visit) {
  const std::int64_t count = elementCount(shape);
  std::vector<std::int64_t> index(shape.size(), 0);
  for (std::int64_t i = 0; i < count; ++i) {
    visit(i, offset);
    for (std::size_t k = shape.size(); k-- > 0;) {
      offset += strides[k];
      if (++index[k] < shape[k]) break;
      offset -= strides[k] * shape[k];
      index[k] = 0;
    }
  }
}

/// Indices that are known when the plan is made, all in range.
bool hasKnownIndices(const Tape& t, NodeId indices, std::int64_t size) {
  const Node& node = t.node(indices);
  const auto isInside = [&](double x) {
    return x >= 0 && x < static_cast<double>(size) &&
           x == static_cast<double>(static_cast<std::int64_t>(x));
  };
  if (node.op == tapeop::kConstant) return isInside(Tape::constantValue(node));
  return node.op == tapeop::kData && std::ranges::all_of(t.data(node), isInside);
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
    const auto& attrs = tape_.attrs(node);
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
        strides[static_cast<std::size_t>(attrs[0])] = 1;
        return visit(shape, strides, 0, [&](std::int64_t, std::int64_t at) {
          out.push_back(builder_.constant(static_cast<double>(at)));
        });
      }
      case Op::Reshape:
      case Op::StopGradient:
        out = of(node.operand[0]);
        return;
      case Op::Transpose:
      case Op::BroadcastTo:
      case Op::Slice:
      case Op::Flip:
        return expandView(id, node);
      case Op::Place:
        return expandPlace(id, node);
      case Op::Concat: {
        const Around result = around(shape, attrs[0]);
        for (std::int64_t o = 0; o < result.outer; ++o) {
          for (const NodeId part : tape_.operands(node)) {
            const Elements& from = of(part);
            const auto width = static_cast<std::ptrdiff_t>(from.size()) / result.outer;
            out.insert(out.end(), from.begin() + o * width, from.begin() + (o + 1) * width);
          }
        }
        return;
      }
      case Op::Gather:
        return expandGather(id, node);
      case Op::ScatterSum:
        return expandScatter(id, node);
      case Op::Sum:
      case Op::ReduceMax:
      case Op::ReduceMin:
        return expandReduction(id, node);
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

  /// Elements of the operand at an affine function of the index.
  void expandView(NodeId id, const Node& node) {
    const NodeId operand = node.operand[0];
    const Shape& from = tape_.shape(operand);
    const Shape& to = tape_.shape(node);
    const std::vector<std::int64_t> rowMajor = rowMajorStrides(from);
    const auto& attrs = tape_.attrs(node);
    std::vector<std::int64_t> strides(to.size(), 0);
    std::int64_t offset = 0;
    for (std::size_t k = 0; k < from.size(); ++k) {
      switch (opOf(node)) {
        case Op::Slice:
          strides[k] = rowMajor[k] * attrs[3 * k + 2];
          offset += rowMajor[k] * attrs[3 * k];
          break;
        case Op::BroadcastTo: {
          const std::size_t at = k + to.size() - from.size();
          if (from[k] == to[at]) strides[at] = rowMajor[k];
          break;
        }
        default:
          strides[k] = rowMajor[k];
      }
    }
    if (opOf(node) == Op::Transpose) {
      for (std::size_t k = 0; k < to.size(); ++k)
        strides[k] = rowMajor[static_cast<std::size_t>(attrs[k])];
    }
    if (opOf(node) == Op::Flip) {
      for (const std::int64_t axis : attrs) {
        const auto k = static_cast<std::size_t>(axis);
        offset += (to[k] - 1) * rowMajor[k];
        strides[k] = -rowMajor[k];
      }
    }
    visit(to, strides, offset, [&](std::int64_t, std::int64_t at) {
      of(id).push_back(of(operand)[static_cast<std::size_t>(at)]);
    });
  }

  void expandPlace(NodeId id, const Node& node) {
    const NodeId operand = node.operand[0];
    const Shape& from = tape_.shape(operand);
    const auto& attrs = tape_.attrs(node);
    const std::vector<std::int64_t> rowMajor = rowMajorStrides(tape_.shape(node));
    of(id).assign(static_cast<std::size_t>(tape_.count(id)),
                  builder_.constant(0.0, {}, node.dtype));
    std::vector<std::int64_t> strides(from.size());
    std::int64_t offset = 0;
    for (std::size_t k = 0; k < from.size(); ++k) {
      offset += attrs[3 * k] * rowMajor[k];
      strides[k] = attrs[3 * k + 2] * rowMajor[k];
    }
    visit(from, strides, offset, [&](std::int64_t i, std::int64_t at) {
      of(id)[static_cast<std::size_t>(at)] = of(operand)[static_cast<std::size_t>(i)];
    });
  }

  /// Values of known indices.
  std::vector<std::int64_t> indicesOf(NodeId id) const {
    const Node& node = tape_.node(id);
    if (node.op == tapeop::kConstant)
      return std::vector<std::int64_t>(static_cast<std::size_t>(tape_.count(id)),
                                       static_cast<std::int64_t>(Tape::constantValue(node)));
    std::vector<std::int64_t> result;
    for (const double x : tape_.data(node)) result.push_back(static_cast<std::int64_t>(x));
    return result;
  }

  void expandGather(NodeId id, const Node& node) {
    const NodeId source = node.operand[0];
    const Around from = around(tape_.shape(source), tape_.attrs(node)[0]);
    const std::vector<std::int64_t> indices = indicesOf(node.operand[1]);
    for (std::int64_t o = 0; o < from.outer; ++o) {
      for (const std::int64_t index : indices) {
        for (std::int64_t i = 0; i < from.inner; ++i)
          of(id).push_back(
              of(source)[static_cast<std::size_t>((o * from.n + index) * from.inner + i)]);
      }
    }
  }

  void expandScatter(NodeId id, const Node& node) {
    const NodeId updates = node.operand[1];
    const Around to = around(tape_.shape(node), tape_.attrs(node)[0]);
    const std::vector<std::int64_t> indices = indicesOf(node.operand[0]);
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
    visit(from, resultStrides, 0, [&](std::int64_t i, std::int64_t at) {
      terms[static_cast<std::size_t>(at)].push_back(of(operand)[static_cast<std::size_t>(i)]);
    });
    const Op op = opOf(node) == Op::Sum         ? Op::Add
                  : opOf(node) == Op::ReduceMax ? Op::Maximum
                                                : Op::Minimum;
    for (const Elements& some : terms) of(id).push_back(reduce(op, some));
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
        if (!hasKnownIndices(t, node.operand[1],
                             t.shape(node.operand[0])[static_cast<std::size_t>(t.attrs(node)[0])]))
          return -1;
        break;
      case Op::ScatterSum:
        if (!hasKnownIndices(t, node.operand[0], t.attrs(node)[1])) return -1;
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
      case Op::ArgSort:
      case Op::Custom:
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

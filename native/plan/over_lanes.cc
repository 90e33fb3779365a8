#include <algorithm>

#include "ops/build.h"
#include "ops/row.h"
#include "plan/lanes.h"
#include "plan/plan.h"
#include "plan/scalarize.h"

namespace adjoint {

namespace {

/// A body of at most so many operations is written out element by element.
constexpr std::int64_t kMaxScalarOperations = 4096;
/// Terms of a product of two matrices that both differ from lane to lane: one chain.
constexpr std::int64_t kMaxTerms = 128;
/// Such products of so many multiplications are a step of their own, which reads its operands fewer
/// times; smaller ones are a multiply-add a term, in the kernel of what they are used for.
constexpr std::int64_t kManyMultiplications = 128;

/// There is no form of the operation over lanes.
struct NoForm {};

/// The body with a last axis of lanes on all that differs between lanes.
class Widener {
 public:
  Widener(const Tape& t, std::int64_t lanes, const std::vector<bool>& isMapped)
      : tape_(t), lanes_(lanes), isMapped_(isMapped), values_(t.size()) {}

  TapePtr run() {
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      builder_.setOrigin(node.origin == kNoNode ? id : node.origin);
      values_[id] = widen(node);
    }
    std::vector<Port> outputs;
    for (const Port& port : tape_.outputs()) outputs.push_back({port.name, spread(port.node).id});
    return builder_.finish(std::move(outputs));
  }

 private:
  struct Value {
    Expr expr;
    bool isWide = false;
  };

  Shape wide(Shape shape) const {
    shape.push_back(lanes_);
    return shape;
  }

  /// The value with its lanes, repeated where all are the same.
  Expr spread(NodeId id) {
    const Value& v = values_[id];
    if (v.isWide) return v.expr;
    Shape shape = v.expr.shape();
    shape.push_back(1);
    return ex::broadcastTo(ex::reshape(v.expr, shape), wide(v.expr.shape()));
  }

  Value widen(const Node& node) {
    const Shape& own = tape_.shape(node);
    if (node.op == tapeop::kInput) {
      const bool isMapped = isMapped_[node.attr];
      const NodeId input =
          builder_.input(tape_.inputs()[node.attr].name, isMapped ? wide(own) : own, node.dtype);
      return {{&builder_, input}, isMapped};
    }
    if (node.op == tapeop::kConstant)
      return {{&builder_, builder_.constant(Tape::constantValue(node), own, node.dtype)}, false};
    if (node.op == tapeop::kData)
      return {{&builder_, builder_.data(tape_.sharedData(node.attr), own, node.dtype)}, false};
    const auto operands = tape_.operands(node);
    const bool isWide =
        std::ranges::any_of(operands, [&](NodeId id) { return values_[id].isWide; });
    return {isWide ? operation(node) : same(node), isWide};
  }

  /// What is the same in every lane.
  Expr same(const Node& node) {
    std::vector<NodeId> operands;
    for (const NodeId id : tape_.operands(node)) operands.push_back(values_[id].expr.id);
    return {&builder_,
            builder_.append(node.op, node.dtype, tape_.shape(node), operands, tape_.attrs(node))};
  }

  Expr operation(const Node& node) {
    const auto& attrs = tape_.attrs(node);
    const auto operands = tape_.operands(node);
    const Shape& own = tape_.shape(node);
    const auto rank = static_cast<std::int64_t>(own.size());
    const Expr x = values_[operands[0]].expr;
    switch (opOf(node)) {
      case Op::StopGradient:
        return x;
      case Op::Reshape:
        return ex::reshape(x, wide(own));
      case Op::Transpose: {
        ex::Axes axes = attrs;
        axes.push_back(rank);
        return ex::transpose(x, axes);
      }
      case Op::BroadcastTo:
        return ex::broadcastTo(x, wide(own));
      case Op::Slice:
      case Op::Place: {
        std::vector<ex::Range> ranges;
        for (std::size_t i = 0; i < attrs.size(); i += 3)
          ranges.push_back({attrs[i], attrs[i + 1], attrs[i + 2]});
        ranges.push_back({0, lanes_, 1});
        return opOf(node) == Op::Slice ? ex::slice(x, ranges) : ex::place(x, ranges);
      }
      case Op::Flip:
        return ex::flip(x, attrs);
      case Op::Concat: {
        std::vector<Expr> parts;
        for (const NodeId id : operands) parts.push_back(spread(id));
        return ex::concat(parts, attrs[0]);
      }
      case Op::ScatterSum:
        if (values_[operands[0]].isWide) throw NoForm{};
        return ex::scatterSum(x, spread(operands[1]), attrs[0], attrs[1]);
      case Op::Sum:
        return ex::sum(x, attrs);
      case Op::ReduceMax:
        return ex::reduceMax(x, attrs);
      case Op::ReduceMin:
        return ex::reduceMin(x, attrs);
      case Op::CumSum:
        return ex::cumsum(x, attrs[0], attrs[1] != 0);
      case Op::LinearRecurrence:
        return ex::linearRecurrence(spread(operands[0]), spread(operands[1]), attrs[0],
                                    attrs[1] != 0);
      case Op::ArgMax:
      case Op::ArgMin:
      case Op::ArgSort:
        return apply(opOf(node), {x}, {attrs[0]});
      case Op::BatchMatMul:
        return product(node);
      default:
        return elementwise(node);
    }
  }

  Expr elementwise(const Node& node) {
    if (rowOf(node).kernel == nullptr) throw NoForm{};
    NodeId x[3];
    const auto operands = tape_.operands(node);
    for (std::size_t k = 0; k < operands.size(); ++k) x[k] = spread(operands[k]).id;
    return {&builder_, builder_.append(node.op, node.dtype, wide(tape_.shape(node)),
                                       {x, operands.size()}, tape_.attrs(node))};
  }

  /// A matrix that all lanes share times one that differs is one product with a column for every
  /// column and lane.
  Expr product(const Node& node) {
    const Shape& own = tape_.shape(node);
    const NodeId a = node.operand[0], b = node.operand[1];
    if (own.size() != 2) throw NoForm{};
    const std::int64_t m = own[0], n = own[1], k = tape_.shape(a)[1];
    if (!values_[a].isWide)
      return ex::reshape(
          ex::batchMatmul(values_[a].expr, ex::reshape(values_[b].expr, {k, n * lanes_})),
          {m, n, lanes_});
    if (!values_[b].isWide) {
      // c^T = b^T a^T: products of numbers commute.
      const Expr transposed =
          ex::reshape(ex::transpose(values_[a].expr, {1, 0, 2}), {k, m * lanes_});
      const Expr c = ex::batchMatmul(ex::transpose(values_[b].expr, {1, 0}), transposed);
      return ex::transpose(ex::reshape(c, {n, m, lanes_}), {1, 0, 2});
    }
    if (k > kMaxTerms) throw NoForm{};
    const Shape shape = wide(own);
    if (m * n * k >= kManyMultiplications)
      return {&builder_, builder_.append(code(Op::LaneMatMul), node.dtype, shape,
                                         {{values_[a].expr.id, values_[b].expr.id}}, {})};
    Expr sum{&builder_, builder_.constant(0.0, shape)};
    for (std::int64_t t = 0; t < k; ++t) {
      const Expr column = ex::broadcastTo(ex::sliceAxis(values_[a].expr, 1, {t, 1, 1}), shape);
      const Expr row = ex::broadcastTo(ex::sliceAxis(values_[b].expr, 0, {t, 1, 1}), shape);
      sum = kFusedProducts ? apply(Op::Fma, {column, row, sum})
                           : apply(Op::Add, {apply(Op::Mul, {column, row}), sum});
    }
    return sum;
  }

  const Tape& tape_;
  const std::int64_t lanes_;
  const std::vector<bool>& isMapped_;
  Builder builder_;
  std::vector<Value> values_;
};

}  // namespace

TapePtr overLanes(const TapePtr& body, std::int64_t lanes, const std::vector<bool>& isMapped) {
  if (scalarOperations(*body, kMaxScalarOperations) >= 0) return scalarize(*body, lanes, isMapped);
  try {
    return Widener(*body, lanes, isMapped).run();
  } catch (const NoForm&) {
    return nullptr;
  }
}

}  // namespace adjoint

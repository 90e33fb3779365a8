#include "ops/structural.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "ops/build.h"
#include "ops/row.h"

namespace adjoint {

namespace {

using Attrs = std::span<const std::int64_t>;

[[noreturn]] void fail(ErrorCode code, Op op, const std::string& what) {
  throw Error(code, std::string(rowOf(op).name) + ": " + what);
}

/// One operation being checked: operands, attributes and where the result goes.
struct Call {
  Builder& builder;
  Op op;
  std::span<const NodeId> operands;
  Attrs attrs;

  NodeId x() const { return operands[0]; }
  const Shape& shape(std::size_t i = 0) const { return builder.shape(operands[i]); }
  std::int64_t rank() const { return static_cast<std::int64_t>(shape().size()); }
  DType dtype() const { return builder.dtype(operands[0]); }
  bool isConstant() const { return builder.node(x()).op == tapeop::kConstant; }

  void requireAttrs(std::size_t count) const {
    if (attrs.size() != count) {
      fail(
          ErrorCode::Argument, op,
          "expected " + std::to_string(count) + " attributes, got " + std::to_string(attrs.size()));
    }
  }
  void requireNumbers() const {
    for (const NodeId id : operands) {
      if (builder.dtype(id) == DType::Bool) {
        fail(ErrorCode::DType, op, "takes numbers, got booleans (use toNumber)");
      }
    }
  }
  std::int64_t axis(std::size_t attr = 0, std::size_t operand = 0) const {
    return normalizeAxis(attrs[attr], shape(operand).size(), rowOf(op).name);
  }
  /// The same constant in another shape.
  NodeId respread(const Shape& result) const {
    return builder.constant(Tape::constantValue(builder.node(x())), result, dtype());
  }
  NodeId append(const Shape& result, Attrs normalized = {}, DType type = DType::F64) const {
    return builder.append(code(op), type, result, operands, normalized);
  }
  NodeId appendTo(NodeId operand, const Shape& result, Attrs normalized = {}) const {
    return builder.append(code(op), dtype(), result, {&operand, 1}, normalized);
  }
};

NodeId iota(const Call& call) {
  if (call.attrs.size() < 2) fail(ErrorCode::Argument, call.op, "expected an axis and a shape");
  const Shape shape(call.attrs.begin() + 1, call.attrs.end());
  const std::int64_t axis = normalizeAxis(call.attrs[0], shape.size(), "iota");
  return call.append(shape, {&axis, 1});
}

NodeId reshape(const Call& call) {
  Shape shape(call.attrs.begin(), call.attrs.end());
  const std::int64_t count = elementCount(call.shape());
  const auto unknown = std::find(shape.begin(), shape.end(), -1);
  if (unknown != shape.end()) {
    *unknown = 1;
    const std::int64_t known = elementCount(shape);
    if (std::find(shape.begin(), shape.end(), -1) != shape.end() || known == 0 ||
        count % known != 0) {
      fail(ErrorCode::Shape, call.op,
           toString(call.shape()) + " does not reshape to " +
               toString(Shape(call.attrs.begin(), call.attrs.end())));
    }
    *unknown = count / known;
  }
  if (elementCount(shape) != count) {
    fail(ErrorCode::Shape, call.op,
         toString(call.shape()) + " has " + std::to_string(count) + " elements, " +
             toString(shape) + " has " + std::to_string(elementCount(shape)));
  }
  if (shape == call.shape()) return call.x();
  if (call.isConstant()) return call.respread(shape);
  const Node& node = call.builder.node(call.x());
  if (opOf(node) == Op::Reshape) {
    const NodeId inner = node.operand[0];
    if (call.builder.shape(inner) == shape) return inner;
    return call.appendTo(inner, shape);
  }
  return call.append(shape, {}, call.dtype());
}

NodeId transpose(const Call& call) {
  const auto rank = static_cast<std::size_t>(call.rank());
  std::vector<std::int64_t> perm(call.attrs.begin(), call.attrs.end());
  if (perm.empty()) {
    perm.resize(rank);
    for (std::size_t i = 0; i < rank; ++i) perm[i] = static_cast<std::int64_t>(rank - 1 - i);
  }
  if (perm.size() != rank) {
    fail(ErrorCode::Shape, call.op,
         std::to_string(perm.size()) + " axes given for shape " + toString(call.shape()));
  }
  std::vector<bool> seen(rank, false);
  Shape shape(rank);
  bool identity = true;
  for (std::size_t i = 0; i < rank; ++i) {
    perm[i] = normalizeAxis(perm[i], rank, "transpose");
    const auto from = static_cast<std::size_t>(perm[i]);
    if (seen[from])
      fail(ErrorCode::Argument, call.op, "axis " + std::to_string(perm[i]) + " is named twice");
    seen[from] = true;
    shape[i] = call.shape()[from];
    identity = identity && from == i;
  }
  if (identity) return call.x();
  if (call.isConstant()) return call.respread(shape);
  const Node& node = call.builder.node(call.x());
  if (opOf(node) == Op::Transpose) {
    const std::vector<std::int64_t> first = call.builder.tape().attrs(node);
    for (std::int64_t& axis : perm) axis = first[static_cast<std::size_t>(axis)];
    const Expr inner{&call.builder, node.operand[0]};
    return ex::transpose(inner, perm).id;
  }
  return call.append(shape, perm, call.dtype());
}

NodeId broadcastTo(const Call& call) {
  const Shape shape(call.attrs.begin(), call.attrs.end());
  elementCount(shape);
  const Shape& from = call.shape();
  bool fits = from.size() <= shape.size();
  for (std::size_t i = 0; fits && i < from.size(); ++i) {
    const std::int64_t extent = from[from.size() - 1 - i];
    fits = extent == 1 || extent == shape[shape.size() - 1 - i];
  }
  if (!fits)
    fail(ErrorCode::Shape, call.op, toString(from) + " does not broadcast to " + toString(shape));
  if (shape == from) return call.x();
  if (call.isConstant()) return call.respread(shape);
  const Node& node = call.builder.node(call.x());
  if (opOf(node) == Op::BroadcastTo) return call.appendTo(node.operand[0], shape);
  return call.append(shape, {}, call.dtype());
}

NodeId slice(const Call& call) {
  const auto rank = static_cast<std::size_t>(call.rank());
  call.requireAttrs(3 * rank);
  Shape shape(rank);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t start = call.attrs[3 * i];
    const std::int64_t count = call.attrs[3 * i + 1];
    const std::int64_t step = call.attrs[3 * i + 2];
    const std::int64_t extent = call.shape()[i];
    const bool inside =
        start >= 0 && count >= 0 && step >= 1 &&
        (count == 0 ? start <= extent : start < extent && count - 1 <= (extent - 1 - start) / step);
    if (!inside) {
      fail(ErrorCode::Index, call.op,
           std::to_string(count) + " elements from " + std::to_string(start) + " by " +
               std::to_string(step) + " leave axis " + std::to_string(i) + " of shape " +
               toString(call.shape()));
    }
    shape[i] = count;
  }
  if (shape == call.shape()) return call.x();
  if (call.isConstant()) return call.respread(shape);
  return call.append(shape, call.attrs, call.dtype());
}

NodeId place(const Call& call) {
  const auto rank = static_cast<std::size_t>(call.rank());
  call.requireAttrs(3 * rank);
  Shape shape(rank);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t lo = call.attrs[3 * i];
    const std::int64_t size = call.attrs[3 * i + 1];
    const std::int64_t step = call.attrs[3 * i + 2];
    const std::int64_t count = call.shape()[i];
    const bool inside = lo >= 0 && size >= 0 && step >= 1 &&
                        (count == 0 || (lo < size && count - 1 <= (size - 1 - lo) / step));
    if (!inside) fail(ErrorCode::Index, call.op, "elements leave axis " + std::to_string(i));
    shape[i] = size;
  }
  if (elementCount(call.shape()) == 0) return call.builder.constant(0, shape, call.dtype());
  if (shape == call.shape()) return call.x();
  return call.append(shape, call.attrs, call.dtype());
}

NodeId flip(const Call& call) {
  const auto rank = static_cast<std::size_t>(call.rank());
  std::vector<std::int64_t> axes(call.attrs.begin(), call.attrs.end());
  if (axes.empty()) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (std::int64_t& axis : axes) axis = normalizeAxis(axis, rank, "flip");
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  std::erase_if(axes,
                [&](std::int64_t a) { return call.shape()[static_cast<std::size_t>(a)] <= 1; });
  if (axes.empty() || call.isConstant()) return call.x();
  return call.append(call.shape(), axes, call.dtype());
}

NodeId concat(const Call& call) {
  if (call.operands.empty()) fail(ErrorCode::Argument, call.op, "needs at least one value");
  call.requireAttrs(1);
  const std::int64_t axis = call.axis();
  Shape shape = call.shape();
  if (shape.empty())
    fail(ErrorCode::Shape, call.op, "scalars have no axis to join along (use stack)");
  std::int64_t total = 0;
  for (std::size_t k = 0; k < call.operands.size(); ++k) {
    Shape other = call.shape(k);
    if (other.size() != shape.size()) {
      fail(ErrorCode::Shape, call.op,
           toString(shape) + " and " + toString(other) + " have different ranks");
    }
    total += other[static_cast<std::size_t>(axis)];
    other[static_cast<std::size_t>(axis)] = shape[static_cast<std::size_t>(axis)];
    if (other != shape) {
      fail(ErrorCode::Shape, call.op,
           toString(call.shape(0)) + " and " + toString(call.shape(k)) + " differ beside axis " +
               std::to_string(axis));
    }
    if (call.builder.dtype(call.operands[k]) != call.dtype()) {
      fail(ErrorCode::DType, call.op, "joins numbers with booleans");
    }
  }
  if (call.operands.size() == 1) return call.x();
  shape[static_cast<std::size_t>(axis)] = total;
  return call.append(shape, {&axis, 1}, call.dtype());
}

NodeId gather(const Call& call) {
  call.requireAttrs(1);
  if (call.builder.dtype(call.operands[1]) == DType::Bool) {
    fail(ErrorCode::DType, call.op, "indices are booleans");
  }
  if (call.rank() == 0) fail(ErrorCode::Shape, call.op, "a scalar has no axis to gather from");
  const auto axis = call.axis();
  const Shape& from = call.shape(0);
  const Shape& indices = call.shape(1);
  Shape shape(from.begin(), from.begin() + axis);
  shape.insert(shape.end(), indices.begin(), indices.end());
  shape.insert(shape.end(), from.begin() + axis + 1, from.end());
  return call.append(shape, {&axis, 1}, call.dtype());
}

/// updates: like gather's result; the axes of `indices` stand at `axis`.
NodeId scatterSum(const Call& call) {
  call.requireAttrs(2);
  call.requireNumbers();
  const Shape& indices = call.shape(0);
  const Shape& updates = call.shape(1);
  if (updates.size() < indices.size()) {
    fail(ErrorCode::Shape, call.op,
         "updates " + toString(updates) + " do not hold the axes of indices " + toString(indices));
  }
  const std::size_t rank = updates.size() - indices.size() + 1;
  const std::int64_t axis = normalizeAxis(call.attrs[0], rank, "scatterSum");
  if (call.attrs[1] < 0) fail(ErrorCode::Shape, call.op, "negative size");
  if (!std::equal(indices.begin(), indices.end(), updates.begin() + axis)) {
    fail(ErrorCode::Shape, call.op,
         "updates " + toString(updates) + " do not hold the axes of indices " + toString(indices) +
             " at axis " + std::to_string(axis));
  }
  Shape shape(updates.begin(), updates.begin() + axis);
  shape.push_back(call.attrs[1]);
  shape.insert(shape.end(), updates.begin() + axis + static_cast<std::int64_t>(indices.size()),
               updates.end());
  const std::int64_t attrs[] = {axis, call.attrs[1]};
  return call.append(shape, attrs);
}

/// Whether only unit axes stand between the reduced ones, so that one run of loops reduces them.
bool areNeighbors(const Shape& shape, const std::vector<std::int64_t>& axes) {
  bool started = false;
  bool ended = false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    const bool isReduced =
        std::binary_search(axes.begin(), axes.end(), static_cast<std::int64_t>(i));
    if (isReduced && ended) return false;
    started = started || isReduced;
    ended = ended || (started && !isReduced);
  }
  return true;
}

/// The reduction with its axes brought together behind the others.
NodeId reduceScattered(const Call& call, const ReducedAxes& reduced) {
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < call.rank(); ++i) {
    if (!std::binary_search(reduced.axes.begin(), reduced.axes.end(), i)) order.push_back(i);
  }
  std::vector<std::int64_t> attrs{0};
  for (const std::int64_t axis : reduced.axes) {
    attrs.push_back(static_cast<std::int64_t>(order.size()));
    order.push_back(axis);
  }
  const NodeId together = ex::transpose({&call.builder, call.x()}, order).id;
  return apply(call.builder, call.op, {&together, 1}, attrs);
}

NodeId reduce(const Call& call) {
  call.requireNumbers();
  const ReducedAxes reduced =
      parseReducedAxes(call.attrs, call.shape().size(), rowOf(call.op).name);
  const Shape from = call.shape();
  Shape shape;
  Shape kept = from;
  std::int64_t terms = 1;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (std::binary_search(reduced.axes.begin(), reduced.axes.end(),
                           static_cast<std::int64_t>(i))) {
      kept[i] = 1;
      terms *= from[i];
    } else {
      shape.push_back(from[i]);
    }
  }
  if (terms == 0 && call.op != Op::Sum && elementCount(shape) > 0) {
    fail(ErrorCode::Shape, call.op, "of no elements, shape " + toString(from));
  }
  Expr result{&call.builder, call.x()};
  if (terms == 1 && elementCount(from) > 0) {
    result = ex::reshape(result, shape);
  } else if (!areNeighbors(from, reduced.axes)) {
    result.id = reduceScattered(call, reduced);
  } else if (!reduced.axes.empty()) {
    result.id = call.append(shape, reduced.axes);
  }
  return reduced.keepDims ? ex::reshape(result, kept).id : result.id;
}

NodeId indexAlongAxis(const Call& call) {
  call.requireAttrs(1);
  call.requireNumbers();
  if (call.rank() == 0) fail(ErrorCode::Shape, call.op, "a scalar has no axis");
  const std::int64_t axis = call.axis();
  Shape shape = call.shape();
  if (call.op != Op::ArgSort) {
    if (shape[static_cast<std::size_t>(axis)] == 0)
      fail(ErrorCode::Shape, call.op, "of no elements");
    shape.erase(shape.begin() + axis);
  }
  return call.append(shape, {&axis, 1});
}

NodeId recurrence(const Call& call) {
  call.requireAttrs(2);
  call.requireNumbers();
  if (call.rank() == 0) fail(ErrorCode::Shape, call.op, "a scalar has no axis");
  if (call.op == Op::LinearRecurrence && call.shape(0) != call.shape(1)) {
    fail(ErrorCode::Shape, call.op,
         "shapes " + toString(call.shape(0)) + " and " + toString(call.shape(1)) + " differ");
  }
  const std::int64_t attrs[] = {call.axis(), call.attrs[1] != 0 ? 1 : 0};
  return call.append(call.shape(), attrs);
}

NodeId batchMatmul(const Call& call) {
  call.requireNumbers();
  const Shape& a = call.shape(0);
  const Shape& b = call.shape(1);
  const std::size_t rank = a.size();
  bool fits = rank >= 2 && b.size() == rank;
  for (std::size_t i = 0; fits && i + 2 < rank; ++i) fits = a[i] == b[i];
  if (!fits || a[rank - 1] != b[rank - 2]) {
    fail(ErrorCode::Shape, call.op,
         "shapes " + toString(a) + " and " + toString(b) + " do not match");
  }
  Shape shape = a;
  shape[rank - 1] = b[rank - 1];
  return call.append(shape);
}

NodeId stopGradient(const Call& call) {
  const Node& node = call.builder.node(call.x());
  if (opOf(node) == Op::StopGradient || call.isConstant() || node.op == tapeop::kData)
    return call.x();
  return call.append(call.shape(), {}, call.dtype());
}

}  // namespace

std::int64_t normalizeAxis(std::int64_t axis, std::size_t rank, const char* operation) {
  const auto n = static_cast<std::int64_t>(rank);
  if (axis < -n || axis >= n) {
    throw Error(ErrorCode::Shape, std::string(operation) + ": axis " + std::to_string(axis) +
                                      " of a value with " + std::to_string(n) + " axes");
  }
  return axis < 0 ? axis + n : axis;
}

ReducedAxes parseReducedAxes(Attrs attrs, std::size_t rank, const char* operation) {
  ReducedAxes result;
  if (!attrs.empty()) result.keepDims = attrs[0] != 0;
  for (std::size_t i = 1; i < attrs.size(); ++i) {
    result.axes.push_back(normalizeAxis(attrs[i], rank, operation));
  }
  if (result.axes.empty()) {
    result.axes.resize(rank);
    std::iota(result.axes.begin(), result.axes.end(), 0);
  }
  std::sort(result.axes.begin(), result.axes.end());
  if (std::adjacent_find(result.axes.begin(), result.axes.end()) != result.axes.end()) {
    throw Error(ErrorCode::Argument, std::string(operation) + ": an axis is named twice");
  }
  return result;
}

NodeId applyStructural(Builder& builder, Op op, std::span<const NodeId> operands, Attrs attrs) {
  const Call call{builder, op, operands, attrs};
  switch (op) {
    case Op::Iota:
      return iota(call);
    case Op::Reshape:
      return reshape(call);
    case Op::Transpose:
      return transpose(call);
    case Op::BroadcastTo:
      return broadcastTo(call);
    case Op::Slice:
      return slice(call);
    case Op::Place:
      return place(call);
    case Op::Flip:
      return flip(call);
    case Op::Concat:
      return concat(call);
    case Op::Gather:
      return gather(call);
    case Op::ScatterSum:
      return scatterSum(call);
    case Op::Sum:
    case Op::ReduceMax:
    case Op::ReduceMin:
      return reduce(call);
    case Op::ArgMax:
    case Op::ArgMin:
    case Op::ArgSort:
      return indexAlongAxis(call);
    case Op::CumSum:
    case Op::LinearRecurrence:
      return recurrence(call);
    case Op::BatchMatMul:
      return batchMatmul(call);
    case Op::StopGradient:
      return stopGradient(call);
    default:
      fail(ErrorCode::Argument, op, "can not be applied by itself");
  }
}

}  // namespace adjoint

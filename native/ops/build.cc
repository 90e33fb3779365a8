#include "ops/build.h"

#include <algorithm>
#include <numeric>

namespace adjoint::ex {

namespace {

Expr applyOne(Op op, Expr x, std::span<const std::int64_t> attrs) {
  return {x.builder, apply(*x.builder, op, {&x.id, 1}, attrs)};
}

Expr reduce(Op op, Expr x, const Axes& axes, bool keep) {
  if (axes.empty()) return x;
  Axes attrs{keep ? 1 : 0};
  attrs.insert(attrs.end(), axes.begin(), axes.end());
  return applyOne(op, x, attrs);
}

Axes flatten(const std::vector<Range>& ranges) {
  Axes attrs;
  for (const Range& range : ranges)
    attrs.insert(attrs.end(), {range.start, range.count, range.step});
  return attrs;
}

}  // namespace

Expr reshape(Expr x, const Shape& shape) { return applyOne(Op::Reshape, x, shape); }
Expr transpose(Expr x, const Axes& axes) {
  return axes.empty() ? x : applyOne(Op::Transpose, x, axes);
}
Expr broadcastTo(Expr x, const Shape& shape) { return applyOne(Op::BroadcastTo, x, shape); }
Expr slice(Expr x, const std::vector<Range>& ranges) {
  return applyOne(Op::Slice, x, flatten(ranges));
}
Expr sliceAxis(Expr x, std::int64_t axis, Range range) {
  std::vector<Range> ranges;
  for (const std::int64_t extent : x.shape()) ranges.push_back({0, extent, 1});
  ranges[static_cast<std::size_t>(axis)] = range;
  return slice(x, ranges);
}
Expr place(Expr x, const std::vector<Range>& ranges) {
  return applyOne(Op::Place, x, flatten(ranges));
}
Expr flip(Expr x, const Axes& axes) { return axes.empty() ? x : applyOne(Op::Flip, x, axes); }

Expr concat(const std::vector<Expr>& parts, std::int64_t axis) {
  std::vector<NodeId> ids;
  for (const Expr& part : parts) ids.push_back(part.id);
  return {parts[0].builder, apply(*parts[0].builder, Op::Concat, ids, {&axis, 1})};
}

Expr gather(Expr x, Expr indices, std::int64_t axis) {
  return apply(Op::Gather, {x, indices}, {axis});
}
Expr scatterSum(Expr indices, Expr updates, std::int64_t axis, std::int64_t size) {
  return apply(Op::ScatterSum, {indices, updates}, {axis, size});
}
Expr sum(Expr x, const Axes& axes) { return reduce(Op::Sum, x, axes, false); }
Expr sumKeep(Expr x, const Axes& axes) { return reduce(Op::Sum, x, axes, true); }
Expr reduceMax(Expr x, const Axes& axes) { return reduce(Op::ReduceMax, x, axes, false); }
Expr reduceMin(Expr x, const Axes& axes) { return reduce(Op::ReduceMin, x, axes, false); }
Expr cumsum(Expr x, std::int64_t axis, bool reverse) {
  return apply(Op::CumSum, {x}, {axis, reverse ? 1 : 0});
}
Expr linearRecurrence(Expr a, Expr b, std::int64_t axis, bool reverse) {
  return apply(Op::LinearRecurrence, {a, b}, {axis, reverse ? 1 : 0});
}
Expr batchMatmul(Expr a, Expr b) { return apply(Op::BatchMatMul, {a, b}); }
Expr iota(Builder& builder, std::int64_t axis, const Shape& shape) {
  Axes attrs{axis};
  attrs.insert(attrs.end(), shape.begin(), shape.end());
  return {&builder, apply(builder, Op::Iota, {}, attrs)};
}
Expr stopGradient(Expr x) { return apply(Op::StopGradient, {x}); }
Expr full(const Expr& like, double value) {
  return {like.builder, like.builder->constant(value, Shape(like.shape()))};
}
Expr fullBool(const Expr& like, bool value) {
  return {like.builder,
          like.builder->constant(value ? 1.0 : 0.0, Shape(like.shape()), DType::Bool)};
}

Axes allAxes(const Expr& x) {
  Axes axes(x.shape().size());
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

Expr expandAxes(Expr x, const Axes& axes) {
  const Shape& from = x.shape();
  Shape shape;
  std::size_t next = 0;
  for (std::size_t i = 0; i < from.size() + axes.size(); ++i) {
    const bool isNew = std::binary_search(axes.begin(), axes.end(), static_cast<std::int64_t>(i));
    shape.push_back(isNew ? 1 : from[next++]);
  }
  return reshape(x, shape);
}

Expr sumTo(Expr x, const Shape& shape) {
  const Shape& from = x.shape();
  const std::size_t extra = from.size() - shape.size();
  Axes axes;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (i < extra || (shape[i - extra] == 1 && from[i] != 1)) {
      axes.push_back(static_cast<std::int64_t>(i));
    }
  }
  return reshape(sum(x, axes), shape);
}

}  // namespace adjoint::ex

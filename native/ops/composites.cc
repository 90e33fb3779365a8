#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "ops/build.h"
#include "ops/row.h"
#include "ops/structural.h"
#include "ops/table_index.h"

namespace adjoint {

/// Written in ops/products.cc.
NodeId applyProduct(Builder& builder, Op op, std::span<const NodeId> operands,
                    std::span<const std::int64_t> attrs);

namespace {

using namespace ex;
using Attrs = std::span<const std::int64_t>;

[[noreturn]] void fail(ErrorCode code, Op op, const std::string& what) {
  throw Error(code, std::string(rowOf(op).name) + ": " + what);
}

void requireAttrs(Op op, Attrs attrs, std::size_t count) {
  if (attrs.size() != count) {
    fail(ErrorCode::Argument, op,
         "expected " + std::to_string(count) + " attributes, got " + std::to_string(attrs.size()));
  }
}

/// The result of a reduction with its axes back as extent 1 when asked.
Expr keep(Expr reduced, const Shape& from, const ReducedAxes& axes) {
  if (!axes.keepDims) return reduced;
  Shape shape = from;
  for (const std::int64_t axis : axes.axes) shape[static_cast<std::size_t>(axis)] = 1;
  return reshape(reduced, shape);
}

/// The shape without the reduced axes.
Shape keptShape(const Shape& from, const Axes& axes) {
  Shape kept;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (!std::binary_search(axes.begin(), axes.end(), static_cast<std::int64_t>(i))) {
      kept.push_back(from[i]);
    }
  }
  return kept;
}

std::int64_t termCount(const Shape& from, const Axes& axes) {
  std::int64_t n = 1;
  for (const std::int64_t axis : axes) n *= from[static_cast<std::size_t>(axis)];
  return n;
}

Expr at(Expr x, Attrs attrs) {
  const Shape from = x.shape();
  if (attrs.size() > from.size()) {
    fail(ErrorCode::Shape, Op::At,
         std::to_string(attrs.size()) + " indices for shape " + toString(from));
  }
  std::vector<Range> ranges;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (i >= attrs.size()) {
      ranges.push_back({0, from[i], 1});
      continue;
    }
    if (attrs[i] < -from[i] || attrs[i] >= from[i]) {
      fail(ErrorCode::Index, Op::At,
           "index " + std::to_string(attrs[i]) + " is outside axis " + std::to_string(i) +
               " of shape " + toString(from));
    }
    ranges.push_back({attrs[i] < 0 ? attrs[i] + from[i] : attrs[i], 1, 1});
  }
  return reshape(slice(x, ranges),
                 Shape(from.begin() + static_cast<std::int64_t>(attrs.size()), from.end()));
}

Expr stack(Builder& builder, std::span<const NodeId> operands, Attrs attrs) {
  requireAttrs(Op::Stack, attrs, 1);
  if (operands.empty()) fail(ErrorCode::Argument, Op::Stack, "needs at least one value");
  const Shape shape = builder.shape(operands[0]);
  const std::int64_t axis = normalizeAxis(attrs[0], shape.size() + 1, "stack");
  std::vector<Expr> parts;
  for (const NodeId id : operands) {
    if (builder.shape(id) != shape) {
      fail(ErrorCode::Shape, Op::Stack,
           "shapes " + toString(shape) + " and " + toString(builder.shape(id)) + " differ");
    }
    parts.push_back(expandAxes({&builder, id}, {axis}));
  }
  return concat(parts, axis);
}

Expr pad(Builder& builder, std::span<const NodeId> operands, Attrs attrs) {
  if (operands.empty() || operands.size() > 2) {
    fail(ErrorCode::Argument, Op::Pad, "takes a value and perhaps a fill");
  }
  const Expr x{&builder, operands[0]};
  const Shape from = x.shape();
  requireAttrs(Op::Pad, attrs, 2 * from.size());
  std::vector<Range> ranges;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::int64_t before = attrs[2 * i];
    const std::int64_t after = attrs[2 * i + 1];
    if (before < 0 || after < 0 || before > kMaxElements || after > kMaxElements) {
      fail(ErrorCode::Argument, Op::Pad,
           "widths are counts of elements, got " + std::to_string(before) + " and " +
               std::to_string(after));
    }
    ranges.push_back({before, before + from[i] + after, 1});
  }
  const Expr placed = place(x, ranges);
  if (operands.size() == 1) return placed;
  const Expr fill{&builder, operands[1]};
  if (!fill.shape().empty())
    fail(ErrorCode::Shape, Op::Pad, "the fill is a scalar, got " + toString(fill.shape()));
  return apply(Op::Where, {place(fullBool(x, true), ranges), placed, fill});
}

Expr diag(Expr x, Attrs attrs) {
  const std::int64_t k = attrs.empty() ? 0 : attrs[0];
  const Shape from = x.shape();
  if (k > kMaxElements || k < -kMaxElements)
    fail(ErrorCode::Argument, Op::Diag, "offset out of range");
  const std::int64_t down = std::max<std::int64_t>(-k, 0);
  const std::int64_t right = std::max<std::int64_t>(k, 0);
  if (from.size() == 1) {
    const std::int64_t size = from[0] + std::abs(k);
    elementCount({size, size});
    if (from[0] == 0) return {x.builder, x.builder->constant(0, {size, size})};
    const Expr flat = place(x, {{down * size + right, size * size, size + 1}});
    return reshape(flat, {size, size});
  }
  if (from.size() != 2)
    fail(ErrorCode::Shape, Op::Diag, "takes a vector or a matrix, got shape " + toString(from));
  const std::int64_t count = std::max<std::int64_t>(0, std::min(from[0] - down, from[1] - right));
  if (count == 0) return {x.builder, x.builder->constant(0, {0})};
  return slice(reshape(x, {from[0] * from[1]}), {{down * from[1] + right, count, from[1] + 1}});
}

Expr triangle(Op op, Expr x, Attrs attrs) {
  const std::int64_t k = attrs.empty() ? 0 : attrs[0];
  const Shape shape = x.shape();
  if (shape.size() < 2) fail(ErrorCode::Shape, op, "takes a matrix, got shape " + toString(shape));
  const Shape matrix(shape.end() - 2, shape.end());
  const Expr row = iota(*x.builder, 0, matrix);
  const Expr column = iota(*x.builder, 1, matrix);
  const Expr bound = row + static_cast<double>(k);
  const Expr inside = op == Op::Tril ? apply(Op::LessEqual, {column, bound})
                                     : apply(Op::GreaterEqual, {column, bound});
  return apply(Op::Where, {inside, x, full(x, 0)});
}

Expr mean(Expr x, const ReducedAxes& axes) {
  return sum(x, axes.axes) / static_cast<double>(termCount(x.shape(), axes.axes));
}

Expr variance(Expr x, double ddof, const ReducedAxes& axes) {
  const Shape from = x.shape();
  ReducedAxes keeping = axes;
  keeping.keepDims = true;
  // Counted from one of the elements, so that the mean of equal ones is exact.
  Expr first = stopGradient(x);
  for (const std::int64_t axis : axes.axes) {
    if (from[static_cast<std::size_t>(axis)] > 0) first = sliceAxis(first, axis, {0, 1, 1});
  }
  const Expr shifted = x - broadcastTo(first, from);
  const Expr centered = shifted - keep(mean(shifted, axes), from, keeping);
  const auto n = static_cast<double>(termCount(from, axes.axes));
  return sum(square(centered), axes.axes) / (n - ddof);
}

/// sqrt with derivative 0 at 0: the minimum-norm subgradient of a norm.
Expr rootOrZero(Expr squared) {
  return apply(Op::Where, {isZero(squared), constant(squared, 0), sqrt(squared)});
}

Expr norm(Expr x, std::int64_t order, const ReducedAxes& axes) {
  switch (order) {
    case 0:
      return reduceMax(abs(x), axes.axes);
    case 1:
      return sum(abs(x), axes.axes);
    case 2:
      break;
    default:
      fail(ErrorCode::Argument, Op::Norm, "order is 1, 2 or infinity");
  }
  if (axes.axes.empty()) return abs(x);
  return rootOrZero(sum(square(x), axes.axes));
}

/// x with the listed axes moved behind the others and flattened into one.
Expr reducedLast(Expr x, const Axes& axes) {
  const Shape from = x.shape();
  Axes order;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto axis = static_cast<std::int64_t>(i);
    if (!std::binary_search(axes.begin(), axes.end(), axis)) order.push_back(axis);
  }
  order.insert(order.end(), axes.begin(), axes.end());
  Shape flat = keptShape(from, axes);
  flat.push_back(termCount(from, axes));
  return reshape(transpose(x, order), flat);
}

/// prod[..., i] = x[..., i] * prod[..., i-1]: the linear recurrence a = x, b = (x[0], 0, 0, ...),
/// without division.
Expr cumprod(Expr x, std::int64_t axis) {
  const Shape shape = x.shape();
  const auto at = static_cast<std::size_t>(axis);
  if (shape[at] == 0) return x;
  std::vector<Range> ranges;
  for (const std::int64_t extent : shape) ranges.push_back({0, extent, 1});
  const Expr first = sliceAxis(x, axis, {0, 1, 1});
  return linearRecurrence(x, place(first, ranges), axis, false);
}

Expr prod(Expr x, const ReducedAxes& axes) {
  const Shape from = x.shape();
  const Shape kept = keptShape(from, axes.axes);
  const std::int64_t n = termCount(from, axes.axes);
  if (n == 0) return {x.builder, x.builder->constant(1, kept)};
  const auto last = static_cast<std::int64_t>(kept.size());
  const Expr running = cumprod(reducedLast(x, axes.axes), last);
  return reshape(sliceAxis(running, last, {n - 1, 1, 1}), kept);
}

/// Subtracts the largest element, where that is finite, so that exp can not overflow; the shift
/// cancels and has no derivative.
struct Shifted {
  Expr shift;  ///< with the reduced axes kept
  Expr exp;
  Expr sum;  ///< with the reduced axes kept
};
Shifted shiftedExp(Op op, Expr x, const Axes& axes) {
  const Shape from = x.shape();
  if (termCount(from, axes) == 0) fail(ErrorCode::Shape, op, "of no elements");
  ReducedAxes keeping{true, axes};
  const Expr largest = stopGradient(keep(reduceMax(x, axes), from, keeping));
  const Expr shift = apply(Op::Where, {apply(Op::IsFinite, {largest}), largest, full(largest, 0)});
  const Expr e = exp(x - shift);
  return {shift, e, sumKeep(e, axes)};
}

Expr logsumexp(Expr x, const ReducedAxes& axes) {
  const Shape kept = keptShape(x.shape(), axes.axes);
  if (axes.axes.empty()) return x;
  const Shifted s = shiftedExp(Op::LogSumExp, x, axes.axes);
  return reshape(log(s.sum) + s.shift, kept);
}

Expr softmax(Op op, Expr x, Attrs attrs) {
  requireAttrs(op, attrs, 1);
  const std::int64_t axis = normalizeAxis(attrs[0], x.shape().size(), rowOf(op).name);
  const Shifted s = shiftedExp(op, x, {axis});
  return op == Op::Softmax ? s.exp / s.sum : (x - s.shift) - log(s.sum);
}

Expr maskedLogsumexp(Expr x, Expr mask, Attrs attrs) {
  if (x.builder->dtype(mask.id) != DType::Bool)
    fail(ErrorCode::DType, Op::MaskedLogSumExp, "the mask is not boolean");
  const Shape from = x.shape();
  const ReducedAxes axes = parseReducedAxes(attrs, from.size(), "maskedLogsumexp");
  const Expr m = broadcastTo(mask, from);
  const double minusInfinity = -std::numeric_limits<double>::infinity();
  const Expr masked = apply(Op::Where, {m, x, full(x, minusInfinity)});
  const Shifted s = shiftedExp(Op::MaskedLogSumExp, masked, axes.axes);
  const Expr e = apply(Op::Where, {m, s.exp, full(x, 0)});
  const Expr total = sumKeep(e, axes.axes);
  const Expr none = isZero(total);
  const Expr result = apply(Op::Where, {none, full(total, minusInfinity), log(total) + s.shift});
  return keep(reshape(result, keptShape(from, axes.axes)), from, axes);
}

/// `areInside`: the indices are known to be in the axis.
Expr takeAlongAxis(Expr x, Expr indices, std::int64_t axis, bool areInside) {
  const Shape from = x.shape();
  const Shape to = indices.shape();
  bool fits = from.size() == to.size();
  for (std::size_t i = 0; fits && i < from.size(); ++i) {
    fits = static_cast<std::int64_t>(i) == axis || from[i] == to[i];
  }
  if (!fits)
    fail(ErrorCode::Shape, Op::TakeAlongAxis,
         "indices " + toString(to) + " do not follow shape " + toString(from));
  if (from.size() == 1) return gather(x, indices, 0);
  // Flat position = sum over axes of stride * position, the given index along `axis`.
  const std::vector<std::int64_t> strides = rowMajorStrides(from);
  const auto at = static_cast<std::size_t>(axis);
  Expr flat = indices * static_cast<double>(strides[at]);
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (static_cast<std::int64_t>(i) == axis || from[i] == 1) continue;
    flat =
        flat + iota(*x.builder, static_cast<std::int64_t>(i), to) * static_cast<double>(strides[i]);
  }
  const std::int64_t count = elementCount(from);
  if (!areInside) flat = tableIndex(indices, flat, from[at], count);
  return gather(reshape(x, {count}), flat, 0);
}

Expr sort(Expr x, std::int64_t axis) {
  return takeAlongAxis(x, apply(Op::ArgSort, {x}, {axis}), axis, true);
}

Expr median(Expr x, const ReducedAxes& axes) {
  const Shape from = x.shape();
  const Shape kept = keptShape(from, axes.axes);
  const std::int64_t n = termCount(from, axes.axes);
  if (n == 0) fail(ErrorCode::Shape, Op::Median, "of no elements");
  const auto last = static_cast<std::int64_t>(kept.size());
  const Expr sorted = sort(reducedLast(x, axes.axes), last);
  const Expr upper = reshape(sliceAxis(sorted, last, {n / 2, 1, 1}), kept);
  if (n % 2 == 1) return upper;
  const Expr lower = reshape(sliceAxis(sorted, last, {n / 2 - 1, 1, 1}), kept);
  return (lower + upper) * 0.5;
}

/// Reductions whose attributes are `keepDims, axes...` from position `skip` on.
Expr reduction(Op op, Expr x, Attrs attrs) {
  const bool hasLeading = op == Op::Var || op == Op::Std || op == Op::Norm;
  if (hasLeading && attrs.empty()) fail(ErrorCode::Argument, op, "expected attributes");
  const std::int64_t leading = hasLeading ? attrs[0] : 0;
  const ReducedAxes axes =
      parseReducedAxes(attrs.subspan(hasLeading ? 1 : 0), x.shape().size(), rowOf(op).name);
  const Shape from = x.shape();
  switch (op) {
    case Op::Mean:
      return keep(mean(x, axes), from, axes);
    case Op::Prod:
      return keep(prod(x, axes), from, axes);
    case Op::Var:
      return keep(variance(x, static_cast<double>(leading), axes), from, axes);
    case Op::Std:
      return keep(rootOrZero(variance(x, static_cast<double>(leading), axes)), from, axes);
    case Op::Norm:
      return keep(norm(x, leading, axes), from, axes);
    case Op::LogSumExp:
      return keep(logsumexp(x, axes), from, axes);
    case Op::Median:
      return keep(median(x, axes), from, axes);
    default:
      throw Error(ErrorCode::Native, std::string(rowOf(op).name) + " is no reduction");
  }
}

}  // namespace

NodeId applyComposite(Builder& builder, Op op, std::span<const NodeId> operands, Attrs attrs) {
  const auto operand = [&](std::size_t i) { return Expr{&builder, operands[i]}; };
  const auto axisOf = [&](std::size_t i) {
    requireAttrs(op, attrs, 1);
    return normalizeAxis(attrs[0], builder.shape(operands[i]).size(), rowOf(op).name);
  };
  switch (op) {
    case Op::At:
      return at(operand(0), attrs).id;
    case Op::Stack:
      return stack(builder, operands, attrs).id;
    case Op::Pad:
      return pad(builder, operands, attrs).id;
    case Op::ScatterAdd: {
      const std::int64_t axis = axisOf(0);
      const Expr x = operand(0);
      const Expr added =
          scatterSum(operand(1), operand(2), axis, x.shape()[static_cast<std::size_t>(axis)]);
      if (added.shape() != x.shape()) {
        fail(
            ErrorCode::Shape, op,
            "updates " + toString(operand(2).shape()) + " do not fit shape " + toString(x.shape()));
      }
      return (x + added).id;
    }
    case Op::Diag:
      return diag(operand(0), attrs).id;
    case Op::Tril:
    case Op::Triu:
      return triangle(op, operand(0), attrs).id;
    case Op::CumProd:
      return cumprod(operand(0), axisOf(0)).id;
    case Op::Softmax:
    case Op::LogSoftmax:
      return softmax(op, operand(0), attrs).id;
    case Op::MaskedLogSumExp:
      return maskedLogsumexp(operand(0), operand(1), attrs).id;
    case Op::Sort:
      return sort(operand(0), axisOf(0)).id;
    case Op::TakeAlongAxis:
      return takeAlongAxis(operand(0), operand(1), axisOf(0), false).id;
    case Op::Mean:
    case Op::Prod:
    case Op::Var:
    case Op::Std:
    case Op::Norm:
    case Op::LogSumExp:
    case Op::Median:
      return reduction(op, operand(0), attrs).id;
    default:
      return applyProduct(builder, op, operands, attrs);
  }
}

}  // namespace adjoint

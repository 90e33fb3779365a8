#pragma once

#include <initializer_list>
#include <vector>

#include "ops/expr.h"

/// Structural operations as functions of values, for rules and composites.
namespace adjoint::ex {

using Axes = std::vector<std::int64_t>;

/// One axis of a slice: every step-th of `count` elements from start. As one axis of a place: the
/// operand's elements stand at start, start + step, ... of an axis of `count` elements.
struct Range {
  std::int64_t start = 0;
  std::int64_t count = 0;
  std::int64_t step = 1;
};

Expr reshape(Expr x, const Shape& shape);
Expr transpose(Expr x, const Axes& axes);
Expr broadcastTo(Expr x, const Shape& shape);
Expr slice(Expr x, const std::vector<Range>& ranges);
Expr sliceAxis(Expr x, std::int64_t axis, Range range);
Expr place(Expr x, const std::vector<Range>& ranges);
Expr flip(Expr x, const Axes& axes);
Expr concat(const std::vector<Expr>& parts, std::int64_t axis);
Expr gather(Expr x, Expr indices, std::int64_t axis);
Expr scatterSum(Expr indices, Expr updates, std::int64_t axis, std::int64_t size);
Expr sum(Expr x, const Axes& axes);
/// Sum over axes, which stay with extent 1.
Expr sumKeep(Expr x, const Axes& axes);
Expr reduceMax(Expr x, const Axes& axes);
Expr reduceMin(Expr x, const Axes& axes);
Expr cumsum(Expr x, std::int64_t axis, bool reverse);
Expr linearRecurrence(Expr a, Expr b, std::int64_t axis, bool reverse);
Expr batchMatmul(Expr a, Expr b);
Expr iota(Builder& builder, std::int64_t axis, const Shape& shape);
Expr stopGradient(Expr x);
/// A constant of the operand's shape.
Expr full(const Expr& like, double value);
Expr fullBool(const Expr& like, bool value);

/// All axes of a value.
Axes allAxes(const Expr& x);
/// x with the listed axes (sorted, counted in the result) inserted with extent 1.
Expr expandAxes(Expr x, const Axes& axes);
/// Reverses a broadcast: sums over new and repeated axes.
Expr sumTo(Expr x, const Shape& shape);

}  // namespace adjoint::ex

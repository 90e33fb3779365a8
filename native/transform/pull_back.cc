#include "transform/rules.h"

namespace adjoint {

using namespace ex;

namespace {

void pullElementwise(const RuleSite& site, const Masked& yBar, const std::vector<bool>& wanted,
                     std::vector<Masked>& result) {
  const Partials partials = partialsOf(site);
  for (std::size_t i = 0; i < partials.size(); ++i) {
    if (wanted[i]) result[i] = scale(yBar, site.row(), partials[i]);
  }
}

std::vector<Masked> pullConcat(const RuleSite& site, const Masked& yBar,
                               const std::vector<bool>& wanted) {
  const std::int64_t axis = site.attrs()[0];
  std::vector<Masked> result(site.x.size());
  std::int64_t start = 0;
  for (std::size_t i = 0; i < site.x.size(); ++i) {
    const std::int64_t count = site.x[i].shape()[static_cast<std::size_t>(axis)];
    if (wanted[i]) {
      result[i] = moved(yBar, [&](Expr v) { return sliceAxis(v, axis, {start, count, 1}); });
    }
    start += count;
  }
  return result;
}

/// With lambda[i] = yBar[i] + a[i+1] lambda[i+1]: bBar = lambda, aBar[i] = lambda[i] y[i-1].
std::vector<Masked> pullRecurrence(const RuleSite& site, const Masked& yBar) {
  const std::int64_t axis = site.attrs()[0];
  const bool reverse = site.attrs()[1] != 0;
  const auto at = static_cast<std::size_t>(axis);
  const Expr coefficients = previous(site.x[0], axis, !reverse);
  const Masked lambda =
      recurrent(yBar, linearRecurrence(coefficients, settle(yBar), axis, !reverse), axis, !reverse);
  Masked aBar;
  const std::int64_t n = site.shape()[at];
  if (n > 1) {
    const Range later{reverse ? 0 : 1, n - 1, 1};
    const Range earlier{reverse ? 1 : 0, n - 1, 1};
    aBar = moved(lambda, [&](Expr v) { return sliceAxis(v, axis, later); });
    aBar.value = aBar.value * sliceAxis(site.y, axis, earlier);
    aBar.clean = aBar.always();
    std::vector<Range> ranges;
    for (const std::int64_t extent : site.shape()) ranges.push_back({0, extent, 1});
    ranges[at] = {later.start, n, 1};
    aBar = placed(aBar, ranges);
  }
  return {aBar, lambda};
}

Axes inverse(const Axes& axes) {
  Axes result(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i)
    result[static_cast<std::size_t>(axes[i])] = static_cast<std::int64_t>(i);
  return result;
}

Expr matrixTranspose(Expr x) {
  Axes axes = allAxes(x);
  std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  return transpose(x, axes);
}

/// Cotangents of the operands of a node that is not elementwise.
std::vector<Masked> pullStructural(const RuleSite& site, const Masked& yBar,
                                   const std::vector<bool>& wanted) {
  const auto& attrs = site.attrs();
  switch (opOf(site.node)) {
    case Op::Where:
      return {{},
              wanted[1] ? restrict(yBar, site.x[0]) : Masked{},
              wanted[2] ? restrict(yBar, apply(Op::LogicalNot, {site.x[0]})) : Masked{}};
    case Op::Reshape:
      return {moved(yBar, [&](Expr v) { return reshape(v, site.x[0].shape()); })};
    case Op::Transpose:
      return {moved(yBar, [&](Expr v) { return transpose(v, inverse(attrs)); })};
    case Op::BroadcastTo:
      return {summed(yBar, [&](Expr v) { return sumTo(v, site.x[0].shape()); })};
    case Op::Slice: {
      std::vector<Range> ranges = rangesOf(site);
      for (std::size_t i = 0; i < ranges.size(); ++i) ranges[i].count = site.x[0].shape()[i];
      return {placed(yBar, ranges)};
    }
    case Op::Place: {
      std::vector<Range> ranges = rangesOf(site);
      for (std::size_t i = 0; i < ranges.size(); ++i) ranges[i].count = site.x[0].shape()[i];
      return {moved(yBar, [&](Expr v) { return slice(v, ranges); })};
    }
    case Op::Flip:
      return {moved(yBar, [&](Expr v) { return flip(v, attrs); })};
    case Op::Gather: {
      const std::int64_t axis = attrs[0];
      const std::int64_t size = site.x[0].shape()[static_cast<std::size_t>(axis)];
      return {summed(yBar, [&](Expr v) { return scatterSum(site.x[1], v, axis, size); }), {}};
    }
    case Op::ScatterSum:
      return {{}, moved(yBar, [&](Expr v) { return gather(v, site.x[0], attrs[0]); })};
    case Op::Concat:
      return pullConcat(site, yBar, wanted);
    case Op::Sum:
      return {moved(yBar,
                    [&](Expr v) { return broadcastTo(expandAxes(v, attrs), site.x[0].shape()); })};
    case Op::CumSum:
      return {summed(yBar, [&](Expr v) { return cumsum(v, attrs[0], attrs[1] == 0); })};
    case Op::ReduceMax:
    case Op::ReduceMin: {
      const Extremes extremes = extremesOf(site);
      const Masked spread =
          moved(yBar, [&](Expr v) { return broadcastTo(expandAxes(v, attrs), site.x[0].shape()); });
      Masked result = restrict(spread, extremes.chosen);
      result.value = result.value * extremes.share;
      return {result};
    }
    case Op::LinearRecurrence:
      return pullRecurrence(site, yBar);
    case Op::BatchMatMul: {
      const Expr bar = settle(yBar);
      const auto columns = static_cast<std::int64_t>(site.shape().size()) - 1;
      std::vector<Masked> result(2);
      if (wanted[0])
        result[0] = mixed(yBar, batchMatmul(bar, matrixTranspose(site.x[1])), {columns});
      if (wanted[1])
        result[1] = mixed(yBar, batchMatmul(matrixTranspose(site.x[0]), bar), {columns - 1});
      return result;
    }
    default:
      throw Error(ErrorCode::NotDifferentiable,
                  std::string(site.row().name) + " has no derivative rule");
  }
}

}  // namespace

void pullBack(const RuleSite& site, const Masked& yBar, const std::vector<bool>& wanted,
              std::vector<Masked>& result) {
  result.assign(site.x.size(), {});
  if (site.row().family == Family::Elementwise) {
    pullElementwise(site, yBar, wanted, result);
  } else {
    result = pullStructural(site, yBar, wanted);
  }
}

}  // namespace adjoint

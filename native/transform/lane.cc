#include "transform/lane.h"

#include "ops/build.h"

namespace adjoint {

using namespace ex;

namespace {

/// Elements of seeds that are written down.
constexpr std::int64_t kFewSeeds = 4096;

}  // namespace

Shape withLanes(std::int64_t lanes, const Shape& shape) {
  Shape result{lanes};
  result.insert(result.end(), shape.begin(), shape.end());
  return result;
}

Expr spread(const Lane& x, std::int64_t lanes) {
  return x.batched ? x.value : broadcastTo(x.value, withLanes(lanes, x.value.shape()));
}

Expr moveAxis(Expr x, std::int64_t from, std::int64_t to) {
  Axes axes = allAxes(x);
  axes.erase(axes.begin() + from);
  axes.insert(axes.begin() + to, from);
  return transpose(x, axes);
}

Expr laneSeeds(Builder& builder, const Shape& shape, std::int64_t lanes,
               const std::vector<double>& laneOfElement) {
  const auto size = std::ssize(laneOfElement);
  if (lanes * size <= kFewSeeds) {
    std::vector<double> seeds(static_cast<std::size_t>(lanes * size), 0.0);
    for (std::int64_t i = 0; i < size; ++i) {
      const auto lane = static_cast<std::int64_t>(laneOfElement[static_cast<std::size_t>(i)]);
      if (lane >= 0) seeds[static_cast<std::size_t>(lane * size + i)] = 1;
    }
    return {&builder, builder.data(std::move(seeds), withLanes(lanes, shape))};
  }
  const Expr lane = iota(builder, 0, {lanes, size});
  const double first = laneOfElement.front();
  bool isRun = true;
  for (std::size_t i = 0; i < laneOfElement.size(); ++i)
    isRun = isRun && laneOfElement[i] == first + static_cast<double>(i);
  Expr own =
      isRun ? iota(builder, 1, {lanes, size}) : Expr{&builder, builder.data(laneOfElement, {size})};
  if (isRun && first != 0) own = own + first;
  return reshape(apply(Op::ToNumber, {apply(Op::Equal, {lane, own})}), withLanes(lanes, shape));
}

}  // namespace adjoint

#include "sparsity/add_up.h"

#include <algorithm>

#include "ops/build.h"

namespace adjoint {

namespace {

/// Sums of more elements are scattered; those of up to so many are sums of gathers, by number.
constexpr std::size_t kMaxGathered = 8;

/// The positions of the elements of every place, one place after another.
struct ByPlace {
  std::vector<std::size_t> starts;
  std::vector<std::int32_t> positions;

  std::size_t number(std::size_t place) const { return starts[place + 1] - starts[place]; }
};

ByPlace byPlace(const std::vector<std::int32_t>& places, std::size_t count) {
  ByPlace result{std::vector<std::size_t>(count + 1, 0), {}};
  for (const std::int32_t place : places) ++result.starts[static_cast<std::size_t>(place) + 1];
  for (std::size_t i = 0; i < count; ++i) result.starts[i + 1] += result.starts[i];
  result.positions.resize(places.size());
  std::vector<std::size_t> next(result.starts.begin(), result.starts.end() - 1);
  for (std::size_t i = 0; i < places.size(); ++i)
    result.positions[next[static_cast<std::size_t>(places[i])]++] = static_cast<std::int32_t>(i);
  return result;
}

Expr gathered(Expr list, std::vector<double> positions) {
  const auto count = static_cast<std::int64_t>(positions.size());
  return ex::gather(list, {list.builder, list.builder->data(std::move(positions), {count})}, 0);
}

/// Sums of `number` elements each.
Expr sumOfGathers(Expr list, const ByPlace& of, const std::vector<std::size_t>& own,
                  std::size_t number) {
  using ex::operator+;
  Expr sum{};
  for (std::size_t k = 0; k < number; ++k) {
    std::vector<double> from;
    for (const std::size_t place : own) from.push_back(of.positions[of.starts[place] + k]);
    const Expr term = gathered(list, std::move(from));
    sum = k == 0 ? term : sum + term;
  }
  return sum;
}

/// Sums of many elements.
Expr scattered(Expr list, const ByPlace& of, const std::vector<std::size_t>& own) {
  std::vector<double> from, to;
  for (std::size_t i = 0; i < own.size(); ++i) {
    const std::size_t first = of.starts[own[i]], last = of.starts[own[i] + 1];
    from.insert(from.end(), of.positions.begin() + static_cast<std::ptrdiff_t>(first),
                of.positions.begin() + static_cast<std::ptrdiff_t>(last));
    to.insert(to.end(), last - first, static_cast<double>(i));
  }
  const auto total = static_cast<std::int64_t>(to.size());
  const Expr indices{list.builder, list.builder->data(std::move(to), {total})};
  return ex::scatterSum(indices, gathered(list, std::move(from)), 0,
                        static_cast<std::int64_t>(own.size()));
}

}  // namespace

Expr addUp(Expr list, const std::vector<std::int32_t>& places, std::int64_t count) {
  if (static_cast<std::int64_t>(places.size()) == count) {
    std::vector<double> positions(places.size());
    for (std::size_t i = 0; i < places.size(); ++i)
      positions[static_cast<std::size_t>(places[i])] = static_cast<double>(i);
    return gathered(list, std::move(positions));
  }
  const ByPlace of = byPlace(places, static_cast<std::size_t>(count));
  std::vector<std::vector<std::size_t>> groups(kMaxGathered + 2);
  for (std::size_t place = 0; place + 1 < of.starts.size(); ++place)
    groups[std::min(of.number(place), kMaxGathered + 1)].push_back(place);
  std::vector<Expr> parts = {list};
  std::vector<double> positions(static_cast<std::size_t>(count));
  for (const std::size_t place : groups[1]) positions[place] = of.positions[of.starts[place]];
  auto next = static_cast<std::int64_t>(places.size());
  for (std::size_t number = 2; number < groups.size(); ++number) {
    const std::vector<std::size_t>& own = groups[number];
    if (own.empty()) continue;
    for (const std::size_t place : own) positions[place] = static_cast<double>(next++);
    parts.push_back(number > kMaxGathered ? scattered(list, of, own)
                                          : sumOfGathers(list, of, own, number));
  }
  return gathered(parts.size() == 1 ? list : ex::concat(parts, 0), std::move(positions));
}

}  // namespace adjoint

#include "exec/alias.h"

#include <algorithm>

namespace adjoint::exec {

void Intervals::close() {
  for (auto& list : lists_) {
    std::sort(list.begin(), list.end(),
              [](const Interval& x, const Interval& y) { return x.from < y.from; });
    for (std::size_t i = 1; i < list.size(); ++i) list[i].to = std::max(list[i].to, list[i - 1].to);
  }
}

bool Intervals::overlaps(Base base, std::int64_t from, std::int64_t to) const {
  const auto& list = lists_[static_cast<int>(base)];
  // Of the intervals that begin before `to`, the last one knows how far any of them reaches.
  const auto after =
      std::lower_bound(list.begin(), list.end(), to,
                       [](const Interval& x, std::int64_t value) { return x.from < value; });
  return after != list.begin() && (after - 1)->to > from;
}

}  // namespace adjoint::exec

#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace adjoint {

/// Calls `found` with the vertices of each strongly connected component of a directed graph, after
/// those that edges lead to from it (R. E. Tarjan, Depth-first search and linear graph algorithms,
/// 1972). `successors(v)` is a span of vertices.
template <class Successors, class Found>
void visitComponents(std::int32_t vertices, Successors successors, Found found) {
  struct Frame {
    std::int32_t vertex;
    std::size_t next;
  };
  constexpr std::int32_t kDone = INT32_MAX;
  // By vertex: 0, or its number in the order of the search; the least number that it leads to.
  std::vector<std::int32_t> number(static_cast<std::size_t>(vertices), 0), least = number;
  std::vector<std::int32_t> path;
  std::vector<Frame> frames;
  std::int32_t last = 0;
  const auto enter = [&](std::int32_t v) {
    number[static_cast<std::size_t>(v)] = least[static_cast<std::size_t>(v)] = ++last;
    path.push_back(v);
    frames.push_back({v, 0});
  };
  for (std::int32_t root = 0; root < vertices; ++root) {
    if (number[static_cast<std::size_t>(root)] == 0) enter(root);
    while (!frames.empty()) {
      const std::int32_t v = frames.back().vertex;
      std::int32_t& own = least[static_cast<std::size_t>(v)];
      const std::span<const std::int32_t> to = successors(v);
      if (frames.back().next < to.size()) {
        const std::int32_t w = to[frames.back().next++];
        if (number[static_cast<std::size_t>(w)] == 0) {
          enter(w);
        } else {
          own = std::min(own, number[static_cast<std::size_t>(w)]);
        }
        continue;
      }
      frames.pop_back();
      const std::int32_t reached = own;
      if (reached == number[static_cast<std::size_t>(v)]) {
        const auto first = std::find(path.rbegin(), path.rend(), v).base() - 1;
        found(std::span<const std::int32_t>(first, path.end()));
        for (auto it = first; it != path.end(); ++it) number[static_cast<std::size_t>(*it)] = kDone;
        path.erase(first, path.end());
      }
      if (!frames.empty()) {
        std::int32_t& below = least[static_cast<std::size_t>(frames.back().vertex)];
        below = std::min(below, reached);
      }
    }
  }
}

}  // namespace adjoint

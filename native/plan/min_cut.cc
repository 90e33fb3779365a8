#include "plan/min_cut.h"

#include <algorithm>

namespace adjoint {

void MinCut::addEdge(std::size_t from, std::size_t to, std::int64_t capacity) {
  const auto add = [&](std::size_t a, std::size_t b, std::int64_t c) {
    edges_.push_back({static_cast<std::uint32_t>(b), first_[a], c});
    first_[a] = static_cast<std::uint32_t>(edges_.size() - 1);
  };
  add(from, to, capacity);
  add(to, from, 0);
}

bool MinCut::findLevels(std::size_t source, std::size_t sink) {
  level_.assign(first_.size(), kNone);
  std::vector<std::uint32_t> queue = {static_cast<std::uint32_t>(source)};
  level_[source] = 0;
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const std::uint32_t v = queue[i];
    for (std::uint32_t e = first_[v]; e != kNone; e = edges_[e].next) {
      const Edge& edge = edges_[e];
      if (edge.capacity == 0 || level_[edge.to] != kNone) continue;
      level_[edge.to] = level_[v] + 1;
      queue.push_back(edge.to);
    }
  }
  return level_[sink] != kNone;
}

/// One path from level to level; edges that lead nowhere are passed once.
bool MinCut::augment(std::size_t source, std::size_t sink) {
  std::vector<std::uint32_t> path;
  auto v = static_cast<std::uint32_t>(source);
  while (v != sink) {
    std::uint32_t& e = at_[v];
    while (e != kNone && (edges_[e].capacity == 0 || level_[edges_[e].to] != level_[v] + 1))
      e = edges_[e].next;
    if (e != kNone) {
      path.push_back(e);
      v = edges_[e].to;
      continue;
    }
    if (path.empty()) return false;
    v = edges_[path.back() ^ 1].to;
    at_[v] = edges_[path.back()].next;
    path.pop_back();
  }
  std::int64_t flow = kInfinite;
  for (const std::uint32_t e : path) flow = std::min(flow, edges_[e].capacity);
  for (const std::uint32_t e : path) {
    edges_[e].capacity -= flow;
    edges_[e ^ 1].capacity += flow;
  }
  return true;
}

std::vector<bool> MinCut::solve(std::size_t source, std::size_t sink) {
  while (findLevels(source, sink)) {
    at_ = first_;
    while (augment(source, sink)) {
    }
  }
  std::vector<bool> isWithSource;
  for (const std::uint32_t level : level_) isWithSource.push_back(level != kNone);
  return isWithSource;
}

}  // namespace adjoint

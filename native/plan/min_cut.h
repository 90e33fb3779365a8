#pragma once

#include <cstdint>
#include <vector>

namespace adjoint {

/// A cut of least capacity between two vertices of a directed graph (E. A. Dinic, Algorithm for
/// solution of a problem of maximum flow in networks with power estimation, 1970).
class MinCut {
 public:
  static constexpr std::int64_t kInfinite = std::int64_t{1} << 40;

  explicit MinCut(std::size_t vertices) : first_(vertices, kNone) {}

  void addEdge(std::size_t from, std::size_t to, std::int64_t capacity);
  /// By vertex, whether it is on the source's side.
  std::vector<bool> solve(std::size_t source, std::size_t sink);

 private:
  static constexpr std::uint32_t kNone = 0xffffffffu;
  struct Edge {
    std::uint32_t to, next;
    std::int64_t capacity;
  };

  bool findLevels(std::size_t source, std::size_t sink);
  bool augment(std::size_t source, std::size_t sink);

  std::vector<Edge> edges_;  ///< each followed by its reverse
  std::vector<std::uint32_t> first_, level_, at_;
};

}  // namespace adjoint

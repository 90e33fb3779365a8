#include "coloring/ordering.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <queue>
#include <tuple>

#include "coloring/bucket_queue.h"

namespace adjoint::coloring {

namespace {

class DistanceOne {
 public:
  static constexpr bool kBeginsWithLargest = true;
  explicit DistanceOne(const Pattern& pattern) : pattern_(pattern) {}

  Index vertices() const { return pattern_.rows(); }
  Index unvisited(Index) const { return 0; }
  template <class IsLeft, class Visit>
  void neighbors(Index v, IsLeft, Visit visit) {
    for (const Index w : pattern_.row(v)) {
      if (w != v) visit(w);
    }
  }

 private:
  const Pattern& pattern_;
};

/// Vertices that meet in a line: columns in a row, or vertices in the neighborhood of another.
/// Where kIsClosed, lines are vertices and belong to themselves, whether the pattern says so or
/// not.
template <bool kIsClosed>
class DistanceTwo {
 public:
  static constexpr bool kBeginsWithLargest = false;
  DistanceTwo(const Pattern& linesOf, const Pattern& verticesOf)
      : linesOf_(linesOf),
        verticesOf_(verticesOf),
        visited_(static_cast<std::size_t>(linesOf.rows()), 0) {
    // The longest length of lines that can all be walked for each of their vertices.
    std::vector<std::int64_t> ofLength(static_cast<std::size_t>(verticesOf.columns()) + 1, 0);
    for (Index line = 0; line < verticesOf.rows(); ++line) ++ofLength[length(line)];
    std::int64_t steps = std::max(kLeastSteps, kStepsPerNonzero * verticesOf.nonzeros());
    for (Index n = 0; n <= verticesOf.columns(); ++n) {
      steps -= ofLength[n] * n * n;
      if (steps < 0) break;
      longest_ = n;
    }
  }

  Index vertices() const { return linesOf_.rows(); }
  /// Neighbors that neighbors() leaves out, some of them counted more than once.
  Index unvisited(Index v) const {
    std::int64_t count = 0;
    for (const Index line : linesOf_.row(v)) {
      if (length(line) > longest_) count += length(line) - 1;
    }
    return static_cast<Index>(std::min<std::int64_t>(count, vertices()));
  }
  template <class IsLeft, class Visit>
  void neighbors(Index v, IsLeft, Visit found) {
    // Kept in registers, which members are not while vertices are marked.
    const std::uint32_t visit = ++visit_;
    std::uint32_t* const visited = visited_.data();
    const Index longest = longest_, *const start = verticesOf_.rowStart().data();
    const Index* const vertex = verticesOf_.columnIndex().data();
    visited[v] = visit;
    const auto see = [&](Index w) {
      if (visited[w] == visit) return;
      visited[w] = visit;
      found(w);
    };
    const auto walk = [&](Index line) {
      const Index begin = start[line], end = start[line + 1];
      if (end - begin > longest) return;
      for (Index k = begin; k < end; ++k) see(vertex[k]);
      if (kIsClosed) see(line);
    };
    for (const Index line : linesOf_.row(v)) walk(line);
    if (kIsClosed) walk(v);
  }

 private:
  static constexpr std::int64_t kStepsPerNonzero = 256, kLeastSteps = std::int64_t{1} << 26;

  Index length(Index line) const { return static_cast<Index>(verticesOf_.row(line).size()); }

  const Pattern& linesOf_;
  const Pattern& verticesOf_;
  Index longest_ = 0;
  std::uint32_t visit_ = 0;
  std::vector<std::uint32_t> visited_;  ///< by vertex, the last visit_ that came to it
};

/// Vertices at distance one or two through others that are left.
class DistanceTwoAmongLeft {
 public:
  static constexpr bool kBeginsWithLargest = true;
  explicit DistanceTwoAmongLeft(const Pattern& pattern)
      : pattern_(pattern), visited_(static_cast<std::size_t>(pattern.rows()), 0) {}

  Index vertices() const { return pattern_.rows(); }
  Index unvisited(Index) const { return 0; }
  template <class IsLeft, class Visit>
  void neighbors(Index v, IsLeft isLeft, Visit found) {
    const std::uint32_t visit = ++visit_;
    visited_[v] = visit;
    const auto see = [&](Index w) {
      if (visited_[w] == visit || !isLeft(w)) return;
      visited_[w] = visit;
      found(w);
    };
    for (const Index u : pattern_.row(v)) {
      if (u == v || !isLeft(u)) continue;
      see(u);
      for (const Index w : pattern_.row(u)) see(w);
    }
  }

 private:
  const Pattern& pattern_;
  std::uint32_t visit_ = 0;
  std::vector<std::uint32_t> visited_;  ///< by vertex, the last visit_ that came to it
};

template <class Neighbors>
std::vector<Index> degrees(Neighbors& graph) {
  std::vector<Index> result(static_cast<std::size_t>(graph.vertices()));
  for (Index v = 0; v < graph.vertices(); ++v) {
    Index degree = 0;
    graph.neighbors(v, [](Index) { return true; }, [&](Index) { ++degree; });
    result[v] = std::min(degree + graph.unvisited(v), graph.vertices());
  }
  return result;
}

Index largestOf(const std::vector<Index>& degree) {
  return degree.empty() ? 0 : *std::max_element(degree.begin(), degree.end());
}

std::vector<Index> natural(Index vertices) {
  std::vector<Index> order(static_cast<std::size_t>(vertices));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

std::vector<Index> largestFirst(const std::vector<Index>& degree) {
  const auto n = static_cast<Index>(degree.size());
  std::vector<Index> start(degree.size() + 2, 0);
  for (const Index d : degree) ++start[n - d + 1];
  for (std::size_t i = 1; i < start.size(); ++i) start[i] += start[i - 1];
  std::vector<Index> order(degree.size());
  for (Index v = 0; v < n; ++v) order[start[n - degree[v]]++] = v;
  return order;
}

/// Takes the vertex of least or largest degree among those that are left.
template <bool kLeast, class Neighbors>
std::vector<Index> byDegreeLeft(Neighbors& graph, const std::vector<Index>& degree, Ties ties) {
  const Index n = graph.vertices();
  BucketQueue queue(n, largestOf(degree));
  for (Index i = 0; i < n; ++i) {
    const Index v = ties == Ties::LastOnes ? i : n - 1 - i;
    queue.insert(v, degree[v]);
  }
  const auto isLeft = [&](Index w) { return queue.contains(w); };
  std::vector<Index> order;
  order.reserve(degree.size());
  while (!queue.isEmpty()) {
    const Index v = kLeast ? queue.least() : queue.largest();
    queue.remove(v);
    order.push_back(v);
    graph.neighbors(v, isLeft, [&](Index w) {
      if (queue.contains(w)) queue.change(w, queue.key(w) - 1);
    });
  }
  return order;
}

template <class Neighbors>
std::vector<Index> incidenceDegree(Neighbors& graph, const std::vector<Index>& degree) {
  // Of equal ones the last one to come is taken first.
  std::vector<Index> coming = natural(graph.vertices());
  if (Neighbors::kBeginsWithLargest && !coming.empty())
    std::iter_swap(std::max_element(degree.begin(), degree.end()) - degree.begin() + coming.begin(),
                   coming.end() - 1);
  BucketQueue queue(graph.vertices(), largestOf(degree));
  for (const Index v : coming) queue.insert(v, 0);
  const auto isLeft = [&](Index w) { return queue.contains(w); };
  std::vector<Index> order;
  order.reserve(degree.size());
  while (!queue.isEmpty()) {
    const Index v = queue.largest();
    queue.remove(v);
    order.push_back(v);
    graph.neighbors(v, isLeft, [&](Index w) {
      if (queue.contains(w)) queue.change(w, queue.key(w) + 1);
    });
  }
  return order;
}

/// The order in which a greedy coloring takes them; as numbered, once one needs a 65th color.
template <class Neighbors>
std::vector<Index> saturationDegree(Neighbors& graph, const std::vector<Index>& degree) {
  struct Entry {
    int colors;
    Index degree, vertex;
    bool operator<(const Entry& other) const {
      return std::tie(colors, degree, other.vertex) < std::tie(other.colors, other.degree, vertex);
    }
  };
  const Index n = graph.vertices();
  std::vector<std::uint64_t> seen(degree.size(), 0);  ///< colors of neighbors
  std::vector<bool> isLeft(degree.size(), true);
  std::priority_queue<Entry> queue;
  for (Index v = 0; v < n; ++v) queue.push({0, degree[v], v});
  std::vector<Index> order;
  order.reserve(degree.size());
  while (!queue.empty()) {
    const auto [colors, ownDegree, v] = queue.top();
    queue.pop();
    if (!isLeft[v] || colors != std::popcount(seen[v])) continue;
    const int color = std::countr_one(seen[v]);
    if (color == 64) break;
    isLeft[v] = false;
    order.push_back(v);
    const std::uint64_t bit = std::uint64_t{1} << color;
    graph.neighbors(
        v, [&](Index w) { return isLeft[w]; },
        [&](Index w) {
          if (!isLeft[w] || (seen[w] & bit) != 0) return;
          seen[w] |= bit;
          queue.push({std::popcount(seen[w]), degree[w], w});
        });
  }
  for (Index v = 0; v < n; ++v) {
    if (isLeft[v]) order.push_back(v);
  }
  return order;
}

/// Fisher and Yates with numbers of SplitMix64 (G. L. Steele, D. Lea and C. H. Flood, Fast
/// splittable pseudorandom number generators, 2014).
std::vector<Index> shuffled(Index vertices, std::uint64_t seed) {
  std::vector<Index> order = natural(vertices);
  for (Index i = vertices; i-- > 1;) {
    seed += 0x9e3779b97f4a7c15u;
    std::uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    const std::uint64_t pick = ((z >> 32) * (static_cast<std::uint64_t>(i) + 1)) >> 32;
    std::swap(order[i], order[pick]);
  }
  return order;
}

template <class Neighbors>
std::vector<Index> ordering(Neighbors graph, Order order, std::uint64_t seed, Ties ties) {
  if (order == Order::Natural) return natural(graph.vertices());
  if (order == Order::Random) return shuffled(graph.vertices(), seed);
  const std::vector<Index> degree = degrees(graph);
  if (order == Order::LargestFirst) return largestFirst(degree);
  if (order == Order::IncidenceDegree) return incidenceDegree(graph, degree);
  if (order == Order::SaturationDegree) return saturationDegree(graph, degree);
  if (order == Order::DynamicLargestFirst) return byDegreeLeft<false>(graph, degree, ties);
  std::vector<Index> result = byDegreeLeft<true>(graph, degree, ties);
  std::reverse(result.begin(), result.end());
  return result;
}

}  // namespace

std::vector<Index> distanceOneOrdering(const AdjacencyGraph& graph, Order order,
                                       std::uint64_t seed) {
  return ordering(DistanceOne(graph.pattern()), order, seed, Ties::LastOnes);
}

std::vector<Index> distanceTwoOrdering(const AdjacencyGraph& graph, Order order, std::uint64_t seed,
                                       Ties ties) {
  const Pattern& pattern = graph.pattern();
  if (graph.hasWholeDiagonal())
    return ordering(DistanceTwo<false>(pattern, pattern), order, seed, ties);
  return ordering(DistanceTwo<true>(pattern, pattern), order, seed, ties);
}

std::vector<Index> distanceTwoOrderingAmongLeft(const AdjacencyGraph& graph, Order order) {
  return ordering(DistanceTwoAmongLeft(graph.pattern()), order, 0, Ties::LastOnes);
}

std::vector<Index> columnOrdering(const BipartiteGraph& graph, Order order, std::uint64_t seed,
                                  Ties ties) {
  return ordering(DistanceTwo<false>(graph.byColumn(), graph.byRow()), order, seed, ties);
}

std::vector<Index> rowOrdering(const BipartiteGraph& graph, Order order, std::uint64_t seed,
                               Ties ties) {
  return ordering(DistanceTwo<false>(graph.byRow(), graph.byColumn()), order, seed, ties);
}

}  // namespace adjoint::coloring

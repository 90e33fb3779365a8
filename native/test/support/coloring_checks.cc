#include "test/support/coloring_checks.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace adjoint::testing {

using coloring::Bicoloring;
using coloring::Coloring;
using coloring::Index;
using coloring::kNoColor;
using coloring::Pattern;

namespace {

std::string at(const char* what, Index i, Index j) {
  return std::string(what) + " at " + std::to_string(i) + ", " + std::to_string(j);
}

std::string wrongInRange(const Coloring& coloring, Index vertices) {
  if (coloring.colors.size() != static_cast<std::size_t>(vertices)) return "number of vertices";
  std::set<Index> found;
  for (const Index c : coloring.colors) {
    if (c < kNoColor || c >= coloring.count) return "color out of range";
    if (c != kNoColor) found.insert(c);
  }
  return found.size() == static_cast<std::size_t>(coloring.count) ? "" : "a color of no vertex";
}

bool isColored(const Coloring& coloring, Index v) { return coloring.colors[v] != kNoColor; }

std::string wrongInNeighbors(const Pattern& pattern, const Coloring& coloring) {
  for (Index i = 0; i < pattern.rows(); ++i) {
    for (const Index j : pattern.row(i)) {
      if (i != j && isColored(coloring, i) && coloring.colors[i] == coloring.colors[j])
        return at("neighbors of one color", i, j);
      if (!isColored(coloring, i) && !isColored(coloring, j)) return at("no colors", i, j);
    }
  }
  return wrongInRange(coloring, pattern.rows());
}

}  // namespace

std::string wrongInColumns(const Pattern& pattern, const Coloring& columns) {
  for (Index i = 0; i < pattern.rows(); ++i) {
    std::set<Index> seen;
    for (const Index j : pattern.row(i)) {
      if (!isColored(columns, j)) return at("no color", i, j);
      if (!seen.insert(columns.colors[j]).second) return at("columns of one color", i, j);
    }
  }
  return wrongInRange(columns, pattern.columns());
}

std::string wrongAtDistanceTwo(const Pattern& pattern, const Coloring& coloring) {
  for (Index i = 0; i < pattern.rows(); ++i) {
    for (const Index j : pattern.row(i)) {
      if (!isColored(coloring, i)) return at("no color", i, j);
      if (i != j && coloring.colors[i] == coloring.colors[j]) return at("distance one", i, j);
      for (const Index k : pattern.row(j)) {
        if (k != i && coloring.colors[i] == coloring.colors[k]) return at("distance two", i, k);
      }
    }
  }
  return wrongInRange(coloring, pattern.rows());
}

std::string wrongInStar(const Pattern& pattern, const Coloring& coloring) {
  const std::vector<Index>& colors = coloring.colors;
  for (Index b = 0; b < pattern.rows(); ++b) {
    if (!isColored(coloring, b)) continue;
    for (const Index c : pattern.row(b)) {
      if (b == c || !isColored(coloring, c)) continue;
      for (const Index a : pattern.row(b)) {
        if (a == c || a == b || colors[a] != colors[c]) continue;
        for (const Index d : pattern.row(c)) {
          if (d != b && d != c && d != a && colors[d] == colors[b])
            return at("a path of two colors", a, d);
        }
      }
    }
  }
  return wrongInNeighbors(pattern, coloring);
}

std::string wrongInAcyclic(const Pattern& pattern, const Coloring& coloring) {
  const std::vector<Index>& colors = coloring.colors;
  std::map<std::pair<Index, Index>, std::vector<std::pair<Index, Index>>> edges;
  for (Index i = 0; i < pattern.rows(); ++i) {
    for (const Index j : pattern.row(i)) {
      if (i < j && isColored(coloring, i) && isColored(coloring, j))
        edges[std::minmax(colors[i], colors[j])].push_back({i, j});
    }
  }
  for (const auto& [pair, list] : edges) {
    std::map<Index, Index> parent;
    const auto find = [&](Index v) {
      while (parent.try_emplace(v, v).first->second != v) v = parent[v];
      return v;
    };
    for (const auto& [i, j] : list) {
      const Index a = find(i), b = find(j);
      if (a == b) return at("a cycle of two colors", i, j);
      parent[a] = b;
    }
  }
  return wrongInNeighbors(pattern, coloring);
}

std::string wrongInBicoloring(const Pattern& pattern, const Bicoloring& bicoloring) {
  const auto& [rows, columns] = bicoloring;
  const Pattern transposed = pattern.transposed();
  const auto isAlone = [](const Coloring& coloring, std::span<const Index> line, Index v) {
    return isColored(coloring, v) && std::count_if(line.begin(), line.end(), [&](Index w) {
                                       return coloring.colors[w] == coloring.colors[v];
                                     }) == 1;
  };
  for (Index i = 0; i < pattern.rows(); ++i) {
    for (const Index j : pattern.row(i)) {
      if (!isAlone(columns, pattern.row(i), j) && !isAlone(rows, transposed.row(j), i))
        return at("not determined", i, j);
    }
  }
  const std::string wrong = wrongInRange(rows, pattern.rows());
  return wrong.empty() ? wrongInRange(columns, pattern.columns()) : wrong;
}

}  // namespace adjoint::testing

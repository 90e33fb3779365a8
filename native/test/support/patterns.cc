#include "test/support/patterns.h"

#include <algorithm>
#include <random>

namespace adjoint::testing {

namespace {

class Entries {
 public:
  void add(Index i, Index j) {
    rows_.push_back(i);
    columns_.push_back(j);
  }
  Pattern pattern(Index rows, Index columns) const {
    return Pattern::fromEntries(rows, columns, rows_, columns_);
  }

 private:
  std::vector<Index> rows_, columns_;
};

}  // namespace

Pattern gridPattern(Index nx, Index ny, Index nz) {
  Entries entries;
  const auto at = [&](Index x, Index y, Index z) { return (z * ny + y) * nx + x; };
  for (Index z = 0; z < nz; ++z) {
    for (Index y = 0; y < ny; ++y) {
      for (Index x = 0; x < nx; ++x) {
        const Index i = at(x, y, z);
        entries.add(i, i);
        if (x > 0) entries.add(i, at(x - 1, y, z));
        if (x + 1 < nx) entries.add(i, at(x + 1, y, z));
        if (y > 0) entries.add(i, at(x, y - 1, z));
        if (y + 1 < ny) entries.add(i, at(x, y + 1, z));
        if (z > 0) entries.add(i, at(x, y, z - 1));
        if (z + 1 < nz) entries.add(i, at(x, y, z + 1));
      }
    }
  }
  return entries.pattern(nx * ny * nz, nx * ny * nz);
}

Pattern bandPattern(Index n, Index half) {
  Entries entries;
  for (Index i = 0; i < n; ++i) {
    for (Index j = std::max(0, i - half); j <= std::min(n - 1, i + half); ++j) entries.add(i, j);
  }
  return entries.pattern(n, n);
}

Pattern arrowPattern(Index n) { return starPattern(n - 1, 0, true); }

Pattern starPattern(Index leaves, Index hub, bool hasDiagonal) {
  Entries entries;
  for (Index i = 0; i <= leaves; ++i) {
    if (hasDiagonal) entries.add(i, i);
    if (i == hub) continue;
    entries.add(i, hub);
    entries.add(hub, i);
  }
  return entries.pattern(leaves + 1, leaves + 1);
}

Pattern brusselatorPattern(Index n) {
  Entries entries;
  const auto at = [&](Index x, Index y, Index species) {
    return (species * n + (y + n) % n) * n + (x + n) % n;
  };
  for (Index s = 0; s < 2; ++s) {
    for (Index y = 0; y < n; ++y) {
      for (Index x = 0; x < n; ++x) {
        const Index i = at(x, y, s);
        for (const Index j : {at(x, y, 0), at(x, y, 1), at(x - 1, y, s), at(x + 1, y, s),
                              at(x, y - 1, s), at(x, y + 1, s)})
          entries.add(i, j);
      }
    }
  }
  return entries.pattern(2 * n * n, 2 * n * n);
}

Pattern randomPattern(Index rows, Index columns, double perRow, std::uint64_t seed) {
  Entries entries;
  std::mt19937_64 engine(seed);
  if (rows > 0 && columns > 0) {
    const auto below = [&](Index n) {
      return static_cast<Index>(engine() % static_cast<std::uint64_t>(n));
    };
    const auto count = static_cast<std::int64_t>(perRow * rows);
    for (std::int64_t k = 0; k < count; ++k) {
      const Index i = below(rows);
      entries.add(i, below(columns));
    }
  }
  return entries.pattern(rows, columns);
}

Pattern symmetrized(const Pattern& pattern, bool hasDiagonal) {
  Entries entries;
  for (Index i = 0; i < pattern.rows(); ++i) {
    if (hasDiagonal) entries.add(i, i);
    for (const Index j : pattern.row(i)) {
      if (i == j) continue;
      entries.add(i, j);
      entries.add(j, i);
    }
  }
  return entries.pattern(pattern.rows(), pattern.rows());
}

}  // namespace adjoint::testing

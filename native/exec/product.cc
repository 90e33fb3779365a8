// The kernel of products of matrices.
#include "exec/product.h"

#include "exec/block.h"
#include "exec/transpose.h"

namespace adjoint::exec {

namespace {

using simd::kLanes;
using simd::V;

#if defined(__AVX512F__)
constexpr int kRows = 8, kVectors = 3;
#elif defined(__aarch64__)
constexpr int kRows = 4, kVectors = 4;
#else
constexpr int kRows = 4, kVectors = 3;
#endif
static_assert(kProductRows % kRows == 0);
constexpr std::int64_t kColumns = kVectors * kLanes;

inline V madd(V a, V b, V c) {
  if constexpr (kFusedProducts) return simd::fma(a, b, c);
  return a * b + c;
}

/// What is in the spans of some rows or between them.
template <int R>
Span hull(const Span* spans, const std::int64_t (&row)[R]) {
  Span result = spans[row[0]];
  for (int r = 1; r < R; ++r) {
    result.first = std::min(result.first, spans[row[r]].first);
    result.last = std::max(result.last, spans[row[r]].last);
  }
  return result;
}

/// `count` neighbors, at most a vector of them.
inline V loadSome(const double* from, std::int64_t count) {
  return count >= kLanes ? simd::load(from) : simd::loadPart(from, static_cast<std::size_t>(count));
}
inline void storeSome(double* to, V v, std::int64_t count) {
  if (count >= kLanes) return simd::store(to, v);
  simd::storePart(to, v, static_cast<std::size_t>(count));
}

/// R rows and `columns` columns of them; b has NV vectors of columns next to each other.
template <int R, int NV>
inline void tile(const Product& p, const std::int64_t (&row)[R], const double* b,
                 std::int64_t bTerm, std::int64_t column, std::int64_t columns) {
  const std::int64_t corner = column * p.cColumn;
  const bool areNeighbors = p.cColumn == 1;
  alignas(64) double some[NV * kLanes] = {};
  V acc[R][NV];
  for (int r = 0; r < R; ++r) {
    if (p.start != nullptr) {
      const double* from = p.start + corner + row[r] * p.cRow;
      if (!areNeighbors)
        for (std::int64_t j = 0; j < columns; ++j) some[j] = from[j * p.cColumn];
      for (int j = 0; j < NV; ++j)
        acc[r][j] = areNeighbors ? loadSome(from + j * kLanes, columns - j * kLanes)
                                 : simd::load(some + j * kLanes);
    } else {
      for (int j = 0; j < NV; ++j) acc[r][j] = V{};
    }
  }
  Span terms{0, p.k};
  if (p.nonzero != nullptr) {
    terms = hull(p.nonzero, row);
    terms.first = std::clamp<std::int64_t>(terms.first - p.origin, 0, p.k);
    terms.last = std::min(terms.last - p.origin, p.k);
  }
  const double* a[R];
  for (int r = 0; r < R; ++r) a[r] = p.a + row[r] * p.aRow;
  for (std::int64_t t = terms.first; t < terms.last; ++t) {
    V y[NV];
    for (int j = 0; j < NV; ++j) y[j] = simd::load(b + t * bTerm + j * kLanes);
    for (int r = 0; r < R; ++r) {
      const V x = simd::splat(a[r][t * p.aTerm]);
      for (int j = 0; j < NV; ++j) acc[r][j] = madd(x, y[j], acc[r][j]);
    }
  }
  for (int r = 0; r < R; ++r) {
    double* to = p.c + corner + row[r] * p.cRow;
    if (areNeighbors) {
      for (int j = 0; j < NV; ++j) {
        double* at = to + j * kLanes;
        const std::int64_t count = columns - j * kLanes;
        storeSome(at, p.adds ? loadSome(at, count) + acc[r][j] : acc[r][j], count);
      }
      continue;
    }
    for (int j = 0; j < NV; ++j) simd::store(some + j * kLanes, acc[r][j]);
    for (std::int64_t j = 0; j < columns; ++j)
      to[j * p.cColumn] = p.adds ? to[j * p.cColumn] + some[j] : some[j];
  }
}

/// As many rows as `next` gives the numbers of.
template <int NV, class Next>
void tiles(const Product& p, std::int64_t count, Next next, const double* b, std::int64_t bTerm,
           std::int64_t column, std::int64_t columns) {
  const auto step = [&]<int R>() {
    for (; count >= R; count -= R) {
      std::int64_t row[R];
      for (int r = 0; r < R; ++r) row[r] = next();
      tile<R, NV>(p, row, b, bTerm, column, columns);
    }
  };
  step.template operator()<kRows>();
  if constexpr (kRows > 4) step.template operator()<4>();
  step.template operator()<2>();
  step.template operator()<1>();
}

/// Rows of which no more is read than some vectors: those of as many vectors together.
template <int NV>
void neededRows(const Product& p, const double* b, std::int64_t bTerm, std::int64_t column,
                std::int64_t columns) {
  const auto vectors = [&](std::int64_t i) {
    return std::min<std::int64_t>(NV, (p.needed[i].last - column + kLanes - 1) / kLanes);
  };
  const auto some = [&]<int Vectors>() {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < p.m; ++i) count += vectors(i) == Vectors;
    std::int64_t i = -1;
    const auto next = [&] {
      do {
        ++i;
      } while (vectors(i) != Vectors);
      return i;
    };
    tiles<Vectors>(p, count, next, b, bTerm, column,
                   std::min<std::int64_t>(columns, Vectors * kLanes));
  };
  some.template operator()<1>();
  if constexpr (NV > 1) some.template operator()<2>();
  if constexpr (NV > 2) some.template operator()<3>();
  if constexpr (NV > 3) some.template operator()<4>();
}

template <int NV>
void rows(const Product& p, const double* b, std::int64_t bTerm, std::int64_t column,
          std::int64_t columns) {
  if (p.needed != nullptr) return neededRows<NV>(p, b, bTerm, column, columns);
  std::int64_t i = 0;
  tiles<NV>(p, p.m, [&] { return i++; }, b, bTerm, column, columns);
}

void columnsOf(const Product& p, const double* b, std::int64_t bTerm, std::int64_t column,
               std::int64_t columns) {
  const std::int64_t vectors = (columns + kLanes - 1) / kLanes;
  if (vectors == 1) return rows<1>(p, b, bTerm, column, columns);
  if (vectors == 2) return rows<2>(p, b, bTerm, column, columns);
  if (vectors == 3) return rows<3>(p, b, bTerm, column, columns);
  if constexpr (kVectors == 4) rows<4>(p, b, bTerm, column, columns);
}

void pack(const Product& p, std::int64_t column, std::int64_t columns, double* to) {
  const std::int64_t width = roundUp(columns, kLanes);
  const double* b = p.b + column * p.bColumn;
  for (std::int64_t j = columns; j < width; ++j)
    for (std::int64_t t = 0; t < p.k; ++t) to[t * width + j] = 0;
  if (p.bColumn == 1) {
    for (std::int64_t t = 0; t < p.k; ++t)
      for (std::int64_t j = 0; j < columns; ++j) to[t * width + j] = b[t * p.bTerm + j];
    return;
  }
  std::int64_t j = 0;
  if (p.bTerm == 1) {
    for (; j + 4 <= columns; j += 4) {
      const double* x = b + j * p.bColumn;
      transposeFour({x, x + p.bColumn, x + 2 * p.bColumn, x + 3 * p.bColumn}, p.k, to + j, width);
    }
  }
  for (; j < columns; ++j)
    for (std::int64_t t = 0; t < p.k; ++t) to[t * width + j] = b[t * p.bTerm + j * p.bColumn];
}

bool isFinite(const double* b, std::int64_t n) {
  V sum{};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const V x = simd::load(b + i);
    sum = sum + (x - x);
  }
  double rest = 0;
  for (; i < n; ++i) rest += b[i] - b[i];
  for (int lane = 0; lane < kLanes; ++lane) rest += sum[lane];
  return rest == 0;
}

}  // namespace

void multiplyChain(Product p, double* packed) {
  const Span* const nonzero = p.nonzero;
  for (std::int64_t column = 0; column < p.n; column += kColumns) {
    const std::int64_t columns = std::min(kColumns, p.n - column);
    const bool direct =
        p.bColumn == 1 && columns % kLanes == 0 && p.m <= 4 * kRows && nonzero == nullptr;
    if (!direct) pack(p, column, columns, packed);
    // Zero times infinity or NaN is NaN: then no term may be left out.
    const bool skips = nonzero != nullptr && isFinite(packed, p.k * roundUp(columns, kLanes));
    p.nonzero = skips ? nonzero : nullptr;
    columnsOf(p, direct ? p.b + column : packed, direct ? p.bTerm : roundUp(columns, kLanes),
              column, columns);
  }
}

std::int64_t packedDoubles() { return kProductChain * ((kColumns + 7) / 8 * 8); }

/// Few columns: the transposed product, so that vectors run along the longer side. A product of two
/// numbers is the same either way round.
void turn(Product& p) {
  if (p.n >= p.m || p.n >= kLanes) return;
  p.nonzero = p.needed = nullptr;
  std::swap(p.m, p.n);
  std::swap(p.a, p.b);
  std::swap(p.aRow, p.bColumn);
  std::swap(p.aTerm, p.bTerm);
  std::swap(p.cRow, p.cColumn);
}

}  // namespace adjoint::exec

#include <algorithm>

#include "exec/library.h"
#include "exec/transpose.h"
#include "ops/math/vec.h"
#include "ops/order.h"

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
constexpr std::int64_t kColumns = kVectors * kLanes;

inline V madd(V a, V b, V c) {
  if constexpr (kFusedProducts) return simd::fma(a, b, c);
  return a * b + c;
}
inline double madd(double a, double b, double c) {
  if constexpr (kFusedProducts) return __builtin_fma(a, b, c);
  return a * b + c;
}

/// One chain of a product of matrices with strides: c = start + a b, or what c is plus that.
struct Product {
  std::int64_t m, n, k;
  const double* a;
  std::int64_t aRow, aTerm;
  const double* b;
  std::int64_t bTerm, bColumn;
  double* c;
  std::int64_t cRow, cColumn;
  const double* start = nullptr;  ///< laid out like c; null: zeros
  bool adds = false;              ///< the chain's result is added to c
  const Span* nonzero = nullptr;  ///< by row of a, counted from term `origin`
  const Span* needed = nullptr;   ///< by row of c
  std::int64_t origin = 0;

  /// The chain that begins at a term of this product.
  Product chain(std::int64_t from) const {
    Product result = *this;
    result.k = std::min(kProductChain, k - from);
    result.a += from * aTerm;
    result.b += from * bTerm;
    result.origin = from;
    return result;
  }
};

/// What is in one of R spans or between them.
template <int R>
Span hull(const Span* spans) {
  Span result = spans[0];
  for (int r = 1; r < R; ++r) {
    result.first = std::min(result.first, spans[r].first);
    result.last = std::max(result.last, spans[r].last);
  }
  return result;
}

/// Rows i .. i + R - 1 and `columns` columns; b has NV vectors of columns next to each other.
template <int R, int NV>
inline void tile(const Product& p, std::int64_t i, const double* b, std::int64_t bTerm,
                 std::int64_t column, std::int64_t columns) {
  const std::int64_t corner = i * p.cRow + column * p.cColumn;
  const bool isWhole = p.cColumn == 1 && columns == NV * kLanes;
  alignas(64) double row[NV * kLanes] = {};
  V acc[R][NV];
  for (int r = 0; r < R; ++r) {
    if (p.start != nullptr) {
      const double* from = p.start + corner + r * p.cRow;
      if (!isWhole)
        for (std::int64_t j = 0; j < columns; ++j) row[j] = from[j * p.cColumn];
      for (int j = 0; j < NV; ++j) acc[r][j] = simd::load((isWhole ? from : row) + j * kLanes);
    } else {
      for (int j = 0; j < NV; ++j) acc[r][j] = V{};
    }
  }
  Span terms{0, p.k};
  if (p.nonzero != nullptr) {
    terms = hull<R>(p.nonzero + i);
    terms.first = std::clamp<std::int64_t>(terms.first - p.origin, 0, p.k);
    terms.last = std::min(terms.last - p.origin, p.k);
  }
  const double* a = p.a + i * p.aRow + terms.first * p.aTerm;
  b += terms.first * bTerm;
  for (std::int64_t t = terms.first; t < terms.last; ++t) {
    V y[NV];
    for (int j = 0; j < NV; ++j) y[j] = simd::load(b + j * kLanes);
    for (int r = 0; r < R; ++r) {
      const V x = simd::splat(a[r * p.aRow]);
      for (int j = 0; j < NV; ++j) acc[r][j] = madd(x, y[j], acc[r][j]);
    }
    a += p.aTerm;
    b += bTerm;
  }
  for (int r = 0; r < R; ++r) {
    double* to = p.c + corner + r * p.cRow;
    if (isWhole) {
      for (int j = 0; j < NV; ++j) {
        double* at = to + j * kLanes;
        simd::store(at, p.adds ? simd::load(at) + acc[r][j] : acc[r][j]);
      }
      continue;
    }
    for (int j = 0; j < NV; ++j) simd::store(row + j * kLanes, acc[r][j]);
    for (std::int64_t j = 0; j < columns; ++j)
      to[j * p.cColumn] = p.adds ? to[j * p.cColumn] + row[j] : row[j];
  }
}

template <int NV>
void rows(const Product& p, const double* b, std::int64_t bTerm, std::int64_t column,
          std::int64_t columns) {
  std::int64_t i = 0;
  const auto step = [&]<int R>() {
    for (; i + R <= p.m; i += R) {
      if (p.needed == nullptr) {
        tile<R, NV>(p, i, b, bTerm, column, columns);
        continue;
      }
      // As few vectors as hold what is read.
      const std::int64_t end = hull<R>(p.needed + i).last - column;
      if (end <= 0) continue;
      if (NV > 2 && end <= 2 * kLanes) {
        end <= kLanes
            ? tile<R, 1>(p, i, b, bTerm, column, std::min<std::int64_t>(columns, kLanes))
            : tile<R, 2>(p, i, b, bTerm, column, std::min<std::int64_t>(columns, 2 * kLanes));
      } else {
        tile<R, NV>(p, i, b, bTerm, column, columns);
      }
    }
  };
  step.template operator()<kRows>();
  if constexpr (kRows > 4) step.template operator()<4>();
  step.template operator()<2>();
  step.template operator()<1>();
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

/// One chain by tiles.
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

/// All chains, in groups of kSumChunk terms; a group's sum is made in `group` before it is added.
bool multiply(const Product& p, double* packed, double* group, const RunContext& context) {
  std::int64_t polled = 0;
  for (std::int64_t from = 0; from < p.k; from += kProductChain) {
    Product chain = p.chain(from);
    if (from >= kSumChunk) chain.c = group;
    chain.adds = from % kSumChunk != 0;
    multiplyChain(chain, packed);
    const std::int64_t end = from + chain.k;
    if (from >= kSumChunk && (end == p.k || end % kSumChunk == 0))
      for (std::int64_t i = 0; i < p.m * p.n; ++i) p.c[i] += group[i];
    polled += chain.k * p.n * p.m;
    if (polled > (std::int64_t{1} << 20)) {
      if (stopped(context)) return false;
      polled = 0;
    }
  }
  return true;
}

/// Adds results of chains in their order.
class ChainSum {
 public:
  void add(std::int64_t from, double chain) {
    if (from % kSumChunk == 0) {
      if (from > 0) total_ = result(from);
      group_ = chain;
    } else {
      group_ += chain;
    }
  }
  double result(std::int64_t terms) const { return terms <= kSumChunk ? group_ : total_ + group_; }

 private:
  double total_ = 0, group_ = 0;
};

/// Several chains at once, one a scalar: `count` chains of `terms`, chain i from a + i * aStep and
/// b + i * bStep.
template <int N>
inline void chains(std::int64_t terms, const double* a, std::int64_t aStep, std::int64_t aTerm,
                   const double* b, std::int64_t bStep, std::int64_t bTerm, double* out) {
  double acc[N] = {};
  for (std::int64_t t = 0; t < terms; ++t) {
    for (int i = 0; i < N; ++i)
      acc[i] = madd(a[i * aStep + t * aTerm], b[i * bStep + t * bTerm], acc[i]);
  }
  for (int i = 0; i < N; ++i) out[i] = acc[i];
}

/// One element of c: its chains side by side, their results added in order.
double longDot(std::int64_t k, const double* a, std::int64_t aTerm, const double* b,
               std::int64_t bTerm) {
  ChainSum sum;
  double part[8];
  std::int64_t from = 0;
  const auto group = [&]<int N>(std::int64_t terms) {
    chains<N>(terms, a + from * aTerm, kProductChain * aTerm, aTerm, b + from * bTerm,
              kProductChain * bTerm, bTerm, part);
    for (int i = 0; i < N; ++i) sum.add(from + i * kProductChain, part[i]);
    from += N * terms;
  };
  while (k - from >= 8 * kProductChain) group.template operator()<8>(kProductChain);
  if (k - from >= 4 * kProductChain) group.template operator()<4>(kProductChain);
  if (k - from >= 2 * kProductChain) group.template operator()<2>(kProductChain);
  if (k - from >= kProductChain) group.template operator()<1>(kProductChain);
  if (k > from) group.template operator()<1>(k - from);
  return sum.result(k);
}

/// One row of c whose columns of b are contiguous in k: columns side by side, nothing packed.
bool rowByColumns(const Product& p, const RunContext& context) {
  double part[8];
  std::int64_t polled = 0;
  for (std::int64_t i = 0; i < p.m; ++i) {
    const double* a = p.a + i * p.aRow;
    double* c = p.c + i * p.cRow;
    std::int64_t j = 0;
    for (; j + 8 <= p.n; j += 8) {
      ChainSum sums[8];
      for (std::int64_t from = 0; from < p.k; from += kProductChain) {
        chains<8>(std::min(kProductChain, p.k - from), a + from * p.aTerm, 0, p.aTerm,
                  p.b + j * p.bColumn + from * p.bTerm, p.bColumn, p.bTerm, part);
        for (int l = 0; l < 8; ++l) sums[l].add(from, part[l]);
      }
      for (int l = 0; l < 8; ++l) c[(j + l) * p.cColumn] = sums[l].result(p.k);
      polled += p.k * 8;
      if (polled > (std::int64_t{1} << 20)) {
        if (stopped(context)) return false;
        polled = 0;
      }
    }
    for (; j < p.n; ++j) c[j * p.cColumn] = longDot(p.k, a, p.aTerm, p.b + j * p.bColumn, p.bTerm);
  }
  return true;
}

constexpr std::int64_t kPacked = kProductChain * ((kColumns + 7) / 8 * 8);

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

}  // namespace

std::int64_t matMulScratch(const MatMulStep& step) {
  return kPacked + (step.k > kSumChunk ? step.m * step.n : 0);
}

bool runMatMul(const Plan& plan, const MatMulStep& step, const RunContext& context) noexcept {
  const double* a = bufferAt(plan, step.a.buffer, context) + step.a.offset;
  const double* b = bufferAt(plan, step.b.buffer, context) + step.b.offset;
  double* c = bufferAt(plan, step.c, context);
  const std::int64_t size = step.m * step.n;
  if (step.k == 0) {
    std::fill_n(c, step.batch * size, 0.0);
    return true;
  }
  for (std::int64_t i = 0; i < step.batch; ++i) {
    Product p{step.m,
              step.n,
              step.k,
              a + i * step.a.stride[0],
              step.a.stride[1],
              step.a.stride[2],
              b + i * step.b.stride[0],
              step.b.stride[1],
              step.b.stride[2],
              c + i * size,
              step.n,
              1};
    if (!step.nonzero.empty()) p.nonzero = step.nonzero.data() + i * step.m;
    if (!step.needed.empty()) p.needed = step.needed.data() + i * step.m;
    turn(p);
    const bool thin = p.n < kLanes / 2 || (p.m <= 2 && p.bColumn != 1);
    if (thin ? !rowByColumns(p, context)
             : !multiply(p, context.scratch, context.scratch + kPacked, context))
      return false;
    if ((i & 63) == 63 && stopped(context)) return false;
  }
  return true;
}

std::int64_t outerProductScratch() { return kPacked; }

void addOuterProducts(const OuterProducts& shape, std::int64_t lanes, const double* a,
                      const double* b, const double* start, double* c, bool adds, double* scratch) {
  const std::int64_t size = shape.m * shape.n;
  for (std::int64_t i = 0; i < shape.batch; ++i) {
    Product p{shape.m, shape.n, lanes, a, shape.stride, 1, b, 1, shape.stride, c, shape.n, 1};
    p.start = start;
    p.adds = adds;
    if (shape.needed != nullptr) p.needed = shape.needed + i * shape.m;
    turn(p);
    multiplyChain(p, scratch);
    a += shape.m * shape.stride;
    b += shape.n * shape.stride;
    c += size;
    if (start != nullptr) start += size;
  }
}

}  // namespace adjoint::exec

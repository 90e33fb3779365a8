#include <algorithm>

#include "exec/library.h"
#include "exec/transpose.h"
#include "ops/math/vec.h"
#include "ops/order.h"

namespace adjoint::exec {
namespace {

using simd::kLanes;
using simd::V;

constexpr std::int64_t kPanelColumns =
    480;  ///< of b packed at once: 480 KiB, for the second-level cache

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

/// A matrix product with strides; a, b and c of one batch element.
struct Product {
  std::int64_t m, n, k;
  const double* a;
  std::int64_t aRow, aTerm;
  const double* b;
  std::int64_t bTerm, bColumn;
  double* c;
  std::int64_t cRow, cColumn;
};

/// kRows x kVectors accumulators over one chain; adds to c unless it is the first one.
template <int R, int NV>
inline void tile(std::int64_t terms, const double* a, std::int64_t aRow, std::int64_t aTerm,
                 const double* b, std::int64_t bTerm, double* c, std::int64_t cRow,
                 std::int64_t cColumn, std::int64_t columns, bool first) {
  V acc[R][NV];
  for (int i = 0; i < R; ++i)
    for (int j = 0; j < NV; ++j) acc[i][j] = V{};
  for (std::int64_t t = 0; t < terms; ++t) {
    V y[NV];
    for (int j = 0; j < NV; ++j) y[j] = simd::load(b + j * kLanes);
    for (int i = 0; i < R; ++i) {
      const V x = simd::splat(a[i * aRow]);
      for (int j = 0; j < NV; ++j) acc[i][j] = madd(x, y[j], acc[i][j]);
    }
    a += aTerm;
    b += bTerm;
  }
  if (cColumn == 1 && columns == NV * kLanes) {
    for (int i = 0; i < R; ++i) {
      for (int j = 0; j < NV; ++j) {
        double* to = c + i * cRow + j * kLanes;
        simd::store(to, first ? acc[i][j] : simd::load(to) + acc[i][j]);
      }
    }
    return;
  }
  alignas(64) double row[NV * kLanes];
  for (int i = 0; i < R; ++i) {
    for (int j = 0; j < NV; ++j) simd::store(row + j * kLanes, acc[i][j]);
    double* to = c + i * cRow;
    for (std::int64_t j = 0; j < columns; ++j)
      to[j * cColumn] = first ? row[j] : to[j * cColumn] + row[j];
  }
}

template <int NV>
void rows(const Product& p, std::int64_t from, std::int64_t terms, const double* b,
          std::int64_t bTerm, std::int64_t column, std::int64_t columns) {
  const bool first = from == 0;
  std::int64_t i = 0;
  const auto step = [&]<int R>() {
    for (; i + R <= p.m; i += R) {
      tile<R, NV>(terms, p.a + i * p.aRow + from * p.aTerm, p.aRow, p.aTerm, b, bTerm,
                  p.c + i * p.cRow + column * p.cColumn, p.cRow, p.cColumn, columns, first);
    }
  };
  step.template operator()<kRows>();
  if constexpr (kRows > 4) step.template operator()<4>();
  step.template operator()<2>();
  step.template operator()<1>();
}

void columnsOf(const Product& p, std::int64_t from, std::int64_t terms, const double* b,
               std::int64_t bTerm, std::int64_t column, std::int64_t columns) {
  const std::int64_t vectors = (columns + kLanes - 1) / kLanes;
  if (vectors == 1) return rows<1>(p, from, terms, b, bTerm, column, columns);
  if (vectors == 2) return rows<2>(p, from, terms, b, bTerm, column, columns);
  if (vectors == 3) return rows<3>(p, from, terms, b, bTerm, column, columns);
  if constexpr (kVectors == 4) rows<4>(p, from, terms, b, bTerm, column, columns);
}

void pack(const Product& p, std::int64_t from, std::int64_t terms, std::int64_t column,
          std::int64_t columns, double* to) {
  const std::int64_t width = roundUp(columns, kLanes);
  const double* b = p.b + from * p.bTerm + column * p.bColumn;
  for (std::int64_t j = columns; j < width; ++j)
    for (std::int64_t t = 0; t < terms; ++t) to[t * width + j] = 0;
  if (p.bColumn == 1) {
    for (std::int64_t t = 0; t < terms; ++t)
      for (std::int64_t j = 0; j < columns; ++j) to[t * width + j] = b[t * p.bTerm + j];
    return;
  }
  std::int64_t j = 0;
#if defined(__AVX2__)
  if (p.bTerm == 1) {
    for (; j + 4 <= columns; j += 4)
      transposeFour(b + j * p.bColumn, p.bColumn, terms, to + j, width);
  }
#endif
  for (; j < columns; ++j)
    for (std::int64_t t = 0; t < terms; ++t) to[t * width + j] = b[t * p.bTerm + j * p.bColumn];
}

bool multiply(const Product& p, double* scratch, const RunContext& context) {
  std::int64_t polled = 0;
  for (std::int64_t from = 0; from < p.k; from += kProductChain) {
    const std::int64_t terms = std::min(kProductChain, p.k - from);
    for (std::int64_t panel = 0; panel < p.n; panel += kPanelColumns) {
      const std::int64_t end = std::min(p.n, panel + kPanelColumns);
      for (std::int64_t column = panel; column < end; column += kColumns) {
        const std::int64_t columns = std::min(kColumns, end - column);
        const double* b = p.b + from * p.bTerm + column;
        std::int64_t bTerm = p.bTerm;
        const bool direct = p.bColumn == 1 && columns % kLanes == 0 && p.m <= 4 * kRows;
        if (!direct) {
          pack(p, from, terms, column, columns, scratch);
          b = scratch;
          bTerm = roundUp(columns, kLanes);
        }
        columnsOf(p, from, terms, b, bTerm, column, columns);
        polled += terms * columns * p.m;
        if (polled > (std::int64_t{1} << 20)) {
          if (stopped(context)) return false;
          polled = 0;
        }
      }
    }
  }
  return true;
}

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
  double sum = 0;
  double part[8];
  std::int64_t from = 0;
  const auto group = [&]<int N>(std::int64_t terms) {
    chains<N>(terms, a + from * aTerm, kProductChain * aTerm, aTerm, b + from * bTerm,
              kProductChain * bTerm, bTerm, part);
    for (int i = 0; i < N; ++i) sum = from == 0 && i == 0 ? part[0] : sum + part[i];
    from += N * terms;
  };
  while (k - from >= 8 * kProductChain) group.template operator()<8>(kProductChain);
  if (k - from >= 4 * kProductChain) group.template operator()<4>(kProductChain);
  if (k - from >= 2 * kProductChain) group.template operator()<2>(kProductChain);
  if (k - from >= kProductChain) group.template operator()<1>(kProductChain);
  if (k > from) group.template operator()<1>(k - from);
  return sum;
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
      for (std::int64_t from = 0; from < p.k; from += kProductChain) {
        chains<8>(std::min(kProductChain, p.k - from), a + from * p.aTerm, 0, p.aTerm,
                  p.b + j * p.bColumn + from * p.bTerm, p.bColumn, p.bTerm, part);
        for (int l = 0; l < 8; ++l) {
          double& to = c[(j + l) * p.cColumn];
          to = from == 0 ? part[l] : to + part[l];
        }
      }
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

}  // namespace

std::int64_t matMulScratch(const MatMulStep&) { return kProductChain * roundUp(kColumns, 8); }

bool runMatMul(const Plan& plan, const MatMulStep& step, const RunContext& context) noexcept {
  const double* a = bufferAt(plan, step.a.buffer, context) + step.a.offset;
  const double* b = bufferAt(plan, step.b.buffer, context) + step.b.offset;
  double* c = bufferAt(plan, step.c, context);
  const std::int64_t size = step.m * step.n;
  if (step.k == 0) {
    for (std::int64_t i = 0; i < step.batch * size; ++i) c[i] = 0;
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
    // Few columns: the transposed product, so that vectors run along the longer side. A product of
    // two numbers is the same either way round.
    if (p.n < p.m && p.n < kLanes) {
      p = {p.n, p.m, p.k, p.b, p.bColumn, p.bTerm, p.a, p.aTerm, p.aRow, p.c, 1, step.n};
    }
    const bool thin = p.n < kLanes / 2 || (p.m <= 2 && p.bColumn != 1);
    if (thin ? !rowByColumns(p, context) : !multiply(p, context.scratch, context)) return false;
    if ((i & 63) == 63 && stopped(context)) return false;
  }
  return true;
}

}  // namespace adjoint::exec

// The kernel of products of matrices that differ from lane to lane.
#include "exec/block.h"
#include "exec/product.h"

namespace adjoint::exec {

namespace {

using simd::kLanes;
using simd::V;

static_assert(MatMulStep::kLaneVector % kLanes == 0);

/// Results in registers beside a column of a's rows and one of b.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRows = 4, kColumns = 6;
#else
constexpr int kRows = 3, kColumns = 4;
#endif
/// Lanes whose columns of b are packed together: two lines of a cache.
constexpr std::int64_t kGroup = 16;

inline V madd(V a, V b, V c) {
  if constexpr (kFusedProducts) return simd::fma(a, b, c);
  return a * b + c;
}

/// What a group of lanes reads and writes.
struct Group {
  const MatMulStep& step;
  const double* a;
  const double* b;
  double* c;
  std::int64_t lanes;
};

/// R rows and C columns of c, for all lanes of the group; packed [k, C, lanes].
template <int R, int C>
void tile(const Group& g, std::int64_t row, std::int64_t column, const double* packed) {
  const MatMulStep& s = g.step;
  const std::int64_t aRow = s.a.stride[1], aTerm = s.a.stride[2], width = C * g.lanes;
  for (std::int64_t lane = 0; lane < g.lanes; lane += kLanes) {
    V acc[R][C] = {};
    const double* a = g.a + row * aRow + lane;
    const double* b = packed + lane;
    for (std::int64_t t = 0; t < s.k; ++t, a += aTerm, b += width) {
      V y[R];
      for (int i = 0; i < R; ++i) y[i] = simd::load(a + i * aRow);
      for (int j = 0; j < C; ++j) {
        const V x = simd::load(b + j * g.lanes);
        for (int i = 0; i < R; ++i) acc[i][j] = madd(y[i], x, acc[i][j]);
      }
    }
    for (int i = 0; i < R; ++i) {
      for (int j = 0; j < C; ++j)
        simd::store(g.c + ((row + i) * s.n + column + j) * s.batch + lane, acc[i][j]);
    }
  }
}

/// C columns of c. Rows of b are at distances that may be large powers of two, which fall on few
/// sets of a cache.
template <int C>
void columns(const Group& g, std::int64_t column, double* packed) {
  const MatMulStep& s = g.step;
  double* to = packed;
  for (std::int64_t t = 0; t < s.k; ++t) {
    for (int j = 0; j < C; ++j, to += g.lanes) {
      const double* from = g.b + t * s.b.stride[1] + (column + j) * s.b.stride[2];
      for (std::int64_t lane = 0; lane < g.lanes; lane += kLanes)
        simd::store(to + lane, simd::load(from + lane));
    }
  }
  std::int64_t row = 0;
  for (; row + kRows <= s.m; row += kRows) tile<kRows, C>(g, row, column, packed);
  const auto rest = [&]<int R>() {
    if (s.m - row == R) tile<R, C>(g, row, column, packed);
  };
  rest.template operator()<1>();
  rest.template operator()<2>();
  if constexpr (kRows > 3) rest.template operator()<3>();
}

}  // namespace

std::int64_t packedLaneDoubles(std::int64_t k) { return k * kColumns * kGroup; }

void multiplyLanes(const MatMulStep& step, const double* a, const double* b, double* c,
                   double* packed) {
  for (std::int64_t lane = 0; lane < step.batch; lane += kGroup) {
    const Group g{step, a + lane, b + lane, c + lane, std::min(kGroup, step.batch - lane)};
    std::int64_t column = 0;
    for (; column + kColumns <= step.n; column += kColumns) columns<kColumns>(g, column, packed);
    const auto rest = [&]<int C>() {
      if (step.n - column == C) columns<C>(g, column, packed);
    };
    rest.template operator()<1>();
    rest.template operator()<2>();
    rest.template operator()<3>();
    if constexpr (kColumns > 4) {
      rest.template operator()<4>();
      rest.template operator()<5>();
    }
  }
}

}  // namespace adjoint::exec

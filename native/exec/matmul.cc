#include <algorithm>

#include "exec/library.h"
#include "exec/product.h"

namespace adjoint::exec {

namespace {

inline double madd(double a, double b, double c) {
  if constexpr (kFusedProducts) return __builtin_fma(a, b, c);
  return a * b + c;
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

}  // namespace

std::int64_t matMulScratch(const MatMulStep& step) {
  return packedDoubles() + (step.k > kSumChunk ? step.m * step.n : 0);
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
    const bool thin = p.n < simd::kLanes / 2 || (p.m <= 2 && p.bColumn != 1);
    if (thin ? !rowByColumns(p, context)
             : !multiply(p, context.scratch, context.scratch + packedDoubles(), context))
      return false;
    if ((i & 63) == 63 && stopped(context)) return false;
  }
  return true;
}

std::int64_t outerProductScratch() { return packedDoubles(); }

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

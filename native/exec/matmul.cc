#include <algorithm>

#include "exec/library.h"
#include "exec/pool.h"
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
  if (step.isOfLanes) return packedLaneDoubles(step.k);
  return packedDoubles() + (step.k > kSumChunk ? step.m * step.n : 0);
}

namespace {

/// Fewer multiplications are not worth a second thread.
constexpr std::int64_t kManyMultiplications = std::int64_t{1} << 21;
/// Rows of a piece are a multiple of this: every piece packs the other operand again.
constexpr std::int64_t kPieceRows = 4 * kProductRows;

/// A step's products, whole or by rows: what threads take.
class MatMulRun {
 public:
  MatMulRun(const Plan& plan, const MatMulStep& step, const RunContext& context)
      : step_(step),
        context_(context),
        a_(bufferAt(plan, step.a.buffer, context) + step.a.offset),
        b_(bufferAt(plan, step.b.buffer, context) + step.b.offset),
        c_(bufferAt(plan, step.c, context)) {}

  bool run(unsigned most) {
    if (most > 1 && matMulThreads(step_) > 1) {
      cut();
      const auto threads = static_cast<unsigned>(std::min<std::int64_t>(most, chunks()));
      if (threads > 1) {
        const auto run = [this](unsigned worker, std::int64_t number) {
          return chunk(worker, number);
        };
        return Pool::shared().run(chunks(), threads, run) || !stopped(context_);
      }
    }
    for (std::int64_t i = 0; i < step_.batch; ++i) {
      const Product p = product(i);
      if (!compute(p, context_.scratch)) return false;
      if ((i & 63) == 63 && stopped(context_)) return false;
    }
    return true;
  }

 private:
  Product product(std::int64_t i) const {
    const MatMulStep& s = step_;
    Product p{s.m,
              s.n,
              s.k,
              a_ + i * s.a.stride[0],
              s.a.stride[1],
              s.a.stride[2],
              b_ + i * s.b.stride[0],
              s.b.stride[1],
              s.b.stride[2],
              c_ + i * s.m * s.n,
              s.n,
              1};
    if (!s.nonzero.empty()) p.nonzero = s.nonzero.data() + i * s.m;
    if (!s.needed.empty()) p.needed = s.needed.data() + i * s.m;
    turn(p);
    return p;
  }

  bool compute(const Product& p, double* scratch) const {
    const bool thin = p.n < simd::kLanes / 2 || (p.m <= 2 && p.bColumn != 1);
    return thin ? rowByColumns(p, context_)
                : multiply(p, scratch, scratch + packedDoubles(), context_);
  }

  /// Rows of a piece, whole tiles of them. Sums of groups of chains are of whole products.
  void cut() {
    const Product p = product(0);
    const std::int64_t least = std::max<std::int64_t>(1, (kManyMultiplications / 8) / (p.n * p.k));
    rows_ = step_.k > kSumChunk ? p.m : std::min(p.m, roundUp(least, kPieceRows));
    perProduct_ = (p.m + rows_ - 1) / rows_;
  }
  std::int64_t chunks() const { return step_.batch * perProduct_; }

  bool chunk(unsigned worker, std::int64_t number) const {
    Product p = product(number / perProduct_);
    const std::int64_t from = number % perProduct_ * rows_;
    p.m = std::min(rows_, p.m - from);
    p.a += from * p.aRow;
    p.c += from * p.cRow;
    if (p.nonzero != nullptr) p.nonzero += from;
    if (p.needed != nullptr) p.needed += from;
    return compute(p, context_.scratchOf(worker, matMulScratch(step_)));
  }

  const MatMulStep& step_;
  const RunContext& context_;
  const double* const a_;
  const double* const b_;
  double* const c_;
  std::int64_t rows_ = 0, perProduct_ = 1;
};

}  // namespace

std::int64_t matMulThreads(const MatMulStep& step) {
  const std::int64_t longer = std::max(step.m, step.n);
  if (step.isOfLanes || longer == 0 || step.batch * step.m * step.n * step.k < kManyMultiplications)
    return 1;
  return step.batch * ((longer + kPieceRows - 1) / kPieceRows);
}

bool runMatMul(const Plan& plan, const MatMulStep& step, const RunContext& context) noexcept {
  if (step.k == 0) {
    std::fill_n(bufferAt(plan, step.c, context), step.batch * step.m * step.n, 0.0);
    return true;
  }
  if (step.isOfLanes) {
    multiplyLanes(step, bufferAt(plan, step.a.buffer, context) + step.a.offset,
                  bufferAt(plan, step.b.buffer, context) + step.b.offset,
                  bufferAt(plan, step.c, context), context.scratch);
    return true;
  }
  const unsigned threads = context.control == nullptr ? 1 : context.control->threads;
  return MatMulRun(plan, step, context).run(threads);
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

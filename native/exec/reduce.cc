#include "exec/reduce.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "exec/reduce_ops.h"

namespace adjoint::exec {
namespace {

std::int64_t termsAt(const ReduceShape& shape, int level) {
  std::int64_t n = shape.terms;
  for (int l = 0; l < level; ++l) n = (n + kSumChunk - 1) / kSumChunk;
  return n;
}

/// p[j] += p[j+8], += p[j+4], += p[j+2], += p[j+1], for rows of `width`.
template <class F>
void tree(double* p, std::int64_t width) {
  if (width == 1) {
    Partials all;
    all.load(p);
    p[0] = all.tree<F>();
    return;
  }
  for (std::int64_t half = kSumLanes / 2; half > 0; half /= 2)
    combine<F>(p, p + half * width, half * width);
}

/// A whole row of chunk results is the next term of the level above.
template <class F>
void pushRow(const ReduceShape& shape, ReduceState& state, int level, const double* row) {
  for (;; ++level) {
    const std::int64_t width = state.width;
    double* acc = state.accumulators + level * kSumLanes * width;
    const std::int64_t terms = termsAt(shape, level);
    std::int64_t& taken = state.taken[level];
    const std::int64_t start = taken - taken % kSumChunk;
    const std::int64_t length = std::min(kSumChunk, terms - start);
    const std::int64_t position = taken - start;
    const bool sequential = length <= kSumLanes;
    double* to = acc + (sequential ? 0 : (position % kSumLanes) * width);
    if (position == 0 || (!sequential && position < kSumLanes)) {
      std::memcpy(to, row, static_cast<std::size_t>(width) * sizeof(double));
    } else {
      combine<F>(to, row, width);
    }
    ++taken;
    if (position + 1 < length) return;
    if (!sequential) tree<F>(acc, width);
    if (taken == terms && terms <= kSumChunk) {
      writeResults(shape, state.results, state.kept, acc, width);
      return;
    }
    row = acc;
  }
}

/// Chunk done at level 0: fold it and pass it on. True when a kept row is whole.
template <class F>
void finishChunk(const ReduceShape& shape, ReduceState& state, bool sequential) {
  double* acc = state.accumulators;
  if (!sequential) tree<F>(acc, state.width);
  if (shape.terms <= kSumChunk) {
    writeResults(shape, state.results, state.kept, acc, state.width);
  } else {
    pushRow<F>(shape, state, 1, acc);
  }
  if (state.taken[0] == shape.terms) {
    for (std::int64_t& taken : state.taken) taken = 0;
    state.kept += state.width;
  }
}

/// Rows of R terms, whole ones only; returns how many points were taken.
template <class F, int R>
void shortRows(double* out, const double* x, std::int64_t rows, std::int64_t terms) {
  const std::int64_t length = R > 0 ? R : terms;
  for (std::int64_t a = 0; a < rows; ++a) {
    double acc = x[a * length];
    for (std::int64_t i = 1; i < length; ++i) acc = F::apply(acc, x[a * length + i]);
    out[a] = acc;
  }
}

template <class F>
std::int64_t feedShortRows(const ReduceShape& shape, ReduceState& state, const double* x,
                           std::int64_t n) {
  std::int64_t done = 0;
  alignas(64) double buffer[64];
  while (n - done >= shape.terms) {
    const std::int64_t rows = std::min<std::int64_t>(64, (n - done) / shape.terms);
    double* out = shape.contiguous ? state.results + state.kept : buffer;
    switch (shape.terms) {
      case 2:
        shortRows<F, 2>(out, x + done, rows, 2);
        break;
      case 3:
        shortRows<F, 3>(out, x + done, rows, 3);
        break;
      case 4:
        shortRows<F, 4>(out, x + done, rows, 4);
        break;
      default:
        shortRows<F, 0>(out, x + done, rows, shape.terms);
        break;
    }
    if (!shape.contiguous) writeResults(shape, state.results, state.kept, buffer, rows);
    state.kept += rows;
    done += rows * shape.terms;
  }
  return done;
}

/// Whole rows of 17 to 4096 terms; returns how many points were taken.
template <class F>
std::int64_t feedRows(const ReduceShape& shape, ReduceState& state, const double* x,
                      std::int64_t n) {
  const std::int64_t terms = shape.terms;
  const std::int64_t groups = terms / kSumLanes;
  const int rest = static_cast<int>(terms % kSumLanes);
  double buffer[64];
  std::int64_t done = 0;
  while (n - done >= terms) {
    const std::int64_t rows = std::min<std::int64_t>(64, (n - done) / terms);
    double* out = shape.contiguous ? state.results + state.kept : buffer;
    for (std::int64_t r = 0; r < rows; ++r) {
      const double* row = x + done + r * terms;
      Partials p;
      p.load(row);
      for (std::int64_t g = 1; g < groups; ++g) p.add<F>(row + g * kSumLanes);
      p.addSome<F>(row + groups * kSumLanes, rest);
      out[r] = p.tree<F>();
    }
    if (!shape.contiguous) writeResults(shape, state.results, state.kept, buffer, rows);
    state.kept += rows;
    done += rows * terms;
  }
  return done;
}

/// Adds whole groups of 16 terms to 16 partials held in registers.
template <class F>
void addGroups(double* acc, const double* x, std::int64_t groups) {
  Partials p;
  p.load(acc);
  for (std::int64_t g = 0; g < groups; ++g) p.add<F>(x + g * kSumLanes);
  p.store(acc);
}

template <class F>
void feed(const ReduceShape& shape, ReduceState& state, const double* x, std::int64_t n) {
  const std::int64_t width = state.width;
  double* const acc = state.accumulators;
  while (n > 0) {
    std::int64_t& taken = state.taken[0];
    if (width == 1 && taken == 0 && shape.terms <= kSumChunk && n >= shape.terms) {
      const std::int64_t done = shape.terms <= kSumLanes ? feedShortRows<F>(shape, state, x, n)
                                                         : feedRows<F>(shape, state, x, n);
      x += done;
      n -= done;
      continue;
    }
    const std::int64_t start = taken - taken % kSumChunk;
    const std::int64_t length = std::min(kSumChunk, shape.terms - start);
    const std::int64_t position = taken - start;
    const bool sequential = length <= kSumLanes;
    std::int64_t run;
    double* to;
    bool first;
    if (sequential) {
      to = acc + state.column;
      run = std::min(n, width - state.column);
      first = position == 0;
    } else {
      // Partials lie in rows of `width`, so consecutive points run through them cyclically.
      const std::int64_t at = (position % kSumLanes) * width + state.column;
      to = acc + at;
      run = std::min({n, kSumLanes * width - at, (length - position) * width - state.column});
      first = position < kSumLanes;
      if (width == 1 && at == 0 && !first) {
        const std::int64_t groups = std::min(n, length - position) / kSumLanes;
        if (groups > 0) {
          addGroups<F>(acc, x, groups);
          run = groups * kSumLanes;
          x += run;
          n -= run;
          taken += run;
          if (taken - start == length) finishChunk<F>(shape, state, false);
          continue;
        }
      }
    }
    if (first) {
      std::memcpy(to, x, static_cast<std::size_t>(run) * sizeof(double));
    } else {
      combine<F>(to, x, run);
    }
    x += run;
    n -= run;
    if (width == 1) {
      taken += run;
    } else {
      const std::int64_t end = state.column + run;
      const std::int64_t rows = end < width ? 0 : end == width ? 1 : end / width;
      taken += rows;
      state.column = end - rows * width;
    }
    if (state.column == 0 && taken - start == length) finishChunk<F>(shape, state, sequential);
  }
}

}  // namespace

int ReduceShape::levels() const {
  int n = 1;
  for (std::int64_t t = terms; t > kSumChunk; t = (t + kSumChunk - 1) / kSumChunk) ++n;
  return n;
}

std::int64_t ReduceShape::accumulators(std::int64_t width) const {
  const std::int64_t rows = terms <= kSumLanes ? 1 : kSumLanes * levels();
  return (rows * width + 7) / 8 * 8;
}

void beginReduce(const ReduceShape&, ReduceState& state, std::int64_t kept, std::int64_t width) {
  state.width = width;
  state.kept = kept;
  state.column = 0;
  for (std::int64_t& taken : state.taken) taken = 0;
}

void feedReduce(const ReduceShape& shape, ReduceState& state, const double* x, std::int64_t n) {
  switch (shape.op) {
    case ReduceOp::Sum:
      return feed<SumOp>(shape, state, x, n);
    case ReduceOp::Max:
      return feed<MaxOp>(shape, state, x, n);
    case ReduceOp::Min:
      return feed<MinOp>(shape, state, x, n);
  }
}

void beginGroups(const ReduceState& state) {
  // What -0 is added to keeps its bits.
  if (state.taken[0] % kSumChunk == 0) std::fill_n(state.accumulators, kSumLanes, -0.0);
}

void endGroups(const ReduceShape& shape, ReduceState& state, std::int64_t n) {
  std::int64_t& taken = state.taken[0];
  const std::int64_t start = taken - taken % kSumChunk;
  taken += n;
  if (taken - start == std::min(kSumChunk, shape.terms - start))
    finishChunk<SumOp>(shape, state, false);
}

double emptyReduce(ReduceOp op) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return op == ReduceOp::Sum ? 0.0 : op == ReduceOp::Max ? -kInfinity : kInfinity;
}

void writeResults(const ReduceShape& shape, double* memory, std::int64_t kept, const double* values,
                  std::int64_t n) {
  if (shape.contiguous) {
    std::memcpy(memory + kept, values, static_cast<std::size_t>(n) * sizeof(double));
    return;
  }
  PatternState state;
  seek(shape.result, kept, state);
  storeWalk(shape.result, state, memory, values, n);
}

}  // namespace adjoint::exec

#include "exec/library.h"

#include <algorithm>

namespace adjoint::exec {

// --- recurrence --------------------------------------------------------------------------------

bool runRecurrence(const Plan& plan, const RecurrenceStep& step,
                   const RunContext& context) noexcept {
  const double* a = step.hasA ? bufferAt(plan, step.a, context) : nullptr;
  const double* b = bufferAt(plan, step.b, context);
  double* y = bufferAt(plan, step.y, context);
  const std::int64_t inner = step.inner;
  const std::int64_t move = step.reverse ? -inner : inner;
  for (std::int64_t o = 0; o < step.outer; ++o) {
    std::int64_t at = (o * step.n + (step.reverse ? step.n - 1 : 0)) * inner;
    if (inner == 1) {
      double last = 0;
      if (a != nullptr) {
        for (std::int64_t i = 0; i < step.n; ++i, at += move)
          y[at] = last = i == 0 ? b[at] : __builtin_fma(a[at], last, b[at]);
      } else {
        for (std::int64_t i = 0; i < step.n; ++i, at += move)
          y[at] = last = i == 0 ? b[at] : last + b[at];
      }
    } else {
      for (std::int64_t i = 0; i < step.n; ++i, at += move) {
        double* to = y + at;
        const double* last = to - move;
        const double* add = b + at;
        if (i == 0) {
          for (std::int64_t j = 0; j < inner; ++j) to[j] = add[j];
        } else if (a != nullptr) {
          const double* factor = a + at;
          for (std::int64_t j = 0; j < inner; ++j)
            to[j] = __builtin_fma(factor[j], last[j], add[j]);
        } else {
          for (std::int64_t j = 0; j < inner; ++j) to[j] = last[j] + add[j];
        }
        if ((i & 4095) == 4095 && stopped(context)) return false;
      }
    }
    if ((o & 1023) == 1023 && stopped(context)) return false;
  }
  return true;
}

// --- argsort, argmax, argmin -------------------------------------------------------------------

namespace {

struct Keyed {
  double key;
  double position;  // as it is stored in the end
};

/// Ascending, NaN after everything; -0 and +0 are equal.
inline bool before(double a, double b) { return a < b || (b != b && a == a); }

void insertionSort(Keyed* x, std::int64_t n) {
  for (std::int64_t i = 1; i < n; ++i) {
    const Keyed item = x[i];
    std::int64_t j = i;
    for (; j > 0 && before(item.key, x[j - 1].key); --j) x[j] = x[j - 1];
    x[j] = item;
  }
}

/// Bottom-up, stable; returns which of the two arrays holds the result.
Keyed* mergeSort(Keyed* x, Keyed* other, std::int64_t n) {
  constexpr std::int64_t kRun = 16;
  for (std::int64_t i = 0; i < n; i += kRun) insertionSort(x + i, std::min(kRun, n - i));
  for (std::int64_t width = kRun; width < n; width *= 2) {
    for (std::int64_t from = 0; from < n; from += 2 * width) {
      const std::int64_t middle = std::min(n, from + width);
      const std::int64_t end = std::min(n, from + 2 * width);
      std::int64_t l = from, r = middle;
      for (std::int64_t at = from; at < end; ++at) {
        const bool right = l == middle || (r < end && before(x[r].key, x[l].key));
        other[at] = right ? x[r++] : x[l++];
      }
    }
    std::swap(x, other);
  }
  return x;
}

void argSort(const double* in, double* out, std::int64_t n, std::int64_t stride, Keyed* scratch) {
  for (std::int64_t i = 0; i < n; ++i) scratch[i] = {in[i * stride], static_cast<double>(i)};
  const Keyed* sorted = mergeSort(scratch, scratch + n, n);
  for (std::int64_t i = 0; i < n; ++i) out[i * stride] = sorted[i].position;
}

double argBest(const double* in, std::int64_t n, std::int64_t stride, bool largest) {
  std::int64_t best = 0;
  double value = in[0];
  for (std::int64_t i = 1; i < n && value == value; ++i) {
    const double x = in[i * stride];
    if (x != x || (largest ? x > value : x < value)) {
      best = i;
      value = x;
    }
  }
  return static_cast<double>(best);
}

}  // namespace

std::int64_t indexScratch(const IndexStep& step) {
  return step.kind == IndexStep::Kind::ArgSort ? 4 * step.n : 0;
}

bool runIndex(const Plan& plan, const IndexStep& step, const RunContext& context) noexcept {
  const double* in = bufferAt(plan, step.in, context);
  double* out = bufferAt(plan, step.out, context);
  if (step.n == 0) return true;
  std::int64_t polled = 0;
  for (std::int64_t o = 0; o < step.outer; ++o) {
    for (std::int64_t i = 0; i < step.inner; ++i) {
      const std::int64_t at = o * step.n * step.inner + i;
      if (step.kind == IndexStep::Kind::ArgSort) {
        argSort(in + at, out + at, step.n, step.inner, reinterpret_cast<Keyed*>(context.scratch));
      } else {
        out[o * step.inner + i] =
            argBest(in + at, step.n, step.inner, step.kind == IndexStep::Kind::ArgMax);
      }
      polled += step.n;
      if (polled > 65536) {
        if (stopped(context)) return false;
        polled = 0;
      }
    }
  }
  return true;
}

// --- scatter-add -------------------------------------------------------------------------------

bool runScatterAdd(const Plan& plan, const ScatterAddStep& step,
                   const RunContext& context) noexcept {
  const double* indices = bufferAt(plan, step.indices, context);
  const double* updates = bufferAt(plan, step.updates, context);
  double* out = bufferAt(plan, step.out, context);
  const std::int64_t inner = step.inner;
  splat(out, 0, step.outer * step.size * inner);
  for (std::int64_t o = 0; o < step.outer; ++o) {
    double* block = out + o * step.size * inner;
    for (std::int64_t j = 0; j < step.count; ++j, updates += inner) {
      const double index = indices[j];
      if (!isIndex(index, step.size)) {
        RunStatus& status = *context.status;
        status.ok = false;
        status.code = ErrorCode::Index;
        status.node = step.node;
        status.element = j;
        status.value = index;
        status.limit = step.size;
        return false;
      }
      double* to = block + static_cast<std::int64_t>(index) * inner;
      for (std::int64_t i = 0; i < inner; ++i) to[i] += updates[i];
      if ((j & 65535) == 65535 && stopped(context)) return false;
    }
  }
  return true;
}

}  // namespace adjoint::exec

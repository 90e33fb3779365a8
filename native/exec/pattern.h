#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "plan/kernel.h"

namespace adjoint::exec {

/// Throws an Error: a kernel breaks its contract.
[[noreturn]] void brokenKernel(const char* what);

/// One loop of a Pattern.
struct PatternDim {
  std::int64_t extent = 1;
  std::int64_t stride = 0;  ///< elements of memory a step of this loop (of the windowed index)
  bool windowed = false;
  std::int64_t lo = 0, hi = 0, step = 1;
};

/// An IndexMap over the flattened nest, with neighboring loops joined wherever that changes no
/// address. dims[0] is the innermost loop. No loops: every point has the same address.
struct Pattern {
  std::vector<PatternDim> dims;
  double fill = 0;
  bool windowed = false;
  std::int64_t minOffset =
      0;  ///< addresses reached, relative to the access: [minOffset, maxOffset]
  std::int64_t maxOffset = 0;

  bool constant() const { return dims.empty(); }
  bool contiguous() const { return dims.size() == 1 && dims[0].stride == 1 && !dims[0].windowed; }
};

/// Indices of the loops at one flattened point, innermost first.
struct PatternState {
  std::int64_t index[kMaxRank];
};

/// Joins loops and drops those of extent 1. Loops in `skip` (a bit each) are left out of the nest,
/// as for the results of a reduction. The nest must have points. Throws Error on a map that makes
/// no sense.
Pattern makePattern(const IndexMap& map, const std::vector<std::int64_t>& extents,
                    std::uint32_t skip = 0);
/// The pattern whose address is the index of one loop.
Pattern makeIotaPattern(std::uint32_t loop, const std::vector<std::int64_t>& extents);

/// Loop indices of flattened point p. The outermost index is not reduced: patterns whose outermost
/// stride is 0 may be walked past their end.
inline void seek(const Pattern& pattern, std::int64_t p, PatternState& state) {
  const std::size_t last = pattern.dims.size();
  for (std::size_t d = 0; d < last; ++d) {
    if (d + 1 == last) {
      state.index[d] = p;
    } else {
      const std::int64_t q = p / pattern.dims[d].extent;
      state.index[d] = p - q * pattern.dims[d].extent;
      p = q;
    }
  }
}

struct NoRows {};
constexpr std::int64_t kShortRow = 16;

/// Visits n consecutive points from `state` on (which moves) as pieces of the innermost loop.
/// inside(lane, laneStep, count, offset, stride): lane + j * laneStep is at offset + j * stride.
/// outside(lane, count): these lanes, or those of them that no later inside() names, are outside a
/// window.
/// rows(lane, rows, count, offset, rowStride, stride), where given: several short innermost loops.
template <class Inside, class Outside, class Rows = NoRows>
inline void walk(const Pattern& pattern, PatternState& state, std::int64_t n, Inside&& inside,
                 Outside&& outside, Rows&& rows = {}) {
  const std::size_t rank = pattern.dims.size();
  if (rank == 0) {
    inside(std::int64_t{0}, std::int64_t{1}, n, std::int64_t{0}, std::int64_t{0});
    return;
  }
  const PatternDim& inner = pattern.dims[0];
  std::int64_t lane = 0;
  while (lane < n) {
    std::int64_t base = 0;
    bool accepted = true;
    for (std::size_t d = 1; d < rank; ++d) {
      const PatternDim& dim = pattern.dims[d];
      std::int64_t i = state.index[d];
      if (dim.windowed) {
        if (i < dim.lo || i >= dim.hi) {
          accepted = false;
          break;
        }
        i -= dim.lo;
        if (dim.step != 1) {
          const std::int64_t q = i / dim.step;
          if (q * dim.step != i) {
            accepted = false;
            break;
          }
          i = q;
        }
      }
      base += i * dim.stride;
    }
    const std::int64_t first = state.index[0];
    if constexpr (!std::is_same_v<std::decay_t<Rows>, NoRows>) {
      if (rank > 1 && first == 0 && inner.extent <= kShortRow && !pattern.windowed) {
        const PatternDim& outer = pattern.dims[1];
        std::int64_t count = (n - lane) / inner.extent;
        if (rank > 2) count = std::min(count, outer.extent - state.index[1]);
        if (count > 1) {
          rows(lane, count, inner.extent, base, outer.stride, inner.stride);
          lane += count * inner.extent;
          state.index[1] += count;
          for (std::size_t d = 1; d + 1 < rank && state.index[d] == pattern.dims[d].extent; ++d) {
            state.index[d] = 0;
            ++state.index[d + 1];
          }
          continue;
        }
      }
    }
    const std::int64_t count = rank == 1 ? n - lane : std::min(n - lane, inner.extent - first);
    if (!accepted) {
      outside(lane, count);
    } else if (!inner.windowed) {
      inside(lane, std::int64_t{1}, count, base + first * inner.stride, inner.stride);
    } else {
      const std::int64_t last = first + count;
      std::int64_t from = std::max(first, inner.lo);
      const std::int64_t to = std::min(last, inner.hi);
      const std::int64_t k = (from - inner.lo + inner.step - 1) / inner.step;
      from = inner.lo + k * inner.step;
      const std::int64_t hits = from < to ? (to - from + inner.step - 1) / inner.step : 0;
      if (hits < count) outside(lane, count);
      if (hits > 0)
        inside(lane + from - first, inner.step, hits, base + k * inner.stride, inner.stride);
    }
    lane += count;
    state.index[0] = first + count;
    for (std::size_t d = 0; d + 1 < rank && state.index[d] == pattern.dims[d].extent; ++d) {
      state.index[d] = 0;
      ++state.index[d + 1];
    }
  }
}

/// out[i] = memory at point i of the next n; fills outside the windows.
void loadWalk(const Pattern& pattern, PatternState& state, const double* memory, double* out,
              std::int64_t n);
/// out[i] = address at point i, as a number.
void iotaWalk(const Pattern& pattern, PatternState& state, double* out, std::int64_t n);
/// memory at point i = in[i].
void storeWalk(const Pattern& pattern, PatternState& state, double* memory, const double* in,
               std::int64_t n);
/// out[i] = memory at point i + stride * index[i]; `out` may be `index`. Returns the first lane
/// whose index is not an integer in [0, limit), or -1; nothing is read then.
std::int64_t gatherWalk(const Pattern& pattern, PatternState& state, const double* memory,
                        const double* index, std::int64_t stride, std::int64_t limit, double* out,
                        std::int64_t n);

inline void splat(double* out, double value, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = value;
}

}  // namespace adjoint::exec

#include "exec/pattern.h"

#include <cstring>

namespace adjoint::exec {

void brokenKernel(const char* what) {
  throw Error(ErrorCode::Native, std::string("kernel: ") + what);
}

namespace {

void finish(Pattern& pattern) {
  for (const PatternDim& dim : pattern.dims) {
    std::int64_t last = dim.extent - 1;
    if (dim.windowed) last = std::max<std::int64_t>(0, (dim.hi - 1 - dim.lo) / dim.step);
    const std::int64_t reach = last * dim.stride;
    pattern.minOffset += std::min<std::int64_t>(0, reach);
    pattern.maxOffset += std::max<std::int64_t>(0, reach);
    pattern.windowed = pattern.windowed || dim.windowed;
  }
}

/// Adds a loop further out, joined with the last one where addresses allow.
void push(Pattern& pattern, const PatternDim& dim) {
  if (dim.extent == 1 && !dim.windowed) return;
  if (!pattern.dims.empty() && !dim.windowed) {
    PatternDim& last = pattern.dims.back();
    if (!last.windowed && dim.stride == last.stride * last.extent) {
      last.extent *= dim.extent;
      return;
    }
  }
  pattern.dims.push_back(dim);
}

inline void copyPiece(double* out, const double* in, std::int64_t count, std::int64_t stride) {
  if (stride == 1) {
    if (count >= 32) {
      std::memcpy(out, in, static_cast<std::size_t>(count) * sizeof(double));
    } else {
      for (std::int64_t i = 0; i < count; ++i) out[i] = in[i];
    }
  } else if (stride == 0) {
    const double value = in[0];
    for (std::int64_t i = 0; i < count; ++i) out[i] = value;
  } else {
    for (std::int64_t i = 0; i < count; ++i) out[i] = in[i * stride];
  }
}

/// Short rows of known length leave no loop to set up.
template <int E>
inline void loadRows(double* out, const double* in, std::int64_t rows, std::int64_t extent,
                     std::int64_t rowStride, std::int64_t stride) {
  const std::int64_t count = E > 0 ? E : extent;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < count; ++i) out[r * count + i] = in[r * rowStride + i * stride];
  }
}
template <int E>
inline void storeRows(double* out, const double* in, std::int64_t rows, std::int64_t extent,
                      std::int64_t rowStride, std::int64_t stride) {
  const std::int64_t count = E > 0 ? E : extent;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < count; ++i) out[r * rowStride + i * stride] = in[r * count + i];
  }
}

}  // namespace

Pattern makePattern(const IndexMap& map, const std::vector<std::int64_t>& extents,
                    std::uint32_t skip) {
  if (map.stride.size() != extents.size()) brokenKernel("a map does not fit the nest");
  if (extents.size() > kMaxRank) brokenKernel("too many loops");
  Pattern pattern;
  pattern.fill = map.fill;
  for (std::size_t l = extents.size(); l-- > 0;) {
    if (skip >> l & 1u) continue;
    PatternDim dim;
    dim.extent = extents[l];
    dim.stride = map.stride[l];
    for (const Window& window : map.windows) {
      if (window.loop != l) continue;
      if (dim.windowed) brokenKernel("two windows on one loop");
      if (window.step < 1) brokenKernel("a window's step");
      dim.windowed = true;
      dim.lo = window.lo;
      dim.hi = std::min(window.hi, extents[l]);
      dim.step = window.step;
    }
    // A window that lets every index pass, unchanged, is none.
    if (dim.windowed && dim.lo == 0 && dim.hi >= dim.extent && dim.step == 1) dim.windowed = false;
    push(pattern, dim);
  }
  // A loop that moves nothing still counts points, unless no loop is left further in.
  if (pattern.dims.size() == 1 && pattern.dims[0].stride == 0 && !pattern.dims[0].windowed)
    pattern.dims.clear();
  finish(pattern);
  return pattern;
}

Pattern makeIotaPattern(std::uint32_t loop, const std::vector<std::int64_t>& extents) {
  if (loop >= extents.size()) brokenKernel("iota of a loop that is not there");
  IndexMap map;
  map.stride.assign(extents.size(), 0);
  map.stride[loop] = 1;
  return makePattern(map, extents);
}

void loadWalk(const Pattern& pattern, PatternState& state, const double* memory, double* out,
              std::int64_t n) {
  walk(
      pattern, state, n,
      [&](std::int64_t lane, std::int64_t laneStep, std::int64_t count, std::int64_t offset,
          std::int64_t stride) {
        const double* in = memory + offset;
        if (laneStep == 1) {
          copyPiece(out + lane, in, count, stride);
        } else {
          for (std::int64_t i = 0; i < count; ++i) out[lane + i * laneStep] = in[i * stride];
        }
      },
      [&](std::int64_t lane, std::int64_t count) { splat(out + lane, pattern.fill, count); },
      [&](std::int64_t lane, std::int64_t rows, std::int64_t count, std::int64_t offset,
          std::int64_t rowStride, std::int64_t stride) {
        double* to = out + lane;
        const double* from = memory + offset;
        switch (count) {
          case 2:
            return loadRows<2>(to, from, rows, count, rowStride, stride);
          case 3:
            return loadRows<3>(to, from, rows, count, rowStride, stride);
          case 4:
            return loadRows<4>(to, from, rows, count, rowStride, stride);
          case 8:
            return loadRows<8>(to, from, rows, count, rowStride, stride);
          default:
            return loadRows<0>(to, from, rows, count, rowStride, stride);
        }
      });
}

void iotaWalk(const Pattern& pattern, PatternState& state, double* out, std::int64_t n) {
  walk(
      pattern, state, n,
      [&](std::int64_t lane, std::int64_t, std::int64_t count, std::int64_t offset,
          std::int64_t stride) {
        double* to = out + lane;
        const double first = static_cast<double>(offset);
        if (stride == 0) {
          splat(to, first, count);
        } else {
          // Integers below 2^53: products and sums are exact.
          const double step = static_cast<double>(stride);
          for (std::int64_t i = 0; i < count; ++i)
            to[i] = first + step * static_cast<double>(static_cast<int>(i));
        }
      },
      [](std::int64_t, std::int64_t) {});
}

void storeWalk(const Pattern& pattern, PatternState& state, double* memory, const double* in,
               std::int64_t n) {
  walk(
      pattern, state, n,
      [&](std::int64_t lane, std::int64_t laneStep, std::int64_t count, std::int64_t offset,
          std::int64_t stride) {
        double* to = memory + offset;
        if (stride == 1 && laneStep == 1) {
          copyPiece(to, in + lane, count, 1);
        } else {
      // Rolled up it takes one cycle an element or two, as it happens to be aligned.
#pragma GCC unroll 4
          for (std::int64_t i = 0; i < count; ++i) to[i * stride] = in[lane + i * laneStep];
        }
      },
      [](std::int64_t, std::int64_t) {},
      [&](std::int64_t lane, std::int64_t rows, std::int64_t count, std::int64_t offset,
          std::int64_t rowStride, std::int64_t stride) {
        double* to = memory + offset;
        const double* from = in + lane;
        switch (count) {
          case 2:
            return storeRows<2>(to, from, rows, count, rowStride, stride);
          case 3:
            return storeRows<3>(to, from, rows, count, rowStride, stride);
          case 4:
            return storeRows<4>(to, from, rows, count, rowStride, stride);
          case 8:
            return storeRows<8>(to, from, rows, count, rowStride, stride);
          default:
            return storeRows<0>(to, from, rows, count, rowStride, stride);
        }
      });
}

namespace {

/// First of n indices that is not an integer in [0, limit), or -1.
std::int64_t firstBad(const double* index, std::int64_t step, std::int64_t n, std::int64_t limit) {
  const double top = static_cast<double>(limit);
  constexpr double kInteger = 4503599627370496.0;  // 2^52: adding it rounds to an integer
  int bad = 0;
  if (step == 1) {
    for (std::int64_t i = 0; i < n; ++i) {
      const double x = index[i];
      bad |= !(x >= 0 && x < top && (x + kInteger) - kInteger == x);
    }
  } else {
    bad = 1;
  }
  if (!bad) return -1;
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = index[i * step];
    if (!(x >= 0 && x < top && (x + kInteger) - kInteger == x)) return i;
  }
  return -1;
}

}  // namespace

std::int64_t gatherWalk(const Pattern& pattern, PatternState& state, const double* memory,
                        const double* index, std::int64_t stride, std::int64_t limit, double* out,
                        std::int64_t n) {
  std::int64_t failed = -1;
  // Windowed pieces fill first and gather then, so `out` must not be `index` there; see the
  // compiler.
  walk(
      pattern, state, n,
      [&](std::int64_t lane, std::int64_t laneStep, std::int64_t count, std::int64_t offset,
          std::int64_t step) {
        if (failed >= 0) return;
        const double* at = index + lane;
        const std::int64_t bad = firstBad(at, laneStep, count, limit);
        if (bad >= 0) {
          failed = lane + bad * laneStep;
          return;
        }
        const double* in = memory + offset;
        double* to = out + lane;
        // Indices are below 2^31, and 32-bit conversions have vector instructions everywhere.
        if (laneStep == 1 && step == 0 && stride == 1) {
          for (std::int64_t i = 0; i < count; ++i) to[i] = in[static_cast<std::int32_t>(at[i])];
        } else {
          for (std::int64_t i = 0; i < count; ++i)
            to[i * laneStep] = in[i * step + stride * static_cast<std::int32_t>(at[i * laneStep])];
        }
      },
      [&](std::int64_t lane, std::int64_t count) { splat(out + lane, pattern.fill, count); });
  return failed;
}

}  // namespace adjoint::exec

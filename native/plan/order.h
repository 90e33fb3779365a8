#pragma once

#include <cstdint>

namespace adjoint {

// The order of sums (docs/design/0003), for all that computes them.

/// Partials of a sum, and its longest part that has none.
constexpr std::int64_t kSumLanes = 16;
/// Terms of one chunk of a sum.
constexpr std::int64_t kSumChunk = 4096;
/// Terms of one fused chain of a product of matrices; longer sums are chains of so many terms,
/// added in order within chunks, whose sums are added in order. The order follows from the number
/// of terms alone.
constexpr std::int64_t kProductChain = 128;

}  // namespace adjoint

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

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

/// The terms of one chunk, at least one, combined in that order.
template <class Term, class Combine>
Term combineInOrder(const std::vector<Term>& terms, Combine combine) {
  constexpr auto lanes = static_cast<std::size_t>(kSumLanes);
  if (terms.size() <= lanes) {
    Term result = terms[0];
    for (std::size_t i = 1; i < terms.size(); ++i) result = combine(result, terms[i]);
    return result;
  }
  std::vector<Term> p(terms.begin(), terms.begin() + kSumLanes);
  for (std::size_t i = lanes; i < terms.size(); ++i) p[i % lanes] = combine(p[i % lanes], terms[i]);
  for (std::size_t half = lanes / 2; half > 0; half /= 2) {
    for (std::size_t j = 0; j < half; ++j) p[j] = combine(p[j], p[j + half]);
  }
  return p[0];
}

}  // namespace adjoint

#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/math/vec.h"
#include "ops/order.h"
#include "plan/plan.h"

namespace adjoint::exec {

/// A product of matrices with strides, or one chain of it: c = start + a b, or what c is plus that.
struct Product {
  std::int64_t m, n, k;
  const double* a;
  std::int64_t aRow, aTerm;
  const double* b;
  std::int64_t bTerm, bColumn;
  double* c;
  std::int64_t cRow, cColumn;
  const double* start = nullptr;  ///< laid out like c; null: zeros
  bool adds = false;              ///< the chain's result is added to c
  const Span* nonzero = nullptr;  ///< by row of a, counted from term `origin`
  const Span* needed = nullptr;   ///< by row of c
  std::int64_t origin = 0;

  /// The chain that begins at a term of this product.
  Product chain(std::int64_t from) const {
    Product result = *this;
    result.k = std::min(kProductChain, k - from);
    result.a += from * aTerm;
    result.b += from * bTerm;
    result.origin = from;
    return result;
  }
};

/// Pieces of a product by rows have the same bits where they begin at multiples of so many.
constexpr std::int64_t kProductRows = 8;

/// One chain of the products of lanes that are next to each other in all three; their number is a
/// multiple of MatMulStep::kLaneVector. `packed`: packedLaneDoubles(k).
void multiplyLanes(const MatMulStep& step, const double* a, const double* b, double* c,
                   double* packed);
std::int64_t packedLaneDoubles(std::int64_t k);

/// Doubles that multiplyChain takes for columns of b.
std::int64_t packedDoubles();
/// Turns into the transposed product where that has its vectors along the longer side.
void turn(Product& p);
/// A product of at most kProductChain terms, by tiles of c in registers.
void multiplyChain(Product p, double* packed);

}  // namespace adjoint::exec

#pragma once

#include <cstdint>

#include "exec/pattern.h"
#include "ops/order.h"
#include "plan/kernel.h"

namespace adjoint::exec {

/// A nest seen by one reduction: outer kept points, reduced terms, inner kept points.
struct ReduceShape {
  ReduceOp op = ReduceOp::Sum;
  std::int64_t outer = 1, terms = 1, inner = 1;
  Pattern result;           ///< over the kept points in row-major order
  bool contiguous = false;  ///< the result's addresses are those points' numbers

  int levels() const;
  /// Doubles of accumulators for a tile of `width` inner points.
  std::int64_t accumulators(std::int64_t width) const;
};

constexpr int kSumLevels = 3;  ///< 4096^3 terms, more than a value may have elements

/// Where a reduction stands. Plain data: it lives in the workspace.
struct ReduceState {
  double* accumulators = nullptr;
  double* results = nullptr;
  std::int64_t width = 1;               ///< inner points of the tile under way
  std::int64_t kept = 0;                ///< number of the tile's first kept point
  std::int64_t column = 0;              ///< inner position within the tile
  std::int64_t taken[kSumLevels] = {};  ///< terms taken at each level
};

/// Begins sums for the kept points kept .. kept + width - 1 and those that follow in rows of
/// `width`.
void beginReduce(const ReduceShape& shape, ReduceState& state, std::int64_t kept,
                 std::int64_t width);
/// Takes the next n points of the traversal; writes results as they become whole.
void feedReduce(const ReduceShape& shape, ReduceState& state, const double* x, std::int64_t n);
/// For sums to one number whose terms are added elsewhere, in whole groups of kSumLanes that lie in
/// one chunk of more terms than that: before, and after n of them are added to the accumulators.
void beginGroups(const ReduceState& state);
void endGroups(const ReduceShape& shape, ReduceState& state, std::int64_t n);
/// What a reduction of no terms gives.
double emptyReduce(ReduceOp op);
/// Writes n results from kept point `kept` on.
void writeResults(const ReduceShape& shape, double* memory, std::int64_t kept, const double* values,
                  std::int64_t n);

}  // namespace adjoint::exec

#pragma once

#include <span>
#include <vector>

#include "ops/expr.h"

namespace adjoint {

/// Checks a structural operation and appends it, with its attributes normalized (axes counted from
/// 0 and sorted, -1 extents filled in), or what it simplifies to. Throws Error.
NodeId applyStructural(Builder& builder, Op op, std::span<const NodeId> operands,
                       std::span<const std::int64_t> attrs);

/// Expands a composite into other rows. Throws Error.
NodeId applyComposite(Builder& builder, Op op, std::span<const NodeId> operands,
                      std::span<const std::int64_t> attrs);

/// Axis counted from the front; throws ERR_SHAPE naming the operation.
std::int64_t normalizeAxis(std::int64_t axis, std::size_t rank, const char* operation);

/// `keepDims, axes...` as reductions take it.
struct ReducedAxes {
  bool keepDims = false;
  std::vector<std::int64_t> axes;  ///< sorted, from the front
};
ReducedAxes parseReducedAxes(std::span<const std::int64_t> attrs, std::size_t rank,
                             const char* operation);

}  // namespace adjoint

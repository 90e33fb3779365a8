#pragma once

#include <vector>

#include "ops/expr.h"

namespace adjoint {

/// What vmap makes of a value; when `batched` its first axis is the lane axis.
struct Lane {
  Expr value;
  bool batched = false;
};

Shape withLanes(std::int64_t lanes, const Shape& shape);

/// The value with a lane axis, repeated when it had none.
Expr spread(const Lane& x, std::int64_t lanes);

/// x with the axis at `from` moved to `to`.
Expr moveAxis(Expr x, std::int64_t from, std::int64_t to);

/// [lanes, shape]: 1 where the lane is the element's, else 0; an element whose lane is negative has
/// none. For tangents and cotangents: a lane is a unit vector, or the sum of those of one color.
/// Few are written down, more are compared in every run, where they are used.
Expr laneSeeds(Builder& builder, const Shape& shape, std::int64_t lanes,
               const std::vector<double>& laneOfElement);

/// A function over lanes, and which of its outputs have a lane axis.
struct LaneTape {
  TapePtr tape;
  std::vector<bool> outputs;
};

/// vmap, but outputs that are the same in all lanes have a lane axis only where `wanted` says so.
LaneTape vmapVarying(const TapePtr& t, std::int64_t lanes, const std::vector<bool>& batched,
                     const std::vector<bool>& wanted);

}  // namespace adjoint

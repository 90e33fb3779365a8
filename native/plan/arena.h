#pragma once

#include "plan/plan.h"

namespace adjoint {

/// Gives temporary buffers their places: two share one when no step needs both. First fit over a
/// free list, in the order of the steps. Sets Plan::tempDoubles.
void placeTemporaries(Plan& plan);

/// Doubles rounded up to whole 64-byte lines.
inline std::int64_t paddedDoubles(std::int64_t n) { return (n + 7) / 8 * 8; }

}  // namespace adjoint

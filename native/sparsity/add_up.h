#pragma once

#include <cstdint>
#include <vector>

#include "ops/expr.h"

namespace adjoint {

/// [count] sums of the elements of a list by their places, each in the order of the list. Every
/// place has an element or more.
Expr addUp(Expr list, const std::vector<std::int32_t>& places, std::int64_t count);

}  // namespace adjoint

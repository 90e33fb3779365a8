#pragma once

#include <span>

#include "ops/row.h"

namespace adjoint {

/// The rows of elementwise.def in its order.
std::span<const Row> elementwiseRows();

}  // namespace adjoint

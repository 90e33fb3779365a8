#pragma once

#include "plan/plan.h"

namespace adjoint {

/// Makes a batch of products that share an operand one product of many rows: a matrix times a
/// vector of each lane, or rows of every lane times a matrix. The bits of an element do not depend
/// on the shape of its product.
void joinBatch(MatMulStep& step);

}  // namespace adjoint

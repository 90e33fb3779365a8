#pragma once

#include <vector>

#include "plan/plan.h"

namespace adjoint {

/// Joins sums over one loop with the kernel beside them that loops over a little more and reads the
/// same elements: the value of a function of neighbors with its derivative. The same bits.
void joinNeighbors(std::vector<Step>& steps, const std::vector<Buffer>& buffers);

}  // namespace adjoint

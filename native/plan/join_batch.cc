#include "plan/join_batch.h"

#include <utility>

namespace adjoint {

void joinBatch(MatMulStep& step) {
  if (step.batch <= 1) return;
  auto& a = step.a.stride;
  auto& b = step.b.stride;
  const bool areRowsEven = step.m == 1 || a[0] == step.m * a[1];
  if (b[0] == 0 && areRowsEven) {
    if (step.m == 1) a[1] = a[0];
    a[0] = 0;
    step.m *= std::exchange(step.batch, 1);
  } else if (a[0] == 0 && step.n == 1 && step.nonzero.empty() && step.needed.empty()) {
    // c is [batch, m]: the vectors are rows, times the matrix lying on its side.
    std::swap(step.a, step.b);
    a = {0, a[0], a[1]};
    b = {0, b[2], b[1]};
    step.n = step.m;
    step.m = std::exchange(step.batch, 1);
  }
}

}  // namespace adjoint

#pragma once

#include <cmath>

#include "test/support/evaluator.h"

namespace adjoint::testing {

/// Values from -1 to 1 that follow no line.
inline Values numbers(std::int64_t n) {
  Values result;
  for (std::int64_t i = 0; i < n; ++i)
    result.push_back(std::sin(static_cast<double>(i * 7919 % 1000)));
  return result;
}

}  // namespace adjoint::testing

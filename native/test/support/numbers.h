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

/// The same with zeros, NaN, infinities and the least number in between.
inline Values special(std::int64_t n) {
  Values result = numbers(n);
  constexpr double kSpecial[] = {0.0, -0.0, NAN, INFINITY, -INFINITY, 5e-324};
  for (std::size_t i = 0; i < result.size(); i += 3) result[i] = kSpecial[i / 3 % 6];
  return result;
}

}  // namespace adjoint::testing

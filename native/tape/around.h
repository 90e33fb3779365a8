#pragma once

#include "tape/shape.h"

namespace adjoint {

/// A shape as [outer, n, inner] around an axis. With axis -1 all of it is inner.
struct Around {
  std::int64_t outer = 1, n = 1, inner = 1;
};

inline Around around(const Shape& shape, std::int64_t axis) {
  Around result;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    const auto at = static_cast<std::int64_t>(k);
    (at < axis ? result.outer : at == axis ? result.n : result.inner) *= shape[k];
  }
  return result;
}

}  // namespace adjoint

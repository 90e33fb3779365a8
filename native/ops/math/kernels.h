#pragma once

#include <cstddef>

/// One kernel a row of elementwise.def: out[i] = fn(a[i], b[i], c[i]), operands a row lacks unused.
namespace adjoint::kernel {

#define UNARY(code, id, fn, ...) \
  void fn(double* out, const double* a, const double* b, const double* c, std::size_t n, int attr);
#define BINARY(code, id, fn, ...) \
  void fn(double* out, const double* a, const double* b, const double* c, std::size_t n, int attr);
#define TERNARY(code, id, fn, ...) \
  void fn(double* out, const double* a, const double* b, const double* c, std::size_t n, int attr);
#include "ops/elementwise.def"
#undef UNARY
#undef BINARY
#undef TERNARY

}  // namespace adjoint::kernel

// Definitions of kernels from an expression over vectors x, y, z and the attribute.
#define ADJOINT_KERNEL1(fn, ...)                                                     \
  void fn(double* out, const double* a, const double*, const double*, std::size_t n, \
          [[maybe_unused]] int attr) {                                               \
    using namespace simd;                                                            \
    map1(out, a, n, [=](V x) { return __VA_ARGS__; });                               \
  }
#define ADJOINT_KERNEL2(fn, ...)                                                       \
  void fn(double* out, const double* a, const double* b, const double*, std::size_t n, \
          [[maybe_unused]] int attr) {                                                 \
    using namespace simd;                                                              \
    map2(out, a, b, n, [=](V x, V y) { return __VA_ARGS__; });                         \
  }
#define ADJOINT_KERNEL3(fn, ...)                                                         \
  void fn(double* out, const double* a, const double* b, const double* c, std::size_t n, \
          [[maybe_unused]] int attr) {                                                   \
    using namespace simd;                                                                \
    map3(out, a, b, c, n, [=](V x, V y, V z) { return __VA_ARGS__; });                   \
  }

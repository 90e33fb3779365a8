#include "exec/broadcast.h"

#include "ops/math/vec.h"

namespace adjoint::exec {
namespace {

using namespace simd;

// The formulas of the rows' own kernels.
#define ADJOINT_BROADCAST2(X)                                                          \
  X(Add, x + y)                                                                        \
  X(Sub, x - y)                                                                        \
  X(Mul, (x * y))                                                                      \
  X(Div, x / y)                                                                        \
  X(Maximum, select(isNaN(x) | isNaN(y), x + y,                                        \
                    select(x == y, fromBits(bits(x) & bits(y)), select(x > y, x, y)))) \
  X(Minimum, select(isNaN(x) | isNaN(y), x + y,                                        \
                    select(x == y, fromBits(bits(x) | bits(y)), select(x < y, x, y)))) \
  X(Equal, toNumber(x == y))                                                           \
  X(NotEqual, toNumber(x != y))                                                        \
  X(Less, toNumber(x < y))                                                             \
  X(LessEqual, toNumber(x <= y))                                                       \
  X(Greater, toNumber(x > y))                                                          \
  X(GreaterEqual, toNumber(x >= y))
#define ADJOINT_BROADCAST3(X)  \
  X(Fma, simd::fma(x, y, z))   \
  X(Fms, simd::fma(x, y, -z))  \
  X(Fnma, simd::fma(-x, y, z)) \
  X(Where, select(x != 0.0, y, z))

#define X(id, ...)                                   \
  struct id {                                        \
    static V apply(V x, V y) { return __VA_ARGS__; } \
  };
ADJOINT_BROADCAST2(X)
#undef X
#define X(id, ...)                                        \
  struct id {                                             \
    static V apply(V x, V y, V z) { return __VA_ARGS__; } \
  };
ADJOINT_BROADCAST3(X)
#undef X

template <class F, unsigned Numbers>
void run2(double* out, const double* a, const double* b, const double*, std::size_t n, int) {
  if constexpr (Numbers == 1) {
    const V x = splat(*a);
    map1(out, b, n, [=](V y) { return F::apply(x, y); });
  } else {
    const V y = splat(*b);
    map1(out, a, n, [=](V x) { return F::apply(x, y); });
  }
}

template <class F, unsigned Numbers>
void run3(double* out, const double* a, const double* b, const double* c, std::size_t n, int) {
  if constexpr (Numbers == 1) {
    const V x = splat(*a);
    map2(out, b, c, n, [=](V y, V z) { return F::apply(x, y, z); });
  } else if constexpr (Numbers == 2) {
    const V y = splat(*b);
    map2(out, a, c, n, [=](V x, V z) { return F::apply(x, y, z); });
  } else if constexpr (Numbers == 4) {
    const V z = splat(*c);
    map2(out, a, b, n, [=](V x, V y) { return F::apply(x, y, z); });
  } else if constexpr (Numbers == 3) {
    const V x = splat(*a), y = splat(*b);
    map1(out, c, n, [=](V z) { return F::apply(x, y, z); });
  } else if constexpr (Numbers == 5) {
    const V x = splat(*a), z = splat(*c);
    map1(out, b, n, [=](V y) { return F::apply(x, y, z); });
  } else {
    const V y = splat(*b), z = splat(*c);
    map1(out, a, n, [=](V x) { return F::apply(x, y, z); });
  }
}

template <class F>
ElementKernel pick2(unsigned numbers) {
  static constexpr ElementKernel kKernels[] = {run2<F, 1>, run2<F, 2>};
  return kKernels[numbers - 1];
}
template <class F>
ElementKernel pick3(unsigned numbers) {
  static constexpr ElementKernel kKernels[] = {run3<F, 1>, run3<F, 2>, run3<F, 3>,
                                               run3<F, 4>, run3<F, 5>, run3<F, 6>};
  return kKernels[numbers - 1];
}

}  // namespace

ElementKernel broadcastKernel(Op op, unsigned numbers) {
  if (numbers == 0) return nullptr;
  switch (op) {
#define X(id, ...) \
  case Op::id:     \
    return numbers < 3 ? pick2<id>(numbers) : nullptr;
    ADJOINT_BROADCAST2(X)
#undef X
#define X(id, ...) \
  case Op::id:     \
    return numbers < 7 ? pick3<id>(numbers) : nullptr;
    ADJOINT_BROADCAST3(X)
#undef X
    default:
      return nullptr;
  }
}

}  // namespace adjoint::exec

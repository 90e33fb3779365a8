#pragma once

#include <mpfr.h>

#include <utility>

namespace adjoint::testing {

/// A number of many bits, so that reference formulas read as formulas.
class Real {
 public:
  /// Bits of every Real made from now on.
  static inline mpfr_prec_t precision = 320;

  Real() { mpfr_init2(v_, precision), mpfr_set_zero(v_, 1); }
  Real(double x) { mpfr_init2(v_, precision), mpfr_set_d(v_, x, MPFR_RNDN); }  // NOLINT
  explicit Real(mpfr_srcptr x) { mpfr_init2(v_, precision), mpfr_set(v_, x, MPFR_RNDN); }
  Real(const Real& x) { mpfr_init2(v_, mpfr_get_prec(x.v_)), mpfr_set(v_, x.v_, MPFR_RNDN); }
  Real(Real&& x) noexcept : Real() { mpfr_swap(v_, x.v_); }
  Real& operator=(Real x) noexcept {
    mpfr_swap(v_, x.v_);
    return *this;
  }
  ~Real() { mpfr_clear(v_); }

  mpfr_ptr get() { return v_; }
  mpfr_srcptr get() const { return v_; }
  double toDouble() const { return mpfr_get_d(v_, MPFR_RNDN); }
  int sign() const { return mpfr_sgn(v_); }
  bool isZero() const { return mpfr_zero_p(v_) != 0; }
  bool isFinite() const { return mpfr_number_p(v_) != 0; }
  bool isNaN() const { return mpfr_nan_p(v_) != 0; }

 private:
  mpfr_t v_;
};

#define ADJOINT_MP_OPERATOR(op, fn)                       \
  inline Real operator op(const Real& a, const Real& b) { \
    Real r;                                               \
    mpfr_##fn(r.get(), a.get(), b.get(), MPFR_RNDN);      \
    return r;                                             \
  }
ADJOINT_MP_OPERATOR(+, add)
ADJOINT_MP_OPERATOR(-, sub)
ADJOINT_MP_OPERATOR(*, mul)
ADJOINT_MP_OPERATOR(/, div)
#undef ADJOINT_MP_OPERATOR
inline Real operator-(const Real& a) {
  Real r;
  mpfr_neg(r.get(), a.get(), MPFR_RNDN);
  return r;
}
inline bool operator<(const Real& a, const Real& b) { return mpfr_less_p(a.get(), b.get()) != 0; }
inline bool operator>(const Real& a, const Real& b) { return b < a; }
inline bool operator<=(const Real& a, const Real& b) {
  return mpfr_lessequal_p(a.get(), b.get()) != 0;
}
inline bool operator>=(const Real& a, const Real& b) { return b <= a; }
inline bool operator==(const Real& a, const Real& b) { return mpfr_equal_p(a.get(), b.get()) != 0; }

#define ADJOINT_MP_UNARY(name, fn)          \
  inline Real name(const Real& a) {         \
    Real r;                                 \
    mpfr_##fn(r.get(), a.get(), MPFR_RNDN); \
    return r;                               \
  }
ADJOINT_MP_UNARY(sqrt, sqrt)
ADJOINT_MP_UNARY(rsqrt, rec_sqrt)
ADJOINT_MP_UNARY(cbrt, cbrt)
ADJOINT_MP_UNARY(abs, abs)
ADJOINT_MP_UNARY(exp, exp)
ADJOINT_MP_UNARY(exp2, exp2)
ADJOINT_MP_UNARY(expm1, expm1)
ADJOINT_MP_UNARY(log, log)
ADJOINT_MP_UNARY(log2, log2)
ADJOINT_MP_UNARY(log10, log10)
ADJOINT_MP_UNARY(log1p, log1p)
ADJOINT_MP_UNARY(sin, sin)
ADJOINT_MP_UNARY(cos, cos)
ADJOINT_MP_UNARY(tan, tan)
ADJOINT_MP_UNARY(sinPi, sinpi)
ADJOINT_MP_UNARY(cosPi, cospi)
ADJOINT_MP_UNARY(asin, asin)
ADJOINT_MP_UNARY(acos, acos)
ADJOINT_MP_UNARY(atan, atan)
ADJOINT_MP_UNARY(sinh, sinh)
ADJOINT_MP_UNARY(cosh, cosh)
ADJOINT_MP_UNARY(tanh, tanh)
ADJOINT_MP_UNARY(sech, sech)
ADJOINT_MP_UNARY(asinh, asinh)
ADJOINT_MP_UNARY(acosh, acosh)
ADJOINT_MP_UNARY(atanh, atanh)
ADJOINT_MP_UNARY(erf, erf)
ADJOINT_MP_UNARY(erfc, erfc)
ADJOINT_MP_UNARY(digamma, digamma)
ADJOINT_MP_UNARY(roundEven, rint)
#undef ADJOINT_MP_UNARY
inline Real floor(const Real& a) {
  Real r;
  mpfr_floor(r.get(), a.get());
  return r;
}
inline Real ceil(const Real& a) {
  Real r;
  mpfr_ceil(r.get(), a.get());
  return r;
}
inline Real trunc(const Real& a) {
  Real r;
  mpfr_trunc(r.get(), a.get());
  return r;
}
inline Real lgamma(const Real& a) {
  Real r;
  int sign;
  mpfr_lgamma(r.get(), &sign, a.get(), MPFR_RNDN);
  return r;
}
#define ADJOINT_MP_BINARY(name, fn)                  \
  inline Real name(const Real& a, const Real& b) {   \
    Real r;                                          \
    mpfr_##fn(r.get(), a.get(), b.get(), MPFR_RNDN); \
    return r;                                        \
  }
ADJOINT_MP_BINARY(pow, pow)
ADJOINT_MP_BINARY(atan2, atan2)
ADJOINT_MP_BINARY(hypot, hypot)
ADJOINT_MP_BINARY(fmod, fmod)
#undef ADJOINT_MP_BINARY
inline Real pi() {
  Real r;
  mpfr_const_pi(r.get(), MPFR_RNDN);
  return r;
}
inline Real ln2() {
  Real r;
  mpfr_const_log2(r.get(), MPFR_RNDN);
  return r;
}
/// a^n for whole n.
inline Real power(const Real& a, long n) {
  Real r;
  mpfr_pow_si(r.get(), a.get(), n, MPFR_RNDN);
  return r;
}

}  // namespace adjoint::testing

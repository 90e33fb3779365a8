#pragma once

#include "test/mp_real.h"

/// The families of derivatives behind the internal rows, by formulas that need only enough bits.
namespace adjoint::testing {

/// n-th derivative of a / b by b.
/// i-th derivative by a of the j-th by b of a^b.
Real powFamily(const Real& a, const Real& b, int i, int j);
/// The same of hypot, of order 1 to 4.
Real hypotFamily(const Real& a, const Real& b, int i, int j);
/// Real or imaginary part of the n-th derivative of log z at z = b + i a.
Real logFamily(const Real& a, const Real& b, int n, bool imaginary);
/// n-th derivative of sin(pi a) / (pi a).
Real sincFamily(const Real& a, int n);
/// n-th derivative of e^(-a^2).
Real gaussianFamily(const Real& a, int n);
/// n-th derivative of digamma.
Real polygammaFamily(const Real& a, int n);

/// The largest term of the sums above near their zeros.
Real powLargestTerm(const Real& a, const Real& b, int i, int j);
Real gaussianLargestTerm(const Real& a, int n);
Real polygammaLargestTerm(const Real& a, int n);
Real sincLargestTerm(const Real& a, int n);

}  // namespace adjoint::testing

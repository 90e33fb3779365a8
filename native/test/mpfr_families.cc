#include "test/mpfr_families.h"

#include <algorithm>
#include <map>
#include <vector>

namespace adjoint::testing {
namespace {

double factorial(int n) { return n < 2 ? 1.0 : n * factorial(n - 1); }
Real larger(const Real& a, const Real& b) { return a > b ? a : b; }

/// Terms x^(y-i) C(j,k) F^(k)(y) log(x)^(j-k) of the derivative, F(y) = y (y-1) ... (y-i+1).
/// With `sizes`, the products that make up F^(k) count by their magnitudes.
std::vector<Real> powTerms(const Real& a, const Real& b, int i, int j, bool sizes = false) {
  // Derivatives of F by the product rule, exactly as sums over which factors are left out.
  std::vector<Real> derivative(static_cast<std::size_t>(j) + 1, Real(0.0));
  for (int mask = 0; mask < (1 << i); ++mask) {
    const int left = __builtin_popcount(static_cast<unsigned>(mask));
    if (left > j) continue;
    Real product = factorial(left);
    for (int f = 0; f < i; ++f) {
      if (!(mask >> f & 1)) product = product * (b - static_cast<double>(f));
    }
    if (sizes) product = abs(product);
    derivative[static_cast<std::size_t>(left)] =
        derivative[static_cast<std::size_t>(left)] + product;
  }
  const Real p = pow(a, b - static_cast<double>(i));
  const Real l = j > 0 ? log(a) : Real(1.0);
  std::vector<Real> terms;
  for (int k = 0; k <= j; ++k) {
    if (derivative[static_cast<std::size_t>(k)].isZero()) continue;
    const double binomial = factorial(j) / (factorial(k) * factorial(j - k));
    terms.push_back(p * derivative[static_cast<std::size_t>(k)] * binomial * power(l, j - k));
  }
  return terms;
}

/// Hermite polynomial H_n as its terms.
std::vector<Real> hermiteTerms(const Real& a, int n) {
  std::vector<Real> terms;
  for (int m = 0; 2 * m <= n; ++m) {
    const double c = factorial(n) / (factorial(m) * factorial(n - 2 * m)) * (m % 2 ? -1 : 1);
    terms.push_back(power(a * 2.0, n - 2 * m) * c);
  }
  return terms;
}

/// B_2k = 2 (-1)^(k+1) (2k)! zeta(2k) / (2 pi)^(2k).
const Real& bernoulli(int k) {
  static std::map<std::pair<mpfr_prec_t, int>, Real> known;
  auto [it, fresh] = known.try_emplace({Real::precision, k});
  if (fresh) {
    Real z, f;
    mpfr_zeta_ui(z.get(), static_cast<unsigned long>(2 * k), MPFR_RNDN);
    mpfr_fac_ui(f.get(), static_cast<unsigned long>(2 * k), MPFR_RNDN);
    it->second = z * f * (k % 2 ? 2.0 : -2.0) / power(pi() * 2.0, 2 * k);
  }
  return it->second;
}

/// psi_n(x) for x > 0 and n >= 1, times (-1)^(n+1): n! sum 1/(x+k)^(n+1), its tail by Euler and
/// Maclaurin.
Real polygammaTail(Real x, int n) {
  Real sum = 0.0;
  const double nFactorial = factorial(n);
  while (x < 48.0 + n) {
    sum = sum + nFactorial / power(x, n + 1);
    x = x + 1.0;
  }
  const Real w = 1.0 / x, w2 = w * w;
  Real head = power(w, n) * factorial(n - 1);
  Real result = head + power(w, n + 1) * (0.5 * nFactorial);
  Real c = power(w, n) * w2 * (factorial(n + 1) / 2.0);  // (2k+n-1)!/(2k)! w^(2k+n)
  for (int k = 1; k < 60; ++k) {
    const Real term = bernoulli(k) * c;
    result = result + term;
    if (mpfr_get_exp(term.get()) < mpfr_get_exp(result.get()) - Real::precision) break;
    c = c * w2 * (2.0 * k + n) * (2.0 * k + n + 1.0) / ((2.0 * k + 1.0) * (2.0 * k + 2.0));
  }
  return sum + result;
}

/// pi^(n+1) cot^(n)(pi x).
Real cotangentDerivative(const Real& x, int n) {
  const Real cot = cosPi(x) / sinPi(x);
  std::vector<double> p{0, 1};
  for (int k = 0; k < n; ++k) {
    std::vector<double> q(p.size() + 1, 0.0);
    for (std::size_t i = 1; i < p.size(); ++i) {
      q[i - 1] -= static_cast<double>(i) * p[i];
      q[i + 1] -= static_cast<double>(i) * p[i];
    }
    p = q;
  }
  Real r = 0.0;
  for (std::size_t i = p.size(); i-- > 0;) r = r * cot + p[i];
  return r * power(pi(), n + 1);
}

}  // namespace

Real powFamily(const Real& a, const Real& b, int i, int j) {
  Real sum = 0.0;
  for (const Real& t : powTerms(a, b, i, j)) sum = sum + t;
  return sum;
}
Real powLargestTerm(const Real& a, const Real& b, int i, int j) {
  Real most = 0.0;
  for (const Real& t : powTerms(a, b, i, j, true)) most = larger(most, abs(t));
  return most;
}

Real hypotFamily(const Real& a, const Real& b, int i, int j) {
  const Real h = hypot(a, b);
  const Real a2 = a * a, b2 = b * b;
  switch (10 * i + j) {
    case 10:
      return a / h;
    case 1:
      return b / h;
    case 20:
      return b2 / power(h, 3);
    case 11:
      return -(a * b) / power(h, 3);
    case 2:
      return a2 / power(h, 3);
    case 30:
      return a * b2 * -3.0 / power(h, 5);
    case 21:
      return b * (a2 * 2.0 - b2) / power(h, 5);
    case 12:
      return a * (b2 * 2.0 - a2) / power(h, 5);
    case 3:
      return b * a2 * -3.0 / power(h, 5);
    default:
      return __builtin_nan("");
  }
}

Real logFamily(const Real& a, const Real& b, int n, bool imaginary) {
  const Real d = a * a + b * b;
  const Real re = b / d, im = -a / d;
  Real x = re, y = im;
  for (int k = 1; k < n; ++k) {
    const Real u = x * re - y * im;
    y = x * im + y * re;
    x = u;
  }
  const double sign = n % 2 ? 1.0 : -1.0;
  return (imaginary ? y : x) * (sign * factorial(n - 1));
}

Real sincFamily(const Real& a, int n) {
  const Real u = pi() * a;
  if (abs(a) < 2.0) {
    // sum_k (-1)^k u^(2k-n) / ((2k+1) (2k-n)!)
    Real sum = 0.0;
    const int first = (n + 1) / 2;
    Real t = (2 * first == n ? Real(1.0) : u);
    const Real u2 = u * u;
    for (int k = first; k < first + 80; ++k) {
      sum = sum + t * (k % 2 ? -1.0 : 1.0) / (2.0 * k + 1.0);
      const double i = 2.0 * k - n;
      t = t * u2 / ((i + 1.0) * (i + 2.0));
    }
    return sum * power(pi(), n);
  }
  const Real s = sinPi(a), c = cosPi(a);
  const Real trig[4] = {s, c, -s, -c};
  Real f = s / u;
  for (int k = 1; k <= n; ++k) f = (trig[k & 3] - f * static_cast<double>(k)) / u;
  return f * power(pi(), n);
}
Real sincLargestTerm(const Real& a, int n) {
  // The trigonometric term of the recurrence, of size 1.
  return abs(a) < 0.25 ? Real(0.0) : power(pi(), n - 1) / abs(a);
}

Real gaussianFamily(const Real& a, int n) {
  Real h = 0.0;
  for (const Real& t : hermiteTerms(a, n)) h = h + t;
  const Real r = h * exp(-(a * a));
  return n % 2 ? -r : r;
}
Real gaussianLargestTerm(const Real& a, int n) {
  if (n < 2) return 0.0;
  Real most = 0.0;
  for (const Real& t : hermiteTerms(a, n)) most = larger(most, abs(t));
  return most * exp(-(a * a));
}

Real polygammaFamily(const Real& a, int n) {
  if (n == 0) return digamma(a);
  const bool left = a < 0.0;
  const Real tail = polygammaTail(left ? 1.0 - a : a, n);
  const Real right = n % 2 ? tail : -tail;
  if (!left) return right;
  return (n % 2 ? -right : right) - cotangentDerivative(a, n);
}
Real polygammaLargestTerm(const Real& a, int n) {
  if (n == 0) {
    // psi = log z - 1/(2z) - ... - sum 1/(x+k): the logarithm is the largest term near the positive
    // zero.
    if (a.sign() > 0) return larger(abs(log(a)), 0.5 / a);
    return larger(abs(digamma(1.0 - a)), abs(cotangentDerivative(a, 0)));
  }
  if (a.sign() > 0 || n % 2) return 0.0;
  const Real c = power(abs(1.0 / sinPi(a)), n + 1) * power(pi(), n + 1);
  return c;
}

}  // namespace adjoint::testing

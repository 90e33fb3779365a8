#include "solve/student_t.h"

#include <cmath>
#include <limits>

namespace adjoint {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr double kTiny = 1e-300;
constexpr double kPi = 3.14159265358979323846;

// The continued fraction of the regularized incomplete beta function (DLMF 8.17.22) by Lentz's
// method; converges quickly for x < (a + 1) / (a + b + 2).
double betaFraction(double a, double b, double x) {
  double c = 1;
  double d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < kTiny ? kTiny : d);
  double h = d;
  for (int m = 1; m < 10000; ++m) {
    double previous = h;
    const auto fold = [&](double coefficient) {
      d = 1 + coefficient * d;
      d = 1 / (std::abs(d) < kTiny ? kTiny : d);
      c = 1 + coefficient / c;
      if (std::abs(c) < kTiny) c = kTiny;
      h *= c * d;
    };
    fold(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)));
    fold(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)));
    if (std::abs(h - previous) <= 2 * kEpsilon * std::abs(h)) break;
  }
  return h;
}

// log Gamma(a + 1/2) - log Gamma(a), by its series where the difference of two large logarithms
// would lose digits (DLMF 5.11.13).
double logGammaHalf(double a) {
  if (a < 50) return std::lgamma(a + 0.5) - std::lgamma(a);
  const double q = 1 / (a * a);
  return 0.5 * std::log(a) - (1.0 / 8 - q * (1.0 / 192 - q * (1.0 / 640 - q * 17.0 / 14336))) / a;
}

// Density at t.
double density(double t, double freedom) {
  return std::exp(logGammaHalf(freedom / 2) - (freedom + 1) / 2 * std::log1p(t * t / freedom)) /
         std::sqrt(freedom * kPi);
}

}  // namespace

double studentTwoSided(double t, double freedom) {
  if (!(freedom > 0) || std::isnan(t)) return std::numeric_limits<double>::quiet_NaN();
  const double square = t * t;
  if (!std::isfinite(square)) return 0;
  if (square == 0) return 1;
  if (freedom > 1e4) {
    // The continued fraction loses digits here; Hill's expansion about the normal distribution
    // (CACM 395, 1970) is exact enough.
    const double shifted = freedom - 0.5;
    const double z = std::sqrt(shifted * std::log1p(square / freedom));
    return std::erfc((z + z * (z * z + 3) / (48 * shifted * shifted)) / std::sqrt(2.0));
  }
  // I_x(freedom/2, 1/2) with x = freedom / (freedom + t^2)
  const double a = freedom / 2;
  const double front = std::exp(logGammaHalf(a) - a * std::log1p(square / freedom)) *
                       std::sqrt(square / (freedom + square) / kPi);
  const double x = freedom / (freedom + square);
  if (x < (a + 1) / (a + 2.5)) return front * betaFraction(a, 0.5, x) / a;
  return 1 - front * betaFraction(0.5, a, square / (freedom + square)) / 0.5;
}

double studentQuantile(double p, double freedom) {
  if (!(freedom > 0) || !(p > 0 && p < 1)) return std::numeric_limits<double>::quiet_NaN();
  double low = 0;
  double high = 1;
  while (studentTwoSided(high, freedom) > p && high < 1e300) {
    low = high;
    high *= 4;
  }
  // Newton's method kept inside a bracket.
  double t = 0.5 * (low + high);
  for (int i = 0; i < 200; ++i) {
    const double excess = studentTwoSided(t, freedom) - p;
    (excess > 0 ? low : high) = t;
    double next = t + excess / (2 * density(t, freedom));
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    if (std::abs(next - t) <= 2 * kEpsilon * t || high - low <= kEpsilon * high) return next;
    t = next;
  }
  return t;
}

}  // namespace adjoint

#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "ops/row.h"

namespace adjoint::testing {

/// Where functions change their formula, have zeros or poles, or run out of range.
inline const std::vector<double>& specialPoints() {
  static const std::vector<double> points = [] {
    std::vector<double> p{0.0,
                          5e-324,
                          1e-310,
                          0x1p-1022,
                          1e-300,
                          1e-160,
                          1e-154,
                          1e-20,
                          1e-9,
                          1e-8,
                          1e-5,
                          0.25,
                          0.5,
                          0.75,
                          1.0,
                          1.5,
                          2.0,
                          3.0,
                          4.0,
                          5.0,
                          10.0,
                          12.0,
                          20.0,
                          22.0,
                          26.5,
                          27.2,
                          36.7,
                          37.5,
                          100.0,
                          170.6,
                          300.0,
                          372.0,
                          354.5,
                          690.0,
                          708.4,
                          709.78,
                          709.782712893384,
                          710.0,
                          710.4758600739439,
                          744.0,
                          745.13,
                          746.0,
                          1000.0,
                          1022.0,
                          1023.0,
                          1024.0,
                          1074.0,
                          1075.0,
                          1e5,
                          1e9,
                          1e15,
                          4503599627370496.0,
                          9007199254740992.0,
                          1e17,
                          1e20,
                          1e100,
                          1e150,
                          1.3e154,
                          1.34078e154,
                          1e155,
                          1e160,
                          1e200,
                          1e300,
                          1.1e307,
                          8.9e307,
                          1.7976931348623157e308,
                          0.36787944117144233,
                          0.6931471805599453,
                          0.7071067811865476,
                          1.4142135623730951,
                          1.4616321449683623,
                          1.4302966531242027,
                          2.718281828459045,
                          3.141592653589793,
                          1.5707963267948966,
                          4.4934094579090642,
                          6.283185307179586,
                          0.3183098861837907};
    const std::size_t positive = p.size();
    for (std::size_t i = 0; i < positive; ++i) p.push_back(-p[i]);
    for (const double x : {-0.5040830082644554, -1.5734984731623905, -2.6107208684441447,
                           -2.457024738220801, -2.7476826467274127, -3.143580888349980,
                           -3.955294284858598, -10.1, -30.5, -100.7, -180.2}) {
      p.push_back(x);
    }
    const std::size_t n = p.size();
    for (std::size_t i = 0; i < n; ++i) {
      double up = p[i], down = p[i];
      for (int k = 0; k < 3; ++k) {
        up = std::nextafter(up, HUGE_VAL), down = std::nextafter(down, -HUGE_VAL);
        if (std::isfinite(up)) p.push_back(up);
        if (std::isfinite(down)) p.push_back(down);
      }
    }
    return p;
  }();
  return points;
}

/// Whether the row is real at x.
inline bool inDomain(const Row& row, const double* x) {
  const double a = x[0], b = x[1];
  switch (row.domain) {
    case Domain::Real:
      return true;
    case Domain::Positive:
      return a > 0;
    case Domain::NonNegative:
      return a >= 0;
    case Domain::UnitClosed:
      return std::fabs(a) <= 1;
    case Domain::UnitOpen:
      return std::fabs(a) < 1;
    case Domain::AboveOne:
      return a >= 1;
    case Domain::AboveMinusOne:
      return a > -1;
    case Domain::NotPole:
      return a > 0 || a != std::floor(a);
    case Domain::NonZero:
      return a != 0;
    case Domain::PowPair:
      return a > 0 || (a == 0 && b >= 0) || b == std::floor(b);
    case Domain::XLogY:
      return b > 0;
    case Domain::XLog1pY:
      return b > -1;
    case Domain::NonZeroSecond:
      return b != 0;
    case Domain::Boolean:
      return (a == 0 || a == 1) && (b == 0 || b == 1);
  }
  return false;
}

/// Draws operands: by bit pattern, at moderate exponents, at special points and their neighbors;
/// pairs and triples also correlated.
class PointSource {
 public:
  explicit PointSource(std::uint64_t seed) : random_(seed) {}

  void draw(const Row& row, double* x) {
    do {
      for (int i = 0; i < 3; ++i) x[i] = single();
      if (row.family == Family::Where) x[0] = random_() & 1 ? 1 : 0;
      if (row.arity > 1) correlate(x);
      if (row.domain == Domain::Boolean) {
        for (int i = 0; i < 3; ++i) x[i] = random_() & 1 ? 1 : 0;
      }
      if (row.domain == Domain::UnitClosed || row.domain == Domain::UnitOpen) unit(x[0]);
      if (row.domain == Domain::PowPair) power(x);
      if (row.domain == Domain::NotPole && random_() % 4 == 0) x[0] = uniform(-200, 200);
    } while (!inDomain(row, x));
  }

 private:
  double uniform(double lo, double hi) {
    return lo + (hi - lo) * static_cast<double>(random_() >> 11) * 0x1p-53;
  }
  double bitPattern() {
    double x;
    do {
      x = std::bit_cast<double>(random_());
    } while (!std::isfinite(x));
    return x;
  }
  /// Random mantissa and sign, exponent between lo and hi.
  double exponentBetween(int lo, int hi) {
    const double m = std::bit_cast<double>((random_() >> 12) | 0x3ff0000000000000ull);
    const int e = lo + static_cast<int>(random_() % static_cast<unsigned>(hi - lo + 1));
    return std::ldexp(random_() & 1 ? m : -m, e);
  }
  double single() {
    switch (random_() % 8) {
      case 0:
      case 1:
      case 2:
        return bitPattern();
      case 3:
      case 4:
        return exponentBetween(-12, 12);
      case 5:
        return exponentBetween(-60, 60);
      case 6:
        return uniform(-760, 760);
      default:
        return specialPoints()[random_() % specialPoints().size()];
    }
  }
  void correlate(double* x) {
    switch (random_() % 8) {
      case 0:
        x[1] = x[0];
        break;
      case 1:
        x[1] = x[0] * (1 + exponentBetween(-52, -1));
        break;
      case 2:
        x[1] = x[0] + uniform(-800, 800);
        break;
      case 3:
        x[1] = x[0] * exponentBetween(-4, 4);
        break;
      case 4:
        x[1] = exponentBetween(-1, 1) / x[0];
        break;
      case 5:
        x[2] = -x[0] * x[1] * (1 + exponentBetween(-55, -1));
        break;
      default:
        return;
    }
    if (!std::isfinite(x[1])) x[1] = single();
    if (!std::isfinite(x[2])) x[2] = single();
  }
  void unit(double& x) {
    switch (random_() % 4) {
      case 0:
        x = std::copysign(1 - std::fabs(exponentBetween(-54, -1)), x);
        break;
      case 1:
        x = uniform(-1, 1);
        break;
      default:
        break;
    }
  }
  /// Half of the pairs with a result inside the doubles.
  void power(double* x) {
    const std::uint64_t kind = random_() % 8;
    if (kind < 4) {
      x[0] = std::fabs(x[0]);
      const double l = std::log(x[0]);
      if (l != 0 && std::isfinite(l)) x[1] = uniform(-750, 720) / l;
      if (!std::isfinite(x[1])) x[1] = 1;
    } else if (kind == 4) {
      x[1] = static_cast<double>(static_cast<int>(random_() % 41) - 20);
    } else if (kind == 5) {
      x[1] = std::round(x[1]);
    } else if (kind == 6) {
      x[0] = 1 + exponentBetween(-52, -1);
    }
  }

  std::mt19937_64 random_;
};

}  // namespace adjoint::testing

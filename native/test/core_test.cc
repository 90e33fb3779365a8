// The cores of ops/math: the same bits from another type and beside lanes that leave the fast
// range, and their edges.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "ops/math/exp_core.h"
#include "ops/math/kernels.h"
#include "test/mp_real.h"

namespace adjoint::testing {

/// One lane, with operations of its own, as a code generator would have them.
struct Lane {
  double x = 0;
};
Lane ofPattern(std::uint64_t u) { return {std::bit_cast<double>(u)}; }
std::uint64_t patternOf(Lane a) { return std::bit_cast<std::uint64_t>(a.x); }
Lane constantLike(Lane, double x) { return {x}; }
Lane bitsLike(Lane, long long x) { return ofPattern(static_cast<std::uint64_t>(x)); }
Lane add(Lane a, Lane b) { return {a.x + b.x}; }
Lane sub(Lane a, Lane b) { return {a.x - b.x}; }
Lane mul(Lane a, Lane b) { return {a.x * b.x}; }
Lane mulAdd(Lane a, Lane b, Lane c) {
#if defined(__FMA__) || !defined(__x86_64__)
  return {std::fma(a.x, b.x, c.x)};
#else
  return {a.x * b.x + c.x};
#endif
}
Lane andBits(Lane a, Lane b) { return ofPattern(patternOf(a) & patternOf(b)); }
Lane addBits(Lane a, Lane b) { return ofPattern(patternOf(a) + patternOf(b)); }
Lane shiftLeftBits(Lane a, int n) { return ofPattern(patternOf(a) << n); }
bool notLess(Lane a, Lane b) { return !(a.x < b.x); }

namespace {

std::size_t pointCount() {
  const char* text = std::getenv("ADJOINT_ULP_POINTS");
  return text ? static_cast<std::size_t>(std::atoll(text)) : 20000;
}

std::vector<double> expOf(const std::vector<double>& x) {
  std::vector<double> y(x.size());
  kernel::exp(y.data(), x.data(), nullptr, nullptr, x.size(), 0);
  return y;
}
double expOf(double x) { return expOf(std::vector<double>{x})[0]; }

std::uint64_t bitsOf(double x) { return std::bit_cast<std::uint64_t>(x); }

/// Arguments of every size, those near a change of k among them.
std::vector<double> expPoints(std::size_t n) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> unit(-1, 1);
  std::vector<double> x(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double u = unit(random), v = unit(random);
    const double half = (std::floor((i % 8 < 4 ? 3 : 1020) * u) + 0.5) * 0.6931471805599453;
    x[i] = i % 4 == 0 ? 707.9 * u : i % 4 == 1 ? u : half + v * (i % 4 == 2 ? 1e-2 : 1e-9);
  }
  return x;
}

TEST(ExpCore, SameBitsFromAnyTypeAndBesideAnyLane) {
  const std::vector<double> x = expPoints(20000), y = expOf(x);
  const double outside[] = {INFINITY, -INFINITY, NAN, 709.5, -745, 1e308, -708, 708};
  for (std::size_t i = 0; i < x.size(); ++i) {
    const simd::CoreResult<Lane> lane = simd::expCore(Lane{x[i]});
    ASSERT_FALSE(lane.outside) << x[i];
    ASSERT_EQ(bitsOf(lane.value.x), bitsOf(y[i])) << x[i];
    // A vector with such a lane takes the other way.
    std::vector<double> mixed(8, x[i]);
    mixed[i % 8] = outside[i / 8 % 8];
    const std::vector<double> z = expOf(mixed);
    for (std::size_t k = 0; k < 8; ++k) {
      if (k == i % 8) continue;
      ASSERT_EQ(bitsOf(z[k]), bitsOf(y[i])) << x[i] << " beside " << mixed[i % 8];
    }
  }
}

TEST(ExpCore, EndsOfTheFastRange) {
  for (const double x : {708.0, -708.0, HUGE_VAL, -HUGE_VAL, 1e300, double{NAN}}) {
    EXPECT_TRUE(simd::expCore(Lane{x}).outside) << x;
  }
  for (const double x : {0.0, -0.0, 5e-324, 707.9999999, -707.9999999}) {
    EXPECT_FALSE(simd::expCore(Lane{x}).outside) << x;
  }
}

TEST(ExpCore, SpecialValues) {
  EXPECT_EQ(expOf(0.0), 1);
  EXPECT_EQ(expOf(-0.0), 1);
  EXPECT_EQ(expOf(5e-324), 1);
  EXPECT_EQ(expOf(-1e-300), 1);
  EXPECT_EQ(expOf(INFINITY), INFINITY);
  EXPECT_EQ(bitsOf(expOf(-INFINITY)), 0u);
  EXPECT_TRUE(std::isnan(expOf(NAN)));
  EXPECT_TRUE(std::isnan(expOf(-NAN)));
  // The last arguments with finite, with normal and with other than zero results.
  EXPECT_EQ(expOf(0x1.62e42fefa39efp+9), 0x1.fffffffffff2ap+1023);
  EXPECT_EQ(expOf(0x1.62e42fefa39f0p+9), INFINITY);
  EXPECT_EQ(expOf(-0x1.74910d52d3051p+9), 5e-324);
  EXPECT_EQ(bitsOf(expOf(-0x1.74910d52d3052p+9)), 0u);
  for (const double x : {746.0, 1e4, 1e308}) {
    EXPECT_EQ(expOf(x), INFINITY);
    EXPECT_EQ(bitsOf(expOf(-x)), 0u);
  }
}

TEST(ExpCore, IncreasesAtItsEdges) {
  const double edges[] = {0.0,
                          708.0,
                          -708.0,
                          709.782712893384,
                          -708.3964185322641,
                          -745.1332191019411,
                          0.34657359027997264,
                          -0.34657359027997264,
                          1.0397207708399179,
                          707.703271,
                          -707.703271};
  for (const double edge : edges) {
    std::vector<double> x(2000, edge);
    for (std::size_t i = 999; i-- > 0;) x[i] = std::nextafter(x[i + 1], -INFINITY);
    for (std::size_t i = 1000; i < 2000; ++i) x[i] = std::nextafter(x[i - 1], INFINITY);
    const std::vector<double> y = expOf(x);
    for (std::size_t i = 1; i < 2000; ++i) ASSERT_LE(y[i - 1], y[i]) << x[i];
  }
}

/// What the comments of exp_core.h say.
TEST(ExpCore, Accuracy) {
  const std::vector<double> x = expPoints(pointCount()), y = expOf(x);
  mpfr_t exact, error;
  mpfr_init2(exact, 120), mpfr_init2(error, 60);
  double worst = 0, at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    mpfr_set_d(exact, x[i], MPFR_RNDN);
    mpfr_exp(exact, exact, MPFR_RNDN);
    mpfr_sub_d(error, exact, y[i], MPFR_RNDN);
    mpfr_mul_2si(error, error, 53 - mpfr_get_exp(exact), MPFR_RNDN);
    const double ulp = std::fabs(mpfr_get_d(error, MPFR_RNDN));
    if (ulp > worst) worst = ulp, at = x[i];
  }
  mpfr_clear(exact), mpfr_clear(error);
  if (std::getenv("ADJOINT_ULP_REPORT")) std::printf("exp: %.4f ulp at %.17g\n", worst, at);
  EXPECT_LE(worst, 0.75) << at;
}

}  // namespace
}  // namespace adjoint::testing

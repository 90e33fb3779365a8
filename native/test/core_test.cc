// The cores of ops/math: the same bits from another type and beside lanes that leave the fast
// range, and their edges.
#include <gtest/gtest.h>
#include <mpfr.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "ops/math/exp_core.h"
#include "ops/math/kernels.h"
#include "ops/math/log_core.h"
#include "ops/math/logistic_core.h"
#include "ops/math/sincos_core.h"

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
Lane div(Lane a, Lane b) { return {a.x / b.x}; }
Lane mulAdd(Lane a, Lane b, Lane c) {
#if defined(__FMA__) || !defined(__x86_64__)
  return {std::fma(a.x, b.x, c.x)};
#else
  return {a.x * b.x + c.x};
#endif
}
Lane subMul(Lane c, Lane a, Lane b) { return mulAdd({-a.x}, b, c); }
Lane mulSub(Lane a, Lane b, Lane c) { return mulAdd(a, b, {-c.x}); }
Lane larger(Lane a, Lane b) { return a.x > b.x ? a : b; }
Lane andBits(Lane a, Lane b) { return ofPattern(patternOf(a) & patternOf(b)); }
Lane orBits(Lane a, Lane b) { return ofPattern(patternOf(a) | patternOf(b)); }
Lane xorBits(Lane a, Lane b) { return ofPattern(patternOf(a) ^ patternOf(b)); }
Lane addBits(Lane a, Lane b) { return ofPattern(patternOf(a) + patternOf(b)); }
Lane shiftLeftBits(Lane a, int n) { return ofPattern(patternOf(a) << n); }
Lane shiftRightBits(Lane a, int n) { return ofPattern(patternOf(a) >> n); }
Lane chooseNegative(Lane s, Lane a, Lane b) { return std::signbit(s.x) ? a : b; }
bool notLess(Lane a, Lane b) { return !(a.x < b.x); }

namespace {

std::size_t pointCount() {
  const char* text = std::getenv("ADJOINT_ULP_POINTS");
  return text ? static_cast<std::size_t>(std::atoll(text)) : 20000;
}

using Kernel = void (*)(double*, const double*, const double*, const double*, std::size_t, int);
std::vector<double> values(Kernel kernel, const std::vector<double>& x) {
  std::vector<double> y(x.size());
  kernel(y.data(), x.data(), nullptr, nullptr, x.size(), 0);
  return y;
}
double expOf(double x) { return values(kernel::exp, {x})[0]; }
double logOf(double x) { return values(kernel::log, {x})[0]; }

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

/// Whether a core gives the kernel's bits, also where another lane of the vector is outside.
template <class Core>
void checkBits(Core core, Kernel kernel, const std::vector<double>& x,
               const std::vector<double>& outside) {
  const std::vector<double> y = values(kernel, x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const simd::CoreResult<Lane> lane = core(Lane{x[i]});
    ASSERT_FALSE(lane.outside) << x[i];
    ASSERT_EQ(bitsOf(lane.value.x), bitsOf(y[i])) << x[i];
    std::vector<double> mixed(8, x[i]);
    for (std::size_t k = i % 2; k < 8; k += 2) mixed[k] = outside[(i + k) / 2 % outside.size()];
    const std::vector<double> z = values(kernel, mixed);
    for (std::size_t k = 1 - i % 2; k < 8; k += 2) {
      ASSERT_EQ(bitsOf(z[k]), bitsOf(y[i])) << x[i] << " beside " << mixed[0];
    }
  }
}

/// Whether values do not decrease from one double to the next.
void checkIncreases(Kernel kernel, const std::vector<double>& edges) {
  for (const double edge : edges) {
    std::vector<double> x(2000, edge);
    for (std::size_t i = 999; i-- > 0;) x[i] = std::nextafter(x[i + 1], -INFINITY);
    for (std::size_t i = 1000; i < 2000; ++i) x[i] = std::nextafter(x[i - 1], INFINITY);
    const std::vector<double> y = values(kernel, x);
    for (std::size_t i = 1; i < 2000; ++i) ASSERT_LE(y[i - 1], y[i]) << x[i];
  }
}

/// The largest error, in units in the last place, of values that are normal.
double worstError(Kernel kernel, int (*mpfr)(mpfr_t, const mpfr_t, mpfr_rnd_t),
                  const std::vector<double>& x) {
  const std::vector<double> y = values(kernel, x);
  mpfr_t exact, error;
  mpfr_init2(exact, 120), mpfr_init2(error, 60);
  double worst = 0, at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    mpfr_set_d(exact, x[i], MPFR_RNDN);
    mpfr(exact, exact, MPFR_RNDN);
    mpfr_sub_d(error, exact, y[i], MPFR_RNDN);
    if (mpfr_zero_p(error)) continue;
    mpfr_mul_2si(error, error, 53 - mpfr_get_exp(exact), MPFR_RNDN);
    const double ulp = std::fabs(mpfr_get_d(error, MPFR_RNDN));
    if (!(ulp <= worst)) worst = ulp, at = x[i];
  }
  mpfr_clear(exact), mpfr_clear(error);
  if (std::getenv("ADJOINT_ULP_REPORT")) std::printf("%.4f ulp at %.17g\n", worst, at);
  return worst;
}

TEST(ExpCore, SameBitsFromAnyTypeAndBesideAnyLane) {
  checkBits([](Lane x) { return simd::expCore(x); }, kernel::exp, expPoints(20000),
            {INFINITY, -INFINITY, NAN, 709.5, -745, 1e308, -708, 708});
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
  checkIncreases(kernel::exp, {0.0, 708.0, -708.0, 709.782712893384, -708.3964185322641,
                               -745.1332191019411, 0.34657359027997264, -0.34657359027997264,
                               1.0397207708399179, 707.703271, -707.703271});
}

TEST(ExpCore, Accuracy) {
  EXPECT_LE(worstError(kernel::exp, mpfr_exp, expPoints(pointCount())), 0.75);
}

/// Normal numbers of every size, those near 1 and near a change of k among them.
std::vector<double> logPoints(std::size_t n) {
  std::mt19937_64 random(6);
  std::uniform_real_distribution<double> unit(-1, 1);
  std::vector<double> x(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double u = unit(random), v = unit(random);
    x[i] = i % 4 == 0   ? std::ldexp(1.5 + 0.5 * u, static_cast<int>(1022 * v))
           : i % 4 == 1 ? 1 + 0.5 * u
           : i % 4 == 2 ? 1 + u * std::exp2(-52 * std::fabs(v))
                        : std::ldexp(89.0 / 128 + 1e-2 * u, static_cast<int>(3 * v));
  }
  return x;
}

TEST(LogCore, SameBitsFromAnyTypeAndBesideAnyLane) {
  checkBits([](Lane x) { return simd::logCore(x); }, kernel::log, logPoints(20000),
            {INFINITY, -INFINITY, NAN, -NAN, 0.0, -0.0, -1.0, 5e-324, 1e-310, 1.7e308, -1e300});
}

TEST(LogCore, EndsOfTheFastRange) {
  const double smallest = 0x1p-1022, largest = 0x1.64p+1023;
  for (const double x : {smallest, 1.0, 1e308, largest}) {
    EXPECT_FALSE(simd::logCore(Lane{x}).outside) << x;
  }
  for (const double x : {std::nextafter(smallest, 0), 5e-324, 0.0,
                         std::nextafter(largest, INFINITY), 0x1.fffffffffffffp+1023, HUGE_VAL}) {
    EXPECT_TRUE(simd::logCore(Lane{x}).outside) << x;
    EXPECT_TRUE(simd::logCore(Lane{-x}).outside) << -x;
  }
  for (const double x : {smallest, 1.0, 2.0, 1e308}) EXPECT_TRUE(simd::logCore(Lane{-x}).outside);
  for (const std::uint64_t nan : {0x7ff0000000000001u, 0x7ff8000000000000u, 0x7fffffffffffffffu}) {
    EXPECT_TRUE(simd::logCore(ofPattern(nan)).outside);
    EXPECT_TRUE(simd::logCore(ofPattern(nan | 1ull << 63)).outside);
  }
}

TEST(LogCore, SpecialValues) {
  EXPECT_EQ(bitsOf(logOf(1.0)), 0u);
  EXPECT_EQ(logOf(0.0), -INFINITY);
  EXPECT_EQ(logOf(-0.0), -INFINITY);
  EXPECT_EQ(logOf(INFINITY), INFINITY);
  for (const double x : {double{NAN}, double{-NAN}, -5e-324, -1.0, -1e308, -HUGE_VAL}) {
    EXPECT_TRUE(std::isnan(logOf(x))) << x;
  }
}

TEST(LogCore, IncreasesAtItsEdges) {
  checkIncreases(kernel::log, {1.0, 0x1p-1022, 0x1.64p+1023, 0x1.64p-1, 0x1.64p+0, 0x1.64p+10});
}

TEST(LogCore, Accuracy) {
  EXPECT_LE(worstError(kernel::log, mpfr_log, logPoints(pointCount())), 0.9);
  EXPECT_LE(worstError(kernel::log, mpfr_log, {5e-324, 1e-310, 0x0.fffffffffffffp-1022, 1.7e308}),
            1);
}

/// Angles of every size, those near multiples of pi / 4 among them.
std::vector<double> sinePoints(std::size_t n) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> unit(-1, 1);
  std::vector<double> x(n);
  const double quarter = 0.7853981633974483;
  for (std::size_t i = 0; i < n; ++i) {
    const double u = unit(random), v = unit(random);
    x[i] = i % 5 == 0   ? 99999 * u
           : i % 5 == 1 ? u
           : i % 5 == 2 ? 10 * u
           : i % 5 == 3 ? std::floor(127000 * u) * quarter
                        : std::floor(100 * u) * quarter + 1e-3 * v;
  }
  return x;
}

TEST(SineCore, SameBitsFromAnyTypeAndBesideAnyLane) {
  if (!simd::kIsFused) GTEST_SKIP() << "needs a fused multiply-add";
  const std::vector<double> outside = {INFINITY, -INFINITY, NAN, 1e5, -1e5, 1e15, 1e300};
  checkBits([](Lane x) { return simd::sinCore(x); }, kernel::sin, sinePoints(20000), outside);
  checkBits([](Lane x) { return simd::cosCore(x); }, kernel::cos, sinePoints(20000), outside);
  for (const double x : outside) {
    EXPECT_TRUE(simd::sinCore(Lane{x}).outside && simd::cosCore(Lane{x}).outside) << x;
  }
}

TEST(SineCore, SpecialValues) {
  for (const double x : {0.0, -0.0, 5e-324, -5e-324, 1e-300, -1e-9}) {
    EXPECT_EQ(bitsOf(values(kernel::sin, {x})[0]), bitsOf(x)) << x;
    EXPECT_EQ(values(kernel::cos, {x})[0], 1) << x;
  }
  for (const double x : {double{INFINITY}, -double{INFINITY}, double{NAN}}) {
    EXPECT_TRUE(std::isnan(values(kernel::sin, {x})[0])) << x;
    EXPECT_TRUE(std::isnan(values(kernel::cos, {x})[0])) << x;
  }
}

TEST(SineCore, OddAndEven) {
  const std::vector<double> x = sinePoints(2000);
  std::vector<double> minusX = x;
  for (double& v : minusX) v = -v;
  const std::vector<double> s = values(kernel::sin, x), minusS = values(kernel::sin, minusX);
  EXPECT_EQ(values(kernel::cos, x), values(kernel::cos, minusX));
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(s[i], -minusS[i]) << x[i];
}

TEST(SineCore, Accuracy) {
  std::vector<double> x = sinePoints(pointCount());
  EXPECT_LE(worstError(kernel::sin, mpfr_sin, x), 0.82);
  EXPECT_LE(worstError(kernel::cos, mpfr_cos, x), 0.82);
  // Where the fast range ends.
  x = {99999.99999999999, -99999.99999999999, 1e5, -1e5, 1e5 + 1e-10};
  EXPECT_LE(worstError(kernel::sin, mpfr_sin, x), 1);
  EXPECT_LE(worstError(kernel::cos, mpfr_cos, x), 1);
}

/// Arguments of every size, those near 0 and near a change of k among them.
std::vector<double> logisticPoints(std::size_t n, double most) {
  std::mt19937_64 random(8);
  std::uniform_real_distribution<double> unit(-1, 1);
  std::vector<double> x(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double u = unit(random), v = unit(random);
    const double edge = (std::floor(60 * u) + 0.5) * 0.34657359027997264;
    x[i] = i % 6 == 0   ? most * u
           : i % 6 == 1 ? u
           : i % 6 == 2 ? 10 * u
           : i % 6 == 3 ? 40 * u
           : i % 6 == 4 ? u * std::exp2(-70 * std::fabs(v))
                        : edge + v * 1e-3;
  }
  return x;
}

const double kLogisticSpecials[] = {INFINITY, -INFINITY, NAN, 320, -320, 708, -708, 1e308, -745};

TEST(LogisticCore, SameBitsFromAnyTypeAndBesideAnyLane) {
  const std::vector<double> outside(std::begin(kLogisticSpecials), std::end(kLogisticSpecials));
  const auto sigmoid = [](Lane x) { return simd::sigmoidCore(x, simd::sigmoidParts(x)); };
  checkBits(sigmoid, kernel::sigmoid, logisticPoints(20000, 707.9), outside);
  if (!simd::kIsFused) GTEST_SKIP() << "the others need a fused multiply-add";
  const auto sigmoidGrad = [](Lane x) { return simd::sigmoidGradCore(simd::sigmoidParts(x)); };
  const auto tanh = [](Lane x) {
    return simd::CoreResult<Lane>{simd::tanhCore(x, simd::tanhParts(x)), false};
  };
  const auto sech2 = [](Lane x) { return simd::sech2Core(simd::tanhParts(x)); };
  checkBits(sigmoidGrad, kernel::sigmoidGrad, logisticPoints(20000, 707.9), outside);
  checkBits(tanh, kernel::tanh, logisticPoints(20000, 1e4), outside);
  checkBits(sech2, kernel::sech2, logisticPoints(20000, 319.9), outside);
}

TEST(LogisticCore, EndsOfTheFastRange) {
  for (const double x : {708.0, -708.0, HUGE_VAL, -HUGE_VAL, double{NAN}}) {
    EXPECT_TRUE(simd::sigmoidCore(Lane{x}, simd::sigmoidParts(Lane{x})).outside) << x;
    EXPECT_TRUE(simd::sigmoidGradCore(simd::sigmoidParts(Lane{x})).outside) << x;
    EXPECT_TRUE(simd::sech2Core(simd::tanhParts(Lane{x})).outside) << x;
  }
  EXPECT_TRUE(simd::sech2Core(simd::tanhParts(Lane{320.0})).outside);
  for (const double x : {0.0, -0.0, 5e-324, 319.9999999, -319.9999999}) {
    EXPECT_FALSE(simd::sigmoidGradCore(simd::sigmoidParts(Lane{x})).outside) << x;
    EXPECT_FALSE(simd::sech2Core(simd::tanhParts(Lane{x})).outside) << x;
  }
}

TEST(LogisticCore, SpecialValues) {
  for (const double x : {0.0, -0.0, 5e-324, -5e-324, 1e-310, -1e-300, 1e-20}) {
    EXPECT_EQ(bitsOf(values(kernel::tanh, {x})[0]), bitsOf(x)) << x;
    EXPECT_EQ(values(kernel::sech2, {x})[0], 1) << x;
    EXPECT_EQ(values(kernel::sigmoid, {x})[0], 0.5) << x;
    EXPECT_EQ(values(kernel::sigmoidGrad, {x})[0], 0.25) << x;
  }
  for (const double x : {20.0, 320.0, 1e3, 1e308, HUGE_VAL}) {
    EXPECT_EQ(values(kernel::tanh, {x})[0], 1) << x;
    EXPECT_EQ(values(kernel::tanh, {-x})[0], -1) << x;
  }
  for (const double x : {750.0, 1e3, 1e308, HUGE_VAL}) {
    EXPECT_EQ(values(kernel::sigmoid, {x})[0], 1) << x;
    for (const double zero : {values(kernel::sigmoid, {-x})[0], values(kernel::sigmoidGrad, {x})[0],
                              values(kernel::sigmoidGrad, {-x})[0], values(kernel::sech2, {x})[0],
                              values(kernel::sech2, {-x})[0]})
      EXPECT_EQ(bitsOf(zero), 0u) << x;
  }
  for (const Kernel kernel : {kernel::tanh, kernel::sech2, kernel::sigmoid, kernel::sigmoidGrad})
    EXPECT_TRUE(std::isnan(values(kernel, {double{NAN}})[0]));
  EXPECT_EQ(values(kernel::sigmoid, {-745.0})[0], 5e-324);
  EXPECT_EQ(values(kernel::sigmoidGrad, {745.0})[0], 5e-324);
}

TEST(LogisticCore, OddAndEven) {
  const std::vector<double> x = logisticPoints(2000, 400);
  std::vector<double> minusX = x;
  for (double& v : minusX) v = -v;
  EXPECT_EQ(values(kernel::sech2, x), values(kernel::sech2, minusX));
  EXPECT_EQ(values(kernel::sigmoidGrad, x), values(kernel::sigmoidGrad, minusX));
  const std::vector<double> t = values(kernel::tanh, x), minusT = values(kernel::tanh, minusX);
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(t[i], -minusT[i]) << x[i];
}

// 1 / (1 + e^-x) and its derivative, 1 / (2 + e^x + e^-x).
int sigmoidOf(mpfr_t y, const mpfr_t x, mpfr_rnd_t mode) {
  mpfr_t e;
  mpfr_init2(e, 200);
  mpfr_neg(e, x, mode);
  mpfr_exp(e, e, mode);
  mpfr_add_ui(e, e, 1, mode);
  mpfr_ui_div(y, 1, e, mode);
  mpfr_clear(e);
  return 0;
}
int sigmoidGradOf(mpfr_t y, const mpfr_t x, mpfr_rnd_t mode) {
  mpfr_t e;
  mpfr_init2(e, 200);
  mpfr_cosh(e, x, mode);
  mpfr_add_ui(e, e, 1, mode);
  mpfr_mul_ui(e, e, 2, mode);
  mpfr_ui_div(y, 1, e, mode);
  mpfr_clear(e);
  return 0;
}
int sech2Of(mpfr_t y, const mpfr_t x, mpfr_rnd_t mode) {
  mpfr_sech(y, x, mode);
  return mpfr_sqr(y, y, mode);
}

TEST(LogisticCore, Accuracy) {
  const auto worst = [](Kernel kernel, auto* exact, double most) {
    return worstError(kernel, exact, logisticPoints(pointCount(), most));
  };
  EXPECT_LE(worst(kernel::sigmoid, sigmoidOf, 707), 2.5);
  EXPECT_LE(worst(kernel::sigmoidGrad, sigmoidGradOf, 707), simd::kIsFused ? 2 : 2.5);
  EXPECT_LE(worst(kernel::tanh, mpfr_tanh, 30), simd::kIsFused ? 0.9 : 1);
  EXPECT_LE(worst(kernel::sech2, sech2Of, 319), simd::kIsFused ? 2 : 2.5);
}

}  // namespace
}  // namespace adjoint::testing

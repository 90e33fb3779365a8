// Bits of the kernels: the same at every length, offset and in place, and fit for comparison
// between builds.
//
//   ADJOINT_BITS_FILE=path   writes a digest a row. All builds with fused multiply-adds must write
//                            native/test/kernel_bits.txt; a change of it is one of numerics.
#include <gtest/gtest.h>
#include <sleef.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "ops/elementwise_rows.h"
#include "plan/plan.h"
#include "test/mpfr_reference.h"
#include "test/support/digest.h"
#include "test/tape_lanes.h"
#include "test/ulp_points.h"

namespace adjoint::testing {
namespace {

#define ADJOINT_TEXT_OF(x) #x
#define ADJOINT_TEXT(x) ADJOINT_TEXT_OF(x)
#define ADJOINT_SLEEF_VERSION \
  ADJOINT_TEXT(SLEEF_VERSION_MAJOR) "." ADJOINT_TEXT(SLEEF_VERSION_MINOR)

struct Operands {
  std::vector<double> x[3];

  /// Points of the domain, and raw special values in every lane position.
  Operands(const Row& row, std::size_t n) {
    PointSource source(code(row.op));
    const double special[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 5e-324, -5e-324, 1e308};
    for (std::size_t i = 0; i < n; ++i) {
      double p[3];
      source.draw(row, p);
      for (std::size_t k = 0; k < 3; ++k) {
        const bool boolean =
            row.domain == Domain::Boolean || (row.family == Family::Where && k == 0);
        if (i % 5 == 0 && !boolean) p[k] = special[(i / 5 + 3 * k * (i / 40)) % 8];
        x[k].push_back(p[k]);
      }
    }
  }
};

TEST(KernelBits, SameAtEveryLengthOffsetAndInPlace) {
  constexpr std::size_t kCount = 200;
  for (const Row& row : elementwiseRows()) {
    const Operands in(row, kCount);
    for (const int attr : attrsOf(row.op)) {
      std::vector<double> whole(kCount);
      row.kernel(whole.data(), in.x[0].data(), in.x[1].data(), in.x[2].data(), kCount, attr);
      for (std::size_t i = 0; i < kCount; ++i) {
        for (const std::size_t n : {1, 2, 3, 5, 7, 8, 9, 16, 23}) {
          if (i + n > kCount) continue;
          double out[32];
          for (double& o : out) o = -7;
          row.kernel(out + 1, &in.x[0][i], &in.x[1][i], &in.x[2][i], n, attr);
          for (std::size_t k = 0; k < n; ++k) {
            ASSERT_EQ(bitsOf(out[k + 1]), bitsOf(whole[i + k]))
                << row.name << " n " << n << " at " << i;
          }
          ASSERT_EQ(out[0], -7) << row.name;
        }
      }
      for (int operand = 0; operand < row.arity; ++operand) {
        std::vector<double> x[3] = {in.x[0], in.x[1], in.x[2]};
        row.kernel(x[operand].data(), x[0].data(), x[1].data(), x[2].data(), kCount, attr);
        for (std::size_t i = 0; i < kCount; ++i) {
          ASSERT_EQ(bitsOf(x[operand][i]), bitsOf(whole[i]))
              << row.name << " in place of " << operand;
        }
      }
    }
  }
}

/// What is in native/test/kernel_bits.txt, for every processor with fused multiply-adds.
TEST(KernelBits, Digest) {
  constexpr std::size_t kCount = 20000;
  std::string text = "SLEEF " ADJOINT_SLEEF_VERSION "\n";
  for (const Row& row : elementwiseRows()) {
    const Operands in(row, kCount);
    for (const int attr : attrsOf(row.op)) {
      std::vector<double> out(kCount);
      row.kernel(out.data(), in.x[0].data(), in.x[1].data(), in.x[2].data(), kCount, attr);
      Digest digest;
      for (const double v : out) digest.add(v);
      text += std::string(row.name) + " " + std::to_string(attr) + " " + digest.text() + "\n";
    }
  }
  if (const char* path = std::getenv("ADJOINT_BITS_FILE")) std::ofstream(path) << text;
  if (!kFusedProducts) return;
  std::ifstream recorded(ADJOINT_ROOT "/native/test/kernel_bits.txt");
  std::istringstream here(text);
  std::string want, got;
  std::getline(recorded, want);
  std::getline(here, got);
  // Another version's functions may have other bits.
  if (got != want) return;
  while (std::getline(recorded, want)) {
    std::getline(here, got);
    EXPECT_EQ(got, want);
  }
  EXPECT_FALSE(std::getline(here, got)) << got;
}

/// Infinities, NaN and signed zeros: what the reference gives, which follows IEEE 754 and C, but
/// where the rows say otherwise.
TEST(KernelBits, SpecialValues) {
  const double special[] = {0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 3.0, -3.0, INFINITY, -INFINITY, NAN};
  for (const Row& row : elementwiseRows()) {
    if (row.internal || row.operandType == DType::Bool || row.family == Family::Where) continue;
    for (const double a : special) {
      for (const double b : special) {
        for (const double c : {-1.0, 3.0}) {
          if (row.arity < 3 && c != 3.0) continue;
          if (row.arity < 2 && bitsOf(b) != bitsOf(0.0)) continue;
          double out = 0;
          row.kernel(&out, &a, &b, &c, 1, 0);
          const Real x[3] = {a, b, c};
          const double want = reference(row.op, x, 0).toDouble();
          // 1 / sqrt(-0) is 1 / -0.
          if (row.op == Op::Rsqrt && a == 0) continue;
          // The zeros of a sine of pi have no sign of interest.
          if (row.op == Op::Sinc && want == 0) continue;
          const std::string where = std::string(row.name) + " at " + std::to_string(a) + ", " +
                                    std::to_string(b) + ", " + std::to_string(c) + ": got " +
                                    std::to_string(out) + ", want " + std::to_string(want);
          if (std::isnan(want) || std::isnan(out)) {
            EXPECT_TRUE(std::isnan(want) && std::isnan(out)) << where;
          } else if (std::isinf(want) || std::isinf(out)) {
            EXPECT_EQ(out, want) << where;
          } else if (want == 0) {
            EXPECT_EQ(std::signbit(out), std::signbit(want)) << where;
          }
        }
      }
    }
  }
}

/// First partials where formulas are singular or tie: the table of edge cases.
TEST(Partials, AtSingularPoints) {
  const double inf = INFINITY, nan = NAN;
  const struct {
    Op op;
    double a, b, da, db;
  } cases[] = {{Op::Abs, 0, 0, 0, 0},           {Op::Sqrt, 0, 0, inf, 0},
               {Op::Sqrt, -0.0, 0, -inf, 0},    {Op::Pow, 0, 0, 0, 0},
               {Op::Pow, 0, 1, 1, 0},           {Op::Pow, 0, 2, 0, 0},
               {Op::Pow, 0, 0.5, inf, 0},       {Op::Pow, 0, -1, -inf, -inf},
               {Op::Pow, -2, 3, 12, nan},       {Op::Xlogx, 0, 0, -inf, 0},
               {Op::Xlogy, 0, 0, -inf, 0},      {Op::Maximum, 1, 1, 0.5, 0.5},
               {Op::Minimum, 1, 1, 0.5, 0.5},   {Op::Fmax, 1, 1, 0.5, 0.5},
               {Op::Fmin, 1, 1, 0.5, 0.5},      {Op::Maximum, nan, 1, nan, nan},
               {Op::Minimum, 1, nan, nan, nan}, {Op::Fmax, nan, 1, 0, 1},
               {Op::Fmin, nan, 1, 0, 1},        {Op::Fmin, 1, nan, 1, 0},
               {Op::Relu, 0, 0, 0, 0},          {Op::Atan2, 0, 0, nan, nan},
               {Op::Hypot, 0, 0, 0, 0},         {Op::Sinc, 0, 0, 0, 0},
               {Op::Log, 0, 0, inf, 0},         {Op::Log1p, -1, 0, inf, 0},
               {Op::Asin, 1, 0, inf, 0},        {Op::Acos, 1, 0, -inf, 0},
               {Op::Tanh, 1000, 0, 0, 0},       {Op::Erf, 30, 0, 0, 0},
               {Op::Softplus, 1000, 0, 1, 0},   {Op::Softplus, -1000, 0, 0, 0},
               {Op::Expm1, -800, 0, 0, 0},      {Op::Tanh, 1.7e308, 0, 0, 0},
               {Op::Erf, -1.7e308, 0, 0, 0},    {Op::Div, 0, 0, inf, nan},
               {Op::Mul, 0, inf, inf, 0},       {Op::Mod, 6, 3, 1, -2},
               {Op::Copysign, 0, 1, 0, 0}};
  for (const auto& c : cases) {
    const Row& row = rowOf(c.op);
    const TapePtr tape = tapeOfRow(row, 0);
    std::vector<std::vector<double>> x{{c.a}, {c.b}};
    x.resize(static_cast<std::size_t>(row.arity));
    const auto out = evaluateLanes(*tape, x, 1);
    const double want[] = {c.da, c.db};
    for (int i = 0; i < row.arity; ++i) {
      const double got = out[static_cast<std::size_t>(i) + 1][0];
      EXPECT_TRUE(got == want[i] || (std::isnan(got) && std::isnan(want[i])))
          << row.name << " at (" << c.a << ", " << c.b << ") by operand " << i << ": got " << got
          << ", want " << want[i];
    }
  }
  const Row& clip = rowOf(Op::Clip);
  const auto out =
      evaluateLanes(*tapeOfRow(clip, 0), {{-1, 0, 0.5, 1, 2}, {0, 0, 0, 0, 0}, {1, 1, 1, 1, 1}}, 5);
  EXPECT_EQ(out[1], (std::vector<double>{0, 1, 1, 1, 0}));
  EXPECT_EQ(out[2], (std::vector<double>{1, 0, 0, 0, 0}));
  EXPECT_EQ(out[3], (std::vector<double>{0, 0, 0, 0, 1}));
}

}  // namespace
}  // namespace adjoint::testing

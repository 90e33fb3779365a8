// Values and partials of every elementwise row against MPFR, in units in the last place.
//
//   ADJOINT_ULP_POINTS=100000   points a row (2000 otherwise)
//   ADJOINT_ULP_REPORT=1        prints the worst of every row
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "ops/elementwise_rows.h"
#include "test/mpfr_reference.h"
#include "test/tape_lanes.h"
#include "test/ulp_points.h"

namespace adjoint::testing {
namespace {

std::size_t pointCount() {
  const char* text = std::getenv("ADJOINT_ULP_POINTS");
  return text ? static_cast<std::size_t>(std::atoll(text)) : 2000;
}

/// |value - exact| in units in the last place of exact, or of `atLeast` where that is larger. The
/// spacing of subnormals counts below the normal doubles, and infinity is the next double after the
/// largest.
double ulpError(double value, const Real& exact, const Real& atLeast) {
  if (exact.isNaN()) return std::isnan(value) ? 0 : INFINITY;
  if (std::isnan(value)) return INFINITY;
  const Real limit = power(Real(2.0), 1024);
  Real e = abs(exact) > limit ? (exact.sign() < 0 ? -limit : limit) : exact;
  const Real v = std::isinf(value) ? (value < 0 ? -limit : limit) : Real(value);
  const Real size = abs(e) > abs(atLeast) ? abs(e) : abs(atLeast);
  mpfr_exp_t exponent = size.isZero() ? -1074 : mpfr_get_exp(size.get()) - 53;
  exponent = std::max<mpfr_exp_t>(exponent, -1074);
  if (atLeast.isZero()) exponent = std::min<mpfr_exp_t>(exponent, 971);
  return (abs(v - e) / power(Real(2.0), exponent)).toDouble();
}

struct Worst {
  double ulp = 0;
  double x[3] = {};
  double got = 0, want = 0;
};

std::string describe(const Row& row, int attr, int which, const Worst& w) {
  char text[400];
  std::snprintf(text, sizeof text,
                "%-16s attr %2d %-6s worst %9.3f at (%.17g, %.17g, %.17g): got %.17g, want %.17g",
                row.name, attr,
                which < 0    ? "value"
                : which == 0 ? "d/da"
                : which == 1 ? "d/db"
                             : "d/dc",
                w.ulp, w.x[0], w.x[1], w.x[2], w.got, w.want);
  return text;
}

void checkRow(const Row& row, int attr) {
  const std::size_t n = pointCount();
  const TapePtr tape = tapeOfRow(row, attr);
  PointSource source(1000u * code(row.op) + static_cast<unsigned>(attr));
  std::vector<std::vector<double>> x(3, std::vector<double>(n));
  for (std::size_t i = 0; i < n; ++i) {
    double p[3];
    source.draw(row, p);
    for (std::size_t k = 0; k < 3; ++k) x[k][i] = p[k];
  }
  x.resize(static_cast<std::size_t>(row.arity));
  const auto outputs = evaluateLanes(*tape, x, n);
  std::vector<Worst> worst(outputs.size());
  for (std::size_t i = 0; i < n; ++i) {
    double p[3] = {};
    Real r[3];
    for (std::size_t k = 0; k < x.size(); ++k) r[k] = p[k] = x[k][i];
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      const int which = static_cast<int>(k) - 1;
      if (which >= 0 && !isRegular(row.op, p, attr)) continue;
      if (row.op == Op::PowDeriv && !isRegular(row.op, p, attr)) continue;
      if ((row.op == Op::HypotDeriv || row.op == Op::Atan2Deriv) && p[0] == 0 && p[1] == 0)
        continue;
      if (row.op == Op::Pow && which == 1 && p[0] < 0) continue;
      const Real exact =
          which < 0 ? reference(row.op, r, attr) : referencePartial(row.op, which, r, attr);
      double ulp = ulpError(outputs[k][i], exact, 0.0);
      const double bound = which < 0 ? row.ulp : row.partialUlp;
      if (ulp > bound) {
        // Near a zero of a sum: 4 units of its largest term, however large they are in the result's
        // own.
        const Real term = largestTerm(row.op, which, r, attr);
        if (!term.isZero()) {
          if (ulpError(outputs[k][i], exact, term) <= 4) ulp = bound;
        }
      }
      if (!(ulp <= worst[k].ulp)) {
        worst[k] = {ulp, {p[0], p[1], p[2]}, outputs[k][i], exact.toDouble()};
      }
    }
  }
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const int which = static_cast<int>(k) - 1;
    const std::string text = describe(row, attr, which, worst[k]);
    if (std::getenv("ADJOINT_ULP_REPORT")) std::printf("%s\n", text.c_str());
    EXPECT_LE(worst[k].ulp, which < 0 ? row.ulp : row.partialUlp) << text;
  }
}

class Ulp : public ::testing::TestWithParam<const Row*> {};

TEST_P(Ulp, ValueAndPartials) {
  for (const int attr : attrsOf(GetParam()->op)) checkRow(*GetParam(), attr);
}

std::vector<const Row*> rows() {
  std::vector<const Row*> result;
  for (const Row& row : elementwiseRows()) result.push_back(&row);
  return result;
}

INSTANTIATE_TEST_SUITE_P(Rows, Ulp, ::testing::ValuesIn(rows()),
                         [](const auto& info) { return std::string(info.param->id); });

/// The reference itself: its partials are the derivatives of its values.
TEST(MpfrReference, PartialsAreDerivatives) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> draw(0.05, 0.95);
  const mpfr_prec_t before = Real::precision;
  Real::precision = 500;
  for (const Row& row : elementwiseRows()) {
    if (!row.partials) continue;
    for (const int attr : attrsOf(row.op)) {
      for (int trial = 0; trial < 10; ++trial) {
        Real x[3];
        for (Real& v : x) v = draw(random) * 0.1 + 0.4 + (row.domain == Domain::AboveOne ? 1 : 0);
        if (row.op == Op::Clip) x[1] = 0.1, x[2] = 0.9;
        if (row.domain == Domain::NotPole && trial % 2) x[0] = -3.0 - x[0];
        if (row.op == Op::SincDeriv && trial % 2) x[0] = 2.0 + x[0];
        for (int which = 0; which < row.arity; ++which) {
          const Real h = power(Real(2.0), -150);
          Real hi[3] = {x[0], x[1], x[2]}, lo[3] = {x[0], x[1], x[2]};
          hi[which] = hi[which] + h;
          lo[which] = lo[which] - h;
          const Real slope =
              (reference(row.op, hi, attr) - reference(row.op, lo, attr)) / (h * 2.0);
          const Real partial = referencePartial(row.op, which, x, attr);
          const Real error = abs(slope - partial) / (abs(partial) + 1e-3);
          EXPECT_LT(error.toDouble(), 1e-60)
              << row.name << " attr " << attr << " operand " << which;
        }
      }
    }
  }
  Real::precision = before;
}

}  // namespace
}  // namespace adjoint::testing

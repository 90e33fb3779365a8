// Many curve fits at once: the sum over j < 20 of (p0 + sum over k < 3 of p[1+3k] exp(-p[2+3k] (t_j
// - p[3+3k])^2)
// - y_j)^2, t_j = -2 + 4 j/19, of every instance. Sizes: instances. Inputs: p [instances][10], y
// [instances][20]. Value: one an instance. Derivative: [instances][10].
//
// The parameters and the sums of an instance stay in registers while its points go by. What does
// not depend on the point (2, the amplitude, the width) is multiplied in at the end. Most of the
// time is the C library's exponential.
#include <cmath>

#include "hand/hand.h"

namespace bench::hand {
namespace {

constexpr long kParameters = 10;
constexpr long kPoints = 20;

class CurveFit final : public Problem {
 public:
  CurveFit(long instances, Numbers inputs)
      : instances_(instances), p_(inputs.data()), y_(inputs.data() + instances * kParameters) {
    for (long j = 0; j < kPoints; j++) t_[j] = -2 + 4 * static_cast<double>(j) / 19;
    values_.resize(instances);
    gradient_.resize(instances * kParameters);
  }

  void primal() override {
    for (long i = 0; i < instances_; i++) {
      const double* p = p_ + i * kParameters;
      const double* y = y_ + i * kPoints;
      const double p0 = p[0];
      const double a1 = p[1], w1 = -p[2], c1 = p[3];
      const double a2 = p[4], w2 = -p[5], c2 = p[6];
      const double a3 = p[7], w3 = -p[8], c3 = p[9];
      double value = 0;
      for (long j = 0; j < kPoints; j++) {
        const double d1 = t_[j] - c1;
        const double d2 = t_[j] - c2;
        const double d3 = t_[j] - c3;
        const double r = p0 + a1 * std::exp(w1 * d1 * d1) + a2 * std::exp(w2 * d2 * d2) +
                         a3 * std::exp(w3 * d3 * d3) - y[j];
        value += r * r;
      }
      values_[i] = value;
    }
  }

  void derivative() override {
    for (long i = 0; i < instances_; i++) {
      const double* p = p_ + i * kParameters;
      const double* y = y_ + i * kPoints;
      double* g = gradient_.data() + i * kParameters;
      const double p0 = p[0];
      const double a1 = p[1], w1 = p[2], c1 = p[3];
      const double a2 = p[4], w2 = p[5], c2 = p[6];
      const double a3 = p[7], w3 = p[8], c3 = p[9];
      double value = 0, g0 = 0;
      double ga1 = 0, gw1 = 0, gc1 = 0;
      double ga2 = 0, gw2 = 0, gc2 = 0;
      double ga3 = 0, gw3 = 0, gc3 = 0;
      for (long j = 0; j < kPoints; j++) {
        const double d1 = t_[j] - c1;
        const double d2 = t_[j] - c2;
        const double d3 = t_[j] - c3;
        const double e1 = std::exp(-w1 * d1 * d1);
        const double e2 = std::exp(-w2 * d2 * d2);
        const double e3 = std::exp(-w3 * d3 * d3);
        const double r = p0 + a1 * e1 + a2 * e2 + a3 * e3 - y[j];
        value += r * r;
        g0 += r;
        const double b1 = r * e1;
        const double b2 = r * e2;
        const double b3 = r * e3;
        ga1 += b1;
        ga2 += b2;
        ga3 += b3;
        const double bd1 = b1 * d1;
        const double bd2 = b2 * d2;
        const double bd3 = b3 * d3;
        gc1 += bd1;
        gc2 += bd2;
        gc3 += bd3;
        gw1 += bd1 * d1;
        gw2 += bd2 * d2;
        gw3 += bd3 * d3;
      }
      values_[i] = value;
      g[0] = 2 * g0;
      g[1] = 2 * ga1;
      g[2] = -2 * a1 * gw1;
      g[3] = 4 * a1 * w1 * gc1;
      g[4] = 2 * ga2;
      g[5] = -2 * a2 * gw2;
      g[6] = 4 * a2 * w2 * gc2;
      g[7] = 2 * ga3;
      g[8] = -2 * a3 * gw3;
      g[9] = 4 * a3 * w3 * gc3;
    }
  }

  Numbers value() const override { return values_; }
  Numbers gradient() const override { return gradient_; }

 private:
  long instances_;
  const double* p_;
  const double* y_;
  double t_[kPoints];
  std::vector<double> values_;
  std::vector<double> gradient_;
};

}  // namespace

std::unique_ptr<Problem> curvefit(Sizes sizes, Numbers inputs) {
  expect(
      sizes.size() == 1 && static_cast<long>(inputs.size()) == sizes[0] * (kParameters + kPoints),
      "curvefit");
  return std::make_unique<CurveFit>(sizes[0], inputs);
}

}  // namespace bench::hand

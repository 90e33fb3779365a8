// Rosenbrock's function: the sum over i < n-1 of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2.
// Sizes: n. Inputs: x [n].
//
// Eight sums run side by side, so that no addition waits for the one before and eight terms fill
// vectors. The gradient is a pass of its own inside each block of terms: computing u of the left
// neighbour again costs less than carrying it from element to element, which would keep the loop
// from being vectorized.
#include "hand/hand.h"

namespace bench::hand {
namespace {

constexpr long kLanes = 8;

class Rosenbrock final : public Problem {
 public:
  explicit Rosenbrock(Numbers x) : x_(x), gradient_(x.size()) {}

  void primal() override {
    const double* x = x_.data();
    const long last = static_cast<long>(x_.size()) - 1;
    double sums[kLanes] = {};
    long i = 0;
    for (; i + kLanes <= last; i += kLanes) {
#pragma GCC unroll 1
      for (long q = 0; q < kLanes; q++) {
        const double u = x[i + q + 1] - x[i + q] * x[i + q];
        const double v = 1 - x[i + q];
        sums[q] += 100 * u * u + v * v;
      }
    }
    double sum = 0;
    for (; i < last; i++) {
      const double u = x[i + 1] - x[i] * x[i];
      const double v = 1 - x[i];
      sum += 100 * u * u + v * v;
    }
    for (const double part : sums) sum += part;
    value_ = sum;
  }

  void derivative() override {
    const double* x = x_.data();
    double* __restrict__ g = gradient_.data();
    const long last = static_cast<long>(x_.size()) - 1;
    double sums[kLanes] = {};
    double sum = 0;
    double carry = 0;
    long i = 0;
    if (last > kLanes) {
      const double u = x[1] - x[0] * x[0];
      const double v = 1 - x[0];
      sum = 100 * u * u + v * v;
      g[0] = -400 * x[0] * u - 2 * v;
      for (i = 1; i + kLanes <= last; i += kLanes) {
#pragma GCC unroll 1
        for (long q = 0; q < kLanes; q++) {
          const double a = x[i + q];
          const double left = a - x[i + q - 1] * x[i + q - 1];
          const double right = x[i + q + 1] - a * a;
          const double w = 1 - a;
          sums[q] += 100 * right * right + w * w;
          g[i + q] = 200 * left - 400 * a * right - 2 * w;
        }
      }
      carry = 200 * (x[i] - x[i - 1] * x[i - 1]);
    }
    for (; i < last; i++) {
      const double u = x[i + 1] - x[i] * x[i];
      const double v = 1 - x[i];
      sum += 100 * u * u + v * v;
      g[i] = carry - 400 * x[i] * u - 2 * v;
      carry = 200 * u;
    }
    g[last] = carry;
    for (const double part : sums) sum += part;
    value_ = sum;
  }

  Numbers value() const override { return {&value_, 1}; }
  Numbers gradient() const override { return gradient_; }

 private:
  Numbers x_;
  double value_ = 0;
  std::vector<double> gradient_;
};

}  // namespace

std::unique_ptr<Problem> rosenbrock(Sizes sizes, Numbers inputs) {
  expect(sizes.size() == 1 && sizes[0] >= 2 && static_cast<long>(inputs.size()) == sizes[0],
         "rosenbrock");
  return std::make_unique<Rosenbrock>(inputs);
}

}  // namespace bench::hand

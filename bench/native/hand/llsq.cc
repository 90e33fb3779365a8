// Half the sum over n points of (s_i - x_0 - x_1 t_i - x_2 t_i^2 - ...)^2, t from -1 to 1, s_i =
// sign(t_i). Sizes: n, m. Inputs: x [m].
//
// The primal goes through the powers of one point at a time, as GradBench's own does: the products
// of neighbouring points overlap in the processor. The gradient takes eight points at once: eight
// independent chains, by Horner's scheme up and by powers down, and an element of the gradient is
// read and written once for all eight; the primal of "llsq-eight" does the first half of that.
#include <algorithm>

#include "hand/hand.h"

namespace bench::hand {
namespace {

constexpr long kPoints = 8;

class LeastSquares final : public Problem {
 public:
  LeastSquares(long n, Numbers x, bool eight) : n_(n), x_(x), eight_(eight), gradient_(x.size()) {}

  void primal() override {
    if (eight_) return primalEight();
    double total = 0;
    for (long i = 0; i < n_; i++) {
      const double t = point(i);
      double residual = sign(t);
      double power = 1;
      for (const double x : x_) {
        residual -= x * power;
        power *= t;
      }
      total += residual * residual;
    }
    value_ = total / 2;
  }

  void derivative() override {
    const long m = static_cast<long>(x_.size());
    double total = 0;
    std::fill(gradient_.begin(), gradient_.end(), 0.0);
    for (long start = 0; start < n_; start += kPoints) {
      double t[kPoints];
      double r[kPoints];
      total += residuals(start, t, r);
      for (long j = 0; j < m; j++) {
        gradient_[j] += ((r[0] + r[4]) + (r[1] + r[5])) + ((r[2] + r[6]) + (r[3] + r[7]));
        for (long q = 0; q < kPoints; q++) r[q] *= t[q];
      }
    }
    value_ = total / 2;
  }

  Numbers value() const override { return {&value_, 1}; }
  Numbers gradient() const override { return gradient_; }

 private:
  void primalEight() {
    double total = 0;
    for (long start = 0; start < n_; start += kPoints) {
      double t[kPoints];
      double r[kPoints];
      total += residuals(start, t, r);
    }
    value_ = total / 2;
  }

  /** Eight points, what remains at them, and the sum of its squares; points past the last have no
   * weight. */
  double residuals(long start, double* t, double* r) const {
    for (long q = 0; q < kPoints; q++) t[q] = point(start + q);
    double sums[kPoints] = {};
    for (long j = static_cast<long>(x_.size()) - 1; j >= 0; j--) {
      const double x = x_[j];
      for (long q = 0; q < kPoints; q++) sums[q] = sums[q] * t[q] + x;
    }
    double total = 0;
    for (long q = 0; q < kPoints; q++) {
      r[q] = start + q < n_ ? sums[q] - sign(t[q]) : 0;
      total += r[q] * r[q];
    }
    return total;
  }

  double point(long i) const {
    return -1 + static_cast<double>(i) * 2 / static_cast<double>(n_ - 1);
  }
  static double sign(double t) { return (t > 0) - (t < 0); }

  long n_;
  Numbers x_;
  bool eight_;
  double value_ = 0;
  std::vector<double> gradient_;
};

std::unique_ptr<Problem> make(Sizes sizes, Numbers inputs, bool eight) {
  expect(sizes.size() == 2 && sizes[0] >= 2 && static_cast<long>(inputs.size()) == sizes[1],
         "llsq");
  return std::make_unique<LeastSquares>(sizes[0], inputs, eight);
}

}  // namespace

std::unique_ptr<Problem> llsq(Sizes sizes, Numbers inputs) { return make(sizes, inputs, false); }
std::unique_ptr<Problem> llsqEight(Sizes sizes, Numbers inputs) {
  return make(sizes, inputs, true);
}

}  // namespace bench::hand

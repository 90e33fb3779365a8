// The Hessian of the Lagrangian of Luksan and Vlcek's chained problem: Rosenbrock's function, the
// sum over i < n-1 of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2, plus the sum over k < n-2 of
//   weights[k] (3 x[k+1]^3 + 2 x[k+2] - 5 + sin(x[k+1] - x[k+2]) sin(x[k+1] + x[k+2]) + 4 x[k+1]
//   - x[k] exp(x[k] - x[k+1]) - 3).
// Sizes: n. Inputs: x [n], weights [n-2]. Derivative: its lower triangle as compressed rows, [0, 0]
// and then [i, i-1], [i, i] of every further row, 2n - 1 values.
//
// sin(a - b) sin(a + b) is sin(a)^2 - sin(b)^2, which leaves one cosine and one exponential for
// every element. Exponentials and cosines of a block come first, in loops of their own, so that
// what is left is vectorized.
#include <algorithm>
#include <cmath>

#include "hand/hand.h"

namespace bench::hand {
namespace {

constexpr long kBlock = 256;

class Chained final : public DerivativeOnly {
 public:
  Chained(long n, Numbers inputs)
      : DerivativeOnly(2 * n - 1), n_(n), x_(inputs.data()), weights_(x_ + n) {}

  void derivative() override {
    const double* x = x_;
    const double* w = weights_;
    double* __restrict__ h = values_.data();
    row(0);
    row(1);
    double exps[kBlock + 1];
    double cosines[kBlock];
    for (long start = 2; start < n_ - 2; start += kBlock) {
      const long count = std::min(kBlock, n_ - 2 - start);
      for (long q = 0; q <= count; q++) {
        const long i = start + q - 1;
        exps[q] = w[i] * std::exp(x[i] - x[i + 1]);
      }
      for (long q = 0; q < count; q++) cosines[q] = std::cos(2 * x[start + q]);
      for (long q = 0; q < count; q++) {
        const long i = start + q;
        const double left = x[i - 1];
        const double a = x[i];
        h[2 * i - 1] = (1 + left) * exps[q] - 400 * left;
        h[2 * i] = 1200 * a * a - 400 * x[i + 1] + 202 + 18 * w[i - 1] * a +
                   2 * (w[i - 1] - w[i - 2]) * cosines[q] - left * exps[q] - (2 + a) * exps[q + 1];
      }
    }
    for (long i = std::max(2L, n_ - 2); i < n_; i++) row(i);
  }

 private:
  /** A row next to the first or the last, which lacks some terms. */
  void row(long i) {
    const double a = x_[i];
    double diagonal = 0;
    if (i < n_ - 1) diagonal += 1200 * a * a - 400 * x_[i + 1] + 2;
    if (i < n_ - 2) diagonal -= weights_[i] * (2 + a) * std::exp(a - x_[i + 1]);
    if (i > 0 && i < n_ - 1) diagonal += weights_[i - 1] * (18 * a + 2 * std::cos(2 * a));
    if (i > 1) diagonal -= weights_[i - 2] * 2 * std::cos(2 * a);
    if (i > 0) {
      const double left = x_[i - 1];
      const double e = i < n_ - 1 ? weights_[i - 1] * std::exp(left - a) : 0;
      diagonal += 200 - left * e;
      values_[2 * i - 1] = (1 + left) * e - 400 * left;
    }
    values_[2 * i] = diagonal;
  }

  long n_;
  const double* x_;
  const double* weights_;
};

}  // namespace

std::unique_ptr<Problem> chained(Sizes sizes, Numbers inputs) {
  expect(sizes.size() == 1 && sizes[0] >= 4 && static_cast<long>(inputs.size()) == 2 * sizes[0] - 2,
         "chained");
  return std::make_unique<Chained>(sizes[0], inputs);
}

}  // namespace bench::hand

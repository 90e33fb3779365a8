// The Jacobian of the Brusselator on a periodic grid of n times n points, h = 1 / (n - 1):
//   u' = 1 + u^2 v - 4.4 u + 10 / h^2 lap(u) + f, v' = 3.4 u - u^2 v + 10 / h^2 lap(v).
// Sizes: n. Inputs: u [n][n], v [n][n]. Derivative: the values of the Jacobian's compressed rows,
// u' and then v', by all u and then all v, 6 a row, columns ascending.
//
// A row has the point and its four neighbors, which all have the same value, and one of the other
// species. Only the place of the point's own value changes: it is in the middle of the five, and
// where neighbors are around a corner one place before or after it.

#include "hand/hand.h"

namespace bench::hand {
namespace {

constexpr long kRow = 6;

class Brusselator final : public DerivativeOnly {
 public:
  Brusselator(long n, Numbers inputs)
      : DerivativeOnly(2 * kRow * n * n), n_(n), u_(inputs.data()), v_(u_ + n * n) {}

  void derivative() override {
    row<1>(0);
    for (long y = 1; y < n_ - 1; y++) row<2>(y);
    row<3>(n_ - 1);
  }

 private:
  template <int Middle>
  void row(long y) {
    point<Middle - 1>(y * n_);
    for (long i = y * n_ + 1; i < (y + 1) * n_ - 1; i++) point<Middle>(i);
    point<Middle + 1>((y + 1) * n_ - 1);
  }

  template <int Own>
  void point(long i) {
    const double a = 10 * static_cast<double>((n_ - 1) * (n_ - 1));
    const double square = u_[i] * u_[i];
    const double product = 2 * u_[i] * v_[i];
    double* __restrict__ u = values_.data() + kRow * i;
    double* __restrict__ v = u + kRow * n_ * n_;
    for (int k = 0; k < 5; k++) u[k] = k == Own ? product - 4.4 - 4 * a : a;
    u[5] = square;
    v[0] = 3.4 - product;
    for (int k = 0; k < 5; k++) v[1 + k] = k == Own ? -square - 4 * a : a;
  }

  long n_;
  const double* u_;
  const double* v_;
};

}  // namespace

std::unique_ptr<Problem> brusselator(Sizes sizes, Numbers inputs) {
  expect(sizes.size() == 1 && sizes[0] >= 3 &&
             static_cast<long>(inputs.size()) == 2 * sizes[0] * sizes[0],
         "brusselator");
  return std::make_unique<Brusselator>(sizes[0], inputs);
}

}  // namespace bench::hand

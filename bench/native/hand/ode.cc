// y' = f(y), f_0 = x_0, f_i = x_i y_{i-1}, y(0) = 0, up to t = 2 in s steps of the classical
// Runge-Kutta method. Sizes: n, s. Inputs: x [n]. The derivative is the gradient of the last
// element of y(2), without the value.
//
// The primal divides where the method has fractions, as GradBench's own does; that of "ode-scaled"
// multiplies by the weights instead. The gradient keeps the arguments of f at every stage and takes
// the steps back in reverse.
#include <algorithm>

#include "hand/hand.h"

namespace bench::hand {
namespace {

constexpr long kStages = 4;

class Ode final : public Problem {
 public:
  Ode(long s, Numbers x, bool scaled)
      : n_(static_cast<long>(x.size())),
        s_(s),
        h_(2.0 / static_cast<double>(s)),
        scaled_(scaled),
        x_(x.data()) {
    y_.resize(n_);
    u_.resize(n_);
    k_.resize(kStages * n_);
    stages_.resize(s * kStages * n_);
    gradient_.resize(n_);
    yBar_.resize(n_);
    nextBar_.resize(n_);
    uBar_.resize(n_);
  }

  void primal() override {
    std::fill(y_.begin(), y_.end(), 0.0);
    for (long step = 0; step < s_; step++) scaled_ ? this->step<true>() : this->step<false>();
  }

  void derivative() override {
    forward();
    std::fill(gradient_.begin(), gradient_.end(), 0.0);
    std::fill(yBar_.begin(), yBar_.end(), 0.0);
    yBar_[n_ - 1] = 1;
    for (long step = s_ - 1; step >= 0; step--) reverse(stages_.data() + step * kStages * n_);
  }

  Numbers value() const override { return y_; }
  Numbers gradient() const override { return gradient_; }

 private:
  void f(const double* __restrict__ y, double* __restrict__ out) const {
    const long n = n_;
    const double* x = x_;
    out[0] = x[0];
    for (long i = 1; i < n; i++) out[i] = x[i] * y[i - 1];
  }

  /** A step by the method's fractions, or by weights that were made once. */
  template <bool kScaled>
  void step() {
    const long n = n_;
    const double h = h_;
    double* __restrict__ y = y_.data();
    double* __restrict__ u = u_.data();
    double* __restrict__ k1 = k_.data();
    double* __restrict__ k2 = k1 + n;
    double* __restrict__ k3 = k2 + n;
    double* __restrict__ k4 = k3 + n;
    const auto half = [h](double k) { return kScaled ? h / 2 * k : h * k / 2; };
    const auto sixth = [h](double k) { return kScaled ? h / 6 * k : h * k / 6; };
    f(y, k1);
    for (long i = 0; i < n; i++) u[i] = y[i] + half(k1[i]);
    f(u, k2);
    for (long i = 0; i < n; i++) u[i] = y[i] + half(k2[i]);
    f(u, k3);
    for (long i = 0; i < n; i++) u[i] = y[i] + h * k3[i];
    f(u, k4);
    for (long i = 0; i < n; i++) y[i] += sixth(k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
  }

  /** The steps, each with the arguments of its four calls of f kept. */
  void forward() {
    const long n = n_;
    std::fill(y_.begin(), y_.end(), 0.0);
    double* __restrict__ y = y_.data();
    for (long step = 0; step < s_; step++) {
      double* __restrict__ at = stages_.data() + step * kStages * n;
      std::copy(y, y + n, at);
      for (long stage = 0; stage < kStages; stage++) {
        double* __restrict__ k = k_.data() + stage * n;
        f(at + stage * n, k);
        if (stage == kStages - 1) break;
        const double reach = stage == 2 ? h_ : h_ / 2;
        double* __restrict__ u = at + (stage + 1) * n;
        for (long i = 0; i < n; i++) u[i] = y[i] + reach * k[i];
      }
      const double* __restrict__ k = k_.data();
      const double sixth = h_ / 6;
      for (long i = 0; i < n; i++) {
        y[i] += sixth * (k[i] + 2 * (k[n + i] + k[2 * n + i]) + k[3 * n + i]);
      }
    }
  }

  /** A step back: `at` are the arguments of its calls of f. */
  void reverse(const double* __restrict__ at) {
    const long n = n_;
    const double* __restrict__ x = x_;
    const double* __restrict__ yBar = yBar_.data();
    double* __restrict__ g = gradient_.data();
    double* __restrict__ uBar = uBar_.data();
    double* __restrict__ nextBar = nextBar_.data();
    std::copy(yBar, yBar + n, nextBar);
    std::fill(uBar, uBar + n, 0.0);
    for (long stage = kStages - 1; stage >= 0; stage--) {
      const double* __restrict__ u = at + stage * n;
      const double weight = stage == 0 || stage == kStages - 1 ? h_ / 6 : h_ / 3;
      // How far the next stage's argument goes along this one's slope.
      const double reach = stage == kStages - 1 ? 0 : stage == 2 ? h_ : h_ / 2;
      g[0] += weight * yBar[0] + reach * uBar[0];
      for (long i = 1; i < n; i++) {
        const double kBar = weight * yBar[i] + reach * uBar[i];
        g[i] += kBar * u[i - 1];
        uBar[i - 1] = kBar * x[i];
        nextBar[i - 1] += uBar[i - 1];
      }
      uBar[n - 1] = 0;
    }
    yBar_.swap(nextBar_);
  }

  long n_;
  long s_;
  double h_;
  bool scaled_;
  const double* x_;
  std::vector<double> y_, u_, k_, stages_, gradient_, yBar_, nextBar_, uBar_;
};

std::unique_ptr<Problem> make(Sizes sizes, Numbers inputs, bool scaled) {
  expect(sizes.size() == 2 && sizes[0] >= 1 && sizes[1] >= 1 &&
             static_cast<long>(inputs.size()) == sizes[0],
         "ode");
  return std::make_unique<Ode>(sizes[1], inputs, scaled);
}

}  // namespace

std::unique_ptr<Problem> ode(Sizes sizes, Numbers inputs) { return make(sizes, inputs, false); }

std::unique_ptr<Problem> odeScaled(Sizes sizes, Numbers inputs) {
  return make(sizes, inputs, true);
}

}  // namespace bench::hand

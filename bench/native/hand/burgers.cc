// Burgers' equation on 100 periodic cells,
//   v[i] = u[i] - c1 (u[i+1]^2 - u[i-1]^2) + c2 (u[i+1] - 2 u[i] + u[i-1]),
// for s steps; the sum of (u - target)^2 in the end. Sizes: s, and a number of checkpoints, for
// those who use as many. Inputs: u [100], target [100]. Derivative: by the first u.
//
// Two levels of checkpoints: every sqrt(s)-th state is kept, and in reverse the states between two
// of them, which takes the steps twice. A state has a copy of its last cell before it and of its
// first behind it, so that the loops have no corners.
#include <algorithm>
#include <cmath>

#include "hand/hand.h"

namespace bench::hand {
namespace {

constexpr long kCells = 100;
constexpr long kPadded = kCells + 2;
constexpr double kTransport = 2.5e-4;
constexpr double kDiffusion = 2e-3;

void wrap(double* u) {
  u[0] = u[kCells];
  u[kCells + 1] = u[1];
}

/** The cells of a state begin at its second element. */
void step(const double* __restrict__ u, double* __restrict__ v) {
  for (long i = 1; i <= kCells; i++) {
    v[i] = u[i] - kTransport * (u[i + 1] * u[i + 1] - u[i - 1] * u[i - 1]) +
           kDiffusion * (u[i + 1] - 2 * u[i] + u[i - 1]);
  }
  wrap(v);
}

/** uBar from vBar, at u. */
void reverse(const double* __restrict__ u, const double* __restrict__ vBar,
             double* __restrict__ uBar) {
  for (long i = 1; i <= kCells; i++) {
    uBar[i] = vBar[i] + 2 * kTransport * u[i] * (vBar[i + 1] - vBar[i - 1]) +
              kDiffusion * (vBar[i + 1] - 2 * vBar[i] + vBar[i - 1]);
  }
  wrap(uBar);
}

class Burgers final : public Problem {
 public:
  Burgers(long steps, Numbers inputs)
      : steps_(steps),
        block_(static_cast<long>(std::ceil(std::sqrt(static_cast<double>(steps))))),
        u_(inputs.data()),
        target_(u_ + kCells) {
    state_.resize(2 * kPadded);
    checkpoints_.resize((steps + block_ - 1) / block_ * kPadded);
    states_.resize((block_ + 1) * kPadded);
    bars_.resize(2 * kPadded);
    gradient_.resize(kCells);
  }

  void primal() override {
    double* u = begin();
    double* v = u + kPadded;
    for (long t = 0; t < steps_; t++) {
      step(u, v);
      std::swap(u, v);
    }
    value_ = objective(u);
  }

  void derivative() override {
    double* u = begin();
    double* v = u + kPadded;
    const long blocks = (steps_ + block_ - 1) / block_;
    for (long block = 0; block < blocks; block++) {
      std::copy(u, u + kPadded, checkpoints_.data() + block * kPadded);
      for (long t = length(block); t > 0; t--) {
        step(u, v);
        std::swap(u, v);
      }
    }
    value_ = objective(u);
    double* vBar = bars_.data();
    double* uBar = vBar + kPadded;
    for (long i = 0; i < kCells; i++) vBar[1 + i] = 2 * (u[1 + i] - target_[i]);
    wrap(vBar);
    for (long block = blocks - 1; block >= 0; block--) {
      const long count = length(block);
      double* states = states_.data();
      const double* checkpoint = checkpoints_.data() + block * kPadded;
      std::copy(checkpoint, checkpoint + kPadded, states);
      for (long k = 0; k + 1 < count; k++) step(states + k * kPadded, states + (k + 1) * kPadded);
      for (long k = count - 1; k >= 0; k--) {
        reverse(states + k * kPadded, vBar, uBar);
        std::swap(vBar, uBar);
      }
    }
    std::copy(vBar + 1, vBar + 1 + kCells, gradient_.begin());
  }

  Numbers value() const override { return {&value_, 1}; }
  Numbers gradient() const override { return gradient_; }

 private:
  /** Steps in a block. */
  long length(long block) const { return std::min(block_, steps_ - block * block_); }

  double* begin() {
    std::copy(u_, u_ + kCells, state_.begin() + 1);
    wrap(state_.data());
    return state_.data();
  }

  double objective(const double* u) const {
    double sum = 0;
    for (long i = 0; i < kCells; i++) {
      const double difference = u[1 + i] - target_[i];
      sum += difference * difference;
    }
    return sum;
  }

  long steps_;
  long block_;
  const double* u_;
  const double* target_;
  double value_ = 0;
  std::vector<double> state_, checkpoints_, states_, bars_, gradient_;
};

}  // namespace

std::unique_ptr<Problem> burgers(Sizes sizes, Numbers inputs) {
  expect(sizes.size() == 2 && sizes[0] >= 1 && inputs.size() == 2 * kCells, "burgers");
  return std::make_unique<Burgers>(sizes[0], inputs);
}

}  // namespace bench::hand

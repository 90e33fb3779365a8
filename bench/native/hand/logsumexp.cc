// log(sum(exp(x))), by way of the largest element. Sizes: n. Inputs: x [n].
//
// Nearly all of the time is the exponentials of the C library, one call an element; the maximum is
// four, each of every fourth element, so that no comparison waits for the one before. The gradient
// keeps them and scales them at the end, and so costs no second exponential.
#include <algorithm>
#include <cmath>
#include <limits>

#include "hand/hand.h"

namespace bench::hand {
namespace {

class LogSumExp final : public Problem {
 public:
  explicit LogSumExp(Numbers x) : x_(x), gradient_(x.size()) {}

  void primal() override {
    const double most = largest();
    double sum = 0;
    for (const double x : x_) sum += std::exp(x - most);
    value_ = most + std::log(sum);
  }

  void derivative() override {
    const double most = largest();
    double sum = 0;
    for (std::size_t i = 0; i < x_.size(); i++) sum += gradient_[i] = std::exp(x_[i] - most);
    const double scale = 1 / sum;
    for (double& g : gradient_) g *= scale;
    value_ = most + std::log(sum);
  }

  Numbers value() const override { return {&value_, 1}; }
  Numbers gradient() const override { return gradient_; }

 private:
  double largest() const {
    constexpr double kNone = -std::numeric_limits<double>::infinity();
    double lanes[4] = {kNone, kNone, kNone, kNone};
    std::size_t i = 0;
    for (; i + 4 <= x_.size(); i += 4) {
      for (std::size_t q = 0; q < 4; q++) lanes[q] = lanes[q] < x_[i + q] ? x_[i + q] : lanes[q];
    }
    double most = std::max(std::max(lanes[0], lanes[1]), std::max(lanes[2], lanes[3]));
    for (; i < x_.size(); i++) most = std::max(most, x_[i]);
    return most;
  }

  Numbers x_;
  double value_ = 0;
  std::vector<double> gradient_;
};

}  // namespace

std::unique_ptr<Problem> logsumexp(Sizes sizes, Numbers inputs) {
  expect(sizes.size() == 1 && static_cast<long>(inputs.size()) == sizes[0], "logsumexp");
  return std::make_unique<LogSumExp>(inputs);
}

}  // namespace bench::hand

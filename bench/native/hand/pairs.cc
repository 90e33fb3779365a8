// The sum of 4 (r^-12 - r^-6) over pairs of atoms at distance r. Sizes: pairs. Inputs: positions
// [n][3], the first atom of every pair, sorted, and the second.
//
// What belongs to the first atom stays in registers as long as it is the same.
#include <algorithm>

#include "hand/hand.h"

namespace bench::hand {
namespace {

class Pairs final : public Problem {
 public:
  Pairs(Numbers positions, Numbers first, Numbers second)
      : positions_(positions),
        first_(first.begin(), first.end()),
        second_(second.begin(), second.end()),
        gradient_(positions.size()) {}

  void primal() override {
    double energy = 0;
    const double* const p = positions_.data();
    for (std::size_t k = 0; k < first_.size(); k++) {
      const double* const a = p + 3 * static_cast<long>(first_[k]);
      const double* const b = p + 3 * static_cast<long>(second_[k]);
      const double x = a[0] - b[0], y = a[1] - b[1], z = a[2] - b[2];
      const double inverse = 1 / (x * x + y * y + z * z);
      const double sixth = inverse * inverse * inverse;
      energy += 4 * sixth * (sixth - 1);
    }
    energy_ = energy;
  }

  void derivative() override {
    const double* const p = positions_.data();
    double* const g = gradient_.data();
    std::fill(gradient_.begin(), gradient_.end(), 0.0);
    double energy = 0;
    for (std::size_t k = 0; k < first_.size();) {
      const int i = first_[k];
      const double* const a = p + 3 * static_cast<long>(i);
      double gx = 0, gy = 0, gz = 0;
      for (; k < first_.size() && first_[k] == i; k++) {
        const long j = 3 * static_cast<long>(second_[k]);
        const double x = a[0] - p[j], y = a[1] - p[j + 1], z = a[2] - p[j + 2];
        const double inverse = 1 / (x * x + y * y + z * z);
        const double sixth = inverse * inverse * inverse;
        energy += 4 * sixth * (sixth - 1);
        const double slope = 24 * sixth * (1 - 2 * sixth) * inverse;
        gx += slope * x;
        gy += slope * y;
        gz += slope * z;
        g[j] -= slope * x;
        g[j + 1] -= slope * y;
        g[j + 2] -= slope * z;
      }
      g[3 * static_cast<long>(i)] += gx;
      g[3 * static_cast<long>(i) + 1] += gy;
      g[3 * static_cast<long>(i) + 2] += gz;
    }
    energy_ = energy;
  }

  Numbers value() const override { return {&energy_, 1}; }
  Numbers gradient() const override { return gradient_; }

 private:
  Numbers positions_;
  std::vector<int> first_, second_;
  double energy_ = 0;
  std::vector<double> gradient_;
};

}  // namespace

std::unique_ptr<Problem> pairs(Sizes sizes, Numbers inputs) {
  const long count = sizes.size() == 1 ? sizes[0] : -1;
  const auto size = static_cast<long>(inputs.size());
  expect(count >= 0 && size > 2 * count && (size - 2 * count) % 3 == 0, "pairs");
  const std::size_t coordinates = inputs.size() - 2 * static_cast<std::size_t>(count);
  return std::make_unique<Pairs>(inputs.first(coordinates), inputs.subspan(coordinates, count),
                                 inputs.last(count));
}

}  // namespace bench::hand

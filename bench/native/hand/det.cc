// The determinant by expansion by minors along the first row. Sizes: ell. Inputs: a [ell][ell].
//
// Every minor is computed once: the minors of the last rows are named by their columns, as the bits
// of a number, and there are 2^ell of them instead of ell!. The order of the numbers computes what
// a minor needs before it, and the gradient goes through them the other way round. Which row a
// minor begins with follows from the size and is kept: to count bits takes a call where there is no
// instruction for it.
#include <algorithm>
#include <bit>

#include "hand/hand.h"

namespace bench::hand {
namespace {

class Determinant final : public Problem {
 public:
  Determinant(int ell, Numbers a)
      : a_(a), minors_(1U << ell), bars_(1U << ell), gradient_(a.size()) {
    for (unsigned mask = 0; mask < minors_.size(); mask++) {
      offsets_.push_back((ell - std::popcount(mask)) * ell);
    }
  }

  void primal() override {
    minors_[0] = 1;
    for (unsigned mask = 1; mask < minors_.size(); mask++) {
      const double* row = a_.data() + offsets_[mask];
      // Signs alternate: two sums, each waiting for itself only.
      double even = 0;
      double odd = 0;
      unsigned rest = mask;
      while (rest != 0) {
        const int plus = std::countr_zero(rest);
        even += row[plus] * minors_[mask ^ (1U << plus)];
        rest &= rest - 1;
        if (rest == 0) break;
        const int minus = std::countr_zero(rest);
        odd += row[minus] * minors_[mask ^ (1U << minus)];
        rest &= rest - 1;
      }
      minors_[mask] = even - odd;
    }
  }

  void derivative() override {
    primal();
    std::fill(bars_.begin(), bars_.end(), 0.0);
    std::fill(gradient_.begin(), gradient_.end(), 0.0);
    bars_.back() = 1;
    for (unsigned mask = static_cast<unsigned>(minors_.size()) - 1; mask != 0; mask--) {
      const int offset = offsets_[mask];
      double bar = bars_[mask];
      for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
        const int column = std::countr_zero(rest);
        const unsigned minor = mask ^ (1U << column);
        gradient_[offset + column] += bar * minors_[minor];
        bars_[minor] += bar * a_[offset + column];
        bar = -bar;
      }
    }
  }

  Numbers value() const override { return {&minors_.back(), 1}; }
  Numbers gradient() const override { return gradient_; }

 private:
  Numbers a_;
  /** Of each minor, where its first row begins in a. */
  std::vector<int> offsets_;
  std::vector<double> minors_;
  std::vector<double> bars_;
  std::vector<double> gradient_;
};

}  // namespace

std::unique_ptr<Problem> det(Sizes sizes, Numbers inputs) {
  expect(sizes.size() == 1 && sizes[0] >= 1 && sizes[0] <= 20 &&
             static_cast<long>(inputs.size()) == sizes[0] * sizes[0],
         "det");
  return std::make_unique<Determinant>(static_cast<int>(sizes[0]), inputs);
}

}  // namespace bench::hand

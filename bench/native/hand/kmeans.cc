// The sum over points of the squared distance to the closest centroid; its derivative is the Newton
// direction, the gradient with respect to the centroids divided by the diagonal of the Hessian,
// which is all of it. Sizes: n, k, d. Inputs: points [n][d], centroids [k][d]. Derivative: [k][d],
// without the value.
//
// Two sums a distance, of the even and of the odd coordinates, which fill a vector of the smallest
// instruction set and make the chain of additions half as long; eight coordinates are a loop that
// the compiler knows the length of. The direction remembers which centroid is closest to a point,
// and adds up once that is known.
#include <algorithm>
#include <limits>

#include "hand/hand.h"

namespace bench::hand {
namespace {

class KMeans final : public Problem {
 public:
  KMeans(long n, long k, long d, Numbers inputs)
      : n_(n), k_(k), d_(d), points_(inputs.data()), centroids_(inputs.data() + n * d) {
    direction_.resize(k * d);
    counts_.resize(k);
  }

  void primal() override { d_ == 8 ? cost<8>() : cost<0>(); }
  void derivative() override { d_ == 8 ? direction<8>() : direction<0>(); }

  Numbers value() const override { return {&cost_, 1}; }
  Numbers gradient() const override { return direction_; }

 private:
  /** With kDimension coordinates, or any number if that is 0. */
  template <long kDimension>
  void cost() {
    double cost = 0;
    for (long i = 0; i < n_; i++) {
      double closest = std::numeric_limits<double>::infinity();
      for (long j = 0; j < k_; j++) {
        closest = std::min(closest, distance<kDimension>(i, j));
      }
      cost += closest;
    }
    cost_ = cost;
  }

  template <long kDimension>
  void direction() {
    std::fill(direction_.begin(), direction_.end(), 0.0);
    std::fill(counts_.begin(), counts_.end(), 0.0);
    for (long i = 0; i < n_; i++) {
      double closest = std::numeric_limits<double>::infinity();
      long at = 0;
      for (long j = 0; j < k_; j++) {
        const double candidate = distance<kDimension>(i, j);
        at = candidate < closest ? j : at;
        closest = std::min(closest, candidate);
      }
      counts_[at] += 2;
      for (long c = 0; c < d_; c++) {
        direction_[at * d_ + c] += 2 * (centroids_[at * d_ + c] - points_[i * d_ + c]);
      }
    }
    for (long j = 0; j < k_; j++) {
      for (long c = 0; c < d_; c++) direction_[j * d_ + c] /= counts_[j];
    }
  }

  template <long kDimension>
  double distance(long i, long j) const {
    const long d = kDimension == 0 ? d_ : kDimension;
    const double* p = points_ + i * d;
    const double* q = centroids_ + j * d;
    double even = 0;
    double odd = 0;
    long c = 0;
#pragma GCC unroll 1
    for (; c + 1 < d; c += 2) {
      const double a = p[c] - q[c];
      const double b = p[c + 1] - q[c + 1];
      even += a * a;
      odd += b * b;
    }
    if (c < d) even += (p[c] - q[c]) * (p[c] - q[c]);
    return even + odd;
  }

  long n_;
  long k_;
  long d_;
  const double* points_;
  const double* centroids_;
  double cost_ = 0;
  std::vector<double> direction_;
  std::vector<double> counts_;
};

}  // namespace

std::unique_ptr<Problem> kmeans(Sizes sizes, Numbers inputs) {
  expect(sizes.size() == 3 && static_cast<long>(inputs.size()) == (sizes[0] + sizes[1]) * sizes[2],
         "kmeans");
  return std::make_unique<KMeans>(sizes[0], sizes[1], sizes[2], inputs);
}

}  // namespace bench::hand

// The log posterior of a Gaussian mixture with a Wishart prior: component c has weight
// softmax(alpha)[c], mean mu[c] and the inverse square root L[c] of its covariance, lower
// triangular, exp(q[c]) on the diagonal and l[c] below it, column by column. Sizes: d, k, n, m.
// Inputs: gamma, x [n][d], alpha [k], mu [k][d], q [k][d], l [k][d(d-1)/2]. Derivative: with
// respect to alpha, mu, q, l.
//
// Sixteen points go side by side, coordinate by coordinate: the compiler makes vectors of them, and
// an element of L is read once for all. L (x - mu) is L x - L mu, so that no pair of point and
// component takes a difference. Four columns of L are used at a time, so that the sums are read and
// written a quarter as often. Where all factors together leave the second cache, a component meets
// several groups of points before the next one has its turn. What means and factors share of the
// gradient waits until after the points.
//
// That is vector code, though the compiler writes it. The primal of "gmm", which is the unit, is
// scalar code: a point after the other, two rows of L at a time, each with two sums, so that
// additions overlap. The primal of "gmm-sixteen" is the first half of the gradient.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "hand/gmm_loops.h"
#include "hand/hand.h"

namespace bench::hand {
namespace {

/** Factors of more elements than this leave the second cache. */
constexpr long kManyElements = 32768;

class Gmm final : public Problem {
 public:
  Gmm(Sizes sizes, Numbers inputs, bool sixteen)
      : sixteen_(sixteen),
        d_(sizes[0]),
        k_(sizes[1]),
        n_(sizes[2]),
        m_(static_cast<double>(sizes[3])),
        gamma_(inputs[0]),
        triangle_(d_ * (d_ + 1) / 2),
        groups_(k_ * triangle_ > kManyElements ? 4 : 1) {
    x_ = inputs.data() + 1;
    alpha_ = x_ + n_ * d_;
    mu_ = alpha_ + k_;
    q_ = mu_ + k_ * d_;
    l_ = q_ + k_ * d_;
    factor_.resize(k_ * triangle_);
    factorBar_.resize(k_ * triangle_ * (d_ < kLongRow ? kParts : 1));
    shift_.resize(k_ * d_);
    shiftBar_.resize(k_ * d_);
    offset_.resize(k_);
    weight_.resize(k_);
    const long points = kLanes * groups_;
    rows_.resize(points * d_);
    columns_.resize(points * d_);
    scaled_.resize(points * k_ * d_);
    terms_.resize(points * k_);
    most_.resize(points);
    scale_.resize(points);
    gradient_.resize(k_ + 2 * k_ * d_ + k_ * d_ * (d_ - 1) / 2);
    constant_ = constant();
  }

  void primal() override {
    begin();
    double value = 0;
    if (sixteen_) {
      for (long p = 0; p < n_; p += kLanes * groups_) value += pointsForward(p, false);
    } else {
      for (long p = 0; p < n_; p++) value += pointForward(x_ + p * d_);
    }
    value_ = value + finish(false);
  }

  void derivative() override {
    begin();
    std::fill(factorBar_.begin(), factorBar_.end(), 0.0);
    std::fill(shiftBar_.begin(), shiftBar_.end(), 0.0);
    std::fill(weight_.begin(), weight_.end(), 0.0);
    double value = 0;
    for (long p = 0; p < n_; p += kLanes * groups_) {
      value += pointsForward(p, true);
      pointsBack();
    }
    value_ = value + finish(true);
  }

  Numbers value() const override { return {&value_, 1}; }
  Numbers gradient() const override { return gradient_; }

 private:
  /** What no parameter changes. */
  double constant() const {
    const double d = static_cast<double>(d_);
    const double degrees = d + m_ + 1;
    double multigamma = 0.25 * d * (d - 1) * std::log(std::numbers::pi);
    for (long j = 0; j < d_; j++) {
      multigamma += std::lgamma(0.5 * (degrees - static_cast<double>(j)));
    }
    const double prior = degrees * d * (std::log(gamma_) - 0.5 * std::log(2)) - multigamma;
    return static_cast<double>(k_) * prior -
           0.5 * static_cast<double>(n_) * d * std::log(2 * std::numbers::pi);
  }

  /** L row by row, L mu and the sum of q with alpha, of every component. */
  void begin() {
    const double* l = l_;
    for (long c = 0; c < k_; c++) {
      double* factor = factor_.data() + c * triangle_;
      double sum = alpha_[c];
      for (long i = 0; i < d_; i++) {
        sum += q_[c * d_ + i];
        factor[i * (i + 3) / 2] = std::exp(q_[c * d_ + i]);
        for (long j = i + 1; j < d_; j++) factor[j * (j + 1) / 2 + i] = *l++;
      }
      offset_[c] = sum;
      for (long j = 0; j < d_; j++) {
        const double* row = factor + j * (j + 1) / 2;
        double y = 0;
        for (long i = 0; i <= j; i++) y += row[i] * mu_[c * d_ + i];
        shift_[c * d_ + j] = y;
      }
    }
  }

  /** The log likelihood of one point. */
  double pointForward(const double* x) {
    double most = -std::numeric_limits<double>::infinity();
    for (long c = 0; c < k_; c++) {
      const double* factor = factor_.data() + c * triangle_;
      const double* shift = shift_.data() + c * d_;
      double square = 0;
      long i = 0;
      for (; i + 2 <= d_; i += 2) {
        const double* upper = factor + i * (i + 1) / 2;
        const double* lower = upper + i + 1;
        double u0 = -shift[i], u1 = 0, l0 = lower[i + 1] * x[i + 1] - shift[i + 1], l1 = 0;
        long j = 0;
        for (; j + 2 <= i + 1; j += 2) {
          u0 += upper[j] * x[j];
          u1 += upper[j + 1] * x[j + 1];
          l0 += lower[j] * x[j];
          l1 += lower[j + 1] * x[j + 1];
        }
        if (j <= i) {
          u0 += upper[j] * x[j];
          l0 += lower[j] * x[j];
        }
        square += (u0 + u1) * (u0 + u1) + (l0 + l1) * (l0 + l1);
      }
      if (i < d_) {
        const double* row = factor + i * (i + 1) / 2;
        double sum = -shift[i];
        for (long j = 0; j <= i; j++) sum += row[j] * x[j];
        square += sum * sum;
      }
      terms_[c] = offset_[c] - 0.5 * square;
      most = std::max(most, terms_[c]);
    }
    double sum = 0;
    for (long c = 0; c < k_; c++) sum += std::exp(terms_[c] - most);
    return most + std::log(sum);
  }

  /** The log likelihood of some groups of points; points past the last are zero and do not count.
   */
  double pointsForward(long start, bool keep) {
    const long points = kLanes * groups_;
    const long count = std::min(points, n_ - start);
    std::fill(rows_.begin(), rows_.end(), 0.0);
    std::copy_n(x_ + start * d_, count * d_, rows_.begin());
    for (long g = 0; g < groups_; g++) {
      for (long i = 0; i < d_; i++) {
        double* column = columns_.data() + (g * d_ + i) * kLanes;
        BENCH_LANES(q) column[q] = rows_[(g * kLanes + q) * d_ + i];
      }
    }
    std::fill(most_.begin(), most_.end(), -std::numeric_limits<double>::infinity());
    for (long c = 0; c < k_; c++) {
      for (long g = 0; g < groups_; g++) scale(c, g, keep);
    }
    double value = 0;
    for (long g = 0; g < groups_; g++) {
      const long valid = std::clamp(count - g * kLanes, 0L, kLanes);
      const double* most = most_.data() + g * kLanes;
      double sums[kLanes] = {};
      for (long c = 0; c < k_; c++) {
        double* terms = terms_.data() + (c * groups_ + g) * kLanes;
        for (long q = 0; q < valid; q++) sums[q] += terms[q] = std::exp(terms[q] - most[q]);
      }
      for (long q = 0; q < valid; q++) value += most[q] + std::log(sums[q]);
      double* scale = scale_.data() + g * kLanes;
      BENCH_LANES(q) scale[q] = q < valid ? 1 / sums[q] : 0;
    }
    return value;
  }

  /** L (x - mu) of component c and group g, and half its square from what the component starts
   * with. */
  void scale(long c, long g, bool keep) {
    const double* columns = columns_.data() + g * d_ * kLanes;
    const double* row = factor_.data() + c * triangle_;
    double* scaled = scaled_.data() + (c * groups_ + g) * d_ * kLanes;
    double squares[kLanes] = {};
    for (long j = 0; j < d_; row += ++j) {
      double y[kLanes];
      BENCH_LANES(q) y[q] = -shift_[c * d_ + j];
      multiplyRow(row, columns, j + 1, y);
      BENCH_LANES(q) squares[q] += y[q] * y[q];
      if (keep) std::copy_n(y, kLanes, scaled + j * kLanes);
    }
    double* terms = terms_.data() + (c * groups_ + g) * kLanes;
    double* most = most_.data() + g * kLanes;
    BENCH_LANES(q) terms[q] = offset_[c] - 0.5 * squares[q];
    BENCH_LANES(q) most[q] = most[q] < terms[q] ? terms[q] : most[q];
  }

  /** What the same points add to the sums of the gradient. */
  void pointsBack() {
    for (long c = 0; c < k_; c++) {
      for (long g = 0; g < groups_; g++) pointsBack(c, g);
    }
  }

  void pointsBack(long c, long g) {
    const double* terms = terms_.data() + (c * groups_ + g) * kLanes;
    const double* scale = scale_.data() + g * kLanes;
    double share[kLanes];
    BENCH_LANES(q) share[q] = scale[q] > 0 ? terms[q] * scale[q] : 0;
    weight_[c] += sum(share);
    for (long j = 0; j < d_; j++) {
      const double* scaled = scaled_.data() + ((c * groups_ + g) * d_ + j) * kLanes;
      const long at = c * triangle_ + j * (j + 1) / 2;
      double bar[kLanes];
      BENCH_LANES(q) bar[q] = share[q] * scaled[q];
      shiftBar_[c * d_ + j] -= sum(bar);
      if (d_ < kLongRow) {
        const double* columns = columns_.data() + g * d_ * kLanes;
        addOuterShort(bar, columns, j + 1, factorBar_.data() + at * kParts);
      } else {
        addOuterLong(bar, rows_.data() + g * d_ * kLanes, d_, j + 1, factorBar_.data() + at);
      }
    }
  }

  double factorBar(long at) const {
    if (d_ >= kLongRow) return factorBar_[at];
    const double* parts = factorBar_.data() + at * kParts;
    return (parts[0] + parts[2]) + (parts[1] + parts[3]);
  }

  /** What the value has besides the points; with `back`, from the sums over points to the gradient.
   */
  double finish(bool back) {
    const double n = static_cast<double>(n_);
    const double most = *std::max_element(alpha_, alpha_ + k_);
    double total = 0;
    for (long c = 0; c < k_; c++) total += std::exp(alpha_[c] - most);
    double value = constant_ - n * (most + std::log(total));
    const double square = gamma_ * gamma_;
    double norm = 0;
    double* muBar = gradient_.data() + k_;
    double* qBar = muBar + k_ * d_;
    double* lBar = qBar + k_ * d_;
    for (long c = 0; c < k_; c++) {
      const double* factor = factor_.data() + c * triangle_;
      for (long t = 0; t < triangle_; t++) norm += factor[t] * factor[t];
      for (long i = 0; i < d_; i++) value += m_ * q_[c * d_ + i];
      if (!back) continue;
      gradient_[c] = weight_[c] - n * std::exp(alpha_[c] - most) / total;
      for (long i = 0; i < d_; i++) {
        const long o = c * d_ + i;
        const long diagonal = i * (i + 3) / 2;
        const double e = factor[diagonal];
        const double eBar = factorBar(c * triangle_ + diagonal) - shiftBar_[o] * mu_[o];
        // The sums have the sign of d/dy, which is -y.
        qBar[o] = eBar * e + weight_[c] - square * e * e + m_;
        double bar = -e * shiftBar_[o];
        for (long j = i + 1; j < d_; j++) {
          const long at = j * (j + 1) / 2 + i;
          const double yBar = shiftBar_[c * d_ + j];
          bar -= factor[at] * yBar;
          *lBar++ = factorBar(c * triangle_ + at) - yBar * mu_[o] - square * factor[at];
        }
        muBar[o] = bar;
      }
    }
    return value - 0.5 * square * norm;
  }

  bool sixteen_;
  long d_;
  long k_;
  long n_;
  double m_;
  double gamma_;
  long triangle_;
  long groups_;
  const double *x_, *alpha_, *mu_, *q_, *l_;
  double constant_ = 0;
  double value_ = 0;
  std::vector<double> factor_, factorBar_, shift_, shiftBar_, offset_, weight_;
  std::vector<double> rows_, columns_, scaled_, terms_, most_, scale_, gradient_;
};

std::unique_ptr<Problem> make(Sizes sizes, Numbers inputs, bool sixteen) {
  expect(sizes.size() == 4, "gmm");
  const long d = sizes[0];
  const long k = sizes[1];
  const long n = sizes[2];
  expect(static_cast<long>(inputs.size()) == 1 + n * d + k + 2 * k * d + k * d * (d - 1) / 2,
         "gmm");
  return std::make_unique<Gmm>(sizes, inputs, sixteen);
}

}  // namespace

std::unique_ptr<Problem> gmm(Sizes sizes, Numbers inputs) { return make(sizes, inputs, false); }
std::unique_ptr<Problem> gmmSixteen(Sizes sizes, Numbers inputs) {
  return make(sizes, inputs, true);
}

}  // namespace bench::hand

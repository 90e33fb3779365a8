// Bundle adjustment: the reprojection errors of points seen by cameras. Camera: rotation (axis
// times angle) [3], center [3], focal length, principal point [2], radial distortion [2].
// Observation i is of point i mod m by camera i mod n:
//   X = R (point - center), u = X[0..1] / X[2], r = |u|^2, e = w (focal (1 + k1 r + k2 r^2) u +
//   principal - feature),
// and the error of a weight is 1 - w^2.
// Sizes: n, m, p. Inputs: cameras [n][11], points [m][3], weights [p], features [p][2].
// Value: e [p][2], then the errors of the weights [p]. Derivative: [p][31], of each observation the
// 15 derivatives of e_0 (camera, point, weight), the 15 of e_1, and that of the weight's error.
//
// The primal of "ba", which is the unit, is the function as it is usually written: every
// observation turns its point by its camera's axis and angle, and takes a square root, a sine and a
// cosine of its own for that. That of "ba-cameras" computes rotations once a camera: there are
// hundreds of observations for each. So does the derivative, whose values all follow from a 2x3
// matrix, that of the observation's projection with respect to X, in fewer than 100
// multiplications; the 248 bytes that are written cost about as much.
#include <cmath>

#include "hand/hand.h"
#include "hand/rotation.h"

namespace bench::hand {
namespace {

constexpr long kCamera = 11;
constexpr long kValues = 31;

class BundleAdjustment final : public Problem {
 public:
  BundleAdjustment(Sizes sizes, Numbers inputs, bool each)
      : n_(sizes[0]), m_(sizes[1]), p_(sizes[2]), each_(each), cameras_(inputs.data()) {
    points_ = cameras_ + n_ * kCamera;
    weights_ = points_ + m_ * 3;
    features_ = weights_ + p_;
    rotations_.resize(n_);
    errors_.resize(p_ * 3);
    jacobian_.resize(p_ * kValues);
  }

  void primal() override {
    if (each_) return primalEach();
    for (long i = 0; i < n_; i++) rotate(cameras_ + i * kCamera, 0, true, false, rotations_[i]);
    for (long i = 0, camera = 0, point = 0; i < p_; i++) {
      const double* cam = cameras_ + camera * kCamera;
      const double* r = rotations_[camera].matrix.data();
      const double* x = points_ + point * 3;
      const double d0 = x[0] - cam[3];
      const double d1 = x[1] - cam[4];
      const double d2 = x[2] - cam[5];
      observe(i, cam, r[0] * d0 + r[1] * d1 + r[2] * d2, r[3] * d0 + r[4] * d1 + r[5] * d2,
              r[6] * d0 + r[7] * d1 + r[8] * d2);
      if (++camera == n_) camera = 0;
      if (++point == m_) point = 0;
    }
  }

  void derivative() override {
    for (long i = 0; i < n_; i++) rotate(cameras_ + i * kCamera, 0, true, true, rotations_[i]);
    double* out = jacobian_.data();
    for (long i = 0, camera = 0, point = 0; i < p_; i++, out += kValues) {
      const double* cam = cameras_ + camera * kCamera;
      const Rotation& rotation = rotations_[camera];
      const double* r = rotation.matrix.data();
      const double* x = points_ + point * 3;
      const double d0 = x[0] - cam[3];
      const double d1 = x[1] - cam[4];
      const double d2 = x[2] - cam[5];
      const double inverse = 1 / (r[6] * d0 + r[7] * d1 + r[8] * d2);
      const double u[2] = {(r[0] * d0 + r[1] * d1 + r[2] * d2) * inverse,
                           (r[3] * d0 + r[4] * d1 + r[5] * d2) * inverse};
      const double square = u[0] * u[0] + u[1] * u[1];
      const double focal = cam[6];
      const double distortion = 1 + square * (cam[9] + cam[10] * square);
      const double slope = 2 * (cam[9] + 2 * cam[10] * square);
      const double w = weights_[i];
      for (int a = 0; a < 2; a++) {
        double* row = out + 15 * a;
        // d e_a / d u, then d e_a / d X.
        const double outer = w * focal * slope * u[a];
        double g0 = outer * u[0];
        double g1 = outer * u[1];
        (a == 0 ? g0 : g1) += w * focal * distortion;
        const double y0 = g0 * inverse;
        const double y1 = g1 * inverse;
        const double y2 = -(g0 * u[0] + g1 * u[1]) * inverse;
        for (int j = 0; j < 3; j++) {
          const double* b = rotation.slopes[j].data();
          row[j] = y0 * (b[0] * d0 + b[1] * d1 + b[2] * d2) +
                   y1 * (b[3] * d0 + b[4] * d1 + b[5] * d2) +
                   y2 * (b[6] * d0 + b[7] * d1 + b[8] * d2);
          const double x_j = y0 * r[j] + y1 * r[3 + j] + y2 * r[6 + j];
          row[3 + j] = -x_j;
          row[11 + j] = x_j;
        }
        row[6] = w * distortion * u[a];
        row[7] = a == 0 ? w : 0;
        row[8] = a == 1 ? w : 0;
        row[9] = w * focal * square * u[a];
        row[10] = w * focal * square * square * u[a];
        row[14] = focal * distortion * u[a] + cam[7 + a] - features_[2 * i + a];
      }
      out[30] = -2 * w;
      if (++camera == n_) camera = 0;
      if (++point == m_) point = 0;
    }
  }

  Numbers value() const override { return errors_; }
  Numbers gradient() const override { return jacobian_; }

 private:
  /** The errors of observation i, of a point at (x, y, z) before its camera. */
  void observe(long i, const double* cam, double x, double y, double z) {
    const double inverse = 1 / z;
    const double u0 = x * inverse;
    const double u1 = y * inverse;
    const double square = u0 * u0 + u1 * u1;
    const double scale = cam[6] * (1 + square * (cam[9] + cam[10] * square));
    const double w = weights_[i];
    double* e = errors_.data();
    e[2 * i] = w * (scale * u0 + cam[7] - features_[2 * i]);
    e[2 * i + 1] = w * (scale * u1 + cam[8] - features_[2 * i + 1]);
    e[2 * p_ + i] = 1 - w * w;
  }

  void primalEach() {
    for (long i = 0, camera = 0, point = 0; i < p_; i++) {
      const double* w = cameras_ + camera * kCamera;
      const double* x = points_ + point * 3;
      const double d[3] = {x[0] - w[3], x[1] - w[4], x[2] - w[5]};
      const double square = w[0] * w[0] + w[1] * w[1] + w[2] * w[2];
      double a = 1;
      double b = 0.5;
      double c = 1;
      if (square > 0) {
        const double angle = std::sqrt(square);
        c = std::cos(angle);
        a = std::sin(angle) / angle;
        b = (1 - c) / square;
      }
      const double along = b * (w[0] * d[0] + w[1] * d[1] + w[2] * d[2]);
      observe(i, w, c * d[0] + a * (w[1] * d[2] - w[2] * d[1]) + along * w[0],
              c * d[1] + a * (w[2] * d[0] - w[0] * d[2]) + along * w[1],
              c * d[2] + a * (w[0] * d[1] - w[1] * d[0]) + along * w[2]);
      if (++camera == n_) camera = 0;
      if (++point == m_) point = 0;
    }
  }

  long n_;
  long m_;
  long p_;
  bool each_;
  const double* cameras_;
  const double* points_;
  const double* weights_;
  const double* features_;
  std::vector<Rotation> rotations_;
  std::vector<double> errors_;
  std::vector<double> jacobian_;
};

std::unique_ptr<Problem> make(Sizes sizes, Numbers inputs, bool each) {
  expect(sizes.size() == 3 &&
             static_cast<long>(inputs.size()) == sizes[0] * kCamera + sizes[1] * 3 + sizes[2] * 3,
         "ba");
  return std::make_unique<BundleAdjustment>(sizes, inputs, each);
}

}  // namespace

std::unique_ptr<Problem> ba(Sizes sizes, Numbers inputs) { return make(sizes, inputs, true); }
std::unique_ptr<Problem> baCameras(Sizes sizes, Numbers inputs) {
  return make(sizes, inputs, false);
}

}  // namespace bench::hand

// Hand tracking: how far the vertices of a posed hand are from measured points. Bone b has the
// transform T_b = A_b inverse_b, A_b = A_parent relative_b pose_b; a vertex is the mean of T_b v
// over bones, weighted; the whole hand is mirrored in x if the model says so, rotated by
// theta[0..2] and moved by theta[3..5]. Four numbers of theta pose each finger: its second bone by
// angles about x and z, the third and the fourth about x. Sizes: bones, vertices, triangles,
// correspondences (N), whether there is us, whether mirrored (0 or 1). Inputs: theta [26], us
// [N][2] or none, parents [bones] (-1: none), relatives [bones][4][4], inverses [bones][4][4],
// positions [vertices][4] (the fourth is 1), weights [vertices][bones], triangles [triangles][3],
// correspondences [N], points [N][3]. Value: [N][3]. Derivative: [N][3][26], or [N][3][28] with the
// two of us first. With us, correspondences are triangles.
//
// The primal is GradBench's kind: all bones move all vertices, weighted or not, and the loops over
// vertices are vectors. The derivative looks at a vertex only when a correspondence needs it, once,
// and there only at the bones that have weight: an angle moves just the bones that hang from it.
// The rest of theta needs no bones at all.
#include "hand/ht.h"

#include <algorithm>
#include <cmath>

#include "hand/hand.h"
#include "hand/rotation.h"

namespace bench::hand {
namespace {

constexpr double kLeastAngle = 1e-4;

class HandTracking final : public Problem {
 public:
  HandTracking(Sizes sizes, Numbers inputs)
      : skeleton_(sizes, inputs), us_(sizes[4] != 0), mirrored_(sizes[5] != 0) {
    const Skeleton& s = skeleton_;
    columns_ = kTheta + (us_ ? 2 : 0);
    vertices_.resize(3 * s.vertexCount);
    positions_.resize(3 * s.vertexCount);
    weights_.resize(s.boneCount * s.vertexCount);
    slopes_.resize(s.vertexCount * 3 * kTheta);
    seen_.resize(s.vertexCount);
    errors_.resize(3 * s.count);
    jacobian_.resize(3 * s.count * columns_);
    // Coordinates and weights by rows, so that vertices are neighbours.
    for (long v = 0; v < s.vertexCount; v++) {
      for (long i = 0; i < 3; i++) vertices_[i * s.vertexCount + v] = s.positions[4 * v + i];
      for (long b = 0; b < s.boneCount; b++) {
        weights_[b * s.vertexCount + v] = s.weights[v * s.boneCount + b];
      }
    }
  }

  void primal() override {
    skeleton_.pose(false);
    skin();
    rotate(skeleton_.theta, kLeastAngle, false, false, rotation_);
    moveAll();
    for (long i = 0; i < skeleton_.count; i++) {
      long corner[3] = {};
      double part[3] = {};
      const int corners = cornersOf(i, corner, part);
      for (long j = 0; j < 3; j++) {
        const double* row = positions_.data() + j * skeleton_.vertexCount;
        double position = 0;
        for (int c = 0; c < corners; c++) position += part[c] * row[corner[c]];
        errors_[3 * i + j] = skeleton_.points[3 * i + j] - position;
      }
    }
  }

  void derivative() override {
    skeleton_.pose(true);
    rotate(skeleton_.theta, kLeastAngle, false, true, rotation_);
    std::fill(seen_.begin(), seen_.end(), 0);
    for (long i = 0; i < skeleton_.count; i++) {
      long corner[3] = {};
      double part[3] = {};
      const int corners = cornersOf(i, corner, part);
      for (int c = 0; c < corners; c++) {
        if (!seen_[corner[c]]) differentiate(corner[c]);
      }
      for (long j = 0; j < 3; j++) {
        double* row = jacobian_.data() + (3 * i + j) * columns_;
        if (us_) {
          const double* moved = positions_.data() + j * skeleton_.vertexCount;
          *row++ = moved[corner[2]] - moved[corner[0]];
          *row++ = moved[corner[2]] - moved[corner[1]];
        }
        std::fill(row, row + kTheta, 0.0);
        for (int c = 0; c < corners; c++) {
          const double* slope = slopes_.data() + (corner[c] * 3 + j) * kTheta;
          for (long t = 0; t < kTheta; t++) row[t] -= part[c] * slope[t];
        }
      }
    }
  }

  Numbers value() const override { return errors_; }
  Numbers gradient() const override { return jacobian_; }

 private:
  /** The vertices whose weighted mean is compared with point i. */
  int cornersOf(long i, long* corner, double* part) const {
    const long at = static_cast<long>(skeleton_.correspondences[i]);
    part[0] = 1;
    corner[0] = at;
    if (!us_) return 1;
    for (long c = 0; c < 3; c++) corner[c] = static_cast<long>(skeleton_.triangles[3 * at + c]);
    part[0] = skeleton_.us[2 * i];
    part[1] = skeleton_.us[2 * i + 1];
    part[2] = 1 - part[0] - part[1];
    return 3;
  }

  void skin() {
    const long n = skeleton_.vertexCount;
    const double* x = vertices_.data();
    const double* y = x + n;
    const double* z = y + n;
    std::fill(positions_.begin(), positions_.end(), 0.0);
    for (long b = 0; b < skeleton_.boneCount; b++) {
      const double* w = weights_.data() + b * n;
      for (long i = 0; i < 3; i++) {
        const double* t = skeleton_.transforms[b].data() + 4 * i;
        const double t0 = t[0], t1 = t[1], t2 = t[2], t3 = t[3];
        double* __restrict__ to = positions_.data() + i * n;
        for (long v = 0; v < n; v++) to[v] += w[v] * (t0 * x[v] + t1 * y[v] + t2 * z[v] + t3);
      }
    }
  }

  void moveAll() {
    const long n = skeleton_.vertexCount;
    double* x = positions_.data();
    for (long v = 0; v < n; v++) {
      const double local[3] = {mirrored_ ? -x[v] : x[v], x[n + v], x[2 * n + v]};
      for (long i = 0; i < 3; i++)
        x[i * n + v] = rotated(rotation_.matrix, i, local) + theta(3 + i);
    }
  }

  double theta(long i) const { return skeleton_.theta[i]; }

  static double rotated(const std::array<double, 9>& m, long row, const double* x) {
    return m[3 * row] * x[0] + m[3 * row + 1] * x[1] + m[3 * row + 2] * x[2];
  }

  /** Where a vertex is, and the derivatives of that by theta: three rows of 26. */
  void differentiate(long v) {
    seen_[v] = 1;
    const double* vertex = skeleton_.positions + 4 * v;
    const double* weights = skeleton_.weights + v * skeleton_.boneCount;
    double* slopes = slopes_.data() + v * 3 * kTheta;
    std::fill(slopes, slopes + 3 * kTheta, 0.0);
    double local[3] = {};
    for (long b = 0; b < skeleton_.boneCount; b++) {
      if (weights[b] == 0) continue;
      add(skeleton_.transforms[b], vertex, weights[b], local);
      for (const Skeleton::Slope& slope : skeleton_.slopesOf(b)) {
        double direction[3] = {};
        add(slope.transform, vertex, weights[b], direction);
        if (mirrored_) direction[0] = -direction[0];
        for (long i = 0; i < 3; i++) {
          slopes[i * kTheta + slope.parameter] += rotated(rotation_.matrix, i, direction);
        }
      }
    }
    if (mirrored_) local[0] = -local[0];
    for (long i = 0; i < 3; i++) {
      positions_[i * skeleton_.vertexCount + v] =
          rotated(rotation_.matrix, i, local) + theta(3 + i);
      for (long j = 0; j < 3; j++) {
        slopes[i * kTheta + j] = rotated(rotation_.slopes[j], i, local);
      }
      slopes[i * kTheta + 3 + i] = 1;
    }
  }

  static void add(const Affine& t, const double* vertex, double weight, double* to) {
    for (long i = 0; i < 3; i++) {
      to[i] += weight * (t[4 * i] * vertex[0] + t[4 * i + 1] * vertex[1] +
                         t[4 * i + 2] * vertex[2] + t[4 * i + 3] * vertex[3]);
    }
  }

  Skeleton skeleton_;
  bool us_;
  bool mirrored_;
  long columns_ = 0;
  Rotation rotation_;
  std::vector<double> vertices_, weights_, positions_, slopes_, errors_, jacobian_;
  std::vector<char> seen_;
};

}  // namespace

std::unique_ptr<Problem> ht(Sizes sizes, Numbers inputs) {
  expect(sizes.size() == 6 && static_cast<long>(inputs.size()) == Skeleton::inputCount(sizes),
         "ht");
  return std::make_unique<HandTracking>(sizes, inputs);
}

}  // namespace bench::hand

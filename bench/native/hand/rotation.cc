// R v = c v + s (k x v) + (1 - c) k (k v), k = w / |w|, c and s the cosine and sine of |w|. The
// derivatives follow from dk_i/dw_j = (delta_ij - k_i k_j) / |w| and d|w|/dw_j = k_j; they cost no
// further sine.
#include "hand/rotation.h"

#include <cmath>

namespace bench::hand {
namespace {

/** diagonal I + [axis]x. */
void assemble(double diagonal, const double* axis, double* to) {
  to[0] = to[4] = to[8] = diagonal;
  to[7] = axis[0];
  to[5] = -axis[0];
  to[2] = axis[1];
  to[6] = -axis[1];
  to[3] = axis[2];
  to[1] = -axis[2];
}

}  // namespace

void rotate(const double* w, double least, bool slopeAtZero, bool withSlopes, Rotation& out) {
  const double angle = std::sqrt(w[0] * w[0] + w[1] * w[1] + w[2] * w[2]);
  if (angle == 0 || angle < least) {
    out.matrix = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    for (int j = 0; j < 3; j++) {
      const double one = slopeAtZero ? 1 : 0;
      const double axis[3] = {j == 0 ? one : 0, j == 1 ? one : 0, j == 2 ? one : 0};
      assemble(0, axis, out.slopes[j].data());
    }
    return;
  }
  const double inverse = 1 / angle;
  const double k[3] = {w[0] * inverse, w[1] * inverse, w[2] * inverse};
  const double s = std::sin(angle);
  const double c = std::cos(angle);
  const double scaled[3] = {s * k[0], s * k[1], s * k[2]};
  assemble(c, scaled, out.matrix.data());
  for (int a = 0; a < 3; a++) {
    for (int b = 0; b < 3; b++) out.matrix[3 * a + b] += (1 - c) * k[a] * k[b];
  }
  if (!withSlopes) return;
  for (int j = 0; j < 3; j++) {
    double* slope = out.slopes[j].data();
    double kSlope[3];
    double axis[3];
    for (int i = 0; i < 3; i++) {
      kSlope[i] = ((i == j ? 1 : 0) - k[i] * k[j]) * inverse;
      axis[i] = s * kSlope[i] + c * k[j] * k[i];
    }
    assemble(-s * k[j], axis, slope);
    for (int a = 0; a < 3; a++) {
      for (int b = 0; b < 3; b++) {
        slope[3 * a + b] +=
            s * k[j] * k[a] * k[b] + (1 - c) * (kSlope[a] * k[b] + k[a] * kSlope[b]);
      }
    }
  }
}

}  // namespace bench::hand

// From theta to the transforms of the bones, and their derivatives. A bone's derivatives are its
// parent's times its own relative transform, and those by its own angles; which there are follows
// from the model and is found once.
#include <cmath>

#include "hand/ht.h"

namespace bench::hand {
namespace {

/** The bone posed by the first two numbers of a finger; the next two bones have one each. */
constexpr long kFirstPosed = 2;
constexpr long kBonesPerFinger = 4;
constexpr long kFingers = 5;

/** a b, where the last row of b is 0 0 0 `one`. */
Affine multiply(const Affine& a, const Affine& b, double one = 1) {
  Affine c;
  for (int i = 0; i < 3; i++) {
    for (int j = 0; j < 4; j++) {
      double sum = j == 3 ? a[4 * i + 3] * one : 0;
      for (int k = 0; k < 3; k++) sum += a[4 * i + k] * b[4 * k + j];
      c[4 * i + j] = sum;
    }
  }
  return c;
}

/** The rotation about x, then about z, from cosines and sines. */
Affine turn(double cx, double sx, double cz, double sz) {
  return {cz, -sz * cx, sz * sx, 0, sz, cz * cx, -cz * sx, 0, 0, sx, cx, 0};
}

/** Its place among the posed bones of a finger (0, 1, 2), or -1, and the finger. */
std::pair<long, long> placeOf(long bone) {
  const long finger = (bone - kFirstPosed) / kBonesPerFinger;
  const long place = (bone - kFirstPosed) % kBonesPerFinger;
  if (bone < kFirstPosed || finger >= kFingers || place > 2) return {-1, 0};
  return {place, finger};
}

Affine read(const double* matrix) {
  Affine a;
  std::copy_n(matrix, a.size(), a.begin());
  return a;
}

}  // namespace

long Skeleton::inputCount(Sizes sizes) {
  const long bones = sizes[0];
  const long count = sizes[3];
  return kTheta + (sizes[4] != 0 ? 2 * count : 0) + bones * 33 + sizes[1] * (4 + bones) +
         sizes[2] * 3 + count * 4;
}

Skeleton::Skeleton(Sizes sizes, Numbers inputs)
    : boneCount(sizes[0]), vertexCount(sizes[1]), count(sizes[3]), theta(inputs.data()) {
  us = theta + kTheta;
  const double* parents = us + (sizes[4] != 0 ? 2 * count : 0);
  const double* relatives = parents + boneCount;
  const double* inverses = relatives + 16 * boneCount;
  positions = inverses + 16 * boneCount;
  weights = positions + 4 * vertexCount;
  triangles = weights + vertexCount * boneCount;
  correspondences = triangles + 3 * sizes[2];
  points = correspondences + count;
  transforms.resize(boneCount);
  absolutes_.resize(boneCount);
  slopeBegin_.push_back(0);
  for (long b = 0; b < boneCount; b++) {
    parents_.push_back(static_cast<long>(parents[b]));
    expect(parents_[b] < b, "ht: parents come first");
    relatives_.push_back(read(relatives + 16 * b));
    inverses_.push_back(read(inverses + 16 * b));
    if (parents_[b] >= 0) {
      for (long s = slopeBegin_[parents_[b]]; s < slopeBegin_[parents_[b] + 1]; s++) {
        slopes_.push_back({slopes_[s].parameter, {}});
      }
    }
    const auto [place, finger] = placeOf(b);
    const long first = 6 + 4 * finger;
    if (place == 0) {
      slopes_.push_back({first, {}});
      slopes_.push_back({first + 1, {}});
    } else if (place > 0) {
      slopes_.push_back({first + 1 + place, {}});
    }
    slopeBegin_.push_back(static_cast<long>(slopes_.size()));
  }
  absoluteSlopes_.resize(slopes_.size());
}

Skeleton::Angles Skeleton::anglesOf(long bone) const {
  const auto [place, finger] = placeOf(bone);
  const double* angles = theta + 6 + 4 * finger;
  if (place == 0) return {angles[0], angles[1]};
  return {place > 0 ? angles[1 + place] : 0, 0};
}

void Skeleton::pose(bool withSlopes) {
  for (long b = 0; b < boneCount; b++) pose(b, withSlopes);
}

void Skeleton::pose(long b, bool withSlopes) {
  const long place = placeOf(b).first;
  const auto [x, z] = anglesOf(b);
  const double cx = std::cos(x), sx = std::sin(x), cz = std::cos(z), sz = std::sin(z);
  const long parent = parents_[b];
  const Affine before = parent < 0 ? relatives_[b] : multiply(absolutes_[parent], relatives_[b]);
  const Affine posed = turn(cx, sx, cz, sz);
  absolutes_[b] = multiply(before, posed);
  transforms[b] = multiply(absolutes_[b], inverses_[b]);
  if (!withSlopes) return;
  long at = slopeBegin_[b];
  if (parent >= 0) {
    const Affine relative = multiply(relatives_[b], posed);
    for (long s = slopeBegin_[parent]; s < slopeBegin_[parent + 1]; s++) {
      absoluteSlopes_[at++] = multiply(absoluteSlopes_[s], relative);
    }
  }
  if (place >= 0) {
    const Affine byX = {0, sz * sx, sz * cx, 0, 0, -cz * sx, -cz * cx, 0, 0, cx, -sx, 0};
    absoluteSlopes_[at++] = multiply(before, byX, 0);
  }
  if (place == 0) {
    const Affine byZ = {-sz, -cz * cx, cz * sx, 0, cz, -sz * cx, sz * sx, 0, 0, 0, 0, 0};
    absoluteSlopes_[at++] = multiply(before, byZ, 0);
  }
  for (long s = slopeBegin_[b]; s < slopeBegin_[b + 1]; s++) {
    slopes_[s].transform = multiply(absoluteSlopes_[s], inverses_[b]);
  }
}

}  // namespace bench::hand

// The bones of ht.cc.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "protocol/problem.h"

namespace bench::hand {

constexpr long kTheta = 26;

/** The first three rows of a 4x4 matrix whose last row is 0 0 0 1, or, of a derivative, 0. */
using Affine = std::array<double, 12>;

class Skeleton {
 public:
  /** The derivative of a bone's transform by an element of theta. */
  struct Slope {
    long parameter;
    Affine transform;
  };

  Skeleton(Sizes sizes, Numbers inputs);
  static long inputCount(Sizes sizes);

  /** From theta to transforms, with their derivatives if asked for. */
  void pose(bool withSlopes);

  std::span<const Slope> slopesOf(long bone) const {
    return {slopes_.data() + slopeBegin_[bone], slopes_.data() + slopeBegin_[bone + 1]};
  }

  long boneCount, vertexCount, count;
  const double *theta, *us, *positions, *weights, *triangles, *correspondences, *points;
  std::vector<Affine> transforms;

 private:
  /** Angles about x and z of a bone. */
  struct Angles {
    double x, z;
  };
  Angles anglesOf(long bone) const;
  void pose(long bone, bool withSlopes);

  std::vector<long> parents_;
  std::vector<Affine> relatives_, inverses_, absolutes_;
  /** By bone, the derivatives of its absolute and in the same places of its transform. */
  std::vector<Affine> absoluteSlopes_;
  std::vector<Slope> slopes_;
  std::vector<long> slopeBegin_;
};

}  // namespace bench::hand

#pragma once

#include <array>

namespace bench::hand {

/** A matrix row by row, and its derivatives by the three components of the axis times the angle. */
struct Rotation {
  std::array<double, 9> matrix;
  std::array<std::array<double, 9>, 3> slopes;
};

/**
 * The rotation by the angle |w| about w. Below `least`, where w has no direction worth the name, it
 * is the identity; its derivatives there are those of v + w x v, or zero.
 */
void rotate(const double* w, double least, bool slopeAtZero, bool withSlopes, Rotation& out);

}  // namespace bench::hand

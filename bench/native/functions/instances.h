// Functions of few variables, at many instances; see many.h.
#pragma once

#include <algorithm>
#include <cmath>

#include "functions/plain.h"
#include "protocol/problem.h"

namespace bench {

// Many instances of a small function: one instance's variables and data are gathered, and a call
// computes its kOutputs values. Data are of a type of their own, for tools that have one for
// parameters.

struct CurveFits {
  static constexpr int kInputs = 10;
  static constexpr int kData = 20;
  static constexpr int kOutputs = 1;
  /** Of the Jacobian of all instances, how many numbers an instance has. */
  static constexpr int kResults = 10;
  long count;
  const double* p;
  const double* y;

  CurveFits(Sizes sizes, Numbers inputs)
      : count(sizes[0]), p(inputs.data()), y(inputs.data() + sizes[0] * kInputs) {}

  void gather(long i, double* x, double* data) const {
    std::copy_n(p + i * kInputs, kInputs, x);
    std::copy_n(y + i * kData, kData, data);
  }

  template <class T, class D>
  void operator()(const T* x, const D* data, T* out) const {
    using std::exp;
    T sum(0.0);
    for (int j = 0; j < kData; j++) {
      const double t = -2 + 4 * static_cast<double>(j) / 19;
      T r = x[0] - data[j];
      for (int k = 0; k < 3; k++) {
        T distance = t - x[3 + 3 * k];
        // A number of its own: tools with expression templates would compute it once a direction.
        T bell = exp(-x[2 + 3 * k] * distance * distance);
        r += x[1 + 3 * k] * bell;
      }
      sum += r * r;
    }
    *out = sum;
  }

  void finish(const double*, double*) const {}
};

/** Every observation turns its point by itself: that is the function as it is defined. */
struct Observations {
  static constexpr int kInputs = 15;
  static constexpr int kData = 2;
  static constexpr int kOutputs = 2;
  static constexpr int kResults = 31;
  long n, m, count;
  const double *cameras, *points, *weights, *features;

  Observations(Sizes sizes, Numbers inputs)
      : n(sizes[0]), m(sizes[1]), count(sizes[2]), cameras(inputs.data()) {
    points = cameras + 11 * n;
    weights = points + 3 * m;
    features = weights + count;
  }

  void gather(long i, double* x, double* data) const {
    std::copy_n(cameras + (i % n) * 11, 11, x);
    std::copy_n(points + (i % m) * 3, 3, x + 11);
    x[14] = weights[i];
    std::copy_n(features + 2 * i, 2, data);
  }

  template <class T, class D>
  void operator()(const T* x, const D* data, T* out) const {
    using std::cos;
    using std::sin;
    using std::sqrt;
    const T d[3] = {x[11] - x[3], x[12] - x[4], x[13] - x[5]};
    const T square = x[0] * x[0] + x[1] * x[1] + x[2] * x[2];
    T turned[3];
    if (Plain<T>::of(square) > 0) {
      const T angle = sqrt(square);
      const T inverse = 1.0 / angle;
      const T axis[3] = {x[0] * inverse, x[1] * inverse, x[2] * inverse};
      const T c = cos(angle);
      const T s = sin(angle);
      const T along = (axis[0] * d[0] + axis[1] * d[1] + axis[2] * d[2]) * (1.0 - c);
      turned[0] = d[0] * c + (axis[1] * d[2] - axis[2] * d[1]) * s + axis[0] * along;
      turned[1] = d[1] * c + (axis[2] * d[0] - axis[0] * d[2]) * s + axis[1] * along;
      turned[2] = d[2] * c + (axis[0] * d[1] - axis[1] * d[0]) * s + axis[2] * along;
    } else {
      turned[0] = d[0] + (x[1] * d[2] - x[2] * d[1]);
      turned[1] = d[1] + (x[2] * d[0] - x[0] * d[2]);
      turned[2] = d[2] + (x[0] * d[1] - x[1] * d[0]);
    }
    const T u = turned[0] / turned[2];
    const T v = turned[1] / turned[2];
    const T r = u * u + v * v;
    const T scale = x[6] * (1.0 + r * (x[9] + x[10] * r));
    out[0] = x[14] * (scale * u + x[7] - data[0]);
    out[1] = x[14] * (scale * v + x[8] - data[1]);
  }

  /** The weight's error, 1 - w^2. */
  void finish(const double* x, double* results) const { results[30] = -2 * x[14]; }
};

}  // namespace bench

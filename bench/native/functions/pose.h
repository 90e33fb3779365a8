// Hand tracking; see hand/ht.cc for what it computes and what its inputs are, and many.h.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "functions/plain.h"
#include "protocol/problem.h"

namespace bench {

/** The first three rows of a 4x4 matrix whose last row is 0 0 0 1. */
template <class T>
using Affine = std::array<T, 12>;

template <class A, class B>
auto multiply(const Affine<A>& a, const Affine<B>& b) {
  using T = std::conditional_t<std::is_same_v<A, double>, B, A>;
  Affine<T> c;
  for (int i = 0; i < 3; i++) {
    for (int j = 0; j < 4; j++) {
      T sum = a[4 * i] * b[j] + a[4 * i + 1] * b[4 + j] + a[4 * i + 2] * b[8 + j];
      if (j == 3) sum += a[4 * i + 3];
      c[4 * i + j] = sum;
    }
  }
  return c;
}

/** The rotation by |w| about w. */
template <class T>
std::array<T, 9> rotation(const T* w) {
  using std::cos;
  using std::sin;
  using std::sqrt;
  std::array<T, 9> r;
  const T square = w[0] * w[0] + w[1] * w[1] + w[2] * w[2];
  if (Plain<T>::of(square) < 1e-8) {
    for (int i = 0; i < 9; i++) r[i] = T(i % 4 == 0 ? 1.0 : 0.0);
    return r;
  }
  const T angle = sqrt(square);
  const T k[3] = {w[0] / angle, w[1] / angle, w[2] / angle};
  const T c = cos(angle);
  const T s = sin(angle);
  const T v = 1.0 - c;
  for (int i = 0; i < 3; i++) {
    const int j = (i + 1) % 3;
    const int l = (i + 2) % 3;
    const T across = v * k[i] * k[j];
    const T turn = s * k[l];
    r[4 * i] = c + v * k[i] * k[i];
    r[3 * i + j] = across - turn;
    r[3 * j + i] = across + turn;
  }
  return r;
}

struct Pose {
  static constexpr int kTheta = 26;
  long bones, vertices, triangleCount, count;
  bool withUs, mirrored;
  const double *theta, *us, *parents, *relatives, *inverses, *positions, *weights, *triangles,
      *correspondences, *points;

  Pose(Sizes sizes, Numbers inputs)
      : bones(sizes[0]),
        vertices(sizes[1]),
        triangleCount(sizes[2]),
        count(sizes[3]),
        withUs(sizes[4] != 0),
        mirrored(sizes[5] != 0),
        theta(inputs.data()) {
    us = theta + kTheta;
    parents = us + (withUs ? 2 * count : 0);
    relatives = parents + bones;
    inverses = relatives + 16 * bones;
    positions = inverses + 16 * bones;
    weights = positions + 4 * vertices;
    triangles = weights + vertices * bones;
    correspondences = triangles + 3 * triangleCount;
    points = correspondences + count;
  }

  /** `errors` gets [count][3]; `places` is us, or not looked at. */
  template <class T>
  void operator()(const T* pose, const T* places, T* errors) const {
    const std::vector<Affine<T>> transforms = transformsOf(pose);
    const std::array<T, 9> turn = rotation(pose);
    std::vector<T> moved(3 * vertices);
    for (long v = 0; v < vertices; v++) {
      const double* x = positions + 4 * v;
      T local[3] = {T(0.0), T(0.0), T(0.0)};
      for (long b = 0; b < bones; b++) {
        const double weight = weights[v * bones + b];
        if (weight == 0) continue;
        const Affine<T>& t = transforms[b];
        for (int i = 0; i < 3; i++) {
          local[i] += t[4 * i] * (weight * x[0]) + t[4 * i + 1] * (weight * x[1]) +
                      t[4 * i + 2] * (weight * x[2]) + t[4 * i + 3] * (weight * x[3]);
        }
      }
      if (mirrored) local[0] = -local[0];
      for (int i = 0; i < 3; i++) {
        moved[3 * v + i] = turn[3 * i] * local[0] + turn[3 * i + 1] * local[1] +
                           turn[3 * i + 2] * local[2] + pose[3 + i];
      }
    }
    for (long p = 0; p < count; p++) {
      const long at = static_cast<long>(correspondences[p]);
      for (int i = 0; i < 3; i++) {
        T& error = errors[3 * p + i];
        if (!withUs) {
          error = points[3 * p + i] - moved[3 * at + i];
          continue;
        }
        const auto corner = [&](int c) -> const T& {
          return moved[3 * static_cast<long>(triangles[3 * at + c]) + i];
        };
        const T* u = places + 2 * p;
        const T rest = 1.0 - u[0] - u[1];
        error = points[3 * p + i] - (u[0] * corner(0) + u[1] * corner(1) + rest * corner(2));
      }
    }
  }

 private:
  static Affine<double> read(const double* matrix) {
    Affine<double> a;
    std::copy_n(matrix, a.size(), a.begin());
    return a;
  }

  /** The second, third and fourth bone of a finger have angles about x, the second one about z,
   * too. */
  template <class T>
  std::vector<Affine<T>> transformsOf(const T* pose) const {
    using std::cos;
    using std::sin;
    std::vector<Affine<T>> absolutes(bones);
    std::vector<Affine<T>> transforms(bones);
    for (long b = 0; b < bones; b++) {
      const long finger = (b - 2) / 4;
      const long place = b < 2 || finger > 4 ? 3 : (b - 2) % 4;
      T cx(1.0), sx(0.0), cz(1.0), sz(0.0);
      if (place < 3) {
        const T& x = pose[6 + 4 * finger + (place == 0 ? 0 : 1 + place)];
        cx = cos(x);
        sx = sin(x);
      }
      if (place == 0) {
        const T& z = pose[7 + 4 * finger];
        cz = cos(z);
        sz = sin(z);
      }
      const T none(0.0);
      const Affine<T> turn = {cz,       -sz * cx, sz * sx, none, sz, cz * cx,
                              -cz * sx, none,     none,    sx,   cx, none};
      const Affine<T> own = multiply(read(relatives + 16 * b), turn);
      const long parent = static_cast<long>(parents[b]);
      absolutes[b] = parent < 0 ? own : multiply(absolutes[parent], own);
      transforms[b] = multiply(absolutes[b], read(inverses + 16 * b));
    }
    return transforms;
  }
};

/**
 * The Jacobian forward, in all directions at once; the two of us are the same for all points, as
 * each has only its own. Tool: of N directions, Number, variable(value, direction), slope(number,
 * direction).
 */
template <template <int> class Tool>
class OfPose final : public Problem {
 public:
  OfPose(Sizes sizes, Numbers inputs)
      : pose_(sizes, inputs),
        columns_(Pose::kTheta + (pose_.withUs ? 2 : 0)),
        values_(3 * pose_.count),
        jacobian_(3 * pose_.count * columns_) {}

  void primal() override { pose_(pose_.theta, pose_.us, values_.data()); }
  void derivative() override { pose_.withUs ? run<28>() : run<26>(); }

  Numbers value() const override { return values_; }
  Numbers gradient() const override { return jacobian_; }

 private:
  template <int N>
  void run() {
    using Number = typename Tool<N>::Number;
    constexpr int kFirst = N - Pose::kTheta;
    Number theta[Pose::kTheta];
    for (int i = 0; i < Pose::kTheta; i++) {
      theta[i] = Tool<N>::variable(pose_.theta[i], kFirst + i);
    }
    std::vector<Number> us(kFirst * pose_.count);
    for (std::size_t i = 0; i < us.size(); i++) us[i] = Tool<N>::variable(pose_.us[i], i % 2);
    std::vector<Number> errors(values_.size());
    pose_(theta, us.data(), errors.data());
    for (std::size_t i = 0; i < errors.size(); i++) {
      for (int j = 0; j < N; j++) jacobian_[i * N + j] = Tool<N>::slope(errors[i], j);
    }
  }

  Pose pose_;
  long columns_;
  std::vector<double> values_;
  std::vector<double> jacobian_;
};

}  // namespace bench

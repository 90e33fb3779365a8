// Functions of many variables with sparse derivatives; see the files of the same names in hand/.
#pragma once

#include <cmath>

#include "protocol/problem.h"

namespace bench {

/** Values of all u' and then of all v', by u and v. */
struct Brusselator {
  long n;
  Numbers variables;

  Brusselator(Sizes sizes, Numbers inputs) : n(sizes[0]), variables(inputs) {}

  long outputs() const { return 2 * n * n; }
  long operations() const { return 30 * n * n; }
  Numbers parameters() const { return {}; }

  template <class T, class Parameter>
  void operator()(const T* x, const Parameter*, T* y) const {
    const T* u = x;
    const T* v = x + n * n;
    const double factor = 10 * static_cast<double>((n - 1) * (n - 1));
    for (long row = 0; row < n; row++) {
      for (long column = 0; column < n; column++) {
        const long i = row * n + column;
        const T reaction = u[i] * u[i] * v[i];
        y[i] =
            1.0 + reaction - 4.4 * u[i] + factor * laplacian(u, row, column) + source(row, column);
        y[n * n + i] = 3.4 * u[i] - reaction + factor * laplacian(v, row, column);
      }
    }
  }

 private:
  template <class T>
  T laplacian(const T* a, long row, long column) const {
    const long north = (row + n - 1) % n, south = (row + 1) % n;
    const long west = (column + n - 1) % n, east = (column + 1) % n;
    return a[north * n + column] + a[south * n + column] + a[row * n + west] + a[row * n + east] -
           4.0 * a[row * n + column];
  }

  double source(long row, long column) const {
    const double x = static_cast<double>(column) / static_cast<double>(n - 1);
    const double y = static_cast<double>(row) / static_cast<double>(n - 1);
    return (x - 0.3) * (x - 0.3) + (y - 0.6) * (y - 0.6) <= 0.01 ? 5 : 0;
  }
};

/** One value; the weights are parameters. */
struct ChainedLagrangian {
  long n;
  Numbers variables;
  Numbers weights;

  ChainedLagrangian(Sizes sizes, Numbers inputs)
      : n(sizes[0]), variables(inputs.first(n)), weights(inputs.subspan(n)) {}

  long outputs() const { return 1; }
  long operations() const { return 40 * n; }
  Numbers parameters() const { return weights; }

  template <class T, class Parameter>
  void operator()(const T* x, const Parameter* w, T* y) const {
    using std::exp;
    using std::sin;
    T sum(0.0);
    for (long i = 0; i < n - 1; i++) {
      const T a = x[i + 1] - x[i] * x[i];
      const T b = 1.0 - x[i];
      sum += 100.0 * a * a + b * b;
    }
    for (long k = 0; k < n - 2; k++) {
      const T& l = x[k];
      const T& m = x[k + 1];
      const T& r = x[k + 2];
      const T constraint =
          3.0 * m * m * m + 2.0 * r - 8.0 + sin(m - r) * sin(m + r) + 4.0 * m - l * exp(l - m);
      sum += w[k] * constraint;
    }
    *y = sum;
  }
};

}  // namespace bench

// The functions, once for every tool that overloads operators: T is double or a tool's own number.
// What they compute and what their inputs are is at the top of the files of the same names in
// hand/. They are written as one writes for such tools: data stay double, and what a derivative
// does not depend on is taken from values.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "functions/plain.h"
#include "protocol/problem.h"

namespace bench {

/** log(sum(exp(x))), by way of the largest element, which no derivative depends on. */
template <class T>
T logSumExp(const T* x, long n) {
  using std::exp;
  using std::log;
  double most = -std::numeric_limits<double>::infinity();
  for (long i = 0; i < n; i++) most = std::max(most, Plain<T>::of(x[i]));
  T sum = exp(x[0] - most);
  for (long i = 1; i < n; i++) sum += exp(x[i] - most);
  return log(sum) + most;
}

// Functions of many variables and one value: `variables` is where they are taken, and a call
// computes.

struct Rosenbrock {
  Numbers variables;

  Rosenbrock(Sizes, Numbers inputs) : variables(inputs) {}

  long operations() const { return 10 * static_cast<long>(variables.size()); }

  template <class T>
  T operator()(const T* x) const {
    T sum(0.0);
    for (std::size_t i = 0; i + 1 < variables.size(); i++) {
      T u = x[i + 1] - x[i] * x[i];
      T v = 1.0 - x[i];
      sum += 100.0 * u * u + v * v;
    }
    return sum;
  }
};

struct LogSumExp {
  Numbers variables;

  LogSumExp(Sizes, Numbers inputs) : variables(inputs) {}

  long operations() const { return 4 * static_cast<long>(variables.size()); }

  template <class T>
  T operator()(const T* x) const {
    return logSumExp(x, static_cast<long>(variables.size()));
  }
};

struct LeastSquares {
  Numbers variables;
  long n;

  LeastSquares(Sizes sizes, Numbers inputs) : variables(inputs), n(sizes[0]) {}

  long operations() const { return 3 * n * static_cast<long>(variables.size()); }

  template <class T>
  T operator()(const T* x) const {
    T total(0.0);
    for (long i = 0; i < n; i++) {
      const double t = -1 + static_cast<double>(i) * 2 / static_cast<double>(n - 1);
      T residual(static_cast<double>((t > 0) - (t < 0)));
      double power = 1;
      for (std::size_t j = 0; j < variables.size(); j++) {
        residual -= x[j] * power;
        power *= t;
      }
      total += residual * residual;
    }
    return total * 0.5;
  }
};

struct Determinant {
  Numbers variables;
  int ell;

  Determinant(Sizes sizes, Numbers inputs) : variables(inputs), ell(static_cast<int>(sizes[0])) {}

  long operations() const { return (2 * ell + 2) << ell; }

  template <class T>
  T operator()(const T* a) const {
    std::vector<T> minors(1U << ell);
    minors[0] = T(1.0);
    for (unsigned mask = 1; mask < minors.size(); mask++) {
      const T* row = a + (ell - std::popcount(mask)) * ell;
      T sum(0.0);
      bool negative = false;
      for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
        const int column = std::countr_zero(rest);
        if (negative) {
          sum -= row[column] * minors[mask ^ (1U << column)];
        } else {
          sum += row[column] * minors[mask ^ (1U << column)];
        }
        negative = !negative;
      }
      minors[mask] = sum;
    }
    return minors.back();
  }
};

/** L x is a sum of products with data, and L mu is computed once a component. */
struct Mixture {
  Numbers variables;
  long d, k, n;
  double m, gamma;
  const double* points;

  Mixture(Sizes sizes, Numbers inputs)
      : variables(inputs.subspan(1 + sizes[2] * sizes[0])),
        d(sizes[0]),
        k(sizes[1]),
        n(sizes[2]),
        m(static_cast<double>(sizes[3])),
        gamma(inputs[0]),
        points(inputs.data() + 1) {}

  long operations() const { return k * (n + 1) * (d * (d + 1) + 3 * d + 8); }

  template <class T>
  T operator()(const T* alpha) const {
    using std::exp;
    const T* mu = alpha + k;
    const T* q = mu + k * d;
    const T* l = q + k * d;
    const long triangle = d * (d + 1) / 2;
    std::vector<T> factor(k * triangle);
    std::vector<T> shift(k * d);
    std::vector<T> offset(k);
    T norm(0.0);
    T sumQ(0.0);
    for (long c = 0; c < k; c++) {
      T* f = factor.data() + c * triangle;
      T sum = q[c * d];
      for (long i = 1; i < d; i++) sum += q[c * d + i];
      sumQ += sum;
      offset[c] = alpha[c] + sum;
      for (long i = 0; i < d; i++) {
        f[i * (i + 3) / 2] = exp(q[c * d + i]);
        for (long j = i + 1; j < d; j++) f[j * (j + 1) / 2 + i] = *l++;
      }
      for (long t = 0; t < triangle; t++) norm += f[t] * f[t];
      for (long j = 0; j < d; j++) {
        T y(0.0);
        for (long i = 0; i <= j; i++) y += f[j * (j + 1) / 2 + i] * mu[c * d + i];
        shift[c * d + j] = y;
      }
    }
    std::vector<T> terms(k);
    T value(0.0);
    for (long p = 0; p < n; p++) {
      const double* x = points + p * d;
      for (long c = 0; c < k; c++) {
        const T* f = factor.data() + c * triangle;
        T squares(0.0);
        for (long j = 0; j < d; j++) {
          T y = f[0] * x[0];
          for (long i = 1; i <= j; i++) y += f[i] * x[i];
          y -= shift[c * d + j];
          squares += y * y;
          f += j + 1;
        }
        terms[c] = offset[c] - squares * 0.5;
      }
      value += logSumExp(terms.data(), k);
    }
    value -= logSumExp(alpha, k) * static_cast<double>(n);
    return value - norm * (0.5 * gamma * gamma) + sumQ * m + constant();
  }

  /** What no parameter changes. */
  double constant() const {
    const double degrees = static_cast<double>(d) + m + 1;
    double multigamma = 0.25 * static_cast<double>(d * (d - 1)) * std::log(std::numbers::pi);
    for (long j = 0; j < d; j++) {
      multigamma += std::lgamma(0.5 * (degrees - static_cast<double>(j)));
    }
    const double prior =
        degrees * static_cast<double>(d) * (std::log(gamma) - 0.5 * std::log(2)) - multigamma;
    return static_cast<double>(k) * prior -
           0.5 * static_cast<double>(n * d) * std::log(2 * std::numbers::pi);
  }
};

}  // namespace bench

#pragma once

#include <cstdint>
#include <memory>

#include "linalg/eigen.h"
#include "solve/runner.h"
#include "sparsity/assembly.h"

namespace adjoint {

enum class Factorization : std::uint8_t { Auto, Cholesky, Qr };

/// min |A s + b|^2 + damping |s|^2 over s, for A = J / d: the columns of a Jacobian divided by
/// scales, so that none is longer than 1.
class DampedSystem {
 public:
  virtual ~DampedSystem() = default;

  /// Doubles that J has: m n of a dense one, column-major; else its entries in compressed rows.
  virtual std::int64_t elements() const = 0;
  virtual void columnNorms(const double* j, Eigen::VectorXd& norms) const = 0;
  /// Takes J, d and b, and gives the gradient A^T b.
  virtual void assign(const double* j, const Eigen::VectorXd& scale, const Eigen::VectorXd& b,
                      Eigen::VectorXd& gradient) = 0;
  /// False when the damped system is singular to working precision.
  virtual bool solve(double damping, Eigen::VectorXd& step) = 0;
  /// Entries of the triangular factor.
  virtual std::int64_t factorEntries() const = 0;
};

/// Throws ERR_LIMIT where the Jacobian would have too many elements; asks `check`, which may be
/// null, for the memory of the system, the Jacobian and the iteration together.
void checkDenseSystem(std::int64_t rows, std::int64_t columns, Factorization factorization,
                      CheckMemory check);
std::unique_ptr<DampedSystem> makeDenseSystem(std::int64_t rows, std::int64_t columns,
                                              Factorization factorization);
/// A pattern in compressed rows, which lives as long as the system. Throws ERR_LIMIT where the
/// normal equations, or their factor, have too many entries. `check`, which may be null, is asked
/// before memory is taken.
std::unique_ptr<DampedSystem> makeSparseSystem(const SparsePattern& pattern,
                                               Factorization factorization, CheckMemory check);

}  // namespace adjoint

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ops/build.h"
#include "test/support/evaluator.h"

namespace adjoint::testing {

/// A scalar function of n numbers, written once and traced in two forms.
struct ScalarFunction {
  /// What the formula sees: the numbers one by one, or all as a vector.
  class Arguments {
   public:
    explicit Arguments(std::vector<Expr> scalars) : scalars_(std::move(scalars)) {}
    explicit Arguments(Expr vector) : vector_(vector) {}
    Expr operator[](std::int64_t i) const;
    Expr all() const;

   private:
    std::vector<Expr> scalars_;
    Expr vector_;
  };

  std::function<Expr(const Arguments&)> formula;
  std::size_t n = 1;
};

/// How a function takes its numbers.
enum class Form { Scalars, Vector };

TapePtr trace(const ScalarFunction& f, Form form);

/// A way to compute all first (or all second) derivatives of a scalar function at given points.
struct Mode {
  std::string name;
  /// From the tape of the function and the points to one row of derivatives a point: n first ones,
  /// or n*n second ones, row-major.
  std::function<Arrays(const TapePtr&, const Arrays&)> derive;
};

std::vector<Mode> firstOrderModes();
std::vector<Mode> secondOrderModes();
/// All third derivatives (n^3 a point) by some nestings of the transforms.
std::vector<Mode> thirdOrderModes();

}  // namespace adjoint::testing

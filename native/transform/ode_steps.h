#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ops/build.h"
#include "transform/ode.h"

namespace adjoint {

/// A system and how it is integrated, on any builder.
struct OdeSystem {
  TapePtr rhs;
  std::size_t size = 0;  ///< values of the state
  OdeOptions options;

  /// f(t, y) as one row each.
  std::vector<Expr> operator()(Expr t, std::span<const Expr> y,
                               std::span<const Expr> constants) const;
};

/// Rows of the state at times[0], times[1], ..., and the two counts.
struct OdeRows {
  std::vector<Expr> y;
  Expr accepted, rejected;
};
OdeRows integrateDopri5(const OdeSystem& system, std::span<const Expr> y0, Expr times,
                        std::span<const Expr> constants);
OdeRows integrateRk4(const OdeSystem& system, std::span<const Expr> y0, Expr times,
                     std::span<const Expr> constants);
OdeRows integrate(const OdeSystem& system, std::span<const Expr> y0, Expr times,
                  std::span<const Expr> constants);

/// The rule of `custom` nodes whose inputs are y0..., times, constants..., all of them numbers, and
/// whose outputs are rows of y and the two counts: in reverse the adjoint equation is integrated.
std::shared_ptr<const CustomRule> continuousRule(const OdeSystem& system,
                                                 const std::vector<Shape>& y0, const Shape& times,
                                                 const std::vector<Shape>& constants);

/// What the body of a loop is given, in the order of the loop's operands.
struct StepValues {
  std::span<const Expr> constants, carries, rows;
  Expr index;  ///< where the loop is `indexed`
};
/// Next carries, and rows of results after them.
using StepBody = std::function<std::vector<Expr>(const StepValues&)>;

/// A loop whose step is what `body` writes; its items. `attributes` needs no counts.
std::vector<Expr> appendSteps(const std::string& name, LoopAttributes attributes,
                              const std::vector<Expr>& constants, const std::vector<Expr>& carries,
                              const std::vector<Expr>& streams, const StepBody& body,
                              const std::string& directory = "");

/// The same over the rows of streams, of which there are `length`: one row alone needs no loop.
std::vector<Expr> appendScan(const std::string& name, std::int64_t length, bool reverse,
                             const std::vector<Expr>& constants, const std::vector<Expr>& carries,
                             const std::vector<Expr>& streams, const StepBody& body);

/// Makes runs fail where the condition, a scalar, does not hold.
void require(const std::string& name, Expr condition);

/// Rows first, first + 1, ... of a value.
Expr rowsOf(Expr x, std::int64_t first, std::int64_t count);
/// One row, without its axis.
Expr rowOf(Expr x, std::int64_t row);
/// One more row in front.
Expr prepended(Expr row, Expr rows);
/// a where a scalar condition holds, otherwise b.
Expr select(Expr condition, Expr a, Expr b);
/// y + h (w_0 k_0 + w_1 k_1 + ...) without the terms of weight 0.
Expr stage(Expr y, Expr h, std::span<const double> weights, std::span<const Expr> slopes);
/// w_0 k_0 + w_1 k_1 + ...; absent where all weights are 0.
Expr combination(std::span<const double> weights, std::span<const Expr> slopes);

}  // namespace adjoint

#pragma once

#include <span>
#include <vector>

#include "transform/masked.h"

namespace adjoint {

/// A node of the primal tape with everything a derivative rule needs, as values on the new tape.
struct RuleSite {
  const Tape& tape;
  const Node& node;
  Builder& builder;
  std::span<const Expr> x;  ///< operands
  Expr y;                   ///< the value

  const Row& row() const { return rowOf(node); }
  const std::vector<std::int64_t>& attrs() const { return tape.attrs(node); }
  const Shape& shape() const { return tape.shape(node); }
};

/// Partials of an elementwise node, one an operand.
Partials partialsOf(const RuleSite& site);

/// The ranges of a slice or place node.
std::vector<ex::Range> rangesOf(const RuleSite& site);

/// For max and min over axes: which elements are the extreme one (all, where the result is NaN),
/// their share of the derivative (1/k for k ties, NaN where the result is NaN), both broadcast to
/// the operand.
struct Extremes {
  Expr chosen;
  Expr share;
};
Extremes extremesOf(const RuleSite& site);

/// x[i-1] along an axis (x[i+1] when `reverse`), 0 where there is none.
Expr previous(Expr x, std::int64_t axis, bool reverse);

/// The value of a recurrence driven by m: zero by the function's structure up to the first element
/// that is not.
Masked recurrent(const Masked& m, Expr value, std::int64_t axis, bool reverse);

/// Tangent of a node that is not a custom call, item or input, from the tangents of its operands.
Masked pushForward(const RuleSite& site, const std::vector<Masked>& dx);

/// Cotangents of the operands of such a node; those where `wanted` is false stay absent.
void pullBack(const RuleSite& site, const Masked& yBar, const std::vector<bool>& wanted,
              std::vector<Masked>& result);

/// Rules of a custom function in the form the transforms use, made from the ones given. Forward:
/// x..., y..., dx... -> dy..., where the dx that are not `present` are zero and never multiplied.
TapePtr customJvp(const CustomRule& rule, const std::vector<bool>& present);
TapePtr customVjp(const CustomRule& rule);
/// The outputs of a custom call.
std::vector<NodeId> itemsOf(Builder& builder, const Tape& primal, NodeId call);

/// The operands through which a node has a derivative: conditions and indices carry none.
std::span<const NodeId> differentiableOperands(const Tape& t, const Node& node);

/// Which nodes depend differentiably on the inputs `wrt`.
std::vector<bool> activeNodes(const Tape& t, std::span<const std::size_t> wrt);

}  // namespace adjoint

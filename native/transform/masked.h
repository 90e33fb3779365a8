#pragma once

#include <vector>

#include "ops/build.h"
#include "ops/row.h"

namespace adjoint {

/// A tangent or cotangent: absent (structurally zero, never multiplied), or a value with a mask.
/// Where the mask is false the derivative is zero and the value is garbage that nobody looks at.
struct Masked {
  Expr value;         ///< absent when it has no node
  Expr mask;          ///< boolean, the shape of value; none: true everywhere
  bool clean = true;  ///< the value is exactly 0 where the mask is false
  /// The mask comes from the function: where elements were placed, or which branch was taken. It
  /// then lasts through sums and all operations. A mask of seeds alone is dropped where it is not
  /// worth its cost.
  bool structural = false;

  bool present() const { return static_cast<bool>(value); }
  bool always() const { return !mask; }
};

/// A seed of the user's: (s, s != 0).
Masked seed(Expr s);

/// The value with +0 where the mask is false. Must be present.
Expr settle(const Masked& m);
/// settle, or zeros of this shape when absent.
Expr settleOr(const Masked& m, Builder& builder, const Shape& shape);

/// Whether a condition holds anywhere along axes.
Expr anyOf(Expr condition, const ex::Axes& axes);

/// m times a partial of `row`.
Masked scale(const Masked& m, const Row& row, Expr partial);
/// m where the condition holds.
Masked restrict(const Masked& m, Expr condition);

/// Sum of any number of tangents: those of one mask are added first, and only differing masks are
/// settled.
class MaskedSum {
 public:
  void add(const Masked& term);
  /// Absent when nothing was added.
  Masked total() const;

 private:
  // One term a mask; nearly always one.
  Masked first_;
  std::vector<Masked> others_;
};

/// The same data movement on value and mask: `move` takes a value and gives a value.
template <class Move>
Masked moved(const Masked& m, Move move) {
  Masked result = m;
  result.value = move(m.value);
  if (!m.always()) result.mask = move(m.mask);
  return result;
}

/// A sum of elements of m: `rule` takes a value and gives one whose elements are sums of its own.
/// Zero by the function's structure where all of them are.
template <class Rule>
Masked summed(const Masked& m, Rule rule) {
  Masked result{rule(settle(m)), {}, true, false};
  if (m.always() || !m.structural) return result;
  const Expr count = rule(apply(Op::ToNumber, {m.mask}));
  result.mask = apply(Op::NotEqual, {count, constant(count, 0)});
  result.structural = true;
  return result;
}

/// A value of the same extents but where it mixes the elements of m along `axes`: zero by the
/// function's structure where all of those are.
Masked mixed(const Masked& m, Expr value, const ex::Axes& axes);

/// Elements placed among zeros, which are then known to be structural.
Masked placed(const Masked& m, const std::vector<ex::Range>& ranges);

}  // namespace adjoint

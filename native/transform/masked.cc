#include "transform/masked.h"

#include <cmath>

namespace adjoint {

using namespace ex;

namespace {

bool isFiniteConstant(const Expr& x) {
  const Node& node = x.builder->node(x.id);
  return node.op == tapeop::kConstant && std::isfinite(Tape::constantValue(node));
}

}  // namespace

Masked seed(Expr s) { return {s, apply(Op::NotEqual, {s, constant(s, 0)}), true, false}; }

Expr settle(const Masked& m) {
  if (m.always() || m.clean) return m.value;
  return apply(Op::Where, {m.mask, m.value, full(m.value, 0)});
}

Expr settleOr(const Masked& m, Builder& builder, const Shape& shape) {
  return m.present() ? settle(m) : Expr{&builder, builder.constant(0, shape)};
}

Expr anyOf(Expr condition, const Axes& axes) {
  const Expr count = sum(apply(Op::ToNumber, {condition}), axes);
  return apply(Op::NotEqual, {count, full(count, 0)});
}

Masked scale(const Masked& m, const Row& row, Expr partial) {
  Masked result = m;
  result.value = partial * m.value;
  if (m.always()) return result;
  const bool constant = isFiniteConstant(partial);
  result.clean = m.clean && (constant || row.partial == Partial::Regular);
  // A constant costs the mask nothing; behind any other partial a seed's zeros are numbers.
  if (result.clean && !constant && !m.structural) result.mask = {};
  return result;
}

Masked restrict(const Masked& m, Expr condition) {
  Masked result = m;
  const Expr c = broadcastTo(condition, Shape(m.value.shape()));
  result.mask = m.always() ? c : apply(Op::LogicalAnd, {m.mask, c});
  result.clean = false;
  result.structural = true;
  return result;
}

void MaskedSum::add(const Masked& term) {
  if (!term.present()) return;
  const auto joins = [&](Masked& other) {
    if (!other.present() || other.mask.id != term.mask.id) return false;
    other.value = other.value + term.value;
    other.clean = other.clean && term.clean;
    return true;
  };
  if (!first_.present()) {
    first_ = term;
    return;
  }
  if (joins(first_)) return;
  for (Masked& other : others_) {
    if (joins(other)) return;
  }
  others_.push_back(term);
}

Masked MaskedSum::total() const {
  if (others_.empty()) return first_;
  Masked result{settle(first_), first_.mask, true, first_.structural};
  for (const Masked& term : others_) {
    result.value = result.value + settle(term);
    result.structural = result.structural && term.structural;
    // Where every term is zero by the function's structure, so is the sum; a union of seeds is not
    // worth its cost.
    result.mask = result.structural ? apply(Op::LogicalOr, {result.mask, term.mask}) : Expr{};
  }
  return result;
}

Masked mixed(const Masked& m, Expr value, const Axes& axes) {
  Masked result{value, {}, true, false};
  if (m.always() || !m.structural) return result;
  const Expr some = anyOf(m.mask, axes);
  return {value, broadcastTo(expandAxes(some, axes), Shape(value.shape())), false, true};
}

Masked placed(const Masked& m, const std::vector<Range>& ranges) {
  Masked result = m;
  result.value = place(m.value, ranges);
  result.mask = place(m.always() ? fullBool(m.value, true) : m.mask, ranges);
  result.structural = true;
  return result;
}

}  // namespace adjoint

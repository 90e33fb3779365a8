#pragma once

#include <initializer_list>
#include <span>

#include "ops/op.h"
#include "tape/builder.h"

namespace adjoint {

/// A value on a builder's tape, for writing rules as formulas.
struct Expr {
  Builder* builder = nullptr;
  NodeId id = kNoNode;

  explicit operator bool() const { return id != kNoNode; }
  const Shape& shape() const { return builder->shape(id); }
};

/// Appends an operation after checking operands, broadcasting, folding and simplifying; expands
/// composites. `attrs` are the row's attributes. Throws Error. The one way by which operations come
/// onto a tape.
NodeId apply(Builder& builder, Op op, std::span<const NodeId> operands,
             std::span<const std::int64_t> attrs = {});
Expr apply(Op op, std::initializer_list<Expr> operands,
           std::initializer_list<std::int64_t> attrs = {});

/// A scalar constant, broadcast where it is used.
Expr constant(const Expr& like, double value);

// One function a row, so that partials are type-checked formulas. `n` is the row's integer
// attribute.
#define UNARY(code, id, fn, ...) \
  inline Expr fn(Expr a, int n = 0) { return n ? apply(Op::id, {a}, {n}) : apply(Op::id, {a}); }
#define BINARY(code, id, fn, ...)                                    \
  inline Expr fn(Expr a, Expr b, int n = 0) {                        \
    return n ? apply(Op::id, {a, b}, {n}) : apply(Op::id, {a, b});   \
  }                                                                  \
  inline Expr fn(Expr a, double b) { return fn(a, constant(a, b)); } \
  inline Expr fn(double a, Expr b) { return fn(constant(b, a), b); }
#define TERNARY(code, id, fn, ...) \
  inline Expr fn(Expr a, Expr b, Expr c) { return apply(Op::id, {a, b, c}); }
// Names that C++ or the standard library would confuse live in their own namespace.
namespace ex {
#include "ops/elementwise.def"
/// The value where the condition is false, `fill` where it is true.
inline Expr guard(Expr condition, double fill, Expr value) {
  return apply(Op::Where, {condition, constant(value, fill), value});
}
inline Expr isZero(Expr a) { return apply(Op::Equal, {a, constant(a, 0.0)}); }
inline Expr operator+(Expr a, Expr b) { return apply(Op::Add, {a, b}); }
inline Expr operator-(Expr a, Expr b) { return apply(Op::Sub, {a, b}); }
inline Expr operator*(Expr a, Expr b) { return apply(Op::Mul, {a, b}); }
inline Expr operator/(Expr a, Expr b) { return apply(Op::Div, {a, b}); }
inline Expr operator-(Expr a) { return apply(Op::Neg, {a}); }
inline Expr operator+(Expr a, double b) { return a + constant(a, b); }
inline Expr operator-(Expr a, double b) { return a - constant(a, b); }
inline Expr operator*(Expr a, double b) { return a * constant(a, b); }
inline Expr operator/(Expr a, double b) { return a / constant(a, b); }
inline Expr operator+(double a, Expr b) { return constant(b, a) + b; }
inline Expr operator-(double a, Expr b) { return constant(b, a) - b; }
inline Expr operator*(double a, Expr b) { return constant(b, a) * b; }
inline Expr operator/(double a, Expr b) { return constant(b, a) / b; }
}  // namespace ex
#undef UNARY
#undef BINARY
#undef TERNARY

}  // namespace adjoint

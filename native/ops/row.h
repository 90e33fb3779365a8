#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ops/expr.h"
#include "ops/op.h"
#include "tape/inline_vector.h"

namespace adjoint {

/// How an operation is differentiated, checked and executed: one mechanism a family.
enum class Family : std::uint8_t {
  Leaf,         ///< inputs and constants
  Elementwise,  ///< jvp and vjp both follow from the partials
  Select,       ///< no partials: comparisons, logic, floor, argmax
  Where,        ///< the one elementwise choice between two values
  Linear,       ///< data movement and sums: a transpose of its own
  Bilinear,     ///< matmul
  Reduction,    ///< max, min
  Recurrence,   ///< y[i] = a[i] y[i-1] + b[i]
  Control,      ///< custom functions, stopGradient
  Composite,    ///< expands into other rows when the graph is built
};

/// Where an elementwise function is real; test points are drawn from it.
enum class Domain : std::uint8_t {
  Real,           ///< every finite double
  Positive,       ///< a > 0
  NonNegative,    ///< a >= 0
  UnitClosed,     ///< -1 <= a <= 1
  UnitOpen,       ///< -1 < a < 1
  AboveOne,       ///< a >= 1
  AboveMinusOne,  ///< a > -1
  NotPole,        ///< every finite double but the non-positive integers
  NonZero,        ///< a != 0
  PowPair,        ///< a > 0, or a == 0 with b >= 0, or a < 0 with b an integer
  XLogY,          ///< b > 0
  XLog1pY,        ///< b > -1
  NonZeroSecond,  ///< b != 0
  Boolean,        ///< 0 and 1
};

/// Whether a partial can be infinite or NaN somewhere, so that a seed's mask must be kept
/// (docs/design/0002).
enum class Partial : std::uint8_t { Regular, Singular, None };

/// Operands of an elementwise row, its value, and its integer attribute (0 for most), as tape
/// values.
struct RowArgs {
  Expr a, b, c, y;
  int n = 0;
};
using Partials = InlineVector<Expr, 3>;

/// out[i] = f(a[i], b[i], c[i]). Buffers are padded to multiples of 8 doubles, and a kernel may
/// read and write up to that padding; `out` may be the same buffer as an operand. The bits of
/// out[i] depend on operand i alone, not on n, i or alignment.
using ElementKernel = void (*)(double* out, const double* a, const double* b, const double* c,
                               std::size_t n, int attr);

/// All that is true of one operation.
struct Row {
  Op op;
  const char* id;    ///< enumerator, "Sin"
  const char* name;  ///< "sin"
  int version;
  Family family;
  int arity;            ///< -1: any number
  const char* formula;  ///< one line of documentation
  Domain domain = Domain::Real;
  double ulp = 0;  ///< accuracy of the value against the exact result, in units in the last place
  double partialUlp = 4;  ///< accuracy of each first partial
  Partial partial = Partial::None;
  DType result = DType::F64;  ///< Bool for comparisons and logic
  DType operandType = DType::F64;
  bool internal = false;  ///< not exported to TypeScript: partials of other rows
  Partials (*partials)(const RowArgs&) = nullptr;
  ElementKernel kernel = nullptr;
  const char* signature = "";  ///< structural and composite rows: see structural.def
};

/// The row of an operation; every code on a tape has one.
const Row& rowOf(Op op);
inline const Row& rowOf(const Node& node) { return rowOf(static_cast<Op>(node.op)); }
/// All rows in order of their codes.
std::span<const Row> allRows();
/// The row of that name, or nullptr.
const Row* findRow(std::string_view name);

}  // namespace adjoint

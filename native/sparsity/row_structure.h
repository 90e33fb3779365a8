#pragma once

#include <array>

#include "ops/op.h"

namespace adjoint {

/// What the partials of an elementwise operation say about the zeros of its derivatives, at any
/// point and at one.
struct RowStructure {
  struct OfOperand {
    bool depends = false;    ///< the partial is not the constant 0
    bool isDecided = false;  ///< it is constant in pieces, and can be zero in some
  };
  std::array<OfOperand, 3> operands;
  /// A second derivative by these two operands is not zero everywhere.
  std::array<std::array<bool, 3>, 3> interacts{};
};

/// Of an operation of the families Elementwise and Select; the latter depend on nothing.
const RowStructure& structureOf(Op op);

}  // namespace adjoint

#pragma once

#include <span>
#include <vector>

#include "ops/row.h"
#include "test/mp_real.h"
#include "test/support/evaluator.h"

namespace adjoint::testing {

/// One element in high precision, with a bound on what doubles make of it: a computation in doubles
/// that follows the tape is off by no more than about `size` units of 2^-53, to first order. `size`
/// is the sum of all terms' magnitudes on the way, carried through by the partials. It is infinite
/// where a comparison, a rounding or an order of elements is decided by less than that.
struct Number {
  Real value;
  double size = 0;
};
using Numbers = std::vector<Number>;

/// Evaluates a tape node by node with loops as plain as can be, custom functions by their primal.
class ReferenceEvaluator {
 public:
  /// The tape may still grow (a builder's); inputs are in the order of its ports.
  ReferenceEvaluator(const Tape& tape, std::vector<Numbers> inputs);

  /// Evaluates all nodes there are.
  void evaluate();
  const Numbers& of(NodeId id) const { return values_[id]; }
  std::vector<Numbers> outputs() const;

 private:
  Numbers compute(const Node& node);
  Numbers elementwise(const Node& node) const;
  Numbers move(const Node& node) const;
  Numbers concat(const Node& node) const;
  Numbers gather(const Node& node) const;
  Numbers scatter(const Node& node) const;
  Numbers reduce(const Node& node) const;
  Numbers index(const Node& node) const;
  Numbers recurrence(const Node& node) const;
  Numbers matmul(const Node& node) const;
  std::vector<Numbers> loop(const Node& node) const;

  const Numbers& operand(const Node& node, std::size_t i) const {
    return values_[tape_.operands(node)[i]];
  }
  const Shape& operandShape(const Node& node, std::size_t i) const {
    return tape_.shape(tape_.operands(node)[i]);
  }

  const Tape& tape_;
  std::vector<Numbers> inputs_;
  std::vector<Numbers> values_;
  std::vector<std::vector<Numbers>> tuples_;
};

/// Inputs that are doubles exactly.
std::vector<Numbers> exact(const Arrays& inputs);
/// The outputs of a finished tape.
std::vector<Numbers> evaluateExactly(const Tape& tape, const Arrays& inputs);

/// |got - exact| in units of its bound: at most about 1 to first order.
double errorInBounds(double got, const Number& exact);

}  // namespace adjoint::testing

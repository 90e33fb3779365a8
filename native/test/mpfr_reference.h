#pragma once

#include "ops/op.h"
#include "test/mp_real.h"

namespace adjoint::testing {

/// out = the elementwise operation, computed with at least 320 bits. `attr` is the row's attribute.
/// Booleans are 0 and 1.
void mpfrEvaluate(Op op, mpfr_t out, const mpfr_t* operands, int attr);

/// The same on Reals.
Real reference(Op op, const Real* x, int attr);

/// Derivative of the operation by operand `which`, from formulas written for this purpose.
Real referencePartial(Op op, int which, const Real* x, int attr);

/// Size of the largest term of the sum an operation's value (which = -1) or partial is, where that
/// sum has zeros which no formula in doubles resolves; 0 elsewhere.
Real largestTerm(Op op, int which, const Real* x, int attr);

/// Whether x is inside the operation's domain and the operation differentiable there.
bool isRegular(Op op, const double* x, int attr);

}  // namespace adjoint::testing

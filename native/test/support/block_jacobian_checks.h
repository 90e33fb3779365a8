#pragma once

#include <cstddef>
#include <random>
#include <vector>

#include "ops/build.h"
#include "sparsity/block_jacobian.h"
#include "test/support/evaluator.h"

namespace adjoint::testing {

using Positions = std::vector<std::size_t>;

/// The Jacobian by the dense transform, [rows, columns].
Values denseOf(const TapePtr& t, const Positions& wrt, const Arrays& inputs);

/// The sparse Jacobian in every mode and format against the dense one: few ULP, and no entry
/// missing. Returns that by the mode chosen, in CSR. Where not `isStrict` the dense one may be NaN
/// alone: all its rows are of one sweep, in which a zero seed can meet an infinite derivative.
BlockJacobian check(const TapePtr& t, const Positions& wrt, const Arrays& inputs,
                    double tolerance = 1e-13, bool isStrict = true);

/// No part is dense, and the entries are so many.
void expectSparse(const BlockJacobian& found, std::size_t entries);
/// The operation because of which a part is dense; kNoNode: none is.
NodeId denseBy(const BlockJacobian& found);

Values randomValues(std::mt19937& random, std::int64_t count, double low = 0.5, double high = 1.5);
/// A list of indices below `extent`.
Expr randomIndices(Builder& builder, std::mt19937& random, std::int64_t count, std::int64_t extent);

}  // namespace adjoint::testing

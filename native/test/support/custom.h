#pragma once

#include <memory>
#include <vector>

#include "ops/expr.h"

namespace adjoint::testing {

/// A function with rules of its own that are the true ones, or none where false.
std::shared_ptr<const CustomRule> makeRule(const TapePtr& primal, bool hasJvp, bool hasVjp);

/// Calls a custom function; gives its outputs.
std::vector<Expr> callCustom(Builder& builder, const std::shared_ptr<const CustomRule>& rule,
                             const std::vector<Expr>& operands);

}  // namespace adjoint::testing

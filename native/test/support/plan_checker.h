#pragma once

#include <string>

#include "plan/plan.h"

namespace adjoint::testing {

/// What is wrong with a plan's memory, or nothing: buffers outside their base or overlapping while
/// both are live, reads of what no step has written, accesses outside their buffer.
std::string checkMemory(const Plan& plan);

}  // namespace adjoint::testing

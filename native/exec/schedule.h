#pragma once

#include "plan/kernel.h"

namespace adjoint::exec {

/// The same kernel with its body in an order that keeps few values waiting: what can be computed
/// from values at hand comes at once, and else what the latest of them waits for. Or in the order
/// given, where that keeps fewer.
Kernel scheduled(const Kernel& kernel);

}  // namespace adjoint::exec

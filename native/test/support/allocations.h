#pragma once

namespace adjoint::testing {

/// How often memory was asked for with operator new, by all threads of the test program.
long allocations();

}  // namespace adjoint::testing

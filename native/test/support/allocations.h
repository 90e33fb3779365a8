#pragma once

namespace adjoint::testing {

/// How often memory was asked for with operator new, by all threads of the test program.
long allocations();
/// By the calling thread.
long ownAllocations();

}  // namespace adjoint::testing

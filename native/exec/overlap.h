#pragma once

#include "exec/target.h"

namespace adjoint::exec {

/// The same vector code in an order in which what waits for results is begun early: a processor
/// looks ahead over a hundred operations or so, and those of one exp after the other wait for each
/// other. No more values are kept waiting for it than there are registers. Stores stay in order.
Code overlapped(const Code& code, InstructionSet set);

}  // namespace adjoint::exec

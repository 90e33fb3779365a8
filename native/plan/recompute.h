#pragma once

#include "tape/tape.h"

namespace adjoint {

/// Slices of values, and values placed among zeros, that are cheap to compute from what is in
/// memory anyway: computed where they are wanted, from slices of that, rather than stored and read
/// elsewhere. The same bits. Gives the tape itself where there are none.
TapePtr recomputeMoved(const TapePtr& t);

}  // namespace adjoint

#pragma once

#include "tape/tape.h"

namespace adjoint {

/// Computes values along one axis piece by piece where they come from others that were put together
/// (the neighbors in a ring, a row moved by one among zeros), so that these are read where their
/// pieces are and are never put together in memory. Elementwise operations alone; a value of which
/// neighbors make more than it costs to store is computed once. The same bits. Gives the tape
/// itself where there is nothing to gain.
TapePtr computePiecesApart(const TapePtr& t);

}  // namespace adjoint

#pragma once

#include "tape/tape.h"

namespace adjoint {

/// Negations carried to where they cost nothing: through products into sums, which become
/// differences; and products by two constants, one of them a power of two, that are products by
/// one. The same bits.
TapePtr carrySigns(const TapePtr& t);

}  // namespace adjoint

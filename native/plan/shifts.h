#pragma once

#include "tape/tape.h"

namespace adjoint {

/// Functions like exp that are computed for elements of a list and, elsewhere, for their neighbors,
/// are computed once for all of them, as far as the results stay in a cache.
TapePtr shareShifts(const TapePtr& t);

}  // namespace adjoint

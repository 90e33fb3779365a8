#pragma once

#include <cstdint>

#include "tape/tape.h"

namespace adjoint {

/// Scalar operations of a tape written out element by element, or -1 where that cannot be done or
/// there would be more than `limit`.
std::int64_t scalarOperations(const Tape& t, std::int64_t limit);

/// The same function written out element by element: every operation on scalars, indexing gone. The
/// order of sums and products stays (docs/design/0003), so the bits do.
///
/// With `lanes` > 0 every input for which `isMapped` holds and every output has a last axis of so
/// many lanes, and the operations are on vectors along it.
TapePtr scalarize(const Tape& t, std::int64_t lanes = 0, const std::vector<bool>& isMapped = {});

}  // namespace adjoint

#pragma once

#include "tape/tape.h"

namespace adjoint {

/// What is computed lane by lane from rows that constants pick from a shorter table, and from
/// nothing else that differs between lanes: computed once a row and picked then, where that takes
/// less. The same bits. Gives the tape itself where there is nothing to gain.
TapePtr computeByRow(const TapePtr& t);

}  // namespace adjoint

#pragma once

#include "tape/tape.h"

namespace adjoint {

/// Fuses every addition or subtraction that has a product as an operand, the left one where both
/// are products, into one rounding; nothing where kFusedProducts is false. A pass over the final
/// tape, so that the bits of a result do not depend on how it is cut into kernels (docs/design:
/// fused multiply-adds).
TapePtr contractMultiplyAdds(const TapePtr& t);

}  // namespace adjoint

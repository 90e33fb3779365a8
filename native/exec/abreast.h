#pragma once

#include "exec/code.h"

namespace adjoint::exec {

/// The code of a vector for two of them, `distance` bytes apart, instruction beside instruction:
/// while one of them waits for what it has begun, the other goes on. A processor looks ahead far
/// enough for that by itself only where a vector's code is short. `code` is vector code without
/// sums and calls.
Code twoAbreast(const Code& code, std::int64_t distance);

}  // namespace adjoint::exec

#pragma once

#include <string>

#include "tape/tape.h"

namespace adjoint::testing {

/// The tape that a print describes, from nothing but the print. For tapes whose dense constants are
/// printed in full. Aborts the test run on a print it can not read.
TapePtr parsePrint(const std::string& print);

}  // namespace adjoint::testing

#pragma once

#include <string>
#include <vector>

#include "ops/row.h"

namespace adjoint::tools {

/// The partials of an elementwise row as formulas over a, b, c and y (the value), printed from the
/// little tapes they leave: "cos(a)". "0" where one is structurally zero; empty when the row has
/// none.
std::vector<std::string> partialFormulas(const Row& row);

/// Shortest text that reads back as the same double.
std::string formatNumber(double value);

}  // namespace adjoint::tools

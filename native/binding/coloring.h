#pragma once

#include <string>

#include "coloring/methods.h"

namespace adjoint::binding {

// Names of methods and orders in TypeScript; Argument is thrown for others.
coloring::Method coloringMethod(const std::string& name);
coloring::Order coloringOrder(const std::string& name);
const char* nameOf(coloring::Method method);
const char* nameOf(coloring::Order order);

/// Leaves no colors of a side that the method does not color.
void dropOtherSide(coloring::Method method, coloring::Bicoloring& colors);

}  // namespace adjoint::binding

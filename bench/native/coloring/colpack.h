#pragma once

#include <string>

#include "coloring/pattern.h"

namespace bench {

/** What a coloring took. Building comes before it and does not include copying the pattern into the
 * form that is read. */
struct Taken {
  double build = 0, color = 0;
  int count = 0;
};

/** ColPack's names for an order and a coloring of a symmetric pattern's graph. */
Taken colpackGraph(const adjoint::coloring::Pattern& pattern, const std::string& order,
                   const std::string& coloring);
/** Of columns or rows. */
Taken colpackPartial(const adjoint::coloring::Pattern& pattern, const std::string& order,
                     const std::string& coloring);
/** Of rows and columns: colors of both. */
Taken colpackBicoloring(const adjoint::coloring::Pattern& pattern, const std::string& order);

}  // namespace bench

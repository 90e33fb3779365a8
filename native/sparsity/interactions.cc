#include "sparsity/interactions.h"

namespace adjoint {

std::vector<Interactions::Side> Interactions::sidesOf(const Dependence& d) {
  std::vector<Side> sides;
  if (d.common != kEmptySet) sides.push_back({nullptr, d.common});
  for (const Layer& layer : d.layers) sides.push_back({layer, kEmptySet});
  return sides;
}

void Interactions::add(const Dependence& a, const Dependence& b, NodeId node) {
  for (const Side& x : sidesOf(a)) {
    for (const Side& y : sidesOf(b)) {
      const auto key = x < y ? std::pair(x, y) : std::pair(y, x);
      if (known_.try_emplace(key, pairs_.size()).second) pairs_.push_back({x, y, node});
    }
  }
}

}  // namespace adjoint

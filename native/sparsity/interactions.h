#pragma once

#include <map>
#include <vector>

#include "sparsity/dependence.h"

namespace adjoint {

/// Pairs of sets whose members have a second derivative that is not zero everywhere. Pairs are kept
/// layer by layer: functions of the same values interact once.
class Interactions {
 public:
  /// Element by element, all that a depends on with all that b depends on.
  void add(const Dependence& a, const Dependence& b, NodeId node);

  /// Calls `visit(set, set, node)` for every pair, some of them several times.
  template <class Visit>
  void visitPairs(Visit visit) const {
    for (const Pair& pair : pairs_) {
      const std::size_t n = pair.a.layer   ? pair.a.layer->size()
                            : pair.b.layer ? pair.b.layer->size()
                                           : 1;
      SetId lastA = kEmptySet, lastB = kEmptySet;
      for (std::size_t i = 0; i < n; ++i) {
        const SetId a = pair.a.at(i), b = pair.b.at(i);
        if (a == kEmptySet || b == kEmptySet || (a == lastA && b == lastB)) continue;
        lastA = a;
        lastB = b;
        visit(a, b, pair.node);
      }
    }
  }

 private:
  struct Side {
    Layer layer;  ///< or null: of all elements
    SetId common = kEmptySet;

    SetId at(std::size_t i) const { return layer ? (*layer)[i] : common; }
    auto operator<=>(const Side&) const = default;
  };
  struct Pair {
    Side a, b;
    NodeId node;
  };
  static std::vector<Side> sidesOf(const Dependence& d);

  std::map<std::pair<Side, Side>, std::size_t> known_;
  std::vector<Pair> pairs_;
};

}  // namespace adjoint

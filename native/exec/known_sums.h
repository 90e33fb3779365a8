#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "exec/block.h"
#include "exec/known_places.h"

namespace adjoint::exec {

/// Sums of a few elements each, at places that are known: short kernels of gathers by constants and
/// of additions, and scatter-adds by constants, one after the other without setting anything up.
class KnownSums {
 public:
  /// False: the step is none of these.
  bool add(const Plan& plan, const Kernel& kernel);
  bool add(const Plan& plan, const ScatterAddStep& step);

  void run(const RunContext& context) const noexcept;
  std::size_t bytes() const;

 private:
  struct Group {
    Base from = Base::Temp;
    Place to;
    std::size_t sums = 0;
    std::size_t terms = 0;              ///< of each sum, from left to right; 0: as in counts_
    std::size_t first = 0;              ///< among places_
    std::size_t firstCount = 0;         ///< among counts_
    std::optional<KnownPlaces> copies;  ///< instead of single terms
  };

  std::vector<Group> groups_;
  std::vector<std::int32_t> places_;  ///< sum by sum
  std::vector<std::int32_t> counts_;
};

}  // namespace adjoint::exec

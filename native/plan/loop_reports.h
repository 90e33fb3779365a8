#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace adjoint {

/// What a plan does about one of its loops over steps.
struct LoopReport {
  /// How the carries that a reverse sweep reads are kept.
  struct Kept {
    Checkpoints checkpoints;
    std::string directory;
    std::int64_t memoryBytes = 0;
    std::int64_t files = 0;  ///< at one time, at most
    std::int64_t diskBytes = 0;
  };
  std::string name;        ///< of its rule
  std::size_t depth = 0;   ///< loops around it
  std::int64_t steps = 0;  ///< of `While` and `Counted` the most
  LoopTrips trips = LoopTrips::Fixed;
  std::optional<Kept> kept;
  /// Steps that are run, those inside of adjoint steps aside, if all `steps` are: t(l, s) + 1 of
  /// the literature. Empty where the schedule follows a `While`.
  std::optional<std::int64_t> forwardSteps;
};

/// Every loop, those within others after them, but for those that only read another one's carries
/// backwards. Walks no schedule.
std::vector<LoopReport> reportLoops(const Plan& plan);

}  // namespace adjoint

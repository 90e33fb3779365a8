#pragma once

#include <memory>

#include "plan/plan.h"

namespace adjoint {

/// Ways to compute the same bits, to be switched off for comparisons.
struct PlanOptions {
  bool scalars = true;      ///< small functions as scalar code
  bool lanes = true;        ///< loops over blocks of lanes around several kernels
  bool again = true;        ///< cheap values computed again rather than stored and moved
  bool signs = true;        ///< negations and constant factors joined with what follows
  bool shifts = true;       ///< once what neighbors compute too
  bool pieces = false;      ///< of steps of loops: pieces computed apart rather than put together
  bool byRow = true;        ///< once a row what lanes would compute from a row
  bool joins = true;        ///< sums in the loops beside them
  bool interleaves = true;  ///< rows put together straight from their columns

  /// None of them.
  static constexpr PlanOptions none() {
    return {false, false, false, false, false, false, false, false, false};
  }
};
static_assert(sizeof(PlanOptions) == 9 * sizeof(bool), "none() names every option");

/// Compiles a tape: fused multiply-adds, kernels, buffers and their places. Throws ERR_LIMIT or
/// ERR_MEMORY.
std::shared_ptr<const Plan> makePlan(TapePtr tape, const PlanOptions& options = {});

}  // namespace adjoint

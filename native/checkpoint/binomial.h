#pragma once

#include <cstdint>
#include <vector>

namespace adjoint::checkpoint {

/// Chains can not be longer than this.
inline constexpr std::int64_t kLongestChain = std::int64_t{1} << 53;

/// beta(s, r) = binomial(s + r, s): the longest chain that s slots reverse such that no step is run
/// forward more than r times. 0 where s or r is negative, the largest int64 where it is larger.
std::int64_t beta(std::int64_t slots, std::int64_t repetitions);

/// The least r with beta(slots, r) >= length, for length >= 1 and slots >= 1.
std::int64_t repetitions(std::int64_t length, std::int64_t slots);

/// t(l, s) = r l - beta(s + 1, r - 1) with r = repetitions(l, s): the fewest forward steps with
/// which s slots, one of which holds state 0, reverse a chain of l steps. Neither the forward part
/// of adjoint steps nor the last step of the forward sweep counts. The largest int64 where it is
/// larger; 0 for chains of no step. (A. Griewank, Achieving logarithmic growth of temporal and
/// spatial complexity in reverse automatic differentiation, Optimization Methods and Software 1,
/// 1992.)
std::int64_t fewestForwardSteps(std::int64_t length, std::int64_t slots);

/// The first checkpoints of optimal schedules, quickly and for many parts of one chain.
class Splits {
 public:
  /// For parts of at most `length` steps with at most `slots` slots.
  Splits(std::int64_t length, std::int64_t slots);

  /// The state, counted from the part's first one, to store next when the first one has been: of
  /// those that lead to the fewest forward steps, one that leads to the fewest accesses of slots.
  /// `slots` counts the one of the first state. For length >= 2, and length - 1 where one slot is
  /// all there is. (A. Griewank, A. Walther, Algorithm 799: revolve, ACM TOMS 26(1), 2000.)
  std::int64_t at(std::int64_t length, std::int64_t slots) const;

 private:
  std::int64_t repetitionsOf(std::int64_t length, std::int64_t slots) const;
  std::int64_t betaOf(std::int64_t slots, std::int64_t repetitions) const;

  /// By slots, from kFirstRow on: beta(slots, 0), beta(slots, 1), ... as far as the first that
  /// is no less than the longest length. With fewer slots rows would be long, and formulas do.
  std::vector<std::int64_t> values_;
  std::vector<std::size_t> rows_;
};

}  // namespace adjoint::checkpoint

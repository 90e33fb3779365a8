#include "checkpoint/binomial.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace adjoint::checkpoint {

namespace {

using Wide = __int128;

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
/// A product of a value up to this and of a factor of beta does not overflow.
constexpr Wide kLargestWide = Wide{1} << 72;
constexpr std::int64_t kFirstRow = 4;

std::int64_t saturated(Wide value) {
  return value > kLargest ? kLargest : static_cast<std::int64_t>(value);
}

/// Exact up to kLargestWide, and more than that beyond.
Wide wideBeta(std::int64_t slots, std::int64_t repetitions) {
  if (slots < 0 || repetitions < 0) return 0;
  const std::int64_t few = std::min(slots, repetitions), many = std::max(slots, repetitions);
  Wide value = 1;
  for (std::int64_t i = 1; i <= few; ++i) {
    value = value * (many + i) / i;
    if (value > kLargestWide && i < few) return value;
  }
  return value;
}

/// beta(1, r), beta(2, r) and beta(3, r), for r whose beta is about a length of a chain.
std::int64_t betaOfFewSlots(std::int64_t slots, std::int64_t r) {
  if (r < 0 || slots < 0) return 0;
  switch (slots) {
    case 0:
      return 1;
    case 1:
      return r + 1;
    case 2:
      return (r + 1) * (r + 2) / 2;
    default:
      return (r + 1) * (r + 2) / 2 * (r + 3) / 3;
  }
}

std::int64_t repetitionsOfFewSlots(std::int64_t length, std::int64_t slots) {
  if (slots == 1) return length - 1;
  const auto l = static_cast<double>(length);
  // A root of the leading term; the loops make up for what it leaves out and for rounding.
  auto r = static_cast<std::int64_t>(slots == 2 ? std::sqrt(2 * l) : std::cbrt(6 * l));
  while (r > 0 && betaOfFewSlots(slots, r - 1) >= length) --r;
  while (betaOfFewSlots(slots, r) < length) ++r;
  return r;
}

}  // namespace

std::int64_t beta(std::int64_t slots, std::int64_t repetitions) {
  return saturated(wideBeta(slots, repetitions));
}

std::int64_t repetitions(std::int64_t length, std::int64_t slots) {
  if (slots < kFirstRow) return repetitionsOfFewSlots(length, slots);
  // beta(s, r) = beta(s, r - 1) (s + r) / r.
  std::int64_t r = 0;
  for (Wide value = 1; value < length;) {
    ++r;
    value = value * (slots + r) / r;
  }
  return r;
}

std::int64_t fewestForwardSteps(std::int64_t length, std::int64_t slots) {
  if (length <= 1) return 0;
  const std::int64_t r = repetitions(length, slots);
  return saturated(Wide{r} * length - wideBeta(slots + 1, r - 1));
}

Splits::Splits(std::int64_t length, std::int64_t slots) {
  slots = std::min(slots, std::max<std::int64_t>(length - 1, 1));
  for (std::int64_t s = kFirstRow; s <= slots; ++s) {
    rows_.push_back(values_.size());
    const std::int64_t last = repetitions(std::max<std::int64_t>(length, 1), s);
    Wide value = 1;
    values_.push_back(1);
    for (std::int64_t r = 1; r <= last; ++r) {
      value = value * (s + r) / r;
      values_.push_back(saturated(value));
    }
  }
  rows_.push_back(values_.size());
}

std::int64_t Splits::betaOf(std::int64_t slots, std::int64_t r) const {
  if (slots < kFirstRow) return betaOfFewSlots(slots, r);
  return r < 0 ? 0 : values_[rows_[static_cast<std::size_t>(slots - kFirstRow)] + r];
}

std::int64_t Splits::repetitionsOf(std::int64_t length, std::int64_t slots) const {
  if (slots < kFirstRow) return repetitionsOfFewSlots(length, slots);
  const auto row = static_cast<std::size_t>(slots - kFirstRow);
  const std::int64_t* first = values_.data() + rows_[row];
  const std::int64_t* r = first;
  while (*r < length) ++r;
  return r - first;
}

std::int64_t Splits::at(std::int64_t length, std::int64_t slots) const {
  // All states have a slot.
  if (length <= slots + 1) return 1;
  const std::int64_t s = std::min(slots, length - 1);
  if (s == 1) return length - 1;
  // All splits from max(beta(s, r - 2), length - beta(s - 1, r)) to min(beta(s, r - 1),
  // length - beta(s - 1, r - 1)) lead to the fewest forward steps.
  const std::int64_t r = repetitionsOf(length, s);
  const std::int64_t before = betaOf(s, r - 1), fewer = betaOf(s - 2, r - 1);
  if (length <= before + fewer) return betaOf(s, r - 2);
  if (length >= betaOf(s, r) - betaOf(s - 3, r)) return before;
  return length - betaOf(s - 1, r - 1) - fewer;
}

}  // namespace adjoint::checkpoint

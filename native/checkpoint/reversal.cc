#include "checkpoint/reversal.h"

#include <algorithm>
#include <utility>

namespace adjoint::checkpoint {

Reversal::Reversal(std::int64_t length, std::vector<Slot> slots)
    : slots_(std::move(slots)),
      states_(slots_.size()),
      splits_(length, static_cast<std::int64_t>(slots_.size())),
      end_(length),
      length_(length) {
  for (const Slot& slot : slots_) ++(slot.place == Place::Disk ? diskSlots_ : memorySlots_);
}

Reversal::Reversal(std::int64_t length, std::vector<Slot> slots,
                   std::span<const std::int64_t> states)
    : Reversal(length, std::move(slots)) {
  std::copy(states.begin(), states.end(), states_.begin());
  depth_ = static_cast<std::int64_t>(states.size());
  current_ = length - 1;
  hasTurned_ = true;
}

}  // namespace adjoint::checkpoint

#pragma once

#include <cstdint>
#include <memory>

#include "checkpoint/schedule.h"

namespace adjoint::checkpoint {

enum class Policy : std::uint8_t { StoreAll, Revolve, Multistage };

/// What a schedule may take.
struct Budget {
  std::int64_t stateBytes = 0;
  std::int64_t memoryBytes = 0;  ///< for stored states alone
  std::int64_t diskBytes = 0;    ///< 0 where no file may be written
};

/// A schedule, and what it takes.
struct Choice {
  Policy policy = Policy::StoreAll;
  std::int32_t memorySlots = 0, diskSlots = 0;
  std::int64_t forwardSteps = 0;  ///< as in Counts; the largest int64 where it is larger
  std::int64_t memoryBytes = 0, diskBytes = 0;
  std::int64_t files = 0;  ///< at one time
};

/// Stores all states in memory if they fit, otherwise as many as fit, by revolve. Where steps would
/// be run forward more than twice, and files may be written, it takes as few of them as make that
/// twice, or all that fit on the disk. Throws Argument for negative numbers, and Limit where not
/// even one state can be stored, or the chain is longer than kLongestChain.
Choice choose(std::int64_t length, const Budget& budget);

std::unique_ptr<Schedule> makeSchedule(std::int64_t length, const Choice& choice);

}  // namespace adjoint::checkpoint

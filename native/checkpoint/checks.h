#pragma once

#include <string>

#include "checkpoint/binomial.h"
#include "tape/error.h"

namespace adjoint::checkpoint {

/// Throws Argument for a negative length, Limit for one beyond kLongestChain.
inline void checkLength(std::int64_t length) {
  if (length < 0) {
    throw Error(ErrorCode::Argument,
                "a loop can not have " + std::to_string(length) + " steps to be reversed");
  }
  if (length > kLongestChain) {
    throw Error(ErrorCode::Limit, "a loop of " + std::to_string(length) +
                                      " steps is too long to be reversed; the limit is 2^53");
  }
}

/// Throws Argument where there is no slot, or a negative number of them.
inline void checkSlots(std::int32_t memorySlots, std::int32_t diskSlots) {
  if (memorySlots < 0 || diskSlots < 0 || memorySlots + std::int64_t{diskSlots} < 1) {
    throw Error(ErrorCode::Argument, "checkpoints need a slot at least, not " +
                                         std::to_string(memorySlots) + " in memory and " +
                                         std::to_string(diskSlots) + " on disk");
  }
}

}  // namespace adjoint::checkpoint

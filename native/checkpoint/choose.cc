#include "checkpoint/choose.h"

#include <algorithm>
#include <limits>
#include <string>

#include "checkpoint/binomial.h"
#include "checkpoint/checks.h"
#include "checkpoint/disk_store.h"

namespace adjoint::checkpoint {

namespace {

constexpr std::int64_t kMostSlots = std::numeric_limits<std::int32_t>::max();
/// Forward runs of a step from which on files are worth writing.
constexpr std::int64_t kMostRuns = 2;

/// The fewest slots with which no step is run forward more than kMostRuns times.
std::int64_t enoughSlots(std::int64_t length) {
  std::int64_t few = 0, enough = 1;
  while (beta(enough, kMostRuns) < length) enough *= 2;
  while (enough - few > 1) {
    const std::int64_t middle = few + (enough - few) / 2;
    (beta(middle, kMostRuns) < length ? few : enough) = middle;
  }
  return enough;
}

}  // namespace

Choice choose(std::int64_t length, const Budget& budget) {
  checkLength(length);
  if (budget.stateBytes < 0 || budget.memoryBytes < 0 || budget.diskBytes < 0) {
    throw Error(ErrorCode::Argument, "bytes of states, memory and disk can not be negative");
  }
  Choice choice;
  const std::int64_t all = std::max<std::int64_t>(length - 1, 0);
  const std::int64_t stateBytes = std::max<std::int64_t>(budget.stateBytes, 1);
  const std::int64_t memory = std::min({budget.memoryBytes / stateBytes, kMostSlots, all});
  std::int64_t disk = 0;
  if (memory < all) {
    choice.policy = Policy::Revolve;
    // A file too large for its size to be a number fits nowhere.
    const bool isSizeable =
        budget.stateBytes <= std::numeric_limits<std::int64_t>::max() - kFileOverhead;
    const std::int64_t fit =
        isSizeable ? budget.diskBytes / (budget.stateBytes + kFileOverhead) : 0;
    const std::int64_t mostFiles = std::min(fit, kMostSlots - memory);
    disk = std::clamp<std::int64_t>(enoughSlots(length) - memory, 0, mostFiles);
    if (disk > 0) choice.policy = Policy::Multistage;
    if (memory + disk == 0) {
      throw Error(ErrorCode::Limit, "not one state of " + std::to_string(budget.stateBytes) +
                                        " bytes fits in " + std::to_string(budget.memoryBytes) +
                                        " bytes of memory and " + std::to_string(budget.diskBytes) +
                                        " of disk");
    }
  }
  choice.memorySlots = static_cast<std::int32_t>(memory);
  choice.diskSlots = static_cast<std::int32_t>(disk);
  choice.forwardSteps = all == 0 ? 0 : fewestForwardSteps(length, memory + disk);
  choice.memoryBytes = memory * budget.stateBytes;
  choice.files = disk;
  choice.diskBytes = disk > 0 ? disk * (budget.stateBytes + kFileOverhead) : 0;
  return choice;
}

std::unique_ptr<Schedule> makeSchedule(std::int64_t length, const Choice& choice) {
  if (choice.policy == Policy::StoreAll) return storeAll(length);
  return multistage(length, choice.memorySlots, choice.diskSlots);
}

}  // namespace adjoint::checkpoint

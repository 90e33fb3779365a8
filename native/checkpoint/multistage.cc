#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <vector>

#include "checkpoint/checks.h"
#include "checkpoint/reversal.h"
#include "checkpoint/schedule.h"

namespace adjoint::checkpoint {

namespace {

/// Chains with more repetitions than this have more kinds of parts than are worth counting. The
/// deeper of a few slots are then accessed more.
constexpr std::int64_t kMostRepetitions = 4096;

/// How often the slot of each depth is stored to and read: parts of the same length and depth are
/// split alike, and there are few of those. Doubles, because counts can be larger than 2^63.
std::vector<double> accessesByDepth(std::int64_t length, std::int64_t slots) {
  std::vector<double> accesses(static_cast<std::size_t>(slots), 0.0);
  const Splits splits(length, slots);
  // By length, the longest first, how many parts there are whose first state is current and stored
  // in the slot of the depth.
  std::map<std::int64_t, double, std::greater<>> parts{{length, 1.0}}, deeper;
  for (std::int64_t depth = 0; depth < slots && !parts.empty(); ++depth) {
    double& here = accesses[static_cast<std::size_t>(depth)];
    while (!parts.empty()) {
      const auto [steps, number] = *parts.begin();
      parts.erase(parts.begin());
      if (steps == 1) continue;
      const std::int64_t left = slots - depth;
      if (left == 1) {
        here += number * static_cast<double>(steps - 1);
        continue;
      }
      const std::int64_t split = splits.at(steps, left);
      here += number;  // the first state is read again
      parts[split] += number;
      if (steps - split > 1) deeper[steps - split] += number;
    }
    std::swap(parts, deeper);
    // Each part of the next depth begins with a store.
    if (depth + 1 < slots) {
      for (const auto& [steps, number] : parts)
        accesses[static_cast<std::size_t>(depth + 1)] += number;
    }
  }
  return accesses;
}

/// Slots by depth, those on disk where they are accessed least.
std::vector<Slot> place(std::int64_t length, std::int64_t memorySlots, std::int64_t diskSlots) {
  const std::int64_t slots = memorySlots + diskSlots;
  std::vector<std::int64_t> depths(static_cast<std::size_t>(slots));
  std::iota(depths.begin(), depths.end(), 0);
  if (diskSlots > 0 && memorySlots > 0 && repetitions(length, slots) <= kMostRepetitions) {
    const std::vector<double> accesses = accessesByDepth(length, slots);
    std::stable_sort(depths.begin(), depths.end(), [&](std::int64_t a, std::int64_t b) {
      return accesses[static_cast<std::size_t>(a)] < accesses[static_cast<std::size_t>(b)];
    });
  }
  std::vector<Slot> placed(static_cast<std::size_t>(slots));
  for (std::int64_t i = 0; i < slots; ++i) {
    const bool isDisk = i < diskSlots;
    placed[static_cast<std::size_t>(depths[static_cast<std::size_t>(i)])].place =
        isDisk ? Place::Disk : Place::Memory;
  }
  std::int32_t memory = 0, disk = 0;
  for (Slot& slot : placed) slot.index = slot.place == Place::Disk ? disk++ : memory++;
  return placed;
}

}  // namespace

std::unique_ptr<Schedule> multistage(std::int64_t length, std::int32_t memorySlots,
                                     std::int32_t diskSlots) {
  checkLength(length);
  checkSlots(memorySlots, diskSlots);
  // More than length - 1 slots would stay empty; memory is filled first.
  const std::int64_t useful = std::max<std::int64_t>(length - 1, 1);
  const std::int64_t memory = std::min<std::int64_t>(memorySlots, useful);
  const std::int64_t disk = std::min<std::int64_t>(diskSlots, useful - memory);
  return std::make_unique<Reversal>(length, place(useful + 1, memory, disk));
}

std::unique_ptr<Schedule> revolve(std::int64_t length, std::int32_t slots) {
  return multistage(length, slots, 0);
}

}  // namespace adjoint::checkpoint

#include "sparsity/column_runs.h"

#include <algorithm>
#include <bit>

namespace adjoint {

namespace {

constexpr std::int32_t kBits = 64;
/// Words of a bit set that are looked at rather than one run is sorted.
constexpr std::size_t kWordsForRun = 4;

}  // namespace

std::span<const ColumnRun> ColumnRuns::merged() {
  if (runs_.size() < 2) return runs_;
  if (std::ranges::is_sorted(runs_, {}, &ColumnRun::first)) {
    joinSorted();
    return runs_;
  }
  std::int32_t first = runs_[0].first, last = runs_[0].last;
  for (const ColumnRun& run : runs_) {
    first = std::min(first, run.first);
    last = std::max(last, run.last);
  }
  const auto words = static_cast<std::size_t>(last / kBits - first / kBits) + 1;
  if (words <= kWordsForRun * runs_.size()) {
    joinByBits(first, last);
  } else {
    std::ranges::sort(runs_, {}, &ColumnRun::first);
    joinSorted();
  }
  return runs_;
}

void ColumnRuns::joinSorted() {
  std::size_t count = 0;
  for (const ColumnRun& run : runs_) {
    if (count > 0 && run.first <= runs_[count - 1].last + 1) {
      runs_[count - 1].last = std::max(runs_[count - 1].last, run.last);
    } else {
      runs_[count++] = run;
    }
  }
  runs_.resize(count);
}

void ColumnRuns::joinByBits(std::int32_t first, std::int32_t last) {
  const std::int32_t firstWord = first / kBits, lastWord = last / kBits;
  const auto wordAt = [&](std::int32_t word) -> std::uint64_t& {
    return bits_[static_cast<std::size_t>(word - firstWord)];
  };
  bits_.assign(static_cast<std::size_t>(lastWord - firstWord) + 1, 0);
  constexpr std::uint64_t all = ~std::uint64_t{0};
  for (const ColumnRun& run : runs_) {
    const std::int32_t from = run.first / kBits, to = run.last / kBits;
    const std::uint64_t head = all << run.first % kBits;
    const std::uint64_t tail = all >> (kBits - 1 - run.last % kBits);
    if (from == to) {
      wordAt(from) |= head & tail;
      continue;
    }
    wordAt(from) |= head;
    for (std::int32_t word = from + 1; word < to; ++word) wordAt(word) = all;
    wordAt(to) |= tail;
  }
  runs_.clear();
  for (std::int32_t word = firstWord; word <= lastWord; ++word) {
    std::uint64_t left = wordAt(word);
    while (left != 0) {
      const int start = std::countr_zero(left);
      const int length = std::countr_one(left >> start);
      const std::int32_t column = word * kBits + start;
      if (!runs_.empty() && runs_.back().last + 1 == column) {
        runs_.back().last += length;
      } else {
        runs_.push_back({column, column + length - 1});
      }
      left = start + length == kBits ? 0 : left & all << (start + length);
    }
  }
}

}  // namespace adjoint

#include "sparsity/pattern_rows.h"

#include <algorithm>
#include <limits>
#include <string>

namespace adjoint {

PatternRows::PatternRows(const IndexSets& sets, std::int64_t rows, std::int64_t most)
    : sets_(sets), members_(sets), most_(most) {
  constexpr std::int64_t mostRows = std::numeric_limits<std::int32_t>::max();
  most_ = std::min(most_, mostRows);
  if (rows >= mostRows)
    throw Error(ErrorCode::Limit,
                std::to_string(rows) + " rows, more than " + std::to_string(mostRows - 1));
  pattern_.rows = rows;
  pattern_.columns = sets.columns();
  pattern_.rowIndex.reserve(static_cast<std::size_t>(rows) + 1);
  pattern_.rowIndex.push_back(0);
}

void PatternRows::reserve(std::int64_t nonzeros) {
  pattern_.columnIndex.reserve(static_cast<std::size_t>(std::min(nonzeros, most_)));
}

void PatternRows::expect(std::int64_t nonzeros) const {
  if (nonzeros <= most_) return;
  throw Error(ErrorCode::Limit, "the pattern has at least " + std::to_string(nonzeros) +
                                    " nonzeros, more than " + std::to_string(most_));
}

void PatternRows::checkRoom(std::size_t more) const {
  if (static_cast<std::int64_t>(pattern_.columnIndex.size() + more) <= most_) return;
  throw Error(ErrorCode::Limit, "the pattern has more than " + std::to_string(most_) +
                                    " nonzeros, at row " +
                                    std::to_string(pattern_.rowIndex.size() - 1) + " of " +
                                    std::to_string(pattern_.rows));
}

std::int64_t PatternRows::addSingles(std::span<SetId> ids) {
  SetId row[kShortRow];
  std::size_t length = 0;
  for (const SetId id : ids) {
    std::size_t at = length;
    while (at > 0 && row[at - 1] > id) --at;
    if (id == kEmptySet || (at > 0 && row[at - 1] == id)) continue;
    for (std::size_t i = length++; i > at; --i) row[i] = row[i - 1];
    row[at] = id;
  }
  checkRoom(length);
  for (std::size_t i = 0; i < length; ++i) pattern_.columnIndex.push_back(row[i] - 1);
  return static_cast<std::int64_t>(length);
}

std::int64_t PatternRows::addShort(std::span<const SetId* const> layers, std::int64_t first,
                                   std::int64_t end) {
  if (layers.size() > kShortRow) return 0;
  ascending_.assign(layers.begin(), layers.end());
  std::int32_t row[kShortRow];
  std::size_t length = 0;
  SetId last = kEmptySet;
  // Equal ones are taken once, and the empty set, which comes first, not at all.
  const auto isWritten = [&](std::int64_t i) {
    length = 0;
    last = kEmptySet;
    bool isAscending = true;
    for (const SetId* layer : ascending_) {
      const SetId id = layer[i];
      row[length] = id - 1;
      length += id > last;
      isAscending &= id >= last;
      last = id;
    }
    return isAscending;
  };
  std::int64_t i = first;
  for (; i < end; ++i) {
    // The layers of neighbors mostly have the same order.
    if (!isWritten(i)) {
      std::ranges::sort(ascending_, {}, [i](const SetId* layer) { return layer[i]; });
      isWritten(i);
    }
    if (!sets_.isSingle(last)) break;
    checkRoom(length);
    pattern_.columnIndex.insert(pattern_.columnIndex.end(), row, row + length);
    pattern_.rowIndex.push_back(static_cast<std::int32_t>(pattern_.columnIndex.size()));
  }
  if (i > first) last_.clear();
  return i - first;
}

std::int64_t PatternRows::add(std::span<SetId> ids) {
  const bool isShort = ids.size() <= kShortRow &&
                       std::ranges::all_of(ids, [&](SetId id) { return sets_.isSingle(id); });
  std::int64_t length = 0;
  auto& columns = pattern_.columnIndex;
  if (isShort) {
    length = addSingles(ids);
  } else if (!last_.empty() && std::ranges::equal(ids, last_)) {
    const auto from = static_cast<std::size_t>(*(pattern_.rowIndex.end() - 2));
    const std::size_t count = columns.size() - from;
    checkRoom(count);
    columns.resize(columns.size() + count);
    std::copy_n(columns.begin() + static_cast<std::ptrdiff_t>(from), count,
                columns.end() - static_cast<std::ptrdiff_t>(count));
    length = static_cast<std::int64_t>(count);
  } else {
    const auto members = members_.of(ids);
    checkRoom(members.size());
    columns.insert(columns.end(), members.begin(), members.end());
    length = static_cast<std::int64_t>(members.size());
  }
  last_.clear();
  if (!isShort) last_.assign(ids.begin(), ids.end());
  pattern_.rowIndex.push_back(static_cast<std::int32_t>(columns.size()));
  return length;
}

SparsePattern PatternRows::finish() && { return std::move(pattern_); }

}  // namespace adjoint

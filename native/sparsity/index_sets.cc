#include "sparsity/index_sets.h"

#include <algorithm>
#include <limits>

namespace adjoint {

namespace {

constexpr std::int64_t kMostSets = std::numeric_limits<std::int32_t>::max() - 1;

std::uint32_t hashOf(std::span<const std::int32_t> parts, bool isList) {
  std::uint64_t hash = isList ? 0x9e3779b97f4a7c15u : 0xc2b2ae3d27d4eb4fu;
  for (const std::int32_t part : parts) {
    hash = (hash ^ static_cast<std::uint32_t>(part)) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
  }
  return static_cast<std::uint32_t>(hash);
}

}  // namespace

IndexSets::IndexSets(std::int64_t columns) : columns_(0), table_(64, 0) {
  if (columns > kMostSets - 1)
    throw Error(ErrorCode::Limit,
                std::to_string(columns) + " columns, more than " + std::to_string(kMostSets - 1));
  columns_ = static_cast<std::int32_t>(columns);
}

SetId IndexSets::unite(std::span<SetId> ids) {
  if (!std::ranges::is_sorted(ids)) std::ranges::sort(ids);
  const auto first = std::ranges::upper_bound(ids, kEmptySet);
  const auto last = std::unique(first, ids.end());
  const std::span<const SetId> own(first, last);
  if (own.empty()) return kEmptySet;
  if (own.size() == 1) return own[0];
  if (!std::ranges::all_of(own, [&](SetId id) { return isListed(id); })) return uniteSets(own);
  runs_.clear();
  addRuns(own, runs_);
  const auto runs = runs_.merged();
  if (runs.size() > kMostRuns) return uniteSets(own);
  scratch_.clear();
  std::int32_t members = 0;
  for (const ColumnRun& run : runs) {
    scratch_.insert(scratch_.end(), {run.first, run.last});
    members += run.last - run.first + 1;
  }
  return intern(scratch_, {.atLeast = members, .largest = largestOf(own), .isList = true});
}

void IndexSets::addRuns(std::span<const SetId> ids, ColumnRuns& runs) const {
  for (const SetId id : ids) {
    if (isSingle(id)) {
      if (id != kEmptySet) runs.add({id - 1, id - 1});
      continue;
    }
    const auto own = parts(id);
    for (std::size_t i = 0; i < own.size(); i += 2) runs.add({own[i], own[i + 1]});
  }
}

SetId IndexSets::largestOf(std::span<const SetId> ids) const {
  return std::ranges::max(ids, {}, [&](SetId id) { return atLeast(id); });
}

bool IndexSets::covers(SetId large, SetId small) const {
  const auto own = parts(large);
  if (!at(large).isList) return std::ranges::binary_search(own, small);
  if (!isListed(small)) return false;
  const auto hasRun = [&](std::int32_t first, std::int32_t last) {
    for (std::size_t i = 0; i < own.size(); i += 2) {
      if (own[i] <= first && last <= own[i + 1]) return true;
    }
    return false;
  };
  if (isSingle(small)) return hasRun(small - 1, small - 1);
  const auto runs = parts(small);
  for (std::size_t i = 0; i < runs.size(); i += 2) {
    if (!hasRun(runs[i], runs[i + 1])) return false;
  }
  return true;
}

SetId IndexSets::uniteSets(std::span<const SetId> ids) {
  // What the largest has anyway is not said again.
  const SetId largest = largestOf(ids);
  std::int32_t singles = 0;
  scratch_.clear();
  for (const SetId id : ids) {
    if (id != largest && contains(largest, id)) continue;
    scratch_.push_back(id);
    singles += isSingle(id);
  }
  if (scratch_.size() == 1) return largest;
  return intern(scratch_, {.atLeast = std::max(singles, atLeast(largest)), .largest = largest});
}

SetId IndexSets::intern(std::span<const std::int32_t> parts, const Union& made) {
  const std::uint32_t hash = hashOf(parts, made.isList);
  const std::size_t mask = table_.size() - 1;
  std::size_t slot = hash & mask;
  for (; table_[slot] != 0; slot = (slot + 1) & mask) {
    const auto found = static_cast<std::size_t>(table_[slot]) - 1;
    if (hashes_[found] != hash || unions_[found].isList != made.isList) continue;
    const auto id = static_cast<SetId>(static_cast<std::size_t>(columns_) + 1 + found);
    if (std::ranges::equal(this->parts(id), parts)) return id;
  }
  if (columns_ + static_cast<std::int64_t>(unions_.size()) >= kMostSets)
    throw Error(ErrorCode::Limit, "more than " + std::to_string(kMostSets) + " sets of columns");
  Union own = made;
  own.start = static_cast<std::int64_t>(parts_.size());
  own.count = static_cast<std::int32_t>(parts.size());
  own.maker = maker_;
  unions_.push_back(own);
  hashes_.push_back(hash);
  parts_.insert(parts_.end(), parts.begin(), parts.end());
  table_[slot] = static_cast<std::int32_t>(unions_.size());
  if (2 * unions_.size() > table_.size()) grow();
  return static_cast<SetId>(static_cast<std::size_t>(columns_) + unions_.size());
}

void IndexSets::grow() {
  table_.assign(2 * table_.size(), 0);
  const std::size_t mask = table_.size() - 1;
  for (std::size_t i = 0; i < unions_.size(); ++i) {
    std::size_t slot = hashes_[i] & mask;
    while (table_[slot] != 0) slot = (slot + 1) & mask;
    table_[slot] = static_cast<std::int32_t>(i) + 1;
  }
}

NodeId IndexSets::madeBy(SetId id, std::int64_t members) const {
  if (isSingle(id) || at(id).atLeast < members) return kNoNode;
  while (atLeast(at(id).largest) >= members && !isSingle(at(id).largest)) id = at(id).largest;
  return at(id).maker;
}

void SetMembers::visit(SetId id) {
  if (id == kEmptySet) return;
  const auto add = [&](std::int32_t column) {
    std::int32_t& seen = seenColumn_[static_cast<std::size_t>(column)];
    if (seen == call_) return;
    seen = call_;
    members_.push_back(column);
  };
  if (sets_.isSingle(id)) return add(id - 1);
  std::int32_t& seen = seenUnion_[sets_.position(id)];
  if (seen == call_) return;
  seen = call_;
  if (!sets_.at(id).isList) {
    open_.push_back(id);
    return;
  }
  const auto runs = sets_.parts(id);
  for (std::size_t i = 0; i < runs.size(); i += 2) {
    for (std::int32_t column = runs[i]; column <= runs[i + 1]; ++column) add(column);
  }
}

std::span<const std::int32_t> SetMembers::of(std::span<const SetId> ids) {
  members_.clear();
  if (std::ranges::all_of(ids, [&](SetId id) { return sets_.isListed(id); })) {
    runs_.clear();
    sets_.addRuns(ids, runs_);
    for (const ColumnRun& run : runs_.merged()) {
      for (std::int32_t column = run.first; column <= run.last; ++column)
        members_.push_back(column);
    }
    return members_;
  }
  if (call_ == 0 || call_ == std::numeric_limits<std::int32_t>::max()) {
    seenColumn_.assign(static_cast<std::size_t>(sets_.columns()), 0);
    seenUnion_.assign(sets_.unions(), 0);
    call_ = 0;
  }
  ++call_;
  for (const SetId id : ids) visit(id);
  while (!open_.empty()) {
    const SetId id = open_.back();
    open_.pop_back();
    for (const SetId part : sets_.parts(id)) visit(part);
  }
  if (members_.size() < seenColumn_.size() / 16) {
    std::ranges::sort(members_);
  } else {
    members_.clear();
    for (std::size_t i = 0; i < seenColumn_.size(); ++i)
      if (seenColumn_[i] == call_) members_.push_back(static_cast<std::int32_t>(i));
  }
  return members_;
}

}  // namespace adjoint

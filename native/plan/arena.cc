#include "plan/arena.h"

#include <algorithm>
#include <map>

#include "plan/rows_by_piece.h"
#include "plan/visit_buffers.h"

namespace adjoint {

namespace {

/// Free stretches by start; neighbors are merged.
class FreeList {
 public:
  std::int64_t take(std::int64_t size) {
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->second < size) continue;
      const std::int64_t start = it->first;
      const std::int64_t rest = it->second - size;
      free_.erase(it);
      if (rest > 0) free_[start + size] = rest;
      return start;
    }
    const std::int64_t start = end_;
    end_ += size;
    return start;
  }
  void give(std::int64_t start, std::int64_t size) {
    auto next = free_.lower_bound(start);
    if (next != free_.end() && next->first == start + size) {
      size += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == start) {
        before->second += size;
        return;
      }
    }
    free_[start] = size;
  }
  std::int64_t end() const { return end_; }

 private:
  std::map<std::int64_t, std::int64_t> free_;
  std::int64_t end_ = 0;
};

}  // namespace

std::int64_t Plan::doubles(Base base) const {
  switch (base) {
    case Base::Io:
    case Base::Next:
      return ioDoubles;
    case Base::Kept:
      return keptDoubles;
    case Base::Temp:
      return tempDoubles;
    case Base::Piece:
      return pieceDoubles;
    case Base::Constant:
      break;
  }
  return static_cast<std::int64_t>(constants.size());
}

void placeTemporaries(Plan& plan) {
  constexpr std::size_t kNever = static_cast<std::size_t>(-1);
  std::vector<std::size_t> first(plan.buffers.size(), kNever);
  std::vector<std::size_t> last(plan.buffers.size(), 0);
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    const std::size_t start = readsPieces(plan, plan.steps[s]) ? s - 1 : s;
    visitBuffers(plan.steps[s], [&](BufferId id) {
      first[id] = first[id] == kNever ? start : std::min(first[id], start);
      last[id] = s;
    });
  }
  std::vector<std::vector<BufferId>> starts(plan.steps.size());
  std::vector<std::vector<BufferId>> ends(plan.steps.size());
  for (BufferId id = 0; id < plan.buffers.size(); ++id) {
    if (plan.buffers[id].base != Base::Temp || first[id] == kNever) continue;
    starts[first[id]].push_back(id);
    ends[last[id]].push_back(id);
  }
  FreeList free;
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    for (const BufferId id : starts[s])
      plan.buffers[id].offset = free.take(paddedDoubles(plan.buffers[id].elements));
    for (const BufferId id : ends[s])
      free.give(plan.buffers[id].offset, paddedDoubles(plan.buffers[id].elements));
  }
  plan.tempDoubles = free.end();
}

}  // namespace adjoint

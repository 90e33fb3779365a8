#include "plan/arena.h"

#include <algorithm>
#include <map>

namespace adjoint {

namespace {

template <class Visit>
void visitBuffers(const Step& step, Visit visit) {
  if (const auto* kernel = std::get_if<Kernel>(&step)) {
    for (const Access& access : kernel->accesses) visit(access.buffer);
  } else if (const auto* product = std::get_if<MatMulStep>(&step)) {
    visit(product->a.buffer);
    visit(product->b.buffer);
    visit(product->c);
  } else if (const auto* recurrence = std::get_if<RecurrenceStep>(&step)) {
    if (recurrence->hasA) visit(recurrence->a);
    visit(recurrence->b);
    visit(recurrence->y);
  } else if (const auto* index = std::get_if<IndexStep>(&step)) {
    visit(index->in);
    visit(index->out);
  } else if (const auto* scatter = std::get_if<ScatterAddStep>(&step)) {
    visit(scatter->indices);
    visit(scatter->updates);
    visit(scatter->out);
  } else if (const auto* rows = std::get_if<InterleaveStep>(&step)) {
    for (const InterleaveStep::Source& source : rows->sources) visit(source.buffer);
    visit(rows->out);
  } else if (const auto* loop = std::get_if<LaneStep>(&step)) {
    for (const LaneStep::Port& port : loop->inputs) {
      visit(port.buffer);
      if (port.kind == LaneStep::Port::Kind::Gathered) visit(port.indices);
    }
    for (const LaneStep::Port& port : loop->outputs) visit(port.buffer);
  } else if (const auto* steps = std::get_if<LoopStep>(&step)) {
    visitBuffers(*steps, visit);
  }
}

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

void placeTemporaries(Plan& plan) {
  constexpr std::size_t kNever = static_cast<std::size_t>(-1);
  std::vector<std::size_t> first(plan.buffers.size(), kNever);
  std::vector<std::size_t> last(plan.buffers.size(), 0);
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    visitBuffers(plan.steps[s], [&](BufferId id) {
      if (first[id] == kNever) first[id] = s;
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

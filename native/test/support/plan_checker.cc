#include "test/support/plan_checker.h"

#include <algorithm>
#include <set>
#include <vector>

namespace adjoint::testing {

namespace {

struct Use {
  BufferId buffer;
  bool writes;
};

std::vector<Use> usesOf(const Step& step) {
  std::vector<Use> uses;
  if (const auto* kernel = std::get_if<Kernel>(&step)) {
    for (const Instr& instr : kernel->body) {
      const auto extra = static_cast<std::size_t>(instr.extra);
      switch (instr.kind) {
        case InstrKind::Load:
          uses.push_back({kernel->accesses[extra].buffer, false});
          break;
        case InstrKind::Gather:
          uses.push_back({kernel->accesses[kernel->gathers[extra].access].buffer, false});
          break;
        case InstrKind::Store:
          uses.push_back({kernel->accesses[extra].buffer, true});
          break;
        case InstrKind::Reduce:
          uses.push_back({kernel->accesses[kernel->reductions[extra].access].buffer, true});
          break;
        default:
          break;
      }
    }
  } else if (const auto* product = std::get_if<MatMulStep>(&step)) {
    uses = {{product->a.buffer, false}, {product->b.buffer, false}, {product->c, true}};
  } else if (const auto* recurrence = std::get_if<RecurrenceStep>(&step)) {
    if (recurrence->hasA) uses.push_back({recurrence->a, false});
    uses.push_back({recurrence->b, false});
    uses.push_back({recurrence->y, true});
  } else if (const auto* index = std::get_if<IndexStep>(&step)) {
    uses = {{index->in, false}, {index->out, true}};
  } else if (const auto* scatter = std::get_if<ScatterAddStep>(&step)) {
    uses = {{scatter->indices, false}, {scatter->updates, false}, {scatter->out, true}};
  } else if (const auto* rows = std::get_if<InterleaveStep>(&step)) {
    for (const InterleaveStep::Source& source : rows->sources)
      uses.push_back({source.buffer, false});
    uses.push_back({rows->out, true});
  } else if (const auto* loop = std::get_if<LaneStep>(&step)) {
    for (const LaneStep::Port& port : loop->inputs) {
      uses.push_back({port.buffer, false});
      if (port.kind == LaneStep::Port::Kind::Gathered) uses.push_back({port.indices, false});
    }
    for (const LaneStep::Port& port : loop->outputs) uses.push_back({port.buffer, true});
  } else if (const auto* steps = std::get_if<LoopStep>(&step)) {
    const auto add = [&](BufferId buffer, bool writes) {
      if (buffer != LoopStep::kNone) uses.push_back({buffer, writes});
    };
    for (const auto* ports : {&steps->constants, &steps->initial, &steps->streams})
      for (const LoopStep::Port& port : *ports) add(port.buffer, false);
    add(steps->count, false);
    if (steps->replay) add(steps->replay->loop->kept->buffer, false);
    for (const auto* ports : {&steps->last, &steps->results})
      for (const LoopStep::Port& port : *ports) add(port.buffer, true);
    add(steps->counted, true);
    if (steps->kept) add(steps->kept->buffer, true);
  }
  return uses;
}

/// Lowest and highest element an access touches, gathers at their limit included.
std::string checkAccess(const Plan& plan, const Kernel& kernel, const Access& access,
                        std::int64_t gathered) {
  const IndexMap& map = kernel.maps[access.map];
  std::int64_t low = access.offset;
  std::int64_t high = access.offset + gathered;
  for (std::size_t l = 0; l < kernel.extents.size(); ++l) {
    std::int64_t last = kernel.extents[l] - 1;
    std::int64_t first = 0;
    for (const Window& w : map.windows) {
      if (w.loop != l) continue;
      const std::int64_t from = std::max<std::int64_t>(w.lo, 0);
      const std::int64_t to = std::min(w.hi, kernel.extents[l]);
      if (from >= to) return "";  // outside for good
      first = (from - w.lo + w.step - 1) / w.step;
      last = (to - 1 - w.lo) / w.step;
      if (first > last) return "";
    }
    const std::int64_t stride = map.stride[l];
    low += std::min(stride * first, stride * last);
    high += std::max(stride * first, stride * last);
  }
  const std::int64_t elements = plan.buffers[access.buffer].elements;
  if (low >= 0 && high < elements) return "";
  return "b" + std::to_string(access.buffer) + " of " + std::to_string(elements) +
         " is read or written from " + std::to_string(low) + " to " + std::to_string(high) + "\n" +
         kernel.toString();
}

std::string checkAccesses(const Plan& plan, const Kernel& kernel) {
  if (kernel.points() == 0) return "";
  std::set<std::size_t> gathered;
  for (const Gather& gather : kernel.gathers) {
    gathered.insert(gather.access);
    if (gather.limit == 0) continue;
    std::string wrong = checkAccess(plan, kernel, kernel.accesses[gather.access],
                                    gather.stride * (gather.limit - 1));
    if (!wrong.empty()) return wrong;
  }
  for (std::size_t i = 0; i < kernel.accesses.size(); ++i) {
    if (gathered.count(i)) continue;
    std::string wrong = checkAccess(plan, kernel, kernel.accesses[i], 0);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

}  // namespace

std::string checkMemory(const Plan& plan) {
  const std::size_t count = plan.buffers.size();
  const std::size_t steps = plan.steps.size();
  std::vector<std::size_t> first(count, steps);
  std::vector<std::size_t> last(count, 0);
  std::vector<bool> written(count, false);
  for (BufferId id = 0; id < count; ++id) written[id] = plan.buffers[id].base == Base::Constant;
  for (const IoPort& port : plan.inputs) written[port.buffer] = true;
  for (std::size_t s = 0; s < steps; ++s) {
    const std::vector<Use> uses = usesOf(plan.steps[s]);
    for (const Use& use : uses) {
      if (!use.writes && !written[use.buffer]) {
        return "step " + std::to_string(s) + " reads b" + std::to_string(use.buffer) +
               " before it is written";
      }
      first[use.buffer] = std::min(first[use.buffer], s);
      last[use.buffer] = s;
    }
    for (const Use& use : uses) {
      const Base base = plan.buffers[use.buffer].base;
      if (use.writes && (base == Base::Constant || base == Base::Kept))
        return "what is only read is written";
      if (use.writes) written[use.buffer] = true;
    }
    if (const auto* kernel = std::get_if<Kernel>(&plan.steps[s])) {
      std::string wrong = checkAccesses(plan, *kernel);
      if (!wrong.empty()) return wrong;
    }
  }
  for (const IoPort& port : plan.outputs) {
    if (!written[port.buffer] && plan.buffers[port.buffer].elements > 0)
      return "output " + port.name + " is not written";
  }
  std::vector<BufferId> live;
  for (BufferId id = 0; id < count; ++id) {
    const Buffer& buffer = plan.buffers[id];
    const std::int64_t end = buffer.offset + (buffer.elements + 7) / 8 * 8;
    if (buffer.base == Base::Temp && first[id] == steps) continue;
    if (buffer.offset % 8 != 0 || buffer.offset < 0)
      return "b" + std::to_string(id) + " is not aligned";
    const std::int64_t limits[kBases] = {plan.ioDoubles, plan.tempDoubles,
                                         static_cast<std::int64_t>(plan.constants.size()),
                                         plan.ioDoubles, plan.keptDoubles};
    const std::int64_t limit = limits[static_cast<int>(buffer.base)];
    if (end > limit) return "b" + std::to_string(id) + " leaves its base";
    live.push_back(id);
  }
  // By base and place: overlaps are then found among neighbors, and the long are few.
  std::sort(live.begin(), live.end(), [&](BufferId a, BufferId b) {
    return std::pair(plan.buffers[a].base, plan.buffers[a].offset) <
           std::pair(plan.buffers[b].base, plan.buffers[b].offset);
  });
  for (std::size_t i = 0; i < live.size(); ++i) {
    const Buffer& a = plan.buffers[live[i]];
    if (a.base == Base::Constant) continue;
    for (std::size_t j = i + 1; j < live.size(); ++j) {
      const Buffer& b = plan.buffers[live[j]];
      if (a.base != b.base || b.offset >= a.offset + (a.elements + 7) / 8 * 8) break;
      const bool together = a.base != Base::Temp ||
                            (first[live[i]] <= last[live[j]] && first[live[j]] <= last[live[i]]);
      if (together && a.elements > 0 && b.elements > 0) {
        return "b" + std::to_string(live[i]) + " and b" + std::to_string(live[j]) +
               " overlap while both are live";
      }
    }
  }
  return "";
}

}  // namespace adjoint::testing

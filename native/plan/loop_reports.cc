#include "plan/loop_reports.h"

#include "checkpoint/disk_store.h"
#include "plan/loops.h"

namespace adjoint {
namespace {

LoopReport::Kept reportKept(const Plan& plan, const LoopStep& loop) {
  const LoopStep::Kept& kept = *loop.kept;
  LoopReport::Kept report{kept.checkpoints, {}, 0, 0, 0};
  constexpr std::int64_t kDouble = sizeof(double);
  report.memoryBytes = plan.buffers[kept.buffer].elements * kDouble;
  if (kept.checkpoints.policy == CheckpointPolicy::Multistage) {
    report.files = scheduleOf(kept.checkpoints, loop.length)->diskSlots();
    report.diskBytes = report.files * (loop.row * kDouble + checkpoint::kFileOverhead);
    report.directory = kept.directory;
  }
  return report;
}

LoopReport reportLoop(const Plan& plan, const LoopStep& loop, std::size_t depth) {
  LoopReport report;
  report.name = "loop";
  if (plan.tape && loop.node < plan.tape->size())
    report.name = loopOrOpName(*plan.tape, plan.tape->node(loop.node));
  report.depth = depth;
  report.steps = loop.length;
  report.trips = loop.trips;
  if (loop.kept) report.kept = reportKept(plan, loop);
  const bool keepsAll = !loop.kept || loop.kept->checkpoints.policy == CheckpointPolicy::All;
  if (keepsAll) {
    report.forwardSteps = loop.length;
  } else if (loop.trips != LoopTrips::While) {
    report.forwardSteps = loop.length + stepsAgain(loop.kept->checkpoints, loop.length);
  }
  return report;
}

}  // namespace

std::vector<LoopReport> reportLoops(const Plan& plan) {
  struct Inside {
    const Plan* plan;
    std::size_t depth;
    std::size_t next = 0;  ///< among its steps
  };
  std::vector<LoopReport> reports;
  std::vector<Inside> stack{{&plan, 0}};
  while (!stack.empty()) {
    Inside& top = stack.back();
    if (top.next == top.plan->steps.size()) {
      stack.pop_back();
      continue;
    }
    const Inside at = top;
    const Step& step = at.plan->steps[top.next++];
    if (const auto* lanes = std::get_if<LaneStep>(&step)) {
      stack.push_back({lanes->plan.get(), at.depth});
    } else if (const auto* loop = std::get_if<LoopStep>(&step)) {
      if (!loop->replay) reports.push_back(reportLoop(*at.plan, *loop, at.depth));
      stack.push_back({loop->body.get(), at.depth + 1});
    }
  }
  return reports;
}

}  // namespace adjoint

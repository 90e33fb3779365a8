#pragma once

#include <unordered_map>
#include <vector>

#include "plan/buffers.h"
#include "plan/lane_steps.h"
#include "plan/loop_steps.h"
#include "plan/structure.h"

namespace adjoint {

/// Makes the steps of a tape that are no kernels.
class StepMaker {
 public:
  StepMaker(const Tape& tape, Views& views, PlanBuffers& buffers, const PlanOptions& options,
            std::vector<ElementSet> inputZeros)
      : tape_(tape),
        views_(views),
        buffers_(buffers),
        structure_(tape, std::move(inputZeros)),
        lanes_(tape, buffers, structure_),
        loops_(tape, buffers, options) {}

  /// Before the step of the call whose item it is.
  void addItem(NodeId item) { items_[tape_.node(item).operand[0]].push_back(item); }
  /// Likewise, of a loop over lanes: it is to be written there.
  void placeItem(NodeId item, BufferId buffer, std::int64_t offset) {
    lanes_.place(item, buffer, offset);
  }

  Step make(NodeId id);

 private:
  std::vector<NodeId> itemsOf(NodeId call) const;
  RecurrenceStep recurrence(NodeId id);
  ScatterAddStep scatterAdd(NodeId id);
  IndexStep index(NodeId id);
  InterleaveStep interleave(NodeId id);
  StridedOperand strided(NodeId operand);
  MatMulStep matmul(NodeId id);
  StridedOperand ofLanes(NodeId operand);
  MatMulStep laneMatmul(NodeId id);

  const Tape& tape_;
  Views& views_;
  PlanBuffers& buffers_;
  LazyStructure structure_;
  LaneSteps lanes_;
  LoopSteps loops_;
  std::unordered_map<NodeId, std::vector<NodeId>> items_;  ///< by call
};

}  // namespace adjoint

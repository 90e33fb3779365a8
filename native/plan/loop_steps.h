#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "plan/buffers.h"
#include "plan/loops.h"
#include "plan/planner.h"

namespace adjoint {

/// Makes the steps of a tape's loops over steps in time, in the order of the tape.
class LoopSteps {
 public:
  LoopSteps(const Tape& tape, PlanBuffers& buffers, const PlanOptions& options)
      : tape_(tape), buffers_(buffers), options_(options), pairs_(tape) {}

  /// `items`: by number; kNoNode where nobody reads it.
  LoopStep make(NodeId id, const std::vector<NodeId>& items);

 private:
  void placeInputs(LoopStep& step, const LoopAttributes& attributes,
                   std::span<const NodeId> operands, const LoopPairs::Pair* pair);
  BufferId oneRow(NodeId stream, std::int64_t length);
  void planBody(LoopStep& step, const TapePtr& own, const std::vector<std::size_t>& outputs) const;
  void replay(LoopStep& step, const LoopPairs::Pair& pair);
  void keepCarries(LoopStep& step, const TapePtr& own, const LoopAttributes& attributes);

  const Tape& tape_;
  PlanBuffers& buffers_;
  const PlanOptions options_;
  const LoopPairs pairs_;
  std::unordered_map<NodeId, std::shared_ptr<const LoopStep>> keptLoops_;
};

}  // namespace adjoint

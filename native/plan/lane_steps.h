#pragma once

#include <unordered_map>
#include <vector>

#include "plan/buffers.h"
#include "plan/lanes.h"
#include "plan/structure.h"

namespace adjoint {

/// Makes the steps of a tape's loops over lanes.
class LaneSteps {
 public:
  LaneSteps(const Tape& tape, PlanBuffers& buffers, LazyStructure& structure)
      : tape_(tape), buffers_(buffers), structure_(structure) {}

  /// The item is to be written there rather than into a buffer of its own.
  void place(NodeId item, BufferId buffer, std::int64_t offset) {
    inPlace_.emplace(item, InPlace{buffer, offset});
  }
  /// `items`: by output; kNoNode where nobody reads it.
  LaneStep make(NodeId id, const std::vector<NodeId>& items);

 private:
  struct InPlace {
    BufferId buffer;
    std::int64_t offset;
  };

  std::vector<ElementSet> sharedZeros(const Node& node, const LaneAttributes& attributes);
  void placeInputs(LaneStep& step, const Node& node, const LaneAttributes& attributes);
  void placeOutput(LaneStep& step, std::size_t k, const LaneAttributes::Output& output,
                   NodeId item);
  void placeProduct(LaneStep& step, std::size_t k, bool isLeft, NodeId item);

  const Tape& tape_;
  PlanBuffers& buffers_;
  LazyStructure& structure_;
  std::unordered_map<NodeId, InPlace> inPlace_;
};

}  // namespace adjoint

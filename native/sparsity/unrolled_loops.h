#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ops/loop.h"

namespace adjoint {

/// What a loop takes when its steps are written out: nodes, and elements of which 64 count as one.
/// Loops within steps are counted as written out too. Saturates.
std::int64_t unrolledCost(const Tape& t, const Node& loop);

/// Writes the steps of a loop out; returns the items. `operands` are on the builder. `steps`: how
/// many are taken, where that is known. Otherwise all that can be are there, and what the items are
/// made of is chosen by the conditions that the loop looks at; rows of steps that are not taken
/// hold what such a step would make.
/// Nodes of steps come from where the loop does; with `loops`, where that is told for all nodes of
/// the builder (kNoNode for others), from where the step's do.
std::vector<NodeId> unrollLoop(Builder& builder, const Tape& t, const Node& loop,
                               std::span<const NodeId> operands, std::optional<std::int64_t> steps,
                               std::vector<NodeId>* loops);

}  // namespace adjoint

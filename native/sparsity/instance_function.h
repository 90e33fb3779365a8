#pragma once

#include <optional>
#include <vector>

#include "sparsity/movement.h"
#include "tape/tape.h"
#include "transform/lane_axes.h"

namespace adjoint {

/// A function of one instance with arrays inside.
struct InstanceFunction {
  struct Input {
    NodeId node;  ///< a value of the tape
    int axis;     ///< its axis along the instances; -1: all have the same
    bool isActive;
    /// For an active one: which element of an input each of its elements is, by instance; those
    /// that are constant have kNoNode.
    std::vector<Movement::Source> elements;
  };
  TapePtr body;  ///< one output
  std::vector<Input> inputs;
};

/// What the instances along an axis of a value compute, where each is computed by itself from
/// elements of the inputs of interest; none where there is no such form.
std::optional<InstanceFunction> instanceFunction(const Tape& t, const std::vector<bool>& active,
                                                 Movement& movement, AxisClasses& classes,
                                                 IndexMaps& maps, NodeId node, int axis);

}  // namespace adjoint

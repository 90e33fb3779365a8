#pragma once

#include <cstdint>
#include <vector>

#include "tape/tape.h"
#include "transform/copy.h"

namespace adjoint {

/// Fewer lanes are not worth a loop around them.
constexpr std::int64_t kMinLanes = 32;
/// Lanes a row of a table that they pick from, from which work on the whole table is little beside
/// that of the lanes.
constexpr std::int64_t kLanesPerRow = 4;

/// What a loop over lanes gives for one output of its body.
enum class LaneOutput : std::uint8_t {
  Mapped,  ///< every lane's value, along an axis of the result
  Sum,     ///< reduced over lanes and the first `terms` elements of each lane's value
  Max,
  Min,
  Left,   ///< the sum over lanes of outer products of this, [batch.., m], with the next output
  Right,  ///< the next output: [batch.., n]
};

/// Where a body's input comes from.
enum class LaneInput : std::uint8_t {
  Shared,    ///< the same in every lane
  Mapped,    ///< one for every index of an axis
  Gathered,  ///< by lane an index of an axis, from a table that is the node's next operand
};

/// Attributes of a `lanes` node, in this order: rule, lanes, number of inputs, kind and axis of
/// every input, then kind and axis (or terms) of every output.
struct LaneAttributes {
  std::size_t rule = 0;
  std::int64_t lanes = 0;
  struct Input {
    LaneInput kind = LaneInput::Shared;
    std::int64_t axis = 0;
  };
  std::vector<Input> inputs;
  struct Output {
    LaneOutput kind = LaneOutput::Mapped;
    std::int64_t axisOrTerms = 0;
  };
  std::vector<Output> outputs;

  /// By input of the body, whether lanes differ in it.
  std::vector<bool> isMapped() const;

  static LaneAttributes read(const Tape& t, const Node& node);
  std::vector<std::int64_t> write() const;
};

/// Finds an index that many values share and that nothing mixes (points of a mixture, instances of
/// a batch, the axis of a vmap), and moves everything done along it into `lanes` nodes: the body is
/// a function of one lane. Their loops run over blocks of lanes that fit the caches, outermost
/// around all of the body. What mixes lanes stays outside, before or after; sums over lanes, and
/// products that contract over them, are the loop's own. Gives the tape itself where there is
/// nothing to gain.
TapePtr formLanes(const TapePtr& t);

/// The body of a `lanes` node over a block of lanes, which are the last axis of every mapped input
/// and of every output; null where an operation has no such form.
TapePtr overLanes(const TapePtr& body, std::int64_t lanes, const std::vector<bool>& isMapped);

}  // namespace adjoint

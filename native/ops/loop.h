#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ops/op.h"
#include "tape/builder.h"

namespace adjoint {

/// How many steps a loop takes.
enum class LoopTrips : std::uint8_t {
  Fixed,    ///< `length` of them
  While,    ///< as long as the first carry, a boolean scalar, is true; more than `length` fail
  Counted,  ///< as many as the last operand says: a scalar, a whole number from 0 to `length`
};

/// How the carries that a later loop reads backwards are kept until then (docs/design/0026).
enum class CheckpointPolicy : std::uint8_t {
  Auto,        ///< all where they fit in `bytes`, otherwise the best schedule that does
  All,         ///< every one
  Every,       ///< every `slots`-th, and in the end those between two of them
  Sqrt,        ///< likewise, with the square root of the length
  Revolve,     ///< `slots` of them, by the binomial schedule (Griewank & Walther 2000)
  Online,      ///< `slots` of them, for a length nobody knows
  Multistage,  ///< `slots` in memory and `diskSlots` in files
};
struct Checkpoints {
  CheckpointPolicy policy = CheckpointPolicy::Auto;
  std::int64_t slots = 0;
  std::int64_t diskSlots = 0;
  std::int64_t bytes = std::int64_t{256} << 20;
};

/// What a `loop` node does. Its rule's primal is the step, a function of
///   constants..., carries..., one row of each stream..., [index of that row]
/// that gives the next carries..., then one row of each result.
/// Operands: constants..., initial carries..., streams [length, ...]..., [number of steps].
/// Items: last carries..., results [length, ...]..., and of `While` the number of steps, a scalar.
/// Where fewer steps are taken than `length`, the first rows of streams and results belong to them;
/// the other rows of results hold anything. With `reverse` the last of these rows is the first
/// step's.
struct LoopAttributes {
  std::size_t rule = 0;
  std::int64_t length = 0;
  std::size_t constants = 0, carries = 0, streams = 0;
  LoopTrips trips = LoopTrips::Fixed;
  bool reverse = false;
  bool indexed = false;
  Checkpoints checkpoints;

  static LoopAttributes read(const Tape& t, const Node& loop);
  std::vector<std::int64_t> write() const;

  /// Inputs of the step before its index; operands before the number of steps.
  std::size_t inputs() const { return constants + carries + streams; }
};

/// Appends a loop and returns its items. `attributes.rule` is ignored. Throws ERR_SHAPE, ERR_DTYPE
/// or ERR_ARGUMENT where operands do not fit the step's inputs, or its carries do not fit
/// themselves.
std::vector<NodeId> appendLoop(Builder& builder, std::shared_ptr<const CustomRule> rule,
                               LoopAttributes attributes, std::span<const NodeId> operands);

/// What messages call a node: of a loop the name of its rule.
const char* loopOrOpName(const Tape& tape, const Node& node);

/// Number of items of a loop, of a `custom` call or of `lanes`.
std::size_t itemCount(const Tape& tape, const Node& call);

/// Whether a run of the loop can fail: by its number of steps, or in a step.
bool loopCanFail(const Tape& tape, const Node& loop);

}  // namespace adjoint

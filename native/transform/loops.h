#pragma once

#include <vector>

#include "ops/loop.h"
#include "transform/lane.h"
#include "transform/masked.h"

namespace adjoint {

/// Which inputs of a loop's step (constants, carries, streams) and which of its outputs (next
/// carries, results) depend differentiably on operands of the loop. A carry is among both or among
/// neither: of a loop of no steps the last carry is the first.
struct LoopActivity {
  std::vector<bool> inputs;
  std::vector<bool> outputs;
};

/// By fixpoint over the carries. `operands`: which of the loop's operands are active.
LoopActivity loopActivity(const Tape& t, const Node& loop, const std::vector<bool>& operands);

/// Which nodes cotangents of `seeds` reach, going through active nodes alone.
std::vector<bool> reachedNodes(const Tape& t, const std::vector<bool>& active,
                               std::span<const NodeId> seeds);

/// A loop on the new tape together with its tangents.
struct PushedLoop {
  std::vector<NodeId> items;     ///< in place of the items of the loop
  std::vector<Masked> tangents;  ///< of each; absent where there is none
};

/// The loop whose step is the step's jvp: constants, carries, streams, next carries and results
/// each followed by the tangents of those that are active. Rows that one step hands through from a
/// carry stay that, and so do their tangents. `operands` are on the new tape.
PushedLoop pushLoop(Builder& builder, const Tape& t, const Node& loop,
                    std::span<const NodeId> operands, const std::vector<Masked>& tangents);

/// The pair of loops that stands for one whose cotangents are asked for (docs/design/0026): the
/// loop itself, which also gives the carries that each step began with, and a loop that reads them
/// backwards.
class LoopPull {
 public:
  /// Puts the first of the pair on the new tape. `operands` are on it; `active` says which of them
  /// are, `reached` which items may have a cotangent.
  LoopPull(Builder& builder, const Tape& t, const Node& loop, std::vector<NodeId> operands,
           const std::vector<bool>& active, const std::vector<bool>& reached);

  /// In place of an item of the loop.
  NodeId item(std::size_t position) const;

  /// Puts the second on the tape. Cotangents of the items -> of the operands.
  std::vector<Masked> pull(const std::vector<Masked>& bars) const;

 private:
  struct Reached {
    std::vector<std::size_t> carries, results, constants, streams;  ///< each counted by itself
  };
  Reached reach(const std::vector<bool>& active, const std::vector<bool>& items) const;
  TapePtr pulledStep() const;
  void makeReverse(const Tape& pulled);

  std::size_t carryInput(std::size_t k) const { return attributes_.constants + k; }
  std::size_t streamInput(std::size_t k) const {
    return attributes_.constants + attributes_.carries + k;
  }

  Builder& builder_;
  std::shared_ptr<const CustomRule> rule_;
  TapePtr step_;
  LoopAttributes attributes_;
  std::vector<NodeId> operands_;
  std::vector<NodeId> items_;
  Reached reached_;
  /// What the reverse step reads: inputs of the step.
  std::vector<std::size_t> constants_, stored_, streams_;
  std::shared_ptr<const CustomRule> reverse_;
  LoopAttributes reverseAttributes_;
};

/// What vmap makes of a loop of which some operand is batched.
struct BatchedLoop {
  std::vector<Lane> items;
  /// Of a loop whose lanes end at steps of their own: its number of steps, the largest of theirs.
  NodeId steps = kNoNode;
};

/// The loop over all lanes at once. `steps`: the largest number of steps, where the loop is counted
/// and the lanes' numbers differ; none: to be found.
BatchedLoop batchLoop(Builder& builder, const Tape& t, const Node& loop, std::int64_t lanes,
                      const std::vector<Lane>& operands, NodeId steps);

/// Which inputs outputs and checks depend on.
std::vector<bool> inputsRead(const Tape& t);

/// Adds the inputs `positions` of a step to another, under names with a prefix.
std::vector<NodeId> addInputs(Builder& builder, const Tape& step,
                              std::span<const std::size_t> positions, const std::string& prefix);

/// Moves in front of loops what is the same in all steps, slices and the like included where they
/// are smaller than what they are of. The loops of cotangents then sum those of what the steps
/// read.
TapePtr moveFixedOutside(const TapePtr& t);

/// A rule for a loop with this step.
std::shared_ptr<const CustomRule> stepRule(const CustomRule& like, TapePtr step);

}  // namespace adjoint

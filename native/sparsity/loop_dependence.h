#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "ops/loop.h"
#include "sparsity/assembly.h"
#include "sparsity/dependence.h"
#include "sparsity/derivative_calls.h"
#include "sparsity/interactions.h"

namespace adjoint {

class DependenceWalk;

/// What the items of a loop depend on, where its steps are not written out. The pattern of one step
/// is found once, and its rows are united step after step until the carries' sets stay the same.
/// Where that takes too long each element has, in all steps, what can reach it in any number of
/// them (by strongly connected components: R. E. Tarjan, Depth-first search and linear graph
/// algorithms, 1972), and rows of streams are not told apart.
class LoopDependence {
 public:
  /// `operands`: what they depend on. With `interactions` those within steps are found too.
  /// `budget`: numbers of sets that may be looked at, of all loops together.
  LoopDependence(const Tape& t, NodeId loop, std::span<const Dependence> operands, IndexSets& sets,
                 Interactions* interactions, std::int64_t& budget);
  ~LoopDependence();

  /// Whether it was made for operands of which the same depend on anything.
  bool fits(std::span<const Dependence> operands) const;

  /// By item. `steps`: how many are taken, where that is known. Interactions are those of the node
  /// `maker`.
  std::vector<Dependence> items(std::span<const Dependence> operands,
                                std::optional<std::int64_t> steps, NodeId maker);

 private:
  using Sets = BigVector<SetId>;

  /// An active input of the step: its elements are neighbors in `now_`.
  struct Input {
    std::size_t position;
    std::int64_t first, count;
  };
  /// A result, or a next carry, of the step: its elements are rows of the pattern.
  struct Output {
    std::int64_t firstRow = 0, count = 0;
  };

  void findPattern();
  void start();
  bool runSteps();
  void runClosed();
  void closeCarries();
  void addInteractions();

  /// All elements, one after another.
  Sets setsOf(const Dependence& from, std::int64_t count);
  bool moveStreams(std::int64_t row);
  SetId ofRow(std::int64_t row);
  /// What the step makes of `now_`: next carries, or a row of each result.
  Sets nextCarries();
  void putResults(std::int64_t row);
  void uniteInto(Sets& own, const Sets& other);

  std::span<const std::int32_t> columnsOf(std::int64_t row) const {
    const auto first = static_cast<std::size_t>(pattern_.rowIndex[static_cast<std::size_t>(row)]);
    const auto last =
        static_cast<std::size_t>(pattern_.rowIndex[static_cast<std::size_t>(row) + 1]);
    return std::span(pattern_.columnIndex).subspan(first, last - first);
  }
  bool isCarry(std::int64_t column) const { return column >= firstCarry_ && column < firstStream_; }

  const LoopAttributes attributes_;
  const TapePtr step_;
  IndexSets& sets_;
  Dependences dependences_;
  Interactions* interactions_;
  std::int64_t& budget_;

  std::vector<bool> isEmpty_;  ///< by operand
  std::vector<bool> active_;   ///< by input of the step
  std::vector<Input> constants_, carries_, streams_;
  std::vector<Output> outputs_;
  std::int64_t firstCarry_ = 0, firstStream_ = 0, columns_ = 0;
  std::vector<std::int64_t> carryRow_;  ///< by element of the active carries
  SparsePattern pattern_;
  bool isKnown_ = true;  ///< the pattern was not too large

  ExpandedTape expanded_;
  std::unique_ptr<DependenceWalk> walk_;  ///< of a step, for interactions
  std::int64_t walkCost_ = 0;

  // Of one call of `items`.
  std::optional<std::int64_t> steps_;
  NodeId maker_ = kNoNode;
  std::span<const Dependence> operands_;
  std::vector<Sets> streamSets_;  ///< by active stream
  Sets first_;                    ///< of the active carries
  Sets now_;                      ///< by column
  Sets last_;                     ///< of the active carries after the loop
  std::vector<Sets> results_;     ///< by result
  std::vector<SetId> ids_;
};

}  // namespace adjoint

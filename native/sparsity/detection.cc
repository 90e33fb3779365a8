#include "sparsity/detection.h"

#include <algorithm>

#include "sparsity/decisions.h"
#include "sparsity/dependence_walk.h"
#include "sparsity/partners.h"
#include "sparsity/pattern_rows.h"
#include "transform/rules.h"

namespace adjoint {

namespace {

/// Nonzeros of a dense line, where inputs (outputs) have at most so many elements.
std::int64_t leastDense(std::int64_t of) { return std::max<std::int64_t>(32, of / 2 + 1); }
static_assert(PatternRows::kShortRow < 32, "short rows are not looked at");

/// Dense lines, neighbors with one cause together.
class DenseLinesFound {
 public:
  struct Lines {
    bool areRows;
    std::int64_t first, count, nonzeros;
    NodeId by;
  };

  void add(const Lines& lines) {
    lines_ += lines.count;
    if (!all_.empty()) {
      Lines& last = all_.back();
      if (last.areRows == lines.areRows && last.by == lines.by &&
          last.first + last.count == lines.first) {
        last.count += lines.count;
        return;
      }
    }
    if (!isFull()) all_.push_back(lines);
  }
  bool isFull() const { return all_.size() >= kMost; }
  std::int64_t lines() const { return lines_; }

  std::vector<DenseLines> on(const ExpandedTape& expanded) const {
    std::vector<DenseLines> result;
    for (const Lines& lines : all_) {
      const Node& node = expanded.tape->node(lines.by);
      const NodeId loop = expanded.loopOf(lines.by);
      const auto [origin, stepOrigin] =
          loop == kNoNode ? std::pair(node.origin, kNoNode) : std::pair(loop, node.origin);
      result.push_back(
          {lines.areRows, lines.first, lines.count, lines.nonzeros, origin, stepOrigin, node.op});
    }
    return result;
  }

 private:
  static constexpr std::size_t kMost = 12;

  std::vector<Lines> all_;
  std::int64_t lines_ = 0;
};

class Detection {
 public:
  Detection(const TapePtr& t, std::span<const std::size_t> wrt, const DetectionOptions& options)
      : tape_(*t), wrt_(wrt), options_(options) {
    if (options.decisions != nullptr) readDecisions();
    const bool isHessian = options.of == PatternOf::Hessian;
    expanded_ = expandDerivatives(t, wrt, isHessian, decided(), options.loops.nodes);
    for (const std::size_t i : wrt) {
      const Port& port = tape_.inputs()[i];
      if (tape_.node(port.node).dtype == DType::Bool)
        throw Error(ErrorCode::NotDifferentiable, "input " + port.name + " is boolean");
      columns_ += tape_.count(port.node);
      largestInput_ = std::max(largestInput_, tape_.count(port.node));
    }
    for (const Port& port : tape_.outputs()) {
      rows_ += tape_.count(port.node);
      largestOutput_ = std::max(largestOutput_, tape_.count(port.node));
    }
  }

  DetectedPattern run() {
    IndexSets sets(columns_);
    Interactions interactions;
    const bool isHessian = options_.of == PatternOf::Hessian;
    std::int64_t budget = options_.loops.sets;
    DependenceWalk walk(expanded_, sets, decided(), isHessian ? &interactions : nullptr, budget);
    walk.run(inputs(), [](NodeId, const Dependence&) {});
    if (isHessian) {
      hessianRows(sets, interactions);
    } else {
      jacobianRows(sets, walk);
    }
    result_.dense = dense_.on(expanded_);
    return std::move(result_);
  }

 private:
  void readDecisions() {
    Constants constants(tape_);
    decisions_ = decisionsOf(tape_, activeNodes(tape_, wrt_), constants);
    const auto& values = *options_.decisions;
    bool fits = values.size() == decisions_.size();
    for (std::size_t i = 0; fits && i < values.size(); ++i) {
      const auto operands = tape_.operands(tape_.node(decisions_[i].node));
      fits = static_cast<std::int64_t>(values[i].size()) ==
             tape_.count(operands[decisions_[i].operand]);
    }
    if (!fits) throw Error(ErrorCode::Shape, "the decisions are not those of the function");
    decided_ = {decisions_, values};
  }
  const DecisionValues* decided() const { return options_.decisions ? &decided_ : nullptr; }

  /// Each element of the inputs is a column.
  std::vector<Dependence> inputs() const {
    std::vector<Dependence> result(tape_.inputs().size());
    SetId next = 1;
    for (const std::size_t i : wrt_) {
      BigVector<SetId> sets(static_cast<std::size_t>(tape_.count(tape_.inputs()[i].node)));
      for (SetId& id : sets) id = next++;
      result[i] = Dependences::of(std::move(sets));
    }
    return result;
  }

  void jacobianRows(const IndexSets& sets, const DependenceWalk& walk) {
    PatternRows rows(sets, rows_, options_.maxNonzeros);
    if (sets.unions() > 0) rows.expect(leastNonzeros(sets, walk));
    rows.reserve(expectedNonzeros(walk));
    const std::int64_t least = leastDense(largestInput_);
    std::vector<SetId> ids;
    std::vector<const SetId*> layers;
    std::int64_t row = 0;
    for (std::size_t o = 0; o < tape_.outputs().size(); ++o) {
      const NodeId output = expanded_.tape->outputs()[o].node;
      const Dependence& found = walk.of(output);
      const std::int64_t count = expanded_.tape->count(output);
      layers.clear();
      for (const Layer& layer : found.layers) layers.push_back(layer->data());
      for (std::int64_t i = 0; i < count; ++i, ++row) {
        if (found.common == kEmptySet) {
          const std::int64_t added = rows.addShort(layers, i, count);
          row += added;
          i += added;
          if (i == count) break;
        }
        ids.clear();
        found.setsOf(static_cast<std::size_t>(i), ids);
        const std::int64_t nonzeros = rows.add(ids);
        if (nonzeros < least) continue;
        NodeId by = output;
        for (const SetId id : ids) {
          if (const NodeId maker = sets.madeBy(id, least); maker != kNoNode) by = maker;
        }
        dense_.add({true, row, 1, nonzeros, by});
      }
    }
    result_.pattern = std::move(rows).finish();
    // Where most rows are dense, it is they that are to be looked at.
    if (2 * dense_.lines() <= rows_) addDenseColumns();
  }

  static std::int64_t leastOf(const IndexSets& sets, std::span<const SetId> ids) {
    std::int64_t least = 0;
    for (const SetId id : ids) least = std::max<std::int64_t>(least, sets.atLeast(id));
    return least;
  }

  std::int64_t leastNonzeros(const IndexSets& sets, const DependenceWalk& walk) const {
    std::int64_t result = 0;
    std::vector<SetId> ids;
    for (const Port& port : expanded_.tape->outputs()) {
      const std::int64_t count = expanded_.tape->count(port.node);
      for (std::int64_t i = 0; i < count; ++i) {
        ids.clear();
        walk.of(port.node).setsOf(static_cast<std::size_t>(i), ids);
        result += leastOf(sets, ids);
      }
    }
    return result;
  }

  std::int64_t expectedNonzeros(const DependenceWalk& walk) const {
    std::int64_t result = 0;
    for (const Port& port : expanded_.tape->outputs()) {
      const Dependence& found = walk.of(port.node);
      const std::size_t sets = found.layers.size() + (found.common != kEmptySet ? 1 : 0);
      result += static_cast<std::int64_t>(sets) * expanded_.tape->count(port.node);
    }
    return result;
  }

  void addDenseColumns() {
    const std::int64_t least = leastDense(largestOutput_);
    std::vector<std::int32_t> nonzeros(static_cast<std::size_t>(columns_), 0);
    for (const std::int32_t column : result_.pattern.columnIndex)
      ++nonzeros[static_cast<std::size_t>(column)];
    forDenseRuns(nonzeros, least, [&](std::int64_t column, std::int64_t count) {
      const NodeId by = spreadBy(column, least);
      dense_.add({false, column, count, nonzeros[static_cast<std::size_t>(column)], by});
    });
  }

  /// Calls `run(first, count)` for neighboring lines, of one input, that are dense.
  template <class Run>
  void forDenseRuns(std::span<const std::int32_t> nonzeros, std::int64_t least, Run run) {
    std::int64_t line = 0;
    for (const std::size_t input : wrt_) {
      const std::int64_t end = line + tape_.count(tape_.inputs()[input].node);
      while (line < end && !dense_.isFull()) {
        const std::int64_t first = line;
        while (line < end && nonzeros[static_cast<std::size_t>(line)] >= least) ++line;
        if (line > first) run(first, line - first);
        if (line == first) ++line;
      }
      line = end;
    }
  }

  /// The first node of which so many elements depend on this column, or the one with most.
  NodeId spreadBy(std::int64_t column, std::int64_t least) const {
    IndexSets one(1);
    std::vector<Dependence> seeds(tape_.inputs().size());
    std::int64_t start = 0;
    for (const std::size_t i : wrt_) {
      const std::int64_t count = tape_.count(tape_.inputs()[i].node);
      if (column >= start && column < start + count) {
        BigVector<SetId> sets(static_cast<std::size_t>(count), kEmptySet);
        sets[static_cast<std::size_t>(column - start)] = one.single(0);
        seeds[i] = Dependences::of(std::move(sets));
      }
      start += count;
    }
    NodeId result = kNoNode;
    std::int64_t most = 0;
    std::int64_t budget = options_.loops.sets;
    DependenceWalk walk(expanded_, one, decided(), nullptr, budget);
    walk.run(seeds, [&](NodeId id, const Dependence& found) {
      if (most >= least) return;
      std::int64_t reached = 0;
      if (found.common != kEmptySet) {
        reached = expanded_.tape->count(id);
      } else if (!found.layers.empty()) {
        for (std::size_t i = 0; i < found.layers[0]->size(); ++i)
          reached += std::ranges::any_of(found.layers,
                                         [&](const Layer& l) { return (*l)[i] != kEmptySet; });
      }
      if (reached <= most) return;
      most = reached;
      result = id;
    });
    return result;
  }

  void hessianRows(const IndexSets& sets, const Interactions& interactions) {
    PatternRows rows(sets, columns_, options_.maxNonzeros);
    std::vector<std::int32_t> nonzeros;
    const Partners partners(sets, interactions, options_.maxNonzeros);
    std::int64_t least = 0;
    for (std::int64_t row = 0; row < columns_; ++row) least += leastOf(sets, partners.of(row));
    rows.expect(least);
    std::vector<SetId> ids;
    for (std::int64_t row = 0; row < columns_; ++row) {
      const auto own = partners.of(row);
      ids.assign(own.begin(), own.end());
      nonzeros.push_back(static_cast<std::int32_t>(rows.add(ids)));
    }
    result_.pattern = std::move(rows).finish();
    const std::int64_t dense = leastDense(largestInput_);
    forDenseRuns(nonzeros, dense, [&](std::int64_t row, std::int64_t count) {
      const NodeId by = madeToInteractBy(sets, interactions, row, dense);
      dense_.add({true, row, count, nonzeros[static_cast<std::size_t>(row)], by});
    });
  }

  const Tape& tape_;
  std::span<const std::size_t> wrt_;
  const DetectionOptions& options_;
  ExpandedTape expanded_;
  std::vector<Decision> decisions_;
  DecisionValues decided_;
  std::int64_t rows_ = 0, columns_ = 0, largestInput_ = 0, largestOutput_ = 0;
  DenseLinesFound dense_;
  DetectedPattern result_;
};

}  // namespace

DetectedPattern detectPattern(const TapePtr& t, std::span<const std::size_t> wrt,
                              const DetectionOptions& options) {
  return Detection(t, wrt, options).run();
}

}  // namespace adjoint

#include "sparsity/sparse_derivative.h"

#include <algorithm>
#include <string>

#include "sparsity/arrangement.h"
#include "sparsity/compressed.h"

namespace adjoint {

namespace {

using coloring::AdjacencyGraph;
using coloring::Bicoloring;
using coloring::BipartiteGraph;
using coloring::Choice;
using coloring::Index;
using coloring::Method;
using coloring::Order;
using coloring::Pattern;

/// Orders are tried that look at up to so many nonzeros, or pairs of them in one row or column.
constexpr std::int64_t kFewPairs = 1 << 23;
/// Dense blocks of more entries are not made before other ways were looked at.
constexpr std::int64_t kManyEntries = std::int64_t{1} << 22;
/// Instances of so many inputs each may have entries that others have not.
constexpr std::int64_t kManyInputs = 32;
/// Nonzeros that are detected, unless more are allowed or fewer.
constexpr std::int64_t kDetected = std::int64_t{1} << 27;
/// Estimated operations of reading an entry, as those of a gather.
constexpr double kReading = 0.25;

[[noreturn]] void failArgument(const char* text) { throw Error(ErrorCode::Argument, text); }

/// Estimated operations of the function that is differentiated, and of a lane of each mode.
struct LaneCosts {
  LaneCosts(const TapePtr& function, std::span<const std::size_t> wrt)
      : primal(estimateCost(*function)),
        forward(std::max(1.0, estimateCost(*jvp(function, wrt)) - primal)),
        reverse(std::max(1.0, estimateCost(*vjp(function, wrt)) - primal)) {}

  double primal, forward, reverse;
};

/// Nonzeros of the lines of a pattern.
struct Lengths {
  explicit Lengths(const Pattern& lines) {
    for (Index i = 0; i < lines.rows(); ++i) {
      const auto length = static_cast<Index>(lines.row(i).size());
      longest = std::max(longest, length);
      pairs += std::int64_t{length} * length;
    }
  }

  Index longest = 0;
  std::int64_t pairs = 0;  ///< of nonzeros in one line
};

struct Candidate {
  SparseWay way;
  Bicoloring colors;
};

/// The pattern as the graph that is colored, and derivatives by its colorings.
class Colorer {
 public:
  Colorer(const TapePtr& t, std::span<const std::size_t> wrt, const SparseOptions& options,
          Pattern pattern)
      : tape_(t), wrt_(wrt), options_(options) {
    if (options.of == PatternOf::Hessian) {
      symmetric_.emplace(std::move(pattern));
    } else {
      rectangular_.emplace(std::move(pattern));
      byColumn_ = Lengths(rectangular_->byColumn());
    }
    byRow_ = Lengths(this->pattern());
  }

  /// Whether the matrix has no zeros, which no coloring makes use of.
  bool isComplete() const {
    return pattern().nonzeros() == std::int64_t{pattern().rows()} * pattern().columns();
  }
  /// Whether it takes as many lanes as a dense matrix.
  bool isIdle(const Candidate& candidate) const {
    return candidate.way.columnColors >= pattern().columns() ||
           candidate.way.rowColors >= pattern().rows();
  }

  /// The cheapest first, without those that are known beforehand to take as much as `below`.
  std::vector<Candidate> candidates(const LaneCosts& costs,
                                    double below = std::numeric_limits<double>::infinity()) const {
    std::vector<Candidate> result;
    Index least = std::numeric_limits<Index>::max();
    for (const Method method : methods()) {
      const bool isChosen = options_.coloring.has_value();
      if (costs.primal + leastCost(method, costs) >= below) continue;
      // Both sides have a color at least, and two sweeps.
      if (!isChosen && method == Method::RowsAndColumns && least <= 2) continue;
      Candidate candidate = fewest(method);
      SparseWay& way = candidate.way;
      const bool isMixed = way.columnColors > 0 && way.rowColors > 0;
      if (!isChosen && method == Method::RowsAndColumns && !isMixed) continue;
      least = std::min(least, way.columnColors + way.rowColors);
      way.isTooLarge = way.columnColors + way.rowColors > options_.maxColors;
      way.cost = costs.primal + way.columnColors * costs.forward + way.rowColors * costs.reverse +
                 kReading * pattern().nonzeros();
      result.push_back(std::move(candidate));
    }
    std::ranges::stable_sort(result, {}, [](const Candidate& c) { return c.way.cost; });
    return result;
  }

  /// The derivative by a coloring, with this as its only way; none where it is over a limit.
  std::optional<SparseDerivative> make(Candidate& candidate) const {
    if (candidate.way.isTooLarge) return {};
    auto [places, entries] = arranged(pattern(), options_.format, options_.triangle);
    SparseDerivative result;
    try {
      result.tape =
          rectangular_ ? compressedJacobian(tape_, wrt_, *rectangular_, candidate.colors, entries,
                                            options_.withValues)
                       : compressedHessian(tape_, wrt_, *symmetric_, candidate.way.coloring->method,
                                           candidate.colors.columns, entries, options_.withValues);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::Limit) throw;
      candidate.way.isTooLarge = true;
      return {};
    }
    result.pattern = std::move(places);
    result.ways.push_back(candidate.way);
    result.colors = std::move(candidate.colors);
    return result;
  }

 private:
  const Pattern& pattern() const {
    return symmetric_ ? symmetric_->pattern() : rectangular_->byRow();
  }

  std::vector<Method> methods() const {
    if (options_.coloring) return {*options_.coloring};
    if (symmetric_) return {Method::Star};
    if (options_.mode == JacobianMode::Forward) return {Method::Columns};
    if (options_.mode == JacobianMode::Reverse) return {Method::Rows};
    return {Method::Columns, Method::Rows, Method::RowsAndColumns};
  }

  /// Each nonzero of a row has a color of its own where columns are colored.
  Index leastColors(Method method) const {
    if (method == Method::Columns || method == Method::DistanceTwo) return byRow_.longest;
    return method == Method::Rows ? byColumn_.longest : 0;
  }
  double leastCost(Method method, const LaneCosts& costs) const {
    return leastColors(method) * (method == Method::Rows ? costs.reverse : costs.forward);
  }
  /// What an ordering other than the natural one looks at.
  std::int64_t pairs(Method method) const {
    if (method == Method::Rows) return byColumn_.pairs;
    if (method == Method::RowsAndColumns) return byRow_.pairs + byColumn_.pairs;
    const bool isAtDistanceOne = method == Method::Star || method == Method::Acyclic;
    return isAtDistanceOne ? pattern().nonzeros() : byRow_.pairs;
  }

  /// In the order that takes fewest colors.
  Candidate fewest(Method method) const {
    std::vector<Order> orders = {Order::Natural, Order::SmallestLast};
    if (options_.order) orders = {*options_.order};
    if (pairs(method) > kFewPairs) orders.resize(1);
    Candidate best;
    for (const Order order : orders) {
      if (best.way.coloring && best.colors.count() == leastColors(method)) break;
      const Choice choice{method, order, options_.seed};
      Bicoloring colors = colored(choice);
      if (best.way.coloring && best.colors.count() <= colors.count()) continue;
      best.way.coloring = choice;
      best.colors = std::move(colors);
    }
    best.way.columnColors = best.colors.columns.count;
    best.way.rowColors = best.colors.rows.count;
    return best;
  }

  Bicoloring colored(const Choice& choice) const {
    if (rectangular_) return coloring::color(*rectangular_, choice);
    Bicoloring result;
    result.columns = coloring::color(*symmetric_, choice);
    if (choice.method != Method::DistanceTwo)
      coloring::dropNeedlessColors(*symmetric_, result.columns);
    return result;
  }

  const TapePtr& tape_;
  std::span<const std::size_t> wrt_;
  const SparseOptions& options_;
  std::optional<BipartiteGraph> rectangular_;
  std::optional<AdjacencyGraph> symmetric_;
  Lengths byRow_{Pattern()}, byColumn_{Pattern()};
};

class Choosing {
 public:
  Choosing(const TapePtr& t, std::span<const std::size_t> wrt, const SparseOptions& options)
      : tape_(t), wrt_(wrt), options_(options), isHessian_(options.of == PatternOf::Hessian) {
    checkOptions();
    function_ = isHessian_ ? gradient(tape_, wrt_) : tape_;
  }

  SparseDerivative run() {
    SparseDerivative result = derivative();
    result.function = function_;
    return result;
  }

 private:
  SparseDerivative derivative() const {
    const bool isByColors = options_.method == SparseMethod::Coloring || options_.pattern;
    if (isByColors) return byColors();
    if (options_.method == SparseMethod::Instances || !mayBeColored())
      return byInstances(options_.maxNonzeros);
    return compared();
  }

  void checkOptions() const {
    const auto& coloring = options_.coloring;
    const JacobianMode mode = options_.mode;
    const bool hasPattern = options_.pattern != nullptr;
    const bool isByColors = hasPattern || options_.method == SparseMethod::Coloring;
    if (options_.method == SparseMethod::Instances && (coloring || options_.order || hasPattern))
      failArgument("a coloring and a pattern are not for the method \"instances\"");
    if (coloring && isHessian_ != isSymmetric(*coloring))
      failArgument(isHessian_ ? "the coloring is not one of Hessians"
                              : "the coloring is not one of Jacobians");
    if (isHessian_ && mode == JacobianMode::Reverse && isByColors)
      failArgument("Hessians by coloring are forward over reverse");
    if (coloring && !isHessian_ && mode != JacobianMode::Auto &&
        *coloring != (mode == JacobianMode::Forward ? Method::Columns : Method::Rows))
      failArgument("forward is by colors of columns, reverse by colors of rows");
    if (!isHessian_ && options_.triangle != Triangle::Full)
      failArgument("a Jacobian has no triangles");
  }

  bool mayBeColored() const { return !(isHessian_ && options_.mode == JacobianMode::Reverse); }

  SparseDerivative byInstances(std::int64_t maxDenseEntries) const {
    BlockOptions options;
    options.mode = options_.mode;
    options.format = options_.format;
    options.triangle = options_.triangle;
    options.maxEntries = options_.maxNonzeros;
    options.maxDenseEntries = maxDenseEntries;
    BlockJacobian found = blockJacobian(function_, wrt_, options);
    SparseDerivative result;
    result.tape = std::move(found.tape);
    if (options_.withValues)
      result.tape = joinedOutputs(isHessian_ ? valueAndGrad(tape_, wrt_) : tape_, result.tape);
    result.pattern = std::move(found.pattern);
    result.blocks = std::move(found.blocks);
    return result;
  }

  Pattern pattern() const {
    if (options_.pattern != nullptr) {
      if (options_.pattern->nonzeros() > options_.maxNonzeros)
        throw Error(ErrorCode::Limit,
                    "a pattern of " + std::to_string(options_.pattern->nonzeros()) +
                        " nonzeros, more than " + std::to_string(options_.maxNonzeros));
      return *options_.pattern;
    }
    DetectionOptions options;
    options.of = options_.of;
    options.maxNonzeros = std::min(options_.maxNonzeros, kDetected);
    SparsePattern found = detectPattern(tape_, wrt_, options).pattern;
    return {found.rows, found.columns, std::move(found.rowIndex), std::move(found.columnIndex)};
  }

  SparseDerivative byColors() const {
    const Colorer colorer(tape_, wrt_, options_, pattern());
    std::vector<Candidate> candidates = colorer.candidates(LaneCosts(function_, wrt_));
    if (auto result = cheapest(colorer, candidates)) return std::move(*result);
    failLimit(candidates);
  }

  /// The first that can be made, if it is below this cost, as a tape too; its ways are all of
  /// these.
  static std::optional<SparseDerivative> cheapest(
      const Colorer& colorer, std::vector<Candidate>& candidates,
      double below = std::numeric_limits<double>::infinity()) {
    for (Candidate& candidate : candidates) {
      if (candidate.way.cost >= below) break;
      std::optional<SparseDerivative> result = colorer.make(candidate);
      if (!result || estimateCost(*result->tape) >= below) continue;
      for (const Candidate& other : candidates) {
        if (&other != &candidate) result->ways.push_back(other.way);
      }
      return result;
    }
    return {};
  }

  [[noreturn]] void failLimit(const std::vector<Candidate>& candidates) const {
    Index fewest = std::numeric_limits<Index>::max();
    for (const auto& [way, colors] : candidates) fewest = std::min(fewest, colors.count());
    const std::string colors = std::to_string(fewest) + " colors";
    throw Error(ErrorCode::Limit,
                fewest > options_.maxColors
                    ? "it takes " + colors + ", more than " + std::to_string(options_.maxColors)
                    : "the matrix compressed to " + colors + " is too large");
  }

  static bool isSuspect(const SparseDerivative& instances) {
    return std::ranges::any_of(instances.blocks, [](const JacobianBlock& block) {
      return block.denseBy != kNoNode || block.inputs >= kManyInputs;
    });
  }

  /// Instances, unless they are dense or large and colors cheaper.
  SparseDerivative compared() const {
    std::optional<SparseDerivative> instances =
        unlessLimit([&] { return byInstances(kManyEntries); });
    if (instances && !isSuspect(*instances)) return std::move(*instances);
    const LaneCosts costs(function_, wrt_);
    SparseWay way;
    way.cost = instances ? estimateCost(*instances->tape) : denseCost(costs);
    way.isTooLarge = !instances;
    const std::optional<Colorer> colorer =
        unlessLimit([&] { return Colorer(tape_, wrt_, options_, pattern()); });
    std::vector<Candidate> candidates;
    if (colorer && !colorer->isComplete()) {
      candidates = colorer->candidates(costs, way.cost);
      std::erase_if(candidates, [&](const Candidate& c) { return colorer->isIdle(c); });
    }
    std::optional<SparseDerivative> colored;
    if (colorer) colored = cheapest(*colorer, candidates, way.cost);
    if (!colored && !instances) {
      instances = unlessLimit([&] { return byInstances(options_.maxNonzeros); });
      if (!instances) return byColors();
      way.cost = estimateCost(*instances->tape);
      way.isTooLarge = false;
    }
    if (colored) {
      colored->ways.push_back(way);
      return std::move(*colored);
    }
    if (candidates.empty()) return std::move(*instances);
    instances->ways.push_back(way);
    for (const Candidate& candidate : candidates) instances->ways.push_back(candidate.way);
    return std::move(*instances);
  }

  template <class Make>
  static auto unlessLimit(Make make) -> std::optional<decltype(make())> {
    try {
      return make();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::Limit) throw;
      return {};
    }
  }

  /// What all of the matrix takes, in the cheaper mode.
  double denseCost(const LaneCosts& costs) const {
    double columns = 0, rows = 0;
    for (const std::size_t i : wrt_)
      columns += static_cast<double>(function_->count(function_->inputs()[i].node));
    for (const Port& port : function_->outputs())
      rows += static_cast<double>(function_->count(port.node));
    const double forward = costs.primal + columns * costs.forward;
    const double reverse = costs.primal + rows * costs.reverse;
    return options_.mode == JacobianMode::Forward   ? forward
           : options_.mode == JacobianMode::Reverse ? reverse
                                                    : std::min(forward, reverse);
  }

  const TapePtr& tape_;
  std::span<const std::size_t> wrt_;
  const SparseOptions& options_;
  bool isHessian_;
  TapePtr function_;  ///< whose Jacobian it is
};

}  // namespace

SparseDerivative sparseDerivative(const TapePtr& t, std::span<const std::size_t> wrt,
                                  const SparseOptions& options) {
  return Choosing(t, wrt, options).run();
}

}  // namespace adjoint

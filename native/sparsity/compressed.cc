#include "sparsity/compressed.h"

#include <algorithm>
#include <string>

#include "coloring/recovery.h"
#include "ops/build.h"
#include "sparsity/substitution.h"
#include "transform/lane.h"

namespace adjoint {

namespace {

using coloring::Coloring;
using coloring::Index;
using Positions = std::vector<std::size_t>;

std::int64_t countOf(const Tape& t, const std::vector<Port>& ports) {
  std::int64_t count = 0;
  for (const Port& port : ports) count += t.count(port.node);
  return count;
}

std::vector<Port> portsAt(const Tape& t, std::span<const std::size_t> wrt) {
  std::vector<Port> ports;
  for (const std::size_t i : wrt) ports.push_back(t.inputs()[i]);
  return ports;
}

void checkSize(const char* lines, std::int64_t wanted, std::int64_t given) {
  if (wanted == given) return;
  throw Error(ErrorCode::Shape, "expected a pattern of " + std::to_string(wanted) + " " + lines +
                                    ", got " + std::to_string(given));
}

/// Sweeps over a function on a tape that they share.
class Sweeps {
 public:
  explicit Sweeps(const Tape& inputs) {
    for (const Port& port : inputs.inputs())
      inputs_.push_back(
          builder_.input(port.name, inputs.shape(port.node), inputs.node(port.node).dtype));
  }

  /// The function's own outputs, to come first.
  void keepOutputs(const TapePtr& t) {
    const std::vector<NodeId> values = inlineTape(builder_, *t, inputs_, true);
    for (std::size_t i = 0; i < values.size(); ++i)
      outputs_.push_back({t->outputs()[i].name, values[i]});
  }

  void forward(const TapePtr& t, std::span<const std::size_t> wrt, const Coloring& columns) {
    sweep(t, jvp(t, wrt), portsAt(*t, wrt), columns);
  }
  void reverse(const TapePtr& t, std::span<const std::size_t> wrt, const Coloring& rows) {
    sweep(t, vjp(t, wrt), t->outputs(), rows);
  }
  /// What the sweeps gave, one after another: of each the elements of a port for all colors, port
  /// by port. `source`: places in compressed matrices, color by color, which become places in it.
  Expr compressed(std::vector<Index>& source) {
    for (Index& place : source) {
      const auto sweep = std::ranges::upper_bound(sweeps_, place, {}, &Sweep::begin) - 1;
      const Index color = (place - sweep->begin) / sweep->length;
      const Index element = (place - sweep->begin) % sweep->length;
      const auto part = std::ranges::upper_bound(sweep->parts, element) - 1;
      const Index size = *(part + 1) - *part;
      place = sweep->begin + sweep->colors * *part + color * size + (element - *part);
    }
    return parts_.size() == 1 ? parts_[0] : ex::concat(parts_, 0);
  }

  Expr read(Expr compressed, const std::vector<Index>& source, std::span<const Index> entries) {
    std::vector<double> places;
    places.reserve(entries.size());
    for (const Index entry : entries) places.push_back(source[static_cast<std::size_t>(entry)]);
    const auto count = static_cast<std::int64_t>(places.size());
    return ex::gather(compressed, {&builder_, builder_.data(std::move(places), {count})}, 0);
  }

  TapePtr finish(Expr values) {
    outputs_.push_back({"values", values.id});
    return builder_.finish(std::move(outputs_));
  }
  Expr none() { return {&builder_, builder_.constant(0, {0})}; }

 private:
  /// Of each element of a port whether it has the color of the lane.
  Expr seeds(const Shape& shape, const Coloring& coloring, std::int64_t first) {
    const auto begin = coloring.colors.begin() + first;
    const std::vector<double> colors(begin, begin + elementCount(shape));
    return laneSeeds(builder_, shape, coloring.count, colors);
  }

  void sweep(const TapePtr& t, const TapePtr& derivative, const std::vector<Port>& seeded,
             const Coloring& coloring) {
    Positions wanted;
    for (std::size_t i = t->outputs().size(); i < derivative->outputs().size(); ++i)
      wanted.push_back(i);
    std::vector<bool> batched(t->inputs().size(), false);
    batched.resize(derivative->inputs().size(), true);
    const TapePtr lanes = vmap(selectOutputs(derivative, wanted), coloring.count, batched);
    std::vector<NodeId> arguments = inputs_;
    std::int64_t first = 0;
    for (const Port& port : seeded) {
      arguments.push_back(seeds(t->shape(port.node), coloring, first).id);
      first += t->count(port.node);
    }
    Sweep own{sweeps_.empty() ? 0 : sweeps_.back().end(), 0, coloring.count, {0}};
    for (const NodeId id : inlineTape(builder_, *lanes, arguments, true)) {
      const std::int64_t count = elementCount(builder_.shape(id));
      if (count == 0) continue;
      parts_.push_back(ex::reshape({&builder_, id}, {count}));
      own.length += static_cast<Index>(count / coloring.count);
      own.parts.push_back(own.length);
    }
    sweeps_.push_back(std::move(own));
  }

  struct Sweep {
    Index begin;   ///< in the compressed elements
    Index length;  ///< elements for each color
    Index colors;
    std::vector<Index> parts;  ///< where each port's elements begin, and the length
    Index end() const { return begin + colors * length; }
  };

  Builder builder_;
  std::vector<NodeId> inputs_;
  std::vector<Port> outputs_;
  std::vector<Sweep> sweeps_;
  std::vector<Expr> parts_;
};

}  // namespace

TapePtr compressedJacobian(const TapePtr& t, std::span<const std::size_t> wrt,
                           const coloring::BipartiteGraph& graph,
                           const coloring::Bicoloring& colors, std::span<const Index> entries,
                           bool withValues) {
  checkSize("rows", countOf(*t, t->outputs()), graph.byRow().rows());
  checkSize("columns", countOf(*t, portsAt(*t, wrt)), graph.byColumn().rows());
  coloring::DirectPlan plan = coloring::bicoloringPlan(graph, colors);
  Sweeps sweeps(*t);
  if (withValues) sweeps.keepOutputs(t);
  if (entries.empty()) return sweeps.finish(sweeps.none());
  if (colors.columns.count > 0) sweeps.forward(t, wrt, colors.columns);
  if (colors.rows.count > 0) sweeps.reverse(t, wrt, colors.rows);
  const Expr compressed = sweeps.compressed(plan.source);
  return sweeps.finish(sweeps.read(compressed, plan.source, entries));
}

TapePtr compressedHessian(const TapePtr& t, std::span<const std::size_t> wrt,
                          const coloring::AdjacencyGraph& graph, coloring::Method method,
                          const Coloring& colors, std::span<const Index> entries, bool withValues) {
  checkSize("rows and columns", countOf(*t, portsAt(*t, wrt)), graph.vertices());
  Sweeps sweeps(*t);
  if (withValues) sweeps.keepOutputs(valueAndGrad(t, wrt));
  if (method == coloring::Method::Acyclic) {
    coloring::SubstitutionPlan plan = coloring::substitutionPlan(graph, colors);
    if (entries.empty()) return sweeps.finish(sweeps.none());
    sweeps.forward(gradient(t, wrt), wrt, colors);
    const Expr compressed = sweeps.compressed(plan.source);
    return sweeps.finish(substituted(plan, compressed, entries));
  }
  coloring::DirectPlan plan = coloring::starPlan(graph, colors);
  if (entries.empty()) return sweeps.finish(sweeps.none());
  sweeps.forward(gradient(t, wrt), wrt, colors);
  const Expr compressed = sweeps.compressed(plan.source);
  return sweeps.finish(sweeps.read(compressed, plan.source, entries));
}

TapePtr joinedOutputs(const TapePtr& first, const TapePtr& second) {
  Builder builder;
  std::vector<NodeId> inputs;
  for (const Port& port : first->inputs())
    inputs.push_back(
        builder.input(port.name, first->shape(port.node), first->node(port.node).dtype));
  std::vector<Port> outputs;
  for (const TapePtr& tape : {first, second}) {
    const std::vector<NodeId> values = inlineTape(builder, *tape, inputs, true);
    for (std::size_t i = 0; i < values.size(); ++i)
      outputs.push_back({tape->outputs()[i].name, values[i]});
  }
  return builder.finish(std::move(outputs));
}

}  // namespace adjoint

#include "sparsity/dependence_walk.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "ops/row.h"
#include "sparsity/row_structure.h"
#include "transform/rules.h"

namespace adjoint {

namespace {

/// Layers of an operand of a nonlinear operation beyond which they are made one: pairs of layers
/// are visited.
constexpr std::size_t kMostInteractingLayers = 6;

/// Whether a node multiplies what it depends on by what an operand depends on, or bends it.
bool interacts(const Tape& t, const Node& node, NodeId operand) {
  // Steps are not looked into.
  if (opOf(node) == Op::Loop) return true;
  switch (rowOf(node).family) {
    case Family::Elementwise: {
      const RowStructure& structure = structureOf(opOf(node));
      const auto operands = t.operands(node);
      for (std::size_t k = 0; k < operands.size(); ++k) {
        if (operands[k] == operand &&
            std::ranges::find(structure.interacts[k], true) != structure.interacts[k].end())
          return true;
      }
      return false;
    }
    case Family::Bilinear:
    case Family::Recurrence:
      return true;
    default:
      return false;
  }
}

/// Nodes that interactions are in, or in what they depend on.
std::vector<bool> nonlinearNodes(const Tape& t) {
  std::vector<bool> result(t.size(), false);
  for (NodeId id = 0; id < t.size(); ++id) {
    const Node& node = t.node(id);
    result[id] = std::ranges::any_of(differentiableOperands(t, node), [&](NodeId operand) {
      return result[operand] || interacts(t, node, operand);
    });
  }
  return result;
}

bool isZero(double x) { return x == 0; }

}  // namespace

DependenceWalk::DependenceWalk(const ExpandedTape& expanded, IndexSets& sets,
                               const DecisionValues* decided, Interactions* interactions,
                               std::int64_t& loopBudget)
    : tape_(*expanded.tape),
      sets_(sets),
      dependences_(sets),
      choices_(expanded, decided),
      interactions_(interactions),
      found_(tape_.size()),
      isVisited_(tape_.size(), false),
      uses_(tape_.size(), 0),
      loopBudget_(loopBudget) {
  plan();
  if (interactions != nullptr) live_.emplace(tape_, choices_, nonlinearNodes(tape_));
}

void DependenceWalk::plan() {
  std::vector<bool> reaches(tape_.size(), false), isWanted(tape_.size(), false);
  const bool wantsOutputs = interactions_ == nullptr;
  for (const Port& port : tape_.outputs()) {
    reaches[port.node] = true;
    isWanted[port.node] = wantsOutputs;
    uses_[port.node] = wantsOutputs;
  }
  for (std::size_t i = tape_.size(); i-- > 0;) {
    if (!reaches[i]) continue;
    const Node& node = tape_.node(static_cast<NodeId>(i));
    isVisited_[i] = isWanted[i];
    for (const NodeId operand : differentiableOperands(tape_, node)) {
      reaches[operand] = true;
      const bool doesInteract = !wantsOutputs && interacts(tape_, node, operand);
      if (isWanted[i] || doesInteract) isWanted[operand] = true;
      if (doesInteract) isVisited_[i] = true;
    }
    if (!isVisited_[i]) continue;
    for (const NodeId operand : tape_.operands(node)) ++uses_[operand];
  }
}

void DependenceWalk::release(NodeId id) {
  if (left_[id] == 0 || --left_[id] > 0) return;
  found_[id] = {};
  items_.erase(id);
}

Dependence DependenceWalk::liveOf(const Dependence& from, const LiveElements& live) {
  if (!live) return from;
  Dependence result;
  const auto isLive = [&](std::size_t i) { return (*live)[i] != 0; };
  if (from.common != kEmptySet)
    result = dependences_.masked({from.common, {}}, live->size(), isLive);
  for (const Layer& layer : from.layers) {
    Layer& known = liveLayers_[{layer, live}];
    if (!known) {
      BigVector<SetId> sets(layer->size());
      for (std::size_t i = 0; i < sets.size(); ++i) sets[i] = isLive(i) ? (*layer)[i] : kEmptySet;
      known = std::make_shared<const BigVector<SetId>>(std::move(sets));
    }
    result.layers.push_back(known);
  }
  return result;
}

Dependence DependenceWalk::ofNode(NodeId id, const Node& node) {
  if (opOf(node) == Op::Item) return item(node);
  const auto operands = differentiableOperands(tape_, node);
  if (std::ranges::all_of(operands, [&](NodeId o) { return found_[o].isEmpty(); })) return {};
  switch (opOf(node)) {
    case Op::Where:
      return choice(id, node);
    case Op::Reshape:
      return found_[node.operand[0]];
    case Op::Transpose:
    case Op::BroadcastTo:
    case Op::Slice:
    case Op::Place:
    case Op::Flip:
    case Op::Concat:
      return movement(node);
    case Op::Gather:
      return gather(id, node);
    case Op::ScatterSum:
      return scatter(id, node);
    case Op::Sum:
      return reduction(id, node, false);
    case Op::ReduceMax:
    case Op::ReduceMin:
      return reduction(id, node, true);
    case Op::CumSum:
      return dependences_.running(found_[node.operand[0]], tape_.shape(node), tape_.attrs(node)[0],
                                  tape_.attrs(node)[1] != 0);
    case Op::LinearRecurrence:
      return recurrence(id, node);
    case Op::BatchMatMul:
      return product(id, node);
    case Op::Loop:
      items_[id] = loop(id, node);
      return {};
    default:
      if (rowOf(node).family == Family::Elementwise) return elementwise(id, node);
      throw Error(ErrorCode::Native, std::string(rowOf(node).name) + " has no rule of dependence");
  }
}

Dependence DependenceWalk::elementwise(NodeId id, const Node& node) {
  const RowStructure& structure = structureOf(opOf(node));
  const auto operands = tape_.operands(node);
  const std::size_t n = count(id);
  Dependence result;
  std::array<Dependence, 3> own;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    Dependence& operand = found_[operands[k]];
    if (!structure.operands[k].depends || operand.isEmpty()) continue;
    const bool interacts = interactions_ != nullptr &&
                           std::ranges::any_of(structure.interacts[k], [](bool is) { return is; });
    if (interacts && operand.layers.size() > kMostInteractingLayers)
      dependences_.settle(operand, n);
    own[k] = operand;
    if (structure.operands[k].isDecided) {
      if (const std::vector<double>* partial = choices_.weights(id, k))
        own[k] =
            dependences_.masked(operand, n, [&](std::size_t i) { return !isZero((*partial)[i]); });
    }
    for (std::size_t j = 0; interacts && j <= k; ++j) {
      if (structure.interacts[j][k])
        interactions_->add(liveOf(own[j], live_->of(id)), own[k], maker(id));
    }
    dependences_.join(result, own[k], n);
  }
  return result;
}

Dependence DependenceWalk::choice(NodeId id, const Node& node) {
  const std::size_t n = count(id);
  const std::vector<double>* condition = choices_.condition(id);
  Dependence result = found_[node.operand[1]];
  const Dependence* other = &found_[node.operand[2]];
  Dependence masked;
  if (condition != nullptr) {
    result =
        dependences_.masked(result, n, [&](std::size_t i) { return !isZero((*condition)[i]); });
    masked = dependences_.masked(*other, n, [&](std::size_t i) { return isZero((*condition)[i]); });
    other = &masked;
  }
  dependences_.join(result, *other, n);
  return result;
}

Dependence DependenceWalk::movement(const Node& node) {
  std::vector<const Dependence*> operands;
  for (const NodeId operand : tape_.operands(node)) operands.push_back(&found_[operand]);
  const auto elements = static_cast<std::size_t>(elementCount(tape_.shape(node)));
  return dependences_.moved(movesOf(tape_, node), operands, elements);
}

/// [outer, inner] sets as those of [outer, n, inner] elements.
Dependence DependenceWalk::spreadOver(const BigVector<SetId>& sets, const Around& around) const {
  if (sets.size() == 1) return {around.n > 0 ? sets[0] : kEmptySet, {}};
  BigVector<SetId> result;
  for (std::int64_t o = 0; o < around.outer; ++o) {
    for (std::int64_t k = 0; k < around.n; ++k) {
      const auto first = sets.begin() + o * around.inner;
      result.insert(result.end(), first, first + around.inner);
    }
  }
  return Dependences::of(std::move(result));
}

Dependence DependenceWalk::gather(NodeId id, const Node& node) {
  const Dependence& from = found_[node.operand[0]];
  const std::int64_t axis = tape_.attrs(node)[0];
  const Around a = around(tape_.shape(node.operand[0]), axis);
  const auto* known = choices_.indices(id);
  if (known == nullptr) return gatherAny(from, a, node.operand[1]);
  std::vector<std::int64_t> source;
  source.reserve(count(id));
  for (std::int64_t o = 0; o < a.outer; ++o) {
    for (const std::int64_t k : *known) {
      for (std::int64_t i = 0; i < a.inner; ++i) source.push_back((o * a.n + k) * a.inner + i);
    }
  }
  return dependences_.taken(from, source);
}

/// Unions over all elements that each index can be of.
Dependence DependenceWalk::gatherAny(const Dependence& from, const Around& a, NodeId indices) {
  if (from.layers.empty()) return from;
  const auto ranges = choices_.ranges(indices);
  const auto size = static_cast<std::size_t>(tape_.count(indices));
  const auto inner = static_cast<std::size_t>(a.inner);
  BigVector<SetId> sets(static_cast<std::size_t>(a.outer) * size * inner);
  std::vector<SetId> ids;
  for (std::int64_t o = 0; o < a.outer; ++o) {
    for (std::size_t i = 0; i < inner; ++i) {
      std::map<IndexRange, SetId> known;
      for (std::size_t j = 0; j < size; ++j) {
        IndexRange range = ranges ? (*ranges)[j] : IndexRange{0, a.n - 1, 1};
        range.last = std::min(range.last, a.n - 1);
        const auto [it, isNew] = known.try_emplace(range, kEmptySet);
        if (isNew) {
          ids.clear();
          for (std::int64_t k = range.first; k <= range.last; k += range.step)
            from.setsOf((static_cast<std::size_t>(o * a.n + k)) * inner + i, ids);
          it->second = sets_.unite(ids);
        }
        sets[(static_cast<std::size_t>(o) * size + j) * inner + i] = it->second;
      }
    }
  }
  return Dependences::of(std::move(sets));
}

Dependence DependenceWalk::scatter(NodeId id, const Node& node) {
  const Dependence& from = found_[node.operand[1]];
  const std::int64_t axis = tape_.attrs(node)[0];
  const Shape& shape = tape_.shape(node);
  const Around a = around(shape, axis);
  const std::int64_t size = tape_.count(node.operand[0]);
  const auto* known = choices_.indices(id);
  if (known == nullptr) return scatterAny(from, a, node.operand[0]);
  // Positions of the updates of every place, one place after another.
  std::vector<std::int64_t> start(static_cast<std::size_t>(a.n) + 1, 0), updates(known->size());
  for (const std::int64_t k : *known) ++start[static_cast<std::size_t>(k) + 1];
  std::partial_sum(start.begin(), start.end(), start.begin());
  std::vector<std::int64_t> next(start.begin(), start.end() - 1);
  for (std::size_t j = 0; j < known->size(); ++j)
    updates[static_cast<std::size_t>(next[static_cast<std::size_t>((*known)[j])]++)] =
        static_cast<std::int64_t>(j);
  BigVector<SetId> sets;
  sets.reserve(count(id));
  std::vector<SetId> ids;
  for (std::int64_t o = 0; o < a.outer; ++o) {
    for (std::size_t k = 0; k < next.size(); ++k) {
      for (std::int64_t i = 0; i < a.inner; ++i) {
        ids.clear();
        for (std::int64_t j = start[k]; j < start[k + 1]; ++j) {
          const std::int64_t update = updates[static_cast<std::size_t>(j)];
          from.setsOf(static_cast<std::size_t>((o * size + update) * a.inner + i), ids);
        }
        sets.push_back(sets_.unite(ids));
      }
    }
  }
  return Dependences::of(std::move(sets));
}

/// Unions over all elements that can be added to each place.
Dependence DependenceWalk::scatterAny(const Dependence& from, const Around& a, NodeId indices) {
  const std::int64_t size = tape_.count(indices);
  const auto ranges = choices_.ranges(indices);
  if (!ranges) {
    const Shape flat = {a.outer, size, a.inner};
    const std::int64_t reduced[] = {1};
    return spreadOver(dependences_.reduced(from, combinedElements(flat, reduced)), a);
  }
  std::map<IndexRange, std::vector<std::int64_t>> updatesOf;
  for (std::int64_t j = 0; j < size; ++j) {
    IndexRange range = (*ranges)[static_cast<std::size_t>(j)];
    range.last = std::min(range.last, a.n - 1);
    updatesOf[range].push_back(j);
  }
  BigVector<SetId> sets(static_cast<std::size_t>(a.outer * a.n * a.inner));
  std::vector<std::vector<SetId>> places(static_cast<std::size_t>(a.n));
  std::vector<SetId> ids;
  for (std::int64_t o = 0; o < a.outer; ++o) {
    for (std::int64_t i = 0; i < a.inner; ++i) {
      for (const auto& [range, updates] : updatesOf) {
        ids.clear();
        for (const std::int64_t j : updates)
          from.setsOf(static_cast<std::size_t>((o * size + j) * a.inner + i), ids);
        const SetId all = sets_.unite(ids);
        for (std::int64_t k = range.first; k <= range.last; k += range.step)
          places[static_cast<std::size_t>(k)].push_back(all);
      }
      for (std::int64_t k = 0; k < a.n; ++k) {
        std::vector<SetId>& found = places[static_cast<std::size_t>(k)];
        sets[static_cast<std::size_t>((o * a.n + k) * a.inner + i)] = sets_.unite(found);
        found.clear();
      }
    }
  }
  return Dependences::of(std::move(sets));
}

Dependence DependenceWalk::reduction(NodeId id, const Node& node, bool isExtreme) {
  const NodeId operand = node.operand[0];
  const CombinedElements terms = combinedElements(tape_.shape(operand), tape_.attrs(node));
  const std::vector<double>* chosen = isExtreme ? choices_.weights(id, 0) : nullptr;
  if (chosen == nullptr) return dependences_.combined(found_[operand], terms);
  return dependences_.combined(
      dependences_.masked(found_[operand], count(operand),
                          [&](std::size_t i) { return !isZero((*chosen)[i]); }),
      terms);
}

/// y[i] = a[i] y[i-1] + b[i], where the first a is not read.
Dependence DependenceWalk::recurrence(NodeId id, const Node& node) {
  const std::size_t n = count(id);
  const std::int64_t axis = tape_.attrs(node)[0];
  const bool reverse = tape_.attrs(node)[1] != 0;
  const Shape& shape = tape_.shape(node);
  std::vector<std::int64_t> later(n, -1), before(n, -1);
  visitLines(shape, axis, reverse, [&](std::int64_t at, std::int64_t previous) {
    if (previous >= 0) later[static_cast<std::size_t>(at)] = at;
    before[static_cast<std::size_t>(at)] = previous;
  });
  const Dependence factors = dependences_.taken(found_[node.operand[0]], later);
  Dependence all = factors;
  dependences_.join(all, found_[node.operand[1]], n);
  Dependence result = dependences_.running(all, shape, axis, reverse);
  if (interactions_ != nullptr)
    interactions_->add(liveOf(factors, live_->behind(id)), dependences_.taken(result, before),
                       maker(id));
  return result;
}

/// c[i,j] depends on row i of a and on column j of b; in sums of them, all of column k of a meet
/// all of row k of b.
Dependence DependenceWalk::product(NodeId id, const Node& node) {
  const NodeId a = node.operand[0], b = node.operand[1];
  const Shape& shape = tape_.shape(node);
  const auto rank = static_cast<std::int64_t>(shape.size());
  const std::int64_t columnAxis[] = {rank - 1}, rowAxis[] = {rank - 2};
  const std::int64_t columns = shape[shape.size() - 1], rows = shape[shape.size() - 2];
  std::int64_t batches = 1;
  for (std::size_t k = 0; k + 2 < shape.size(); ++k) batches *= shape[k];
  if (count(id) == 0) return {};
  const auto reduced = [&](NodeId operand, std::span<const std::int64_t> axes) {
    return dependences_.reduced(found_[operand], combinedElements(tape_.shape(operand), axes));
  };
  Dependence result;
  if (!found_[a].isEmpty())
    result = spreadOver(reduced(a, columnAxis), {batches * rows, columns, 1});
  if (!found_[b].isEmpty())
    dependences_.join(result, spreadOver(reduced(b, rowAxis), {batches, rows, columns}), count(id));
  if (interactions_ != nullptr && !found_[a].isEmpty() && !found_[b].isEmpty()) {
    interactions_->add(Dependences::of(reduced(a, rowAxis)),
                       Dependences::of(reduced(b, columnAxis)), maker(id));
  }
  return result;
}

std::vector<Dependence> DependenceWalk::loop(NodeId id, const Node& node) {
  std::vector<Dependence> operands;
  for (const NodeId operand : differentiableOperands(tape_, node))
    operands.push_back(found_[operand]);
  std::unique_ptr<LoopDependence>& known = loops_[id];
  if (!known || !known->fits(operands))
    known =
        std::make_unique<LoopDependence>(tape_, id, operands, sets_, interactions_, loopBudget_);
  return known->items(operands, choices_.steps(id), maker(id));
}

Dependence DependenceWalk::item(const Node& node) const {
  const auto found = items_.find(node.operand[0]);
  if (found == items_.end()) return {};
  return found->second[static_cast<std::size_t>(tape_.attrs(node)[0])];
}

}  // namespace adjoint

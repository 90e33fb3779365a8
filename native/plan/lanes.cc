#include "plan/lanes.h"

#include <algorithm>
#include <map>

#include "ops/build.h"
#include "ops/order.h"
#include "ops/row.h"
#include "plan/analysis.h"
#include "transform/copy.h"
#include "transform/lane_axes.h"
#include "transform/lane_body.h"
#include "transform/moves.h"

namespace adjoint {

namespace {

/// Elements of all values of one lane; more would leave the second-level cache.
constexpr std::int64_t kMaxElementsPerLane = 16384;

/// Every loop has a plan of its own; a long chain of them costs more to make than it saves.
constexpr std::size_t kMaxLoops = 32;
/// Classes of axes that are tried, and what each of them takes is linear in the tape.
constexpr std::size_t kMaxCandidates = 4;
/// Indices that have loops of their own; likewise.
constexpr int kMaxRegions = 3;
/// A further loop hides from others what is known of its values, zeros for one: it must have many
/// lanes, and products of matrices.
constexpr std::int64_t kMinFurtherLanes = 128;
/// Joined values that make a loop worthwhile like a reduction does.
constexpr std::size_t kManyPieces = 4;

/// Elements of a product of matrices that is computed by a loop: its result is read and written
/// once a block of lanes, and kept once a chunk.
constexpr std::int64_t kMaxProduct = std::int64_t{1} << 18;
constexpr std::int64_t kMaxProductSums = std::int64_t{1} << 22;

/// What one class of axes would make of a tape.
class Region {
 public:
  /// `isFurther`: another index has loops already.
  Region(const TapePtr& t, AxisClasses& classes, std::uint32_t axes, std::int64_t lanes,
         bool isFurther)
      : tape_(*t),
        lanes_(lanes),
        isFurther_(isFurther),
        axis_(t->size(), -1),
        kind_(t->size(), Kind::Outside),
        stage_(t->size(), 0) {
    for (NodeId id = 0; id < tape_.size() && isValid_; ++id) {
      axis_[id] = classes.axisIn(id, axes);
      isValid_ = axis_[id] != AxisClasses::kSeveral;
    }
  }

  /// Finds what can be done in lanes; false where that is nothing worth a loop.
  bool analyze() {
    if (!isValid_) return false;
    classify();
    if (!isWorthwhile()) return false;
    assignStages();
    if (loops_.size() > kMaxLoops) return false;
    collectPorts();
    return true;
  }

  /// The tape with loops over lanes; null where a body has no form over lanes.
  TapePtr build();

 private:
  enum class Kind : std::uint8_t {
    Outside,  ///< computed once, before or after a loop
    Both,     ///< data movement of what is outside, gathers included: wherever it is wanted
    Lane,     ///< computed lane by lane
    Reduced,  ///< a reduction over lanes, at the end of a loop
  };

  bool isLane(NodeId id) const { return kind_[id] == Kind::Lane; }

  void classify() {
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      if (isLeaf(node)) continue;
      if (axis_[id] < 0) {
        if (isReducible(node) || isContraction(id)) kind_[id] = Kind::Reduced;
        continue;
      }
      if (canFail(tape_, node)) continue;
      if (opOf(node) == Op::Gather) {
        if (isRowsByLane(id)) kind_[id] = Kind::Both;
        continue;
      }
      bool isParallel = true, isMoved = movesData(opOf(node));
      const auto operands = tape_.operands(node);
      for (std::size_t k = 0; k < operands.size(); ++k) {
        isParallel = isParallel && linkedAxis(tape_, node, k, axis_[id]) == axis_[operands[k]];
        const Kind kind = kind_[operands[k]];
        isMoved = isMoved && (kind == Kind::Outside || kind == Kind::Both);
      }
      if (isParallel) kind_[id] = isMoved ? Kind::Both : Kind::Lane;
    }
  }

  /// One index a lane into an axis of a value that is not computed in lanes.
  bool isRowsByLane(NodeId id) const {
    const Node& node = tape_.node(id);
    return opOf(node) == Op::Gather && tape_.shape(node.operand[1]).size() == 1 &&
           tape_.attrs(node)[0] == axis_[id] && axis_[node.operand[0]] < 0;
  }

  /// A reduction over lanes whose terms come lane after lane.
  bool isReducible(const Node& node) const {
    if (!isReduction(opOf(node))) return false;
    const NodeId operand = node.operand[0];
    return axis_[operand] >= 0 && isLane(operand) && tape_.attrs(node)[0] == axis_[operand];
  }

  /// A product of matrices that contracts over lanes, and whose result stays in a cache.
  bool isContraction(NodeId id) const {
    const Node& node = tape_.node(id);
    if (opOf(node) != Op::BatchMatMul) return false;
    const auto rank = static_cast<int>(tape_.shape(id).size());
    const NodeId a = node.operand[0], b = node.operand[1];
    const std::int64_t chunks = (lanes_ + kSumChunk - 1) / kSumChunk;
    return axis_[a] == rank - 1 && axis_[b] == rank - 2 && (isLane(a) || isLane(b)) &&
           tape_.count(id) <= kMaxProduct && tape_.count(id) * chunks <= kMaxProductSums;
  }

  /// There are values of several elements a lane, and more than one loop over them.
  bool isWorthwhile() const {
    std::int64_t loops = 0, elements = 0;
    bool hasProducts = false;
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      if (kind_[id] == Kind::Reduced && opOf(node) == Op::BatchMatMul) ++loops;
      if (!isLane(id)) continue;
      const std::int64_t count = tape_.count(id) / lanes_;
      elements += count;
      hasProducts = hasProducts || opOf(node) == Op::BatchMatMul;
      if (movesData(opOf(node))) continue;
      if (isReduction(opOf(node)) || rowOf(node).kernel == nullptr) ++loops;
      // Many pieces of a row are as many strided stores elsewhere, and a transpose here.
      if (opOf(node) == Op::Concat && tape_.operands(node).size() >= kManyPieces) ++loops;
    }
    if (isFurther_ && (lanes_ < kMinFurtherLanes || !hasProducts)) return false;
    return loops >= 2 && elements <= kMaxElementsPerLane;
  }

  void assignStages() {
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      if (isLeaf(node)) continue;
      std::uint32_t stage = 0;
      for (const NodeId operand : tape_.operands(node)) {
        std::uint32_t ready = stage_[operand];
        // What a loop gives is there after it; within it only lanes are.
        if (isLane(operand) && !isLane(id) && kind_[id] != Kind::Reduced) ++ready;
        if (kind_[operand] == Kind::Reduced) ++ready;
        stage = std::max(stage, ready);
      }
      stage_[id] = stage;
    }
    for (NodeId id = 0; id < tape_.size(); ++id) {
      if (isLane(id) || kind_[id] == Kind::Reduced) add(loops_, id);
      if (kind_[id] == Kind::Outside) add(between_, id);
    }
  }

  /// Nodes by stage, in their order.
  using Stages = std::vector<std::vector<NodeId>>;
  void add(Stages& stages, NodeId id) {
    if (stages.size() <= stage_[id]) stages.resize(stage_[id] + 1);
    stages[stage_[id]].push_back(id);
  }

  /// Lane values that must be in memory after their loop.
  void collectPorts() {
    isWanted_.assign(tape_.size(), false);
    for (const Port& port : tape_.outputs()) isWanted_[port.node] = true;
    for (const NodeId id : tape_.checks()) isWanted_[id] = true;
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      if (isLeaf(node) || kind_[id] == Kind::Reduced) continue;
      for (const NodeId operand : tape_.operands(node)) {
        if (isLane(operand) && (!isLane(id) || stage_[operand] != stage_[id]))
          isWanted_[operand] = true;
      }
    }
  }

  // --- building ----------------------------------------------------------------------------------

  std::map<NodeId, std::vector<NodeId>> picksOf(std::uint32_t stage) const;
  bool isPackable(const std::vector<NodeId>& picks) const;
  NodeId packed(const std::vector<NodeId>& picks);
  bool buildLoop(std::uint32_t stage);
  NodeId outside(NodeId id);
  void copyOutside(NodeId id);

  const Tape& tape_;
  const std::int64_t lanes_;
  const bool isFurther_;
  std::vector<int> axis_;  ///< lane axis by node; -1: none
  std::vector<Kind> kind_;
  std::vector<std::uint32_t> stage_;
  std::vector<bool> isWanted_;
  Stages between_;  ///< what is outside, before each loop
  Stages loops_;    ///< what is in each loop
  bool isValid_ = true;

  Builder builder_;
  std::unique_ptr<Copier> copier_;
  std::vector<NodeId> map_;  ///< by node, on the new tape
};

/// A value on the new tape, outside all loops.
NodeId Region::outside(NodeId id) {
  if (map_[id] != kNoNode) return map_[id];
  // Data movement that is wanted here, too.
  std::vector<NodeId> open = {id};
  while (!open.empty()) {
    const NodeId top = open.back();
    const auto operands = tape_.operands(tape_.node(top));
    const auto missing =
        std::ranges::find_if(operands, [&](NodeId o) { return map_[o] == kNoNode; });
    if (missing != operands.end()) {
      open.push_back(*missing);
      continue;
    }
    open.pop_back();
    if (map_[top] == kNoNode) map_[top] = copier_->copyMapped(tape_.node(top), map_);
  }
  return map_[id];
}

/// Rows by lane that a loop reads, by the indices that pick them.
std::map<NodeId, std::vector<NodeId>> Region::picksOf(std::uint32_t stage) const {
  std::map<NodeId, std::vector<NodeId>> picks;
  std::vector<bool> isSeen(tape_.size(), false);
  std::vector<NodeId> open;
  for (const NodeId id : loops_[stage]) {
    const auto operands = tape_.operands(tape_.node(id));
    open.assign(operands.begin(), operands.end());
    while (!open.empty()) {
      const NodeId top = open.back();
      open.pop_back();
      if (isSeen[top] || kind_[top] != Kind::Both) continue;
      isSeen[top] = true;
      const auto sources = tape_.operands(tape_.node(top));
      if (isRowsByLane(top)) {
        picks[sources[1]].push_back(top);
      } else {
        open.insert(open.end(), sources.begin(), sources.end());
      }
    }
  }
  return picks;
}

/// Whether the rows, which the same indices pick, come from one short table better than from
/// several.
bool Region::isPackable(const std::vector<NodeId>& picks) const {
  return picks.size() > 1 && std::ranges::all_of(picks, [&](NodeId id) {
           const std::int64_t rows = tape_.shape(tape_.node(id).operand[0])[0];
           return axis_[id] == 0 && tape_.node(id).dtype == DType::F64 &&
                  rows * kLanesPerRow <= lanes_;
         });
}

/// The tables of all picks, side by side.
NodeId Region::packed(const std::vector<NodeId>& picks) {
  std::vector<Expr> tables;
  for (const NodeId id : picks) {
    const Expr table{&builder_, outside(tape_.node(id).operand[0])};
    const std::int64_t rows = table.shape()[0];
    tables.push_back(ex::reshape(table, {rows, tape_.count(id) / lanes_}));
  }
  return ex::concat(tables, 1).id;
}

bool Region::buildLoop(std::uint32_t stage) {
  LaneBody body(tape_, axis_);
  LaneAttributes attributes;
  attributes.lanes = lanes_;
  std::vector<NodeId> operands;
  std::vector<Port> outputs;
  std::vector<NodeId> results;

  const auto bringIn = [&](NodeId id) {
    std::vector<NodeId> open = {id};
    while (!open.empty()) {
      const NodeId top = open.back();
      if (body.has(top)) {
        open.pop_back();
        continue;
      }
      const Node& node = tape_.node(top);
      if (node.op == tapeop::kConstant) {
        body.constant(top);
      } else if (isRowsByLane(top)) {
        body.input(top, "x" + std::to_string(attributes.inputs.size()));
        for (const NodeId operand : tape_.operands(node)) operands.push_back(outside(operand));
        attributes.inputs.push_back({LaneInput::Gathered, axis_[top]});
      } else if (kind_[top] == Kind::Both) {
        const auto sources = tape_.operands(node);
        const auto missing = std::ranges::find_if(sources, [&](NodeId o) { return !body.has(o); });
        if (missing != sources.end()) {
          open.push_back(*missing);
          continue;
        }
        body.operation(top);
      } else {
        body.input(top, "x" + std::to_string(attributes.inputs.size()));
        operands.push_back(outside(top));
        const bool isShared = axis_[top] < 0;
        attributes.inputs.push_back(
            {isShared ? LaneInput::Shared : LaneInput::Mapped, isShared ? 0 : axis_[top]});
      }
      open.pop_back();
    }
  };
  const auto give = [&](NodeId id, NodeId value, LaneOutput kind, std::int64_t axisOrTerms) {
    outputs.push_back({"y" + std::to_string(outputs.size()), value});
    attributes.outputs.push_back({kind, axisOrTerms});
    results.push_back(id);
  };

  for (const auto& [indices, picks] : picksOf(stage)) {
    if (!isPackable(picks)) continue;
    body.inputs(picks, "x" + std::to_string(attributes.inputs.size()));
    operands.push_back(packed(picks));
    operands.push_back(outside(indices));
    attributes.inputs.push_back({LaneInput::Gathered, 0});
  }
  for (const NodeId id : loops_[stage]) {
    const Node& node = tape_.node(id);
    for (const NodeId operand : tape_.operands(node)) {
      if (!body.has(operand)) bringIn(operand);
    }
    if (isLane(id)) {
      body.operation(id);
      if (isWanted_[id]) give(id, body.at(id), LaneOutput::Mapped, axis_[id]);
      continue;
    }
    if (opOf(node) == Op::BatchMatMul) {
      give(id, body.at(node.operand[0]), LaneOutput::Left, 0);
      give(kNoNode, body.at(node.operand[1]), LaneOutput::Right, 0);
      continue;
    }
    // Terms first, then what is kept.
    const NodeId operand = node.operand[0];
    const auto& reduced = tape_.attrs(node);
    ex::Axes order, kept;
    std::int64_t terms = 1;
    for (std::size_t k = 0; k < tape_.shape(operand).size(); ++k) {
      const auto axis = static_cast<std::int64_t>(k);
      if (axis == axis_[operand]) continue;
      const bool isReduced = std::ranges::binary_search(reduced, axis);
      if (isReduced) terms *= tape_.shape(operand)[k];
      (isReduced ? order : kept).push_back(axis > axis_[operand] ? axis - 1 : axis);
    }
    order.insert(order.end(), kept.begin(), kept.end());
    const Expr value = ex::transpose({&body.builder(), body.at(operand)}, order);
    give(id, value.id,
         opOf(node) == Op::Sum         ? LaneOutput::Sum
         : opOf(node) == Op::ReduceMax ? LaneOutput::Max
                                       : LaneOutput::Min,
         terms);
  }
  if (outputs.empty()) return true;

  auto rule = std::make_shared<CustomRule>();
  rule->name = "lanes";
  rule->primal = body.builder().finish(std::move(outputs));
  if (overLanes(rule->primal, 8, attributes.isMapped()) == nullptr) return false;
  attributes.rule = builder_.addRule(rule);
  const NodeId loop =
      builder_.append(code(Op::Lanes), DType::F64, {}, operands, attributes.write());
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i] == kNoNode) continue;
    const auto position = static_cast<std::int64_t>(i);
    const Node& node = tape_.node(results[i]);
    builder_.setOrigin(node.origin == kNoNode ? results[i] : node.origin);
    map_[results[i]] =
        builder_.append(code(Op::Item), node.dtype, tape_.shape(node), {&loop, 1}, {&position, 1});
  }
  return true;
}

void Region::copyOutside(NodeId id) {
  const Node& node = tape_.node(id);
  builder_.setOrigin(node.origin == kNoNode ? id : node.origin);
  if (node.op == tapeop::kInput) {
    map_[id] = builder_.input(tape_.inputs()[node.attr].name, tape_.shape(node), node.dtype);
    return;
  }
  for (const NodeId operand : tape_.operands(node)) outside(operand);
  map_[id] = copier_->copyMapped(tape_.node(id), map_);
}

TapePtr Region::build() {
  copier_ = std::make_unique<Copier>(builder_, tape_);
  map_.assign(tape_.size(), kNoNode);
  builder_.setSharing(true);
  for (std::uint32_t stage = 0; stage < std::max(between_.size(), loops_.size()); ++stage) {
    if (stage < between_.size()) {
      for (const NodeId id : between_[stage]) copyOutside(id);
    }
    if (stage < loops_.size() && !loops_[stage].empty() && !buildLoop(stage)) return nullptr;
  }
  std::vector<Port> outputs = tape_.outputs();
  for (Port& port : outputs) port.node = outside(port.node);
  return builder_.finish(std::move(outputs));
}

/// Classes of long axes, those that the most elements have first.
std::vector<std::pair<std::uint32_t, std::int64_t>> candidates(const Tape& t,
                                                               AxisClasses& classes) {
  struct Weight {
    std::int64_t elements = 0, lanes = 0;
  };
  std::map<std::uint32_t, Weight> weights;
  for (NodeId id = 0; id < t.size(); ++id) {
    if (isLeaf(t.node(id)) || movesData(opOf(t.node(id)))) continue;
    const Shape& shape = t.shape(id);
    for (int p = 0; p < static_cast<int>(shape.size()); ++p) {
      const std::int64_t extent = shape[static_cast<std::size_t>(p)];
      if (extent < kMinLanes) continue;
      Weight& weight = weights[classes.classOf(id, p)];
      weight.elements += t.count(id);
      weight.lanes = extent;
    }
  }
  std::vector<std::pair<std::uint32_t, std::int64_t>> result;
  std::vector<std::pair<std::uint32_t, Weight>> order(weights.begin(), weights.end());
  std::ranges::stable_sort(
      order, [](const auto& a, const auto& b) { return a.second.elements > b.second.elements; });
  for (const auto& [axes, weight] : order) result.emplace_back(axes, weight.lanes);
  return result;
}

bool hasLongMatrices(const Tape& t) {
  return std::ranges::any_of(t.nodes(), [&](const Node& node) {
    const Shape& shape = t.shape(node);
    return shape.size() >= 2 && std::ranges::any_of(shape, [](auto n) { return n >= kMinLanes; });
  });
}

/// The tape with loops over one more index; the tape itself where there is none.
TapePtr formRegion(const TapePtr& t, bool isFurther) {
  if (!hasLongMatrices(*t)) return t;
  AxisClasses classes(*t, kMinLanes);
  std::size_t tried = 0;
  for (const auto& [axes, lanes] : candidates(*t, classes)) {
    if (++tried > kMaxCandidates) break;
    Region region(t, classes, axes, lanes, isFurther);
    if (!region.analyze()) continue;
    if (TapePtr result = region.build()) return result;
  }
  return t;
}

}  // namespace

TapePtr formLanes(const TapePtr& t) {
  TapePtr result = t;
  for (int region = 0; region < kMaxRegions; ++region) {
    TapePtr next = formRegion(result, region > 0);
    if (next == result) break;
    result = std::move(next);
  }
  return result;
}

}  // namespace adjoint

#include "plan/lanes.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "ops/build.h"
#include "ops/row.h"
#include "plan/scalarize.h"
#include "transform/copy.h"

namespace adjoint {

namespace {

/// Fewer lanes are not worth a loop around them.
constexpr std::int64_t kMinLanes = 32;
/// Elements of all values of one lane; more would leave the second-level cache.
constexpr std::int64_t kMaxElementsPerLane = 16384;

constexpr std::size_t kManyPieces = 4;

constexpr int kAbsent = -1;  ///< the operand is the same along the axis
constexpr int kMixed = -2;   ///< the operation mixes elements along the axis

bool isLeaf(const Node& node) {
  const Op op = opOf(node);
  return op == Op::Input || op == Op::Data || op == Op::Constant || op == Op::Iota;
}

bool isReduction(Op op) { return op == Op::Sum || op == Op::ReduceMax || op == Op::ReduceMin; }

bool movesData(Op op) {
  switch (op) {
    case Op::Reshape:
    case Op::Transpose:
    case Op::BroadcastTo:
    case Op::Slice:
    case Op::Place:
    case Op::Flip:
    case Op::StopGradient:
      return true;
    default:
      return false;
  }
}

/// The axis of operand k that runs with axis p of the result.
int linkedAxis(const Tape& t, const Node& node, std::size_t k, int p) {
  const auto& attrs = t.attrs(node);
  const Shape& to = t.shape(node);
  const auto operands = t.operands(node);
  const Shape& from = t.shape(operands[k]);
  const auto at = static_cast<std::size_t>(p);
  switch (opOf(node)) {
    case Op::StopGradient:
      return p;
    case Op::Reshape: {
      // The same extent after as many elements.
      std::int64_t before = 1;
      for (std::size_t i = 0; i < at; ++i) before *= to[i];
      std::int64_t product = 1;
      for (std::size_t q = 0; q < from.size(); ++q) {
        if (product == before && from[q] == to[at]) return static_cast<int>(q);
        product *= from[q];
      }
      return kMixed;
    }
    case Op::Transpose:
      return static_cast<int>(attrs[at]);
    case Op::BroadcastTo: {
      const int q = p - static_cast<int>(to.size() - from.size());
      return q < 0 || from[static_cast<std::size_t>(q)] != to[at] ? kAbsent : q;
    }
    case Op::Slice:
      return attrs[3 * at] == 0 && attrs[3 * at + 1] == from[at] && attrs[3 * at + 2] == 1 ? p
                                                                                           : kMixed;
    case Op::Place:
      return from[at] == to[at] ? p : kMixed;
    case Op::Flip:
      return std::ranges::count(attrs, p) == 0 ? p : kMixed;
    case Op::Concat:
      return p != attrs[0] ? p : kMixed;
    case Op::Gather: {
      const auto axis = static_cast<int>(attrs[0]);
      const auto width = static_cast<int>(t.shape(operands[1]).size());
      const bool isIndex = p >= axis && p < axis + width;
      if (k == 1) return isIndex ? p - axis : kAbsent;
      return isIndex ? kAbsent : p < axis ? p : p - width + 1;
    }
    case Op::ScatterSum: {
      const auto axis = static_cast<int>(attrs[0]);
      const auto width = static_cast<int>(t.shape(operands[0]).size());
      if (p == axis) return kMixed;
      return k == 0 ? kAbsent : p < axis ? p : p - 1 + width;
    }
    case Op::Sum:
    case Op::ReduceMax:
    case Op::ReduceMin: {
      int q = 0;
      for (int kept = 0;; ++q) {
        if (std::ranges::binary_search(attrs, static_cast<std::int64_t>(q))) continue;
        if (kept++ == p) return q;
      }
    }
    case Op::CumSum:
    case Op::LinearRecurrence:
    case Op::ArgSort:
      return p != attrs[0] ? p : kMixed;
    case Op::ArgMax:
    case Op::ArgMin:
      return p < attrs[0] ? p : p + 1;
    case Op::BatchMatMul: {
      const auto rank = static_cast<int>(to.size());
      if (p < rank - 2) return p;
      return (p == rank - 2) == (k == 0) ? p : kAbsent;
    }
    case Op::Custom:
    case Op::Item:
      return kMixed;
    default:
      return rowOf(node).kernel != nullptr ? p : kMixed;
  }
}

/// Axes that run together, over the whole tape.
class AxisClasses {
 public:
  explicit AxisClasses(const Tape& t) : tape_(t), first_(t.size() + 1, 0) {
    for (NodeId id = 0; id < t.size(); ++id)
      first_[id + 1] = first_[id] + static_cast<std::uint32_t>(t.shape(id).size());
    parent_.resize(first_[t.size()]);
    std::iota(parent_.begin(), parent_.end(), 0u);
    for (NodeId id = 0; id < t.size(); ++id) {
      const Node& node = t.node(id);
      if (isLeaf(node)) continue;
      const auto operands = t.operands(node);
      for (int p = 0; p < static_cast<int>(t.shape(id).size()); ++p) {
        if (t.shape(id)[static_cast<std::size_t>(p)] < kMinLanes) continue;
        for (std::size_t k = 0; k < operands.size(); ++k) {
          const int q = linkedAxis(t, node, k, p);
          if (q >= 0) join(number(id, p), number(operands[k], q));
        }
      }
    }
  }

  std::uint32_t classOf(NodeId id, int axis) { return find(number(id, axis)); }

  /// The axis of a value that belongs to the class, or -1; -2 for more than one.
  int axisIn(NodeId id, std::uint32_t of) {
    int result = -1;
    for (int p = 0; p < static_cast<int>(tape_.shape(id).size()); ++p) {
      if (classOf(id, p) != of) continue;
      if (result >= 0) return -2;
      result = p;
    }
    return result;
  }

 private:
  std::uint32_t number(NodeId id, int axis) const {
    return first_[id] + static_cast<std::uint32_t>(axis);
  }
  std::uint32_t find(std::uint32_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::uint32_t a, std::uint32_t b) { parent_[find(a)] = find(b); }

  const Tape& tape_;
  std::vector<std::uint32_t> first_, parent_;
};

/// What one class of axes would make of a tape.
class Region {
 public:
  Region(const TapePtr& t, AxisClasses& classes, std::uint32_t axes, std::int64_t lanes)
      : shared_(t),
        tape_(*t),
        lanes_(lanes),
        axis_(t->size(), -1),
        kind_(t->size(), Kind::Outside),
        stage_(t->size(), 0) {
    for (NodeId id = 0; id < tape_.size() && isValid_; ++id) {
      axis_[id] = classes.axisIn(id, axes);
      isValid_ = axis_[id] != -2;
    }
  }

  /// Finds what can be done in lanes; false where that is nothing worth a loop.
  bool analyze() {
    if (!isValid_) return false;
    classify();
    if (!isWorthwhile()) return false;
    assignStages();
    collectPorts();
    return true;
  }

  /// The tape with loops over lanes; null where a body has no form over lanes.
  TapePtr build();

 private:
  enum class Kind : std::uint8_t {
    Outside,  ///< computed once, before or after a loop
    Both,     ///< data movement of what is outside: wherever it is wanted
    Lane,     ///< computed lane by lane
    Reduced,  ///< a reduction over lanes, at the end of a loop
  };

  bool isLane(NodeId id) const { return kind_[id] == Kind::Lane; }

  void classify() {
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      if (isLeaf(node)) continue;
      if (axis_[id] < 0) {
        if (isReduction(opOf(node)) && isReducible(node)) kind_[id] = Kind::Reduced;
        continue;
      }
      if (canFail(tape_, node) || opOf(node) == Op::Gather) continue;
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

  /// A reduction over lanes whose terms come lane after lane.
  bool isReducible(const Node& node) const {
    const NodeId operand = node.operand[0];
    return axis_[operand] >= 0 && isLane(operand) && tape_.attrs(node)[0] == axis_[operand];
  }

  /// There are values of several elements a lane, and more than one loop over them.
  bool isWorthwhile() const {
    std::int64_t loops = 0, elements = 0;
    for (NodeId id = 0; id < tape_.size(); ++id) {
      if (!isLane(id)) continue;
      const Node& node = tape_.node(id);
      const std::int64_t count = tape_.count(id) / lanes_;
      elements += count;
      if (movesData(opOf(node))) continue;
      if (isReduction(opOf(node)) || rowOf(node).kernel == nullptr) ++loops;
      // Many pieces of a row are as many strided stores elsewhere, and a transpose here.
      if (opOf(node) == Op::Concat && tape_.operands(node).size() >= kManyPieces) ++loops;
    }
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
      if (isLane(id) || kind_[id] == Kind::Reduced)
        stages_ = std::max<std::size_t>(stages_, stage_[id] + 1);
    }
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

  Shape laneShape(NodeId id) const {
    Shape shape = tape_.shape(id);
    if (axis_[id] >= 0) shape.erase(shape.begin() + axis_[id]);
    return shape;
  }

  bool buildLoop(std::uint32_t stage);
  NodeId outside(NodeId id);

  const TapePtr shared_;
  const Tape& tape_;
  const std::int64_t lanes_;
  std::vector<int> axis_;  ///< lane axis by node; -1: none
  std::vector<Kind> kind_;
  std::vector<std::uint32_t> stage_;
  std::vector<bool> isWanted_;
  std::size_t stages_ = 0;
  bool isValid_ = true;

  Builder builder_;
  std::unique_ptr<Copier> copier_;
  std::vector<NodeId> map_;  ///< by node, on the new tape
};

/// Builds the body of one loop: a tape of one lane.
class BodyBuilder {
 public:
  BodyBuilder(const Tape& t, const std::vector<int>& axis)
      : tape_(t), axis_(axis), map_(t.size(), kNoNode) {}

  Builder& builder() { return builder_; }
  bool has(NodeId id) const { return map_[id] != kNoNode; }
  NodeId at(NodeId id) const { return map_[id]; }

  void input(NodeId id, const std::string& name) {
    map_[id] = builder_.input(name, laneShape(id), tape_.node(id).dtype);
  }

  void constant(NodeId id) {
    const Node& node = tape_.node(id);
    map_[id] = builder_.constant(Tape::constantValue(node), laneShape(id), node.dtype);
  }

  /// The operation on one lane. Its operands are there.
  void operation(NodeId id) {
    const Node& node = tape_.node(id);
    builder_.setOrigin(node.origin == kNoNode ? id : node.origin);
    map_[id] = build(id, node);
  }

 private:
  Shape laneShape(NodeId id) const {
    Shape shape = tape_.shape(id);
    if (axis_[id] >= 0) shape.erase(shape.begin() + axis_[id]);
    return shape;
  }

  Expr operand(const Node& node, std::size_t k) {
    return {&builder_, map_[tape_.operands(node)[k]]};
  }

  /// An axis of the old value, counted without its lane axis.
  static std::int64_t without(int lane, std::int64_t axis) {
    return lane >= 0 && axis > lane ? axis - 1 : axis;
  }

  NodeId build(NodeId id, const Node& node) {
    const int lane = axis_[id];
    const Shape shape = laneShape(id);
    const auto& attrs = tape_.attrs(node);
    const auto operands = tape_.operands(node);
    const int from = operands.empty() ? -1 : axis_[operands[0]];
    switch (opOf(node)) {
      case Op::StopGradient:
        return map_[operands[0]];
      case Op::Reshape:
        return ex::reshape(operand(node, 0), shape).id;
      case Op::Transpose: {
        ex::Axes axes;
        for (const std::int64_t axis : attrs) {
          if (axis != from) axes.push_back(without(from, axis));
        }
        return ex::transpose(operand(node, 0), axes).id;
      }
      case Op::BroadcastTo: {
        // Axes align from the last one on; a lane axis of extent 1 or none goes from either side.
        Shape aligned(tape_.shape(id).size() - tape_.shape(operands[0]).size(), 1);
        const Shape& own = tape_.shape(operands[0]);
        aligned.insert(aligned.end(), own.begin(), own.end());
        aligned.erase(aligned.begin() + lane);
        return ex::broadcastTo(ex::reshape(operand(node, 0), aligned), shape).id;
      }
      case Op::Slice:
      case Op::Place: {
        std::vector<ex::Range> ranges;
        for (std::size_t k = 0; k < tape_.shape(operands[0]).size(); ++k) {
          if (static_cast<int>(k) != from)
            ranges.push_back({attrs[3 * k], attrs[3 * k + 1], attrs[3 * k + 2]});
        }
        const Expr x = operand(node, 0);
        return (opOf(node) == Op::Slice ? ex::slice(x, ranges) : ex::place(x, ranges)).id;
      }
      case Op::Flip: {
        ex::Axes axes;
        for (const std::int64_t axis : attrs) axes.push_back(without(from, axis));
        return ex::flip(operand(node, 0), axes).id;
      }
      case Op::Concat: {
        std::vector<Expr> parts;
        for (std::size_t k = 0; k < operands.size(); ++k) parts.push_back(operand(node, k));
        return ex::concat(parts, without(lane, attrs[0])).id;
      }
      case Op::ScatterSum:
        return ex::scatterSum(operand(node, 0), operand(node, 1), without(lane, attrs[0]), attrs[1])
            .id;
      case Op::Sum:
      case Op::ReduceMax:
      case Op::ReduceMin: {
        ex::Axes axes;
        for (const std::int64_t axis : attrs) axes.push_back(without(from, axis));
        const Expr x = operand(node, 0);
        return (opOf(node) == Op::Sum         ? ex::sum(x, axes)
                : opOf(node) == Op::ReduceMax ? ex::reduceMax(x, axes)
                                              : ex::reduceMin(x, axes))
            .id;
      }
      case Op::CumSum:
        return ex::cumsum(operand(node, 0), without(from, attrs[0]), attrs[1] != 0).id;
      case Op::LinearRecurrence:
        return ex::linearRecurrence(operand(node, 0), operand(node, 1), without(from, attrs[0]),
                                    attrs[1] != 0)
            .id;
      case Op::ArgSort:
      case Op::ArgMax:
      case Op::ArgMin:
        return apply(opOf(node), {operand(node, 0)}, {without(from, attrs[0])}).id;
      case Op::BatchMatMul:
        return product(id, node);
      default:
        return elementwise(node, shape);
    }
  }

  /// A lane axis among the rows or columns leaves a product with one row or column.
  NodeId product(NodeId id, const Node& node) {
    const auto rank = static_cast<int>(tape_.shape(id).size());
    const auto matrix = [&](std::size_t k) {
      const NodeId x = tape_.operands(node)[k];
      Shape shape = tape_.shape(x);
      if (axis_[x] >= rank - 2) {
        shape[static_cast<std::size_t>(axis_[x])] = 1;
      } else if (axis_[x] >= 0) {
        shape.erase(shape.begin() + axis_[x]);
      }
      return ex::reshape(operand(node, k), shape);
    };
    return ex::reshape(ex::batchMatmul(matrix(0), matrix(1)), laneShape(id)).id;
  }

  NodeId elementwise(const Node& node, const Shape& shape) {
    NodeId x[3];
    const auto operands = tape_.operands(node);
    for (std::size_t k = 0; k < operands.size(); ++k) x[k] = map_[operands[k]];
    // As they are: the tape is a final one, and its own operations are unknown to apply.
    return builder_.append(node.op, node.dtype, shape, {x, operands.size()}, tape_.attrs(node));
  }

  const Tape& tape_;
  const std::vector<int>& axis_;
  Builder builder_;
  std::vector<NodeId> map_;
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

bool Region::buildLoop(std::uint32_t stage) {
  BodyBuilder body(tape_, axis_);
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
      } else if (kind_[top] == Kind::Both) {
        const auto sources = tape_.operands(node);
        const auto missing = std::ranges::find_if(sources, [&](NodeId o) { return !body.has(o); });
        if (missing != sources.end()) {
          open.push_back(*missing);
          continue;
        }
        body.operation(top);
      } else {
        body.input(top, "x" + std::to_string(operands.size()));
        operands.push_back(outside(top));
        attributes.operandAxes.push_back(axis_[top]);
      }
      open.pop_back();
    }
  };
  const auto give = [&](NodeId id, NodeId value, LaneOutput kind, std::int64_t axisOrTerms) {
    outputs.push_back({"y" + std::to_string(outputs.size()), value});
    attributes.outputs.push_back({kind, axisOrTerms});
    results.push_back(id);
  };

  for (NodeId id = 0; id < tape_.size(); ++id) {
    if (stage_[id] != stage || (!isLane(id) && kind_[id] != Kind::Reduced)) continue;
    const Node& node = tape_.node(id);
    for (const NodeId operand : tape_.operands(node)) {
      if (!body.has(operand)) bringIn(operand);
    }
    if (isLane(id)) {
      body.operation(id);
      if (isWanted_[id]) give(id, body.at(id), LaneOutput::Mapped, axis_[id]);
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
  std::vector<bool> isMapped;
  for (const std::int64_t axis : attributes.operandAxes) isMapped.push_back(axis >= 0);
  if (overLanes(rule->primal, 8, isMapped) == nullptr) return false;
  attributes.rule = builder_.addRule(rule);
  const NodeId loop =
      builder_.append(code(Op::Lanes), DType::F64, {}, operands, attributes.write());
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto position = static_cast<std::int64_t>(i);
    const Node& node = tape_.node(results[i]);
    builder_.setOrigin(node.origin == kNoNode ? results[i] : node.origin);
    map_[results[i]] =
        builder_.append(code(Op::Item), node.dtype, tape_.shape(node), {&loop, 1}, {&position, 1});
  }
  return true;
}

TapePtr Region::build() {
  copier_ = std::make_unique<Copier>(builder_, tape_);
  map_.assign(tape_.size(), kNoNode);
  builder_.setSharing(true);
  for (std::uint32_t stage = 0; stage <= stages_; ++stage) {
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      if (kind_[id] != Kind::Outside) continue;
      const bool isNow = isLeaf(node) ? stage == 0 : stage_[id] == stage;
      if (!isNow) continue;
      builder_.setOrigin(node.origin == kNoNode ? id : node.origin);
      if (node.op == tapeop::kInput) {
        map_[id] = builder_.input(tape_.inputs()[node.attr].name, tape_.shape(node), node.dtype);
        continue;
      }
      for (const NodeId operand : tape_.operands(node)) outside(operand);
      map_[id] = copier_->copyMapped(node, map_);
    }
    if (stage < stages_ && !buildLoop(stage)) return nullptr;
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

}  // namespace

LaneAttributes LaneAttributes::read(const Tape& t, const Node& node) {
  const auto& attrs = t.attrs(node);
  LaneAttributes result;
  result.rule = static_cast<std::size_t>(attrs[0]);
  result.lanes = attrs[1];
  const std::size_t n = t.operands(node).size();
  result.operandAxes.assign(attrs.begin() + 2, attrs.begin() + 2 + static_cast<std::ptrdiff_t>(n));
  for (std::size_t i = 2 + n; i < attrs.size(); i += 2)
    result.outputs.push_back({static_cast<LaneOutput>(attrs[i]), attrs[i + 1]});
  return result;
}

std::vector<std::int64_t> LaneAttributes::write() const {
  std::vector<std::int64_t> attrs = {static_cast<std::int64_t>(rule), lanes};
  attrs.insert(attrs.end(), operandAxes.begin(), operandAxes.end());
  for (const Output& output : outputs) {
    attrs.push_back(static_cast<std::int64_t>(output.kind));
    attrs.push_back(output.axisOrTerms);
  }
  return attrs;
}

TapePtr formLanes(const TapePtr& t) {
  if (!hasLongMatrices(*t)) return t;
  AxisClasses classes(*t);
  for (const auto& [axes, lanes] : candidates(*t, classes)) {
    Region region(t, classes, axes, lanes);
    if (!region.analyze()) continue;
    if (TapePtr result = region.build()) return result;
  }
  return t;
}

}  // namespace adjoint

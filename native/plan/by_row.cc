#include "plan/by_row.h"

#include <algorithm>

#include "ops/op.h"
#include "ops/row.h"
#include "plan/analysis.h"
#include "plan/lanes.h"
#include "plan/min_cut.h"
#include "transform/copy.h"
#include "transform/moves.h"

namespace adjoint {

namespace {

/// What an element costs in every lane that is picked from a table, beside what operations cost.
constexpr std::int64_t kPicked = 3;
/// The cut is found in a graph of values; larger ones would take long.
constexpr std::size_t kMaxValues = 20000;

/// A value by lane as a function of rows: lanes are its first axis.
class RowFinder {
 public:
  explicit RowFinder(const Tape& t) : tape_(t), forms_(t.size()) {
    for (NodeId id = 0; id < t.size(); ++id) forms_[id] = formOf(id);
  }

  enum class Kind : std::uint8_t {
    Other,
    Uniform,  ///< the same in every lane
    Picked,   ///< rows of a table
    Row,      ///< computed from those
  };
  struct Form {
    Kind kind = Kind::Other;
    NodeId indices = kNoNode;
    std::int64_t rows = 0;  ///< of the table
  };

  const Form& of(NodeId id) const { return forms_[id]; }
  bool isByRow(NodeId id) const {
    return forms_[id].kind == Kind::Picked || forms_[id].kind == Kind::Row;
  }

 private:
  Form formOf(NodeId id) const {
    const Node& node = tape_.node(id);
    const Shape& shape = tape_.shape(node);
    if (shape.empty() || shape[0] < kMinLanes) return {};
    const auto operands = tape_.operands(node);
    switch (opOf(node)) {
      case Op::Constant:
        return {Kind::Uniform};
      case Op::Gather: {
        const Shape& table = tape_.shape(operands[0]);
        const bool isByLane = tape_.attrs(node)[0] == 0 &&
                              tape_.node(operands[1]).op == tapeop::kData &&
                              tape_.shape(operands[1]).size() == 1 &&
                              table[0] * kLanesPerRow <= shape[0] && !canFail(tape_, node);
        return isByLane ? Form{Kind::Picked, operands[1], table[0]} : Form{};
      }
      case Op::BroadcastTo: {
        const Shape& from = tape_.shape(operands[0]);
        if (from.size() < shape.size() || from[0] == 1) return {Kind::Uniform};
        return again(operands[0]);
      }
      case Op::Slice: {
        const auto& attrs = tape_.attrs(node);
        const bool isWhole =
            attrs[0] == 0 && attrs[2] == 1 && tape_.shape(operands[0])[0] == shape[0];
        return isWhole ? again(operands[0]) : Form{};
      }
      case Op::Reshape: {
        const Shape& from = tape_.shape(operands[0]);
        return !from.empty() && from[0] == shape[0] ? again(operands[0]) : Form{};
      }
      default:
        break;
    }
    if (!isElementwise(node)) return {};
    Form form{Kind::Uniform};
    for (const NodeId operand : operands) {
      const Form& of = forms_[operand];
      if (of.kind == Kind::Other) return {};
      if (of.kind == Kind::Uniform) continue;
      if (form.kind == Kind::Row && form.indices != of.indices) return {};
      form = {Kind::Row, of.indices, of.rows};
    }
    return form;
  }

  /// Of what moves a value without mixing its lanes.
  Form again(NodeId operand) const {
    Form form = forms_[operand];
    if (form.kind == Kind::Picked) form.kind = Kind::Row;
    return form;
  }

  const Tape& tape_;
  std::vector<Form> forms_;
};

class Rewriter {
 public:
  explicit Rewriter(const Tape& t)
      : tape_(t),
        rows_(t),
        copier_(builder_, t),
        map_(t.size(), kNoNode),
        table_(t.size(), kNoNode) {}

  /// False: nothing is better computed by row.
  bool choose() {
    number_.assign(tape_.size(), 0);
    std::vector<NodeId> values;
    for (NodeId id = 0; id < tape_.size(); ++id) {
      if (!rows_.isByRow(id)) continue;
      values.push_back(id);
      number_[id] = values.size();
    }
    if (values.empty() || values.size() > kMaxValues) return false;
    cut(values);
    // What the picked values are made of is made by row.
    for (std::size_t i = values.size(); i-- > 0;) {
      const NodeId id = values[i];
      if (isPicked_[id]) isInTable_[id] = true;
      if (!isInTable_[id] || rows_.of(id).kind == RowFinder::Kind::Picked) continue;
      for (const NodeId operand : tape_.operands(tape_.node(id)))
        isInTable_[operand] = isInTable_[operand] || rows_.isByRow(operand);
    }
    return std::ranges::find(isPicked_, true) != isPicked_.end();
  }

  TapePtr run() {
    builder_.setSharing(true);
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      builder_.setOrigin(node.origin == kNoNode ? id : node.origin);
      if (isInTable_[id]) table_[id] = inTable(id);
      if (node.op == tapeop::kInput) {
        map_[id] = builder_.input(tape_.inputs()[node.attr].name, tape_.shape(node), node.dtype);
      } else if (isPicked_[id]) {
        const std::int64_t axis = 0;
        const NodeId operands[] = {table_[id], map_[rows_.of(id).indices]};
        map_[id] =
            builder_.append(code(Op::Gather), node.dtype, tape_.shape(node), operands, {&axis, 1});
      } else if (!rows_.isByRow(id) || isInLane_[id]) {
        map_[id] = copier_.copyMapped(node, map_);
      }
    }
    std::vector<Port> outputs = tape_.outputs();
    for (Port& port : outputs) port.node = map_[port.node];
    return builder_.finish(std::move(outputs));
  }

 private:
  /// Vertices: two a value, whether lanes need it and whether they compute it.
  void cut(const std::vector<NodeId>& values) {
    constexpr std::size_t kSource = 0, kSink = 1;
    const auto needed = [&](NodeId id) { return 2 * number_[id]; };
    const auto computed = [&](NodeId id) { return 2 * number_[id] + 1; };
    MinCut graph(2 * values.size() + 2);
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      const bool isByRow = rows_.isByRow(id);
      if (!isByRow) {
        for (const NodeId operand : tape_.operands(node))
          if (rows_.isByRow(operand)) graph.addEdge(kSource, needed(operand), MinCut::kInfinite);
        continue;
      }
      const bool isRow = rows_.of(id).kind == RowFinder::Kind::Row;
      const std::int64_t perLane = tape_.count(id) / tape_.shape(node)[0];
      graph.addEdge(needed(id), computed(id), isRow ? perLane * kPicked : MinCut::kInfinite);
      graph.addEdge(computed(id), kSink,
                    isRow ? perLane * operationPrice(node) : perLane * kPicked);
      if (!isRow) continue;
      for (const NodeId operand : tape_.operands(node))
        if (rows_.isByRow(operand)) graph.addEdge(computed(id), needed(operand), MinCut::kInfinite);
    }
    for (const Port& port : tape_.outputs())
      if (rows_.isByRow(port.node)) graph.addEdge(kSource, needed(port.node), MinCut::kInfinite);
    for (const NodeId id : tape_.checks())
      if (rows_.isByRow(id)) graph.addEdge(kSource, needed(id), MinCut::kInfinite);
    const std::vector<bool> isWithSource = graph.solve(kSource, kSink);
    isPicked_.assign(tape_.size(), false);
    isInLane_.assign(tape_.size(), false);
    isInTable_.assign(tape_.size(), false);
    for (const NodeId id : values) {
      if (!isWithSource[needed(id)]) continue;
      (isWithSource[computed(id)] ? isInLane_ : isPicked_)[id] = true;
    }
  }

  /// The value with rows of the table in the place of lanes.
  NodeId inTable(NodeId id) {
    const Node& node = tape_.node(id);
    const RowFinder::Form& form = rows_.of(id);
    if (form.kind == RowFinder::Kind::Picked) return map_[node.operand[0]];
    const auto operands = tape_.operands(node);
    Shape shape = tape_.shape(node);
    shape[0] = form.rows;
    std::vector<std::int64_t> attrs = tape_.attrs(node);
    if (opOf(node) == Op::Slice) attrs[1] = form.rows;
    NodeId x[3];
    for (std::size_t k = 0; k < operands.size(); ++k)
      x[k] = rows_.isByRow(operands[k]) ? table_[operands[k]] : uniform(operands[k], form.rows);
    return builder_.append(node.op, node.dtype, shape, {x, operands.size()}, attrs);
  }

  /// A value that is the same in all lanes, on rows.
  NodeId uniform(NodeId id, std::int64_t rows) {
    const Node& node = tape_.node(id);
    Shape shape = tape_.shape(node);
    shape[0] = rows;
    if (node.op == tapeop::kConstant)
      return builder_.constant(Tape::constantValue(node), shape, node.dtype);
    // A lane's, whichever.
    std::vector<std::int64_t> one;
    for (const std::int64_t extent : tape_.shape(node)) one.insert(one.end(), {0, extent, 1});
    one[1] = 1;
    Shape first = tape_.shape(node);
    first[0] = 1;
    const NodeId lane = builder_.append(code(Op::Slice), node.dtype, first, {&map_[id], 1}, one);
    return builder_.append(code(Op::BroadcastTo), node.dtype, shape, {&lane, 1});
  }

  const Tape& tape_;
  const RowFinder rows_;
  Builder builder_;
  Copier copier_;
  std::vector<NodeId> map_, table_;  ///< by node: lane by lane, and by row
  std::vector<std::size_t> number_;  ///< by node: among the values by row, from 1
  std::vector<bool> isPicked_, isInLane_, isInTable_;
};

}  // namespace

TapePtr computeByRow(const TapePtr& t) {
  const bool hasTables = std::ranges::any_of(t->nodes(), [&](const Node& node) {
    return opOf(node) == Op::Gather && !t->shape(node).empty() && t->shape(node)[0] >= kMinLanes &&
           t->shape(node.operand[0])[0] * kLanesPerRow <= t->shape(node)[0];
  });
  if (!hasTables) return t;
  Rewriter rewriter(*t);
  return rewriter.choose() ? rewriter.run() : t;
}

}  // namespace adjoint

#include "sparsity/unrolled_loops.h"

#include <algorithm>
#include <limits>

#include "ops/build.h"
#include "transform/transform.h"

namespace adjoint {

namespace {

constexpr std::int64_t kSaturated = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kElementsPerNode = 64;

std::int64_t sum(std::int64_t a, std::int64_t b) { return a > kSaturated - b ? kSaturated : a + b; }
std::int64_t product(std::int64_t a, std::int64_t b) {
  return b != 0 && a > kSaturated / b ? kSaturated : a * b;
}

class Unroller {
 public:
  Unroller(Builder& builder, const Tape& t, const Node& loop, std::span<const NodeId> operands,
           std::optional<std::int64_t> steps, std::vector<NodeId>* loops)
      : builder_(builder),
        origin_(loop.origin),
        loops_(loops),
        attributes_(LoopAttributes::read(t, loop)),
        step_(*t.rule(attributes_.rule).primal),
        operands_(operands),
        steps_(steps) {
    if (attributes_.trips == LoopTrips::Fixed) steps_ = attributes_.length;
    const auto first = operands.begin() + static_cast<std::ptrdiff_t>(attributes_.constants);
    carries_.assign(first, first + static_cast<std::ptrdiff_t>(attributes_.carries));
    rows_.resize(step_.outputs().size() - attributes_.carries);
    for (auto& rows : rows_)
      rows.resize(static_cast<std::size_t>(attributes_.length), Expr{&builder, kNoNode});
  }

  std::vector<NodeId> run() {
    if (steps_) {
      for (std::int64_t i = 0; i < *steps_; ++i) take(rowOfStep(i, *steps_));
      count_ = builder_.constant(static_cast<double>(*steps_));
    } else if (attributes_.reverse) {
      runFromAnyRow();
    } else {
      runToAnyStep();
    }
    return items();
  }

 private:
  Expr at(NodeId id) { return {&builder_, id}; }

  std::int64_t rowOfStep(std::int64_t i, std::int64_t steps) const {
    return attributes_.reverse ? steps - 1 - i : i;
  }

  std::vector<NodeId> copyOfStep(const std::vector<NodeId>& inputs) {
    if (loops_ == nullptr) return inlineTape(builder_, step_, inputs);
    loops_->resize(builder_.size(), kNoNode);
    std::vector<NodeId> outputs = inlineTape(builder_, step_, inputs, true);
    builder_.setOrigin(origin_);
    loops_->resize(builder_.size(), origin_);
    return outputs;
  }

  /// One step on the carries.
  void take(std::int64_t row) {
    std::vector<NodeId> inputs(
        operands_.begin(), operands_.begin() + static_cast<std::ptrdiff_t>(attributes_.constants));
    inputs.insert(inputs.end(), carries_.begin(), carries_.end());
    for (std::size_t k = inputs.size(); k < attributes_.inputs(); ++k) {
      const Shape& shape = step_.shape(step_.inputs()[k].node);
      inputs.push_back(ex::reshape(ex::sliceAxis(at(operands_[k]), 0, {row, 1, 1}), shape).id);
    }
    if (attributes_.indexed) inputs.push_back(builder_.constant(static_cast<double>(row)));
    const std::vector<NodeId> outputs = copyOfStep(inputs);
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      if (k < attributes_.carries) {
        carries_[k] = outputs[k];
      } else {
        rows_[k - attributes_.carries][static_cast<std::size_t>(row)] =
            ex::expandAxes(at(outputs[k]), {0});
      }
    }
  }

  std::vector<NodeId> chosen(Expr condition, const std::vector<NodeId>& a,
                             const std::vector<NodeId>& b) {
    std::vector<NodeId> result;
    for (std::size_t k = 0; k < a.size(); ++k)
      result.push_back(apply(Op::Where, {condition, at(a[k]), at(b[k])}).id);
    return result;
  }

  /// Forwards: the first steps of those that can be.
  void runToAnyStep() {
    std::vector<NodeId> last = carries_;
    Expr goesOn = at(builder_.constant(1, {}, DType::Bool));
    count_ = builder_.constant(0);
    for (std::int64_t i = 0; i < attributes_.length; ++i) {
      const Expr next = at(builder_.constant(static_cast<double>(i)));
      const Expr condition = attributes_.trips == LoopTrips::While
                                 ? at(carries_[0])
                                 : apply(Op::Less, {next, at(operands_.back())});
      goesOn = apply(Op::LogicalAnd, {goesOn, condition});
      take(i);
      last = chosen(goesOn, carries_, last);
      const Expr steps = at(builder_.constant(static_cast<double>(i + 1)));
      count_ = apply(Op::Where, {goesOn, steps, at(count_)}).id;
    }
    carries_ = std::move(last);
  }

  /// Backwards: any row can be that of the first step.
  void runFromAnyRow() {
    const std::vector<NodeId> first = carries_;
    const Expr count = at(operands_.back());
    for (std::int64_t row = attributes_.length - 1; row >= 0; --row) {
      const Expr isFirst =
          apply(Op::LessEqual, {count, at(builder_.constant(static_cast<double>(row + 1)))});
      carries_ = chosen(isFirst, first, carries_);
      take(row);
    }
    const Expr isAny = apply(Op::Less, {at(builder_.constant(0)), count});
    carries_ = chosen(isAny, carries_, first);
  }

  std::vector<NodeId> items() {
    std::vector<NodeId> result = carries_;
    for (std::size_t k = 0; k < rows_.size(); ++k) {
      const Port& port = step_.outputs()[attributes_.carries + k];
      const DType type = step_.node(port.node).dtype;
      Shape shape = step_.shape(port.node);
      shape.insert(shape.begin(), 1);
      for (Expr& row : rows_[k]) {
        if (!row) row = at(builder_.constant(0, shape, type));
      }
      shape[0] = 0;
      result.push_back(rows_[k].empty() ? builder_.constant(0, shape, type)
                                        : ex::concat(rows_[k], 0).id);
    }
    if (attributes_.trips == LoopTrips::While) result.push_back(count_);
    return result;
  }

  Builder& builder_;
  NodeId origin_;
  std::vector<NodeId>* loops_;
  const LoopAttributes attributes_;
  const Tape& step_;
  std::span<const NodeId> operands_;
  std::optional<std::int64_t> steps_;
  std::vector<NodeId> carries_;
  std::vector<std::vector<Expr>> rows_;  ///< by result, by row
  NodeId count_ = kNoNode;
};

}  // namespace

std::int64_t unrolledCost(const Tape& t, const Node& loop) {
  const LoopAttributes attributes = LoopAttributes::read(t, loop);
  const Tape& step = *t.rule(attributes.rule).primal;
  // A step's inputs are cut out, its results joined.
  auto cost = static_cast<std::int64_t>(attributes.inputs() + step.outputs().size());
  for (NodeId id = 0; id < step.size(); ++id) {
    const Node& node = step.node(id);
    const std::int64_t own =
        opOf(node) == Op::Loop ? unrolledCost(step, node) : 1 + step.count(id) / kElementsPerNode;
    cost = sum(cost, own);
  }
  return product(attributes.length, cost);
}

std::vector<NodeId> unrollLoop(Builder& builder, const Tape& t, const Node& loop,
                               std::span<const NodeId> operands, std::optional<std::int64_t> steps,
                               std::vector<NodeId>* loops) {
  return Unroller(builder, t, loop, operands, steps, loops).run();
}

}  // namespace adjoint

#include "plan/steps.h"

#include <string>

#include "plan/interleave.h"
#include "plan/join_batch.h"
#include "tape/around.h"

namespace adjoint {

namespace {

/// Products of fewer multiplications have nothing to gain from what is known of their elements.
constexpr std::int64_t kManyMultiplications = 4096;

}  // namespace

Step StepMaker::make(NodeId id) {
  const Node& node = tape_.node(id);
  switch (opOf(node)) {
    case Op::BatchMatMul:
      return matmul(id);
    case Op::LaneMatMul:
      return laneMatmul(id);
    case Op::CumSum:
    case Op::LinearRecurrence:
      return recurrence(id);
    case Op::ScatterSum:
      return scatterAdd(id);
    case Op::ArgMax:
    case Op::ArgMin:
    case Op::ArgSort:
      return index(id);
    case Op::Interleave:
      return interleave(id);
    case Op::Lanes:
      return lanes_.make(id, itemsOf(id));
    case Op::Loop:
      return loops_.make(id, itemsOf(id));
    default:
      throw Error(ErrorCode::Native, std::string("no step for ") + opName(node.op));
  }
}

/// By number; kNoNode where nobody reads it.
std::vector<NodeId> StepMaker::itemsOf(NodeId call) const {
  std::vector<NodeId> items(itemCount(tape_, tape_.node(call)), kNoNode);
  const auto found = items_.find(call);
  if (found == items_.end()) return items;
  for (const NodeId item : found->second)
    items[static_cast<std::size_t>(tape_.attrs(tape_.node(item))[0])] = item;
  return items;
}

RecurrenceStep StepMaker::recurrence(NodeId id) {
  const Node& node = tape_.node(id);
  const auto& attrs = tape_.attrs(node);
  const Around a = around(tape_.shape(node), attrs[0]);
  const bool hasA = opOf(node) == Op::LinearRecurrence;
  RecurrenceStep step{a.outer, a.n, a.inner, hasA, attrs[1] != 0, 0, 0, buffers_.of(id)};
  if (hasA) step.a = buffers_.contiguousOf(node.operand[0]);
  step.b = buffers_.contiguousOf(node.operand[hasA ? 1 : 0]);
  return step;
}

ScatterAddStep StepMaker::scatterAdd(NodeId id) {
  const Node& node = tape_.node(id);
  const auto& attrs = tape_.attrs(node);
  const NodeId indices = node.operand[0];
  const NodeId updates = node.operand[1];
  const Around a = around(tape_.shape(node), attrs[0]);
  return {a.outer,
          tape_.count(indices),
          a.inner,
          attrs[1],
          buffers_.contiguousOf(indices),
          buffers_.contiguousOf(updates),
          buffers_.of(id),
          id};
}

IndexStep StepMaker::index(NodeId id) {
  const Node& node = tape_.node(id);
  const Around a = around(tape_.shape(node.operand[0]), tape_.attrs(node)[0]);
  const auto kind = opOf(node) == Op::ArgSort  ? IndexStep::Kind::ArgSort
                    : opOf(node) == Op::ArgMax ? IndexStep::Kind::ArgMax
                                               : IndexStep::Kind::ArgMin;
  return {kind, a.outer, a.n, a.inner, buffers_.contiguousOf(node.operand[0]), buffers_.of(id)};
}

InterleaveStep StepMaker::interleave(NodeId id) {
  const auto operands = tape_.operands(tape_.node(id));
  InterleaveStep step;
  std::vector<JoinedPart> parts;
  for (const NodeId part : operands.subspan(1)) {
    const Node& node = tape_.node(part);
    parts.push_back({tape_.count(part), std::nullopt});
    if (node.op == tapeop::kConstant) {
      const double x = parts.back().uniform.emplace(Tape::constantValue(node));
      const std::vector<double> all(InterleaveStep::kUniformElements, x);
      step.sources.push_back({buffers_.addConstants(all), true});
    } else {
      step.sources.push_back({buffers_.contiguousOf(part), false});
    }
  }
  findRuns(tape_.data(tape_.node(operands[0])), parts, step);
  step.out = buffers_.of(id);
  return step;
}

StridedOperand StepMaker::strided(NodeId operand) {
  const View view = views_.resolve(operand);
  StridedOperand result{buffers_.of(view.root), view.offset, {0, 0, 0}};
  result.stride[1] = view.stride[view.rank - 2];
  result.stride[2] = view.stride[view.rank - 1];
  // More than one batch axis stands in row-major order (Analysis keeps a copy otherwise).
  const Shape& shape = tape_.shape(operand);
  for (std::size_t k = view.rank - 2; k-- > 0;) {
    if (shape[k] == 1) continue;
    result.stride[0] = view.stride[k];
    break;
  }
  return result;
}

MatMulStep StepMaker::matmul(NodeId id) {
  const Node& node = tape_.node(id);
  const Shape& a = tape_.shape(node.operand[0]);
  const Shape& c = tape_.shape(node);
  const std::size_t rank = c.size();
  MatMulStep step;
  for (std::size_t k = 0; k + 2 < rank; ++k) step.batch *= c[k];
  step.m = c[rank - 2];
  step.n = c[rank - 1];
  step.k = a[rank - 1];
  step.a = strided(node.operand[0]);
  step.b = strided(node.operand[1]);
  step.c = buffers_.of(id);
  if (step.m * step.n * step.k >= kManyMultiplications) {
    // Rows of a step are rows of its operand.
    const bool isOwn = step.batch == 1 || step.a.stride[0] != 0;
    if (isOwn) step.nonzero = structure_.get().nonzeroSpans(node.operand[0]);
    step.needed = structure_.get().neededSpans(id);
  }
  joinBatch(step);
  return step;
}

StridedOperand StepMaker::ofLanes(NodeId operand) {
  const View view = views_.resolve(operand);
  if (tape_.node(view.root).op == tapeop::kConstant) {
    const Shape& shape = tape_.shape(operand);
    return {buffers_.contiguousOf(operand), 0, {1, shape[1] * shape[2], shape[2]}};
  }
  return {buffers_.of(view.root), view.offset, {1, view.stride[0], view.stride[1]}};
}

MatMulStep StepMaker::laneMatmul(NodeId id) {
  const Node& node = tape_.node(id);
  const Shape& c = tape_.shape(node);
  MatMulStep step;
  step.batch = c[2];
  step.m = c[0];
  step.n = c[1];
  step.k = tape_.shape(node.operand[0])[1];
  step.a = ofLanes(node.operand[0]);
  step.b = ofLanes(node.operand[1]);
  step.c = buffers_.of(id);
  step.isOfLanes = true;
  return step;
}

}  // namespace adjoint

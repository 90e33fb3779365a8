#include "plan/lane_steps.h"

#include <algorithm>
#include <bit>

#include "plan/assemble.h"
#include "tape/around.h"

namespace adjoint {

namespace {

/// Doubles that stay in the first-level cache beside what is computed, and in the second-level one.
constexpr std::int64_t kFirstLevel = 3072, kSecondLevel = 24576;
/// Odd multiples of the least block: rows of lanes at distances that are multiples of large powers
/// of two would share few sets of a cache.
constexpr std::int64_t kMinBlock = 16, kMaxBlock = 112;
/// A product that contracts over lanes reads and writes its result once a block.
constexpr std::int64_t kMinProductBlock = 64;

/// The loop without its ports: as many lanes a block as keep all values of the body near.
LaneStep stepWithoutPorts(const TapePtr& body, const LaneAttributes& attributes,
                          const std::vector<ElementSet>& inputZeros) {
  const std::vector<bool> isMapped = attributes.isMapped();
  const auto planOf = [&](std::int64_t block) {
    return assemblePlan(overLanes(body, block, isMapped), {}, inputZeros);
  };
  LaneStep step;
  step.lanes = attributes.lanes;
  step.block = kMinBlock;
  step.plan = planOf(step.block);
  const std::int64_t perLane = (step.plan->ioDoubles + step.plan->tempDoubles) / kMinBlock + 1;
  const std::int64_t near = step.plan->tempDoubles == 0 ? kFirstLevel : kSecondLevel;
  const std::int64_t most = (step.lanes + kMinBlock - 1) / kMinBlock * kMinBlock;
  std::int64_t block =
      std::min(most, std::clamp(near / perLane / kMinBlock * kMinBlock, kMinBlock, kMaxBlock));
  if (block / kMinBlock % 2 == 0 && block < most) block -= kMinBlock;
  const bool hasProducts = std::ranges::any_of(
      attributes.outputs, [](const auto& output) { return output.kind == LaneOutput::Left; });
  // Blocks are parts of a product's chains.
  if (hasProducts)
    block = static_cast<std::int64_t>(
        std::bit_floor(static_cast<std::uint64_t>(std::max(block, kMinProductBlock))));
  if (block != step.block) {
    step.block = block;
    step.plan = planOf(block);
  }
  return step;
}

}  // namespace

LaneStep LaneSteps::make(NodeId id, const std::vector<NodeId>& items) {
  const Node& node = tape_.node(id);
  const LaneAttributes attributes = LaneAttributes::read(tape_, node);
  LaneStep step = stepWithoutPorts(tape_.rule(attributes.rule).primal, attributes,
                                   sharedZeros(node, attributes));
  placeInputs(step, node, attributes);
  step.outputs.resize(attributes.outputs.size());
  for (std::size_t k = 0; k < items.size(); ++k)
    placeOutput(step, k, attributes.outputs[k], items[k]);
  return step;
}

/// Known zeros of what all lanes share.
std::vector<ElementSet> LaneSteps::sharedZeros(const Node& node, const LaneAttributes& attributes) {
  const Tape& body = *tape_.rule(attributes.rule).primal;
  const bool hasProducts = std::ranges::any_of(
      body.nodes(), [](const Node& inner) { return opOf(inner) == Op::BatchMatMul; });
  std::vector<ElementSet> result;
  if (!hasProducts) return result;
  auto operand = tape_.operands(node).begin();
  for (const auto& input : attributes.inputs) {
    result.emplace_back();
    if (input.kind == LaneInput::Shared) result.back() = structure_.get().zeros(*operand);
    operand += input.kind == LaneInput::Gathered ? 2 : 1;
  }
  return result;
}

void LaneSteps::placeInputs(LaneStep& step, const Node& node, const LaneAttributes& attributes) {
  auto operand = tape_.operands(node).begin();
  for (const auto& [kind, axis] : attributes.inputs) {
    const NodeId from = *operand++;
    LaneStep::Port port;
    port.buffer = buffers_.contiguousOf(from);
    if (kind == LaneInput::Shared) {
      port.kind = LaneStep::Port::Kind::Shared;
      port.inner = tape_.count(from);
    } else {
      const Around a = around(tape_.shape(from), axis);
      port.outer = a.outer;
      port.inner = a.inner;
      if (kind == LaneInput::Gathered) {
        port.kind = LaneStep::Port::Kind::Gathered;
        port.rows = a.n;
        port.indices = buffers_.contiguousOf(*operand++);
      }
    }
    step.inputs.push_back(port);
  }
}

void LaneSteps::placeOutput(LaneStep& step, std::size_t k, const LaneAttributes::Output& output,
                            NodeId item) {
  const auto [kind, axisOrTerms] = output;
  if (kind == LaneOutput::Left || kind == LaneOutput::Right)
    return placeProduct(step, k, kind == LaneOutput::Left, item);
  LaneStep::Port& port = step.outputs[k];
  const std::int64_t perLane =
      step.plan->buffers[step.plan->outputs[k].buffer].elements / step.block;
  if (kind != LaneOutput::Mapped) {
    port.kind = LaneStep::Port::Kind::Reduce;
    port.terms = axisOrTerms;
    port.inner = perLane / std::max<std::int64_t>(1, axisOrTerms);
    port.op = kind == LaneOutput::Sum   ? ReduceOp::Sum
              : kind == LaneOutput::Max ? ReduceOp::Max
                                        : ReduceOp::Min;
  } else if (item != kNoNode) {
    const Around a = around(tape_.shape(item), axisOrTerms);
    port.outer = a.outer;
    port.inner = a.inner;
  } else {
    port.inner = perLane;
  }
  const auto inPlace = inPlace_.find(item);
  if (inPlace != inPlace_.end()) {
    port.buffer = inPlace->second.buffer;
    port.offset = inPlace->second.offset;
  } else if (item != kNoNode) {
    port.buffer = buffers_.of(item);
  } else {
    // One that nobody reads needs a place all the same.
    port.buffer = buffers_.addTemporary(port.inner * (kind == LaneOutput::Mapped ? step.lanes : 1));
  }
}

/// One side of a product that contracts over lanes.
void LaneSteps::placeProduct(LaneStep& step, std::size_t k, bool isLeft, NodeId item) {
  LaneStep::Port& port = step.outputs[k];
  const Shape& own = step.plan->outputs[k].shape;  // [batch.., m or n, block]
  port.inner = own[own.size() - 2];
  port.outer = elementCount(own) / (port.inner * step.block);
  port.kind = isLeft ? LaneStep::Port::Kind::Left : LaneStep::Port::Kind::Right;
  if (isLeft) {
    const Shape& right = step.plan->outputs[k + 1].shape;
    const std::int64_t elements = port.outer * port.inner * right[right.size() - 2];
    port.buffer = item != kNoNode ? buffers_.of(item) : buffers_.addTemporary(elements);
    if (item != kNoNode) port.needed = structure_.get().neededSpans(item);
  } else {
    port.buffer = step.outputs[k - 1].buffer;
  }
}

}  // namespace adjoint

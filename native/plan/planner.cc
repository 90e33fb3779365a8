#include "plan/planner.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <unordered_map>

#include "plan/analysis.h"
#include "plan/arena.h"
#include "plan/buffers.h"
#include "plan/by_row.h"
#include "plan/contract.h"
#include "plan/emit.h"
#include "plan/interleave.h"
#include "plan/join.h"
#include "plan/join_batch.h"
#include "plan/lanes.h"
#include "plan/loops.h"
#include "plan/pieces_apart.h"
#include "plan/recompute.h"
#include "plan/rows_by_piece.h"
#include "plan/scalarize.h"
#include "plan/shifts.h"
#include "plan/signs.h"
#include "plan/structure.h"
#include "tape/around.h"
#include "transform/transform.h"

namespace adjoint {

namespace {

/// Functions of so few scalar operations are scalar code: less than the overhead of loops over
/// them.
constexpr std::int64_t kFewOperations = 2048;
constexpr std::int64_t kShortAxis = 32;

bool isSmall(const Tape& t) {
  bool hasTensors = false;
  for (NodeId id = 0; id < t.size(); ++id) {
    if (t.count(id) > kFewOperations) return false;
    const bool isPort = opOf(t.node(id)) == Op::Input || opOf(t.node(id)) == Op::Data;
    if (isPort) continue;
    for (const std::int64_t extent : t.shape(id)) {
      hasTensors = hasTensors || extent > 1;
      if (extent > kShortAxis) return false;
    }
  }
  return hasTensors && scalarOperations(t, kFewOperations) >= 0;
}

/// Whether nearly all elements belong to vectors that loops of machine code go through: worth more
/// than scalar code even where they are short.
bool fillsVectors(const Tape& t) {
  constexpr std::int64_t kVector = 8, kShare = 10;
  std::int64_t inVectors = 0, others = 0;
  for (NodeId id = 0; id < t.size(); ++id) {
    if (!isElementwise(t.node(id))) continue;
    const std::int64_t count = t.count(id);
    (count >= kVector && t.shape(id).back() == count ? inVectors : others) += count;
  }
  return inVectors >= kShare * others;
}

/// Products of fewer multiplications have nothing to gain from what is known of their elements.
constexpr std::int64_t kManyMultiplications = 4096;

LaneStep makeLaneStep(const TapePtr& body, const LaneAttributes& attributes,
                      const std::vector<ElementSet>& inputZeros);

class Planner {
 public:
  Planner(TapePtr tape, const PlanOptions& options, std::vector<ElementSet> inputZeros = {})
      : tape_(*tape),
        options_(options),
        inputZeros_(std::move(inputZeros)),
        analysis_(tape_),
        pairs_(tape_),
        plan_(std::make_shared<Plan>()),
        buffers_(tape_, analysis_.views(), *plan_),
        needed_(tape_.size(), false) {
    plan_->tape = std::move(tape);
  }

  std::shared_ptr<const Plan> run() {
    placeIo();
    collectJobs();
    markNeeded();
    emitSteps();
    if (options_.joins) joinNeighbors(plan_->steps, plan_->buffers);
    // Code may read a whole vector past the last constant.
    plan_->constants.resize(plan_->constants.size() + 8, 0.0);
    if (options_.interleaves) makeRowsByPiece(*plan_);
    placeTemporaries(*plan_);
    return plan_;
  }

 private:
  IoPort addPort(const Port& port) {
    return {port.name, buffers_.addIo(tape_.count(port.node)), tape_.shape(port.node),
            tape_.node(port.node).dtype};
  }

  /// The value with the same elements in their order: whoever makes it may write any shape of them.
  NodeId unshaped(NodeId id) {
    NodeId value = analysis_.views().strip(id);
    while (analysis_.role(value) == Role::View && opOf(tape_.node(value)) == Op::Reshape)
      value = analysis_.views().strip(tape_.node(value).operand[0]);
    return value;
  }

  void placeIo() {
    for (const Port& port : tape_.inputs()) {
      plan_->inputs.push_back(addPort(port));
      buffers_.put(port.node, plan_->inputs.back().buffer);
    }
    for (const Port& port : tape_.outputs()) {
      plan_->outputs.push_back(addPort(port));
      const NodeId value = unshaped(port.node);
      const Role role = analysis_.role(value);
      const bool isOwn = role == Role::Pointwise || role == Role::Reduction ||
                         role == Role::Concat || role == Role::Library;
      if (isOwn && !buffers_.has(value)) {
        buffers_.put(value, plan_->outputs.back().buffer);
        analysis_.setStored(value);
      } else {
        const BufferId buffer = plan_->outputs.back().buffer;
        outputSites_.push_back({port.node, buffer, 0, rowMajorStrides(tape_.shape(port.node))});
      }
    }
  }

  std::vector<Item>& itemsOf(std::uint32_t space, std::uint32_t level) {
    const std::uint64_t key = static_cast<std::uint64_t>(level) << 32 | space;
    if (lastJob_ < jobs_.size() && key == lastKey_) return jobs_[lastJob_].items;
    const auto [it, isNew] = jobOf_.try_emplace(key, jobs_.size());
    if (isNew) jobs_.push_back({space, level, {}});
    lastKey_ = key;
    lastJob_ = it->second;
    return jobs_[lastJob_].items;
  }

  void addSite(Site site) {
    const NodeId piece = site.value;
    sites_.push_back(std::move(site));
    itemsOf(analysis_.space(piece), analysis_.storeLevel(piece))
        .push_back({kNoNode, static_cast<std::uint32_t>(sites_.size() - 1)});
  }

  /// A joined value that begins another one stands there from the beginning.
  void placeNested() {
    for (NodeId id = tape_.size(); id-- > 0;) {
      if (analysis_.role(id) != Role::Concat) continue;
      const Node& node = tape_.node(id);
      const NodeId first = joinedFirst(node);
      const bool isWhole = around(tape_.shape(node), tape_.attrs(node)[0]).outer == 1;
      if (isWhole && first != kNoNode && !buffers_.has(first)) buffers_.put(first, buffers_.of(id));
    }
  }

  /// The first operand, in whatever shape, if it is joined itself.
  NodeId joinedFirst(const Node& node) {
    const NodeId value = unshaped(tape_.operands(node)[0]);
    return analysis_.role(value) == Role::Concat ? value : kNoNode;
  }

  void collectJobs() {
    placeNested();
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      switch (analysis_.role(id)) {
        case Role::Pointwise:
          itemsOf(analysis_.space(id), analysis_.level(id)).push_back({id, kNoNode});
          break;
        case Role::Reduction:
          itemsOf(analysis_.space(node.operand[0]), analysis_.level(id)).push_back({id, kNoNode});
          break;
        case Role::Concat: {
          const auto axis = static_cast<std::size_t>(tape_.attrs(node)[0]);
          const std::vector<std::int64_t> strides = rowMajorStrides(tape_.shape(node));
          const BufferId buffer = buffers_.of(id);
          const bool isWhole = around(tape_.shape(node), tape_.attrs(node)[0]).outer == 1;
          std::int64_t start = 0;
          for (const NodeId piece : tape_.operands(node)) {
            const NodeId item = isWhole ? loneItem(piece) : kNoNode;
            const NodeId nested = start == 0 ? joinedFirst(node) : kNoNode;
            if (nested != kNoNode && buffers_.of(nested) == buffer) {
              // It is there.
            } else if (item != kNoNode) {
              piecesInPlace_.emplace(item, PieceInPlace{buffer, start * strides[axis]});
            } else {
              addSite({piece, buffer, start * strides[axis], strides});
            }
            start += tape_.shape(piece)[axis];
          }
          break;
        }
        case Role::Library:
          if (opOf(node) == Op::Item) {
            items_[node.operand[0]].push_back(id);
          } else {
            libraries_.push_back(id);
          }
          break;
        default:
          break;
      }
    }
    for (Site& site : outputSites_) addSite(std::move(site));
  }

  /// What a loop over lanes gives along them and only this operand of a concat reads: the loop
  /// writes it where it belongs. kNoNode: it is something else.
  NodeId loneItem(NodeId piece) {
    if (uses_.empty()) uses_ = useCounts(tape_);
    NodeId value = piece;
    while (uses_[value] == 1 && opOf(tape_.node(value)) == Op::Reshape)
      value = tape_.node(value).operand[0];
    const Node& node = tape_.node(value);
    const bool isLoneItem = uses_[value] == 1 && opOf(node) == Op::Item &&
                            opOf(tape_.node(node.operand[0])) == Op::Lanes;
    if (!isLoneItem) return kNoNode;
    const auto attributes = LaneAttributes::read(tape_, tape_.node(node.operand[0]));
    const auto position = static_cast<std::size_t>(tape_.attrs(node)[0]);
    return attributes.outputs[position].kind == LaneOutput::Mapped ? value : kNoNode;
  }

  /// Values nobody stores or computes with are left out: those that others recompute.
  void markNeeded() {
    for (const KernelJob& job : jobs_) {
      for (std::size_t i = job.items.size(); i-- > 0;) {
        const Item& item = job.items[i];
        if (item.site != kNoNode) {
          need(sites_[item.site].value, job);
        } else if (analysis_.role(item.node) == Role::Reduction) {
          need(tape_.node(item.node).operand[0], job);
        } else if (needed_[item.node] || analysis_.isStored(item.node)) {
          needed_[item.node] = true;
          if (analysis_.views().isMovement(item.node)) continue;
          const PointwiseOperands operands = pointwiseOperands(tape_, tape_.node(item.node));
          for (std::size_t k = 0; k < operands.count; ++k) need(operands.ids[k], job);
        }
      }
    }
  }
  void need(NodeId operand, const KernelJob& job) {
    const NodeId value = analysis_.views().strip(operand);
    if (analysis_.isFused(value, job.space, job.level)) needed_[value] = true;
  }

  void emitSteps() {
    std::vector<std::vector<std::size_t>> jobsOfLevel(analysis_.levelCount());
    std::vector<std::vector<NodeId>> librariesOfLevel(analysis_.levelCount());
    for (std::size_t i = 0; i < jobs_.size(); ++i) jobsOfLevel[jobs_[i].level].push_back(i);
    for (const NodeId id : libraries_) librariesOfLevel[analysis_.level(id)].push_back(id);
    Emitter emitter(analysis_, buffers_, sites_, needed_);
    for (std::uint32_t level = 0; level < analysis_.levelCount(); ++level) {
      for (const std::size_t i : jobsOfLevel[level]) {
        Kernel kernel = emitter.emit(jobs_[i]);
        if (!kernel.body.empty()) plan_->steps.emplace_back(std::move(kernel));
        jobs_[i].items = {};
      }
      for (const NodeId id : librariesOfLevel[level]) plan_->steps.push_back(library(id));
    }
  }

  Step library(NodeId id) {
    const Node& node = tape_.node(id);
    const auto& attrs = tape_.attrs(node);
    switch (opOf(node)) {
      case Op::BatchMatMul:
        return matmul(id);
      case Op::CumSum:
      case Op::LinearRecurrence: {
        const Around a = around(tape_.shape(node), attrs[0]);
        const bool hasA = opOf(node) == Op::LinearRecurrence;
        RecurrenceStep step{a.outer, a.n, a.inner, hasA, attrs[1] != 0, 0, 0, buffers_.of(id)};
        if (hasA) step.a = buffers_.contiguousOf(node.operand[0]);
        step.b = buffers_.contiguousOf(node.operand[hasA ? 1 : 0]);
        return step;
      }
      case Op::ScatterSum: {
        const NodeId indices = node.operand[0];
        const NodeId updates = node.operand[1];
        const Around a = around(tape_.shape(node), attrs[0]);
        return ScatterAddStep{a.outer,
                              tape_.count(indices),
                              a.inner,
                              attrs[1],
                              buffers_.contiguousOf(indices),
                              buffers_.contiguousOf(updates),
                              buffers_.of(id),
                              id};
      }
      case Op::ArgMax:
      case Op::ArgMin:
      case Op::ArgSort: {
        const Around a = around(tape_.shape(node.operand[0]), attrs[0]);
        const auto kind = opOf(node) == Op::ArgSort  ? IndexStep::Kind::ArgSort
                          : opOf(node) == Op::ArgMax ? IndexStep::Kind::ArgMax
                                                     : IndexStep::Kind::ArgMin;
        return IndexStep{
            kind, a.outer, a.n, a.inner, buffers_.contiguousOf(node.operand[0]), buffers_.of(id)};
      }
      case Op::Interleave:
        return interleave(id);
      case Op::Lanes:
        return lanes(id);
      case Op::Loop:
        return loop(id);
      default:
        throw Error(ErrorCode::Native, std::string("no step for ") + opName(node.op));
    }
  }

  Step interleave(NodeId id) {
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

  Step lanes(NodeId id) {
    const Node& node = tape_.node(id);
    const LaneAttributes attributes = LaneAttributes::read(tape_, node);
    LaneStep step =
        makeLaneStep(tape_.rule(attributes.rule).primal, attributes, sharedZeros(node, attributes));
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
    step.outputs.resize(attributes.outputs.size());
    std::vector<NodeId> items(attributes.outputs.size(), kNoNode);
    for (const NodeId item : items_[id])
      items[static_cast<std::size_t>(tape_.attrs(tape_.node(item))[0])] = item;
    for (std::size_t k = 0; k < items.size(); ++k) {
      LaneStep::Port& port = step.outputs[k];
      const auto [kind, axisOrTerms] = attributes.outputs[k];
      const std::int64_t perLane =
          step.plan->buffers[step.plan->outputs[k].buffer].elements / step.block;
      if (kind == LaneOutput::Mapped) {
        // One that nobody reads needs a place all the same.
        if (items[k] != kNoNode) {
          const Around a = around(tape_.shape(items[k]), axisOrTerms);
          port.outer = a.outer;
          port.inner = a.inner;
        } else {
          port.inner = perLane;
        }
      } else if (kind == LaneOutput::Left || kind == LaneOutput::Right) {
        placeProduct(step, k, kind == LaneOutput::Left, items[k]);
        continue;
      } else {
        port.kind = LaneStep::Port::Kind::Reduce;
        port.terms = axisOrTerms;
        port.inner = perLane / std::max<std::int64_t>(1, axisOrTerms);
        port.op = kind == LaneOutput::Sum   ? ReduceOp::Sum
                  : kind == LaneOutput::Max ? ReduceOp::Max
                                            : ReduceOp::Min;
      }
      const std::int64_t elements =
          port.inner * (kind == LaneOutput::Mapped ? port.outer * step.lanes : 1);
      const auto inPlace = piecesInPlace_.find(items[k]);
      if (inPlace != piecesInPlace_.end()) {
        port.buffer = inPlace->second.buffer;
        port.offset = inPlace->second.offset;
      } else {
        port.buffer = items[k] != kNoNode ? buffers_.of(items[k]) : buffers_.addTemporary(elements);
      }
    }
    return step;
  }

  Step loop(NodeId id) {
    const Node& node = tape_.node(id);
    const LoopAttributes attributes = LoopAttributes::read(tape_, node);
    const auto operands = tape_.operands(node);
    const LoopPairs::Pair* pair = pairs_.of(id);
    LoopStep step;
    step.length = attributes.length;
    step.trips = attributes.trips;
    step.reverse = attributes.reverse;
    step.node = id;
    std::vector<bool> isReplayed(attributes.streams, false);
    if (pair != nullptr) {
      for (const LoopPairs::Carry& carry : pair->carries) isReplayed[carry.stream] = true;
    }
    for (std::size_t i = 0; i < attributes.inputs(); ++i) {
      const std::size_t stream = i - attributes.constants - attributes.carries;
      auto& ports = i < attributes.constants                        ? step.constants
                    : i < attributes.constants + attributes.carries ? step.initial
                                                                    : step.streams;
      if (&ports == &step.streams && isReplayed[stream]) {
        ports.emplace_back();  // until the body is placed
      } else if (&ports == &step.streams && tape_.node(operands[i]).op == tapeop::kConstant) {
        const std::int64_t row = tape_.count(operands[i]) / std::max<std::int64_t>(1, step.length);
        const double value = Tape::constantValue(tape_.node(operands[i]));
        ports.emplace_back();
        ports.back().buffer =
            buffers_.addConstants(std::vector<double>(static_cast<std::size_t>(row), value));
        ports.back().isUniform = true;
      } else {
        ports.emplace_back();
        ports.back().buffer = buffers_.contiguousOf(operands[i]);
      }
    }
    if (attributes.trips == LoopTrips::Counted) step.count = buffers_.contiguousOf(operands.back());

    const TapePtr& own = tape_.rule(attributes.rule).primal;
    std::vector<NodeId> items(itemCount(tape_, node), kNoNode);
    for (const NodeId item : items_[id])
      items[static_cast<std::size_t>(tape_.attrs(tape_.node(item))[0])] = item;
    std::vector<std::size_t> kept;
    for (std::size_t k = 0; k < own->outputs().size(); ++k) {
      const bool isCarry = k < attributes.carries;
      const bool isRead = items[k] != kNoNode && !pairs_.isTaken(items[k]);
      if (!isCarry && !isRead) continue;
      kept.push_back(k);
      auto& port = (isCarry ? step.last : step.results).emplace_back();
      if (isRead) port.buffer = buffers_.of(items[k]);
    }
    if (attributes.trips == LoopTrips::While && items.back() != kNoNode)
      step.counted = buffers_.of(items.back());
    if (pair != nullptr) replay(step, *pair);
    const TapePtr body = selectOutputs(own, kept);
    placeBody(step, *makePlan(body, bodyOptions(*body)));
    std::erase_if(step.streams,
                  [](const LoopStep::Port& port) { return port.buffer == LoopStep::kNone; });
    if (pairs_.isKept(id)) keepCarries(step, own, attributes);
    return step;
  }

  PlanOptions bodyOptions(const Tape& body) const {
    PlanOptions result = options_;
    result.scalars = options_.scalars && !fillsVectors(body);
    result.pieces = options_.shifts;
    return result;
  }

  /// Makes room for a loop's carries, and the loop that computes them again.
  void keepCarries(LoopStep& step, const TapePtr& own, const LoopAttributes& attributes) {
    const Checkpoints checkpoints =
        chooseCheckpoints(attributes.checkpoints, step.trips, step.length, step.row);
    const std::int64_t storage = storageRows(checkpoints, step.length) * step.row;
    step.kept = LoopStep::Kept{buffers_.addTemporary(storage), checkpoints,
                               tape_.rule(attributes.rule).directory};
    auto again = std::make_shared<LoopStep>(step);
    if (!step.results.empty()) {
      std::vector<std::size_t> carries(step.last.size());
      std::iota(carries.begin(), carries.end(), 0u);
      again->results.clear();
      const TapePtr body = selectOutputs(own, carries);
      placeBody(*again, *makePlan(body, bodyOptions(*body)));
    }
    keptLoops_[step.node] = std::move(again);
  }

  /// Streams that are carries of another loop stand where that has them.
  void replay(LoopStep& step, const LoopPairs::Pair& pair) {
    step.replay = LoopStep::Replay{keptLoops_.at(pair.earlier)};
    for (const LoopPairs::Carry& carry : pair.carries)
      step.streams[carry.stream].inside = step.replay->loop->initial[carry.carry].inside;
  }

  const Structure& structure() {
    if (structure_ == nullptr) structure_ = std::make_unique<Structure>(tape_, inputZeros_);
    return *structure_;
  }

  /// Known zeros of what all lanes share.
  std::vector<ElementSet> sharedZeros(const Node& node, const LaneAttributes& attributes) {
    const Tape& body = *tape_.rule(attributes.rule).primal;
    const bool hasProducts = std::ranges::any_of(
        body.nodes(), [](const Node& inner) { return opOf(inner) == Op::BatchMatMul; });
    std::vector<ElementSet> result;
    if (!hasProducts) return result;
    auto operand = tape_.operands(node).begin();
    for (const auto& input : attributes.inputs) {
      result.emplace_back();
      if (input.kind == LaneInput::Shared) result.back() = structure().zeros(*operand);
      operand += input.kind == LaneInput::Gathered ? 2 : 1;
    }
    return result;
  }

  /// One side of a product that contracts over lanes.
  void placeProduct(LaneStep& step, std::size_t k, bool isLeft, NodeId item) {
    LaneStep::Port& port = step.outputs[k];
    const Shape& own = step.plan->outputs[k].shape;  // [batch.., m or n, block]
    port.inner = own[own.size() - 2];
    port.outer = elementCount(own) / (port.inner * step.block);
    port.kind = isLeft ? LaneStep::Port::Kind::Left : LaneStep::Port::Kind::Right;
    if (isLeft) {
      const Shape& right = step.plan->outputs[k + 1].shape;
      const std::int64_t elements = port.outer * port.inner * right[right.size() - 2];
      port.buffer = item != kNoNode ? buffers_.of(item) : buffers_.addTemporary(elements);
      if (item != kNoNode) port.needed = structure().neededSpans(item);
    } else {
      port.buffer = step.outputs[k - 1].buffer;
    }
  }

  StridedOperand strided(NodeId operand) {
    const View view = analysis_.views().resolve(operand);
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

  Step matmul(NodeId id) {
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
      if (isOwn) step.nonzero = structure().nonzeroSpans(node.operand[0]);
      step.needed = structure().neededSpans(id);
    }
    joinBatch(step);
    return step;
  }

  const Tape& tape_;
  const PlanOptions options_;
  const std::vector<ElementSet> inputZeros_;
  std::unique_ptr<Structure> structure_;  ///< made when it is first asked
  Analysis analysis_;
  const LoopPairs pairs_;
  std::unordered_map<NodeId, std::shared_ptr<const LoopStep>> keptLoops_;
  std::shared_ptr<Plan> plan_;
  PlanBuffers buffers_;
  std::vector<bool> needed_;
  std::vector<KernelJob> jobs_;
  std::unordered_map<std::uint64_t, std::size_t> jobOf_;
  std::uint64_t lastKey_ = 0;
  std::size_t lastJob_ = static_cast<std::size_t>(-1);
  std::vector<Site> sites_;
  std::vector<Site> outputSites_;
  std::vector<NodeId> libraries_;
  std::unordered_map<NodeId, std::vector<NodeId>> items_;  ///< by call
  struct PieceInPlace {
    BufferId buffer;
    std::int64_t offset;
  };
  std::unordered_map<NodeId, PieceInPlace> piecesInPlace_;  ///< by item
  std::vector<std::uint32_t> uses_;                         ///< by node, when first asked for
};

/// Doubles that stay in the first-level cache beside what is computed, and in the second-level one.
constexpr std::int64_t kFirstLevel = 3072, kSecondLevel = 24576;
/// Odd multiples of the least block: rows of lanes at distances that are multiples of large powers
/// of two would share few sets of a cache.
constexpr std::int64_t kMinBlock = 16, kMaxBlock = 112;
/// A product that contracts over lanes reads and writes its result once a block.
constexpr std::int64_t kMinProductBlock = 64;

/// The loop without its ports: as many lanes a block as keep all values of the body near.
LaneStep makeLaneStep(const TapePtr& body, const LaneAttributes& attributes,
                      const std::vector<ElementSet>& inputZeros) {
  const std::vector<bool> isMapped = attributes.isMapped();
  const auto planOf = [&](std::int64_t block) {
    return Planner(overLanes(body, block, isMapped), {}, inputZeros).run();
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

std::shared_ptr<const Plan> makePlan(TapePtr tape, const PlanOptions& options) {
  TapePtr final = contractMultiplyAdds(simplifyLoops(expandCalls(tape)));
  if (options.signs) final = carrySigns(final);
  if (options.scalars && isSmall(*final)) return Planner(scalarize(*final), options).run();
  if (options.pieces) final = computePiecesApart(final);
  if (options.shifts) final = shareShifts(final);
  if (options.byRow) final = computeByRow(final);
  if (options.lanes) final = formLanes(final);
  if (options.again) final = recomputeMoved(final);
  if (options.interleaves) final = interleaveParts(final);
  return Planner(std::move(final), options).run();
}

}  // namespace adjoint

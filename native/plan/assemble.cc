#include "plan/assemble.h"

#include <unordered_map>

#include "plan/analysis.h"
#include "plan/arena.h"
#include "plan/buffers.h"
#include "plan/emit.h"
#include "plan/join.h"
#include "plan/lanes.h"
#include "plan/rows_by_piece.h"
#include "plan/steps.h"
#include "tape/around.h"

namespace adjoint {

namespace {

class Assembler {
 public:
  Assembler(TapePtr tape, const PlanOptions& options, std::vector<ElementSet> inputZeros)
      : tape_(*tape),
        options_(options),
        analysis_(tape_),
        plan_(std::make_shared<Plan>()),
        buffers_(tape_, analysis_.views(), *plan_),
        maker_(tape_, analysis_.views(), buffers_, options, std::move(inputZeros)),
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
        case Role::Concat:
          placePieces(id);
          break;
        case Role::Library:
          if (opOf(node) == Op::Item) {
            maker_.addItem(id);
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

  /// The operands of a concat get their places in it.
  void placePieces(NodeId id) {
    const Node& node = tape_.node(id);
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
        maker_.placeItem(item, buffer, start * strides[axis]);
      } else {
        addSite({piece, buffer, start * strides[axis], strides});
      }
      start += tape_.shape(piece)[axis];
    }
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
      for (const NodeId id : librariesOfLevel[level]) plan_->steps.push_back(maker_.make(id));
    }
  }

  const Tape& tape_;
  const PlanOptions options_;
  Analysis analysis_;
  std::shared_ptr<Plan> plan_;
  PlanBuffers buffers_;
  StepMaker maker_;
  std::vector<bool> needed_;
  std::vector<KernelJob> jobs_;
  std::unordered_map<std::uint64_t, std::size_t> jobOf_;
  std::uint64_t lastKey_ = 0;
  std::size_t lastJob_ = static_cast<std::size_t>(-1);
  std::vector<Site> sites_;
  std::vector<Site> outputSites_;
  std::vector<NodeId> libraries_;
  std::vector<std::uint32_t> uses_;  ///< by node, when first asked for
};

}  // namespace

std::shared_ptr<const Plan> assemblePlan(TapePtr tape, const PlanOptions& options,
                                         std::vector<ElementSet> inputZeros) {
  return Assembler(std::move(tape), options, std::move(inputZeros)).run();
}

}  // namespace adjoint

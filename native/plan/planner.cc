#include "plan/planner.h"

#include <algorithm>
#include <unordered_map>

#include "plan/analysis.h"
#include "plan/arena.h"
#include "plan/contract.h"
#include "plan/emit.h"
#include "transform/transform.h"

namespace adjoint {

namespace {

class Planner : public BufferTable {
 public:
  explicit Planner(TapePtr tape)
      : tape_(*tape),
        analysis_(tape_),
        plan_(std::make_shared<Plan>()),
        buffers_(tape_.size(), kNoNode),
        needed_(tape_.size(), false) {
    plan_->tape = std::move(tape);
  }

  std::shared_ptr<const Plan> run() {
    placeIo();
    collectJobs();
    markNeeded();
    emitSteps();
    // Code may read a whole vector past the last constant.
    plan_->constants.resize(plan_->constants.size() + 8, 0.0);
    placeTemporaries(*plan_);
    return plan_;
  }

  BufferId bufferOf(NodeId value) override {
    if (buffers_[value] != kNoNode) return buffers_[value];
    const Node& node = tape_.node(value);
    if (node.op == tapeop::kData) {
      buffers_[value] = addConstants(tape_.data(node));
    } else if (node.op == tapeop::kConstant) {
      buffers_[value] = addConstants({Tape::constantValue(node)});
    } else {
      buffers_[value] = addBuffer({Base::Temp, 0, tape_.count(value)});
    }
    return buffers_[value];
  }

 private:
  BufferId addBuffer(const Buffer& buffer) {
    plan_->buffers.push_back(buffer);
    return static_cast<BufferId>(plan_->buffers.size() - 1);
  }

  BufferId addConstants(const std::vector<double>& values) {
    const auto offset = static_cast<std::int64_t>(plan_->constants.size());
    plan_->constants.insert(plan_->constants.end(), values.begin(), values.end());
    plan_->constants.resize(
        static_cast<std::size_t>(paddedDoubles(static_cast<std::int64_t>(plan_->constants.size()))),
        0.0);
    return addBuffer({Base::Constant, offset, static_cast<std::int64_t>(values.size())});
  }

  /// A buffer with every element of the value in row-major order.
  BufferId contiguousBufferOf(NodeId operand) {
    const NodeId value = analysis_.views().strip(operand);
    const Node& node = tape_.node(value);
    if (node.op != tapeop::kConstant) return bufferOf(value);
    return addConstants(std::vector<double>(static_cast<std::size_t>(tape_.count(value)),
                                            Tape::constantValue(node)));
  }

  IoPort addPort(const Port& port) {
    const std::int64_t elements = tape_.count(port.node);
    const BufferId buffer = addBuffer({Base::Io, plan_->ioDoubles, elements});
    plan_->ioDoubles += std::max<std::int64_t>(paddedDoubles(elements), 8);
    return {port.name, buffer, tape_.shape(port.node), tape_.node(port.node).dtype};
  }

  void placeIo() {
    for (const Port& port : tape_.inputs()) {
      plan_->inputs.push_back(addPort(port));
      buffers_[port.node] = plan_->inputs.back().buffer;
    }
    for (const Port& port : tape_.outputs()) {
      plan_->outputs.push_back(addPort(port));
      const NodeId value = analysis_.views().strip(port.node);
      const Role role = analysis_.role(value);
      const bool isOwn = role == Role::Pointwise || role == Role::Reduction ||
                         role == Role::Concat || role == Role::Library;
      if (isOwn && buffers_[value] == kNoNode) {
        buffers_[value] = plan_->outputs.back().buffer;
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

  void collectJobs() {
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
          const BufferId buffer = bufferOf(id);
          std::int64_t start = 0;
          for (const NodeId piece : tape_.operands(node)) {
            addSite({piece, buffer, start * strides[axis], strides});
            start += tape_.shape(piece)[axis];
          }
          break;
        }
        case Role::Library:
          libraries_.push_back(id);
          break;
        default:
          break;
      }
    }
    for (Site& site : outputSites_) addSite(std::move(site));
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
    Emitter emitter(analysis_, *this, sites_, needed_);
    for (std::uint32_t level = 0; level < analysis_.levelCount(); ++level) {
      for (const std::size_t i : jobsOfLevel[level]) {
        Kernel kernel = emitter.emit(jobs_[i]);
        if (!kernel.body.empty()) plan_->steps.emplace_back(std::move(kernel));
        jobs_[i].items = {};
      }
      for (const NodeId id : librariesOfLevel[level]) plan_->steps.push_back(library(id));
    }
  }

  /// [outer, n, inner] around an axis.
  struct Around {
    std::int64_t outer = 1, n = 1, inner = 1;
  };
  static Around around(const Shape& shape, std::int64_t axis) {
    Around result;
    for (std::size_t k = 0; k < shape.size(); ++k) {
      const auto at = static_cast<std::int64_t>(k);
      (at < axis ? result.outer : at == axis ? result.n : result.inner) *= shape[k];
    }
    return result;
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
        RecurrenceStep step{a.outer, a.n, a.inner, hasA, attrs[1] != 0, 0, 0, bufferOf(id)};
        if (hasA) step.a = contiguousBufferOf(node.operand[0]);
        step.b = contiguousBufferOf(node.operand[hasA ? 1 : 0]);
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
                              contiguousBufferOf(indices),
                              contiguousBufferOf(updates),
                              bufferOf(id),
                              id};
      }
      case Op::ArgMax:
      case Op::ArgMin:
      case Op::ArgSort: {
        const Around a = around(tape_.shape(node.operand[0]), attrs[0]);
        const auto kind = opOf(node) == Op::ArgSort  ? IndexStep::Kind::ArgSort
                          : opOf(node) == Op::ArgMax ? IndexStep::Kind::ArgMax
                                                     : IndexStep::Kind::ArgMin;
        return IndexStep{kind,        a.outer, a.n, a.inner, contiguousBufferOf(node.operand[0]),
                         bufferOf(id)};
      }
      default:
        throw Error(ErrorCode::Native, std::string("no step for ") + opName(node.op));
    }
  }

  StridedOperand strided(NodeId operand) {
    const View view = analysis_.views().resolve(operand);
    StridedOperand result{bufferOf(view.root), view.offset, {0, 0, 0}};
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
    step.c = bufferOf(id);
    return step;
  }

  const Tape& tape_;
  Analysis analysis_;
  std::shared_ptr<Plan> plan_;
  std::vector<BufferId> buffers_;  // by node
  std::vector<bool> needed_;
  std::vector<KernelJob> jobs_;
  std::unordered_map<std::uint64_t, std::size_t> jobOf_;
  std::uint64_t lastKey_ = 0;
  std::size_t lastJob_ = static_cast<std::size_t>(-1);
  std::vector<Site> sites_;
  std::vector<Site> outputSites_;
  std::vector<NodeId> libraries_;
};

}  // namespace

std::shared_ptr<const Plan> makePlan(TapePtr tape) {
  return Planner(contractMultiplyAdds(expandCalls(tape))).run();
}

}  // namespace adjoint

#include "plan/emit.h"

#include <algorithm>
#include <bit>

#include "ops/row.h"

namespace adjoint {

namespace {

/// Kernel loop of every axis; unit axes have none.
std::vector<int> loopsOf(const Shape& shape) {
  std::vector<int> loops(shape.size(), -1);
  int next = 0;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (shape[k] != 1) loops[k] = next++;
  }
  return loops;
}

}  // namespace

Emitter::Emitter(Analysis& analysis, PlanBuffers& buffers, const std::vector<Site>& sites,
                 const std::vector<bool>& needed)
    : analysis_(analysis),
      tape_(analysis.tape()),
      buffers_(buffers),
      sites_(sites),
      needed_(needed),
      stampOf_(tape_.size(), 0),
      valueIn_(tape_.size(), 0) {}

Kernel Emitter::emit(const KernelJob& job) {
  kernel_ = Kernel();
  kernel_.extents = analysis_.spaceShape(job.space);
  job_ = &job;
  constants_.clear();
  lastMap_ = 0;
  ++stamp_;
  for (const Item& item : job.items) {
    if (item.site != kNoNode) {
      const Site& site = sites_[item.site];
      store(valueOf(site.value), site.buffer, site.offset,
            mapOf(tape_.shape(site.value), site.stride));
    } else if (analysis_.role(item.node) == Role::Reduction) {
      reduce(item.node);
    } else if (needed_[item.node]) {
      const std::uint32_t value = compute(item.node);
      if (analysis_.isStored(item.node)) {
        store(value, buffers_.of(item.node), 0, contiguous(tape_.shape(item.node)));
      }
    }
  }
  collapseLoops(kernel_);
  return std::move(kernel_);
}

std::uint32_t Emitter::append(const Instr& instr) {
  kernel_.body.push_back(instr);
  return static_cast<std::uint32_t>(kernel_.body.size() - 1);
}

std::uint32_t Emitter::constant(double value) {
  const auto [it, isNew] = constants_.try_emplace(std::bit_cast<std::uint64_t>(value), 0);
  if (isNew) {
    kernel_.constants.push_back(value);
    it->second = append({.kind = InstrKind::Const,
                         .extra = static_cast<std::int32_t>(kernel_.constants.size() - 1)});
  }
  return it->second;
}

std::uint32_t Emitter::valueOf(NodeId operand) {
  const NodeId value = analysis_.views().strip(operand);
  if (stampOf_[value] == stamp_) return valueIn_[value];
  if (analysis_.role(value) == Role::Constant)
    return constant(Tape::constantValue(tape_.node(value)));
  const bool again = analysis_.role(value) == Role::Pointwise &&
                     analysis_.space(value) == job_->space &&
                     (analysis_.level(value) == job_->level || analysis_.isRecomputed(value));
  const std::uint32_t result = again ? compute(value) : load(value, false);
  stampOf_[value] = stamp_;
  valueIn_[value] = result;
  return result;
}

std::uint32_t Emitter::compute(NodeId id) {
  if (stampOf_[id] == stamp_) return valueIn_[id];
  const Node& node = tape_.node(id);
  std::uint32_t result;
  if (analysis_.views().isMovement(id)) {
    result = load(id, true);
  } else if (opOf(node) == Op::Gather) {
    result = gather(id);
  } else if (opOf(node) == Op::Iota) {
    const int loop = loopsOf(tape_.shape(node))[static_cast<std::size_t>(tape_.attrs(node)[0])];
    result = loop < 0 ? constant(0) : append({.kind = InstrKind::Iota, .extra = loop});
  } else {
    std::uint32_t x[3] = {0, 0, 0};
    const auto operands = tape_.operands(node);
    for (std::size_t k = 0; k < operands.size(); ++k) x[k] = valueOf(operands[k]);
    const auto& attrs = tape_.attrs(node);
    const std::int32_t attr = attrs.empty() ? 0 : static_cast<std::int32_t>(attrs[0]);
    result = append({.kind = InstrKind::Compute,
                     .op = node.op,
                     .a = x[0],
                     .b = x[1],
                     .c = x[2],
                     .extra = attr});
  }
  stampOf_[id] = stamp_;
  valueIn_[id] = result;
  return result;
}

IndexMap Emitter::mapOf(const Shape& shape, std::span<const std::int64_t> strides) const {
  IndexMap map;
  map.stride.resize(kernel_.extents.size());
  std::size_t loop = 0;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (shape[k] != 1) map.stride[loop++] = strides[k];
  }
  return map;
}

IndexMap Emitter::contiguous(const Shape& shape) const {
  return mapOf(shape, rowMajorStrides(shape));
}

std::uint32_t Emitter::internMap(IndexMap map) {
  auto& maps = kernel_.maps;
  if (lastMap_ < maps.size() && maps[lastMap_] == map) return lastMap_;
  const auto it = std::find(maps.begin(), maps.end(), map);
  lastMap_ = static_cast<std::uint32_t>(it - maps.begin());
  if (it == maps.end()) maps.push_back(std::move(map));
  return lastMap_;
}

std::uint32_t Emitter::loadView(const View& view, const Shape& shape, std::size_t firstAxis,
                                const Shape& full) {
  std::vector<std::int64_t> strides(full.size(), 0);
  std::copy_n(view.stride.begin(), shape.size(),
              strides.begin() + static_cast<std::ptrdiff_t>(firstAxis));
  IndexMap map = mapOf(full, strides);
  const std::vector<int> loops = loopsOf(full);
  std::int64_t offset = view.offset;
  for (Window window : view.windows) {
    const int loop = loops[firstAxis + window.loop];
    if (loop < 0) {
      // The only index is 0: inside the window for good, or outside for good.
      const bool inside = window.lo <= 0 && 0 < window.hi && (0 - window.lo) % window.step == 0;
      if (!inside) return constant(0);
      offset += view.stride[window.loop] * ((0 - window.lo) / window.step);
      continue;
    }
    window.loop = static_cast<std::uint32_t>(loop);
    map.windows.push_back(window);
  }
  kernel_.accesses.push_back({buffers_.of(view.root), internMap(std::move(map)), offset});
  return append(
      {.kind = InstrKind::Load, .extra = static_cast<std::int32_t>(kernel_.accesses.size() - 1)});
}

std::uint32_t Emitter::load(NodeId value, bool through) {
  const Shape& shape = tape_.shape(value);
  return loadView(analysis_.views().resolve(value, through), shape, 0, shape);
}

std::uint32_t Emitter::gather(NodeId id) {
  const Node& node = tape_.node(id);
  const Shape& shape = tape_.shape(node);
  const NodeId source = node.operand[0];
  const NodeId indices = node.operand[1];
  const Shape& from = tape_.shape(source);
  const std::size_t width = tape_.shape(indices).size();
  const auto axis = static_cast<std::size_t>(tape_.attrs(node)[0]);
  const NodeId root = analysis_.views().resolve(source).root;
  std::vector<std::int64_t> strides = rowMajorStrides(from);
  // One element stands for all of a uniform constant; the indices are checked all the same.
  if (analysis_.role(root) == Role::Constant) strides.assign(strides.size(), 0);

  // Where the indices have fewer axes than the result, they are read where the other axes do not
  // matter.
  const std::uint32_t index =
      analysis_.space(indices) == job_->space
          ? valueOf(indices)
          : loadView(analysis_.views().resolve(indices), tape_.shape(indices), axis, shape);

  std::vector<std::int64_t> result(shape.size(), 0);
  for (std::size_t k = 0; k < axis; ++k) result[k] = strides[k];
  for (std::size_t k = axis + 1; k < from.size(); ++k) result[k - 1 + width] = strides[k];
  kernel_.accesses.push_back({buffers_.of(root), internMap(mapOf(shape, result)), 0});
  kernel_.gathers.push_back(
      {static_cast<std::uint32_t>(kernel_.accesses.size() - 1), strides[axis], from[axis], id});
  return append({.kind = InstrKind::Gather,
                 .a = index,
                 .extra = static_cast<std::int32_t>(kernel_.gathers.size() - 1)});
}

void Emitter::store(std::uint32_t value, BufferId buffer, std::int64_t offset, IndexMap map) {
  kernel_.accesses.push_back({buffer, internMap(std::move(map)), offset});
  append({.kind = InstrKind::Store,
          .a = value,
          .extra = static_cast<std::int32_t>(kernel_.accesses.size() - 1)});
}

void Emitter::reduce(NodeId id) {
  const Node& node = tape_.node(id);
  const Shape& from = tape_.shape(node.operand[0]);
  const auto& axes = tape_.attrs(node);
  const std::uint32_t value = valueOf(node.operand[0]);
  const std::vector<std::int64_t> resultStrides = rowMajorStrides(tape_.shape(node));
  std::vector<std::int64_t> strides(from.size(), 0);
  Reduction reduction;
  reduction.op = opOf(node) == Op::Sum         ? ReduceOp::Sum
                 : opOf(node) == Op::ReduceMax ? ReduceOp::Max
                                               : ReduceOp::Min;
  const std::vector<int> loops = loopsOf(from);
  std::size_t kept = 0;
  for (std::size_t k = 0; k < from.size(); ++k) {
    if (std::binary_search(axes.begin(), axes.end(), static_cast<std::int64_t>(k))) {
      if (loops[k] >= 0) reduction.reducedLoops |= 1u << loops[k];
    } else {
      strides[k] = resultStrides[kept++];
    }
  }
  kernel_.accesses.push_back({buffers_.of(id), internMap(mapOf(from, strides)), 0});
  reduction.access = static_cast<std::uint32_t>(kernel_.accesses.size() - 1);
  kernel_.reductions.push_back(reduction);
  append({.kind = InstrKind::Reduce,
          .a = value,
          .extra = static_cast<std::int32_t>(kernel_.reductions.size() - 1)});
}

int arityOf(const Instr& instr) {
  switch (instr.kind) {
    case InstrKind::Compute:
      return rowOf(static_cast<Op>(instr.op)).arity;
    case InstrKind::Gather:
    case InstrKind::Store:
    case InstrKind::Reduce:
      return 1;
    default:
      return 0;
  }
}

void collapseLoops(Kernel& kernel) {
  for (std::size_t inner = kernel.extents.size(); inner-- > 1;) {
    const std::size_t outer = inner - 1;
    bool merges = true;
    for (const IndexMap& map : kernel.maps) {
      merges = merges && map.stride[outer] == map.stride[inner] * kernel.extents[inner];
      for (const Window& w : map.windows) merges = merges && w.loop != inner && w.loop != outer;
    }
    for (const Reduction& r : kernel.reductions) {
      merges = merges && (r.reducedLoops >> outer & 1) == (r.reducedLoops >> inner & 1);
    }
    if (merges) {
      for (const Instr& instr : kernel.body) {
        if (instr.kind != InstrKind::Iota) continue;
        const auto loop = static_cast<std::size_t>(instr.extra);
        merges = merges && loop != inner && loop != outer;
      }
    }
    if (!merges) continue;
    kernel.extents[outer] *= kernel.extents[inner];
    kernel.extents.erase(kernel.extents.begin() + static_cast<std::ptrdiff_t>(inner));
    for (IndexMap& map : kernel.maps) {
      map.stride.erase(map.stride.begin() + static_cast<std::ptrdiff_t>(outer));
      for (Window& w : map.windows) w.loop -= w.loop > outer ? 1 : 0;
    }
    for (Reduction& r : kernel.reductions) {
      const std::uint32_t low = r.reducedLoops & ((1u << inner) - 1);
      const std::uint32_t high = r.reducedLoops >> (inner + 1);
      r.reducedLoops = low | high << inner;
    }
    for (Instr& instr : kernel.body) {
      if (instr.kind == InstrKind::Iota && instr.extra > static_cast<std::int32_t>(outer))
        --instr.extra;
    }
  }
}

}  // namespace adjoint

#pragma once

#include <unordered_map>
#include <vector>

#include "plan/analysis.h"
#include "plan/buffers.h"
#include "plan/plan.h"

namespace adjoint {

/// A store of a value into a place that is not its own buffer: a piece of a concat, or a second
/// copy for an output.
struct Site {
  NodeId value = kNoNode;
  BufferId buffer = 0;
  std::int64_t offset = 0;
  std::vector<std::int64_t> stride;  ///< one an axis of the value
};

/// One thing a kernel does, in the order of the tape.
struct Item {
  NodeId node = kNoNode;         ///< a pointwise value or a reduction
  std::uint32_t site = kNoNode;  ///< or a store into sites[site]
};

/// Everything that is computed in one space at one level.
struct KernelJob {
  std::uint32_t space = 0;
  std::uint32_t level = 0;
  std::vector<Item> items;
};

/// Writes kernels from jobs.
class Emitter {
 public:
  Emitter(Analysis& analysis, PlanBuffers& buffers, const std::vector<Site>& sites,
          const std::vector<bool>& needed);

  Kernel emit(const KernelJob& job);

 private:
  std::uint32_t valueOf(NodeId operand);
  std::uint32_t compute(NodeId id);
  std::uint32_t load(NodeId value, bool through);
  /// Loads through a view of a value of this shape whose axes stand at firstAxis... of the kernel's
  /// full shape.
  std::uint32_t loadView(const View& view, const Shape& shape, std::size_t firstAxis,
                         const Shape& full);
  std::uint32_t gather(NodeId id);
  std::uint32_t constant(double value);
  void store(std::uint32_t value, BufferId buffer, std::int64_t offset, IndexMap map);
  void reduce(NodeId id);
  std::uint32_t append(const Instr& instr);
  std::uint32_t internMap(IndexMap map);
  /// Strides of axes as strides of the kernel's loops.
  IndexMap mapOf(const Shape& shape, std::span<const std::int64_t> strides) const;
  IndexMap contiguous(const Shape& shape) const;

  Analysis& analysis_;
  const Tape& tape_;
  PlanBuffers& buffers_;
  const std::vector<Site>& sites_;
  const std::vector<bool>& needed_;

  Kernel kernel_;
  const KernelJob* job_ = nullptr;
  std::uint32_t stamp_ = 0;
  std::vector<std::uint32_t> stampOf_;  // kernel in which valueIn_ is good
  std::vector<std::uint32_t> valueIn_;
  std::unordered_map<std::uint64_t, std::uint32_t> constants_;
  std::uint32_t lastMap_ = 0;
};

/// Merges neighboring loops that every access walks as one.
void collapseLoops(Kernel& kernel);

}  // namespace adjoint

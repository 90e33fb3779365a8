#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "exec/block.h"

namespace adjoint::exec {

/// A scatter-add by constants, result by result: the rows of updates that go to each are listed, in
/// their order, and are summed in registers instead of memory. The bits are those of runScatterAdd.
class KnownScatter {
 public:
  /// Null where the indices are no constants, or the updates are many and in such an order that
  /// reading them by result takes longer than reading them one after the other.
  static std::unique_ptr<const KnownScatter> make(const Plan& plan, const ScatterAddStep& step);

  /// False: the run was stopped.
  bool run(const RunContext& context) const noexcept;
  /// The most threads that can share the step.
  std::int64_t threads() const { return chunks_; }
  std::size_t bytes() const;

 private:
  void runChunk(std::int64_t chunk, const double* updates, double* out) const noexcept;

  Place updates_, out_;
  std::int64_t outer_ = 1, inner_ = 1, size_ = 0, count_ = 0;
  std::int64_t chunks_ = 1;           ///< of results
  std::vector<std::int32_t> starts_;  ///< by result, among the rows
  std::vector<std::int32_t> rows_;    ///< of updates, result by result
};

}  // namespace adjoint::exec

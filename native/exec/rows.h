#pragma once

#include <memory>
#include <vector>

#include "exec/block.h"

namespace adjoint::exec {

/// A kernel together with the step that puts rows together from what it computes: one piece of its
/// points after the other, so that their values are still in the nearest cache when they are read.
class RowsProgram {
 public:
  /// Null where the steps do not fit together, or would gain nothing by it.
  static std::unique_ptr<const RowsProgram> make(const Plan& plan, const Kernel& kernel,
                                                 const BlockProgram& program,
                                                 const InterleaveStep& step);

  const BlockProgram& program() const { return program_; }
  /// False: status says why.
  bool run(const RunContext& context) const noexcept;

 private:
  /// Rows that have all they need when their piece of the points is computed.
  struct Part {
    std::uint32_t run = 0;
    std::int64_t first = 0, rows = 0;
  };

  RowsProgram(const Plan& plan, const BlockProgram& program, const InterleaveStep& step)
      : plan_(plan), program_(program), step_(step) {}

  const Plan& plan_;
  const BlockProgram& program_;
  const InterleaveStep& step_;
  std::int64_t piece_ = 0;                ///< points
  std::vector<std::vector<Part>> parts_;  ///< by piece
};

}  // namespace adjoint::exec

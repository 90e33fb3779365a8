#pragma once

#include "exec/library.h"
#include "exec/row_blender.h"

namespace adjoint::exec {

/// Writes the runs of a step that puts rows together from several values.
class RowWriter {
 public:
  RowWriter(const Plan& plan, const InterleaveStep& step, const RunContext& context);

  /// Rows `first` to `first` + `rows` of a run.
  void write(const InterleaveStep::Run& run, std::int64_t first, std::int64_t rows);
  /// After all rows.
  void writeExceptions();

 private:
  const double* baseOf(std::uint32_t part) const {
    return part < known_ ? bases_[part] : bufferAt(plan_, step_.sources[part].buffer, context_);
  }

  const Plan& plan_;
  const InterleaveStep& step_;
  const RunContext& context_;
  double* const out_;
  // Most steps have few sources; the places of others are looked up.
  const double* bases_[InterleaveStep::kMaxWidth];
  std::size_t known_;
  Columns columns_;
  Blender blender_;
};

}  // namespace adjoint::exec

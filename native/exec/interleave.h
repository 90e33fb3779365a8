#pragma once

#include <vector>

#include "exec/library.h"
#include "exec/moves.h"
#include "exec/row_blend.h"

namespace adjoint::exec {

/// A step that puts rows together from several values.
class InterleaveProgram {
 public:
  InterleaveProgram(const Plan& plan, const InterleaveStep& step);

  bool run(const RunContext& context) const noexcept;

  /// Rows `first` to `first` + `rows` of a run.
  void write(const RunContext& context, std::uint32_t run, std::int64_t first,
             std::int64_t rows) const;
  Moves::Move moved(const InterleaveStep::Single& single) const {
    return {single.place, place(single.from)};
  }
  double* out(const RunContext& context) const { return context.at(out_.base, out_.offset); }

  std::size_t bytes() const;

 private:
  static constexpr std::uint32_t kNone = 0xffffffffu;

  /// How the rows of a run are blended, if they are.
  struct Blended {
    std::uint32_t blend = kNone;
    Place varying[RowBlend::kMostVarying];  ///< those that are
  };

  Blended blended(const Plan& plan, const InterleaveStep::Run& run);

  /// Of the element in the first row.
  Place place(const InterleaveStep::Column& column) const {
    const Place& source = sources_[column.part];
    return {source.base, source.offset + column.element};
  }

  const InterleaveStep& step_;
  Place out_;
  std::vector<Place> sources_;
  std::vector<Blended> runs_;
  std::vector<RowBlend> blends_;
  Moves singles_;
};

}  // namespace adjoint::exec

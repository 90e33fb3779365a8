#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "exec/interleave.h"
#include "exec/rows_code.h"

namespace adjoint::exec {

/// A kernel together with the step that puts rows together from what it computes: one piece of its
/// points after the other, so that their values are still in the nearest cache when they are read.
class RowsProgram {
 public:
  /// Null where the steps do not fit together, or would gain nothing by it; never where values are
  /// in Base::Piece.
  static std::unique_ptr<RowsProgram> make(const Plan& plan, const Kernel& kernel,
                                           const BlockProgram& program, const InterleaveStep& step,
                                           JitBuilder* jit);
  void link(const JitModule& module) {
    if (code_ != nullptr) code_->link(module);
  }

  const BlockProgram& program() const { return program_; }
  std::size_t bytes() const;
  /// Functions of machine code beside the program's.
  std::size_t segments() const { return code_ == nullptr ? 0 : code_->segments(); }
  /// Doubles of scratch memory.
  std::int64_t scratch() const {
    return std::max(program_.scratch + plan_.pieceDoubles, code_ == nullptr ? 0 : code_->scratch());
  }
  /// False: status says why.
  bool run(const RunContext& context) const noexcept;

 private:
  struct Rows {
    std::uint32_t run = 0;
    std::int64_t first = 0, count = 0;
  };
  RowsProgram(const Plan& plan, const BlockProgram& program, const InterleaveStep& step)
      : plan_(plan), program_(program), step_(step), interleave_(plan, step) {}

  void divide();
  /// The last point that a run's first row waits for; -1: none.
  std::int64_t awaited(const InterleaveStep::Run& run);
  void write(const RunContext& context, std::size_t piece) const;

  const Plan& plan_;
  const BlockProgram& program_;
  const InterleaveStep& step_;
  const InterleaveProgram interleave_;
  std::unique_ptr<RowsCode> code_;  ///< where that can be had: instead of all below
  std::vector<bool> isComputed_;    ///< by source: element i at point i
  bool hasPieces_ = false;          ///< values in Base::Piece
  bool isApart_ = true;             ///< no row needs several points
  std::int64_t piece_ = 0;          ///< points
  // What has all it needs when a piece of the points is computed: rows, then single elements.
  std::vector<std::size_t> rowsOfPiece_;  ///< the first, and the end
  std::vector<Rows> rows_;
  Moves singles_;
};

}  // namespace adjoint::exec

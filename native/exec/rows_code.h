#pragma once

#include <memory>
#include <vector>

#include "exec/interleave.h"
#include "exec/jit.h"
#include "exec/rows_of_points.h"

namespace adjoint::exec {

/// A kernel and the rows of what it computes as loops of machine code in which values go from
/// registers into rows: those that only rows read are nowhere else. For AVX-512, plain kernels, and
/// rows of one point each that RowBlend could write.
class RowsCode {
 public:
  /// Null: the steps are none of these. `isComputed`, by source: element i at point i.
  static std::unique_ptr<RowsCode> make(const Plan& plan, const Kernel& kernel,
                                        const InterleaveStep& step,
                                        const std::vector<bool>& isComputed, JitBuilder& jit);
  void link(const JitModule& module);

  std::size_t bytes() const;
  std::size_t segments() const { return functions_.size(); }
  /// Doubles of scratch memory.
  std::int64_t scratch() const { return scratch_; }

  /// Computes all points, and writes their rows. False: status says why.
  bool run(const RunContext& context, unsigned threads) const noexcept;
  /// Runs of rows that wait for no point.
  const std::vector<std::uint32_t>& constantRuns() const { return constantRuns_; }

 private:
  // Slots of the code: memories by Base as they are, and from the first point on, the scratch
  // memory, and where the rows are, or values.
  static constexpr std::uint32_t kFromPoint = kBases, kScratch = 2 * kBases, kRows = kScratch + 1;

  /// Where the row of point 0 would be.
  struct Rows {
    std::int64_t start = 0, width = 0;
  };
  /// Points that all have their rows in the same runs, or any, for values that no row has.
  struct Part {
    std::uint32_t code = 0;
    std::vector<Rows> rows;
  };
  struct Call {
    std::uint32_t part = 0;
    std::int64_t firstPoint = 0, points = 0;
    std::int64_t values = 0;  ///< where they are in Base::Piece
  };
  class Maker;

  void runPiece(const RunContext& context, std::int64_t piece) const;
  bool runPieces(const RunContext& context, std::int64_t from, std::int64_t to) const;

  RowsCode(const Plan& plan, const InterleaveStep& step) : out_(placeOf(plan, step.out)) {}

  Place out_;
  std::vector<Base> bases_;              ///< of memories with elements of the points
  std::vector<std::uint32_t> numbers_;   ///< of the codes in the module
  std::vector<CodeFunction> functions_;  ///< by code
  std::vector<Part> parts_;
  std::vector<Call> calls_;
  std::vector<std::size_t> callsOfPiece_ = {0};  ///< the first, and the end
  Moves singles_;
  std::vector<std::uint32_t> constantRuns_;
  std::int64_t values_ = 0;  ///< in the scratch memory: Base::Piece
  std::int64_t scratch_ = 0;
};

}  // namespace adjoint::exec

#pragma once

#include <cstdint>
#include <vector>

#include "plan/plan.h"

namespace adjoint::exec {

/// Rows of one run, each of the values of one point, the next row of the next point.
struct PointRows {
  std::uint32_t run = 0;
  std::int64_t firstPoint = 0, points = 0;
  std::int64_t width = 0;
  std::int64_t turned = 0;  ///< columns of the run that end its rows instead of beginning them
  std::int64_t start = 0;   ///< where the row of point 0 would be

  std::int64_t place(std::int64_t point) const { return start + point * width; }
  std::int64_t begin() const { return place(firstPoint); }
  std::int64_t end() const { return place(firstPoint + points); }
  /// The point whose row has the place, or would have; -1: before that of point 0.
  std::int64_t pointAt(std::int64_t at) const { return (at - start + width) / width - 1; }
};

/// An interleave step seen from the points of the kernel that computes its values: parts of all
/// points that have their rows in the same runs. What does not fit becomes single elements.
class RowsOfPoints {
 public:
  static constexpr std::int64_t kLanes = 8;    ///< points of a part, at least
  static constexpr std::size_t kMostRows = 8;  ///< of a part
  struct Part {
    std::int64_t firstPoint = 0, points = 0;
    std::vector<PointRows> rows;
  };

  /// `isComputed`, by source: element i at point i. `isWhole`: parts are of all points, those that
  /// have no rows too.
  RowsOfPoints(const InterleaveStep& step, const std::vector<bool>& isComputed,
               std::int64_t outOffset, std::int64_t points, bool isWhole)
      : step_(step),
        isComputed_(isComputed),
        outOffset_(outOffset),
        points_(points),
        isWhole_(isWhole) {}

  /// False where some rows need several points, or parts would be too short to be worth it.
  bool find();

  const std::vector<Part>& parts() const { return parts_; }
  /// By ascending place.
  const std::vector<InterleaveStep::Single>& singles() const { return singles_; }
  /// Of rows that need no point.
  const std::vector<std::uint32_t>& constantRuns() const { return constantRuns_; }

  /// Column `k` of rows.
  const InterleaveStep::Column& column(const PointRows& rows, std::int64_t k) const;
  /// The point whose row in a part has the place; -1: none.
  std::int64_t pointAt(std::int64_t place) const;
  /// Where the parts' rows have this value; -1: nowhere.
  std::int64_t placeOf(const InterleaveStep::Column& value) const;
  /// Whether the row of a point begins where a line of the cache does.
  bool beginsLine(const PointRows& rows, std::int64_t point) const;

 private:
  bool findRows();
  void extend(PointRows& rows, std::int64_t before);
  void alignBegins();
  bool canBegin(std::size_t i, std::int64_t point) const;
  void moveRows(PointRows& rows, PointRows& next, std::int64_t count);
  bool findParts();
  bool isSingle(std::int64_t place) const;
  void addSingle(const PointRows& rows, std::int64_t place);
  void addSingles(const PointRows& rows, std::int64_t from, std::int64_t to);
  const Part* partOf(std::int64_t point) const;

  const InterleaveStep& step_;
  const std::vector<bool>& isComputed_;
  const std::int64_t outOffset_, points_;
  const bool isWhole_;
  std::vector<PointRows> rows_;  ///< by ascending place
  std::vector<Part> parts_;      ///< by ascending point
  std::vector<InterleaveStep::Single> singles_;
  std::vector<std::uint32_t> constantRuns_;
};

}  // namespace adjoint::exec

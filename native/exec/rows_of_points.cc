#include "exec/rows_of_points.h"

#include <algorithm>
#include <numeric>

namespace adjoint::exec {
namespace {

/// Points that a part has on the average, at least: its calls take as long as a few vectors.
constexpr std::int64_t kPointsOfPart = 24;
constexpr std::int64_t kMostParts = 1024;

}  // namespace

bool RowsOfPoints::find() {
  singles_ = step_.singles;
  if (!findRows()) return false;
  alignBegins();
  if (!findParts()) return false;
  std::ranges::sort(singles_, {}, &InterleaveStep::Single::place);
  return true;
}

const InterleaveStep::Column& RowsOfPoints::column(const PointRows& rows, std::int64_t k) const {
  const auto columns = step_.columnsOf(step_.runs[rows.run]);
  return columns[static_cast<std::size_t>((rows.turned + k) % rows.width)];
}

bool RowsOfPoints::beginsLine(const PointRows& rows, std::int64_t point) const {
  constexpr std::int64_t kLine = 8;  // doubles
  return (outOffset_ + rows.place(point)) % kLine == 0;
}

bool RowsOfPoints::isSingle(std::int64_t place) const {
  return std::ranges::binary_search(step_.singles, place, {}, &InterleaveStep::Single::place);
}

/// What a row would have there, where nothing else is.
void RowsOfPoints::addSingle(const PointRows& rows, std::int64_t place) {
  if (isSingle(place)) return;
  const std::int64_t point = rows.pointAt(place);
  InterleaveStep::Column value = column(rows, place - rows.place(point));
  if (!step_.sources[value.part].isUniform) value.element = static_cast<std::int32_t>(point);
  singles_.push_back({place, value});
}

void RowsOfPoints::addSingles(const PointRows& rows, std::int64_t from, std::int64_t to) {
  for (std::int64_t place = from; place < to; ++place) addSingle(rows, place);
}

bool RowsOfPoints::findRows() {
  std::int64_t before = 0;  // the end of the last rows
  for (std::uint32_t r = 0; r < step_.runs.size(); ++r) {
    const InterleaveStep::Run& run = step_.runs[r];
    std::int64_t point = -1;
    std::int64_t uniform = 0;  // columns before the first that is not
    for (const auto& [part, element] : step_.columnsOf(run)) {
      if (step_.sources[part].isUniform) {
        uniform += point < 0;
        continue;
      }
      if (!isComputed_[part] || (point >= 0 && element != point)) return false;
      point = element;
    }
    if (point < 0) {
      constantRuns_.push_back(r);
      continue;
    }
    PointRows rows{r, point, run.rows, run.width, 0, 0};
    // Runs begin as early as they can, with the end of a row before. Columns of one number may as
    // well be the end of each row.
    const std::int64_t turned = (run.width - run.start % run.width) % run.width;
    if (turned > 0 && turned <= uniform) {
      rows.turned = turned;
      --rows.points;
    }
    rows.start = run.start + rows.turned - point * run.width;
    extend(rows, before);
    before = rows.end();
    if (rows.points > 0) rows_.push_back(rows);
  }
  return !rows_.empty();
}

/// Rows next to these of which nothing else has elements but single ones, or the run itself, become
/// some of them: their points have values in a row then. What the run has beside rows is single.
void RowsOfPoints::extend(PointRows& rows, std::int64_t before) {
  const InterleaveStep::Run& run = step_.runs[rows.run];
  const std::int64_t runEnd = run.start + run.rows * run.width;
  const auto isFree = [&](std::int64_t from) {
    for (std::int64_t place = from; place < from + rows.width; ++place) {
      const bool isOwn = place >= run.start && place < runEnd;
      if (!isOwn && !isSingle(place)) return false;
    }
    return true;
  };
  while (rows.firstPoint > 0 && rows.begin() - rows.width >= before &&
         isFree(rows.begin() - rows.width)) {
    --rows.firstPoint;
    ++rows.points;
  }
  while (rows.firstPoint + rows.points < points_ && isFree(rows.end())) ++rows.points;
  addSingles(rows, run.start, rows.begin());
  addSingles(rows, rows.end(), runEnd);
}

/// Runs that directly follow others take some of their last rows, of which what differs becomes
/// single: so that those that begin near each other begin at one point, and that their rows begin
/// where a line of the cache does, if possible.
void RowsOfPoints::alignBegins() {
  std::vector<std::size_t> order(rows_.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return rows_[i].firstPoint; });
  for (auto from = order.begin(); from != order.end();) {
    const std::int64_t first = rows_[*from].firstPoint;
    const auto to = std::find_if(
        from, order.end(), [&](std::size_t i) { return rows_[i].firstPoint >= first + kLanes; });
    std::int64_t point = first;
    while (point > first - kLanes && !beginsLine(rows_[*from], point)) --point;
    if (point == first - kLanes) point = first;
    if (std::all_of(from, to, [&](std::size_t i) { return canBegin(i, point); })) {
      std::for_each(from, to, [&](std::size_t i) {
        moveRows(rows_[i - 1], rows_[i], rows_[i].firstPoint - point);
      });
    }
    from = to;
  }
}

/// Whether rows number i may begin with a point that now belongs to those before.
bool RowsOfPoints::canBegin(std::size_t i, std::int64_t point) const {
  if (i == 0) return false;
  const PointRows &before = rows_[i - 1], &rows = rows_[i];
  return before.start == rows.start && before.width == rows.width && before.end() == rows.begin() &&
         point - before.firstPoint >= kLanes;
}

void RowsOfPoints::moveRows(PointRows& rows, PointRows& next, std::int64_t count) {
  for (std::int64_t point = next.firstPoint - count; point < next.firstPoint; ++point) {
    for (std::int64_t k = 0; k < rows.width; ++k) {
      const bool isSame = column(rows, k).part == column(next, k).part;
      if (!isSame) addSingle(rows, rows.place(point) + k);
    }
  }
  rows.points -= count;
  next.firstPoint -= count;
  next.points += count;
}

/// Between the points where some run begins or ends. The rows of a few points become single.
bool RowsOfPoints::findParts() {
  std::vector<std::int64_t> ends;
  if (isWhole_) ends = {0, points_};
  for (const PointRows& rows : rows_) {
    ends.push_back(rows.firstPoint);
    ends.push_back(rows.firstPoint + rows.points);
  }
  std::ranges::sort(ends);
  ends.erase(std::ranges::unique(ends).begin(), ends.end());
  if (std::ssize(ends) > std::min(points_ / kPointsOfPart, kMostParts)) return false;
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    Part part{ends[i], ends[i + 1] - ends[i], {}};
    for (const PointRows& rows : rows_) {
      if (rows.firstPoint <= ends[i] && ends[i + 1] <= rows.firstPoint + rows.points)
        part.rows.push_back(rows);
    }
    if (part.rows.empty() && !isWhole_) continue;
    if (part.rows.size() > kMostRows) return false;
    if (part.points >= kLanes) {
      parts_.push_back(std::move(part));
      continue;
    }
    if (isWhole_) return false;
    for (const PointRows& rows : part.rows)
      addSingles(rows, rows.place(ends[i]), rows.place(ends[i + 1]));
  }
  return !parts_.empty();
}

const RowsOfPoints::Part* RowsOfPoints::partOf(std::int64_t point) const {
  const auto after = std::ranges::upper_bound(parts_, point, {}, &Part::firstPoint);
  if (after == parts_.begin()) return nullptr;
  const Part& part = *std::prev(after);
  return point < part.firstPoint + part.points ? &part : nullptr;
}

std::int64_t RowsOfPoints::pointAt(std::int64_t place) const {
  const auto rows = std::ranges::upper_bound(rows_, place, {}, &PointRows::end);
  if (rows == rows_.end() || place < rows->begin()) return -1;
  const std::int64_t point = rows->pointAt(place);
  return partOf(point) == nullptr ? -1 : point;
}

std::int64_t RowsOfPoints::placeOf(const InterleaveStep::Column& value) const {
  const Part* const part = partOf(value.element);
  if (part == nullptr) return -1;
  for (const PointRows& rows : part->rows) {
    for (std::int64_t k = 0; k < rows.width; ++k) {
      if (column(rows, k).part == value.part) return rows.place(value.element) + k;
    }
  }
  return -1;
}

}  // namespace adjoint::exec

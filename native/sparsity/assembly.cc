#include "sparsity/assembly.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "ops/build.h"
#include "sparsity/add_up.h"

namespace adjoint {

namespace {

/// A block whose places are lines in more pieces than this is put together by a gather.
constexpr std::size_t kMaxPieces = 16;
/// A wider strip of instances is transposed by a gather.
constexpr std::int64_t kMaxSlices = 16;
/// Rows up to this long are sorted by insertion.
constexpr std::ptrdiff_t kShortRow = 32;
/// Numbers of blocks past those that are given.
constexpr std::size_t kOwnBlocks = std::size_t{1} << 32;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// The sum of all counts; throws ERR_LIMIT where 32-bit indices would not do.
std::int64_t totalOf(const std::vector<Strip>& strips) {
  std::int64_t total = 0;
  for (const Strip& strip : strips)
    total += strip.width * static_cast<std::int64_t>(strip.rows.size());
  if (total > std::numeric_limits<std::int32_t>::max())
    throw Error(ErrorCode::Limit, "a sparse matrix has at most 2147483647 entries, this one " +
                                      std::to_string(total));
  return total;
}

Expr joined(const std::vector<Expr>& parts, std::int64_t axis) {
  return parts.size() == 1 ? parts[0] : ex::concat(parts, axis);
}

/// The entries of some lanes; all of them keep their axes.
Expr lanesOf(const Strip& strip, std::int64_t first, std::int64_t count) {
  const auto lanes = static_cast<std::int64_t>(strip.rows.size());
  if (count == lanes) return strip.values;
  return ex::sliceAxis(ex::reshape(strip.values, {lanes, strip.width}), 0, {first, count, 1});
}

/// Matrices [lanes..., width] side by side, as one list.
Expr sideBySide(std::vector<Expr> columns, std::int64_t count) {
  const auto lanesAre = [](const Expr& a, const Expr& b) {
    return std::equal(a.shape().begin(), a.shape().end() - 1, b.shape().begin(),
                      b.shape().end() - 1);
  };
  const bool areAlike =
      std::ranges::all_of(columns, [&](const Expr& c) { return lanesAre(c, columns[0]); });
  if (!areAlike) {
    for (Expr& column : columns) {
      const std::int64_t width = column.shape().back();
      column = ex::reshape(column, {elementCount(column.shape()) / width, width});
    }
  }
  const auto axis = static_cast<std::int64_t>(columns[0].shape().size()) - 1;
  return ex::reshape(joined(columns, axis), {count});
}

/// The first entry of a lane of a strip.
struct Item {
  std::int32_t column, strip, lane;
};

/// Sorts a row; items of one column keep their order.
void sortByColumn(std::vector<Item>::iterator first, std::vector<Item>::iterator last) {
  const auto isBefore = [](const Item& a, const Item& b) { return a.column < b.column; };
  if (last - first > kShortRow) {
    std::stable_sort(first, last, isBefore);
    return;
  }
  for (auto next = first; next != last; ++next) {
    const Item item = *next;
    auto place = next;
    for (; place != first && isBefore(item, *(place - 1)); --place) *place = *(place - 1);
    *place = item;
  }
}

}  // namespace

Assembly::Assembly(std::int64_t rows, std::int64_t columns, SparseFormat format, Triangle triangle)
    : format_(format), triangle_(triangle) {
  if (std::max(rows, columns) > std::numeric_limits<std::int32_t>::max())
    throw Error(ErrorCode::Limit, "a sparse matrix has at most 2147483647 rows and columns");
  pattern_.rows = rows;
  pattern_.columns = columns;
  if (format_ == SparseFormat::Csc) std::swap(pattern_.rows, pattern_.columns);
}

void Assembly::add(Strip strip) {
  const auto isWanted = [&](std::int64_t row, std::int64_t column) {
    return triangle_ == Triangle::Full || (triangle_ == Triangle::Lower) == (column < row) ||
           column == row;
  };
  std::vector<double> wanted;
  Strip part;
  for (std::size_t lane = 0; lane < strip.rows.size() && triangle_ != Triangle::Full; ++lane) {
    for (std::int64_t k = 0; k < strip.width; ++k) {
      const std::int64_t column = strip.columns[lane] + k;
      if (!isWanted(strip.rows[lane], column)) continue;
      wanted.push_back(static_cast<double>(lane) * static_cast<double>(strip.width) +
                       static_cast<double>(k));
      part.rows.push_back(strip.rows[lane]);
      part.columns.push_back(static_cast<std::int32_t>(column));
    }
  }
  const auto all = static_cast<std::int64_t>(strip.rows.size()) * strip.width;
  const auto count = static_cast<std::int64_t>(wanted.size());
  if (triangle_ == Triangle::Full || count == all) {
    keep(std::move(strip));
    return;
  }
  if (count == 0) return;
  // Strips of one block have the same lanes; this one has lanes of its own.
  part.block = kOwnBlocks + strips_.size();
  Builder& builder = *strip.values.builder;
  const Expr places{&builder, builder.data(std::move(wanted), {count})};
  part.values = ex::reshape(ex::gather(ex::reshape(strip.values, {all}), places, 0), {count, 1});
  keep(std::move(part));
}

void Assembly::keep(Strip strip) {
  if (format_ != SparseFormat::Csc) {
    strips_.push_back(std::move(strip));
    return;
  }
  std::swap(strip.rows, strip.columns);
  if (strip.width == 1) {
    strips_.push_back(std::move(strip));
  } else {
    keepTransposed(std::move(strip));
  }
}

/// A strip with `width` rows in the column of each lane, as strips along rows.
void Assembly::keepTransposed(Strip strip) {
  const auto lanes = static_cast<std::int64_t>(strip.rows.size());
  const bool isDense =
      std::ranges::all_of(strip.rows, [&](std::int32_t row) { return row == strip.rows[0]; });
  if (!isDense && strip.width <= kMaxSlices) {
    const auto axis = static_cast<std::int64_t>(strip.values.shape().size()) - 1;
    for (std::int64_t k = 0; k < strip.width; ++k) {
      Strip slice = strip;
      slice.width = 1;
      slice.values = ex::sliceAxis(strip.values, axis, {k, 1, 1});
      for (std::int32_t& row : slice.rows) row += static_cast<std::int32_t>(k);
      strips_.push_back(std::move(slice));
    }
    return;
  }
  // Row by row, and one lane a row where the columns are neighbors.
  Strip turned;
  turned.block = kOwnBlocks + strips_.size();
  turned.values = ex::transpose(ex::reshape(strip.values, {lanes, strip.width}), {1, 0});
  const bool isLine = isDense && std::ranges::adjacent_find(strip.columns, [](auto a, auto b) {
                                   return b != a + 1;
                                 }) == strip.columns.end();
  turned.width = isLine ? lanes : 1;
  if (!isLine) turned.values = ex::reshape(turned.values, {strip.width * lanes, 1});
  for (std::int64_t k = 0; k < strip.width; ++k) {
    for (std::int64_t lane = 0; lane < lanes; lane += turned.width) {
      turned.rows.push_back(strip.rows[at(lane)] + static_cast<std::int32_t>(k));
      turned.columns.push_back(strip.columns[at(lane)]);
    }
  }
  strips_.push_back(std::move(turned));
}

SparsePattern Assembly::finish(Builder& builder, Expr& values) {
  isShared_.assign(strips_.size(), false);
  for (const Strip& strip : strips_) places_.emplace_back(strip.rows.size());
  format_ == SparseFormat::Coo ? placeCoo() : placeRows();
  values = assemble(builder);
  if (format_ == SparseFormat::Csc) {
    std::swap(pattern_.rows, pattern_.columns);
    std::swap(pattern_.rowIndex, pattern_.columnIndex);
  }
  return std::move(pattern_);
}

/// Rows one after another, columns ascending within each; equal ones are one entry.
void Assembly::placeRows() {
  const std::int64_t total = totalOf(strips_);
  std::vector<std::int64_t> starts(at(pattern_.rows) + 1, 0);
  for (const Strip& strip : strips_) {
    for (const std::int32_t row : strip.rows) ++starts[at(row) + 1];
  }
  for (std::size_t row = 1; row < starts.size(); ++row) starts[row] += starts[row - 1];
  std::vector<Item> items(at(starts.back()));
  std::vector<std::int64_t> next(starts.begin(), starts.end() - 1);
  for (std::size_t s = 0; s < strips_.size(); ++s) {
    for (std::size_t lane = 0; lane < strips_[s].rows.size(); ++lane) {
      items[at(next[at(strips_[s].rows[lane])]++)] = {
          strips_[s].columns[lane], static_cast<std::int32_t>(s), static_cast<std::int32_t>(lane)};
    }
  }
  pattern_.columnIndex.reserve(at(total));
  pattern_.rowIndex.reserve(starts.size());
  pattern_.rowIndex.push_back(0);
  for (std::size_t row = 0; row + 1 < starts.size(); ++row) {
    const auto first = items.begin() + starts[row], last = items.begin() + starts[row + 1];
    sortByColumn(first, last);
    for (auto item = first; item != last; ++item) {
      std::vector<std::int32_t>& columns = pattern_.columnIndex;
      const auto own = static_cast<std::size_t>(item->strip);
      const bool isSame = item != first && columns.back() == item->column;
      // Strips wider than one column are alone in their columns.
      for (std::int64_t k = 0; k < strips_[own].width && !isSame; ++k)
        columns.push_back(item->column + static_cast<std::int32_t>(k));
      const auto width = isSame ? 1 : strips_[own].width;
      places_[own][static_cast<std::size_t>(item->lane)] =
          static_cast<std::int32_t>(static_cast<std::int64_t>(columns.size()) - width);
      if (isSame) isShared_[own] = isShared_[static_cast<std::size_t>((item - 1)->strip)] = true;
    }
    pattern_.rowIndex.push_back(static_cast<std::int32_t>(pattern_.columnIndex.size()));
  }
}

/// Blocks one after another, lane by lane.
void Assembly::placeCoo() {
  const std::int64_t total = totalOf(strips_);
  pattern_.rowIndex.resize(at(total));
  pattern_.columnIndex.resize(at(total));
  std::map<std::size_t, std::vector<std::size_t>> blocks;
  for (std::size_t s = 0; s < strips_.size(); ++s) blocks[strips_[s].block].push_back(s);
  std::int32_t next = 0;
  for (const auto& [block, strips] : blocks) {
    for (std::size_t lane = 0; lane < strips_[strips[0]].rows.size(); ++lane) {
      for (const std::size_t s : strips) {
        places_[s][lane] = next;
        for (std::int64_t k = 0; k < strips_[s].width; ++k, ++next) {
          pattern_.rowIndex[at(next)] = strips_[s].rows[lane];
          pattern_.columnIndex[at(next)] = strips_[s].columns[lane] + static_cast<std::int32_t>(k);
        }
      }
    }
  }
}

/// The strips of a block cut where one of them leaves its line; none where that is too often.
std::vector<Assembly::Run> Assembly::runsOf(const std::vector<std::size_t>& block) const {
  std::set<std::size_t> cuts = {0};
  const std::size_t lanes = strips_[block[0]].rows.size();
  for (const std::size_t s : block) {
    if (isShared_[s]) return {};
    const std::vector<std::int32_t>& places = places_[s];
    for (std::size_t first = 0; first < lanes;) {
      std::size_t end = std::min(first + 2, lanes);
      while (end < lanes && places[end] - places[end - 1] == places[first + 1] - places[first])
        ++end;
      cuts.insert(first);
      if (cuts.size() > kMaxPieces) return {};
      first = end;
    }
  }
  std::vector<Run> runs;
  for (const std::size_t s : block) {
    for (auto cut = cuts.begin(); cut != cuts.end(); ++cut) {
      const std::size_t end = std::next(cut) == cuts.end() ? lanes : *std::next(cut);
      const std::int32_t start = places_[s][*cut];
      const std::int64_t stride = end - *cut > 1 ? places_[s][*cut + 1] - start : 0;
      runs.push_back({s, static_cast<std::int64_t>(*cut), static_cast<std::int64_t>(end - *cut),
                      start, stride});
    }
  }
  return runs;
}

Expr Assembly::assemble(Builder& builder) const {
  const auto nonzeros = static_cast<std::int64_t>(pattern_.columnIndex.size());
  if (nonzeros == 0) return {&builder, builder.constant(0, {0})};
  std::map<std::size_t, std::vector<std::size_t>> blocks;
  for (std::size_t s = 0; s < strips_.size(); ++s) blocks[strips_[s].block].push_back(s);
  std::vector<Run> runs, left;
  for (const auto& [block, strips] : blocks) {
    const std::vector<Run> own = runsOf(strips);
    runs.insert(runs.end(), own.begin(), own.end());
    if (!own.empty()) continue;
    for (const std::size_t s : strips)
      left.push_back({s, 0, static_cast<std::int64_t>(strips_[s].rows.size()), 0, 0});
  }
  std::ranges::stable_sort(runs, [](const Run& a, const Run& b) { return a.start < b.start; });

  // Runs side by side that fill a piece of the values: a matrix with a row for every lane.
  struct Piece {
    std::int64_t start, count;
    Expr values;
  };
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < runs.size();) {
    const Run& first = runs[i];
    std::vector<Expr> columns;
    std::int64_t width = 0;
    std::size_t end = i;
    const std::int64_t stride = first.count == 1 ? strips_[first.strip].width : first.stride;
    while (end < runs.size() && width < stride && runs[end].start == first.start + width &&
           runs[end].count == first.count && runs[end].stride == first.stride) {
      const Run& run = runs[end++];
      columns.push_back(lanesOf(strips_[run.strip], run.first, run.count));
      width += strips_[run.strip].width;
    }
    if (width == stride) {
      const std::int64_t count = width * first.count;
      pieces.push_back({first.start, count, sideBySide(std::move(columns), count)});
      i = end;
    } else {
      left.push_back(first);
      ++i;
    }
  }
  if (!left.empty()) {
    // What no piece covers, in order.
    std::vector<std::int32_t> renumbered(at(nonzeros), 0);
    for (const Piece& piece : pieces)
      std::fill_n(renumbered.begin() + piece.start, piece.count, -1);
    std::int32_t count = 0;
    for (std::int32_t& place : renumbered) {
      if (place == 0) place = count++;
    }
    const Expr others = rest(left, count, renumbered);
    for (std::int64_t i = 0; i < nonzeros;) {
      std::int64_t end = i;
      while (end < nonzeros && renumbered[at(end)] >= 0) ++end;
      if (end > i)
        pieces.push_back({i, end - i, ex::sliceAxis(others, 0, {renumbered[at(i)], end - i, 1})});
      i = std::max(end, i + 1);
    }
    std::ranges::stable_sort(pieces,
                             [](const Piece& a, const Piece& b) { return a.start < b.start; });
  }
  std::vector<Expr> parts;
  for (const Piece& piece : pieces) parts.push_back(piece.values);
  return joined(parts, 0);
}

/// The entries of these runs, each at its place among them; those of one place are added in order.
Expr Assembly::rest(const std::vector<Run>& runs, std::int64_t count,
                    const std::vector<std::int32_t>& renumbered) const {
  std::vector<Expr> parts;
  std::vector<std::int32_t> places;
  for (const Run& run : runs) {
    const Strip& strip = strips_[run.strip];
    parts.push_back(ex::reshape(lanesOf(strip, run.first, run.count), {run.count * strip.width}));
    for (std::int64_t lane = run.first; lane < run.first + run.count; ++lane) {
      for (std::int64_t k = 0; k < strip.width; ++k)
        places.push_back(renumbered[at(places_[run.strip][at(lane)] + k)]);
    }
  }
  return addUp(joined(parts, 0), places, count);
}

}  // namespace adjoint

#include "plan/interleave.h"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>

#include "ops/op.h"
#include "plan/analysis.h"
#include "plan/lanes.h"
#include "transform/copy.h"

namespace adjoint {

namespace {

/// Shorter gathers are not worth a step of their own.
constexpr std::int64_t kFewPoints = 256;
constexpr std::size_t kMaxWidth = InterleaveStep::kMaxWidth;
/// Rows from which there may be a run, and elements that are not worth one.
constexpr std::size_t kMinRows = 4, kFewElements = 16;
/// So many rows one after the other may have elements from elsewhere, each not more than half.
constexpr int kMostExceptional = 2;
/// Elements of a line of the cache, where long runs begin if they can.
constexpr std::size_t kLine = 8;
/// Points that tell whether a gather has runs.
constexpr std::size_t kSample = 8192;

using Column = InterleaveStep::Column;
using Run = InterleaveStep::Run;

bool operator==(const Column& a, const Column& b) {
  return a.part == b.part && a.element == b.element;
}

class RunFinder {
 public:
  RunFinder(std::span<const double> positions, std::span<const JoinedPart> parts,
            InterleaveStep& step)
      : step_(step) {
    std::vector<std::int64_t> starts;
    std::vector<std::uint32_t> sameAs;  // of several uniform parts the first
    std::map<std::uint64_t, std::uint32_t> byBits;
    std::int64_t next = 0;
    for (const JoinedPart& part : parts) {
      const auto number = static_cast<std::uint32_t>(starts.size());
      starts.push_back(next);
      next += part.count;
      isUniform_.push_back(part.uniform.has_value());
      sameAs.push_back(
          part.uniform
              ? byBits.emplace(std::bit_cast<std::uint64_t>(*part.uniform), number).first->second
              : number);
    }
    places_.reserve(positions.size());
    std::size_t part = 0;
    for (const double position : positions) {
      const auto at = static_cast<std::int64_t>(position);
      if (at < starts[part] || at >= starts[part] + parts[part].count)
        part = static_cast<std::size_t>(std::ranges::upper_bound(starts, at) - starts.begin()) - 1;
      const std::int64_t element = isUniform_[part] ? 0 : at - starts[part];
      places_.push_back({sameAs[part], static_cast<std::int32_t>(element)});
    }
  }

  void run() {
    for (std::size_t p = 0; p < places_.size();) {
      Extent found = longest(p);
      if (found.rows < kMinRows || found.rows * found.width < kFewElements) {
        putSingle(p++);
        continue;
      }
      if (found.rows >= 2 * kLine) {
        for (std::size_t skipped = betterStart(p, found); skipped > 0; --skipped) putSingle(p++);
        found = extent(p, found.width);
      }
      put(p, found.rows, found.width);
      p += found.width * found.rows;
    }
  }

 private:
  struct Extent {
    std::size_t width = 1, rows = 1;
    bool isOfPoints = false;  ///< each row takes the same element of all parts
  };

  /// The element that a row which begins at p takes of all parts; -1: several, or all are uniform.
  std::int32_t pointOf(std::size_t p, std::size_t width) const {
    std::int32_t point = -1;
    for (std::size_t j = p; j < p + width && j < places_.size(); ++j) {
      if (isUniform_[places_[j].part]) continue;
      if (point >= 0 && places_[j].element != point) return -1;
      point = places_[j].element;
    }
    return point;
  }

  /// The place in the column of p so many rows on.
  Column expected(std::size_t p, std::size_t rows) const {
    const Column& first = places_[p];
    if (isUniform_[first.part]) return first;
    return {first.part, first.element + static_cast<std::int32_t>(rows)};
  }
  bool follows(std::size_t p, std::size_t q) const { return places_[q] == expected(p, 1); }

  /// Up to the last row that is all as the first one says.
  Extent extent(std::size_t p, std::size_t width) const {
    const std::int32_t point = pointOf(p, width);
    Extent found{width, 1, point >= 0};
    bool isOfPoints = found.isOfPoints;  // the last exceptional rows too
    int exceptional = 0;
    for (std::size_t row = 1; p + (row + 1) * width <= places_.size(); ++row) {
      std::size_t others = 0;
      for (std::size_t j = p; j < p + width; ++j) {
        const Column& place = places_[j + row * width];
        if (place == expected(j, row)) continue;
        ++others;
        isOfPoints = isOfPoints && (isUniform_[place.part] ||
                                    place.element == point + static_cast<std::int32_t>(row));
      }
      if (others == 0) {
        found.rows = row + 1;
        found.isOfPoints = isOfPoints;
        exceptional = 0;
      } else if (++exceptional > kMostExceptional || 2 * others > width) {
        break;
      }
    }
    return found;
  }

  /// The run that begins at p, of the width before if there is one.
  Extent longest(std::size_t p) {
    if (const Extent same = extent(p, width_); same.rows >= kMinRows) return same;
    // Uniform parts tell no width.
    std::size_t anchor = p;
    while (anchor < places_.size() && anchor < p + kMaxWidth && isUniform_[places_[anchor].part])
      ++anchor;
    if (anchor == places_.size()) return {};
    const std::size_t last = std::min(anchor + kMaxWidth, places_.size() - 1);
    for (std::size_t q = anchor + 1; q <= last; ++q) {
      if (!follows(anchor, q)) continue;
      const Extent found = extent(p, q - anchor);
      if (found.rows >= kMinRows) width_ = found.width;
      return found;
    }
    return {};
  }

  /// Elements to leave out so that rows take elements of one point each, and begin where lines of
  /// the cache do; at most one row is lost by it.
  std::size_t betterStart(std::size_t p, const Extent& first) const {
    const std::size_t width = first.width;
    const std::size_t unit = std::gcd(width, kLine);
    for (const bool isOfPoints : {true, false}) {
      for (const bool isAligned : {true, false}) {
        for (std::size_t skipped = 0; skipped < width; ++skipped) {
          const std::size_t start = p + skipped;
          if ((isAligned && start % unit != 0) || (isOfPoints && pointOf(start, width) < 0))
            continue;
          const Extent found = skipped == 0 ? first : extent(start, width);
          if (found.rows + 1 >= first.rows && found.isOfPoints >= isOfPoints) return skipped;
        }
      }
    }
    return 0;
  }

  void put(std::size_t start, std::size_t rows, std::size_t width) {
    step_.runs.push_back({static_cast<std::int64_t>(start), static_cast<std::int64_t>(rows),
                          static_cast<std::int64_t>(width),
                          static_cast<std::int64_t>(step_.columns.size())});
    step_.columns.insert(step_.columns.end(), places_.begin() + static_cast<std::ptrdiff_t>(start),
                         places_.begin() + static_cast<std::ptrdiff_t>(start + width));
    for (std::size_t i = width; i < rows * width; ++i) {
      if (places_[start + i] != expected(start + i % width, i / width)) putSingle(start + i);
    }
  }

  void putSingle(std::size_t p) {
    step_.singles.push_back({static_cast<std::int64_t>(p), places_[p]});
  }

  InterleaveStep& step_;
  std::vector<bool> isUniform_;
  std::vector<Column> places_;
  std::size_t width_ = 1;
};

/// The same elements in the shape in which they are computed.
NodeId unshaped(const Tape& t, NodeId id) {
  while (opOf(t.node(id)) == Op::Reshape) id = t.node(id).operand[0];
  return id;
}

/// The join that a gather reads, where it can read its parts instead.
class PartFinder {
 public:
  explicit PartFinder(const Tape& t) : tape_(t), uses_(useCounts(t)) {}

  NodeId joinOf(const Node& node) const {
    if (opOf(node) != Op::Gather || tape_.shape(node).size() != 1) return kNoNode;
    const NodeId join = node.operand[0], indices = node.operand[1];
    const Node& joined = tape_.node(join);
    const bool isFlat = opOf(joined) == Op::Concat && tape_.shape(join).size() == 1;
    if (!isFlat || uses_[join] != 1 || tape_.node(indices).op != tapeop::kData ||
        tape_.count(indices) < kFewPoints || canFail(tape_, node))
      return kNoNode;
    std::vector<JoinedPart> parts;
    for (const NodeId part : tape_.operands(joined)) {
      const Node& value = tape_.node(unshaped(tape_, part));
      parts.push_back({tape_.count(part), std::nullopt});
      if (value.op == tapeop::kConstant) parts.back().uniform = Tape::constantValue(value);
    }
    const std::vector<double>& positions = tape_.data(tape_.node(indices));
    const auto sample =
        std::span<const double>(positions).first(std::min(positions.size(), kSample));
    InterleaveStep found;
    findRuns(sample, parts, found);
    const std::int64_t inRows = std::ssize(sample) - std::ssize(found.singles);
    return inRows * 2 > std::ssize(sample) ? join : kNoNode;
  }

 private:
  const Tape& tape_;
  const std::vector<std::uint32_t> uses_;
};

}  // namespace

void findRuns(std::span<const double> positions, std::span<const JoinedPart> parts,
              InterleaveStep& step) {
  RunFinder(positions, parts, step).run();
}

TapePtr interleaveParts(const TapePtr& t) {
  const Tape& tape = *t;
  const PartFinder finder(tape);
  std::vector<NodeId> joinOf(tape.size(), kNoNode);
  std::vector<bool> isReplaced(tape.size(), false);
  bool any = false;
  for (NodeId id = 0; id < tape.size(); ++id) {
    joinOf[id] = finder.joinOf(tape.node(id));
    if (joinOf[id] == kNoNode) continue;
    isReplaced[joinOf[id]] = any = true;
  }
  if (!any) return t;
  Builder builder;
  builder.setSharing(false);
  builder.reserve(tape.size());
  Copier copier(builder, tape);
  std::vector<NodeId> map(tape.size(), kNoNode);
  for (NodeId id = 0; id < tape.size(); ++id) {
    if (isReplaced[id]) continue;
    const Node& node = tape.node(id);
    builder.setOrigin(node.origin == kNoNode ? id : node.origin);
    if (node.op == tapeop::kInput) {
      map[id] = builder.input(tape.inputs()[node.attr].name, tape.shape(node), node.dtype);
    } else if (joinOf[id] != kNoNode) {
      std::vector<NodeId> operands = {map[node.operand[1]]};
      for (const NodeId part : tape.operands(tape.node(joinOf[id])))
        operands.push_back(map[unshaped(tape, part)]);
      map[id] = builder.append(code(Op::Interleave), node.dtype, tape.shape(node), operands);
    } else {
      map[id] = copier.copyMapped(tape.node(id), map);
    }
  }
  std::vector<Port> outputs = tape.outputs();
  for (Port& port : outputs) port.node = map[port.node];
  return builder.finish(std::move(outputs));
}

}  // namespace adjoint

#include "transform/slice_assembly.h"

#include <algorithm>

namespace adjoint {

using namespace ex;

std::optional<Range> SliceAssembly::flatRun(const Shape& from, const std::vector<Range>& ranges) {
  const std::vector<std::int64_t> strides = rowMajorStrides(from);
  std::int64_t start = 0;
  std::int64_t count = 1;
  // From the inside out: whole axes, then one partial axis, then single positions.
  bool whole = true;
  for (std::size_t i = from.size(); i-- > 0;) {
    start += ranges[i].start * strides[i];
    if (ranges[i].count == 1) {
      whole = whole && from[i] == 1;
      continue;
    }
    if (!whole || ranges[i].step != 1) return std::nullopt;
    count *= ranges[i].count;
    whole = ranges[i].count == from[i];
  }
  return Range{start, count, 1};
}

void SliceAssembly::add(const Range& run, const Masked& cotangent) {
  // Reads of one run are one node, so runs arrive once each but for reshaped twins.
  Run entry{run.start, run.count, {}};
  entry.cotangent.add(moved(cotangent, [&](Expr v) { return reshape(v, {run.count}); }));
  runs_.push_back(std::move(entry));
}

void SliceAssembly::addPlaced(MaskedSum& sum, const Run& run, const Shape& shape) {
  const Masked flat = placed(run.cotangent.total(), {{run.start, elementCount(shape), 1}});
  sum.add(moved(flat, [&](Expr v) { return reshape(v, shape); }));
}

void SliceAssembly::addTo(MaskedSum& sum, const Shape& shape) const {
  if (runs_.empty()) return;
  const std::int64_t size = elementCount(shape);
  std::vector<const Run*> left;
  for (const Run& run : runs_) left.push_back(&run);
  std::stable_sort(left.begin(), left.end(),
                   [](const Run* a, const Run* b) { return a->start < b->start; });
  // Each layer takes, in order, the runs that do not overlap what it has. A few long runs (a
  // stencil) stay apart: each is then read through a window, and nothing is copied.
  constexpr std::size_t kFewRuns = 4;
  constexpr std::int64_t kLongRun = 16;
  const bool areLong =
      std::ranges::all_of(runs_, [](const Run& run) { return run.count >= kLongRun; });
  if (left.size() <= kFewRuns && areLong) {
    for (const Run* run : left) addPlaced(sum, *run, shape);
    return;
  }
  while (!left.empty()) {
    if (left.size() == 1) return addPlaced(sum, *left[0], shape);
    std::vector<Expr> values;
    std::vector<Expr> masks;
    std::vector<const Run*> later;
    std::int64_t position = 0;
    bool structural = true;
    Builder& builder = *left[0]->cotangent.total().value.builder;
    const auto gap = [&](std::int64_t count) {
      if (count == 0) return;
      values.push_back({&builder, builder.constant(0, {count})});
      masks.push_back({&builder, builder.constant(0, {count}, DType::Bool)});
    };
    for (const Run* run : left) {
      if (run->start < position) {
        later.push_back(run);
        continue;
      }
      gap(run->start - position);
      const Masked total = run->cotangent.total();
      values.push_back(settle(total));
      masks.push_back(total.always() ? fullBool(total.value, true) : total.mask);
      structural = structural && (total.always() || total.structural);
      position = run->start + run->count;
    }
    gap(size - position);
    Masked layer{reshape(concat(values, 0), shape), {}, true, structural};
    const bool hasMask = std::any_of(masks.begin(), masks.end(), [&](const Expr& m) {
      const Node& node = builder.node(m.id);
      return node.op != tapeop::kConstant || Tape::constantValue(node) == 0;
    });
    if (hasMask) layer.mask = reshape(concat(masks, 0), shape);
    layer.structural = hasMask && structural;
    sum.add(layer);
    left = std::move(later);
  }
}

}  // namespace adjoint

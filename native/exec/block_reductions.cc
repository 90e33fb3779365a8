#include "exec/block_reductions.h"

#include <algorithm>

#include "exec/block_layout.h"
#include "exec/kernel_facts.h"

namespace adjoint::exec {
namespace {

ReduceShape shapeOf(const Kernel& kernel, const adjoint::Reduction& reduction) {
  ReduceShape shape;
  shape.op = reduction.op;
  const auto& extents = kernel.extents;
  const std::uint32_t mask = reduction.reducedLoops;
  int phase = 0;
  for (std::size_t l = 0; l < extents.size(); ++l) {
    const bool reduced = mask >> l & 1u;
    if (reduced && phase == 0) phase = 1;
    if (!reduced && phase == 1) phase = 2;
    if (reduced && phase == 2) brokenKernel("reduced loops that are not neighbors");
    (phase == 0 ? shape.outer : phase == 1 ? shape.terms : shape.inner) *= extents[l];
  }
  if (reduction.points > 0) shape.terms = reduction.points;
  if (shape.outer * shape.inner > 0) {
    shape.result = makePattern(kernel.maps[accessOf(kernel, reduction.access).map], extents, mask);
    shape.contiguous = shape.result.contiguous() || shape.outer * shape.inner == 1;
    if (shape.result.windowed) brokenKernel("a window on a result");
  }
  return shape;
}

/// Tiles of columns keep the accumulators near where every reduction runs over the same loops.
void chooseTile(BlockProgram& program) {
  const ReduceShape& first = program.reductions[0].shape;
  std::int64_t rows = 0;
  for (const auto& reduction : program.reductions) {
    const ReduceShape& shape = reduction.shape;
    if (shape.outer != first.outer || shape.terms != first.terms) return;
    rows += shape.accumulators(8) / 8;
  }
  // A tile is as wide as the kept inner extent at most: narrow ones would be all overhead.
  constexpr std::int64_t kMinTile = 32;
  if (first.terms == 1 || first.inner < kMinTile) return;
  if (rows * first.inner <= kCacheDoubles / 2) return;
  program.tileOuter = first.outer;
  program.tileTerms = first.terms;
  program.tileInner = first.inner;
  const std::int64_t fit = kCacheDoubles / 2 / rows / 16 * 16;
  program.tile = std::clamp<std::int64_t>(fit, 64, kMaxLanes);
}

}  // namespace

void addReductions(const Plan& plan, const Kernel& kernel, BlockProgram& program) {
  for (const adjoint::Reduction& reduction : kernel.reductions) {
    const ReduceShape shape = shapeOf(kernel, reduction);
    if (shape.outer * shape.inner == 0) continue;
    program.reductions.emplace_back(shape, placeOf(plan, accessOf(kernel, reduction.access)));
  }
  if (program.points > 0 && !program.reductions.empty()) chooseTile(program);
}

}  // namespace adjoint::exec

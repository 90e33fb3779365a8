#pragma once

#include <cstdint>

#include "exec/block.h"
#include "plan/plan.h"

namespace adjoint::exec {

// Library steps: what they need of the workspace, and how they run. False: status says why.

std::int64_t matMulScratch(const MatMulStep& step);
/// The most threads that can share the step.
std::int64_t matMulThreads(const MatMulStep& step);
bool runMatMul(const Plan& plan, const MatMulStep& step, const RunContext& context) noexcept;

/// A part of a product of matrices that contracts over lanes: a [batch, m, lanes] and b [batch, n,
/// lanes], rows of lanes `stride` apart, c [batch, m, n].
struct OuterProducts {
  std::int64_t batch = 1, m = 0, n = 0, stride = 0;
  const Span* needed = nullptr;  ///< by row of c, what is read; the rest may be left as it is
};
std::int64_t outerProductScratch();
/// c = start + the sum over lanes of the outer products, of one chain; plus what c is where `adds`.
/// `start` null: zeros.
void addOuterProducts(const OuterProducts& shape, std::int64_t lanes, const double* a,
                      const double* b, const double* start, double* c, bool adds, double* scratch);

bool runRecurrence(const Plan& plan, const RecurrenceStep& step,
                   const RunContext& context) noexcept;

std::int64_t indexScratch(const IndexStep& step);
bool runIndex(const Plan& plan, const IndexStep& step, const RunContext& context) noexcept;

bool runScatterAdd(const Plan& plan, const ScatterAddStep& step,
                   const RunContext& context) noexcept;

inline double* bufferAt(const Plan& plan, BufferId id, const RunContext& context) {
  const Buffer& buffer = plan.buffers[id];
  return context.at(buffer.base, buffer.offset);
}

}  // namespace adjoint::exec

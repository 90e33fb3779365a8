#include "plan/planner.h"

#include "plan/assemble.h"
#include "plan/by_row.h"
#include "plan/contract.h"
#include "plan/interleave.h"
#include "plan/lanes.h"
#include "plan/pieces_apart.h"
#include "plan/recompute.h"
#include "plan/scalarize.h"
#include "plan/shifts.h"
#include "plan/signs.h"
#include "transform/transform.h"

namespace adjoint {

namespace {

/// Functions of so few scalar operations are scalar code: less than the overhead of loops over
/// them.
constexpr std::int64_t kFewOperations = 2048;
constexpr std::int64_t kShortAxis = 32;

bool isSmall(const Tape& t) {
  bool hasTensors = false;
  for (NodeId id = 0; id < t.size(); ++id) {
    if (t.count(id) > kFewOperations) return false;
    const bool isPort = opOf(t.node(id)) == Op::Input || opOf(t.node(id)) == Op::Data;
    if (isPort) continue;
    for (const std::int64_t extent : t.shape(id)) {
      hasTensors = hasTensors || extent > 1;
      if (extent > kShortAxis) return false;
    }
  }
  return hasTensors && scalarOperations(t, kFewOperations) >= 0;
}

}  // namespace

std::shared_ptr<const Plan> makePlan(TapePtr tape, const PlanOptions& options) {
  TapePtr final = contractMultiplyAdds(simplifyLoops(expandCalls(tape)));
  if (options.signs) final = carrySigns(final);
  if (options.scalars && isSmall(*final)) return assemblePlan(scalarize(*final), options);
  if (options.pieces) final = computePiecesApart(final);
  if (options.shifts) final = shareShifts(final);
  if (options.byRow) final = computeByRow(final);
  if (options.lanes) final = formLanes(final);
  if (options.again) final = recomputeMoved(final);
  if (options.interleaves) final = interleaveParts(final);
  return assemblePlan(std::move(final), options);
}

}  // namespace adjoint

#include "exec/executor.h"
#include "ops/table_index.h"

namespace adjoint {

void RunStatus::restoreIndex(const Tape& tape) {
  if (code != ErrorCode::Index || node >= tape.size()) return;
  const Node& at = tape.node(node);
  const bool isGather = opOf(at) == Op::Gather;
  if (!isGather && opOf(at) != Op::ScatterSum) return;
  const NodeId indices = tape.operands(at)[isGather ? 1 : 0];
  const AxisIndex given = givenIndex(tape, indices, {value, limit});
  value = given.value;
  limit = given.size;
}

}  // namespace adjoint

#include "ops/build.h"
#include "sparsity/blocks.h"

namespace adjoint {

/// All columns of the inputs that the pieces depend on.
void addDenseBlocks(BlockSite& site, const std::vector<std::size_t>& inputs,
                    const std::vector<DensePiece>& pieces) {
  const Tape& t = site.tape;
  std::vector<Port> ports;
  for (const auto& [piece, cause] : pieces) ports.push_back({"y", piece.node});
  const JacobianResult dense = jacobian(Builder(t).finish(std::move(ports)), inputs, site.mode);
  std::vector<NodeId> arguments;
  for (const Port& port : t.inputs()) arguments.push_back(site.map[port.node]);
  const std::vector<NodeId> values = inlineTape(site.builder, *dense.tape, arguments, true);
  JacobianBlock block{1, 0, 0, dense.mode, dense.forwardCost, dense.reverseCost, kNoNode};
  for (const std::size_t i : inputs) block.inputs += t.count(t.inputs()[i].node);
  std::size_t next = 0;
  for (const auto& [piece, cause] : pieces) {
    const std::int64_t count = t.count(piece.node);
    block.outputs = count;
    block.denseBy = cause;
    site.begin(block);
    for (const std::size_t i : inputs) {
      const NodeId input = t.inputs()[i].node;
      Strip strip;
      strip.width = t.count(input);
      strip.values = ex::reshape({&site.builder, values[next++]}, {count, strip.width});
      strip.rows.assign(piece.rows.begin(), piece.rows.end());
      strip.columns.assign(piece.rows.size(), static_cast<std::int32_t>(site.firstColumn[input]));
      site.add(std::move(strip));
    }
  }
}

}  // namespace adjoint

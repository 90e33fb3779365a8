#include "sparsity/choices.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "ops/op.h"

namespace adjoint {

const std::vector<double>* Choices::weights(NodeId id, std::size_t operand) const {
  if (decided_ == nullptr) return nullptr;
  const NodeId source = expanded_.sourceOf(id);
  const auto& all = decided_->decisions;
  for (auto it = std::ranges::lower_bound(all, source, {}, &Decision::node);
       it != all.end() && it->node == source; ++it) {
    if (it->operand == operand)
      return &decided_->values[static_cast<std::size_t>(it - all.begin())];
  }
  return nullptr;
}

const std::vector<double>* Choices::condition(NodeId id) {
  const std::vector<double>* decided = weights(id, 0);
  return decided != nullptr ? decided : constants_.of(expanded_.tape->node(id).operand[0]);
}

const std::vector<std::int64_t>* Choices::indices(NodeId id) {
  const Tape& t = *expanded_.tape;
  const Node& node = t.node(id);
  const bool isGather = opOf(node) == Op::Gather;
  const std::size_t position = isGather ? 1 : 0;
  const std::int64_t extent =
      isGather ? t.shape(node.operand[0])[static_cast<std::size_t>(t.attrs(node)[0])]
               : t.attrs(node)[1];
  const std::vector<double>* decided = weights(id, position);
  if (decided == nullptr) return constants_.indices(node.operand[position], extent);
  decidedIndices_.clear();
  for (const double x : *decided) {
    if (!(x >= 0 && x < static_cast<double>(extent)))
      throw Error(ErrorCode::Index, "an index of the point, " + std::to_string(x) +
                                        ", is not in [0, " + std::to_string(extent) + ")");
    decidedIndices_.push_back(static_cast<std::int64_t>(x));
  }
  return &decidedIndices_;
}

std::optional<std::int64_t> Choices::steps(NodeId loop) {
  const Tape& t = *expanded_.tape;
  const LoopAttributes attributes = LoopAttributes::read(t, t.node(loop));
  if (attributes.trips == LoopTrips::Fixed) return attributes.length;
  const std::size_t operand = stepsOperand(attributes);
  const std::vector<double>* found = weights(loop, operand);
  if (found == nullptr && attributes.trips == LoopTrips::Counted)
    found = constants_.of(t.operands(t.node(loop))[operand]);
  if (found == nullptr) return {};
  const double steps = found->front();
  const bool fits =
      steps >= 0 && steps <= static_cast<double>(attributes.length) && steps == std::floor(steps);
  return fits ? std::optional(static_cast<std::int64_t>(steps)) : std::nullopt;
}

}  // namespace adjoint

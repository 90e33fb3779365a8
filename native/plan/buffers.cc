#include "plan/buffers.h"

#include <algorithm>

#include "plan/arena.h"

namespace adjoint {

BufferId PlanBuffers::of(NodeId value) {
  if (has(value)) return buffers_[value];
  const Node& node = tape_.node(value);
  if (node.op == tapeop::kData) {
    put(value, addConstants(tape_.data(node)));
  } else if (node.op == tapeop::kConstant) {
    put(value, addConstants({Tape::constantValue(node)}));
  } else {
    put(value, addTemporary(tape_.count(value)));
  }
  return buffers_[value];
}

BufferId PlanBuffers::contiguousOf(NodeId operand) {
  const NodeId value = views_.strip(operand);
  const Node& node = tape_.node(value);
  if (node.op != tapeop::kConstant) return of(value);
  return addConstants(
      std::vector<double>(static_cast<std::size_t>(tape_.count(value)), Tape::constantValue(node)));
}

BufferId PlanBuffers::add(const Buffer& buffer) {
  plan_.buffers.push_back(buffer);
  return static_cast<BufferId>(plan_.buffers.size() - 1);
}

BufferId PlanBuffers::addIo(std::int64_t elements) {
  const BufferId buffer = add({Base::Io, plan_.ioDoubles, elements});
  plan_.ioDoubles += std::max<std::int64_t>(paddedDoubles(elements), 8);
  return buffer;
}

BufferId PlanBuffers::addConstants(const std::vector<double>& values) {
  auto& constants = plan_.constants;
  const auto offset = static_cast<std::int64_t>(constants.size());
  constants.insert(constants.end(), values.begin(), values.end());
  constants.resize(
      static_cast<std::size_t>(paddedDoubles(static_cast<std::int64_t>(constants.size()))), 0.0);
  return add({Base::Constant, offset, static_cast<std::int64_t>(values.size())});
}

}  // namespace adjoint

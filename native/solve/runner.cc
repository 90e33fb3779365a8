#include "solve/runner.h"

#include <cstring>

#include "plan/planner.h"
#include "transform/transform.h"

namespace adjoint {
namespace {

constexpr std::int64_t kLine = 64 / sizeof(double);

// The start of the first cache line.
double* aligned(std::vector<double>& memory) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  return memory.data() + (64 - address % 64) % 64 / sizeof(double);
}

}  // namespace

Runner::Runner(const TapePtr& tape, CheckMemory check)
    : executable_(makeExecutable(makePlan(expandCalls(tape)))) {
  const auto io = static_cast<std::size_t>(plan().ioDoubles + kLine);
  const auto workspace = static_cast<std::size_t>(executable_->workspaceDoubles() + kLine);
  if (check != nullptr) check((io + workspace) * sizeof(double));
  io_.resize(io);
  workspace_.resize(workspace);
}

void Runner::setInput(std::size_t index, const double* values) {
  const Buffer& buffer = plan().buffers[plan().inputs[index].buffer];
  if (buffer.elements == 0) return;
  std::memcpy(aligned(io_) + buffer.offset, values,
              static_cast<std::size_t>(buffer.elements) * sizeof(double));
}

std::int64_t Runner::inputElements(std::size_t index) const {
  return plan().buffers[plan().inputs[index].buffer].elements;
}

const double* Runner::output(std::size_t index) {
  return aligned(io_) + plan().buffers[plan().outputs[index].buffer].offset;
}

std::int64_t Runner::outputElements(std::size_t index) const {
  return plan().buffers[plan().outputs[index].buffer].elements;
}

RunStatus Runner::run(RunControl* control) {
  return executable_->run(aligned(io_), aligned(workspace_), control);
}

}  // namespace adjoint

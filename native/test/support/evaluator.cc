#include "test/support/evaluator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

namespace adjoint::testing {

namespace {

constexpr double kPoison = std::numeric_limits<double>::quiet_NaN();

}  // namespace

bool identical(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

bool identical(const Arrays& a, const Arrays& b) {
  return std::ranges::equal(a, b, [](const Values& x, const Values& y) {
    return std::ranges::equal(x, y, [](double p, double q) { return identical(p, q); });
  });
}

Evaluator::Memory Evaluator::allocate(std::int64_t doubles) {
  const auto bytes = static_cast<std::size_t>(std::max<std::int64_t>(doubles, 1)) * sizeof(double);
  return Memory(static_cast<double*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)));
}

namespace {

/// The node that the user wrote, of the one that failed.
NodeId originOf(const Executable& executable, const RunStatus& status) {
  const TapePtr& tape = executable.plan().tape;
  if (!tape || status.node >= tape->size()) return status.node;
  const NodeId origin = tape->node(status.node).origin;
  return origin == kNoNode ? status.node : origin;
}

}  // namespace

Evaluator::Evaluator(const TapePtr& tape)
    : Evaluator(makePlan(tape), makePlan(tape, PlanOptions::none())) {}

Evaluator::Evaluator(std::shared_ptr<const Plan> plan) : Evaluator(plan, plan) {}

Evaluator::Evaluator(std::shared_ptr<const Plan> plan, std::shared_ptr<const Plan> plain)
    : plan_(std::move(plan)),
      executable_(makeExecutable(plan_)),
      interpreter_(makeInterpreter(std::move(plain))),
      io_(allocate(plan_->ioDoubles)),
      workspace_(
          allocate(std::max(executable_->workspaceDoubles(), interpreter_->workspaceDoubles()))) {}

RunStatus Evaluator::tryRun(const Arrays& inputs, Arrays& outputs) {
  const RunStatus status = runOn(*executable_, inputs, outputs);
  // Valgrind takes the sign of some zeros wrong, in different instructions.
  if (std::getenv("ADJOINT_VALGRIND") != nullptr) return status;
  Arrays interpreted;
  const RunStatus same = runOn(*interpreter_, inputs, interpreted);
  EXPECT_EQ(status.ok, same.ok);
  EXPECT_EQ(originOf(*executable_, status), originOf(*interpreter_, same));
  if (status.ok) {
    EXPECT_TRUE(identical(outputs, interpreted)) << "generated code and interpreter differ";
  }
  return status;
}

RunStatus Evaluator::runOn(const Executable& executable, const Arrays& inputs, Arrays& outputs) {
  EXPECT_EQ(inputs.size(), plan_->inputs.size());
  std::fill_n(io_.get(), plan_->ioDoubles, kPoison);
  std::fill_n(workspace_.get(), executable.workspaceDoubles(), kPoison);
  for (std::size_t i = 0; i < std::min(inputs.size(), plan_->inputs.size()); ++i) {
    const Buffer& buffer = plan_->buffers[plan_->inputs[i].buffer];
    EXPECT_EQ(static_cast<std::int64_t>(inputs[i].size()), buffer.elements) << "input " << i;
    std::ranges::copy(inputs[i], io_.get() + buffer.offset);
  }
  const RunStatus status = executable.run(io_.get(), workspace_.get(), nullptr);
  if (!status.ok) return status;
  outputs.clear();
  for (const IoPort& port : plan_->outputs) {
    const Buffer& buffer = plan_->buffers[port.buffer];
    const double* first = io_.get() + buffer.offset;
    outputs.emplace_back(first, first + buffer.elements);
  }
  return status;
}

Arrays Evaluator::operator()(const Arrays& inputs) {
  Arrays outputs;
  const RunStatus status = tryRun(inputs, outputs);
  EXPECT_TRUE(status.ok) << errorCodeName(status.code) << " at node " << status.node << ", value "
                         << status.value;
  return outputs;
}

Arrays evaluate(const TapePtr& tape, const Arrays& inputs) { return Evaluator(tape)(inputs); }

std::vector<std::size_t> allInputs(const Tape& tape) {
  std::vector<std::size_t> positions(tape.inputs().size());
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

bool isInstrumented() { return std::getenv("ADJOINT_SANITIZED") != nullptr; }

std::size_t countFromEnvironment(const char* name, std::size_t otherwise) {
  const char* text = std::getenv(name);
  return text ? static_cast<std::size_t>(std::atoll(text)) : otherwise;
}

}  // namespace adjoint::testing

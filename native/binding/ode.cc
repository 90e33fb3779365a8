#include "transform/ode.h"

#include "binding/handles.h"
#include "binding/values.h"

namespace adjoint::binding {
namespace {

/// Integers in the order that lib/native.ts gives.
enum Position : std::size_t {
  kLeaves,
  kMethod,
  kAdjoint,
  kSteps,
  kMaxSteps,
  kPolicy,
  kSlots,
  kDiskSlots,
  kBytes,
  kPositions,
};

OdeOptions readOptions(const std::vector<std::int64_t>& numbers,
                       const std::vector<double>& tolerances) {
  // Most steps of one loop, and bytes that a number holds exactly.
  constexpr std::int64_t kMost = (std::int64_t{1} << 31) - 1;
  constexpr std::int64_t kMostBytes = std::int64_t{1} << 53;
  const auto wrong = [](bool is) {
    if (is) throw Error(ErrorCode::Argument, "ode: the numbers do not say how to integrate");
  };
  wrong(numbers.size() != kPositions);
  for (std::size_t i = 0; i < kPositions; ++i)
    wrong(numbers[i] < 0 || numbers[i] > (i == kBytes ? kMostBytes : kMost));
  wrong(numbers[kMethod] > static_cast<std::int64_t>(OdeMethod::Rk4));
  wrong(numbers[kAdjoint] > static_cast<std::int64_t>(OdeAdjoint::Continuous));
  wrong(numbers[kPolicy] > static_cast<std::int64_t>(CheckpointPolicy::Multistage));
  const auto leaves = static_cast<std::size_t>(numbers[kLeaves]);
  wrong(tolerances.size() != 1 + 2 * leaves);

  OdeOptions options;
  options.method = static_cast<OdeMethod>(numbers[kMethod]);
  options.adjoint = static_cast<OdeAdjoint>(numbers[kAdjoint]);
  options.steps = numbers[kSteps];
  options.maxSteps = numbers[kMaxSteps];
  options.checkpoints = {static_cast<CheckpointPolicy>(numbers[kPolicy]), numbers[kSlots],
                         numbers[kDiskSlots], numbers[kBytes]};
  const auto atol = tolerances.begin() + 1 + static_cast<std::ptrdiff_t>(leaves);
  options.firstStep = tolerances[0];
  options.rtol = {tolerances.begin() + 1, atol};
  options.atol = {atol, tolerances.end()};
  return options;
}

}  // namespace

napi_value ode(Call& call) {
  const std::vector<std::int64_t> numbers = readIntegers(call.env, call.arguments[1], "numbers");
  const std::vector<double> tolerances = readFloat64s(call.env, call.arguments[2], "tolerances");
  OdeOptions options = readOptions(numbers, tolerances);
  options.directory = readText(call.env, call.arguments[3], "directory");
  const std::vector<NodeId> operands = readNodes(call.env, call.arguments[4], "operands");
  const auto leaves = static_cast<std::size_t>(numbers[kLeaves]);
  if (operands.size() < 1 + leaves)
    throw Error(ErrorCode::Argument, "ode: the operands are times and a state");
  OdeProblem problem;
  problem.rhs = tapeOf(call, call.arguments[0], "rhs");
  BuilderHandle& handle = builderHandleOf(call);
  handle.checkNodes(operands);
  problem.times = operands[0];
  problem.y0 = {operands.begin() + 1, operands.begin() + 1 + numbers[kLeaves]};
  problem.constants = {operands.begin() + 1 + numbers[kLeaves], operands.end()};
  // Nodes of loops are there even where the call is refused later on.
  handle.hasFunctions = true;
  const OdeSolution solution = appendOde(*handle.builder, problem, options);
  handle.grown();
  std::vector<NodeId> items = solution.y;
  items.push_back(solution.accepted);
  items.push_back(solution.rejected);
  return makeNumbers(call.env, items);
}

}  // namespace adjoint::binding

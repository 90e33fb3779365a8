#include "exec/line_queue.h"

#include <algorithm>

namespace adjoint::exec {
namespace {

/// Instructions for each line that is asked for.
constexpr std::size_t kWork = 8;

void ask(Code& code, std::uint32_t slot, const LineQueue& queue, std::int64_t at, int lanes) {
  constexpr std::int64_t kDouble = sizeof(double);
  for (std::int64_t row = 0; row < queue.rows; ++row) {
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      code.asked.push_back(static_cast<std::uint32_t>(code.memory.size()));
      code.memory.push_back({slot, true, (at + row * queue.lanes + lane) * kDouble});
    }
  }
}

}  // namespace

bool askOnTheWay(JitBuilder& builder, const std::vector<LaneCode>& codes, const LineQueue& queue,
                 std::int64_t at) {
  const auto length = [&](const LaneCode& code) {
    return builder.codes()[code.numbers.front()].ops.size();
  };
  const auto longest = std::ranges::max_element(codes, {}, length);
  const int lanes = lanesOf(builder.instructionSet());
  const auto lines = static_cast<std::size_t>(queue.rows * lanes);
  if (longest == codes.end() || length(*longest) < lines * kWork) return false;
  for (const std::uint32_t number : longest->numbers)
    ask(builder.codes()[number], longest->slot, queue, at, lanes);
  return true;
}

}  // namespace adjoint::exec

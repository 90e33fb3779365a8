#pragma once

#include <cstdint>
#include <vector>

#include "exec/jit.h"

namespace adjoint::exec {

/// What a loop over lanes reads and writes in its next block, as addresses of lines behind the io
/// of its body. Machine code of the body asks for them on its way, some in each round: a processor
/// waits where more are asked for at once than it can wait for.
struct LineQueue {
  static constexpr std::int64_t kLine = 8;  ///< doubles

  std::int64_t lanes = 0;  ///< of a block
  std::int64_t rows = 0;   ///< addresses a lane; 0: memory need not be asked for

  std::int64_t doubles() const { return lanes * rows; }
};

/// Code that runs over the lanes of a block, once.
struct LaneCode {
  std::vector<std::uint32_t> numbers;  ///< in the builder: several that stand for each other
  std::uint32_t slot = 0;              ///< with the address of the lanes in the io
};

/// Makes the longest code ask for what is in a queue `at` doubles behind the beginning of the io.
/// False: none has enough to do meanwhile.
bool askOnTheWay(JitBuilder& builder, const std::vector<LaneCode>& codes, const LineQueue& queue,
                 std::int64_t at);

}  // namespace adjoint::exec

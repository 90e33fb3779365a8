#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "test/support/evaluator.h"

namespace adjoint::testing {

/// A tape drawn at random and a point at which it is smooth and of moderate size.
struct RandomTape {
  TapePtr tape;  ///< outputs: a scalar "s", then up to three others
  Arrays inputs;
};

struct RandomTapeOptions {
  std::size_t minNodes = 5;
  std::size_t maxNodes = 200;
  std::int64_t maxElements = 48;  ///< of one value; now and then eight times that
};

/// The same tape for the same seed. How often each operation was asked for is added to `used`.
RandomTape randomTape(std::uint64_t seed, const RandomTapeOptions& options = {},
                      std::map<std::string, int>* used = nullptr);

}  // namespace adjoint::testing

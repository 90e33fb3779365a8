#pragma once

#include <cstdint>
#include <vector>

#include "exec/block.h"

namespace adjoint::exec {

/// The memory a kernel's loads or stores reach, asked for overlaps in logarithmic time.
class Intervals {
 public:
  void add(Base base, std::int64_t from, std::int64_t to) {
    lists_[static_cast<int>(base)].push_back({from, to});
  }
  /// To be called once, after the last add.
  void close();
  bool overlaps(Base base, std::int64_t from, std::int64_t to) const;

 private:
  struct Interval {
    std::int64_t from, to;  ///< half open; after close(), `to` is the largest so far
  };
  std::vector<Interval> lists_[kBases];
};

}  // namespace adjoint::exec

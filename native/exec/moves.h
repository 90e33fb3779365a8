#pragma once

#include <vector>

#include "exec/block.h"

namespace adjoint::exec {

/// Single elements to be written, in parts that are written one at a time.
class Moves {
 public:
  struct Move {
    std::int64_t to = 0;
    Place from;
  };

  /// The next part: by the order of Base, those from one memory in their order.
  void add(std::vector<Move> moves);
  /// Whether none of these, as one part, may read what another one has written.
  static bool areApart(const std::vector<Move>& moves, const Place& out);
  void run(const RunContext& context, double* out, std::size_t part) const;
  std::size_t bytes() const;

 private:
  /// Elements of one memory.
  struct Group {
    Base base;
    std::size_t end;  ///< among the elements
  };
  struct Element {
    std::int64_t to, from;
  };

  std::vector<std::size_t> parts_ = {0};  ///< the first group of each, and the end
  std::vector<Group> groups_;
  std::vector<Element> elements_;
};

}  // namespace adjoint::exec

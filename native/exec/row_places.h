#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "exec/code.h"
#include "plan/plan.h"

namespace adjoint::exec {

/// Where the rows of a loop's streams and results are outside of its step, which machine code may
/// read and write there instead of in the step's memory. Those of one memory and one length have
/// one address that moves from step to step.
class RowPlaces {
 public:
  static constexpr std::size_t kMostWalks = 4;
  /// Machine code has them behind the memories by Base and the scratch memory.
  static constexpr std::uint32_t kFirstSlot = kBases + 1;
  static constexpr std::uint32_t kSlots = kFirstSlot + kMostWalks;

  /// The address of row i is that of the base and i times so many doubles.
  struct Walk {
    Base base;
    std::int64_t elements;
  };

  RowPlaces() = default;
  RowPlaces(const Plan& plan, const LoopStep& step);

  const std::vector<Walk>& walks() const { return walks_; }
  /// Whether the row that the body has at this place of its temporary memory is one of these.
  bool contains(std::int64_t inside) const;
  /// Makes the body's code use the rows where they are.
  void apply(Code& code) const;

 private:
  struct Row {
    std::int64_t inside, elements, outside;
    std::uint32_t slot;
  };

  void add(const Plan& plan, const LoopStep::Port& port);

  std::vector<Walk> walks_;
  std::vector<Row> rows_;
};

}  // namespace adjoint::exec

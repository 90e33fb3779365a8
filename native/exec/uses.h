#pragma once

#include <cstdint>
#include <vector>

#include "exec/code.h"

namespace adjoint::exec {

/// Where the values of a code are read.
class Uses {
 public:
  static constexpr std::uint32_t kNever = 0xffffffffu;
  /// A value in memory that is wanted again this soon is worth a register.
  static constexpr std::uint32_t kSoon = 12;

  explicit Uses(const Code& code);

  /// The instruction that reads value v first; kNever: none does. Sums of loops read after all
  /// instructions.
  std::uint32_t first(std::uint32_t v) const { return first_[v]; }
  /// For each operand of an instruction the one that reads it next.
  const std::uint32_t* later(std::size_t i) const { return &later_[3 * i]; }

  /// Whether this mask is read by the next instruction alone, to decide by it.
  bool isReadOnlyNext(std::uint32_t v) const;
  /// The most registers that values take at a time, beside invariants.
  int pressure() const;
  /// Numbers that are the same in every round of a loop, the ones read most often first. None where
  /// there are calls.
  std::vector<std::uint32_t> invariants() const;

 private:
  bool isInvariant(std::uint32_t v) const;
  template <class Visit>
  void visit(std::size_t i, Visit visit) const;

  const Code& code_;
  BigVector<std::uint32_t> first_;  ///< by value
  BigVector<std::uint32_t> later_;  ///< by operand
};

}  // namespace adjoint::exec

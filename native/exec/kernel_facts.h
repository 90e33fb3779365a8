#pragma once

#include <cstdint>
#include <vector>

#include "exec/alias.h"
#include "exec/block.h"

namespace adjoint::exec {

/// Throws an Error where there is none of that number.
const Access& accessOf(const Kernel& kernel, std::size_t i);

/// What is to be known of a kernel with points before it is translated: how its accesses walk,
/// which values somebody wants, and which of them may be read or written where they are in memory.
class KernelFacts {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffu;

  /// `program`: with its reductions. It gets the patterns of the kernel's maps, and the places of
  /// gathers by constants.
  KernelFacts(const Plan& plan, const Kernel& kernel, BlockProgram& program);

  const Access& access(std::size_t i) const { return accessOf(kernel_, i); }
  Place place(std::size_t i) const { return placeOf(plan_, access(i)); }
  const Pattern& pattern(std::size_t i) const { return program_.patterns[access(i).map]; }

  /// Of a gather by constants, its number among the program's known places; kNone.
  std::uint32_t known(std::size_t i) const { return known_[i]; }
  /// Of a, b, c, how many instruction i reads.
  int operandsOf(std::size_t i) const { return known_[i] != kNone ? 0 : arityOf(body_[i]); }
  bool isLive(std::size_t i) const {
    return body_[i].kind == InstrKind::Store || body_[i].kind == InstrKind::Reduce ||
           lastUse_[i] != kNone;
  }
  /// The last instruction that reads value v.
  std::uint32_t lastUse(std::size_t v) const { return lastUse_[v]; }

  /// Whether the kernel stores some of what the access reads.
  bool isStored(std::size_t access) const { return overlaps(stores_, access); }
  /// Whether the operations that need a load may read it in place.
  bool isReadInPlace(std::size_t access) const;
  /// The store that may be written by the operation that makes value v; kNone.
  std::uint32_t storeOf(std::size_t v) const { return storeOf_[v]; }

 private:
  struct Reach {
    Base base;
    std::int64_t from, to;
  };

  void findKnownGathers();
  void findLive();
  void findAliases();
  void chooseStores();
  Reach reachOf(std::size_t access) const;
  bool overlaps(const Intervals& list, std::size_t access) const;
  std::int64_t pointsInVectors() const;
  bool isWrittenInPlace(std::size_t access) const;

  const Plan& plan_;
  const Kernel& kernel_;
  const BigVector<Instr>& body_;
  BlockProgram& program_;
  std::vector<std::uint32_t> known_;    ///< by instruction
  std::vector<std::uint32_t> lastUse_;  ///< kNone: never read
  std::vector<std::uint32_t> storeOf_;  ///< by value
  Intervals loads_, stores_;
};

}  // namespace adjoint::exec

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "plan/plan.h"
#include "tape/tape.h"

namespace adjoint {

/// Elements, by number; empty: none is marked.
using ElementSet = std::vector<bool>;

/// What is known of single elements when a plan is made: which are zeros that were put where they
/// are (the upper half of a triangular matrix), and which are read by nobody (the same half of its
/// gradient). Only data movement, indices known, and elementwise operations are looked through.
class Structure {
 public:
  /// `inputZeros`: of inputs, by position; may be shorter.
  Structure(const Tape& t, const std::vector<ElementSet>& inputZeros);

  const ElementSet& zeros(NodeId id) const { return zeros_[id]; }
  /// Of a value as matrices, by row the columns between the first and the last one that is not a
  /// known zero; empty where that is nearly all.
  std::vector<Span> nonzeroSpans(NodeId id) const;
  /// Likewise those that are read.
  std::vector<Span> neededSpans(NodeId id) const;

 private:
  void findZeros(const std::vector<ElementSet>& inputZeros);
  void findNeeded();
  void need(NodeId id, std::size_t element);

  enum class Need : std::uint8_t { None, Some, All };

  const Tape& tape_;
  std::vector<ElementSet> zeros_;
  std::vector<Need> need_;
  std::vector<ElementSet> needed_;  ///< where need_ is Some
};

/// A tape's structure, found when it is first asked for.
class LazyStructure {
 public:
  LazyStructure(const Tape& t, std::vector<ElementSet> inputZeros)
      : tape_(t), inputZeros_(std::move(inputZeros)) {}

  const Structure& get() {
    if (!found_) found_.emplace(tape_, inputZeros_);
    return *found_;
  }

 private:
  const Tape& tape_;
  const std::vector<ElementSet> inputZeros_;
  std::optional<Structure> found_;
};

}  // namespace adjoint

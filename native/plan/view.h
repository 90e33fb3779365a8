#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ops/op.h"
#include "plan/kernel.h"
#include "tape/tape.h"

namespace adjoint {

/// An element of a value found in the buffer of another one: offset + sum over axes of stride *
/// index, windows restricting the axes they name. Axes are those of the value, unit axes included.
struct View {
  NodeId root = kNoNode;
  std::int64_t offset = 0;
  std::size_t rank = 0;
  std::array<std::int64_t, kMaxRank> stride{};
  std::vector<Window> windows;  ///< `loop` counts axes of the value
};

/// Resolves data movement into index maps. Which views are kept in memory of their own is decided
/// here: those whose elements no affine map reaches.
class Views {
 public:
  explicit Views(const Tape& tape);

  /// Whether the node only moves data and is not kept in memory: its users read through it.
  bool isVirtual(NodeId id) const { return state_[id] == kMovement; }
  bool isMovement(NodeId id) const { return (state_[id] & kMovement) != 0; }
  /// A movement node that must be copied into a buffer of its own.
  bool isKept(NodeId id) const { return (state_[id] & kKept) != 0; }
  void keep(NodeId id) {
    if (!isKept(id)) ++keptCount_;
    state_[id] |= kKept;
  }
  std::size_t keptCount() const { return keptCount_; }

  /// The value with the same elements in the same order: steps over stopGradient and changes of
  /// unit axes.
  NodeId strip(NodeId id) const;

  /// Where the elements of `id` are: in the nearest kept or computed value below it. With
  /// `through`, looks through `id` itself even when it is kept (to fill it). Marks values as kept
  /// where needed.
  View resolve(NodeId id, bool through = false) { return resolve(id, through, 0); }

 private:
  View resolve(NodeId id, bool through, int depth);
  /// Whether the elements stand one after another in the buffer, in row-major order.
  static bool isContiguous(const View& view, const Shape& shape);

  static constexpr std::uint8_t kMovement = 1;
  static constexpr std::uint8_t kKept = 2;

  const Tape& tape_;
  std::vector<std::uint8_t> state_;  // by node
  std::size_t keptCount_ = 0;
};

/// The shape without its unit axes.
Shape squeezed(const Shape& shape);

}  // namespace adjoint

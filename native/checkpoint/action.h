#pragma once

#include <cstdint>

namespace adjoint::checkpoint {

/// A chain of l steps has the states 0..l; step i takes state i to state i + 1. It is reversed in
/// two phases: a forward sweep to state l, where the caller turns the value of the chain into the
/// cotangent of state l, and adjoint steps l - 1, ..., 0. One state is the current one.
enum class ActionKind : std::uint8_t {
  /// The current state `from` becomes state `to` by plain steps. The last step of the forward
  /// sweep,
  /// from l - 1 to l, is always an Advance of its own: state l - 1 is to be kept beside state l.
  Advance,
  /// The current state `from` is written to a slot, and stays the current one.
  Store,
  /// State `from` becomes the current one, copied from its slot.
  Restore,
  /// The slot, which holds state `from`, is not read again before it is stored to.
  Free,
  /// State l has been reached. The cotangent of state l is computed; then state l - 1 is the
  /// current one again, without a Restore.
  Turn,
  /// Adjoint step `from`, at the current state `from`. It computes anew whatever of step `from` it
  /// needs, so that a slot never holds more than a state.
  Reverse,
  /// There is nothing left to do.
  Done,
};

/// Where a slot is. Memory and disk number theirs from 0, each for itself.
enum class Place : std::uint8_t {
  Memory,
  Disk,
  /// Not a slot but state 0, which every caller still has. Only recovery restores from it.
  Start,
};

struct Slot {
  Place place = Place::Memory;
  std::int32_t index = 0;

  bool operator==(const Slot&) const = default;
};

struct Action {
  ActionKind kind = ActionKind::Done;
  Slot slot;              ///< of Store, Restore and Free
  std::int64_t from = 0;  ///< the state it is about, the step of Reverse
  std::int64_t to = 0;    ///< of Advance

  bool operator==(const Action&) const = default;
};

}  // namespace adjoint::checkpoint

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "checkpoint/schedule.h"

namespace adjoint::checkpoint {

/// A schedule whose stores and restores may fail. The caller does each action; after a Store or a
/// Restore that could not be done it calls failed(), and goes on with next(). It gets all adjoint
/// steps of the schedule, at the same states:
///
/// - A state that could not be stored is absent. Its Restore and Free are not passed on.
/// - Instead of the Restore of a state j that is absent, or has failed, comes a Restore of the
///   largest state below j that is in a slot (and so on, should that fail too), at last of state 0
///   from Place::Start; then an Advance to j. If the schedule restores j again, a Store follows,
///   into the slot where j belongs; and that may fail as any other.
///
/// So the caller needs nothing but state 0, and a step done again gives the same bits. Takes as
/// much memory as there are slots, and time proportional to it where something fails.
class Recovery final : public Schedule {
 public:
  /// `schedule` has not begun, and outlives this.
  explicit Recovery(Schedule& schedule);

  Action next() override;

  /// The last action could not be done. Throws State if it was no Store, and no Restore from a
  /// slot.
  void failed();

  /// Plain steps that the schedule does not have.
  std::int64_t extraSteps() const { return extraSteps_; }

  std::int32_t memorySlots() const override { return schedule_.memorySlots(); }
  std::int32_t diskSlots() const override { return schedule_.diskSlots(); }

 private:
  /// What next() does: the schedule's own action, another try at an earlier state, or the way from
  /// there to the wanted one.
  enum class Phase : std::uint8_t { Regular, Nearest, Return };

  std::int64_t& heldBy(Slot slot);
  Action nearest();
  Action goBack();
  Action take();

  Schedule& schedule_;
  std::vector<std::int64_t> memory_, disk_;  ///< states by slot, or kAbsent
  Action last_, wanted_;
  std::optional<Action> ahead_;
  Phase phase_ = Phase::Regular;
  std::int64_t extraSteps_ = 0;
};

}  // namespace adjoint::checkpoint

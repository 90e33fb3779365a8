#include "exec/sweep.h"

#include <algorithm>

#include "plan/loops.h"

namespace adjoint::exec {

using checkpoint::Action;

Sweep::Sweep(const LoopStep& loop, std::int64_t steps) : row_(loop.row), steps_(steps) {
  const LoopStep::Kept& kept = *loop.kept;
  if (loop.trips == LoopTrips::While) {
    auto online =
        std::make_unique<checkpoint::Online>(static_cast<std::int32_t>(kept.checkpoints.slots));
    online_ = online.get();
    schedule_ = std::move(online);
  } else {
    schedule_ = scheduleOf(kept.checkpoints, steps);
  }
  if (schedule_->diskSlots() == 0) {
    reversal_ = dynamic_cast<checkpoint::Reversal*>(schedule_.get());
    return;
  }
  disk_.emplace(kept.directory, row_ * static_cast<std::int64_t>(sizeof(double)));
  recovery_.emplace(*schedule_);
}

void Sweep::finish(std::int64_t steps) {
  steps_ = steps;
  if (online_ == nullptr) return;
  // But for the last step of the sweep, which those of a reversal do not count.
  if (steps > 0) stepsAgain_ = online_->forwardSteps(steps) - (steps - 1);
  online_->finish(steps);
}

void Sweep::store(const Action& action, const double* row, double* slots) {
  if (double* const slot = slotOf(action, slots)) {
    if (slot != row) std::copy_n(row, row_, slot);
    return;
  }
  const auto data = std::as_bytes(std::span(row, static_cast<std::size_t>(row_)));
  const checkpoint::WriteResult result = disk_->write(action.slot.index, action.from, data);
  if (result.status != checkpoint::WriteStatus::Ok) recovery_->failed();
}

void Sweep::restore(const Action& action, double* row) {
  const auto data = std::as_writable_bytes(std::span(row, static_cast<std::size_t>(row_)));
  const checkpoint::ReadResult result = disk_->read(action.slot.index, action.from, data);
  if (result.status != checkpoint::ReadStatus::Ok) recovery_->failed();
}

void Sweep::free(const Action& action) {
  if (action.slot.place == checkpoint::Place::Disk) disk_->remove(action.slot.index);
}

}  // namespace adjoint::exec

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
  if (schedule_->diskSlots() == 0) return;
  disk_.emplace(kept.directory, row_ * static_cast<std::int64_t>(sizeof(double)));
  recovery_.emplace(*schedule_);
}

void Sweep::finish(std::int64_t steps) {
  steps_ = steps;
  if (online_ != nullptr) online_->finish(steps);
}

void Sweep::store(const Action& action, const double* row, double* slots) {
  if (action.slot.place == checkpoint::Place::Memory) {
    std::copy_n(row, row_, slots + action.slot.index * row_);
    return;
  }
  const auto data = std::as_bytes(std::span(row, static_cast<std::size_t>(row_)));
  const checkpoint::WriteResult result = disk_->write(action.slot.index, action.from, data);
  if (result.status != checkpoint::WriteStatus::Ok) recovery_->failed();
}

bool Sweep::restore(const Action& action, double* row, const double* slots) {
  if (action.slot.place == checkpoint::Place::Memory) {
    std::copy_n(slots + action.slot.index * row_, row_, row);
    return true;
  }
  const auto data = std::as_writable_bytes(std::span(row, static_cast<std::size_t>(row_)));
  const checkpoint::ReadResult result = disk_->read(action.slot.index, action.from, data);
  if (result.status == checkpoint::ReadStatus::Ok) return true;
  recovery_->failed();
  return false;
}

void Sweep::free(const Action& action) {
  if (action.slot.place == checkpoint::Place::Disk) disk_->remove(action.slot.index);
}

}  // namespace adjoint::exec

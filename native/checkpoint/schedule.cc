#include "checkpoint/schedule.h"

#include <algorithm>

namespace adjoint::checkpoint {

namespace {

std::string toString(Slot slot) {
  switch (slot.place) {
    case Place::Memory:
      return "memory " + std::to_string(slot.index);
    case Place::Disk:
      return "disk " + std::to_string(slot.index);
    case Place::Start:
      break;
  }
  return "the start";
}

}  // namespace

Counts counts(Schedule& schedule) {
  Counts c;
  std::int64_t sweep = 0, memory = 0, disk = 0;
  for (Action a = schedule.next(); a.kind != ActionKind::Done; a = schedule.next()) {
    const bool isDisk = a.slot.place == Place::Disk;
    switch (a.kind) {
      case ActionKind::Advance:
        c.forwardSteps += a.to - a.from;
        sweep = a.to;
        break;
      case ActionKind::Store:
        ++(isDisk ? c.diskStores : c.memoryStores);
        ++(isDisk ? disk : memory);
        c.mostMemorySlots = std::max(c.mostMemorySlots, memory);
        c.mostDiskSlots = std::max(c.mostDiskSlots, disk);
        break;
      case ActionKind::Restore:
        ++(isDisk ? c.diskRestores : c.memoryRestores);
        break;
      case ActionKind::Free:
        --(isDisk ? disk : memory);
        break;
      case ActionKind::Turn:
        c.finalSteps = sweep > 0 ? 1 : 0;
        c.forwardSteps -= c.finalSteps;
        break;
      case ActionKind::Reverse:
        ++c.reverseSteps;
        break;
      case ActionKind::Done:
        break;
    }
  }
  return c;
}

std::string toString(const Action& a) {
  const std::string state = std::to_string(a.from);
  switch (a.kind) {
    case ActionKind::Advance:
      return "advance " + state + " to " + std::to_string(a.to);
    case ActionKind::Store:
      return "store " + state + " in " + toString(a.slot);
    case ActionKind::Restore:
      return "restore " + state + " from " + toString(a.slot);
    case ActionKind::Free:
      return "free " + toString(a.slot);
    case ActionKind::Turn:
      return "turn";
    case ActionKind::Reverse:
      return "reverse " + state;
    case ActionKind::Done:
      break;
  }
  return "done";
}

std::string toString(Schedule& schedule) {
  std::string text;
  for (Action a = schedule.next(); a.kind != ActionKind::Done; a = schedule.next()) {
    text += toString(a);
    text += '\n';
  }
  return text;
}

}  // namespace adjoint::checkpoint

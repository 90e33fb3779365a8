#include "exec/block_layout.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "exec/overlap.h"
#include "exec/segments.h"
#include "exec/target.h"

namespace adjoint::exec {
namespace {

constexpr std::size_t kMaxCutWindows = 8;
/// Points that are worth waking a thread.
constexpr std::int64_t kChunkPoints = 16384;

class Layout {
 public:
  Layout(BlockProgram& program, const SlotCounts& counts, std::int64_t mostLanes, JitBuilder* jit)
      : program_(program),
        streamSlots_(counts.streams),
        invariants_(counts.invariants),
        mostLanes_(mostLanes),
        jit_(jit) {}

  void run() {
    BlockProgram& p = program_;
    std::vector<Segment> segments;
    if (jit_ != nullptr) {
      segments = extractSegments(p, kNumber);
      if (p.tile == 0 && sumsInLoops(jit_->instructionSet()))
        findSums(p, segments, lanesOf(jit_->instructionSet()) > 4 ? 4 : 1);
    }
    const std::uint32_t scratchRegisters = p.registers;
    p.registers += invariants_;
    const std::uint32_t firstNumber = p.registers + streamSlots_;
    p.slots = firstNumber + static_cast<std::uint32_t>(p.numbers.size());
    const auto resolve = [&](std::uint32_t& slot) {
      if (slot & kStream) {
        slot = p.registers + (slot & ~kStream);
      } else if (slot & kInvariant) {
        slot = scratchRegisters + (slot & ~kInvariant);
      } else if (slot & kNumber) {
        slot = firstNumber + (slot & ~kNumber);
      }
    };
    for (auto* list : {&p.cells, &p.prologue, &p.body}) {
      for (BlockInstr& code : *list) {
        visitSlots(code, [&](std::uint32_t& slot, bool) { resolve(slot); });
      }
    }
    const auto resolveInSegment = [&](std::uint32_t& slot) {
      // Values that stay within the segment have numbers past all slots.
      if (slot < kNumber && slot >= scratchRegisters) slot += p.allSlots() - scratchRegisters;
      resolve(slot);
    };
    for (Segment& segment : segments) {
      for (Segment::Operation& o : segment.operations) {
        for (std::uint32_t* slot : {&o.d, &o.a, &o.b, &o.c}) resolveInSegment(*slot);
      }
      for (Segment::Sum& sum : segment.sums) {
        resolveInSegment(sum.slot);
        p.reductions[sum.reduction].isInCode = hasSums_ = true;
      }
    }
    for (auto& stream : p.streams) resolve(stream.slot);
    for (auto& periodic : p.periodics) resolve(periodic.slot);
    for (auto& window : p.windows) resolve(window.slot);

    // A stream passes once, a register comes back: measured, a stream weighs a quarter of a
    // register.
    const std::int64_t inCache = p.registers + std::min<std::int64_t>(streamSlots_, 64) / 4;
    p.lanes = std::clamp<std::int64_t>(kCacheDoubles / std::max<std::int64_t>(1, inCache) / 16 * 16,
                                       16, mostLanes_);
    if (p.tile > 0) {
      p.tile = std::min({p.tile, std::max<std::int64_t>(p.lanes, 32), roundUp(p.tileInner, 16)});
      p.lanes = p.tile;
    }
    p.lanes = std::min(p.lanes, std::max<std::int64_t>(16, roundUp(p.points, 16)));
    alignRows();
    placeCuts();
    chooseChunks();
    p.padded = p.lanes + 8;  // registers of 4096 bytes would all fall on the same cache sets
    std::int64_t at = 0;
    const auto take = [&](std::int64_t doubles) {
      const std::int64_t from = at;
      at += roundUp(doubles, 8);
      return from;
    };
    for (auto& reduction : p.reductions) {
      reduction.state = take(sizeof(ReduceState) / sizeof(double));
      reduction.accumulators =
          take(reduction.shape.accumulators(p.tile > 0 ? p.tile : reduction.shape.inner));
      if (reduction.isOfAll) reduction.table = take(reduction.parts.terms);
    }
    p.slotTable = take(p.allSlots());
    p.spills = at;
    std::int64_t spills = 0;
    for (const bool isWhole : {false, true}) {
      if (isWhole && p.windows.empty() && !hasSums_) break;
      for (const Segment& segment : segments)
        spills = std::max(spills, addSegment(segment, firstNumber, isWhole));
    }
    dropUnusedSlots(firstNumber);
    take(spills);
    p.patternStates =
        take(static_cast<std::int64_t>(p.patterns.size() * sizeof(PatternState) / sizeof(double)));
    p.registerFile = take(p.registers * p.padded);
    p.cellFile = take(static_cast<std::int64_t>(p.numbers.size()) * 8);
    for (auto& periodic : p.periodics) periodic.table = take(periodic.period + p.padded);
    for (auto& window : p.windows) {
      window.edge = take(p.padded);
      if (window.isOne && p.wholeNumbers.empty()) window.all = take(p.padded);
    }
    p.scratch = at;
  }

 private:
  /// Doubles its spilled values need.
  std::int64_t addSegment(const Segment& segment, std::uint32_t firstNumber, bool isWhole) {
    using Kind = SlotPlace::Kind;
    constexpr std::int64_t kDouble = sizeof(double);
    const BlockProgram& p = program_;
    std::unordered_map<std::uint32_t, Place> streams;
    for (const auto& stream : p.streams) streams.emplace(stream.slot, stream.place);
    std::unordered_map<std::uint32_t, SlotPlace> windows;
    if (isWhole) {
      for (const auto& window : p.windows) windows.emplace(window.slot, insideOf(window));
    }
    const auto placeOf = [&](std::uint32_t slot) -> SlotPlace {
      if (const auto window = windows.find(slot); window != windows.end()) return window->second;
      if (slot < p.registers) return {Kind::Lanes, {0, true, slot * p.padded * kDouble}};
      if (slot < firstNumber) {
        const auto stream = streams.find(slot);
        if (stream == streams.end()) return {Kind::Lanes, {slot, true, 0}};
        const auto [base, offset] = stream->second;
        return {Kind::Lanes, {p.laneSlot(base), true, offset * kDouble}};
      }
      const std::uint32_t i = slot - firstNumber;
      const auto& number = p.numbers[i];
      if (number.kind == BlockProgram::Number::Kind::Constant)
        return {Kind::Constant, {}, number.value};
      if (number.kind == BlockProgram::Number::Kind::Cell)
        return {Kind::Lanes, {p.cellSlot(), false, i * 8 * kDouble}};
      return {Kind::Number,
              {p.numberSlot(number.place.base), false, number.place.offset * kDouble}};
    };
    SegmentPlaces places{placeOf, nullptr, p.spillSlot()};
    if (isWhole) {
      places.ofPartials = [&p](std::uint32_t reduction) -> MemoryOperand {
        return {p.spillSlot(), false, (p.reductions[reduction].accumulators - p.spills) * kDouble};
      };
    }
    Code code = overlapped(codeOf(segment, places), jit_->instructionSet());
    const std::int64_t spills = code.spillDoubles(lanesOf(jit_->instructionSet()));
    (isWhole ? program_.wholeNumbers : program_.segmentNumbers)
        .push_back(jit_->add(std::move(code)));
    return spills;
  }

  /// What blocks within a window read, without looking.
  SlotPlace insideOf(const BlockProgram::Window& window) const {
    using Kind = SlotPlace::Kind;
    constexpr std::int64_t kDouble = sizeof(double);
    const auto [base, offset] = window.place;
    if (window.constant.has_value()) return {Kind::Constant, {}, *window.constant};
    if (window.isOne) return {Kind::Number, {program_.numberSlot(base), false, offset * kDouble}};
    return {Kind::Lanes, {program_.laneSlot(base), true, (offset - window.lo) * kDouble}};
  }

  /// Segments know where streams and numbers are; slots are for the other instructions.
  void dropUnusedSlots(std::uint32_t firstNumber) {
    BlockProgram& p = program_;
    std::vector<bool> isUsed(p.slots, false);
    for (const auto* list : {&p.cells, &p.prologue, &p.body}) {
      for (const BlockInstr& code : *list)
        visitSlots(code, [&](std::uint32_t slot, bool) { isUsed[slot] = true; });
    }
    std::erase_if(p.streams, [&](const auto& stream) { return !isUsed[stream.slot]; });
    for (auto& window : p.windows) window.isRead = isUsed[window.slot];
    for (std::uint32_t i = 0; i < p.numbers.size(); ++i) {
      using Kind = BlockProgram::Number::Kind;
      const Kind kind = p.numbers[i].kind;
      if (kind != Kind::Cell && !isUsed[firstNumber + i]) continue;
      (kind == Kind::Memory ? p.pointed : p.celled).push_back(i);
    }
  }

  /// Blocks that are partly in a window are copied, and those that are no whole groups are summed
  /// apart: short ones.
  void placeCuts() {
    BlockProgram& p = program_;
    if (p.tile > 0 || p.windows.size() > kMaxCutWindows) return;
    if (hasSums_) p.cuts.push_back(p.points / kSumLanes * kSumLanes);
    for (const auto& window : p.windows) {
      for (const std::int64_t cut : {roundUp(window.lo, 16), window.hi / 16 * 16})
        p.cuts.push_back(cut);
    }
    std::erase_if(p.cuts, [&](std::int64_t cut) { return cut <= 0 || cut >= p.points; });
    std::ranges::sort(p.cuts);
    p.cuts.erase(std::ranges::unique(p.cuts).begin(), p.cuts.end());
  }

  /// Pieces of whole blocks, and of whole rows or chunks of what is summed.
  void chooseChunks() {
    BlockProgram& p = program_;
    if (p.tile > 0 || p.points == 0) return;
    std::int64_t step = p.lanes;
    for (const auto& reduction : p.reductions) {
      const ReduceShape& shape = reduction.shape;
      const bool isOfAll = shape.outer == 1 && shape.inner == 1;
      const std::int64_t row = isOfAll ? kSumChunk : shape.terms * shape.inner;
      step = std::lcm(step, row);
      if (step > p.points / 2) return;
    }
    const std::int64_t chunk = (kChunkPoints + step - 1) / step * step;
    if (chunk > p.points / 2) return;
    p.chunk = chunk;
    for (auto& reduction : p.reductions) {
      if (reduction.shape.outer != 1 || reduction.shape.inner != 1) continue;
      reduction.isOfAll = true;
      ReduceShape part;
      part.op = reduction.shape.op;
      part.contiguous = true;
      part.terms = kSumChunk;
      reduction.part = reduction.lastPart = reduction.parts = part;
      reduction.parts.terms = (reduction.points + kSumChunk - 1) / kSumChunk;
      reduction.lastPart.terms = reduction.points - (reduction.parts.terms - 1) * kSumChunk;
    }
  }

  /// Reduced rows that end where a block ends need no accumulators in memory.
  void alignRows() {
    BlockProgram& p = program_;
    if (p.tile > 0 || p.points <= p.lanes) return;
    for (const auto& reduction : p.reductions) {
      const ReduceShape& shape = reduction.shape;
      if (shape.inner > 1 || shape.terms > p.lanes || shape.terms == 1) continue;
      const std::int64_t step = std::lcm(shape.terms, std::int64_t{8});
      if (step <= p.lanes) p.lanes = p.lanes / step * step;
      return;
    }
  }

  BlockProgram& program_;
  const std::uint32_t streamSlots_, invariants_;
  const std::int64_t mostLanes_;
  JitBuilder* const jit_;
  bool hasSums_ = false;  ///< segments add up what they make
};

}  // namespace

void layOut(BlockProgram& program, const SlotCounts& counts, std::int64_t mostLanes,
            JitBuilder* jit) {
  Layout(program, counts, mostLanes, jit).run();
}

}  // namespace adjoint::exec

#include "exec/segments.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

namespace adjoint::exec {
namespace {

/// The most operations of one segment: its code stays in the first-level cache. Longer runs are cut
/// in their second halves where the fewest values live.
constexpr std::size_t kMaxOperations = 2000;
/// Longer bodies keep their order: values that wait for their readers would fill the cache.
constexpr std::size_t kMaxGrouped = 2000;

class Extractor {
 public:
  Extractor(BlockProgram& program, std::uint32_t firstOther)
      : program_(program), firstOther_(firstOther), needed_(program.registers, 0) {}

  std::vector<Segment> run() {
    cut();
    markStored();
    renumber();
    return std::move(segments_);
  }

 private:
  /// Runs of operations become segments.
  void cut() {
    findCrossing();
    std::vector<BlockInstr> body;
    std::size_t end = 0;  // of the segment at hand
    for (std::size_t i = 0; i < program_.body.size(); ++i) {
      const BlockInstr& code = program_.body[i];
      if (code.kind != BlockKind::Inline) {
        body.push_back(code);
        continue;
      }
      if (i >= end || body.back().kind != BlockKind::Segment) {
        end = endOfSegment(i);
        BlockInstr segment;
        segment.kind = BlockKind::Segment;
        segment.a = static_cast<std::uint32_t>(segments_.size());
        body.push_back(segment);
        segments_.emplace_back();
      }
      segments_.back().operations.push_back(
          {static_cast<Op>(code.function), code.d, code.a, code.b, code.c, true});
    }
    program_.body = std::move(body);
  }

  /// How many registers have a value that is made before an instruction and read there or later.
  void findCrossing() {
    const std::size_t size = program_.body.size();
    crossing_.assign(size + 1, 0);
    std::vector<bool> isAwaited(program_.registers, false);
    std::uint32_t count = 0;
    for (std::size_t i = size; i-- > 0;) {
      visitSlots(program_.body[i], [&](std::uint32_t slot, bool isWrite) {
        if (!isRegister(slot) || isAwaited[slot] != isWrite) return;
        isAwaited[slot] = !isWrite;
        isWrite ? --count : ++count;
      });
      crossing_[i] = count;
    }
  }

  /// Where the segment that begins at i ends.
  std::size_t endOfSegment(std::size_t i) const {
    std::size_t end = i;
    while (end < program_.body.size() && program_.body[end].kind == BlockKind::Inline) ++end;
    if (end - i <= kMaxOperations) return end;
    const auto last = crossing_.begin() + static_cast<std::ptrdiff_t>(i + kMaxOperations);
    const auto fewest = std::min_element(last - kMaxOperations / 2, last + 1);
    return static_cast<std::size_t>(fewest - crossing_.begin());
  }

  bool isRegister(std::uint32_t slot) const { return slot < firstOther_; }

  /// From the end: a value is stored if something past its segment reads it.
  void markStored() {
    for (std::size_t i = program_.body.size(); i-- > 0;) {
      const BlockInstr& code = program_.body[i];
      if (code.kind == BlockKind::Segment) {
        markStored(segments_[code.a]);
        continue;
      }
      visitSlots(code, [&](std::uint32_t slot, bool isWrite) {
        if (!isRegister(slot)) return;
        needed_[slot] = !isWrite;
        inMemory_.insert(slot);
      });
    }
  }

  void markStored(Segment& segment) {
    for (auto o = segment.operations.rbegin(); o != segment.operations.rend(); ++o) {
      if (!isRegister(o->d)) continue;
      o->isStored = needed_[o->d];
      needed_[o->d] = false;
    }
    std::unordered_set<std::uint32_t> made;
    for (const Segment::Operation& o : segment.operations) {
      for (const std::uint32_t slot : {o.a, o.b, o.c}) {
        if (!isRegister(slot) || made.contains(slot)) continue;
        needed_[slot] = true;
        inMemory_.insert(slot);
      }
      made.insert(o.d);
    }
  }

  /// Registers in memory first, in their old order.
  void renumber() {
    std::vector<std::uint32_t> number(program_.registers);
    std::uint32_t next = 0;
    for (const bool inMemory : {true, false}) {
      for (std::uint32_t r = 0; r < program_.registers; ++r) {
        if (inMemory_.contains(r) == inMemory) number[r] = next++;
      }
      if (inMemory) count_ = next;
    }
    program_.registers = count_;
    const auto rename = [&](std::uint32_t& slot) {
      if (isRegister(slot)) slot = number[slot];
    };
    for (BlockInstr& code : program_.body) {
      visitSlots(code, [&](std::uint32_t& slot, bool) { rename(slot); });
    }
    for (Segment& segment : segments_) {
      for (Segment::Operation& o : segment.operations) {
        for (std::uint32_t* slot : {&o.d, &o.a, &o.b, &o.c}) rename(*slot);
      }
    }
  }

  BlockProgram& program_;
  const std::uint32_t firstOther_;
  std::vector<Segment> segments_;
  std::vector<std::uint32_t> crossing_;  ///< by instruction
  std::vector<std::uint8_t> needed_;     ///< by register: something later reads it from memory
  std::unordered_set<std::uint32_t> inMemory_;
  std::uint32_t count_ = 0;
};

}  // namespace

Kernel groupOperations(const Kernel& kernel) {
  const std::size_t size = kernel.body.size();
  if (size > kMaxGrouped) return kernel;
  // Loads and calls are in groups of even numbers, the operations on their results in the odd ones
  // after.
  constexpr std::uint32_t kLast = 0xffffffffu;
  std::vector<std::uint32_t> group(size, 0);
  for (std::size_t i = 0; i < size; ++i) {
    const Instr& instr = kernel.body[i];
    const std::uint32_t operands[3] = {instr.a, instr.b, instr.c};
    const int n = arityOf(instr);
    for (int k = 0; k < n; ++k) group[i] = std::max(group[i], group[operands[k]]);
    const bool isInline = instr.kind == InstrKind::Compute && canLower(static_cast<Op>(instr.op));
    if (isInline) group[i] |= 1u;
    if (instr.kind == InstrKind::Gather || (instr.kind == InstrKind::Compute && !isInline))
      group[i] += group[i] & 1u;
    if (instr.kind == InstrKind::Store || instr.kind == InstrKind::Reduce) group[i] = kLast;
  }
  std::vector<std::uint32_t> order(size);
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::stable_sort(order, {}, [&](std::uint32_t i) { return group[i]; });
  std::vector<std::uint32_t> position(size);
  for (std::size_t at = 0; at < size; ++at) position[order[at]] = static_cast<std::uint32_t>(at);
  Kernel result = kernel;
  for (std::size_t at = 0; at < size; ++at) {
    Instr instr = kernel.body[order[at]];
    renumber(instr, position);
    result.body[at] = instr;
  }
  return result;
}

Code codeOf(const Segment& segment, const SegmentPlaces& places) {
  Code code;
  code.spillSlot = places.spillSlot;
  CodeWriter writer(code);
  Lowering lowering(writer);
  std::unordered_map<std::uint32_t, Lowering::Value> values;
  const auto read = [&](const SlotPlace& place) {
    if (place.kind == SlotPlace::Kind::Constant) return writer.constant(place.value);
    const bool isNumber = place.kind == SlotPlace::Kind::Number;
    return writer.read(isNumber ? Micro::Broadcast : Micro::Load, place.at);
  };
  const auto value = [&](std::uint32_t slot) -> Lowering::Value& {
    Lowering::Value& v = values[slot];
    if (v.number == Lowering::Value::kNone && v.mask == Lowering::Value::kNone)
      v.number = read(places.ofSlot(slot));
    return v;
  };
  const bool hasSums = places.ofPartials != nullptr;
  const auto isSummedOnly = [&](std::uint32_t slot) {
    return hasSums && std::ranges::any_of(segment.sums, [slot](const Segment::Sum& sum) {
             return sum.slot == slot && sum.isOnlyReader;
           });
  };
  for (const Segment::Operation& o : segment.operations) {
    const int arity = rowOf(o.op).arity;
    Lowering::Value& a = value(o.a);
    Lowering::Value& b = arity > 1 ? value(o.b) : a;
    Lowering::Value& c = arity > 2 ? value(o.c) : a;
    Lowering::Value result;
    if (!lowering.lower(o.op, a, b, c, result))
      throw Error(ErrorCode::Native, "a segment with an operation that is called");
    if (o.isStored && !isSummedOnly(o.d))
      writer.store(places.ofSlot(o.d).at, lowering.number(result));
    values[o.d] = result;
  }
  if (hasSums) {
    for (const Segment::Sum& sum : segment.sums)
      writer.sum(places.ofPartials(sum.reduction), lowering.number(values.at(sum.slot)));
  }
  return code;
}

void findSums(const BlockProgram& program, std::vector<Segment>& segments, std::size_t most) {
  const std::vector<BlockInstr>& body = program.body;
  // Whether something reads the slot past this segment, beside this reduction.
  const auto hasOtherReaders = [&](std::size_t at, std::size_t reduction) {
    const std::uint32_t slot = body[reduction].a;
    for (++at; at < body.size(); ++at) {
      if (at == reduction) continue;
      if (body[at].kind == BlockKind::Segment) {
        for (const Segment::Operation& o : segments[body[at].a].operations) {
          if (o.a == slot || o.b == slot || o.c == slot) return true;
          if (o.d == slot) return false;
        }
        continue;
      }
      bool isRead = false, isWritten = false;
      visitSlots(body[at], [&](std::uint32_t s, bool isWrite) {
        (isWrite ? isWritten : isRead) |= s == slot;
      });
      if (isRead) return true;
      if (isWritten) return false;
    }
    return false;
  };
  std::size_t last = body.size();  // the segment that no other instruction has followed but sums
  for (std::size_t at = 0; at < body.size(); ++at) {
    if (body[at].kind == BlockKind::Segment) {
      last = at;
    } else if (body[at].kind != BlockKind::Reduce) {
      last = body.size();
    }
    if (body[at].kind != BlockKind::Reduce || last == body.size()) continue;
    Segment& segment = segments[body[last].a];
    const ReduceShape& shape = program.reductions[body[at].b].shape;
    const bool isOfAll = shape.outer == 1 && shape.inner == 1 && shape.terms > kSumLanes;
    const bool isMade =
        std::ranges::any_of(segment.operations, [&](const auto& o) { return o.d == body[at].a; });
    if (shape.op != ReduceOp::Sum || !isOfAll || !isMade || segment.sums.size() == most) continue;
    // Other slots than registers are memory that somebody else reads.
    const bool isRegister = body[at].a < program.registers;
    segment.sums.push_back({body[at].a, body[at].b, isRegister && !hasOtherReaders(last, at)});
  }
}

std::vector<Segment> extractSegments(BlockProgram& program, std::uint32_t firstOther) {
  return Extractor(program, firstOther).run();
}

}  // namespace adjoint::exec

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "exec/block.h"
#include "exec/block_layout.h"
#include "exec/block_reductions.h"
#include "exec/broadcast.h"
#include "exec/kernel_facts.h"
#include "exec/schedule.h"
#include "exec/segments.h"
#include "plan/rows_by_piece.h"

namespace adjoint::exec {
namespace {

constexpr std::int64_t kMaxPeriod = 1024;
constexpr std::size_t kMaxPeriodics = 16;
constexpr std::uint32_t kMaxInvariant = 16;
constexpr std::uint32_t kNone = KernelFacts::kNone;

/// Translates a kernel with points.
class Compiler {
 public:
  Compiler(const Plan& plan, const Kernel& kernel, JitBuilder* jit, BlockProgram& out)
      : plan_(plan),
        kernel_(kernel),
        body_(kernel.body),
        size_(kernel.body.size()),
        jit_(jit),
        out_(out),
        facts_(plan, kernel, out),
        slot_(size_, kNone),
        number_(size_, kNone),
        owned_(size_, 0),
        written_(size_, 0),
        iota_(kernel.extents.size(), kNone) {}

  SlotCounts run() {
    for (std::size_t i = 0; i < size_; ++i) {
      if (facts_.isLive(i)) emitOne(i);
    }
    return {streamSlots_, invariants_};
  }

 private:
  // --- slots ---------------------------------------------------------------------------------

  std::uint32_t newRegister() {
    if (!free_.empty()) {
      const std::uint32_t r = free_.back();
      free_.pop_back();
      return r;
    }
    return out_.registers++;
  }

  /// Streams are numbered after the registers, whose count is not known yet: bit 31 marks them
  /// until layOut.
  std::uint32_t newStream(const Place& place) {
    const std::uint32_t slot = kStream | streamSlots_++;
    out_.streams.push_back({place, slot});
    return slot;
  }

  std::uint32_t addWalk(std::uint32_t pattern, const Place& place) {
    if (std::find(out_.walked.begin(), out_.walked.end(), pattern) == out_.walked.end())
      out_.walked.push_back(pattern);
    out_.walks.push_back({pattern, place});
    return static_cast<std::uint32_t>(out_.walks.size() - 1);
  }

  std::uint32_t addPlace(const Place& place) {
    out_.places.push_back(place);
    return static_cast<std::uint32_t>(out_.places.size() - 1);
  }

  /// The operation's kernel where operands in `numbers` are one number each; see broadcastKernel.
  std::uint16_t function(OpCode op, unsigned numbers) {
    const std::uint32_t key = std::uint32_t{op} << 3 | numbers;
    const auto found = functions_.find(key);
    if (found != functions_.end()) return found->second;
    const ElementKernel kernel = numbers != 0 ? broadcastKernel(static_cast<Op>(op), numbers)
                                              : rowOf(static_cast<Op>(op)).kernel;
    if (kernel == nullptr) brokenKernel("an operation without a kernel");
    const std::uint16_t index = static_cast<std::uint16_t>(out_.functions.size());
    out_.functions.push_back(kernel);
    functions_.emplace(key, index);
    return index;
  }

  // --- numbers: values that are the same at every point ---------------------------------------

  std::uint32_t newNumber(BlockProgram::Number::Kind kind, const Place& place, double value) {
    out_.numbers.push_back({kind, place, value});
    return kNumber | static_cast<std::uint32_t>(out_.numbers.size() - 1);
  }

  /// The number's eight lanes, for operations on numbers alone.
  std::uint32_t cell(std::size_t v) {
    if (out_.numbers[number_[v] & ~kNumber].kind == BlockProgram::Number::Kind::Memory) {
      const std::uint32_t to = newNumber(BlockProgram::Number::Kind::Cell, {}, 0);
      BlockInstr code;
      code.kind = BlockKind::Splat;
      code.a = number_[v];
      code.d = to;
      out_.cells.push_back(code);
      number_[v] = to;
    }
    return number_[v];
  }

  /// The slot of value v's lanes. A number is written out for whoever needs it so: in a register
  /// that keeps it for the whole run, or every time once there are many of these.
  std::uint32_t wide(std::size_t v) {
    if (slot_[v] != kNone) return slot_[v];
    BlockInstr code;
    code.kind = BlockKind::Splat;
    code.a = number_[v];
    if (invariants_ < kMaxInvariant) {
      slot_[v] = kInvariant | invariants_++;
      code.d = slot_[v];
      out_.prologue.push_back(code);
    } else {
      slot_[v] = newRegister();
      owned_[v] = 1;
      code.d = slot_[v];
      out_.body.push_back(code);
    }
    return slot_[v];
  }

  // --- code ----------------------------------------------------------------------------------

  /// Registers whose last reader is i are free again.
  void release(std::size_t i, const Instr& instr) {
    const std::uint32_t operands[3] = {instr.a, instr.b, instr.c};
    const int n = facts_.operandsOf(i);
    for (int k = 0; k < n; ++k) {
      const std::uint32_t v = operands[k];
      if (facts_.lastUse(v) == i && owned_[v]) {
        owned_[v] = 0;
        free_.push_back(slot_[v]);
      }
    }
  }

  /// Where value i goes: straight into memory if a store was chosen, else into a register.
  std::uint32_t destination(std::size_t i) {
    if (facts_.storeOf(i) != kNone) {
      const Instr& store = body_[facts_.storeOf(i)];
      slot_[i] = newStream(facts_.place(static_cast<std::size_t>(store.extra)));
      written_[i] = 1;
    } else {
      slot_[i] = newRegister();
      owned_[i] = 1;
    }
    return slot_[i];
  }

  void emitOne(std::size_t i) {
    const Instr& instr = body_[i];
    const auto extra = static_cast<std::size_t>(instr.extra);
    switch (instr.kind) {
      case InstrKind::Compute:
        return emitCompute(i, instr);
      case InstrKind::Const:
        number_[i] =
            newNumber(BlockProgram::Number::Kind::Constant, {}, kernel_.constants.at(extra));
        return;
      case InstrKind::Iota:
        return emitIota(i, static_cast<std::uint32_t>(instr.extra));
      case InstrKind::Load:
        return emitLoad(i, extra);
      case InstrKind::Gather:
        return emitGather(i, instr);
      case InstrKind::Store:
        return emitStore(i, instr);
      case InstrKind::Reduce: {
        if (extra >= out_.reductions.size()) brokenKernel("no such reduction");
        BlockInstr code;
        code.kind = BlockKind::Reduce;
        code.a = wide(instr.a);
        code.b = static_cast<std::uint32_t>(extra);
        release(i, instr);
        out_.body.push_back(code);
      }
    }
  }

  void emitGather(std::size_t i, const Instr& instr) {
    if (facts_.known(i) != kNone) return emitKnown(i, facts_.known(i));
    const adjoint::Gather& gather = kernel_.gathers.at(static_cast<std::size_t>(instr.extra));
    const Access& from = facts_.access(gather.access);
    if (gather.limit > kMaxElements) brokenKernel("a gather past the largest value");
    out_.gathers.push_back(
        {addWalk(from.map, placeOf(plan_, from)), gather.stride, gather.limit, gather.node});
    BlockInstr code;
    code.kind = BlockKind::Gather;
    code.a = wide(instr.a);
    code.b = static_cast<std::uint32_t>(out_.gathers.size() - 1);
    // Outside a window the fill is written first, and must not hit an index still to be read.
    const bool windowed = out_.patterns[from.map].windowed;
    if (!windowed) release(i, instr);
    code.d = destination(i);
    if (windowed) release(i, instr);
    out_.body.push_back(code);
  }

  void emitKnown(std::size_t i, std::uint32_t places) {
    BlockInstr code;
    code.kind = BlockKind::LoadKnown;
    code.b = places;
    code.d = destination(i);
    out_.body.push_back(code);
  }

  void emitStore(std::size_t i, const Instr& instr) {
    if (facts_.storeOf(instr.a) == i && written_[instr.a]) return;
    const auto to = static_cast<std::size_t>(instr.extra);
    const Pattern& pattern = facts_.pattern(to);
    const Place place = facts_.place(to);
    BlockInstr code;
    code.a = wide(instr.a);
    if (pattern.contiguous() || out_.points == 1) {
      code.kind = BlockKind::CopyStore;
      code.b = addPlace(place);
    } else if (hasFewPlaces(pattern)) {
      code.kind = BlockKind::StoreKnown;
      code.b = out_.addKnown(place, KnownPlaces::ofFew(pattern, out_.points));
    } else {
      code.kind = BlockKind::WalkStore;
      code.b = addWalk(facts_.access(to).map, place);
    }
    release(i, instr);
    out_.body.push_back(code);
  }

  void emitCompute(std::size_t i, const Instr& instr) {
    const int n = arityOf(instr);
    const std::uint32_t operands[3] = {instr.a, instr.b, instr.c};
    BlockInstr code;
    code.kind = BlockKind::Compute;
    code.attr = instr.extra;
    unsigned numbers = 0;
    for (int k = 0; k < n; ++k) numbers |= (number_[operands[k]] != kNone ? 1u : 0u) << k;
    std::uint32_t from[3];
    if (numbers == (1u << n) - 1) {
      for (int k = 0; k < n; ++k) from[k] = cell(operands[k]);
      number_[i] = newNumber(BlockProgram::Number::Kind::Cell, {}, 0);
      code.function = function(instr.op, 0);
      code.d = number_[i];
    } else {
      const bool isInline = jit_ != nullptr && canLower(static_cast<Op>(instr.op));
      if (!isInline && broadcastKernel(static_cast<Op>(instr.op), numbers) == nullptr) numbers = 0;
      for (int k = 0; k < n; ++k)
        from[k] = numbers >> k & 1u ? number_[operands[k]] : wide(operands[k]);
      if (isInline) code.kind = BlockKind::Inline;
      code.function = isInline ? instr.op : function(instr.op, numbers);
      release(i, instr);
      code.d = destination(i);
    }
    code.a = from[0];
    code.b = from[n > 1 ? 1 : 0];
    code.c = from[n > 2 ? 2 : 0];
    (number_[i] != kNone ? out_.cells : out_.body).push_back(code);
  }

  void emitIota(std::size_t i, std::uint32_t loop) {
    if (loop >= iota_.size()) brokenKernel("iota of a loop that is not there");
    if (iota_[loop] == kNone) {
      iota_[loop] = static_cast<std::uint32_t>(out_.patterns.size());
      out_.patterns.push_back(makeIotaPattern(loop, kernel_.extents));
    }
    if (out_.patterns[iota_[loop]].constant()) {
      number_[i] = newNumber(BlockProgram::Number::Kind::Constant, {}, 0);
      return;
    }
    const std::uint32_t walk = addWalk(iota_[loop], {});
    if (periodic(i, walk, true)) return;
    BlockInstr code;
    code.kind = BlockKind::WalkIota;
    code.a = walk;
    code.d = destination(i);
    out_.body.push_back(code);
  }

  void emitLoad(std::size_t i, std::size_t from) {
    const Pattern& pattern = facts_.pattern(from);
    const Place place = facts_.place(from);
    BlockInstr code;
    if (pattern.constant()) {
      if (!facts_.isStored(from)) {
        number_[i] = newNumber(BlockProgram::Number::Kind::Memory, place, 0);
        return;
      }
      code.kind = BlockKind::SplatLoad;
      code.a = addPlace(place);
    } else if (facts_.isReadInPlace(from)) {
      slot_[i] = newStream(place);
      return;
    } else if (pattern.contiguous()) {
      code.kind = BlockKind::CopyLoad;
      code.a = addPlace(place);
    } else {
      if (hasFewPlaces(pattern))
        return emitKnown(i, out_.addKnown(place, KnownPlaces::ofFew(pattern, out_.points)));
      const bool isStable = !facts_.isStored(from);
      if (isStable && windowed(i, pattern, place)) return;
      const std::uint32_t walk = addWalk(facts_.access(from).map, place);
      if (isStable && periodic(i, walk, false)) return;
      code.kind = BlockKind::WalkLoad;
      code.a = walk;
    }
    code.d = destination(i);
    out_.body.push_back(code);
  }

  /// Whether a walk of the pattern is better written out.
  bool hasFewPlaces(const Pattern& pattern) const {
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    return out_.points <= KnownPlaces::kFewPoints && !pattern.windowed &&
           pattern.minOffset >= -kMost && pattern.maxOffset <= kMost;
  }

  /// Small vectors broadcast along outer loops are written out once a run.
  bool periodic(std::size_t i, std::uint32_t walk, bool iota) {
    const Pattern& pattern = out_.patterns[out_.walks[walk].pattern];
    const PatternDim& outermost = pattern.dims.back();
    if (pattern.dims.size() < 2 || outermost.stride != 0 || outermost.windowed) return false;
    if (out_.periodics.size() >= kMaxPeriodics) return false;
    std::int64_t period = 1;
    for (std::size_t d = 0; d + 1 < pattern.dims.size(); ++d) {
      period *= pattern.dims[d].extent;
      if (period > kMaxPeriod) return false;
    }
    slot_[i] = kStream | streamSlots_++;
    out_.periodics.push_back({walk, slot_[i], iota, period, 0});
    return true;
  }

  /// A window of neighbors, or of one element for all, is read in place by the blocks that lie
  /// within it.
  bool windowed(std::size_t i, const Pattern& pattern, const Place& place) {
    if (pattern.dims.size() != 1) return false;
    const PatternDim& dim = pattern.dims[0];
    if (!dim.windowed || dim.step != 1 || dim.stride < 0 || dim.stride > 1) return false;
    slot_[i] = kStream | streamSlots_++;
    std::optional<double> constant;
    if (dim.stride == 0 && place.base == Base::Constant)
      constant = plan_.constants[static_cast<std::size_t>(place.offset)];
    out_.windows.push_back(
        {place, pattern.fill, slot_[i], dim.lo, dim.hi, dim.stride == 0, constant});
    return true;
  }

  const Plan& plan_;
  const Kernel& kernel_;
  const BigVector<Instr>& body_;
  const std::size_t size_;
  JitBuilder* const jit_;
  BlockProgram& out_;
  const KernelFacts facts_;

  std::vector<std::uint32_t> slot_;    ///< of the value's lanes; kNone: not written out
  std::vector<std::uint32_t> number_;  ///< slot of a value that is the same at every point
  std::vector<std::uint8_t> owned_;    ///< value i holds a register that is to be given back
  std::vector<std::uint8_t> written_;  ///< value i goes straight to where it is stored
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> iota_;
  std::unordered_map<std::uint32_t, std::uint16_t> functions_;
  std::uint32_t invariants_ = 0;
  std::uint32_t streamSlots_ = 0;
};

std::unique_ptr<BlockProgram> compile(const Plan& plan, const Kernel& kernel, JitBuilder* jit) {
  auto program = std::make_unique<BlockProgram>();
  program->points = kernel.points();
  addReductions(plan, kernel, *program);
  SlotCounts counts;
  if (program->points > 0) counts = Compiler(plan, kernel, jit, *program).run();
  const std::int64_t mostLanes = writesPieces(plan, kernel) ? kPieceElements : kMaxLanes;
  layOut(*program, counts, mostLanes, jit);
  return program;
}

}  // namespace

std::unique_ptr<BlockProgram> compileBlock(const Plan& plan, const Kernel& kernel,
                                           JitBuilder* jit) {
  if (jit == nullptr) return compile(plan, kernel, jit);
  return compile(plan, groupOperations(scheduled(kernel)), jit);
}

}  // namespace adjoint::exec

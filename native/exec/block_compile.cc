#include <algorithm>
#include <limits>
#include <string>
#include <unordered_map>

#include "exec/alias.h"
#include "exec/block.h"
#include "exec/block_layout.h"
#include "exec/broadcast.h"
#include "exec/schedule.h"
#include "exec/segments.h"
#include "plan/rows_by_piece.h"

namespace adjoint::exec {
namespace {

constexpr std::int64_t kMaxPeriod = 1024;
constexpr std::size_t kMaxPeriodics = 16;
constexpr std::uint32_t kMaxInvariant = 16;
constexpr std::uint32_t kNone = 0xffffffffu;

[[noreturn]] void bug(const char* what) {
  throw Error(ErrorCode::Native, std::string("kernel: ") + what);
}

class Compiler {
 public:
  Compiler(const Plan& plan, const Kernel& kernel, JitBuilder* jit)
      : plan_(plan), kernel_(kernel), body_(kernel.body), size_(kernel.body.size()), jit_(jit) {}

  std::unique_ptr<BlockProgram> run() {
    out_ = std::make_unique<BlockProgram>();
    out_->points = kernel_.points();
    if (out_->points == 0) {
      compileEmpty();
    } else {
      compilePatterns();
      findKnownGathers();
      findLive();
      compileReductions();
      findAliases();
      chooseStores();
      emit();
    }
    const std::int64_t mostLanes = writesPieces(plan_, kernel_) ? kPieceElements : kMaxLanes;
    layOut(*out_, {streamSlots_, invariants_}, mostLanes, jit_);
    return std::move(out_);
  }

 private:
  void compileEmpty() {
    for (const adjoint::Reduction& reduction : kernel_.reductions) {
      const ReduceShape shape = reduceShape(reduction);
      if (shape.outer * shape.inner == 0) continue;
      out_->reductions.emplace_back(shape, placeOf(plan_, access(reduction.access)));
    }
  }

  const Access& access(std::size_t i) const {
    if (i >= kernel_.accesses.size()) bug("no such access");
    const Access& result = kernel_.accesses[i];
    if (result.map >= kernel_.maps.size()) bug("no such map");
    return result;
  }

  void compilePatterns() {
    for (const IndexMap& map : kernel_.maps)
      out_->patterns.push_back(makePattern(map, kernel_.extents));
    iota_.assign(kernel_.extents.size(), kNone);
  }

  const Pattern& patternOf(std::size_t i) const { return out_->patterns[access(i).map]; }

  /// Gathers by indices that are constants.
  void findKnownGathers() {
    known_.assign(size_, kNone);
    for (std::size_t i = 0; i < size_; ++i) {
      if (body_[i].kind != InstrKind::Gather) continue;
      const Instr& index = body_[body_[i].a];
      if (index.kind != InstrKind::Load) continue;
      const std::size_t at = static_cast<std::size_t>(index.extra);
      const Place constants = placeOf(plan_, access(at));
      if (constants.base != Base::Constant) continue;
      const adjoint::Gather& gather = kernel_.gathers.at(static_cast<std::size_t>(body_[i].extra));
      const Access& from = access(gather.access);
      const Place source = placeOf(plan_, from);
      auto known =
          placesOfGather({out_->patterns[from.map], gather.stride, gather.limit}, patternOf(at),
                         plan_.constants.data() + constants.offset, out_->points);
      if (!known) continue;
      const std::int64_t readable = plan_.doubles(source.base) - source.offset;
      known_[i] = addKnown(source, KnownPlaces::ofPlaces(std::move(*known), readable));
    }
  }

  std::uint32_t addKnown(const Place& place, KnownPlaces places) {
    out_->knownPlaces.push_back({place, std::move(places)});
    return static_cast<std::uint32_t>(out_->knownPlaces.size() - 1);
  }

  /// Of a, b, c, how many instruction i reads.
  int operandsOf(std::size_t i) const { return known_[i] != kNone ? 0 : arityOf(body_[i]); }

  void findLive() {
    lastUse_.assign(size_, kNone);
    for (std::size_t i = size_; i-- > 0;) {
      const Instr& instr = body_[i];
      const bool effect = instr.kind == InstrKind::Store || instr.kind == InstrKind::Reduce;
      if (!effect && lastUse_[i] == kNone) continue;
      const std::uint32_t operands[3] = {instr.a, instr.b, instr.c};
      const int n = operandsOf(i);
      for (int k = 0; k < n; ++k) {
        if (operands[k] >= i) bug("an operand that is not earlier");
        std::uint32_t& last = lastUse_[operands[k]];
        if (last == kNone) last = static_cast<std::uint32_t>(i);
      }
    }
  }

  bool live(std::size_t i) const {
    return body_[i].kind == InstrKind::Store || body_[i].kind == InstrKind::Reduce ||
           lastUse_[i] != kNone;
  }

  ReduceShape reduceShape(const adjoint::Reduction& reduction) const {
    ReduceShape shape;
    shape.op = reduction.op;
    const auto& extents = kernel_.extents;
    const std::uint32_t mask = reduction.reducedLoops;
    int phase = 0;
    for (std::size_t l = 0; l < extents.size(); ++l) {
      const bool reduced = mask >> l & 1u;
      if (reduced && phase == 0) phase = 1;
      if (!reduced && phase == 1) phase = 2;
      if (reduced && phase == 2) bug("reduced loops that are not neighbors");
      (phase == 0 ? shape.outer : phase == 1 ? shape.terms : shape.inner) *= extents[l];
    }
    if (reduction.points > 0) shape.terms = reduction.points;
    if (shape.outer * shape.inner > 0) {
      shape.result = makePattern(kernel_.maps[access(reduction.access).map], extents, mask);
      shape.contiguous = shape.result.contiguous() || shape.outer * shape.inner == 1;
      if (shape.result.windowed) bug("a window on a result");
    }
    return shape;
  }

  void compileReductions() {
    for (const adjoint::Reduction& reduction : kernel_.reductions)
      out_->reductions.emplace_back(reduceShape(reduction),
                                    placeOf(plan_, access(reduction.access)));
    if (out_->reductions.empty()) return;
    // Tiles of columns keep the accumulators near where every reduction runs over the same loops.
    const ReduceShape& first = out_->reductions[0].shape;
    std::int64_t rows = 0;
    for (const auto& reduction : out_->reductions) {
      const ReduceShape& shape = reduction.shape;
      if (shape.outer != first.outer || shape.terms != first.terms) return;
      rows += shape.accumulators(8) / 8;
    }
    // A tile is as wide as the kept inner extent at most: narrow ones would be all overhead.
    constexpr std::int64_t kMinTile = 32;
    if (first.terms == 1 || first.inner < kMinTile) return;
    if (rows * first.inner <= kCacheDoubles / 2) return;
    out_->tileOuter = first.outer;
    out_->tileTerms = first.terms;
    out_->tileInner = first.inner;
    const std::int64_t fit = kCacheDoubles / 2 / rows / 16 * 16;
    out_->tile = std::clamp<std::int64_t>(fit, 64, kMaxLanes);
  }

  void findAliases() {
    for (std::size_t i = 0; i < size_; ++i) {
      const Instr& instr = body_[i];
      if (!live(i)) continue;
      if (instr.kind == InstrKind::Load) addInterval(loads_, static_cast<std::size_t>(instr.extra));
      if (instr.kind == InstrKind::Store)
        addInterval(stores_, static_cast<std::size_t>(instr.extra));
      if (instr.kind == InstrKind::Gather) {
        const adjoint::Gather& gather = kernel_.gathers[static_cast<std::size_t>(instr.extra)];
        const Access& from = access(gather.access);
        const Place place = placeOf(plan_, from);
        const std::int64_t reach = gather.stride * std::max<std::int64_t>(0, gather.limit - 1);
        const Pattern& pattern = out_->patterns[from.map];
        loads_.add(place.base, place.offset + pattern.minOffset + std::min<std::int64_t>(0, reach),
                   place.offset + pattern.maxOffset + std::max<std::int64_t>(0, reach) + 1);
      }
    }
    loads_.close();
    stores_.close();
  }

  void addInterval(Intervals& list, std::size_t i) {
    const Place place = placeOf(plan_, access(i));
    const Pattern& pattern = patternOf(i);
    list.add(place.base, place.offset + pattern.minOffset, place.offset + pattern.maxOffset + 1);
  }

  bool overlaps(const Intervals& list, std::size_t i) const {
    const Place place = placeOf(plan_, access(i));
    const Pattern& pattern = patternOf(i);
    return list.overlaps(place.base, place.offset + pattern.minOffset,
                         place.offset + pattern.maxOffset + 1);
  }

  /// Points read or written when every block is rounded up to whole vectors.
  std::int64_t reach() const {
    return out_->tile > 0 ? out_->points + 8 : roundUp(out_->points, 8);
  }

  /// A contiguous load may be read in place where rounding up stays within its base and no store
  /// comes between.
  bool directLoad(std::size_t i) const {
    if (!patternOf(i).contiguous() || overlaps(stores_, i)) return false;
    const Place place = placeOf(plan_, access(i));
    return place.offset + reach() <= plan_.doubles(place.base);
  }

  /// A contiguous store may be written by the operation that makes its value where rounding up
  /// touches padding only.
  bool directStore(std::size_t i) const {
    if (!patternOf(i).contiguous() || overlaps(loads_, i)) return false;
    if (out_->tile > 0 && out_->tileInner % 8 != 0) return false;
    if (out_->points % 8 == 0) return true;
    const Access& to = access(i);
    const std::int64_t elements = plan_.buffers[to.buffer].elements;
    return to.offset + out_->points >= elements &&
           to.offset + roundUp(out_->points, 8) <= roundUp(elements, 8);
  }

  void chooseStores() {
    forward_.assign(size_, kNone);
    for (std::size_t i = 0; i < size_; ++i) {
      if (body_[i].kind != InstrKind::Store) continue;
      const std::size_t to = static_cast<std::size_t>(body_[i].extra);
      if (patternOf(to).windowed) bug("a window on a store");
      std::uint32_t& chosen = forward_[body_[i].a];
      const InstrKind kind = body_[body_[i].a].kind;
      if (kind == InstrKind::Const) continue;
      if (chosen == kNone && directStore(to)) chosen = static_cast<std::uint32_t>(i);
    }
  }

  // --- slots ---------------------------------------------------------------------------------

  std::uint32_t newRegister() {
    if (!free_.empty()) {
      const std::uint32_t r = free_.back();
      free_.pop_back();
      return r;
    }
    return out_->registers++;
  }

  /// Streams are numbered after the registers, whose count is not known yet: bit 31 marks them
  /// until layOut.
  std::uint32_t newStream(const Place& place) {
    const std::uint32_t slot = kStream | streamSlots_++;
    out_->streams.push_back({place, slot});
    return slot;
  }

  std::uint32_t addWalk(std::uint32_t pattern, const Place& place) {
    if (std::find(out_->walked.begin(), out_->walked.end(), pattern) == out_->walked.end())
      out_->walked.push_back(pattern);
    out_->walks.push_back({pattern, place});
    return static_cast<std::uint32_t>(out_->walks.size() - 1);
  }

  std::uint32_t addPlace(const Place& place) {
    out_->places.push_back(place);
    return static_cast<std::uint32_t>(out_->places.size() - 1);
  }

  /// The operation's kernel where operands in `numbers` are one number each; see broadcastKernel.
  std::uint16_t function(OpCode op, unsigned numbers) {
    const std::uint32_t key = std::uint32_t{op} << 3 | numbers;
    const auto found = functions_.find(key);
    if (found != functions_.end()) return found->second;
    const ElementKernel kernel = numbers != 0 ? broadcastKernel(static_cast<Op>(op), numbers)
                                              : rowOf(static_cast<Op>(op)).kernel;
    if (kernel == nullptr) bug("an operation without a kernel");
    const std::uint16_t index = static_cast<std::uint16_t>(out_->functions.size());
    out_->functions.push_back(kernel);
    functions_.emplace(key, index);
    return index;
  }

  // --- numbers: values that are the same at every point ---------------------------------------

  std::uint32_t newNumber(BlockProgram::Number::Kind kind, const Place& place, double value) {
    out_->numbers.push_back({kind, place, value});
    return kNumber | static_cast<std::uint32_t>(out_->numbers.size() - 1);
  }

  /// The number's eight lanes, for operations on numbers alone.
  std::uint32_t cell(std::size_t v) {
    if (out_->numbers[number_[v] & ~kNumber].kind == BlockProgram::Number::Kind::Memory) {
      const std::uint32_t to = newNumber(BlockProgram::Number::Kind::Cell, {}, 0);
      BlockInstr code;
      code.kind = BlockKind::Splat;
      code.a = number_[v];
      code.d = to;
      out_->cells.push_back(code);
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
      out_->prologue.push_back(code);
    } else {
      slot_[v] = newRegister();
      owned_[v] = 1;
      code.d = slot_[v];
      out_->body.push_back(code);
    }
    return slot_[v];
  }

  // --- code ----------------------------------------------------------------------------------

  void emit() {
    slot_.assign(size_, kNone);
    owned_.assign(size_, 0);
    written_.assign(size_, 0);
    number_.assign(size_, kNone);
    for (std::size_t i = 0; i < size_; ++i) {
      if (live(i)) emitOne(i);
    }
  }

  /// Registers whose last reader is i are free again.
  void release(std::size_t i, const Instr& instr) {
    const std::uint32_t operands[3] = {instr.a, instr.b, instr.c};
    const int n = operandsOf(i);
    for (int k = 0; k < n; ++k) {
      const std::uint32_t v = operands[k];
      if (lastUse_[v] == i && owned_[v]) {
        owned_[v] = 0;
        free_.push_back(slot_[v]);
      }
    }
  }

  /// Where value i goes: straight into memory if a store was chosen, else into a register.
  std::uint32_t destination(std::size_t i) {
    if (forward_[i] != kNone) {
      const Instr& store = body_[forward_[i]];
      slot_[i] = newStream(placeOf(plan_, access(static_cast<std::size_t>(store.extra))));
      written_[i] = 1;
    } else {
      slot_[i] = newRegister();
      owned_[i] = 1;
    }
    return slot_[i];
  }

  void emitOne(std::size_t i) {
    const Instr& instr = body_[i];
    BlockInstr code;
    const std::size_t extra = static_cast<std::size_t>(instr.extra);
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
      case InstrKind::Gather: {
        if (known_[i] != kNone) {
          code.kind = BlockKind::LoadKnown;
          code.b = known_[i];
          code.d = destination(i);
          break;
        }
        const adjoint::Gather& gather = kernel_.gathers.at(extra);
        const Access& from = access(gather.access);
        if (gather.limit > kMaxElements) bug("a gather past the largest value");
        out_->gathers.push_back(
            {addWalk(from.map, placeOf(plan_, from)), gather.stride, gather.limit, gather.node});
        code.kind = BlockKind::Gather;
        code.a = wide(instr.a);
        code.b = static_cast<std::uint32_t>(out_->gathers.size() - 1);
        // Outside a window the fill is written first, and must not hit an index still to be read.
        const bool windowed = out_->patterns[from.map].windowed;
        if (!windowed) release(i, instr);
        code.d = destination(i);
        if (windowed) release(i, instr);
        break;
      }
      case InstrKind::Store: {
        const std::uint32_t value = instr.a;
        if (forward_[value] == i && written_[value]) return;
        const Access& to = access(extra);
        code.a = wide(value);
        if (patternOf(extra).contiguous() || out_->points == 1) {
          code.kind = BlockKind::CopyStore;
          code.b = addPlace(placeOf(plan_, to));
        } else if (hasFewPlaces(patternOf(extra))) {
          code.kind = BlockKind::StoreKnown;
          code.b = addKnown(placeOf(plan_, to), KnownPlaces::ofFew(patternOf(extra), out_->points));
        } else {
          code.kind = BlockKind::WalkStore;
          code.b = addWalk(to.map, placeOf(plan_, to));
        }
        release(i, instr);
        break;
      }
      case InstrKind::Reduce:
        if (extra >= out_->reductions.size()) bug("no such reduction");
        code.kind = BlockKind::Reduce;
        code.a = wide(instr.a);
        code.b = static_cast<std::uint32_t>(extra);
        release(i, instr);
        break;
    }
    out_->body.push_back(code);
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
    (number_[i] != kNone ? out_->cells : out_->body).push_back(code);
  }

  void emitIota(std::size_t i, std::uint32_t loop) {
    if (loop >= iota_.size()) bug("iota of a loop that is not there");
    if (iota_[loop] == kNone) {
      iota_[loop] = static_cast<std::uint32_t>(out_->patterns.size());
      out_->patterns.push_back(makeIotaPattern(loop, kernel_.extents));
    }
    if (out_->patterns[iota_[loop]].constant()) {
      number_[i] = newNumber(BlockProgram::Number::Kind::Constant, {}, 0);
      return;
    }
    const std::uint32_t walk = addWalk(iota_[loop], {});
    if (periodic(i, walk, true)) return;
    BlockInstr code;
    code.kind = BlockKind::WalkIota;
    code.a = walk;
    code.d = destination(i);
    out_->body.push_back(code);
  }

  void emitLoad(std::size_t i, std::size_t from) {
    const Pattern& pattern = patternOf(from);
    const Place place = placeOf(plan_, access(from));
    BlockInstr code;
    if (pattern.constant()) {
      if (!overlaps(stores_, from)) {
        number_[i] = newNumber(BlockProgram::Number::Kind::Memory, place, 0);
        return;
      }
      code.kind = BlockKind::SplatLoad;
      code.a = addPlace(place);
    } else if (directLoad(from)) {
      slot_[i] = newStream(place);
      return;
    } else if (pattern.contiguous()) {
      code.kind = BlockKind::CopyLoad;
      code.a = addPlace(place);
    } else {
      if (hasFewPlaces(pattern)) {
        code.kind = BlockKind::LoadKnown;
        code.b = addKnown(place, KnownPlaces::ofFew(pattern, out_->points));
        code.d = destination(i);
        out_->body.push_back(code);
        return;
      }
      const bool isStable = !overlaps(stores_, from);
      if (isStable && windowed(i, pattern, place)) return;
      const std::uint32_t walk = addWalk(access(from).map, place);
      if (isStable && periodic(i, walk, false)) return;
      code.kind = BlockKind::WalkLoad;
      code.a = walk;
    }
    code.d = destination(i);
    out_->body.push_back(code);
  }

  /// Whether a walk of the pattern is better written out.
  bool hasFewPlaces(const Pattern& pattern) const {
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    return out_->points <= KnownPlaces::kFewPoints && !pattern.windowed &&
           pattern.minOffset >= -kMost && pattern.maxOffset <= kMost;
  }

  /// Small vectors broadcast along outer loops are written out once a run.
  bool periodic(std::size_t i, std::uint32_t walk, bool iota) {
    const Pattern& pattern = out_->patterns[out_->walks[walk].pattern];
    const PatternDim& outermost = pattern.dims.back();
    if (pattern.dims.size() < 2 || outermost.stride != 0 || outermost.windowed) return false;
    if (out_->periodics.size() >= kMaxPeriodics) return false;
    std::int64_t period = 1;
    for (std::size_t d = 0; d + 1 < pattern.dims.size(); ++d) {
      period *= pattern.dims[d].extent;
      if (period > kMaxPeriod) return false;
    }
    slot_[i] = kStream | streamSlots_++;
    out_->periodics.push_back({walk, slot_[i], iota, period, 0});
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
    out_->windows.push_back(
        {place, pattern.fill, slot_[i], dim.lo, dim.hi, dim.stride == 0, constant});
    return true;
  }

  const Plan& plan_;
  const Kernel& kernel_;
  const BigVector<Instr>& body_;
  const std::size_t size_;
  JitBuilder* const jit_;
  std::unique_ptr<BlockProgram> out_;

  std::vector<std::uint32_t> known_;    ///< by instruction, of gathers; kNone: not known
  std::vector<std::uint32_t> lastUse_;  ///< kNone: never read
  std::vector<std::uint32_t> forward_;  ///< the store that value i is written by
  std::vector<std::uint32_t> slot_;     ///< of the value's lanes; kNone: not written out
  std::vector<std::uint32_t> number_;   ///< slot of a value that is the same at every point
  std::vector<std::uint8_t> owned_;     ///< value i holds a register that is to be given back
  std::vector<std::uint8_t> written_;   ///< value i goes straight to where forward_[i] stores it
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> iota_;
  std::unordered_map<std::uint32_t, std::uint16_t> functions_;
  Intervals loads_, stores_;
  std::uint32_t invariants_ = 0;
  std::uint32_t streamSlots_ = 0;
};

}  // namespace

SlotUse slotUseOf(BlockKind kind) {
  switch (kind) {
    case BlockKind::Splat:
    case BlockKind::Gather:
      return {1, true};
    case BlockKind::CopyStore:
    case BlockKind::WalkStore:
    case BlockKind::StoreKnown:
    case BlockKind::Reduce:
      return {1, false};
    case BlockKind::SplatLoad:
    case BlockKind::CopyLoad:
    case BlockKind::WalkLoad:
    case BlockKind::WalkIota:
    case BlockKind::LoadKnown:
      return {0, true};
    case BlockKind::Compute:
      return {3, true};
    case BlockKind::Inline:
    case BlockKind::Segment:
      break;
  }
  return {};
}

Place placeOf(const Plan& plan, const Access& access) {
  if (access.buffer >= plan.buffers.size()) bug("no such buffer");
  const Buffer& buffer = plan.buffers[access.buffer];
  return {buffer.base, buffer.offset + access.offset};
}

std::size_t BlockProgram::bytes() const {
  std::size_t n = sizeof(*this);
  n += (cells.capacity() + prologue.capacity() + body.capacity()) * sizeof(BlockInstr);
  n += segments.capacity() * (sizeof(CodeFunction) + sizeof(std::uint32_t));
  n += functions.capacity() * sizeof(ElementKernel) + numbers.capacity() * sizeof(Number);
  for (const Pattern& pattern : patterns)
    n += sizeof(Pattern) + pattern.dims.capacity() * sizeof(PatternDim);
  n += places.capacity() * sizeof(Place) + streams.capacity() * sizeof(Stream);
  n += windows.capacity() * sizeof(Window);
  n += periodics.capacity() * sizeof(Periodic) + walks.capacity() * sizeof(Walk);
  for (const Known& known : knownPlaces) n += sizeof(Known) + known.places.bytes();
  n += gathers.capacity() * sizeof(Gather) + reductions.capacity() * sizeof(Reduction);
  return n;
}

std::unique_ptr<BlockProgram> compileBlock(const Plan& plan, const Kernel& kernel,
                                           JitBuilder* jit) {
  if (jit == nullptr) return Compiler(plan, kernel, jit).run();
  const Kernel grouped = groupOperations(scheduled(kernel));
  return Compiler(plan, grouped, jit).run();
}

void linkBlock(BlockProgram& program, const JitModule& module) {
  for (const std::uint32_t number : program.segmentNumbers)
    program.segments.push_back(module.function(number));
  for (const std::uint32_t number : program.wholeNumbers)
    program.whole.push_back(module.function(number));
}

}  // namespace adjoint::exec

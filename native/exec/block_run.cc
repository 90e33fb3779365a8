#include <algorithm>
#include <cstring>

#include "exec/block.h"
#include "exec/pool.h"

namespace adjoint::exec {
namespace {

/// One block after another of a program, with everything that changes in the workspace.
class Runner {
 public:
  /// `shared`: the scratch memory of the first of several threads.
  Runner(const BlockProgram& program, const RunContext& context, double* shared)
      : program_(program),
        context_(context),
        shared_(shared),
        slots_(reinterpret_cast<double**>(context.scratch + program.slotTable)),
        states_(reinterpret_cast<PatternState*>(context.scratch + program.patternStates)) {}

  bool run() {
    if (program_.points == 0) return empty();
    prepare();
    return program_.tile > 0 ? tiles() : range(0, program_.points);
  }

  /// Writes into the scratch memory what all blocks need.
  void prepare() {
    const BlockProgram& p = program_;
    for (std::uint32_t r = 0; r < p.registers; ++r)
      slots_[r] = context_.scratch + p.registerFile + r * p.padded;
    slots_[p.spillSlot()] = context_.scratch + p.spills;
    slots_[p.cellSlot()] = context_.scratch + p.cellFile;
    for (int base = 0; base < kBases; ++base)
      slots_[p.numberSlot(Base{}) + static_cast<std::uint32_t>(base)] = context_.base[base];
    double** const numberSlots = slots_ + p.slots - p.numbers.size();
    for (const std::uint32_t i : p.pointed)
      numberSlots[i] = context_.at(p.numbers[i].place.base, p.numbers[i].place.offset);
    for (const std::uint32_t i : p.celled) {
      numberSlots[i] = slots_[p.cellSlot()] + std::int64_t{i} * 8;
      if (p.numbers[i].kind == BlockProgram::Number::Kind::Constant)
        splat(numberSlots[i], p.numbers[i].value, 8);
    }
    for (const auto& periodic : p.periodics) {
      double* table = context_.scratch + periodic.table;
      const auto& walk = p.walks[periodic.walk];
      const Pattern& pattern = p.patterns[walk.pattern];
      PatternState state;
      seek(pattern, 0, state);
      const std::int64_t n = periodic.period + std::min(p.lanes, p.points);
      if (periodic.iota) {
        iotaWalk(pattern, state, table, n);
      } else {
        loadWalk(pattern, state, context_.at(walk.place.base, walk.place.offset), table, n);
      }
    }
    for (const auto& window : p.windows) {
      if (window.isOne && p.whole.empty())
        splat(context_.scratch + window.all, *context_.at(window.place.base, window.place.offset),
              p.padded);
    }
    for (const auto& reduction : p.reductions) {
      ReduceState& state = stateOf(reduction);
      state.accumulators = context_.scratch + reduction.accumulators;
      state.results = context_.at(reduction.place.base, reduction.place.offset);
      beginReduce(reduction.shape, state, 0, reduction.shape.inner);
    }
    n_ = 8;
    execute(p.cells, p.segments);
    n_ = std::min(p.lanes, roundUp(p.points, 8));
    execute(p.prologue, p.segments);
  }

  /// Points from .. to of the flattened nest, a multiple of the block apart: what a thread may
  /// take.
  bool range(std::int64_t from, std::int64_t to) {
    auto cut = program_.cuts.begin();
    for (std::int64_t p = from; p < to;) {
      std::int64_t end = std::min(p + program_.lanes, to);
      // Sums in code stay within a chunk.
      if (!program_.whole.empty()) end = std::min(end, p - p % kSumChunk + kSumChunk);
      while (cut != program_.cuts.end() && *cut <= p) ++cut;
      if (cut != program_.cuts.end()) end = std::min(end, *cut);
      if (!block(p, end - p)) return false;
      p = end;
    }
    return true;
  }

  /// Pieces from .. to, and what comes after each.
  bool pieces(const AfterPieces& after, std::int64_t from, std::int64_t to) {
    if (stopped(context_)) return false;
    double* const memory = context_.scratch + program_.scratch;
    double*& base = context_.base[static_cast<int>(Base::Piece)];
    for (std::int64_t piece = from; piece < to; ++piece) {
      const std::int64_t first = piece * after.points;
      base = memory - first;
      if (!range(first, std::min(first + after.points, program_.points))) return false;
      after.then(after.self, context_, piece);
    }
    return true;
  }

  /// A chunk of what several threads share.
  bool chunk(std::int64_t number) {
    if (stopped(context_)) return false;
    const std::int64_t from = number * program_.chunk;
    const std::int64_t to = std::min(program_.points, from + program_.chunk);
    bool hasSumsOfAll = false;
    for (const auto& reduction : program_.reductions) {
      const ReduceShape& shape = reduction.shape;
      hasSumsOfAll = hasSumsOfAll || reduction.isOfAll;
      if (!reduction.isOfAll)
        beginReduce(shape, stateOf(reduction), from / shape.terms, shape.inner);
    }
    if (!hasSumsOfAll) return range(from, to);
    isInChunks_ = true;
    for (std::int64_t p = from; p < to; p += kSumChunk) {
      for (const auto& reduction : program_.reductions) {
        if (!reduction.isOfAll) continue;
        ReduceState& state = stateOf(reduction);
        state.results = shared_ + reduction.table + p / kSumChunk;
        beginReduce(reduction.part, state, 0, 1);
      }
      if (!range(p, std::min(to, p + kSumChunk))) return false;
    }
    return true;
  }

  /// After all chunks, the sums of their sums.
  void finish() {
    for (const auto& reduction : program_.reductions) {
      if (!reduction.isOfAll) continue;
      ReduceState& state = stateOf(reduction);
      state.results = context_.at(reduction.place.base, reduction.place.offset);
      beginReduce(reduction.parts, state, 0, 1);
      feedReduce(reduction.parts, state, shared_ + reduction.table, reduction.parts.terms);
    }
  }

 private:
  bool empty() {
    double value[64];
    for (const auto& reduction : program_.reductions) {
      splat(value, emptyReduce(reduction.shape.op), 64);
      double* to = context_.at(reduction.place.base, reduction.place.offset);
      const std::int64_t n = reduction.shape.outer * reduction.shape.inner;
      for (std::int64_t i = 0; i < n; i += 64)
        writeResults(reduction.shape, to, i, value, std::min<std::int64_t>(64, n - i));
    }
    return true;
  }

  ReduceState& stateOf(const BlockProgram::Reduction& reduction) {
    return *reinterpret_cast<ReduceState*>(context_.scratch + reduction.state);
  }

  /// Columns k0 .. k0 + width of every row, so that their accumulators stay in the first-level
  /// cache.
  bool tiles() {
    const BlockProgram& p = program_;
    for (std::int64_t outer = 0; outer < p.tileOuter; ++outer) {
      for (std::int64_t k0 = 0; k0 < p.tileInner; k0 += p.tile) {
        const std::int64_t width = std::min(p.tile, p.tileInner - k0);
        for (const auto& reduction : p.reductions)
          beginReduce(reduction.shape, stateOf(reduction), outer * p.tileInner + k0, width);
        for (std::int64_t r = 0; r < p.tileTerms; ++r) {
          if (!block((outer * p.tileTerms + r) * p.tileInner + k0, width)) return false;
        }
      }
    }
    return true;
  }

  bool block(std::int64_t p, std::int64_t n) {
    if ((++blocks_ & 63) == 0 && stopped(context_)) return false;
    p_ = p;
    n_ = n;
    for (int base = 0; base < kBases; ++base)
      slots_[program_.laneSlot(Base{}) + static_cast<std::uint32_t>(base)] =
          context_.base[base] + p;
    for (const auto& stream : program_.streams)
      slots_[stream.slot] = context_.at(stream.place.base, stream.place.offset + p);
    for (const auto& periodic : program_.periodics)
      slots_[periodic.slot] = context_.scratch + periodic.table + p % periodic.period;
    for (const std::uint32_t i : program_.walked) seek(program_.patterns[i], p, states_[i]);
    isWhole_ = !program_.whole.empty() && isWholeBlock();
    for (const auto& window : program_.windows) {
      if (window.isRead || !isWhole_) readWindow(window);
    }
    if (!isWhole_) return execute(program_.body, program_.segments);
    for (const auto& reduction : program_.reductions) {
      if (reduction.isInCode) beginGroups(stateOf(reduction));
    }
    return execute(program_.body, program_.whole);
  }

  bool isWholeBlock() const {
    for (const auto& window : program_.windows) {
      if (!isWithin(window)) return false;
    }
    for (const auto& reduction : program_.reductions) {
      if (!reduction.isInCode) continue;
      const std::int64_t start = p_ - p_ % kSumChunk;
      const std::int64_t end = std::min(start + kSumChunk, reduction.points);
      const bool isInGroups = p_ % kSumLanes == 0 && n_ % kSumLanes == 0;
      if (!isInGroups || p_ + n_ > end || end - start <= kSumLanes) return false;
    }
    return true;
  }

  bool isWithin(const BlockProgram::Window& window) const {
    return p_ >= window.lo && p_ + roundUp(n_, 8) <= window.hi;
  }

  void readWindow(const BlockProgram::Window& window) {
    const double* at = context_.at(window.place.base, window.place.offset);
    const double* from = window.isOne ? context_.scratch + window.all : at + (p_ - window.lo);
    if (isWithin(window) && (!window.isOne || program_.whole.empty())) {
      slots_[window.slot] = const_cast<double*>(from);
      return;
    }
    double* edge = context_.scratch + window.edge;
    slots_[window.slot] = edge;
    const std::int64_t lo = std::clamp<std::int64_t>(window.lo - p_, 0, n_);
    const std::int64_t hi = std::clamp<std::int64_t>(window.hi - p_, lo, n_);
    splat(edge, window.fill, lo);
    if (window.isOne) {
      std::fill(edge + lo, edge + hi, *at);
    } else {
      std::copy(from + lo, from + hi, edge + lo);
    }
    splat(edge + hi, window.fill, n_ - hi);
  }

  const Pattern& start(const BlockProgram::Walk& walk, PatternState& state) const {
    const Pattern& pattern = program_.patterns[walk.pattern];
    const PatternState& from = states_[walk.pattern];
    for (std::size_t d = 0; d < pattern.dims.size(); ++d) state.index[d] = from.index[d];
    return pattern;
  }

  double* memory(const BlockProgram::Walk& walk) const {
    return context_.at(walk.place.base, walk.place.offset);
  }

  bool execute(const std::vector<BlockInstr>& code, const std::vector<CodeFunction>& segments) {
    double* const* const slots = slots_;
    const std::int64_t n = n_;
    const ElementKernel* const functions = program_.functions.data();
    for (const BlockInstr& in : code) {
      if (in.kind == BlockKind::Compute) {
        functions[in.function](slots[in.d], slots[in.a], slots[in.b], slots[in.c],
                               static_cast<std::size_t>(n), in.attr);
      } else if (in.kind == BlockKind::Segment) {
        segments[in.a](slots, n);
      } else if (!other(in, n)) {
        return false;
      }
    }
    return true;
  }

  bool other(const BlockInstr& in, std::int64_t n) {
    double* const* const slots = slots_;
    PatternState state;
    const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(double);
    switch (in.kind) {
      case BlockKind::Compute:
      case BlockKind::Inline:
      case BlockKind::Segment:
        break;
      case BlockKind::Splat:
        splat(slots[in.d], *slots[in.a], n);
        break;
      case BlockKind::SplatLoad: {
        const Place& place = program_.places[in.a];
        splat(slots[in.d], *context_.at(place.base, place.offset), n);
        break;
      }
      case BlockKind::CopyLoad: {
        const Place& place = program_.places[in.a];
        std::memcpy(slots[in.d], context_.at(place.base, place.offset + p_), bytes);
        break;
      }
      case BlockKind::WalkLoad: {
        const auto& walk = program_.walks[in.a];
        loadWalk(start(walk, state), state, memory(walk), slots[in.d], n);
        break;
      }
      case BlockKind::WalkIota:
        iotaWalk(start(program_.walks[in.a], state), state, slots[in.d], n);
        break;
      case BlockKind::Gather:
        return gather(in, n);
      case BlockKind::LoadKnown: {
        const auto& [place, places] = program_.knownPlaces[in.b];
        places.load(context_.at(place.base, place.offset), p_, slots[in.d], n);
        break;
      }
      case BlockKind::StoreKnown: {
        const auto& [place, places] = program_.knownPlaces[in.b];
        places.store(context_.at(place.base, place.offset), p_, slots[in.a], n);
        break;
      }
      case BlockKind::CopyStore: {
        const Place& place = program_.places[in.b];
        // A store of a value loaded from the same place is allowed: the ranges are then equal.
        std::memmove(context_.at(place.base, place.offset + p_), slots[in.a], bytes);
        break;
      }
      case BlockKind::WalkStore: {
        const auto& walk = program_.walks[in.b];
        storeWalk(start(walk, state), state, memory(walk), slots[in.a], n);
        break;
      }
      case BlockKind::Reduce: {
        const auto& reduction = program_.reductions[in.b];
        const std::int64_t left = reduction.points - p_;
        if (left <= 0) break;
        const bool isLastPart = p_ / kSumChunk == (reduction.points - 1) / kSumChunk;
        const ReduceShape& shape = !isInChunks_ || !reduction.isOfAll ? reduction.shape
                                   : isLastPart                       ? reduction.lastPart
                                                                      : reduction.part;
        if (isWhole_ && reduction.isInCode) {
          endGroups(shape, stateOf(reduction), n);
        } else {
          feedReduce(shape, stateOf(reduction), slots[in.a], std::min(n, left));
        }
        break;
      }
    }
    return true;
  }

  bool gather(const BlockInstr& in, std::int64_t n) {
    const auto& gather = program_.gathers[in.b];
    const auto& walk = program_.walks[gather.walk];
    PatternState state;
    const Pattern& pattern = start(walk, state);
    const double* index = slots_[in.a];
    const std::int64_t bad = gatherWalk(pattern, state, memory(walk), index, gather.stride,
                                        gather.limit, slots_[in.d], n);
    if (bad < 0) return true;
    RunStatus& status = *context_.status;
    status.ok = false;
    status.code = ErrorCode::Index;
    status.node = gather.node;
    status.element = p_ + bad;
    status.value = index[bad];
    status.limit = gather.limit;
    return false;
  }

  const BlockProgram& program_;
  RunContext context_;
  double* const shared_;
  double** const slots_;
  PatternState* const states_;
  std::int64_t p_ = 0, n_ = 0;
  std::int64_t blocks_ = 0;
  bool isInChunks_ = false;
  bool isWhole_ = false;  ///< the current block
};

/// Runs of one program on several threads.
struct SharedRun {
  const BlockProgram& program;
  const RunContext& context;
  const AfterPieces* after = nullptr;

  std::int64_t pieces() const { return (program.points + after->points - 1) / after->points; }
  std::int64_t piecesOfChunk() const {
    return std::max<std::int64_t>(1, program.chunk / after->points);
  }
  std::int64_t chunks() const {
    if (after == nullptr) return program.chunks();
    return (pieces() + piecesOfChunk() - 1) / piecesOfChunk();
  }

  RunContext of(unsigned worker, RunStatus& status) const {
    const std::int64_t scratch = program.scratch + (after == nullptr ? 0 : after->memory);
    return context.ofWorker(worker, scratch, status);
  }

  bool chunk(unsigned worker, std::int64_t number) const {
    RunStatus status;
    const RunContext own = of(worker, status);
    Runner runner(program, own, context.scratch);
    if (after == nullptr) return runner.chunk(number);
    const std::int64_t n = piecesOfChunk();
    return runner.pieces(*after, number * n, std::min(pieces(), (number + 1) * n));
  }
};

bool runShared(const SharedRun& shared, unsigned threads) {
  const RunContext& context = shared.context;
  RunStatus status;
  for (unsigned worker = 0; worker < threads; ++worker) {
    const RunContext own = shared.of(worker, status);
    Runner(shared.program, own, context.scratch).prepare();
  }
  Runner runner(shared.program, context, context.scratch);
  // Which element fails first does not depend on threads either: one of them finds it.
  const bool isDone = Pool::shared().run(
      shared.chunks(), threads,
      [&](unsigned worker, std::int64_t number) { return shared.chunk(worker, number); });
  if (!isDone && stopped(context)) return false;
  if (shared.after != nullptr) return isDone || runner.pieces(*shared.after, 0, shared.pieces());
  if (!isDone) return runner.run();
  runner.finish();
  return true;
}

}  // namespace

unsigned threadsOf(const BlockProgram& program, const RunContext& context) {
  const unsigned most = context.control == nullptr ? 1 : context.control->threads;
  return static_cast<unsigned>(std::min<std::int64_t>(most, program.chunks()));
}

bool runBlock(const BlockProgram& program, const RunContext& context,
              const AfterPieces& after) noexcept {
  const SharedRun shared{program, context, &after};
  if (const unsigned threads = threadsOf(program, context); threads > 1 && after.isApart)
    return runShared(shared, threads);
  Runner runner(program, context, context.scratch);
  runner.prepare();
  return runner.pieces(after, 0, shared.pieces());
}

bool runBlock(const BlockProgram& program, const RunContext& context) noexcept {
  const unsigned threads = threadsOf(program, context);
  if (threads > 1) return runShared({program, context}, threads);
  return Runner(program, context, context.scratch).run();
}

}  // namespace adjoint::exec

#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "exec/executor.h"
#include "exec/jit.h"
#include "exec/known_places.h"
#include "exec/pattern.h"
#include "exec/reduce.h"
#include "ops/row.h"
#include "plan/plan.h"

namespace adjoint::exec {

class Sweep;

/// What a run hands to every step.
struct RunContext {
  double* base[kBases] = {};        ///< by Base; constants are only read
  double* scratch = nullptr;        ///< 64-byte aligned, as many doubles as the step asked for
  double* threadScratch = nullptr;  ///< of the threads beside the first
  Sweep** sweeps = nullptr;         ///< reversals under way, by the number of their loops
  RunControl* control = nullptr;
  RunStatus* status = nullptr;

  double* at(Base where, std::int64_t offset) const {
    return base[static_cast<int>(where)] + offset;
  }
  /// Scratch memory of one of several threads; those beside the first have so many doubles.
  double* scratchOf(unsigned worker, std::int64_t doubles) const {
    return worker == 0 ? scratch : threadScratch + (worker - 1) * doubles;
  }
  /// The context of one of several threads, with that memory and a status of its own.
  RunContext ofWorker(unsigned worker, std::int64_t doubles, RunStatus& own) const {
    RunContext context = *this;
    context.scratch = scratchOf(worker, doubles);
    context.status = &own;
    return context;
  }
};

/// Whether the caller wants the run to end; notes it in the status.
bool stopped(const RunContext& context);

/// Whether a number is one of the indices of `size` elements.
inline bool isIndex(double number, std::int64_t size) {
  return number >= 0 && number < static_cast<double>(size) && std::floor(number) == number;
}

inline std::int64_t roundUp(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

/// Place of an access: a base and the element its map counts from.
struct Place {
  Base base = Base::Temp;
  std::int64_t offset = 0;
};
Place placeOf(const Plan& plan, const Access& access);
inline Place placeOf(const Plan& plan, BufferId id) {
  return {plan.buffers[id].base, plan.buffers[id].offset};
}

enum class BlockKind : std::uint16_t {
  Compute,     ///< d = functions[function](a, b, c)
  Splat,       ///< d = the number a in every lane
  SplatLoad,   ///< d = memory at places[a] in every lane
  CopyLoad,    ///< d = n consecutive elements from places[a] + p
  WalkLoad,    ///< d = walks[a]
  WalkIota,    ///< d = addresses of walks[a]
  Gather,      ///< d = gathers[b], index in a
  LoadKnown,   ///< d = knownPlaces[b]
  CopyStore,   ///< n consecutive elements from places[b] + p = a
  WalkStore,   ///< walks[b] = a
  StoreKnown,  ///< knownPlaces[b] = a
  Reduce,      ///< reductions[b] takes a
  Inline,      ///< d = operation `function` of (a, b, c): until it becomes part of a segment
  Segment,     ///< segments[a]: machine code for several operations
};

/// Operands are slots: entries of a table of pointers, to registers, straight into memory, or to
/// single numbers.
struct BlockInstr {
  BlockKind kind = BlockKind::Compute;
  std::uint16_t function = 0;
  std::int32_t attr = 0;
  std::uint32_t d = 0, a = 0, b = 0, c = 0;
};

/// Which slots an instruction reads, and whether it writes d. Segments know their own.
struct SlotUse {
  int reads = 0;  ///< the first of a, b, c
  bool writesD = false;
};
SlotUse slotUseOf(BlockKind kind);

/// The slots of an instruction as `visit(slot, isWrite)`; writes first, for walks from the end.
template <class Code, class Visit>
void visitSlots(Code& code, Visit visit) {
  const SlotUse use = slotUseOf(code.kind);
  if (use.writesD) visit(code.d, true);
  if (use.reads > 0) visit(code.a, false);
  if (use.reads > 1) visit(code.b, false);
  if (use.reads > 2) visit(code.c, false);
}

/// A kernel translated for blocks of lanes. Immutable.
struct BlockProgram {
  struct Stream {
    Place place;
    std::uint32_t slot;
  };
  /// A pattern that repeats every `period` points, written out once a run.
  struct Periodic {
    std::uint32_t walk;
    std::uint32_t slot;
    bool iota;
    std::int64_t period;
    std::int64_t table;  ///< scratch offset
  };
  struct Walk {
    std::uint32_t pattern;
    Place place;
  };
  /// Consecutive elements, or one element for all, within lo <= point < hi; a fill value elsewhere.
  struct Window {
    Place place;  ///< of point lo
    double fill;
    std::uint32_t slot;
    std::int64_t lo, hi;
    bool isOne;                      ///< one element for all
    std::optional<double> constant;  ///< which, where it is one of the plan's
    std::int64_t edge = 0;  ///< scratch offset of the lanes of a block that is not all inside
    std::int64_t all = 0;   ///< of lanes that are the one element, for programs without `whole`
    bool isRead = true;     ///< by other instructions than segments
  };
  /// A value that is the same at every point.
  struct Number {
    enum class Kind : std::uint8_t {
      Constant,  ///< value, in eight lanes
      Memory,    ///< read in place, one double
      Cell,      ///< computed, in eight lanes
    } kind = Kind::Constant;
    Place place;
    double value = 0;
  };
  struct Gather {
    std::uint32_t walk;
    std::int64_t stride, limit;
    NodeId node;
  };
  struct Known {
    Place place;
    KnownPlaces places;
  };
  struct Reduction {
    Reduction(ReduceShape ofAll, const Place& results)
        : shape(std::move(ofAll)),
          place(results),
          points(shape.outer * shape.terms * shape.inner) {}
    ReduceShape shape;
    Place place;
    std::int64_t points = 0;        ///< it takes the first ones
    std::int64_t state = 0;         ///< scratch offset
    std::int64_t accumulators = 0;  ///< scratch offset
    bool isInCode = false;          ///< segments for whole blocks add its terms
    // Of all points to one number, where threads may share them: chunks of sums, whose results are
    // the terms of a last one.
    bool isOfAll = false;
    ReduceShape part, lastPart, parts;
    std::int64_t table = 0;  ///< scratch offset: results by chunk
  };

  std::int64_t points = 0;
  std::int64_t lanes = 16;      ///< most lanes of a block
  std::int64_t padded = 16;     ///< lanes of a register in memory
  std::uint32_t registers = 0;  ///< the slots, in this order: registers, streams, numbers
  std::uint32_t slots = 0;

  /// Column tiles: the nest as outer x terms x inner, tiles of `tile` inner points. 0: flat.
  std::int64_t tile = 0, tileOuter = 1, tileTerms = 1, tileInner = 1;

  /// Points of a piece that a thread may take; 0: one thread computes all.
  std::int64_t chunk = 0;
  std::int64_t chunks() const { return chunk == 0 ? 1 : (points + chunk - 1) / chunk; }

  std::vector<BlockInstr> cells;     ///< once a run, on eight lanes: operations on numbers alone
  std::vector<BlockInstr> prologue;  ///< once a run: numbers written out
  std::vector<BlockInstr> body;
  std::vector<ElementKernel> functions;
  std::vector<std::uint32_t> segmentNumbers;  ///< in the module
  std::vector<CodeFunction> segments;
  /// The segments for whole blocks: within all windows, and whole groups of one chunk of sums. None
  /// where that makes no difference.
  std::vector<std::uint32_t> wholeNumbers;
  std::vector<CodeFunction> whole;
  std::vector<Number> numbers;
  std::vector<std::uint32_t> pointed;  ///< numbers in memory that have a slot
  std::vector<std::uint32_t> celled;   ///< the others that have one
  std::vector<Pattern> patterns;
  std::vector<std::uint32_t> walked;  ///< patterns whose loop indices each block needs
  std::vector<Place> places;
  std::vector<Stream> streams;
  std::vector<Periodic> periodics;
  std::vector<Walk> walks;
  std::vector<Window> windows;
  std::vector<std::int64_t> cuts;  ///< points where a block ends, so that few are partly in windows
  std::vector<Gather> gathers;
  std::vector<Known> knownPlaces;
  std::vector<Reduction> reductions;

  // Scratch offsets, in doubles.
  std::int64_t slotTable = 0, patternStates = 0, registerFile = 0, cellFile = 0;
  std::int64_t spills = 0;  ///< of segments
  std::int64_t scratch = 0;

  // Slots past the others, for segments: spilled values, cells, and each Base, where its numbers
  // are and where the current block's lanes are.
  std::uint32_t spillSlot() const { return slots; }
  std::uint32_t cellSlot() const { return slots + 1; }
  std::uint32_t numberSlot(Base base) const { return slots + 2 + static_cast<std::uint32_t>(base); }
  std::uint32_t laneSlot(Base base) const { return numberSlot(base) + kBases; }
  std::uint32_t allSlots() const { return slots + 2 + 2 * kBases; }

  std::uint32_t addKnown(const Place& place, KnownPlaces known) {
    knownPlaces.push_back({place, std::move(known)});
    return static_cast<std::uint32_t>(knownPlaces.size() - 1);
  }

  std::size_t bytes() const;
};

/// Translates a kernel. Throws Error on one that breaks its contract. With `jit`, operations become
/// segments of it; `linkBlock` must follow once its module is made.
std::unique_ptr<BlockProgram> compileBlock(const Plan& plan, const Kernel& kernel,
                                           JitBuilder* jit = nullptr);
void linkBlock(BlockProgram& program, const JitModule& module);
/// False: status says why.
bool runBlock(const BlockProgram& program, const RunContext& context) noexcept;
/// What is done with each piece of a program's points when it is computed.
struct AfterPieces {
  std::int64_t points = 0;  ///< of a piece: whole blocks
  std::int64_t memory = 0;  ///< doubles of Base::Piece, in the scratch memory behind the program's
  bool isApart = false;     ///< needs nothing of other pieces, so that threads may share them
  /// In the context elements of Base::Piece have the places of all, of which the piece is there.
  void (*then)(const void* self, const RunContext& context, std::int64_t piece) = nullptr;
  const void* self = nullptr;
};
/// For programs without reductions.
bool runBlock(const BlockProgram& program, const RunContext& context,
              const AfterPieces& after) noexcept;
/// That would share a run.
unsigned threadsOf(const BlockProgram& program, const RunContext& context);

}  // namespace adjoint::exec

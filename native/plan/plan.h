#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "ops/loop.h"
#include "plan/kernel.h"
#include "tape/tape.h"

namespace adjoint {

/// Whether sums of products and products of matrices are fused multiply-adds; without the
/// instruction that would be a library call, and they round twice.
#if defined(__FMA__) || defined(__aarch64__)
constexpr bool kFusedProducts = true;
#else
constexpr bool kFusedProducts = false;
#endif

/// A strided tensor operand of a library step.
struct StridedOperand {
  BufferId buffer = 0;
  std::int64_t offset = 0;
  std::vector<std::int64_t> stride;
};

/// Columns first .. last - 1 of a row.
struct Span {
  std::int64_t first = 0, last = 0;
};

/// c[b,i,j] = sum over k of a[b,i,k] * b[b,k,j]: fused chains of 128 terms, their results added in
/// order (docs/design/0003). Strides are (batch, row, column); a batch stride of 0 shares the
/// operand. c is contiguous, or [m, n, batch] where the products are those of lanes.
struct MatMulStep {
  std::int64_t batch = 1, m = 0, n = 0, k = 0;
  StridedOperand a, b;
  BufferId c = 0;
  std::vector<Span> nonzero = {};  ///< by row of a, what is not known to be zeros; empty: all
  std::vector<Span> needed = {};   ///< by row of c, what is read; empty: all
  /// The batch, a multiple of kLaneVector, is lanes next to each other in all three; k is at most
  /// one chain.
  bool isOfLanes = false;
  static constexpr std::int64_t kLaneVector = 8;
};

/// y[o,i,j] = a[o,i,j] * y[o,i-1,j] + b[o,i,j] along the middle axis (fused multiply-add), from the
/// left, or from the right when `reverse`; the first is b alone. Without `a`, a running sum. All
/// contiguous.
struct RecurrenceStep {
  std::int64_t outer = 1, n = 0, inner = 1;
  bool hasA = false;
  bool reverse = false;
  BufferId a = 0, b = 0, y = 0;
};

/// Stable argsort (ascending; NaN last) or the position of the first maximum or minimum (NaN wins)
/// along the middle axis of a contiguous [outer, n, inner] buffer. argsort gives [outer, n, inner],
/// the others [outer, inner].
struct IndexStep {
  enum class Kind : std::uint8_t { ArgSort, ArgMax, ArgMin } kind = Kind::ArgSort;
  std::int64_t outer = 1, n = 0, inner = 1;
  BufferId in = 0, out = 0;
};

/// out = 0; out[o, index[j], i] += updates[o, j, i], serially in the order of j. An index outside
/// [0, size) fails with ERR_INDEX at `node`.
struct ScatterAddStep {
  std::int64_t outer = 1, count = 0, inner = 1, size = 0;
  BufferId indices = 0, updates = 0, out = 0;
  NodeId node = kNoNode;
};

/// out[start + i * width + j] = source of column j [element + i], for i < rows, of each run; then
/// single elements. A uniform source has kUniformElements that are the same.
struct InterleaveStep {
  static constexpr std::int64_t kUniformElements = 64;
  static constexpr std::size_t kMaxWidth = 64;  ///< of runs
  struct Source {
    BufferId buffer = 0;
    bool isUniform = false;
  };
  struct Column {
    std::uint32_t part = 0;    ///< of the sources
    std::int32_t element = 0;  ///< in row 0
  };
  struct Run {
    std::int64_t start = 0, rows = 1, width = 1;
    std::int64_t first = 0;  ///< among the columns
  };
  /// An element that is in no run, or that is not what its row says.
  struct Single {
    std::int64_t place = 0;
    Column from;
  };
  std::vector<Source> sources;
  std::vector<Run> runs;
  std::vector<Column> columns;
  std::vector<Single> singles;  ///< by ascending place

  std::span<const Column> columnsOf(const Run& run) const {
    return std::span(columns).subspan(static_cast<std::size_t>(run.first),
                                      static_cast<std::size_t>(run.width));
  }
  BufferId out = 0;
};

struct Plan;

/// A function of one lane, computed for blocks of lanes by a plan of its own, whose mapped inputs
/// and whose outputs have the lanes of a block as their last axis.
struct LaneStep {
  /// An input or output of the plan, in its order.
  struct Port {
    enum class Kind : std::uint8_t {
      Shared,    ///< input: the same in every lane
      Mapped,    ///< [outer, lanes, inner] here, [outer, inner, block] in the plan
      Gathered,  ///< input: likewise, from [outer, rows, inner] by the row in `indices` of each
                 ///< lane
      Reduce,    ///< output: reduced over lanes and terms; [terms, inner, block] in the plan,
                 ///< [inner] here
      Left,      ///< output: [outer, inner, block] in the plan, whose outer products with the next
                 ///< port are summed over lanes into [outer, inner, inner of the next]
      Right,     ///< the next port, of the same buffer
    } kind = Kind::Mapped;
    BufferId buffer = 0;
    std::int64_t offset = 0;  ///< of the first element in the buffer
    BufferId indices = 0;     ///< of Gathered
    std::int64_t rows = 0;    ///< of Gathered
    std::int64_t outer = 1, inner = 1;
    std::int64_t terms = 1;
    ReduceOp op = ReduceOp::Sum;
    std::vector<Span> needed;  ///< of Left: by row of the result, what is read; empty: all
  };
  std::shared_ptr<const Plan> plan;
  std::int64_t lanes = 0, block = 0;
  std::vector<Port> inputs, outputs;
};

/// A loop over steps in time (ops/loop.h), each a run of a plan of its own. That plan's memories
/// are a row of carries that the step reads (Base::Io), one that it writes (Base::Next) and the row
/// that another loop has kept for it (Base::Kept), each wherever the loop has it, so that nothing
/// is copied between steps. Its other inputs and outputs stand at the beginning of its temporary
/// memory.
struct LoopStep {
  /// A value here, and its place in the body's memory: elements from the start of a row of carries
  /// where it is one of the loop's or of the loop that kept it, and from the start of the temporary
  /// memory otherwise.
  struct Port {
    BufferId buffer = kNone;  ///< kNone: nobody reads the result
    std::int64_t inside = 0;
    std::int64_t elements = 0;  ///< of one step
    bool isUniform = false;     ///< of streams: the buffer has one row, for all steps
  };
  /// Carries kept for a loop that reads them backwards, in a buffer of `storageDoubles`.
  struct Kept {
    BufferId buffer = kNone;
    Checkpoints checkpoints;  ///< the policy is not Auto
    std::string directory;    ///< of files
  };
  /// Carries are read that another loop has kept.
  struct Replay {
    std::shared_ptr<const LoopStep> loop;  ///< gives nothing but carries
  };

  std::shared_ptr<const Plan> body;
  std::int64_t length = 0;
  LoopTrips trips = LoopTrips::Fixed;
  bool reverse = false;
  std::int64_t row = 0;  ///< doubles of a row of carries
  std::vector<Port> constants, initial, streams;
  std::vector<Port> last, results;
  std::int64_t index = -1;   ///< where the body has its index; -1: nowhere
  BufferId count = kNone;    ///< Counted: the number of steps
  BufferId counted = kNone;  ///< While: where it goes
  std::optional<Kept> kept;
  std::optional<Replay> replay;
  NodeId node = kNoNode;

  static constexpr BufferId kNone = 0xffffffffu;
};

using Step = std::variant<Kernel, MatMulStep, RecurrenceStep, IndexStep, ScatterAddStep,
                          InterleaveStep, LaneStep, LoopStep>;

/// Where a buffer lives. Every buffer starts on a 64-byte boundary and is padded to a multiple of 8
/// doubles, so code may read and write up to the padding.
enum class Base : std::uint8_t {
  Io,        ///< the caller's arena: inputs, then outputs
  Temp,      ///< the workspace
  Constant,  ///< owned by the plan, read-only
  Next,      ///< in the step of a loop: the next row of carries, placed like the one in Io
  Kept,      ///< likewise: a row of carries that another loop has kept, read-only
  Piece,     ///< of a kernel's values that only the rows after it read: element i is at i %
             ///< kPieceElements, until the next piece is computed
};
constexpr int kBases = 6;
constexpr std::int64_t kPieceElements = 256;

struct Buffer {
  Base base = Base::Temp;
  std::int64_t offset = 0;  ///< doubles from the start of its base
  std::int64_t elements = 0;
};

struct IoPort {
  std::string name;
  BufferId buffer = 0;
  Shape shape;
  DType dtype = DType::F64;
};

/// Allocates on 64-byte boundaries.
template <class T>
struct LineAllocator {
  using value_type = T;
  LineAllocator() = default;
  template <class U>
  explicit LineAllocator(const LineAllocator<U>&) {}
  T* allocate(std::size_t n) {
    return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t{64}));
  }
  void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t{64}); }
  bool operator==(const LineAllocator&) const = default;
};

/// A tape made ready to run: steps in order over buffers with fixed places. Immutable, shared
/// between threads.
struct Plan {
  std::vector<Step> steps;
  std::vector<Buffer> buffers;
  std::vector<IoPort> inputs;
  std::vector<IoPort> outputs;
  std::int64_t ioDoubles = 0;
  std::int64_t tempDoubles = 0;
  std::int64_t keptDoubles = 0;
  std::int64_t pieceDoubles = 0;
  /// Content of Base::Constant, padding included (8 doubles past the end).
  std::vector<double, LineAllocator<double>> constants;
  TapePtr tape;  ///< the final tape, for messages

  /// Size of a base.
  std::int64_t doubles(Base base) const;
  std::string toString() const;
  std::size_t bytes() const;
};

}  // namespace adjoint

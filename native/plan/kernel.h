#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ops/op.h"
#include "tape/big_vector.h"

namespace adjoint {

using BufferId = std::uint32_t;

/// A loop index accepted by an access only where lo <= i < hi and (i - lo) is a multiple of step;
/// the access then uses (i - lo) / step in the place of i. The pulled adjoint of slice and pad:
/// outside, a load gives `fill`.
struct Window {
  std::uint32_t loop = 0;
  std::int64_t lo = 0;
  std::int64_t hi = 0;
  std::int64_t step = 1;
  bool operator==(const Window&) const = default;
};

/// How loop indices map to elements: offset + sum over loops of stride * index. Shared by many
/// accesses.
struct IndexMap {
  std::vector<std::int64_t> stride;  ///< one a loop, in elements; 0 broadcasts
  std::vector<Window> windows;       ///< loads only; usually none
  double fill = 0;                   ///< what a load gives outside its windows
  bool operator==(const IndexMap&) const = default;
};

struct Access {
  BufferId buffer = 0;
  std::uint32_t map = 0;    ///< index into Kernel::maps
  std::int64_t offset = 0;  ///< elements from the start of the buffer
};

/// The computed part of a gathered address: adds stride * index, where 0 <= index < limit or the
/// run fails with ERR_INDEX at `node`.
struct Gather {
  std::uint32_t access = 0;
  std::int64_t stride = 0;
  std::int64_t limit = 0;
  NodeId node = kNoNode;
};

enum class ReduceOp : std::uint8_t { Sum, Max, Min };  ///< Max and Min propagate NaN

/// A reduction at the end of the nest. The reduced loops are neighbors in the nest. The order of a
/// sum follows from the number of its terms alone (docs/design: order of sums).
struct Reduction {
  ReduceOp op = ReduceOp::Sum;
  std::uint32_t access = 0;        ///< where results go; stride 0 along the reduced loops
  std::uint32_t reducedLoops = 0;  ///< bit l set: loop l is reduced
  std::int64_t points = 0;         ///< where not 0: it takes only the first points of the only loop
};

enum class InstrKind : std::uint8_t {
  Compute,  ///< value = op(a, b, c); `extra` is the row's integer attribute
  Const,    ///< value = Kernel::constants[extra]
  Iota,     ///< value = index of loop `extra` as a double
  Load,     ///< value = memory at accesses[extra]
  Gather,   ///< value = memory at gathers[extra], index in a
  Store,    ///< memory at accesses[extra] = a
  Reduce,   ///< reductions[extra] takes a
};

/// One instruction of a straight-line body. Operands are positions of earlier instructions in the
/// body.
struct Instr {
  InstrKind kind = InstrKind::Compute;
  OpCode op = 0;
  std::uint32_t a = 0, b = 0, c = 0;
  std::int32_t extra = 0;
};

/// How many of a, b, c an instruction reads.
int arityOf(const Instr& instr);

/// The operands of an instruction where they are in another body: position[old].
template <class Positions>
void renumber(Instr& instr, const Positions& position) {
  const int n = arityOf(instr);
  if (n > 0) instr.a = position[instr.a];
  if (n > 1) instr.b = position[instr.b];
  if (n > 2) instr.c = position[instr.c];
}

/// A nest of loops over a straight-line scalar body: the unit both executors run. The body runs
/// once for every point of the nest, in row-major order as far as reductions can tell; no point
/// reads what another one stores, or what it has stored itself. No loops: scalar code. At most one
/// window a loop, none on stores and results; a reduction's result shares no memory with the loads.
struct Kernel {
  std::vector<std::int64_t>
      extents;  ///< outermost first; already collapsed where every access allows it
  BigVector<Instr> body;
  std::vector<double> constants;
  std::vector<IndexMap> maps;
  std::vector<Access> accesses;
  std::vector<Gather> gathers;
  std::vector<Reduction> reductions;

  std::int64_t points() const {
    std::int64_t n = 1;
    for (const std::int64_t e : extents) n *= e;
    return n;
  }
  std::string toString() const;
};

}  // namespace adjoint

#pragma once

#include <cstdint>
#include <optional>

#include "ops/expr.h"
#include "tape/tape.h"

namespace adjoint {

/// Indices of one axis of `size`, as what finds their elements in a table of `count`: `positions`,
/// which are of the indices' shape. An index that is not in the axis must not find what belongs to
/// another row: it stays outside of the table.
Expr tableIndex(Expr indices, Expr positions, std::int64_t size, std::int64_t count);

/// What tableIndex was given.
struct TableIndex {
  NodeId indices = kNoNode, positions = kNoNode;
  std::int64_t size = 0;
};
/// Nothing where a value is none of its.
std::optional<TableIndex> tableIndexAt(const Tape& t, NodeId id);

/// An index and the size of its axis.
struct AxisIndex {
  double value;
  std::int64_t size;
};

/// What the program gave, of an index that a run found outside of a table.
AxisIndex givenIndex(const Tape& t, NodeId indices, AxisIndex found);

}  // namespace adjoint

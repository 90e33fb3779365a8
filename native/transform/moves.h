#pragma once

#include <cstdint>
#include <vector>

#include "ops/op.h"
#include "tape/around.h"
#include "tape/tape.h"

namespace adjoint {

/// Whether an operation gives elements of its operand (or zeros) in other places.
bool movesData(Op op);

/// Indices that are known when the plan is made; empty where they are not, or not all in [0, size).
std::vector<std::int64_t> knownIndices(const Tape& t, NodeId indices, std::int64_t size);

/// Elements that data movement takes from one operand to the result: an affine map on either side.
struct Move {
  std::size_t operand = 0;
  Shape extents;
  std::int64_t from = 0, to = 0;  ///< elements of the first one
  std::vector<std::int64_t> fromStrides, toStrides;
};
/// Of reshape, transpose, broadcast, slice, place, flip and concat.
std::vector<Move> movesOf(const Tape& t, const Node& node);

/// Visits a box in row-major order with the positions of its elements on either side.
template <class Visit>
void visitMove(const Move& move, Visit visit) {
  const std::int64_t count = elementCount(move.extents);
  std::vector<std::int64_t> index(move.extents.size(), 0);
  std::int64_t from = move.from, to = move.to;
  for (std::int64_t i = 0; i < count; ++i) {
    visit(from, to);
    for (std::size_t k = move.extents.size(); k-- > 0;) {
      from += move.fromStrides[k];
      to += move.toStrides[k];
      if (++index[k] < move.extents[k]) break;
      from -= move.fromStrides[k] * move.extents[k];
      to -= move.toStrides[k] * move.extents[k];
      index[k] = 0;
    }
  }
}

/// Visits (operand, element of it, element of the result) for data movement, gathers with known
/// indices included. Elements that none is visited for are zeros. False: it is no such operation.
template <class Visit>
bool visitMoves(const Tape& t, const Node& node, Visit visit) {
  if (opOf(node) != Op::Gather) {
    const std::vector<Move> moves = movesOf(t, node);
    for (const Move& move : moves)
      visitMove(move, [&](std::int64_t from, std::int64_t to) { visit(move.operand, from, to); });
    return !moves.empty();
  }
  const Around source = around(t.shape(node.operand[0]), t.attrs(node)[0]);
  const std::vector<std::int64_t> indices = knownIndices(t, node.operand[1], source.n);
  std::int64_t to = 0;
  for (std::int64_t o = 0; o < source.outer; ++o) {
    for (const std::int64_t index : indices) {
      for (std::int64_t i = 0; i < source.inner; ++i)
        visit(std::size_t{0}, (o * source.n + index) * source.inner + i, to++);
    }
  }
  return !indices.empty();
}

}  // namespace adjoint

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sparsity/pieces.h"
#include "tape/builder.h"

namespace adjoint {

/// A piece and, where it is a sum with scatters by known indices among its terms, these: each
/// update is an element of a term, with the row that it is added to. Terms and their elements can
/// have rows in common.
struct SummedPiece {
  Piece whole;
  std::vector<Piece> terms;  ///< in the order in which they are added; none: it is no such sum
};

/// A function's outputs taken apart.
struct Terms {
  /// The function, and what the terms need besides: signs, factors, choices of elements.
  std::shared_ptr<const Tape> tape;
  std::vector<SummedPiece> pieces;  ///< of this tape
  std::int64_t rows = 0;            ///< elements of all outputs
  /// The function's own node that each of the tape's is or belongs to; empty: the same.
  std::vector<NodeId> original;
};

/// Copies a function onto an empty builder. The nodes there, by its own.
std::vector<NodeId> copyOnto(Builder& builder, const Tape& t);

/// `wrt`: the positions of the inputs of interest. What depends on none of them is no term.
Terms termsOf(const TapePtr& t, std::span<const std::size_t> wrt);

}  // namespace adjoint

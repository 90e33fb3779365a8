#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "coloring/methods.h"
#include "sparsity/block_jacobian.h"
#include "sparsity/detection.h"

namespace adjoint {

/// By the structure of instances (block_jacobian.h), by colors (compressed.h), or the cheaper.
enum class SparseMethod { Auto, Instances, Coloring };

struct SparseOptions {
  PatternOf of = PatternOf::Jacobian;
  SparseMethod method = SparseMethod::Auto;
  /// Of colorings: forward is by columns, reverse by rows. Colors of Hessians are forward.
  JacobianMode mode = JacobianMode::Auto;
  SparseFormat format = SparseFormat::Csr;
  Triangle triangle = Triangle::Full;
  std::optional<coloring::Method> coloring;  ///< none: the cheapest, of Hessians star
  std::optional<coloring::Order> order;      ///< none: the one with fewest colors of two
  std::uint64_t seed = 0;
  /// Entries to compute, by colors; null: those detected.
  const coloring::Pattern* pattern = nullptr;
  std::int64_t maxNonzeros = std::numeric_limits<std::int32_t>::max();
  std::int64_t maxColors = std::numeric_limits<std::int32_t>::max();
  /// The function's value is an output too, and of Hessians the gradient.
  bool withValues = false;
};

/// A way that was looked at.
struct SparseWay {
  std::optional<coloring::Choice> coloring;  ///< none: instances
  coloring::Index columnColors = 0, rowColors = 0;
  double cost = 0;          ///< estimated operations of an evaluation
  bool isTooLarge = false;  ///< it is over a limit, or was not made because of its size
};

struct SparseDerivative {
  /// Inputs: those of the function. Outputs: values, if they are wanted, then the entries.
  TapePtr tape;
  SparsePattern pattern;
  TapePtr function;                   ///< whose Jacobian it is: of Hessians the gradient
  std::vector<JacobianBlock> blocks;  ///< of instances, by nodes of `function`
  std::vector<SparseWay> ways;        ///< first the one taken; none where no other was looked at
  coloring::Bicoloring colors;        ///< of the way taken, where that is a coloring
};

/// The Jacobian by the inputs `wrt` (positions), or the Hessian of a scalar function. Where
/// instances make no dense blocks, and have few inputs each, no other way is looked at. Throws
/// Limit for more nonzeros or colors than are allowed, before it makes anything of that size;
/// Argument for options that contradict each other and for a Hessian's pattern that is not
/// symmetric; Shape for a pattern of another size.
SparseDerivative sparseDerivative(const TapePtr& t, std::span<const std::size_t> wrt,
                                  const SparseOptions& options = {});

}  // namespace adjoint

#pragma once

#include <span>
#include <vector>

#include "coloring/coloring.h"

namespace adjoint::coloring {

// A matrix A is compressed to A S, where column c of the seed S is the sum of the unit vectors of
// the vertices of color c. A S is stored color by color: element i of color c is at c * rows + i.
// Plans know where each nonzero is in it; to use them takes one pass and no memory. All throw
// Argument for colors that do not determine every nonzero, Shape for as many colors as do not fit
// the pattern, Limit for more than 2^31 - 1 compressed elements.

/// Every nonzero is an element of the compressed matrix.
struct DirectPlan {
  std::vector<Index> source;  ///< by nonzero of the pattern
  Index compressed = 0;       ///< elements
};

/// Of a coloring of columns. For a symmetric pattern that is one at distance two.
DirectPlan columnPlan(const Pattern& pattern, const Coloring& columns);
/// Of a coloring of rows: the compressed matrix is S^T A, element j of color c at c * columns + j.
DirectPlan rowPlan(const BipartiteGraph& graph, const Coloring& rows);
/// The compressed columns, and after them the compressed rows.
DirectPlan bicoloringPlan(const BipartiteGraph& graph, const Bicoloring& bicoloring);
/// Of a star coloring. Mirrored nonzeros are read from one place.
DirectPlan starPlan(const AdjacencyGraph& graph, const Coloring& coloring);

/// Nonzeros in an order in which each is an element of the compressed matrix less nonzeros before
/// it: from the leaves of the trees of two colors inwards. All lists have an entry for every
/// nonzero of the lower triangle.
struct SubstitutionPlan {
  std::vector<Index> target, mirror;  ///< nonzeros of the pattern; the same one on the diagonal
  std::vector<Index> source;          ///< in the compressed matrix
  std::vector<Index> termStart;       ///< and an end: positions in term
  std::vector<Index> term;            ///< nonzeros to be subtracted
  Index compressed = 0;               ///< elements
  Index nonzeros = 0;                 ///< of the pattern
};

/// Of an acyclic coloring, or any star coloring.
SubstitutionPlan substitutionPlan(const AdjacencyGraph& graph, const Coloring& coloring);

/// Fills the pattern's nonzeros in order. Shape is thrown when the lengths are not the plan's.
void recover(const DirectPlan& plan, std::span<const double> compressed, std::span<double> values);
void recover(const SubstitutionPlan& plan, std::span<const double> compressed,
             std::span<double> values);

}  // namespace adjoint::coloring

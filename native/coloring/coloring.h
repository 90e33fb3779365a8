#pragma once

#include <span>
#include <vector>

#include "coloring/pattern.h"

namespace adjoint::coloring {

/// The color of a vertex that is in no seed: nothing is read from where it would be.
constexpr Index kNoColor = -1;

struct Coloring {
  std::vector<Index> colors;  ///< by vertex, below count, or kNoColor
  Index count = 0;
};

/// Of rows and columns, whose colors are different ones even where their numbers are the same.
struct Bicoloring {
  Coloring rows, columns;

  Index count() const { return rows.count + columns.count; }
};

// Colorings that are given are checked: Shape is thrown for another number of vertices, Argument
// for colors out of range.
//
// All colorings are greedy: vertices in the given order, a permutation of them (else Argument is
// thrown), each with the least color that is possible. Vertices that no nonzero needs get kNoColor.

/// Columns that have nonzeros in one row get different colors (partial distance-2 coloring: A. H.
/// Gebremedhin, F. Manne and A. Pothen, What color is your Jacobian?, 2005, section 3).
Coloring colorColumns(const BipartiteGraph& graph, std::span<const Index> order);
/// Rows that have nonzeros in one column get different colors.
Coloring colorRows(const BipartiteGraph& graph, std::span<const Index> order);
/// Vertices at distance one or two get different colors: every column of the symmetric matrix can
/// be read by itself.
Coloring colorDistanceTwo(const AdjacencyGraph& graph, std::span<const Index> order);

/// Neighbors get different colors, and every path on four vertices at least three: of each pair of
/// mirrored nonzeros, one can be read directly (A. H. Gebremedhin, A. Tarafdar, F. Manne and
/// A. Pothen, New acyclic and star coloring algorithms with application to computing Hessians,
/// 2007, section 4).
Coloring colorStar(const AdjacencyGraph& graph, std::span<const Index> order);
/// Neighbors get different colors, and every cycle at least three: nonzeros can be computed by
/// substitution (the same, section 3).
Coloring colorAcyclic(const AdjacencyGraph& graph, std::span<const Index> order);

/// Colors rows and columns so that each nonzero can be read directly either in its row, from the
/// columns of one color, or in its column, from the rows of one color (star bicoloring). Which of
/// them is decided first, so that few nonzeros of a row are read by columns and few of a column by
/// rows (T. F. Coleman and A. Verma, The efficient computation of sparse Jacobian matrices using
/// automatic differentiation, 1998), or each in the shorter of its row and its column, whichever
/// takes fewer colors. Where coloring columns or rows alone takes no more, that is the result. The
/// orders are those of colorRows and colorColumns.
Bicoloring colorRowsAndColumns(const BipartiteGraph& graph, std::span<const Index> rowOrder,
                               std::span<const Index> columnOrder);

/// Colors once more, class by class and the last color first, which takes no more colors and often
/// fewer (J. C. Culberson, Iterated greedy graph coloring and the difficulty landscape, 1992). So
/// many passes at most; a pass takes about as long as coloring in natural order.
Coloring recolorColumns(const BipartiteGraph& graph, Coloring coloring, int passes);
Coloring recolorRows(const BipartiteGraph& graph, Coloring coloring, int passes);
Coloring recolorDistanceTwo(const AdjacencyGraph& graph, Coloring coloring, int passes);

/// Takes away colors of a star or acyclic coloring that recovery can do without, where the diagonal
/// has zeros. Colors that are left keep their order.
void dropNeedlessColors(const AdjacencyGraph& graph, Coloring& coloring);
/// The same for a bicoloring, whose colors colorRowsAndColumns has treated already.
void dropNeedlessColors(const BipartiteGraph& graph, Bicoloring& bicoloring);

/// The vertices of each color.
struct ColorClasses {
  std::vector<Index> start;   ///< count + 1 positions in vertices
  std::vector<Index> vertex;  ///< by color, each color's as they are numbered
};
ColorClasses colorClasses(const Coloring& coloring);

}  // namespace adjoint::coloring

#pragma once

#include "plan/plan.h"

namespace adjoint {

/// Where a kernel's values are read by nothing but the rows that the next step puts together, and
/// each row needs those of one point only, the two steps are one piece of points after the other:
/// the values get Base::Piece. Sets Plan::pieceDoubles.
void makeRowsByPiece(Plan& plan);

/// Whether rows may be put together between pieces of the kernel's points.
bool canBeInPieces(const Kernel& kernel);

/// Whether the kernel computes element i of the buffer at point i.
bool computesByPoint(const Plan& plan, const Kernel& kernel, BufferId buffer);

/// Whether the kernel computes values in Base::Piece.
bool writesPieces(const Plan& plan, const Kernel& kernel);

/// Whether the step is rows of which some values are in Base::Piece, made while the step before
/// runs.
bool readsPieces(const Plan& plan, const Step& step);

}  // namespace adjoint

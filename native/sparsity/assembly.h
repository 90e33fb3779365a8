#pragma once

#include <cstdint>
#include <vector>

#include "ops/expr.h"

namespace adjoint {

enum class SparseFormat { Csr, Csc, Coo };
/// Which entries of a matrix are wanted; the diagonal is in both triangles.
enum class Triangle { Full, Lower, Upper };

/// Rows and columns of the entries of a sparse matrix.
struct SparsePattern {
  std::int64_t rows = 0, columns = 0;
  /// The row of every entry; CSR: where each row starts among the entries, and their number.
  std::vector<std::int32_t> rowIndex;
  /// The column of every entry; CSC: where each column starts, likewise.
  std::vector<std::int32_t> columnIndex;
};

/// Entries computed together.
struct Strip {
  Expr values;  ///< [lanes..., width]; the lanes may have several axes
  std::int64_t width = 1;
  std::vector<std::int32_t> rows;     ///< of every lane
  std::vector<std::int32_t> columns;  ///< of every lane, the first of `width` neighbors
  std::size_t block = 0;              ///< strips of one block have the same lanes
};

/// Gives every entry its place in a pattern, and puts the values there. For CSC it assembles the
/// transposed matrix as CSR: what follows `add` speaks of that one's rows and columns.
class Assembly {
 public:
  Assembly(std::int64_t rows, std::int64_t columns, SparseFormat format, Triangle triangle);

  void add(Strip strip);
  /// The pattern, and a value with an element for every entry of it.
  SparsePattern finish(Builder& builder, Expr& values);

 private:
  /// A range of a strip's lanes whose places are a line.
  struct Run {
    std::size_t strip;
    std::int64_t first, count, start, stride;
  };

  void keep(Strip strip);
  void keepTransposed(Strip strip);
  void placeRows();
  void placeCoo();
  std::vector<Run> runsOf(const std::vector<std::size_t>& block) const;
  Expr assemble(Builder& builder) const;
  Expr rest(const std::vector<Run>& runs, std::int64_t count,
            const std::vector<std::int32_t>& renumbered) const;

  SparseFormat format_;
  Triangle triangle_;
  SparsePattern pattern_;
  std::vector<Strip> strips_;
  /// Of every strip, where the first entry of each lane goes.
  std::vector<std::vector<std::int32_t>> places_;
  std::vector<bool> isShared_;  ///< by strip: some of its places are those of another strip too
};

}  // namespace adjoint

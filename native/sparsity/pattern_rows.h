#pragma once

#include <span>
#include <vector>

#include "sparsity/assembly.h"
#include "sparsity/index_sets.h"

namespace adjoint {

/// Writes a pattern row by row from sets of columns.
class PatternRows {
 public:
  /// Throws Limit as soon as there are more nonzeros than `most`.
  PatternRows(const IndexSets& sets, std::int64_t rows, std::int64_t most);

  /// Makes room for so many nonzeros, or as many as are allowed.
  void reserve(std::int64_t nonzeros);
  /// Throws Limit where rows will not be allowed that have, together, at least so many nonzeros.
  void expect(std::int64_t nonzeros) const;
  /// The next row: the union of these sets. Returns its length.
  std::int64_t add(std::span<SetId> ids);
  /// The next rows, of elements [first, end): each the union of its sets in all layers, as long as
  /// these are few and single columns. Returns how many rows there were.
  std::int64_t addShort(std::span<const SetId* const> layers, std::int64_t first, std::int64_t end);

  /// Longest row that is put in order here.
  static constexpr std::size_t kShortRow = 24;

  SparsePattern finish() &&;

 private:
  void checkRoom(std::size_t more) const;
  std::int64_t addSingles(std::span<SetId> ids);

  const IndexSets& sets_;
  SetMembers members_;
  std::int64_t most_;
  SparsePattern pattern_;
  std::vector<const SetId*> ascending_;  ///< layers by their sets of one of the last rows
  std::vector<SetId> last_;              ///< sets of the last row that was not short
};

}  // namespace adjoint

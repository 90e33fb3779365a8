#include "solve/elimination.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace adjoint {
namespace {

constexpr std::int64_t kMaxEntries = std::numeric_limits<std::int32_t>::max();
/// Of A^T A: more would take longer to factor than anyone waits.
constexpr std::int64_t kMaxNormal = std::int64_t{1} << 28;

constexpr const char* kNormal = "the normal equations";

[[noreturn]] void refuse(const char* what) {
  throw Error(ErrorCode::Limit, std::string("leastSquares: ") + what +
                                    " would have too many entries; a row or a column of the "
                                    "Jacobian is too full for a sparse factorization");
}

/// Zeros in compressed columns.
Eigen::SparseMatrix<double> matrixOf(const std::vector<std::int32_t>& outer,
                                     const std::vector<std::int32_t>& inner) {
  const auto size = static_cast<Eigen::Index>(outer.size()) - 1;
  const std::vector<double> zeros(inner.size());
  return Eigen::Map<const Eigen::SparseMatrix<double>>(size, size,
                                                       static_cast<Eigen::Index>(inner.size()),
                                                       outer.data(), inner.data(), zeros.data());
}

}  // namespace

Elimination::Elimination(const SparsePattern& pattern, CheckMemory check)
    : pattern_(pattern), check_(check) {
  groupRows();
  findOrder();
  countFactor();
}

void Elimination::groupRows() {
  const auto& starts = pattern_.rowIndex;
  const auto columns = [&](std::int64_t row) {
    return std::span(pattern_.columnIndex)
        .subspan(static_cast<std::size_t>(starts[static_cast<std::size_t>(row)]),
                 static_cast<std::size_t>(starts[static_cast<std::size_t>(row) + 1] -
                                          starts[static_cast<std::size_t>(row)]));
  };
  for (std::int64_t row = 0; row < pattern_.rows; ++row) {
    const auto own = columns(row);
    if (own.empty()) continue;
    if (!groups_.empty() && row > 0 && std::ranges::equal(own, columns(row - 1))) {
      ++groups_.back().rows;
      continue;
    }
    // All of its columns are neighbors in A^T A.
    if (static_cast<std::int64_t>(own.size() * own.size()) > 2 * kMaxNormal) refuse(kNormal);
    groups_.push_back({row, 1, static_cast<std::int32_t>(own.size()),
                       static_cast<std::size_t>(starts[static_cast<std::size_t>(row)])});
  }
}

Eigen::SparseMatrix<double> Elimination::unordered() const {
  const auto n = static_cast<std::size_t>(pattern_.columns);
  // The groups of every column.
  std::vector<std::size_t> starts(n + 1);
  const auto eachColumn = [&](const Group& group, auto&& visit) {
    for (std::int32_t a = 0; a < group.width; ++a) {
      const auto column = pattern_.columnIndex[group.entry + static_cast<std::size_t>(a)];
      visit(static_cast<std::size_t>(column));
    }
  };
  for (const Group& group : groups_) {
    eachColumn(group, [&](std::size_t column) { ++starts[column + 1]; });
  }
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  std::vector<std::int32_t> members(starts[n]);
  std::vector<std::size_t> next(starts.begin(), starts.end() - 1);
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    eachColumn(groups_[g],
               [&](std::size_t column) { members[next[column]++] = static_cast<std::int32_t>(g); });
  }

  std::vector<std::int32_t> seen(n, -1);
  std::vector<std::int32_t> outer(n + 1), inner;
  for (std::size_t column = 0; column < n; ++column) {
    const auto mark = static_cast<std::int32_t>(column);
    const auto first = static_cast<std::ptrdiff_t>(inner.size());
    seen[column] = mark;
    inner.push_back(mark);  // the diagonal, which damping needs
    for (std::size_t i = starts[column]; i < starts[column + 1]; ++i) {
      eachColumn(groups_[static_cast<std::size_t>(members[i])], [&](std::size_t row) {
        if (row >= column || seen[row] == mark) return;
        seen[row] = mark;
        inner.push_back(static_cast<std::int32_t>(row));
      });
    }
    if (static_cast<std::int64_t>(inner.size()) > kMaxNormal) refuse(kNormal);
    std::sort(inner.begin() + first, inner.end());
    outer[column + 1] = static_cast<std::int32_t>(inner.size());
    if (check_ != nullptr && column % 1024 == 0) check_(inner.size() * 16);
  }
  const auto size = static_cast<Eigen::Index>(n);
  const std::vector<double> zeros(inner.size());
  return Eigen::Map<const Eigen::SparseMatrix<double>>(size, size,
                                                       static_cast<Eigen::Index>(inner.size()),
                                                       outer.data(), inner.data(), zeros.data());
}

void Elimination::findOrder() {
  const auto n = static_cast<std::size_t>(pattern_.columns);
  positions_.resize(n);
  order_.resize(n);
  upper_ = unordered();
  Eigen::PermutationMatrix<Eigen::Dynamic, Eigen::Dynamic, std::int32_t> found;
  Eigen::AMDOrdering<std::int32_t>()(upper_.selfadjointView<Eigen::Upper>(), found);
  for (std::size_t k = 0; k < n; ++k) {
    order_[k] = found.indices()[static_cast<Eigen::Index>(k)];
    positions_[static_cast<std::size_t>(order_[k])] = static_cast<std::int32_t>(k);
  }
  reorder();
}

// Entries to their new columns by way of their new rows, so that rows ascend within each column.
void Elimination::reorder() {
  Eigen::SparseMatrix<double> before;
  before.swap(upper_);
  const auto n = static_cast<std::size_t>(pattern_.columns);
  const auto entries = static_cast<std::size_t>(before.nonZeros());
  const auto eachEntry = [&](auto&& visit) {
    for (Eigen::Index column = 0; column < before.cols(); ++column) {
      for (Eigen::SparseMatrix<double>::InnerIterator entry(before, column); entry; ++entry) {
        const auto [row, last] = std::minmax(positions_[static_cast<std::size_t>(entry.row())],
                                             positions_[static_cast<std::size_t>(column)]);
        visit(row, last);
      }
    }
  };
  std::vector<std::int32_t> byRow(n + 1), byColumn(n + 1), columns(entries), rows(entries);
  eachEntry([&](std::int32_t row, std::int32_t column) {
    ++byRow[static_cast<std::size_t>(row) + 1];
    ++byColumn[static_cast<std::size_t>(column) + 1];
  });
  std::partial_sum(byRow.begin(), byRow.end(), byRow.begin());
  std::partial_sum(byColumn.begin(), byColumn.end(), byColumn.begin());
  std::vector<std::int32_t> next(byRow.begin(), byRow.end() - 1);
  eachEntry([&](std::int32_t row, std::int32_t column) {
    columns[static_cast<std::size_t>(next[static_cast<std::size_t>(row)]++)] = column;
  });
  next.assign(byColumn.begin(), byColumn.end() - 1);
  for (std::size_t row = 0; row < n; ++row) {
    for (auto i = static_cast<std::size_t>(byRow[row]);
         i < static_cast<std::size_t>(byRow[row + 1]); ++i) {
      rows[static_cast<std::size_t>(next[static_cast<std::size_t>(columns[i])]++)] =
          static_cast<std::int32_t>(row);
    }
  }
  upper_ = matrixOf(byColumn, rows);
}

// The elimination tree by paths to the root, each walked once a row (J. W. H. Liu, The role of
// elimination trees in sparse factorization, 1990), and the entries of each column on the way.
void Elimination::countFactor() {
  const auto n = static_cast<std::size_t>(pattern_.columns);
  parents_.assign(n, -1);
  std::vector<std::int32_t> seen(n, -1);
  for (std::size_t k = 0; k < n; ++k) {
    const auto mark = static_cast<std::int32_t>(k);
    seen[k] = mark;
    for (Eigen::SparseMatrix<double>::InnerIterator entry(upper_, static_cast<Eigen::Index>(k));
         entry; ++entry) {
      for (auto i = static_cast<std::size_t>(entry.row()); seen[i] != mark;
           i = static_cast<std::size_t>(parents_[i])) {
        if (parents_[i] < 0) parents_[i] = mark;
        seen[i] = mark;
        ++factorEntries_;
      }
    }
    if (factorEntries_ > kMaxEntries) refuse("the triangular factor");
  }
  if (check_ != nullptr) check_(static_cast<std::uint64_t>(factorEntries_) * 12);
}

std::int32_t Elimination::firstColumn(const Group& group) const {
  std::int32_t first = positions_[static_cast<std::size_t>(pattern_.columnIndex[group.entry])];
  for (std::size_t a = 1; a < static_cast<std::size_t>(group.width); ++a) {
    const auto column = static_cast<std::size_t>(pattern_.columnIndex[group.entry + a]);
    first = std::min(first, positions_[column]);
  }
  return first;
}

}  // namespace adjoint

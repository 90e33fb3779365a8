#include "solve/sparse_rotations.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace adjoint {

SparseRotations::SparseRotations(const Elimination& elimination, CheckMemory check)
    : elimination_(elimination), n_(elimination.order().size()) {
  if (check != nullptr) {
    check(static_cast<std::uint64_t>(elimination.factorEntries()) *
          (sizeof(double) + sizeof(std::int32_t)));
  }
  findTriangle();
  sortRows();
  diagonal_.resize(n_);
  right_.resize(n_);
  lasts_.resize(n_);
  work_.resize(n_);
}

// Column k of the triangle has the rows on the paths of the elimination tree from those that A^T A
// has there up to k.
void SparseRotations::findTriangle() {
  const Eigen::SparseMatrix<double>& upper = elimination_.upper();
  std::vector<std::int32_t> seen(n_);
  const auto eachEntry = [&](auto&& visit) {
    std::fill(seen.begin(), seen.end(), -1);
    for (std::size_t k = 0; k < n_; ++k) {
      const auto mark = static_cast<std::int32_t>(k);
      seen[k] = mark;
      for (Eigen::SparseMatrix<double>::InnerIterator entry(upper, static_cast<Eigen::Index>(k));
           entry; ++entry) {
        for (auto i = static_cast<std::size_t>(entry.row()); seen[i] != mark;
             i = static_cast<std::size_t>(elimination_.parents()[i])) {
          seen[i] = mark;
          visit(i, mark);
        }
      }
    }
  };
  starts_.assign(n_ + 1, 0);
  eachEntry([&](std::size_t row, std::int32_t) { ++starts_[row + 1]; });
  for (std::size_t k = 0; k < n_; ++k) starts_[k + 1] += starts_[k];
  columns_.resize(static_cast<std::size_t>(starts_[n_]));
  std::vector<std::int64_t> next(starts_.begin(), starts_.end() - 1);
  eachEntry([&](std::size_t row, std::int32_t column) {
    columns_[static_cast<std::size_t>(next[row]++)] = column;
  });
  triangle_.resize(columns_.size());
}

void SparseRotations::sortRows() {
  const auto& groups = elimination_.groups();
  firstGroup_.assign(n_, -1);
  nextGroup_.resize(groups.size());
  for (std::size_t g = groups.size(); g-- > 0;) {
    auto& head = firstGroup_[static_cast<std::size_t>(elimination_.firstColumn(groups[g]))];
    nextGroup_[g] = std::exchange(head, static_cast<std::int32_t>(g));
  }
}

bool SparseRotations::solve(const double* entries, const Eigen::VectorXd& b, double damping,
                            Eigen::VectorXd& s) {
  const std::vector<std::int32_t>& positions = elimination_.positions();
  std::fill(triangle_.begin(), triangle_.end(), 0.0);
  std::fill(lasts_.begin(), lasts_.end(), -1);
  std::fill(work_.begin(), work_.end(), 0.0);
  const double root = std::sqrt(damping);
  for (std::size_t k = 0; k < n_; ++k) {
    const auto column = static_cast<std::int32_t>(k);
    for (std::int32_t g = firstGroup_[k]; g >= 0; g = nextGroup_[static_cast<std::size_t>(g)]) {
      const Elimination::Group& group = elimination_.groups()[static_cast<std::size_t>(g)];
      const std::int32_t* const columns = elimination_.pattern().columnIndex.data() + group.entry;
      const double* values = entries + group.entry;
      for (std::int32_t r = 0; r < group.rows; ++r, values += group.width) {
        std::int32_t last = column;
        for (std::int32_t a = 0; a < group.width; ++a) {
          const std::int32_t position = positions[static_cast<std::size_t>(columns[a])];
          work_[static_cast<std::size_t>(position)] = values[a];
          last = std::max(last, position);
        }
        insert(column, last, -b[group.row + r]);
      }
    }
    work_[k] = root;
    insert(column, column, 0);
  }
  return substitute(s);
}

// All columns of the row are on the path from its first one to the root of the elimination tree.
void SparseRotations::insert(std::int32_t column, std::int32_t last, double right) {
  while (column >= 0 && column <= last) {
    const auto k = static_cast<std::size_t>(column);
    column = elimination_.parents()[k];
    const double head = std::exchange(work_[k], 0.0);
    if (head == 0) continue;
    auto i = static_cast<std::size_t>(starts_[k]);
    const auto end = static_cast<std::size_t>(starts_[k + 1]);
    if (lasts_[k] < 0) {
      diagonal_[k] = head;
      right_[k] = right;
      lasts_[k] = last;
      for (; i < end && columns_[i] <= last; ++i) {
        triangle_[i] = std::exchange(work_[static_cast<std::size_t>(columns_[i])], 0.0);
      }
      return;
    }
    const double length = std::hypot(diagonal_[k], head);
    const double cosine = diagonal_[k] / length;
    const double sine = head / length;
    diagonal_[k] = length;
    last = lasts_[k] = std::max(last, lasts_[k]);
    for (; i < end && columns_[i] <= last; ++i) {
      double& mine = work_[static_cast<std::size_t>(columns_[i])];
      const double other = triangle_[i];
      triangle_[i] = cosine * other + sine * mine;
      mine = cosine * mine - sine * other;
    }
    const double other = right_[k];
    right_[k] = cosine * other + sine * right;
    right = cosine * right - sine * other;
  }
}

bool SparseRotations::substitute(Eigen::VectorXd& s) {
  s.resize(static_cast<Eigen::Index>(n_));
  for (std::size_t k = n_; k-- > 0;) {
    if (lasts_[k] < 0 || diagonal_[k] == 0) return false;
    double sum = right_[k];
    for (auto i = static_cast<std::size_t>(starts_[k]);
         i < static_cast<std::size_t>(starts_[k + 1]); ++i) {
      sum -= triangle_[i] * work_[static_cast<std::size_t>(columns_[i])];
    }
    work_[k] = sum / diagonal_[k];
  }
  for (std::size_t k = 0; k < n_; ++k) s[elimination_.order()[k]] = work_[k];
  return true;
}

}  // namespace adjoint

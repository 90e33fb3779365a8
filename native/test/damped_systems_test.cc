// Damped least squares by all factorizations, beside the textbook's formula on dense matrices.
#include <gtest/gtest.h>

#include <random>

#include "solve/damped_system.h"
#include "solve/normal_equations.h"
#include "test/support/allocations.h"

namespace adjoint {
namespace {

/// A matrix with a pattern in compressed rows.
struct Matrix {
  SparsePattern pattern;
  std::vector<double> entries;

  Eigen::MatrixXd dense() const {
    Eigen::MatrixXd all = Eigen::MatrixXd::Zero(pattern.rows, pattern.columns);
    for (std::int64_t row = 0; row < pattern.rows; ++row) {
      const auto at = static_cast<std::size_t>(row);
      for (auto i = static_cast<std::size_t>(pattern.rowIndex[at]);
           i < static_cast<std::size_t>(pattern.rowIndex[at + 1]); ++i) {
        all(row, pattern.columnIndex[i]) = entries[i];
      }
    }
    return all;
  }
};

/// Rows of up to `widest` entries, some of them empty, many with the columns of the row before; the
/// last column is empty.
Matrix randomMatrix(std::int32_t rows, std::int32_t columns, int widest, unsigned seed) {
  std::mt19937 random(seed);
  Matrix made;
  made.pattern.rows = rows;
  made.pattern.columns = columns;
  made.pattern.rowIndex.push_back(0);
  std::vector<std::int32_t> own;
  for (std::int32_t row = 0; row < rows; ++row) {
    if (row == 0 || random() % 2 == 0) {
      own.clear();
      for (auto left = random() % static_cast<unsigned>(widest + 1); left > 0; --left) {
        own.push_back(static_cast<std::int32_t>(random() % static_cast<unsigned>(columns - 1)));
      }
      std::sort(own.begin(), own.end());
      own.erase(std::unique(own.begin(), own.end()), own.end());
    }
    for (const std::int32_t column : own) {
      made.pattern.columnIndex.push_back(column);
      made.entries.push_back(static_cast<double>(random() % 2001) / 1000 - 1);
    }
    made.pattern.rowIndex.push_back(static_cast<std::int32_t>(made.entries.size()));
  }
  return made;
}

Eigen::VectorXd randomVector(Eigen::Index size, unsigned seed) {
  std::mt19937 random(seed);
  return Eigen::VectorXd::NullaryExpr(
      size, [&] { return static_cast<double>(random() % 2001) / 1000 - 1; });
}

class Systems : public ::testing::TestWithParam<unsigned> {};

TEST_P(Systems, NormalEquationsAreThoseOfTheDenseMatrix) {
  const Matrix a = randomMatrix(60, 25, 6, GetParam());
  const Elimination elimination(a.pattern, nullptr);
  NormalEquations normal(elimination, nullptr);
  const Eigen::MatrixXd expected = a.dense().transpose() * a.dense();
  for (int again = 0; again < 2; ++again) {
    normal.compute(a.entries.data());
    const Eigen::MatrixXd upper = normal.upper();
    for (Eigen::Index i = 0; i < 25; ++i) {
      for (Eigen::Index k = 0; k <= i; ++k) {
        const auto& order = elimination.order();
        EXPECT_NEAR(
            upper(k, i),
            expected(order[static_cast<std::size_t>(k)], order[static_cast<std::size_t>(i)]),
            1e-14);
      }
    }
  }
}

TEST_P(Systems, StepsAreThoseOfTheDenseFormula) {
  const auto rows = static_cast<std::int32_t>(20 + GetParam() * 13 % 60);
  const Matrix a = randomMatrix(rows, 30, 5, GetParam());
  const Eigen::MatrixXd dense = a.dense();
  const Eigen::VectorXd b = randomVector(rows, GetParam());
  const Eigen::VectorXd scale = randomVector(30, GetParam() + 1).cwiseAbs().array() + 0.5;
  const Eigen::MatrixXd scaled = dense * scale.cwiseInverse().asDiagonal();
  const Eigen::MatrixXd identity = Eigen::MatrixXd::Identity(30, 30);
  for (const auto factorization : {Factorization::Cholesky, Factorization::Qr}) {
    const auto ofDense = makeDenseSystem(rows, 30, factorization);
    const auto ofSparse = makeSparseSystem(a.pattern, factorization, nullptr);
    EXPECT_EQ(ofDense->elements(), rows * 30);
    EXPECT_EQ(ofSparse->elements(), static_cast<std::int64_t>(a.entries.size()));
    for (const bool isDense : {true, false}) {
      DampedSystem& system = isDense ? *ofDense : *ofSparse;
      const double* const j = isDense ? dense.data() : a.entries.data();
      Eigen::VectorXd norms, gradient, step;
      system.columnNorms(j, norms);
      EXPECT_LT((norms.transpose() - dense.colwise().norm()).norm(), 1e-14);
      system.assign(j, scale, b, gradient);
      EXPECT_LT((gradient - scaled.transpose() * b).norm(), 1e-13);
      for (const double damping : {10.0, 0.1, 1e-6}) {
        ASSERT_TRUE(system.solve(damping, step));
        const Eigen::MatrixXd all = scaled.transpose() * scaled + damping * identity;
        const Eigen::VectorXd rest = all * step + gradient;
        EXPECT_LT(rest.norm(), 1e-12) << "damping " << damping << " dense " << isDense;
        EXPECT_EQ(step[29], 0);
      }
      // A column of zeros has no pivot without damping.
      EXPECT_FALSE(system.solve(0, step));
      EXPECT_TRUE(system.solve(1, step));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Systems, ::testing::Range(1u, 13u));

TEST(SparseSystem, NormsWhereSquaresOverflowOrUnderflow) {
  Matrix a = randomMatrix(40, 10, 4, 3);
  const auto system = makeSparseSystem(a.pattern, Factorization::Qr, nullptr);
  const Eigen::RowVectorXd expected = a.dense().colwise().norm();
  for (const double factor : {0x1p800, 0x1p-800}) {
    std::vector<double> scaled = a.entries;
    for (double& each : scaled) each *= factor;
    Eigen::VectorXd norms;
    system->columnNorms(scaled.data(), norms);
    EXPECT_LT((norms.transpose() / factor - expected).norm(), 1e-13);
  }
}

TEST(SparseSystem, MemoryIsAskedForAndNotTakenAgain) {
  const Matrix a = randomMatrix(400, 120, 4, 5);
  const auto none = [](std::uint64_t) { throw Error(ErrorCode::Memory, "none"); };
  EXPECT_THROW(makeSparseSystem(a.pattern, Factorization::Cholesky, none), Error);
  EXPECT_THROW(checkDenseSystem(400, 120, Factorization::Qr, none), Error);
  EXPECT_THROW(checkDenseSystem(1 << 16, 1 << 16, Factorization::Qr, nullptr), Error);
  const Eigen::VectorXd b = randomVector(400, 5);
  const Eigen::VectorXd scale = Eigen::VectorXd::Ones(120);
  for (const auto factorization : {Factorization::Cholesky, Factorization::Qr}) {
    const auto system = makeSparseSystem(a.pattern, factorization, nullptr);
    Eigen::VectorXd norms, gradient, step;
    const auto round = [&] {
      system->columnNorms(a.entries.data(), norms);
      system->assign(a.entries.data(), scale, b, gradient);
      system->solve(0.1, step);
    };
    round();
    const long before = testing::allocations();
    for (int i = 0; i < 10; ++i) round();
    // What Eigen asks malloc for is counted elsewhere.
    EXPECT_EQ(testing::allocations() - before, 0);
  }
}

TEST(Elimination, FactorsOfChainsAndArrowsFillNothing) {
  constexpr std::int32_t kColumns = 1000;
  for (const bool isArrow : {false, true}) {
    SparsePattern pattern;
    pattern.rows = kColumns - 1;
    pattern.columns = kColumns;
    pattern.rowIndex.push_back(0);
    for (std::int32_t row = 0; row < kColumns - 1; ++row) {
      pattern.columnIndex.insert(pattern.columnIndex.end(), {isArrow ? 0 : row, row + 1});
      pattern.rowIndex.push_back(2 * row + 2);
    }
    EXPECT_EQ(Elimination(pattern, nullptr).factorEntries(), kColumns - 1);
  }
}

}  // namespace
}  // namespace adjoint

// Sparse Jacobians of mapped functions against dense ones.
#include "sparsity/block_jacobian.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "ops/build.h"
#include "test/support/evaluator.h"

namespace adjoint::testing {
namespace {

using namespace ex;
using Positions = std::vector<std::size_t>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// The Jacobian by the dense transform, [rows, columns].
Values denseOf(const TapePtr& t, const Positions& wrt, const Arrays& inputs) {
  const Arrays blocks = evaluate(jacobian(t, wrt, JacobianMode::Reverse).tape, inputs);
  Values result;
  std::size_t block = 0;
  for (const Port& port : t->outputs()) {
    const auto rows = static_cast<std::size_t>(t->count(port.node));
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t k = 0; k < wrt.size(); ++k) {
        const Values& own = blocks[block + k];
        const std::size_t width = own.size() / rows;
        result.insert(result.end(), own.begin() + static_cast<std::ptrdiff_t>(row * width),
                      own.begin() + static_cast<std::ptrdiff_t>((row + 1) * width));
      }
    }
    block += wrt.size();
  }
  return result;
}

std::size_t rowOfEntry(const SparsePattern& pattern, SparseFormat format, std::size_t entry) {
  if (format == SparseFormat::Coo) return static_cast<std::size_t>(pattern.rowIndex[entry]);
  const auto it = std::ranges::upper_bound(pattern.rowIndex, static_cast<std::int32_t>(entry));
  return static_cast<std::size_t>(it - pattern.rowIndex.begin()) - 1;
}

/// The sparse Jacobian in every mode and format against the dense one: few ULP, and no entry
/// missing. Returns that by the mode chosen, in CSR.
BlockJacobian check(const TapePtr& t, const Positions& wrt, const Arrays& inputs,
                    double tolerance = 1e-13) {
  const Values dense = denseOf(t, wrt, inputs);
  double scale = 0;
  for (const double x : dense) scale = std::isfinite(x) ? std::max(scale, std::abs(x)) : scale;
  BlockJacobian chosen;
  for (const SparseFormat format : {SparseFormat::Coo, SparseFormat::Csr}) {
    for (const JacobianMode mode :
         {JacobianMode::Forward, JacobianMode::Reverse, JacobianMode::Auto}) {
      chosen = blockJacobian(t, wrt, mode, format);
      const SparsePattern& pattern = chosen.pattern;
      const Values values = evaluate(chosen.tape, inputs)[0];
      EXPECT_EQ(values.size(), pattern.columnIndex.size());
      EXPECT_EQ(static_cast<std::size_t>(pattern.rows * pattern.columns), dense.size());
      Values sum(dense.size(), 0);
      for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t row = rowOfEntry(pattern, format, i);
        const auto column = static_cast<std::size_t>(pattern.columnIndex[i]);
        sum[row * static_cast<std::size_t>(pattern.columns) + column] += values[i];
        if (format == SparseFormat::Csr && i > 0 &&
            static_cast<std::size_t>(pattern.rowIndex[row]) < i) {
          EXPECT_LT(pattern.columnIndex[i - 1], pattern.columnIndex[i]);
        }
      }
      for (std::size_t i = 0; i < dense.size(); ++i) {
        const bool isSame = (std::isnan(dense[i]) && std::isnan(sum[i])) || dense[i] == sum[i] ||
                            std::abs(dense[i] - sum[i]) <= tolerance * std::max(1.0, scale);
        EXPECT_TRUE(isSame) << "element " << i << ": " << sum[i] << ", not " << dense[i];
        if (!isSame) return chosen;
      }
    }
  }
  // NaN in one element of an input reaches no output outside of the pattern.
  const Values clean = [&] {
    Values all;
    for (const Values& output : evaluate(t, inputs))
      all.insert(all.end(), output.begin(), output.end());
    return all;
  }();
  std::size_t column = 0;
  const SparsePattern& pattern = chosen.pattern;
  const std::size_t columns = static_cast<std::size_t>(pattern.columns);
  const std::size_t stride = std::max<std::size_t>(1, columns / 24);
  for (const std::size_t k : wrt) {
    for (std::size_t element = 0; element < inputs[k].size(); ++element, ++column) {
      if (column % stride != 0) continue;
      Arrays probe = inputs;
      probe[k][element] = kNaN;
      std::size_t row = 0;
      for (const Values& output : evaluate(t, probe)) {
        for (const double y : output) {
          const auto* const from = pattern.columnIndex.data() + pattern.rowIndex[row];
          const auto* const to = pattern.columnIndex.data() + pattern.rowIndex[row + 1];
          const bool isIn = std::binary_search(from, to, static_cast<std::int32_t>(column));
          EXPECT_TRUE(!std::isnan(y) || std::isnan(clean[row]) || isIn)
              << "row " << row << ", column " << column;
          ++row;
        }
      }
    }
  }
  return chosen;
}

Values randomValues(std::mt19937& random, std::int64_t count, double low = 0.5, double high = 1.5) {
  std::uniform_real_distribution<double> draw(low, high);
  Values result;
  for (std::int64_t i = 0; i < count; ++i) result.push_back(draw(random));
  return result;
}

Expr randomIndices(Builder& builder, std::mt19937& random, std::int64_t count,
                   std::int64_t extent) {
  Values indices;
  for (std::int64_t i = 0; i < count; ++i)
    indices.push_back(static_cast<double>(random() % static_cast<std::uint64_t>(extent)));
  return {&builder, builder.data(std::move(indices), {count})};
}

/// No part is dense, and the entries are so many.
void expectSparse(const BlockJacobian& found, std::size_t entries) {
  for (const JacobianBlock& block : found.blocks) EXPECT_EQ(block.denseBy, kNoNode);
  EXPECT_EQ(found.pattern.columnIndex.size(), entries);
}

Expr column(Expr x, std::int64_t i) { return reshape(sliceAxis(x, 1, {i, 1, 1}), {x.shape()[0]}); }

/// Two errors of every observation by a row of each of two tables and a weight of its own.
TEST(BlockJacobian, GatheredRows) {
  for (const std::int64_t lanes : {1, 2, 5, 40}) {
    std::mt19937 random(static_cast<unsigned>(lanes));
    Builder builder;
    const Expr cameras{&builder, builder.input("cameras", {3, 4})};
    const Expr points{&builder, builder.input("points", {7, 2})};
    const Expr w{&builder, builder.input("w", {lanes})};
    const Expr feats{&builder, builder.input("feats", {lanes, 2})};
    const Expr camera = randomIndices(builder, random, lanes, 3);
    const Expr point = randomIndices(builder, random, lanes, 7);
    const auto c = [&](std::int64_t i) { return gather(column(cameras, i), camera, 0); };
    const auto p = [&](std::int64_t i) { return gather(column(points, i), point, 0); };
    const Expr angle = sin(c(0)) * p(0) + c(1);
    const Expr u = (angle * c(2) - column(feats, 0)) * w;
    const Expr v = (exp(angle) * p(1) + c(3) - column(feats, 1)) * w;
    const Expr both =
        reshape(concat({reshape(u, {lanes, 1}), reshape(v, {lanes, 1})}, 1), {lanes, 2});
    const TapePtr t = builder.finish({{"errors", both.id}, {"weights", (1.0 - square(w)).id}});
    const Arrays inputs = {randomValues(random, 12), randomValues(random, 14),
                           randomValues(random, lanes), randomValues(random, 2 * lanes)};
    // u: camera 3, point 1, w; v: camera 3, point 2, w.
    expectSparse(check(t, {0, 1, 2}, inputs), static_cast<std::size_t>(lanes * (5 + 6 + 1)));
    expectSparse(check(t, {1}, inputs), static_cast<std::size_t>(lanes * 3));
  }
}

TEST(BlockJacobian, ChainedTerms) {
  Builder builder;
  const std::int64_t n = 50;
  const Expr x{&builder, builder.input("x", {n})};
  const Expr later = sliceAxis(x, 0, {1, n - 1, 1}), earlier = sliceAxis(x, 0, {0, n - 1, 1});
  const TapePtr t =
      builder.finish({{"a", (later - square(earlier)).id}, {"b", (1.0 - earlier).id}, {"x", x.id}});
  std::mt19937 random(1);
  const BlockJacobian found = check(t, {0}, {randomValues(random, n)});
  expectSparse(found, static_cast<std::size_t>(3 * (n - 1) + n));
}

TEST(BlockJacobian, Prints) {
  Builder builder;
  const std::int64_t n = 50;
  const Expr x{&builder, builder.input("x", {n})};
  const Expr later = sliceAxis(x, 0, {1, n - 1, 1}), earlier = sliceAxis(x, 0, {0, n - 1, 1});
  const TapePtr t = builder.finish({{"a", (later - square(earlier)).id}});
  const BlockJacobian found = blockJacobian(t, Positions{0}, JacobianMode::Auto, SparseFormat::Csr);
  puts(found.tape->toString().c_str());
}

}  // namespace
}  // namespace adjoint::testing

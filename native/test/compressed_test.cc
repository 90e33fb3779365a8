// Derivatives by colorings against dense ones.
//
//   ADJOINT_RANDOM_PATTERNS=10000   how many random tapes (300 otherwise)
#include "sparsity/compressed.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "coloring/recovery.h"
#include "ops/build.h"
#include "sparsity/arrangement.h"
#include "sparsity/sparse_derivative.h"
#include "sparsity/substitution.h"
#include "test/support/detected.h"
#include "test/support/patterns.h"
#include "test/support/random_tapes.h"

namespace adjoint::testing {
namespace {

using coloring::AdjacencyGraph;
using coloring::BipartiteGraph;
using coloring::Index;
using coloring::Method;
using coloring::Pattern;
using namespace ex;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Positions realInputs(const Tape& t) {
  Positions result;
  for (std::size_t i = 0; i < t.inputs().size(); ++i) {
    if (t.node(t.inputs()[i].node).dtype == DType::F64) result.push_back(i);
  }
  return result;
}

/// The whole Jacobian, row-major.
Values denseOf(const TapePtr& t, const Positions& wrt, const Arrays& inputs, JacobianMode mode) {
  const Arrays blocks = evaluate(jacobian(t, wrt, mode).tape, inputs);
  std::size_t columns = 0, rows = 0;
  for (const std::size_t k : wrt) columns += inputs[k].size();
  for (const Port& port : t->outputs()) rows += static_cast<std::size_t>(t->count(port.node));
  Values result(rows * columns);
  std::size_t block = 0, row = 0;
  for (const Port& port : t->outputs()) {
    const auto height = static_cast<std::size_t>(t->count(port.node));
    std::size_t column = 0;
    for (const std::size_t k : wrt) {
      const std::size_t width = inputs[k].size();
      const Values& own = blocks[block++];
      for (std::size_t i = 0; i < own.size(); ++i)
        result[(row + i / width) * columns + column + i % width] = own[i];
      column += width;
    }
    row += height;
  }
  return result;
}

/// How entries compare with those of dense matrices.
struct Comparison {
  long entries = 0, identical = 0;

  double share() const {
    return static_cast<double>(identical) / static_cast<double>(std::max(entries, 1L));
  }
  void add(double found, std::span<const double> wanted, double scale) {
    ++entries;
    for (const double value : wanted) {
      if (identical_(found, value)) {
        ++identical;
        return;
      }
    }
    const double error = std::abs(found - wanted[0]);
    EXPECT_LE(error, 1e-9 * scale) << found << " " << wanted[0];
  }
  static bool identical_(double a, double b) { return testing::identical(a, b); }
};

double largestOf(const Values& values) {
  double largest = 1;
  for (const double value : values) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  return largest;
}

/// Entries of a CSR pattern.
void compare(const SparseDerivative& found, const Arrays& inputs, const Values& dense,
             const Values& other, Comparison& comparison) {
  const Values values = evaluate(found.tape, inputs).back();
  const auto& [rows, columns, starts, columnIndex] = found.pattern;
  ASSERT_EQ(values.size(), columnIndex.size());
  const double scale = largestOf(dense);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (Index k = starts[static_cast<std::size_t>(row)];
         k < starts[static_cast<std::size_t>(row) + 1]; ++k) {
      const auto at = static_cast<std::size_t>(k);
      const auto place = static_cast<std::size_t>(row * columns + columnIndex[at]);
      const double wanted[] = {dense[place], other[place]};
      comparison.add(values[at], wanted, scale);
    }
  }
}

SparseOptions byColoring(Method method) {
  SparseOptions options;
  options.method = SparseMethod::Coloring;
  options.coloring = method;
  if (isSymmetric(method)) options.of = PatternOf::Hessian;
  return options;
}

Values transposed(const Values& square) {
  Values result(square.size());
  const auto n = static_cast<std::size_t>(std::lround(std::sqrt(square.size())));
  for (std::size_t i = 0; i < square.size(); ++i) result[i] = square[i % n * n + i / n];
  return result;
}

TEST(Compressed, RandomTapes) {
  const std::size_t count =
      countFromEnvironment("ADJOINT_RANDOM_PATTERNS", isInstrumented() ? 20 : 300);
  Comparison columns, rows, both, star, distanceTwo, acyclic;
  for (std::size_t seed = 1; seed <= count; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomTapeOptions options;
    options.maxNodes = seed % 4 == 0 ? 120 : 50;
    options.maxElements = 24;
    const RandomTape random = randomTape(2000000 + seed, options);
    const TapePtr& t = random.tape;
    const Positions wrt = realInputs(*t);
    const Values forward = denseOf(t, wrt, random.inputs, JacobianMode::Forward);
    const Values reverse = denseOf(t, wrt, random.inputs, JacobianMode::Reverse);
    const auto byColors = [&](const TapePtr& function, Method method) {
      return sparseDerivative(function, wrt, byColoring(method));
    };
    compare(byColors(t, Method::Columns), random.inputs, forward, forward, columns);
    compare(byColors(t, Method::Rows), random.inputs, reverse, reverse, rows);
    compare(byColors(t, Method::RowsAndColumns), random.inputs, forward, reverse, both);
    const std::size_t scalar[] = {0};
    const TapePtr s = selectOutputs(t, scalar);
    if (s->size() < 80) {
      const Values dense = denseOf(gradient(s, wrt), wrt, random.inputs, JacobianMode::Forward);
      const Values mirrored = transposed(dense);
      compare(byColors(s, Method::DistanceTwo), random.inputs, dense, mirrored, distanceTwo);
      compare(byColors(s, Method::Star), random.inputs, dense, mirrored, star);
      compare(byColors(s, Method::Acyclic), random.inputs, dense, mirrored, acyclic);
    }
    if (::testing::Test::HasFailure()) {
      ADD_FAILURE() << t->toString();
      return;
    }
  }
  if (count >= 300) {
    EXPECT_GT(columns.entries, 1000);
    EXPECT_GT(star.entries, 1000);
  }
  const auto expectShare = [](const char* name, const Comparison& comparison, double least) {
    EXPECT_GE(comparison.share(), least)
        << name << ": " << comparison.identical << " of " << comparison.entries;
    ::testing::Test::RecordProperty(name, std::to_string(comparison.share()));
  };
  expectShare("columns", columns, 0.9);
  expectShare("rows", rows, 0.9);
  expectShare("both", both, 0.9);
  expectShare("distanceTwo", distanceTwo, 0.9);
  expectShare("star", star, 0.9);
  expectShare("acyclic", acyclic, 0.9);
}

/// A function of one vector.
struct Function {
  explicit Function(std::int64_t n) : x{&builder, builder.input("x", {n})} {}
  TapePtr finish(Expr y) { return builder.finish({{"y", y.id}}); }
  Expr part(std::int64_t start, std::int64_t count) { return sliceAxis(x, 0, {start, count, 1}); }

  Builder builder;
  Expr x;
};

/// NaN and infinity in one input: entries are those of the dense matrix, to the bit.
void expectNoPoison(const TapePtr& t, Method method, Arrays inputs) {
  const SparseDerivative found = sparseDerivative(t, Positions{0}, byColoring(method));
  EXPECT_LT(found.colors.count(), found.pattern.columns);
  const TapePtr function = isSymmetric(method) ? gradient(t, Positions{0}) : t;
  const auto mode = method == Method::Rows ? JacobianMode::Reverse : JacobianMode::Forward;
  for (const double poison : {kNaN, kInfinity, -kInfinity, 0.0}) {
    for (double& element : inputs[0]) {
      const double kept = std::exchange(element, poison);
      const Values dense = denseOf(function, {0}, inputs, mode);
      const Values mirrored = isSymmetric(method) ? transposed(dense) : dense;
      Comparison comparison;
      compare(found, inputs, dense, mirrored, comparison);
      EXPECT_EQ(comparison.identical, comparison.entries);
      element = kept;
    }
  }
}

TEST(Compressed, OtherColumnsOfAColorPoisonNothing) {
  const auto stencil = [](Expr a, Expr b, Expr c) {
    const Expr safe = apply(Op::Where, {greater(b, 0), sqrt(b), square(b)});
    return a * c + safe / (1.0 + square(c)) + ex::log(abs(a));
  };
  const Arrays inputs = {{1.5, -0.5, 2, 0.25, -3, 1, 4, 0.75, 1.25}};
  for (const Method method : {Method::Columns, Method::Rows}) {
    Function f(9);
    const Expr y = stencil(f.part(0, 7), f.part(1, 7), f.part(2, 7));
    expectNoPoison(f.finish(y), method, inputs);
  }
  for (const Method method : {Method::Star, Method::DistanceTwo}) {
    Function f(9);
    const Expr y = stencil(f.part(0, 7), f.part(1, 7), f.part(2, 7));
    expectNoPoison(f.finish(sum(y, {0})), method, inputs);
  }
}

TEST(Compressed, ArrowsAreOfRowsAndColumns) {
  const std::int64_t n = 50;
  Function f(n);
  const Expr head = reshape(f.part(0, 1), {});
  const Expr y = concat({reshape(sum(square(f.x), {0}), {1}), f.part(1, n - 1) * sin(head)}, 0);
  const TapePtr t = f.finish(y);
  Values point;
  for (std::int64_t i = 0; i < n; ++i) point.push_back(std::sin(static_cast<double>(i)) + 2);
  SparseOptions options;
  options.method = SparseMethod::Coloring;
  const SparseDerivative found = sparseDerivative(t, Positions{0}, options);
  EXPECT_EQ(found.ways[0].coloring->method, Method::RowsAndColumns);
  EXPECT_EQ(found.colors.count(), 3);
  Comparison comparison;
  compare(found, {point}, denseOf(t, {0}, {point}, JacobianMode::Forward),
          denseOf(t, {0}, {point}, JacobianMode::Reverse), comparison);
  EXPECT_EQ(comparison.entries, 3 * n - 2);
  EXPECT_EQ(comparison.identical, comparison.entries);
}

TEST(Compressed, FormatsAndTriangles) {
  Function f(8);
  const Expr a = f.part(0, 5), b = f.part(3, 5);
  const TapePtr t = f.finish(sum(sin(a * b), {0}));
  const Arrays inputs = {{1, 2, 3, 4, 5, 6, 7, 8}};
  const Values dense = denseOf(gradient(t, Positions{0}), {0}, inputs, JacobianMode::Forward);
  for (const auto format : {SparseFormat::Csr, SparseFormat::Csc, SparseFormat::Coo}) {
    for (const auto triangle : {Triangle::Full, Triangle::Lower, Triangle::Upper}) {
      SparseOptions options = byColoring(Method::Star);
      options.format = format;
      options.triangle = triangle;
      const SparseDerivative found = sparseDerivative(t, Positions{0}, options);
      const Values values = evaluate(found.tape, inputs)[0];
      auto [rows, columns, rowIndex, columnIndex] = found.pattern;
      const auto expand = [](std::vector<std::int32_t>& starts) {
        std::vector<std::int32_t> lines;
        for (std::size_t i = 0; i + 1 < starts.size(); ++i)
          lines.resize(static_cast<std::size_t>(starts[i + 1]), static_cast<std::int32_t>(i));
        starts = std::move(lines);
      };
      if (format == SparseFormat::Csr) expand(rowIndex);
      if (format == SparseFormat::Csc) expand(columnIndex);
      ASSERT_EQ(rowIndex.size(), values.size());
      ASSERT_EQ(columnIndex.size(), values.size());
      for (std::size_t k = 0; k < values.size(); ++k) {
        const std::int32_t i = rowIndex[k], j = columnIndex[k];
        EXPECT_TRUE(triangle != Triangle::Lower || j <= i);
        EXPECT_TRUE(triangle != Triangle::Upper || j >= i);
        const auto at = static_cast<std::size_t>(8 * i + j),
                   mirror = static_cast<std::size_t>(8 * j + i);
        EXPECT_TRUE(identical(values[k], dense[at]) || identical(values[k], dense[mirror]));
      }
      EXPECT_EQ(values.size(), triangle == Triangle::Full ? 18 : 13);
    }
  }
}

TEST(Compressed, ValuesOfTheFunctionComeFirst) {
  Function f(6);
  const TapePtr t = f.finish(sum(square(f.part(0, 5) * f.part(1, 5)), {0}));
  const Arrays inputs = {{1, 2, 3, 4, 5, 6}};
  const Arrays both = evaluate(valueAndGrad(t, Positions{0}), inputs);
  for (const auto method : {SparseMethod::Instances, SparseMethod::Coloring}) {
    SparseOptions options;
    options.of = PatternOf::Hessian;
    options.method = method;
    const Arrays alone = evaluate(sparseDerivative(t, Positions{0}, options).tape, inputs);
    options.withValues = true;
    const Arrays found = evaluate(sparseDerivative(t, Positions{0}, options).tape, inputs);
    EXPECT_TRUE(identical(found, {both[0], both[1], alone[0]}));
  }
}

TEST(Compressed, Limits) {
  Function f(40);
  const TapePtr t = f.finish(f.x * sum(f.x, {0}));
  const auto expectLimit = [&](const SparseOptions& options) {
    try {
      sparseDerivative(t, Positions{0}, options);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::Limit) << error.what();
    }
  };
  for (const auto method : {SparseMethod::Auto, SparseMethod::Instances, SparseMethod::Coloring}) {
    SparseOptions options;
    options.method = method;
    options.maxNonzeros = 1599;
    expectLimit(options);
    options.maxNonzeros = 1600;
    EXPECT_NO_THROW(sparseDerivative(t, Positions{0}, options));
  }
  SparseOptions options;
  options.method = SparseMethod::Coloring;
  options.maxColors = 39;
  expectLimit(options);

  // A triangle, which as a dense block is over the limit.
  Function g(40);
  options = {};
  options.maxNonzeros = 820;
  const TapePtr triangle = g.finish(sin(cumsum(g.x, 0, false)));
  EXPECT_EQ(sparseDerivative(triangle, Positions{0}, options).colors.count(), 40);
  options.maxNonzeros = 1600;
  EXPECT_TRUE(sparseDerivative(triangle, Positions{0}, options).ways.empty());
}

/// Values of a random symmetric matrix from sums of integers, which are exact.
TEST(Substitution, IsTheOneOfThePlan) {
  std::uint64_t state = 1;
  const auto below = [&](std::int64_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<Index>((state >> 33) % static_cast<std::uint64_t>(n));
  };
  for (int trial = 0; trial < 300; ++trial) {
    // Paths, stars, caterpillars and random trees, with and without a diagonal.
    const Index n = 2 + below(trial % 10 == 0 ? 3000 : 60);
    std::vector<Index> rows, columns;
    for (Index i = 1; i < n; ++i) {
      const Index span = trial % 3 == 0 ? 1 : trial % 3 == 1 ? i : std::min<Index>(i, 3);
      const Index j = i - 1 - below(span);
      rows.insert(rows.end(), {i, j});
      columns.insert(columns.end(), {j, i});
    }
    for (Index i = 0; i < n; ++i) {
      if (trial % 2 == 0 || below(3) == 0) rows.push_back(i), columns.push_back(i);
    }
    const AdjacencyGraph graph(Pattern::fromEntries(n, n, rows, columns));
    const auto colors = coloring::color(graph, {Method::Acyclic, coloring::Order::Natural});
    const auto plan = coloring::substitutionPlan(graph, colors);
    Values compressed(static_cast<std::size_t>(plan.compressed));
    for (double& value : compressed) value = below(1000) - 500;
    Values wanted(static_cast<std::size_t>(plan.nonzeros));
    coloring::recover(plan, compressed, wanted);
    Builder builder;
    const Expr input{&builder, builder.input("c", {plan.compressed})};
    std::vector<Index> entries(wanted.size());
    for (std::size_t k = 0; k < entries.size(); ++k) entries[k] = static_cast<Index>(k);
    const TapePtr t = builder.finish({{"v", substituted(plan, input, entries).id}});
    EXPECT_LT(t->size(), 300u);
    const Values found = evaluate(t, {compressed})[0];
    for (std::size_t k = 0; k < wanted.size(); ++k) EXPECT_EQ(found[k], wanted[k]);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace adjoint::testing

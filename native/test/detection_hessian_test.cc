// Patterns of Hessians: exactly the pairs that interact.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ops/build.h"
#include "ops/row.h"
#include "sparsity/row_structure.h"
#include "test/support/custom.h"
#include "test/support/detected.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;

constexpr PatternOf kHessian = PatternOf::Hessian;

/// A function of one vector of 6.
struct Function {
  Function() : x{&builder, builder.input("x", {6})} {}

  Expr at(std::int64_t i) { return reshape(sliceAxis(x, 0, {i, 1, 1}), {}); }
  Expr part(std::int64_t start, std::int64_t count) { return sliceAxis(x, 0, {start, count, 1}); }
  TapePtr finish(Expr y) { return builder.finish({{"y", sum(y, allAxes(y)).id}}); }

  Builder builder;
  Expr x;
};

const Arrays kPoint = {{1.25, -0.75, 2.5, 0.5, -1.5, 3.25}};

/// Pairs and their mirror images.
Entries mirrored(Entries entries) {
  for (const auto& [row, column] : Entries(entries)) entries.emplace(column, row);
  return entries;
}

/// Everywhere and here, and what the gradient's derivative has.
void expectExact(const TapePtr& t, const Entries& half) {
  const Entries entries = mirrored(half);
  EXPECT_EQ(globalEntries(t, {0}, kHessian), entries);
  EXPECT_EQ(localEntries(t, {0}, kPoint, kHessian), entries);
  EXPECT_EQ(nonzerosOf(gradient(t, Positions{0}), {0}, kPoint), entries);
}

TEST(DetectionHessian, WhatIsLinearHasNone) {
  Function f;
  const Expr weights{&f.builder, f.builder.data({1, 2, 3, 4, 5, 6}, {6})};
  const Expr y = cumsum(f.x * weights, 0, false) + f.x / 3.0 - flip(f.x, {0}) +
                 apply(Op::Abs, {f.x}) + relu(f.x) + max(f.x, flip(f.x, {0})) +
                 reduceMax(f.x, {0}) + sin(stopGradient(f.x));
  const TapePtr t = f.finish(y);
  EXPECT_TRUE(globalEntries(t, {0}, kHessian).empty());
}

TEST(DetectionHessian, PairsOfElementwiseOperations) {
  {
    Function f;
    expectExact(f.finish(square(f.part(0, 3))), {{0, 0}, {1, 1}, {2, 2}});
  }
  {
    Function f;
    expectExact(f.finish(f.part(0, 3) * f.part(3, 3)), {{0, 3}, {1, 4}, {2, 5}});
  }
  {
    Function f;
    // The denominator only, and with the numerator.
    expectExact(f.finish(f.at(0) / f.at(2)), {{0, 2}, {2, 2}});
  }
  {
    Function f;
    expectExact(f.finish(fma(f.at(0), f.at(1), f.at(2))), {{0, 1}});
  }
  {
    Function f;
    expectExact(f.finish(apply(Op::Xlogy, {f.at(1), f.at(0)})), {{0, 0}, {0, 1}});
  }
  {
    Function f;
    expectExact(f.finish(sin(f.at(0) + f.at(4))), {{0, 0}, {0, 4}, {4, 4}});
  }
}

TEST(DetectionHessian, PairsOfArrays) {
  {
    Function f;
    const Expr product =
        batchMatmul(reshape(f.part(0, 2), {1, 1, 2}), reshape(f.part(2, 4), {1, 2, 2}));
    expectExact(f.finish(product), {{0, 2}, {0, 3}, {1, 4}, {1, 5}});
  }
  {
    Function f;
    // y0 = b0, y1 = a1 b0 + b1, y2 = a2 a1 b0 + a2 b1 + b2.
    expectExact(f.finish(linearRecurrence(f.part(0, 3), f.part(3, 3), 0, false)),
                {{1, 3}, {2, 3}, {1, 2}, {2, 4}});
  }
  {
    Function f;
    Entries all;
    for (std::int64_t i = 0; i < 6; ++i) {
      for (std::int64_t j = 0; j <= i; ++j) all.emplace(i, j);
    }
    expectExact(f.finish(square(sum(f.x, {0}))), all);
  }
  {
    Function f;
    // Neighbors.
    Entries band;
    for (std::int64_t i = 0; i < 6; ++i) {
      band.emplace(i, i);
      if (i > 0) band.emplace(i, i - 1);
    }
    expectExact(f.finish(square(f.part(1, 5) - square(f.part(0, 5)))), band);
  }
}

TEST(DetectionHessian, WhatIsNotReadDoesNotCount) {
  {
    Function f;
    expectExact(f.finish(slice(square(f.x), {{1, 2, 2}})), {{1, 1}, {3, 3}});
  }
  {
    Function f;
    const Expr indices{&f.builder, f.builder.data({4, 0, 4}, {3})};
    expectExact(f.finish(gather(square(f.x), indices, 0)), {{0, 0}, {4, 4}});
  }
  {
    Function f;
    const Expr indices{&f.builder, f.builder.data({0, 1, 1, 2, 0, 2}, {6})};
    const Expr sums = scatterSum(indices, square(f.x), 0, 3);
    expectExact(f.finish(sliceAxis(sums, 0, {0, 1, 1})), {{0, 0}, {4, 4}});
  }
  {
    Function f;
    const Expr running = cumsum(square(f.x), 0, false);
    expectExact(f.finish(sliceAxis(running, 0, {1, 1, 1})), {{0, 0}, {1, 1}});
  }
  {
    Function f;
    const Expr y = linearRecurrence(f.part(0, 3), f.part(3, 3), 0, false);
    expectExact(f.finish(sliceAxis(y, 0, {1, 1, 1})), {{1, 3}});
  }
  {
    Function f;
    const Expr sums = sum(square(reshape(f.x, {2, 3})), {0});
    expectExact(f.finish(sliceAxis(sums, 0, {1, 1, 1})), {{1, 1}, {4, 4}});
  }
  {
    Function f;
    const Expr all = concat({square(f.x), sin(f.part(0, 2))}, 0);
    expectExact(f.finish(flip(sliceAxis(flip(all, {0}), 0, {0, 3, 1}), {0})),
                {{5, 5}, {0, 0}, {1, 1}});
  }
  {
    Function f;
    const Expr isFirst{&f.builder, f.builder.data({1, 1, 0, 0, 0, 0}, {6}, DType::Bool)};
    expectExact(f.finish(apply(Op::Where, {isFirst, square(f.x), f.x})), {{0, 0}, {1, 1}});
  }
}

TEST(DetectionHessian, BranchesAtAPoint) {
  const auto expect = [](const TapePtr& t, const Entries& everywhere, const Entries& here) {
    EXPECT_EQ(globalEntries(t, {0}, kHessian), mirrored(everywhere));
    EXPECT_EQ(localEntries(t, {0}, kPoint, kHessian), mirrored(here));
    EXPECT_EQ(nonzerosOf(gradient(t, Positions{0}), {0}, kPoint), mirrored(here));
  };
  const Entries diagonal = {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}};
  {
    Function f;
    expect(f.finish(apply(Op::Where, {greater(f.x, 0), square(f.x), f.x})), diagonal,
           {{0, 0}, {2, 2}, {3, 3}, {5, 5}});
  }
  {
    Function f;
    expect(f.finish(square(relu(f.x))), diagonal, {{0, 0}, {2, 2}, {3, 3}, {5, 5}});
  }
  {
    Function f;
    expect(f.finish(reduceMax(square(f.x), {0})), diagonal, {{5, 5}});
  }
}

TEST(DetectionHessian, CustomRules) {
  for (const auto& [hasJvp, hasVjp] :
       {std::pair(false, false), std::pair(true, false), std::pair(false, true)}) {
    Builder inner;
    const Expr a{&inner, inner.input("a", {3})}, b{&inner, inner.input("b", {3})};
    const TapePtr primal = inner.finish({{"y", (sin(a) * b).id}});
    Function f;
    const auto y =
        callCustom(f.builder, makeRule(primal, hasJvp, hasVjp), {f.part(0, 3), f.part(3, 3)});
    expectExact(f.finish(y[0]), {{0, 0}, {1, 1}, {2, 2}, {0, 3}, {1, 4}, {2, 5}});
  }
}

/// A rule whose derivative reads its value: y = exp(x), dy = y dx.
TEST(DetectionHessian, RulesThatReadTheirValue) {
  auto rule = std::make_shared<CustomRule>();
  rule->name = "exponential";
  {
    Builder builder;
    const Expr x{&builder, builder.input("x", {6})};
    rule->primal = builder.finish({{"y", exp(x).id}});
  }
  {
    Builder builder;
    builder.input("x", {6});
    const Expr y{&builder, builder.input("y", {6})}, bar{&builder, builder.input("bar", {6})};
    rule->vjp = builder.finish({{"x", (y * bar).id}});
  }
  Function f;
  const auto y = callCustom(f.builder, rule, {f.x});
  expectExact(f.finish(y[0]), {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}});
}

TEST(DetectionHessian, DenseRowsAndTheirCauses) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {80})}, s{&builder, builder.input("s", {})};
  const TapePtr t = builder.finish({{"y", sum(square(x) + x * s, {0}).id}});
  const auto found = detectPattern(t, Positions{0, 1}, {.of = kHessian});
  EXPECT_EQ(found.pattern.columnIndex.size(), 80u + 160u);
  ASSERT_EQ(found.dense.size(), 1u);
  EXPECT_TRUE(found.dense[0].areRows);
  EXPECT_EQ(found.dense[0].first, 80);
  EXPECT_EQ(found.dense[0].nonzeros, 80);
  EXPECT_EQ(found.dense[0].op, code(Op::Mul));
}

TEST(DetectionHessian, Limits) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {2000})};
  const TapePtr t = builder.finish({{"y", square(sum(x, {0})).id}});
  try {
    detectPattern(t, Positions{0}, {.of = kHessian, .maxNonzeros = 100000});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Limit);
  }
}

/// Derivatives of every row at points of its domain against what is said of it.
TEST(RowStructure, HoldsAllDerivatives) {
  for (const Row& row : allRows()) {
    if (row.kernel == nullptr || row.op == Op::Where) continue;
    const RowStructure& structure = structureOf(row.op);
    if (row.partials == nullptr) {
      for (const auto& operand : structure.operands) EXPECT_FALSE(operand.depends) << row.name;
      continue;
    }
    Builder builder;
    const auto arity = static_cast<std::size_t>(row.arity);
    std::vector<NodeId> x;
    Positions wrt;
    for (std::size_t k = 0; k < arity; ++k) {
      x.push_back(builder.input(std::string(1, static_cast<char>('a' + k)), {}));
      wrt.push_back(k);
    }
    const std::int64_t number[] = {1};
    const NodeId y = apply(builder, row.op, x, row.internal ? number : std::span(number, 0));
    const TapePtr t = builder.finish({{"y", y}});
    const TapePtr slope = gradient(t, wrt);
    for (const double scale : {0.3, 0.9, 1.7}) {
      Arrays inputs;
      for (std::size_t k = 0; k < arity; ++k)
        inputs.push_back({scale * (1 + 0.25 * static_cast<double>(k))});
      for (const auto& [out, k] : nonzerosOf(t, wrt, inputs))
        EXPECT_TRUE(structure.operands[static_cast<std::size_t>(k)].depends) << row.name << k;
      for (const auto& [i, j] : nonzerosOf(slope, wrt, inputs)) {
        EXPECT_TRUE(structure.interacts[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)])
            << row.name << i << j;
      }
    }
  }
  EXPECT_FALSE(structureOf(Op::Mul).interacts[0][0]);
  EXPECT_FALSE(structureOf(Op::Div).interacts[0][0]);
  EXPECT_FALSE(structureOf(Op::Copysign).operands[1].depends);
  EXPECT_TRUE(structureOf(Op::Maximum).operands[0].isDecided);
  EXPECT_FALSE(structureOf(Op::Add).operands[0].isDecided);
}

}  // namespace
}  // namespace adjoint::testing

// What rows of a table decide is computed once a row: Evaluator compares with plans that compute it
// lane by lane, to the bit.
#include "plan/by_row.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ops/build.h"
#include "plan/min_cut.h"
#include "test/support/evaluator.h"
#include "test/support/numbers.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;
using Positions = std::vector<std::size_t>;

Expr picks(Builder& builder, std::int64_t lanes, std::int64_t rows) {
  Values indices;
  for (std::int64_t i = 0; i < lanes; ++i) indices.push_back(static_cast<double>(i * 31 % rows));
  return {&builder, builder.data(indices, {lanes})};
}

std::int64_t elementsOf(const TapePtr& t, Op op) {
  std::int64_t most = 0;
  for (NodeId id = 0; id < t->size(); ++id)
    if (opOf(t->node(id)) == op) most = std::max(most, t->count(id));
  return most;
}

/// Points turned by poses that many of them share.
TapePtr turned(std::int64_t lanes, std::int64_t rows) {
  Builder builder;
  const Expr poses{&builder, builder.input("poses", {rows, 4})};
  const Expr points{&builder, builder.input("points", {lanes, 2})};
  const Expr pose = gather(poses, picks(builder, lanes, rows), 0);
  const auto column = [&](const Expr& x, std::int64_t i) {
    return reshape(sliceAxis(x, 1, {i, 1, 1}), {lanes});
  };
  const Expr angle = column(pose, 0) * 2.0 + column(pose, 1);
  const Expr size = sqrt(square(column(pose, 2)) + 1.0);
  const Expr x = column(points, 0), y = column(points, 1);
  const Expr u = (cos(angle) * x - sin(angle) * y) / size + column(pose, 3);
  const Expr v = (sin(angle) * x + cos(angle) * y) * size;
  return builder.finish({{"f", sum(square(u) + exp(v), {0}).id}});
}

TEST(ByRow, WhatOnlyRowsDecideIsComputedByRow) {
  const TapePtr t = turned(1000, 20);
  const TapePtr byRow = computeByRow(t);
  for (const Op op : {Op::Sin, Op::Cos, Op::Sqrt}) {
    EXPECT_EQ(elementsOf(t, op), 1000);
    EXPECT_EQ(elementsOf(byRow, op), 20);
  }
  EXPECT_EQ(elementsOf(byRow, Op::Exp), 1000);
  const Arrays inputs = {numbers(80), numbers(2000)};
  evaluate(t, inputs);
  evaluate(valueAndGrad(t, Positions{0, 1}), inputs);
  Arrays special = inputs;
  special[0][3] = NAN;
  special[0][9] = INFINITY;
  evaluate(valueAndGrad(t, Positions{0, 1}), special);
}

TEST(ByRow, LongTablesStayAsTheyAre) {
  const TapePtr t = turned(1000, 500);
  EXPECT_EQ(computeByRow(t), t);
}

/// Two tables by two lists of indices, matrices as rows, values that are the same in every lane.
TEST(ByRow, SeveralTables) {
  const std::int64_t lanes = 300;
  Builder builder;
  const Expr a{&builder, builder.input("a", {5, 3, 2})};
  const Expr b{&builder, builder.input("b", {7, 2, 3})};
  const Expr c{&builder, builder.input("c", {5})};
  const Expr scale{&builder, builder.input("s", {})};
  const Expr first = picks(builder, lanes, 5), second = picks(builder, lanes, 7);
  const Expr all = broadcastTo(exp(scale), {lanes, 3, 2});
  const Expr x = tanh(gather(a, first, 0) * all) +
                 broadcastTo(reshape(sin(gather(c, first, 0)), {lanes, 1, 1}), {lanes, 3, 2});
  const Expr y = exp(gather(b, second, 0));
  const Expr mixed =
      reshape(x, {lanes, 6}) * reshape(y, {lanes, 6}) + log(reshape(y * y, {lanes, 6}));
  const TapePtr t = builder.finish(
      {{"f", sum(square(batchMatmul(x, y)), {0, 1, 2}).id}, {"rows", sum(mixed, {1}).id}});
  EXPECT_NE(computeByRow(t), t);
  EXPECT_EQ(elementsOf(computeByRow(t), Op::Tanh), 30);
  const Arrays inputs = {numbers(30), numbers(42), numbers(5), {0.3}};
  evaluate(t, inputs);
  Arrays seeds = inputs;
  seeds.push_back({1});
  seeds.push_back(numbers(lanes));
  evaluate(vjp(t, Positions{0, 1, 2, 3}), seeds);
}

/// Indices that may be out of range are looked at first.
TEST(ByRow, CheckedRowsStayAsTheyAre) {
  Builder builder;
  const Expr table{&builder, builder.input("t", {5})};
  const Expr indices{&builder, builder.input("i", {100})};
  const TapePtr t = builder.finish({{"f", sum(sin(gather(table, indices, 0)), {0}).id}});
  EXPECT_EQ(computeByRow(t), t);
}

/// A diamond whose cheapest cut takes two edges of different paths.
TEST(MinCut, IsTheCheapestOfAll) {
  MinCut graph(6);
  graph.addEdge(0, 2, 10);
  graph.addEdge(0, 3, 3);
  graph.addEdge(2, 3, 4);
  graph.addEdge(2, 4, 2);
  graph.addEdge(3, 5, 9);
  graph.addEdge(4, 5, 20);
  graph.addEdge(5, 1, MinCut::kInfinite);
  const std::vector<bool> side = graph.solve(0, 1);
  // 0->3, 2->3 and 2->4: together 9, as much as 3->5 and 2->4 take 11.
  EXPECT_TRUE(side[0] && side[2]);
  EXPECT_FALSE(side[3] || side[4] || side[5] || side[1]);
}

}  // namespace
}  // namespace adjoint::testing

// Sparse Jacobians of sums of scatters, which are taken apart into their terms.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "test/support/block_jacobian_checks.h"

namespace adjoint::testing {
namespace {

using namespace ex;

/// The most instances that a block has.
std::int64_t lanesOf(const BlockJacobian& found) {
  std::int64_t lanes = 0;
  for (const JacobianBlock& block : found.blocks) lanes = std::max(lanes, block.lanes);
  return lanes;
}

Expr data(Builder& builder, Values values, const Shape& shape) {
  return {&builder, builder.data(std::move(values), shape)};
}

/// Flows along edges, which are what enters and leaves their ends.
struct Network {
  Builder builder;
  std::int64_t nodes, edges;
  Expr x, w, from, to, flow;

  Network(std::mt19937& random, std::int64_t nodeCount, std::int64_t edgeCount)
      : nodes(nodeCount), edges(edgeCount) {
    x = {&builder, builder.input("x", {nodes})};
    w = {&builder, builder.input("w", {edges})};
    from = randomIndices(builder, random, edges, nodes);
    to = randomIndices(builder, random, edges, nodes);
    flow = sin(gather(x, from, 0) - gather(x, to, 0)) * w;
  }
  Arrays inputs(std::mt19937& random) const {
    return {randomValues(random, nodes), randomValues(random, edges)};
  }
};

TEST(ScatterTerms, LanesAreThoseOfTheTerms) {
  std::mt19937 random(1);
  Network net(random, 40, 300);
  const Expr total =
      square(net.x) - scatterSum(net.from, net.flow, 0, 40) + scatterSum(net.to, net.flow, 0, 40);
  const TapePtr t = net.builder.finish({{"total", total.id}});
  const BlockJacobian found = check(t, {0}, net.inputs(random));
  expectSparse(found, found.pattern.columnIndex.size());
  EXPECT_EQ(found.blocks.size(), 2u);
  EXPECT_EQ(lanesOf(found), 300);
}

/// Where all nodes have the same number of edges, rows are as short as terms and need no adding up.
TEST(ScatterTerms, NotWhereRowsAreCheaper) {
  std::mt19937 random(9);
  const std::int64_t n = 50;
  Builder builder;
  const Expr x{&builder, builder.input("x", {n})};
  Values from, to;
  for (std::int64_t i = 0; i < n; ++i) {
    from.push_back(static_cast<double>(i * 7 % n));
    to.push_back(static_cast<double>((i * 7 + 1) % n));
  }
  const Expr a = data(builder, from, {n}), b = data(builder, to, {n});
  const Expr flow = gather(x, a, 0) * gather(x, b, 0);
  const Expr total = scatterSum(a, flow, 0, n) - scatterSum(b, flow, 0, n);
  const TapePtr t = builder.finish({{"total", total.id}});
  const BlockJacobian found = check(t, {0}, {randomValues(random, n)});
  expectSparse(found, static_cast<std::size_t>(3 * n));
  ASSERT_EQ(found.blocks.size(), 1u);
  EXPECT_EQ(found.blocks[0].outputs, 1);
}

/// Signs, factors that are no inputs of interest, other shapes, and scatters of scatters.
TEST(ScatterTerms, LinearOperationsOnSums) {
  std::mt19937 random(2);
  Network net(random, 24, 150);
  Builder& b = net.builder;
  const Expr own{&b, b.input("own", {24})};
  const Expr sums = scatterSum(net.from, net.flow, 0, 24);
  const Expr scaled = own * (3.0 - sums * 2.0) / (own + 1.0);
  const Expr halves = reshape(-(scaled - net.x) / 4.0, {4, 6});
  const Expr turned = flip(transpose(halves, {1, 0}), {0}) - reshape(net.x, {6, 4});
  const Expr padded = place(turned, {{1, 8, 1}, {0, 4, 1}}) * 0.5;
  const Expr twice = scatterSum(data(b, {0, 1, 1, 0, 2, 4, 2, 2}, {8}), padded, 0, 5) + 1.0;
  const Expr chosen = gather(reshape(twice, {20}), data(b, {3, 3, 19, 0, 5}, {5}), 0);
  const TapePtr t = b.finish({{"scaled", scaled.id},
                              {"turned", turned.id},
                              {"padded", padded.id},
                              {"twice", twice.id},
                              {"chosen", chosen.id},
                              {"parts", concat({reshape(sums, {4, 6}), halves}, 1).id}});
  Arrays inputs = net.inputs(random);
  inputs.push_back(randomValues(random, 24));
  const BlockJacobian found = check(t, {0}, inputs);
  EXPECT_EQ(denseBy(found), kNoNode);
  EXPECT_EQ(lanesOf(found), 150);
  // As an input of interest `own` makes a product of `scaled`: that one has lanes a row.
  check(t, {0, 1, 2}, inputs);
}

/// Tensors scattered along any axis, by indices of any shape.
TEST(ScatterTerms, AnyRank) {
  std::mt19937 random(3);
  for (const Shape& shape : {Shape{5}, Shape{5, 3}, Shape{2, 5, 3}, Shape{3, 2, 5}}) {
    for (const Shape& by : {Shape{}, Shape{7}, Shape{4, 3}}) {
      for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        Builder builder;
        Shape updates(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(axis));
        updates.insert(updates.end(), by.begin(), by.end());
        updates.insert(updates.end(), shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1,
                       shape.end());
        const Expr x{&builder, builder.input("x", updates)};
        const Expr y{&builder, builder.input("y", shape)};
        const Expr k{&builder, builder.input("k", {})};
        const Expr indices =
            reshape(randomIndices(builder, random, elementCount(by), shape[axis]), by);
        const Expr total =
            scatterSum(indices, exp(x) * k, static_cast<std::int64_t>(axis), shape[axis]) - y;
        const TapePtr t = builder.finish({{"total", total.id}});
        const Arrays inputs = {randomValues(random, elementCount(updates)),
                               randomValues(random, elementCount(shape)),
                               {0.7}};
        const BlockJacobian found = check(t, {0, 1, 2}, inputs);
        EXPECT_EQ(denseBy(found), kNoNode);
      }
    }
  }
}

/// Forces within elements, each of some nodes: instances with arrays inside.
TEST(ScatterTerms, AssembledElements) {
  std::mt19937 random(4);
  const std::int64_t n = 30, elements = 60, corners = 3;
  Builder builder;
  const Expr x{&builder, builder.input("x", {n, 2})};
  const Expr stiffness{&builder, builder.input("stiffness", {corners, corners})};
  const Expr at =
      reshape(randomIndices(builder, random, elements * corners, n), {elements, corners});
  const Expr own = gather(x, at, 0);
  const Expr strain = tanh(batchMatmul(broadcastTo(stiffness, {elements, corners, corners}), own));
  const Expr energy = reshape(sum(square(own), {1, 2}), {elements, 1, 1});
  const Expr force = strain * broadcastTo(energy, {elements, corners, 2});
  const TapePtr t = builder.finish({{"force", scatterSum(at, force, 0, n).id}});
  const Arrays inputs = {randomValues(random, n * 2), randomValues(random, corners * corners)};
  const BlockJacobian found = check(t, {0}, inputs);
  expectSparse(found, found.pattern.columnIndex.size());
  EXPECT_EQ(lanesOf(found), elements);
  check(t, {0, 1}, inputs);
}

/// A hub of which everything else is a neighbor.
TEST(ScatterTerms, LongRows) {
  std::mt19937 random(5);
  const std::int64_t n = 2000;
  Builder builder;
  const Expr x{&builder, builder.input("x", {n + 1})};
  Values leaves;
  for (std::int64_t i = 1; i <= n; ++i) leaves.push_back(static_cast<double>(i));
  const Expr leaf = data(builder, leaves, {n}), hub = data(builder, Values(leaves.size(), 0), {n});
  const Expr flow = exp(gather(x, leaf, 0) * gather(x, hub, 0));
  const Expr total = scatterSum(hub, flow, 0, n + 1) - scatterSum(leaf, flow, 0, n + 1);
  const TapePtr t = builder.finish({{"total", total.id}});
  const BlockJacobian found = blockJacobian(t, Positions{0});
  expectSparse(found, static_cast<std::size_t>(3 * n + 1));
  Values point = randomValues(random, n + 1);
  const Values values = evaluate(found.tape, {point})[0];
  double first = 0;
  for (std::size_t i = 1; i < point.size(); ++i) {
    const double slope = std::exp(point[0] * point[i]);
    first += slope * point[i];
    EXPECT_NEAR(values[i], slope * point[0], 1e-14 * slope);
  }
  EXPECT_NEAR(values[0], first, 1e-12 * first);
}

/// Few sums of many terms that all depend on the same are a matrix that is shorter than the terms.
TEST(ScatterTerms, NotWhereTheMatrixIsSmaller) {
  std::mt19937 random(6);
  Builder builder;
  const std::int64_t n = 20'000;
  const Expr k{&builder, builder.input("k", {3})};
  const Expr data{&builder, builder.input("data", {n})};
  const Expr term = sin(data * broadcastTo(ex::sliceAxis(k, 0, {0, 1, 1}), {n})) *
                    broadcastTo(ex::sliceAxis(k, 0, {1, 1, 1}), {n});
  const Expr bins = scatterSum(randomIndices(builder, random, n, 2), term, 0, 2);
  const TapePtr t = builder.finish({{"bins", bins.id}});
  const BlockJacobian found = blockJacobian(t, Positions{0});
  ASSERT_NE(denseBy(found), kNoNode);
  EXPECT_EQ(opOf(t->node(denseBy(found))), Op::ScatterSum);
  EXPECT_EQ(found.pattern.columnIndex.size(), 6u);
}

/// Where a term is dense, the whole is, because of the operation of the function itself.
TEST(ScatterTerms, DenseTermsNameTheirCause) {
  std::mt19937 random(7);
  Network net(random, 300, 900);
  const Expr all = linearRecurrence(full(net.x, 0.5), square(net.x), 0, false);
  const Expr total = all - 2.0 * scatterSum(net.from, net.flow, 0, 300);
  const TapePtr t = net.builder.finish({{"x", exp(net.x).id}, {"total", total.id}});
  const BlockJacobian found = check(t, {0}, net.inputs(random));
  ASSERT_NE(denseBy(found), kNoNode);
  EXPECT_EQ(opOf(t->node(denseBy(found))), Op::LinearRecurrence);
}

/// Sums that double their terms with every step are left as they are.
TEST(ScatterTerms, TooManyTerms) {
  std::mt19937 random(8);
  Network net(random, 8, 12);
  Expr sums = scatterSum(net.from, net.flow, 0, 8);
  for (int i = 0; i < 40; ++i) sums = flip(sums, {0}) * 0.25 + sums * 0.5;
  const TapePtr t = net.builder.finish({{"sums", sums.id}});
  check(t, {0}, net.inputs(random));
}

/// Random sums of random scatters.
TEST(ScatterTerms, RandomSums) {
  const auto seeds =
      static_cast<unsigned>(countFromEnvironment("ADJOINT_SEEDS", isInstrumented() ? 10 : 100));
  for (unsigned seed = 0; seed < seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto pick = [&](std::int64_t limit) {
      return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(limit));
    };
    const std::int64_t n = 1 + pick(12), m = 1 + pick(4), terms = 1 + pick(30);
    Builder builder;
    const Expr x{&builder, builder.input("x", {n, m})};
    const Expr factor{&builder, builder.input("factor", {n, m})};
    const auto scattered = [&](Expr from) {
      const Expr a = gather(from, randomIndices(builder, random, terms, n), 0);
      const Expr b = gather(from, randomIndices(builder, random, terms, n), 0);
      return scatterSum(randomIndices(builder, random, terms, n), sin(a) * b, 0, n);
    };
    std::vector<Expr> pool = {scattered(x)};
    const auto drawn = [&] { return pool[static_cast<std::size_t>(pick(std::ssize(pool)))]; };
    for (std::int64_t step = 2 + pick(10); step > 0; --step) {
      const auto made = [&]() -> Expr {
        switch (pick(13)) {
          case 0:
            return drawn() + drawn();
          case 1:
            return drawn() - scattered(x);
          case 2:
            return -drawn();
          case 3:
            return drawn() * factor;
          case 4:
            return drawn() / (factor + 1.0);
          case 5:
            return drawn() * 0.3 + cos(x);
          case 6:
            return transpose(reshape(drawn(), {m, n}), {1, 0});
          case 7:
            return flip(drawn(), {pick(2)});
          case 8:
            return scatterSum(randomIndices(builder, random, n, n), drawn(), 0, n);
          case 9:
            return scatterSum(randomIndices(builder, random, m, m), drawn(), 1, m);
          case 10:
            return gather(drawn(), randomIndices(builder, random, n, n), 0);
          case 11: {
            const std::int64_t start = pick(n);
            return place(sliceAxis(drawn(), 0, {start, n - start, 1}), {{start, n, 1}, {0, m, 1}});
          }
          default: {
            const Expr row = sliceAxis(drawn(), 0, {pick(n), 1, 1});
            return concat({drawn(), broadcastTo(row, {2, m})}, 0);
          }
        }
      };
      Expr next = made();
      if (next.shape() != x.shape()) next = sliceAxis(next, 0, {2, n, 1});
      pool.push_back(next);
    }
    const TapePtr t = builder.finish({{"a", drawn().id}, {"b", pool.back().id}});
    const Arrays inputs = {randomValues(random, n * m), randomValues(random, n * m)};
    const bool wasRight = !::testing::Test::HasFailure();
    check(t, {0}, inputs, 1e-12);
    check(t, {0, 1}, inputs, 1e-12);
    if (wasRight && ::testing::Test::HasFailure()) {
      ADD_FAILURE() << t->toString();
      break;
    }
  }
}

}  // namespace
}  // namespace adjoint::testing

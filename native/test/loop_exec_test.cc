// Loops over steps in time, against the same loops written here.
#include <gtest/gtest.h>

#include <cmath>

#include "ops/build.h"
#include "ops/loop.h"
#include "test/support/evaluator.h"
#include "test/support/numbers.h"

namespace adjoint::testing {
namespace {

using namespace ex;

std::shared_ptr<const CustomRule> rule(TapePtr step) {
  auto result = std::make_shared<CustomRule>();
  result->name = "step";
  result->primal = std::move(step);
  return result;
}

Expr at(Builder& builder, NodeId id) { return {&builder, id}; }

/// x' = c x + s, y' = x' - index; gives x and the row of y.
TapePtr accumulation(std::int64_t n, bool isIndexed) {
  Builder b;
  const Expr c = at(b, b.input("c", {}));
  const Expr x = at(b, b.input("x", {n}));
  const Expr s = at(b, b.input("s", {n}));
  const Expr i = isIndexed ? at(b, b.input("i", {})) : at(b, b.constant(3));
  const Expr next = c * x + s;
  return b.finish({{"x", next.id}, {"y", (next - i).id}});
}

TEST(LoopExec, StreamsResultsAndIndices) {
  for (const std::int64_t n : {1, 3, 8, 100}) {
    for (const std::int64_t length : {0, 1, 2, 63, 64, 65, 1000}) {
      for (const bool reverse : {false, true}) {
        Builder b;
        const NodeId c = b.input("c", {}), x = b.input("x", {n}), s = b.input("s", {length, n});
        LoopAttributes attributes;
        attributes.length = length;
        attributes.constants = attributes.carries = attributes.streams = 1;
        attributes.reverse = reverse;
        attributes.indexed = true;
        const NodeId operands[] = {c, x, s};
        const auto items = appendLoop(b, rule(accumulation(n, true)), attributes, operands);
        const TapePtr t = b.finish({{"x", items[0]}, {"y", items[1]}});
        const Values start = numbers(n), streams = numbers(length * n);
        const Arrays got = evaluate(t, {{0.75}, start, streams});
        Values state = start, rows(static_cast<std::size_t>(length * n));
        for (std::int64_t k = 0; k < length; ++k) {
          const std::int64_t row = reverse ? length - 1 - k : k;
          for (std::int64_t j = 0; j < n; ++j) {
            double& value = state[static_cast<std::size_t>(j)];
            const auto place = static_cast<std::size_t>(row * n + j);
            value = kFusedProducts ? std::fma(0.75, value, streams[place])
                                   : 0.75 * value + streams[place];
            rows[place] = value - static_cast<double>(row);
          }
        }
        EXPECT_TRUE(identical(got, {state, rows})) << n << " " << length << " " << reverse;
      }
    }
  }
}

/// More lengths of rows than machine code reads and writes in their places, two of most.
TEST(LoopExec, RowsOfManyLengths) {
  constexpr std::int64_t kLengths[] = {14, 9, 14, 16, 1, 11, 8, 33, 9, 13, 12};
  constexpr std::int64_t kSteps = 5;
  for (const bool reverse : {false, true}) {
    Builder step, b;
    std::vector<NodeId> operands;
    std::vector<Port> outputs;
    Arrays inputs, expected;
    const auto input = [&](const std::string& name, Shape inside, Shape outside) {
      operands.push_back(b.input(name, outside));
      inputs.push_back(numbers(elementCount(outside)));
      return at(step, step.input(name, inside));
    };
    const Expr c = input("c", {}, {});
    inputs[0] = {0.5};
    const Expr x = input("x", {14}, {14});
    std::vector<Expr> streams;
    for (const std::int64_t n : kLengths)
      streams.push_back(input("s" + std::to_string(streams.size()), {n}, {kSteps, n}));
    outputs.push_back({"x", (x + streams[0]).id});
    for (const Expr& stream : streams)
      outputs.push_back({"y" + std::to_string(outputs.size()), ((stream + c) * stream).id});
    outputs.push_back({"before", x.id});
    LoopAttributes attributes;
    attributes.length = kSteps;
    attributes.constants = attributes.carries = 1;
    attributes.streams = std::size(kLengths);
    attributes.reverse = reverse;
    const auto items = appendLoop(b, rule(step.finish(std::move(outputs))), attributes, operands);
    std::vector<Port> ports;
    for (const NodeId item : items) ports.push_back({"o" + std::to_string(item), item});
    Values state = inputs[1], before(14 * kSteps);
    for (std::int64_t k = 0; k < kSteps; ++k) {
      const auto row = static_cast<std::size_t>(reverse ? kSteps - 1 - k : k);
      for (std::size_t i = 0; i < 14; ++i) {
        before[row * 14 + i] = state[i];
        state[i] += inputs[2][row * 14 + i];
      }
    }
    expected.push_back(state);
    for (std::size_t i = 2; i < inputs.size(); ++i) {
      expected.push_back(inputs[i]);
      for (double& value : expected.back()) value = (value + 0.5) * value;
    }
    expected.push_back(before);
    EXPECT_TRUE(identical(evaluate(b.finish(std::move(ports)), inputs), expected)) << reverse;
  }
}

/// Up to five vectors, whole or not, with elements in each of them that leave the range where
/// functions are computed by the vectors themselves.
TEST(LoopExec, VectorsSideBySide) {
  for (std::int64_t n = 2; n <= 41; n += n < 19 ? 1 : 3) {
    Builder b;
    const Expr x = at(b, b.input("x", {n})), s = at(b, b.input("s", {4, n}));
    Builder step;
    const Expr state = at(step, step.input("x", {n})), row = at(step, step.input("s", {n}));
    const Expr next = tanh(state + row) * exp(row) + sigmoid(row * state);
    const TapePtr t =
        step.finish({{"x", next.id}, {"y", where(greater(row, state), log(row), sin(row)).id}});
    LoopAttributes attributes;
    attributes.length = 4;
    attributes.carries = attributes.streams = 1;
    const NodeId operands[] = {x.id, s.id};
    const auto items = appendLoop(b, rule(t), attributes, operands);
    const TapePtr loop = b.finish({{"x", items[0]}, {"y", items[1]}});
    Values rows = numbers(4 * n);
    const Arrays inside = evaluate(loop, {numbers(n), rows});
    const double wild[] = {-800, 1e300, -INFINITY, NAN};
    for (std::int64_t i = 0; i < n; ++i) {
      rows = numbers(4 * n);
      rows[static_cast<std::size_t>(n + i)] = wild[i % 4];
      const Arrays got = evaluate(loop, {numbers(n), rows});
      // Nobody else sees it.
      for (std::size_t k = 0; k < inside[1].size(); ++k) {
        if (k % static_cast<std::size_t>(n) == static_cast<std::size_t>(i)) continue;
        ASSERT_TRUE(identical(got[1][k], inside[1][k])) << n << " " << i << " " << k;
      }
    }
  }
}

/// Newton's iteration for the root of a, until it does not change by more than 1e-12.
TapePtr root(std::int64_t most) {
  Builder step;
  {
    const Expr a = at(step, step.input("a", {}));
    step.input("go", {}, DType::Bool);
    const Expr x = at(step, step.input("x", {}));
    const Expr next = (x + a / x) * 0.5;
    const Expr go = apply(Op::Greater, {abs(next - x), constant(x, 1e-12)});
    const TapePtr t = step.finish({{"go", go.id}, {"x", next.id}});
    Builder b;
    const NodeId input = b.input("a", {});
    LoopAttributes attributes;
    attributes.length = most;
    attributes.constants = 1;
    attributes.carries = 2;
    attributes.trips = LoopTrips::While;
    const Expr go0 = apply(Op::Greater, {at(b, input), constant(at(b, input), 0)});
    const NodeId operands[] = {input, go0.id, input};
    const auto items = appendLoop(b, rule(t), attributes, operands);
    return b.finish({{"x", items[1]}, {"steps", items[2]}});
  }
}

TEST(LoopExec, WhileEndsByItsCondition) {
  for (const double a : {2.0, 9.0, 1e6, 0.0, -1.0}) {
    double x = a, steps = 0;
    for (bool go = a > 0; go; ++steps) {
      const double next = (x + a / x) * 0.5;
      go = std::abs(next - x) > 1e-12;
      x = next;
    }
    EXPECT_TRUE(identical(evaluate(root(1000), {{a}}), {{x}, {steps}})) << a;
  }
}

TEST(LoopExec, TooManyStepsFail) {
  Evaluator evaluator(root(5));
  Arrays outputs;
  const RunStatus status = evaluator.tryRun({{1e6}}, outputs);
  EXPECT_FALSE(status.ok);
  EXPECT_EQ(status.code, ErrorCode::Limit);
  EXPECT_EQ(status.limit, 5);
  EXPECT_TRUE(evaluator.tryRun({{0}}, outputs).ok);
}

TEST(LoopExec, CountedStepsFillTheFirstRows) {
  for (const bool reverse : {false, true}) {
    Builder b;
    const NodeId c = b.input("c", {}), x = b.input("x", {2}), s = b.input("s", {9, 2});
    const NodeId count = b.input("count", {});
    LoopAttributes attributes;
    attributes.length = 9;
    attributes.constants = attributes.carries = attributes.streams = 1;
    attributes.trips = LoopTrips::Counted;
    attributes.reverse = reverse;
    const NodeId operands[] = {c, x, s, count};
    const auto items = appendLoop(b, rule(accumulation(2, false)), attributes, operands);
    Evaluator evaluator(b.finish({{"x", items[0]}}));
    const Values streams = numbers(18);
    for (std::int64_t count0 = 0; count0 <= 9; ++count0) {
      Values state = {1, 2};
      for (std::int64_t k = 0; k < count0; ++k) {
        const std::int64_t row = reverse ? count0 - 1 - k : k;
        for (std::size_t j = 0; j < 2; ++j)
          state[j] = 0.5 * state[j] + streams[static_cast<std::size_t>(2 * row) + j];
      }
      const Arrays got = evaluator({{0.5}, {1, 2}, streams, {static_cast<double>(count0)}});
      EXPECT_TRUE(identical(got, {state})) << count0 << " " << reverse;
    }
    for (const double wrong : {-1.0, 9.5, 10.0, std::nan("")}) {
      Arrays outputs;
      const RunStatus status = evaluator.tryRun({{0.5}, {1, 2}, streams, {wrong}}, outputs);
      EXPECT_EQ(status.code, ErrorCode::Limit) << wrong;
      EXPECT_FALSE(status.ok) << wrong;
    }
  }
}

/// Carries that a later loop reads backwards are not written out row by row.
TEST(LoopExec, CarriesAreKeptForALoopThatReadsThemBackwards) {
  constexpr std::int64_t kSteps = 200, kCells = 5;
  Builder first;
  const Expr x = at(first, first.input("x", {kCells}));
  const TapePtr forward = first.finish({{"x", (sin(x) * 1.5).id}, {"kept", x.id}});
  Builder second;
  const Expr bar = at(second, second.input("bar", {kCells}));
  const Expr old = at(second, second.input("old", {kCells}));
  const TapePtr backward = second.finish({{"bar", (bar * cos(old) * 1.5).id}});

  Builder b;
  const NodeId start = b.input("start", {kCells});
  LoopAttributes attributes;
  attributes.length = kSteps;
  attributes.carries = 1;
  const auto last = appendLoop(b, rule(forward), attributes, {&start, 1});
  attributes.streams = 1;
  attributes.reverse = true;
  const NodeId operands[] = {b.constant(1, {kCells}), last[1]};
  const auto bars = appendLoop(b, rule(backward), attributes, operands);
  const TapePtr t = b.finish({{"x", last[0]}, {"bar", bars[0]}});
  EXPECT_NE(makePlan(t)->toString().find("kept in"), std::string::npos);

  Arrays expected = {numbers(kCells), Values(kCells, 1)};
  std::vector<Values> states;
  for (std::int64_t k = 0; k < kSteps; ++k) {
    states.push_back(expected[0]);
    Builder one;
    const Expr v = at(one, one.input("x", {kCells}));
    expected[0] = evaluate(one.finish({{"y", (sin(v) * 1.5).id}}), {expected[0]})[0];
  }
  Builder one;
  const Expr barIn = at(one, one.input("bar", {kCells})), v = at(one, one.input("x", {kCells}));
  Evaluator step(one.finish({{"y", (barIn * cos(v) * 1.5).id}}));
  for (std::int64_t k = kSteps; k-- > 0;)
    expected[1] = step({expected[1], states[static_cast<std::size_t>(k)]})[0];
  EXPECT_TRUE(identical(evaluate(t, {numbers(kCells)}), expected));
}

TEST(LoopExec, LoopsWithinLoops) {
  // inner: x <- x + c, three times; outer: c <- 2 c, x <- inner.
  Builder inner;
  const Expr c = at(inner, inner.input("c", {})), x = at(inner, inner.input("x", {}));
  const TapePtr add = inner.finish({{"x", (x + c).id}});
  Builder outer;
  const NodeId oc = outer.input("c", {}), ox = outer.input("x", {});
  LoopAttributes attributes;
  attributes.length = 3;
  attributes.constants = attributes.carries = 1;
  const NodeId own[] = {oc, ox};
  const auto items = appendLoop(outer, rule(add), attributes, own);
  const TapePtr twice = outer.finish({{"c", (at(outer, oc) * 2.0).id}, {"x", items[0]}});
  Builder b;
  const NodeId start[] = {b.input("c", {}), b.input("x", {})};
  LoopAttributes four;
  four.length = 4;
  four.carries = 2;
  const auto last = appendLoop(b, rule(twice), four, start);
  const TapePtr t = b.finish({{"c", last[0]}, {"x", last[1]}});
  EXPECT_TRUE(identical(evaluate(t, {{1}, {0.5}}), {{16}, {45.5}}));
}

}  // namespace
}  // namespace adjoint::testing

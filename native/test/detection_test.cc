// Patterns of Jacobians and Hessians against derivatives, NaN and patterns known beforehand.
//
//   ADJOINT_RANDOM_PATTERNS=10000   how many random tapes (600 otherwise)
#include "sparsity/detection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "ops/build.h"
#include "ops/row.h"
#include "sparsity/block_jacobian.h"
#include "test/support/custom.h"
#include "test/support/detected.h"
#include "test/support/random_tapes.h"
#include "transform/copy.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Whether no operation passes numbers on with a derivative that is zero by its kind.
bool hasDerivativesOfAll(const Tape& t) {
  return std::ranges::none_of(t.nodes(), [](const Node& node) {
    const bool isStep = rowOf(node).family == Family::Select && node.dtype == DType::F64;
    return isStep || opOf(node) == Op::StopGradient || opOf(node) == Op::Custom;
  });
}

/// The function with the branches that it takes at a point: NaN in a condition would choose others,
/// which can be NaN by themselves.
TapePtr withBranchesAt(const TapePtr& t, const Arrays& inputs) {
  std::vector<Port> conditions;
  for (const Node& node : t->nodes()) {
    if (opOf(node) == Op::Where) conditions.push_back({"condition", node.operand[0]});
  }
  if (conditions.empty()) return t;
  Builder all(*t);
  const Arrays taken = evaluate(all.finish(std::move(conditions)), inputs);
  Builder builder;
  Copier copier(builder, *t);
  std::vector<NodeId> map(t->size(), kNoNode);
  std::size_t next = 0;
  for (NodeId id = 0; id < t->size(); ++id) {
    const Node& node = t->node(id);
    if (node.op == tapeop::kInput) {
      map[id] = builder.input(t->inputs()[node.attr].name, t->shape(node), node.dtype);
    } else if (opOf(node) == Op::Where) {
      const auto [condition, a, b] = node.operand;
      const NodeId operands[] = {builder.data(taken[next++], t->shape(condition), DType::Bool),
                                 map[a], map[b]};
      map[id] = copier.copy(node, operands);
    } else {
      map[id] = copier.copyMapped(node, map);
    }
    if (canFail(*t, node)) builder.check(map[id]);
  }
  std::vector<Port> outputs = t->outputs();
  for (Port& port : outputs) port.node = map[port.node];
  return builder.finish(std::move(outputs));
}

/// NaN in one element of an input reaches nothing outside of the pattern.
void expectNaNWithin(const TapePtr& t, const Positions& wrt, const Arrays& inputs,
                     const Entries& pattern) {
  Evaluator primal(withBranchesAt(t, inputs));
  Arrays clean, outputs;
  ASSERT_TRUE(primal.tryRun(inputs, clean).ok);
  Entries reached;
  std::int64_t column = 0;
  for (const std::size_t k : wrt) {
    for (std::size_t element = 0; element < inputs[k].size(); ++element, ++column) {
      Arrays probe = inputs;
      probe[k][element] = kNaN;
      if (!primal.tryRun(probe, outputs).ok) continue;  // an index
      std::int64_t row = 0;
      for (std::size_t o = 0; o < outputs.size(); ++o) {
        for (std::size_t i = 0; i < outputs[o].size(); ++i, ++row) {
          if (std::isnan(outputs[o][i]) && !std::isnan(clean[o][i])) reached.emplace(row, column);
        }
      }
    }
  }
  expectWithin(reached, pattern, "NaN");
}

Positions realInputs(const Tape& t) {
  Positions result;
  for (std::size_t i = 0; i < t.inputs().size(); ++i) {
    if (t.node(t.inputs()[i].node).dtype == DType::F64) result.push_back(i);
  }
  return result;
}

void checkJacobian(const TapePtr& t, const Positions& wrt, const Arrays& inputs) {
  const Entries everywhere = globalEntries(t, wrt);
  const Entries here = localEntries(t, wrt, inputs);
  const Entries nonzeros = nonzerosOf(t, wrt, inputs);
  expectWithin(here, everywhere, "local");
  expectWithin(nonzeros, here, "Jacobian");
  expectWithin(everywhere, entriesOf(blockJacobian(t, wrt).pattern), "of blocks");
  if (hasDerivativesOfAll(*t)) expectNaNWithin(t, wrt, inputs, everywhere);
}

void checkHessian(const TapePtr& t, const Positions& wrt, const Arrays& inputs) {
  const TapePtr slope = gradient(t, wrt);
  const Entries everywhere = globalEntries(t, wrt, PatternOf::Hessian);
  const Entries here = localEntries(t, wrt, inputs, PatternOf::Hessian);
  for (const auto& [row, column] : everywhere) EXPECT_TRUE(everywhere.contains({column, row}));
  expectWithin(here, everywhere, "local");
  expectWithin(nonzerosOf(slope, wrt, inputs), here, "Hessian");
}

TEST(Detection, RandomTapes) {
  const std::size_t count =
      countFromEnvironment("ADJOINT_RANDOM_PATTERNS", isInstrumented() ? 20 : 600);
  std::map<std::string, int> used;
  for (std::size_t seed = 1; seed <= count; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomTapeOptions options;
    options.maxNodes = seed % 4 == 0 ? 200 : 50;
    options.maxElements = 24;
    const RandomTape random = randomTape(1000000 + seed, options, &used);
    const Positions wrt = realInputs(*random.tape);
    checkJacobian(random.tape, wrt, random.inputs);
    const std::size_t scalar[] = {0};
    const TapePtr s = selectOutputs(random.tape, scalar);
    if (s->size() < 120) checkHessian(s, wrt, random.inputs);
    if (::testing::Test::HasFailure()) {
      ADD_FAILURE() << random.tape->toString();
      return;
    }
  }
  // Operations with a rule of dependence of their own; plans have three that tapes do not. Loops
  // are in loop_detection_test.cc.
  for (const Row& row : allRows()) {
    const bool isOne = row.kernel == nullptr && row.family != Family::Composite &&
                       row.family != Family::Leaf && row.op != Op::Lanes &&
                       row.op != Op::Interleave && row.op != Op::LaneMatMul && row.op != Op::Loop;
    if (isOne && count >= 400) {
      EXPECT_GE(used[row.name], 1) << row.name;
    }
  }
}

/// A function of one vector, and points.
struct Function {
  explicit Function(std::int64_t n) : x{&builder, builder.input("x", {n})} {}

  TapePtr finish(Expr y) { return builder.finish({{"y", y.id}}); }
  Expr indices(Values values) {
    const auto n = static_cast<std::int64_t>(values.size());
    return {&builder, builder.data(std::move(values), {n})};
  }

  Builder builder;
  Expr x;
};

Values someValues(std::int64_t n) {
  Values values;
  for (std::int64_t i = 0; i < n; ++i)
    values.push_back(1.25 + std::sin(static_cast<double>(3 * i + 1)));
  return values;
}

/// Detected for all points and for this one, and the derivatives that are not 0: all the same.
void expectExact(const TapePtr& t) {
  const Positions wrt = realInputs(*t);
  Arrays inputs;
  for (const std::size_t i : wrt) inputs.push_back(someValues(t->count(t->inputs()[i].node)));
  const Entries nonzeros = nonzerosOf(t, wrt, inputs);
  EXPECT_EQ(globalEntries(t, wrt), nonzeros);
  EXPECT_EQ(localEntries(t, wrt, inputs), nonzeros);
  expectNaNWithin(t, wrt, inputs, nonzeros);
}

TEST(Detection, MovementIsExact) {
  const auto check = [](auto make) {
    Function f(24);
    const Expr y = make(f, reshape(f.x, {2, 3, 4}));
    expectExact(f.finish(y));
  };
  check([](Function&, Expr x) { return transpose(x, {2, 0, 1}); });
  check([](Function&, Expr x) { return flip(x, {0, 2}); });
  check([](Function&, Expr x) { return slice(x, {{1, 1, 1}, {0, 2, 2}, {1, 2, 2}}); });
  check([](Function&, Expr x) { return place(x, {{1, 4, 2}, {0, 3, 1}, {2, 6, 1}}); });
  check([](Function&, Expr x) { return broadcastTo(sliceAxis(x, 0, {1, 1, 1}), {5, 3, 4}); });
  check([](Function&, Expr x) { return broadcastTo(sum(x, {0, 1, 2}), {2, 2}); });
  check([](Function&, Expr x) { return concat({x, flip(x, {1}), sin(x)}, 1); });
  check([](Function&, Expr x) {
    return concat({sum(x, {0, 1, 2}) * x, place(x, {{0, 2, 1}, {0, 3, 1}, {0, 4, 1}})}, 2);
  });
  check([](Function& f, Expr x) { return gather(x, f.indices({2, 0, 2}), 1); });
  check([](Function& f, Expr x) { return gather(x, f.indices({3, 3}), 2); });
  check([](Function& f, Expr x) { return scatterSum(f.indices({4, 1, 4}), x, 1, 5); });
  check([](Function& f, Expr x) { return scatterSum(f.indices({0, 2}), x, 0, 3); });
}

TEST(Detection, SumsAndProductsAreExact) {
  const auto check = [](auto make) {
    Function f(24);
    const Expr y = make(f, reshape(f.x, {2, 3, 4}));
    expectExact(f.finish(y));
  };
  check([](Function&, Expr x) { return sum(x, {1}); });
  check([](Function&, Expr x) { return sum(x, {0, 2}); });
  check([](Function&, Expr x) { return cumsum(x, 1, false); });
  check([](Function&, Expr x) { return cumsum(x, 0, true); });
  check([](Function&, Expr x) { return linearRecurrence(x, sin(x), 2, false); });
  check([](Function&, Expr x) { return linearRecurrence(sin(x), x, 1, true); });
  check([](Function&, Expr x) { return linearRecurrence(x, full(x, 1), 2, false); });
  check([](Function&, Expr x) { return linearRecurrence(full(x, 2), x, 2, true); });
  check([](Function&, Expr x) { return batchMatmul(x, transpose(x, {0, 2, 1})); });
  check([](Function& f, Expr x) {
    const Expr constant{&f.builder, f.builder.data(someValues(40), {2, 4, 5})};
    return batchMatmul(x, constant);
  });
  check([](Function& f, Expr x) {
    const Expr constant{&f.builder, f.builder.data(someValues(12), {2, 2, 3})};
    return batchMatmul(constant, x);
  });
}

TEST(Detection, ConstantConditionsAreKnown) {
  Function f(9);
  const Expr x = reshape(f.x, {3, 3});
  const Expr row = iota(f.builder, 0, {3, 3}), column = iota(f.builder, 1, {3, 3});
  expectExact(f.finish(apply(Op::Where, {apply(Op::Less, {row, column}), full(x, 0), x})));
}

TEST(Detection, WhatHasNoDerivativeCuts) {
  for (const Op op : {Op::Floor, Op::Sign, Op::Round, Op::StopGradient, Op::IsNan}) {
    Function f(3);
    EXPECT_TRUE(globalEntries(f.finish(apply(op, {f.x})), {0}).empty()) << rowOf(op).name;
  }
  Function f(3);
  const Expr order = apply(Op::ArgSort, {f.x}, {0});
  const Expr condition = apply(Op::Less, {f.x, sin(f.x)});
  const Expr y = apply(Op::Copysign, {full(f.x, 2), f.x}) + order +
                 apply(Op::Where, {condition, full(f.x, 1), full(f.x, 2)});
  EXPECT_TRUE(globalEntries(f.finish(y), {0}).empty());
}

/// Everywhere, and where it is known which way the function goes.
void expectPatterns(const TapePtr& t, const Arrays& inputs, const Entries& everywhere,
                    const Entries& here) {
  EXPECT_EQ(globalEntries(t, {0}), everywhere);
  EXPECT_EQ(localEntries(t, {0}, inputs), here);
  EXPECT_EQ(nonzerosOf(t, {0}, inputs), here);
}

TEST(Detection, BranchesAtAPoint) {
  const Arrays inputs = {{3, -1, 2, -5}};
  const Entries diagonal = {{0, 0}, {1, 1}, {2, 2}, {3, 3}};
  {
    Function f(4);
    const Expr y = apply(Op::Where, {greater(f.x, 0), sin(f.x), flip(f.x, {0})});
    Entries both = diagonal;
    both.insert({{0, 3}, {1, 2}, {2, 1}, {3, 0}});
    expectPatterns(f.finish(y), inputs, both, {{0, 0}, {1, 2}, {2, 2}, {3, 0}});
  }
  {
    Function f(4);
    expectPatterns(f.finish(relu(f.x)), inputs, diagonal, {{0, 0}, {2, 2}});
  }
  {
    Function f(4);
    const Expr y = max(f.x, flip(f.x, {0}));
    Entries both = diagonal;
    both.insert({{0, 3}, {1, 2}, {2, 1}, {3, 0}});
    expectPatterns(f.finish(y), inputs, both, {{0, 0}, {1, 2}, {2, 2}, {3, 0}});
  }
  {
    Function f(4);
    expectPatterns(f.finish(reduceMin(f.x, {0})), inputs, {{0, 0}, {0, 1}, {0, 2}, {0, 3}},
                   {{0, 3}});
    Function g(4);
    const Arrays tie = {{1, 4, 4, 2}};
    expectPatterns(g.finish(reduceMax(g.x, {0})), tie, {{0, 0}, {0, 1}, {0, 2}, {0, 3}},
                   {{0, 1}, {0, 2}});
  }
}

TEST(Detection, IndicesAtRunTime) {
  const Arrays inputs = {{3, -1, 2, -5, 0, 7}};
  Entries rows, columns, all;
  for (std::int64_t i = 0; i < 6; ++i) {
    for (std::int64_t j = 0; j < 6; ++j) {
      all.emplace(i, j);
      if (i / 3 == j / 3) rows.emplace(i, j);
      if (i % 3 == j % 3) columns.emplace(i, j);
    }
  }
  {
    Function f(6);
    const Expr y = gather(f.x, apply(Op::ArgSort, {f.x}, {0}), 0);
    expectPatterns(f.finish(y), inputs, all, {{0, 3}, {1, 1}, {2, 4}, {3, 2}, {4, 0}, {5, 5}});
  }
  // Of rows and of columns.
  for (const std::int64_t axis : {1, 0}) {
    Function f(6);
    const Expr y = apply(Op::Sort, {reshape(f.x, {2, 3})}, {axis});
    expectPatterns(f.finish(y), inputs, axis == 1 ? rows : columns,
                   axis == 1 ? Entries{{0, 1}, {1, 2}, {2, 0}, {3, 3}, {4, 4}, {5, 5}}
                             : Entries{{0, 3}, {1, 1}, {2, 2}, {3, 0}, {4, 4}, {5, 5}});
  }
  {
    Function f(6);
    const Expr indices = floor(abs(sliceAxis(f.x, 0, {0, 3, 1})));
    expectPatterns(f.finish(gather(sin(f.x), indices, 0)), inputs,
                   [&] {
                     Entries top;
                     for (const auto& [row, column] : all)
                       if (row < 3) top.emplace(row, column);
                     return top;
                   }(),
                   {{0, 3}, {1, 1}, {2, 2}});
  }
  {
    Function f(6);
    const Expr y = scatterSum(apply(Op::ArgSort, {f.x}, {0}), f.x, 0, 6);
    expectPatterns(f.finish(y), inputs, all, {{3, 0}, {1, 1}, {4, 2}, {2, 3}, {0, 4}, {5, 5}});
  }
}

/// Rows of two thirds of the elements each.
Entries entriesOfRows(std::int64_t perRow) {
  Entries result;
  for (std::int64_t row = 0; row < 2 * perRow; ++row) {
    for (std::int64_t k = 0; k < 3; ++k) result.emplace(row, row / perRow * 3 + k);
  }
  return result;
}

/// Lanes and rows do not mix, whatever the indices.
TEST(Detection, IndicesAtRunTimeStayWithinTheirRows) {
  const Arrays inputs = {{2, -1, 0.5, -2, 0, 1}};
  const auto indicesOf = [](Expr x) { return floor(abs(x)); };
  {
    Function f(6);
    const Expr x = reshape(f.x, {2, 3});
    const Expr indices = indicesOf(sliceAxis(x, 1, {0, 2, 1}));
    const TapePtr t = f.finish(apply(Op::TakeAlongAxis, {x, indices}, {1}));
    EXPECT_EQ(globalEntries(t, {0}), entriesOfRows(2));
    EXPECT_EQ(localEntries(t, {0}, inputs), (Entries{{0, 2}, {1, 1}, {2, 5}, {3, 3}}));
  }
  for (const bool isTwice : {false, true}) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {3})};
    const TapePtr sorted = builder.finish({{"y", apply(Op::Sort, {x}, {0}).id}});
    const TapePtr t = vmap(isTwice ? vmap(sorted, 1, {true}) : sorted, 2, {true});
    EXPECT_EQ(globalEntries(t, {0}), entriesOfRows(3));
  }
  {
    Builder builder;
    const Expr x{&builder, builder.input("x", {3})};
    const TapePtr spread = builder.finish({{"y", scatterSum(indicesOf(x), sin(x), 0, 4).id}});
    const TapePtr t = vmap(spread, 2, {true});
    EXPECT_EQ(globalEntries(t, {0}), entriesOfRows(4));
    EXPECT_EQ(localEntries(t, {0}, inputs),
              (Entries{{2, 0}, {1, 1}, {0, 2}, {6, 3}, {4, 4}, {5, 5}}));
  }
  // The derivative of a sort of rows scatters.
  {
    Function f(6);
    const TapePtr t = f.finish(sum(square(apply(Op::Sort, {reshape(f.x, {2, 3})}, {1})), {0, 1}));
    const Positions wrt = {0};
    EXPECT_EQ(globalEntries(gradient(t, wrt), wrt), entriesOfRows(3));
  }
}

/// Round forward, the identity backward; the second result has no derivative.
std::shared_ptr<const CustomRule> straightThrough() {
  auto rule = std::make_shared<CustomRule>();
  rule->name = "straightThrough";
  {
    Builder builder;
    const Expr x{&builder, builder.input("x", {3})};
    rule->primal =
        builder.finish({{"y", apply(Op::Round, {x}).id}, {"flag", toNumber(greater(x, 0)).id}});
  }
  Builder builder;
  builder.input("x", {3});
  const Expr dx{&builder, builder.input("dx", {3})};
  rule->jvp = builder.finish({{"dy", dx.id}, {"dflag", full(dx, 0).id}});
  return rule;
}

TEST(Detection, CustomRulesDecide) {
  Function f(3);
  const std::vector<Expr> results = callCustom(f.builder, straightThrough(), {f.x});
  const Expr flip = ex::flip(f.x, {0});
  // The flag's own derivative is 0, its value is not.
  const Expr chosen = apply(Op::Where, {greater(results[1], 0.5), full(f.x, 1), square(flip)});
  const TapePtr t = f.finish(results[0] + chosen);
  const Arrays inputs = {{2.25, -1, 1}};
  expectPatterns(t, inputs, {{0, 0}, {0, 2}, {1, 1}, {2, 0}, {2, 2}}, {{0, 0}, {1, 1}, {2, 2}});
}

TEST(Detection, CustomRulesOfAllKinds) {
  for (const auto& [hasJvp, hasVjp] :
       {std::pair(false, false), std::pair(true, false), std::pair(false, true)}) {
    Builder inner;
    const Expr a{&inner, inner.input("a", {3})}, b{&inner, inner.input("b", {3})};
    const TapePtr primal =
        inner.finish({{"y", (sin(a) * sliceAxis(concat({b, b}, 0), 0, {1, 3, 1})).id}});
    Function f(6);
    const auto y = callCustom(f.builder, makeRule(primal, hasJvp, hasVjp),
                              {sliceAxis(f.x, 0, {0, 3, 1}), sliceAxis(f.x, 0, {3, 3, 1})});
    expectExact(f.finish(y[0]));
  }
}

TEST(Detection, EqualSetsAreOne) {
  // Ten dense layers: each has but one set, whatever its length.
  const std::int64_t n = 700;
  Function f(n);
  Expr x = reshape(f.x, {1, 1, n});
  for (int layer = 0; layer < 10; ++layer) {
    const Expr weights{&f.builder, f.builder.data(someValues(n * n), {1, n, n})};
    x = tanh(batchMatmul(x, weights)) + x;
  }
  const auto found = detectPattern(f.finish(x), Positions{0});
  EXPECT_EQ(found.pattern.columnIndex.size(), static_cast<std::size_t>(n * n));
}

TEST(Detection, LongChains) {
  const std::int64_t n = 20000;
  Function f(n);
  Expr total{&f.builder, f.builder.constant(0)};
  for (std::int64_t i = 0; i < n; ++i)
    total = sin(total + reshape(sliceAxis(f.x, 0, {i, 1, 1}), {}));
  const TapePtr t = f.finish(total);
  EXPECT_EQ(detectPattern(t, Positions{0}).pattern.columnIndex.size(), static_cast<std::size_t>(n));
  const TapePtr last = [&] {
    Function g(400);
    Expr y = g.x;
    for (int i = 0; i < 400; ++i)
      y = sin(y + concat({sliceAxis(y, 0, {1, 399, 1}), sliceAxis(y, 0, {0, 1, 1})}, 0));
    return g.finish(y);
  }();
  EXPECT_EQ(detectPattern(last, Positions{0}).pattern.columnIndex.size(), 400u * 400u);
}

TEST(Detection, Limits) {
  Function f(300);
  const TapePtr t = f.finish(sum(f.x, {0}) * f.x);
  const auto codeOf = [&](const DetectionOptions& options) {
    try {
      detectPattern(t, Positions{0}, options);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::Native;
  };
  EXPECT_EQ(codeOf({.maxNonzeros = 90000 - 1}), ErrorCode::Limit);
  EXPECT_EQ(detectPattern(t, Positions{0}, {.maxNonzeros = 90000}).pattern.columnIndex.size(),
            90000u);
  const std::vector<Values> wrong = {{1, 2}};
  EXPECT_EQ(codeOf({.decisions = &wrong}), ErrorCode::Shape);
}

TEST(Detection, EmptyValues) {
  Function f(0);
  EXPECT_TRUE(globalEntries(f.finish(concat({f.x, sin(f.x)}, 0)), {0}).empty());
  Function g(3);
  const Expr none = slice(g.x, {{0, 0, 1}});
  EXPECT_TRUE(globalEntries(g.finish(sum(none, {0}) + sum(square(none), {0})), {0}).empty());
  Function h(4);
  EXPECT_TRUE(globalEntries(h.finish(sin(h.x)), {}).empty());
}

TEST(Detection, DenseLinesAndTheirCauses) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {80})}, s{&builder, builder.input("s", {})};
  const Expr total = sum(x, {0});
  const TapePtr t = builder.finish({{"y", (sin(total) * x).id}, {"z", (x * s).id}});
  const auto found = detectPattern(t, Positions{0, 1});
  ASSERT_EQ(found.dense.size(), 3u);
  EXPECT_FALSE(found.dense[1].areRows);
  EXPECT_EQ(found.dense[1].nonzeros, 81);
  // All of z.
  EXPECT_FALSE(found.dense[2].areRows);
  EXPECT_EQ(found.dense[2].first, 80);
  EXPECT_EQ(found.dense[2].nonzeros, 80);
  EXPECT_TRUE(found.dense[0].areRows);
  EXPECT_EQ(found.dense[0].first, 0);
  EXPECT_EQ(found.dense[0].count, 80);
  EXPECT_EQ(found.dense[0].nonzeros, 80);
  EXPECT_EQ(found.dense[0].op, code(Op::Sum));
  const std::size_t second[] = {1};
  const auto columns = detectPattern(selectOutputs(t, second), Positions{0, 1});
  ASSERT_EQ(columns.dense.size(), 1u);
  EXPECT_FALSE(columns.dense[0].areRows);
  EXPECT_EQ(columns.dense[0].first, 80);
  EXPECT_EQ(columns.dense[0].nonzeros, 80);
  EXPECT_EQ(columns.dense[0].op, code(Op::BroadcastTo));
}

TEST(Detection, LinesAreDenseByOneInput) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {80})}, y{&builder, builder.input("y", {80})};
  const TapePtr t = builder.finish({{"a", (sum(x, {0}) * x).id}, {"b", sin(y).id}});
  const auto found = detectPattern(t, Positions{0, 1});
  ASSERT_EQ(found.dense.size(), 2u);
  EXPECT_TRUE(found.dense[0].areRows);
  EXPECT_EQ(found.dense[0].count, 80);
  EXPECT_EQ(found.dense[0].op, code(Op::Sum));
  EXPECT_FALSE(found.dense[1].areRows);
  EXPECT_EQ(found.dense[1].count, 80);
}

}  // namespace
}  // namespace adjoint::testing

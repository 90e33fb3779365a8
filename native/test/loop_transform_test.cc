// Derivatives and lanes of loops, against the same steps written out, and by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "ops/build.h"
#include "test/support/custom.h"
#include "test/support/loops.h"
#include "test/support/print_parser.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;
using Positions = std::vector<std::size_t>;

/// One function with loops of fixed length, and where to evaluate it.
struct Case {
  std::string name;
  TapePtr tape;
  Arrays inputs;
};

Case recurrence(std::int64_t length, bool reverse) {
  Builder builder;
  const Expr a{&builder, builder.input("a", {})};
  const Expr x{&builder, builder.input("x", {2})};
  const Expr u{&builder, builder.input("u", {length, 2})};
  LoopAttributes attributes = loopOf(length, 1, 1, 1);
  attributes.reverse = reverse;
  const auto items = loop(attributes, {a, x, u}, [](const StepInputs& in) {
    const Expr next = in[0] * in[1] + in[2];
    return StepOutputs{next, next * in[2]};
  });
  const TapePtr tape = builder.finish({{"x", items[0].id}, {"y", items[1].id}});
  Arrays inputs = {{0.9}, {1.5, -0.25}, {}};
  for (std::int64_t i = 0; i < 2 * length; ++i) inputs[2].push_back(std::sin(1.0 + 3.0 * i));
  return {"recurrence", tape, inputs};
}

Case logistic(std::int64_t length) {
  Builder builder;
  const Expr r{&builder, builder.input("r", {})};
  const Expr x{&builder, builder.input("x", {})};
  const LoopAttributes attributes = loopOf(length, 1, 1);
  const auto items = loop(attributes, {r, x}, [](const StepInputs& in) {
    return StepOutputs{in[0] * in[1] * (1.0 - in[1])};
  });
  return {"logistic", builder.finish({{"x", items[0].id}}), {{3.7}, {0.3}}};
}

/// Two carries, of which one's initial value is a constant, rows of a result that are a carry's,
/// the index, and a carry nothing is made of.
Case mixedCarries() {
  Builder builder;
  const Expr x{&builder, builder.input("x", {3})};
  const Expr w{&builder, builder.input("w", {3})};
  const Expr zero{&builder, builder.constant(0)};
  LoopAttributes attributes = loopOf(4, 1, 3);
  attributes.indexed = true;
  const auto items = loop(attributes, {w, x, zero, zero}, [](const StepInputs& in) {
    const Expr next = sin(in[1]) * in[0] + in[4] * in[2];
    return StepOutputs{next, in[2] + sum(square(in[1]), {0}), in[3] + 1.0, in[1], in[4] * in[3]};
  });
  return {"mixed carries",
          builder.finish({{"a", items[0].id},
                          {"b", items[1].id},
                          {"c", items[2].id},
                          {"rows", items[3].id},
                          {"counts", items[4].id}}),
          {{0.5, -1.0, 2.0}, {0.25, 0.75, -0.5}}};
}

/// The harmonic oscillator with friction k, by Runge and Kutta's method.
Case rungeKutta(std::int64_t length) {
  Builder builder;
  const Expr k{&builder, builder.input("k", {})};
  const Expr p{&builder, builder.input("p", {})};
  const Expr v{&builder, builder.input("v", {})};
  const LoopAttributes attributes = loopOf(length, 1, 2);
  const auto items = loop(attributes, {k, p, v}, [](const StepInputs& in) {
    const double h = 0.125;
    const auto slope = [&](Expr q, Expr s) { return -q - in[0] * s * s; };
    const Expr p1 = in[2], v1 = slope(in[1], in[2]);
    const Expr p2 = in[2] + v1 * (h / 2), v2 = slope(in[1] + p1 * (h / 2), p2);
    const Expr p3 = in[2] + v2 * (h / 2), v3 = slope(in[1] + p2 * (h / 2), p3);
    const Expr p4 = in[2] + v3 * h, v4 = slope(in[1] + p3 * h, p4);
    const Expr np = in[1] + (p1 + (p2 + p3) * 2.0 + p4) * (h / 6);
    const Expr nv = in[2] + (v1 + (v2 + v3) * 2.0 + v4) * (h / 6);
    return StepOutputs{np, nv, np};
  });
  return {"Runge-Kutta",
          builder.finish({{"p", items[0].id}, {"v", items[1].id}, {"path", items[2].id}}),
          {{0.2}, {1.0}, {0.5}}};
}

/// A loop within the step of another that reads the other's carry, constant and stream.
Case nested() {
  Builder builder;
  const Expr a{&builder, builder.input("a", {})};
  const Expr x{&builder, builder.input("x", {})};
  const Expr u{&builder, builder.input("u", {3})};
  const LoopAttributes outer = loopOf(3, 1, 1, 1);
  const auto items = loop(outer, {a, x, u}, [](const StepInputs& in) {
    const LoopAttributes inner = loopOf(2, 2, 1);
    const auto within = loop(inner, {in[0], in[2], in[1]}, [](const StepInputs& deep) {
      return StepOutputs{tanh(deep[0] * deep[2]) + deep[1], deep[2] * deep[0]};
    });
    return StepOutputs{within[0], sum(within[1], {0})};
  });
  return {"nested",
          builder.finish({{"x", items[0].id}, {"rows", items[1].id}}),
          {{1.25}, {0.5}, {0.1, -0.2, 0.3}}};
}

/// One step with everything constant to it: a checkpointed function.
Case checkpointed() {
  Builder builder;
  const Expr x{&builder, builder.input("x", {2})};
  const Expr y{&builder, builder.input("y", {2})};
  const LoopAttributes attributes = loopOf(1, 2);
  const auto items = loop(attributes, {x, y}, [](const StepInputs& in) {
    return StepOutputs{exp(sin(in[0] * in[1])) / in[1]};
  });
  return {"checkpointed",
          builder.finish({{"z", reshape(items[0], {2}).id}}),
          {{0.5, 2.0}, {1.5, -0.5}}};
}

/// A step that reads two rows of a table, and all of a vector through two views that overlap.
Case slices(std::int64_t length) {
  Builder builder;
  const Expr table{&builder, builder.input("table", {3, 2, 2})};
  const Expr whole{&builder, builder.input("whole", {3})};
  const Expr x{&builder, builder.input("x", {2})};
  const auto items = loop(loopOf(length, 2, 1), {table, whole, x}, [](const StepInputs& in) {
    const auto row = [&](std::int64_t i, std::int64_t k) {
      return reshape(slice(in[0], {{i, 1, 1}, {k, 1, 1}, {0, 2, 1}}), {2});
    };
    const Expr value = tanh(in[2] * row(0, 1) + row(2, 0)) * exp(row(0, 1));
    return StepOutputs{in[2] * slice(in[1], {{0, 2, 1}}) + value + slice(in[1], {{1, 2, 1}})};
  });
  return {"slices",
          builder.finish({{"x", items[0].id}}),
          {{0.5, -1, 0.25, 0.75, 1, 2, 3, 4, -0.5, 0.125, 5, 6}, {0.3, -0.2, 0.6}, {0.1, 0.9}}};
}

std::vector<Case> cases() {
  std::vector<Case> result = {recurrence(5, false),
                              recurrence(5, true),
                              recurrence(0, false),
                              recurrence(1, true),
                              logistic(6),
                              logistic(0),
                              mixedCarries(),
                              rungeKutta(3),
                              nested(),
                              checkpointed(),
                              slices(4)};
  return result;
}

/// Numbers for the inputs of a derivative after the function's own.
Arrays withSeeds(const Tape& t, Arrays inputs) {
  for (std::size_t i = inputs.size(); i < t.inputs().size(); ++i) {
    Values seed;
    for (std::int64_t k = 0; k < t.count(t.inputs()[i].node); ++k)
      seed.push_back(std::cos(static_cast<double>(7 * i + 3) + 2.0 * static_cast<double>(k)));
    inputs.push_back(seed);
  }
  return inputs;
}

using Transform = std::function<TapePtr(const TapePtr&)>;

TapePtr pushed(const TapePtr& t) { return jvp(t, allInputs(*t)); }
TapePtr pulled(const TapePtr& t) { return vjp(t, allInputs(*t)); }
/// Along the inputs of a function that are not boolean, lanes at inputs of odd position alone.
TapePtr lanes(const TapePtr& t) {
  std::vector<bool> batched;
  for (std::size_t i = 0; i < t->inputs().size(); ++i) batched.push_back(i % 2 == 1);
  return vmap(t, 3, batched);
}
TapePtr allLanes(const TapePtr& t) {
  return vmap(t, 2, std::vector<bool>(t->inputs().size(), true));
}

const std::vector<std::pair<std::string, Transform>> kTransforms = {
    {"itself", [](const TapePtr& t) { return t; }},
    {"jvp", pushed},
    {"vjp", pulled},
    {"jvp of vjp", [](const TapePtr& t) { return pushed(pulled(t)); }},
    {"vjp of vjp", [](const TapePtr& t) { return pulled(pulled(t)); }},
    {"vjp of jvp", [](const TapePtr& t) { return pulled(pushed(t)); }},
    {"vmap", lanes},
    {"vmap of all", allLanes},
    {"vmap of jvp", [](const TapePtr& t) { return lanes(pushed(t)); }},
    {"vmap of vjp", [](const TapePtr& t) { return lanes(pulled(t)); }},
    {"vjp of vmap", [](const TapePtr& t) { return pulled(lanes(t)); }},
    {"vmap of vmap", [](const TapePtr& t) { return allLanes(lanes(t)); }},
    {"vmap of jvp of vjp", [](const TapePtr& t) { return lanes(pushed(pulled(t))); }},
};

/// Values of inputs of any shapes.
Arrays fitted(const Tape& t, const Arrays& inputs) {
  Arrays result;
  for (std::size_t i = 0; i < t.inputs().size() && i < inputs.size(); ++i) {
    Values values;
    const auto count = static_cast<std::size_t>(t.count(t.inputs()[i].node));
    for (std::size_t k = 0; k < count; ++k) {
      const std::size_t n = inputs[i].size();
      values.push_back(inputs[i][k % n] + 0.03125 * static_cast<double>(k / n));
    }
    result.push_back(values);
  }
  return withSeeds(t, result);
}

/// Every transform of a loop is that of its steps written out.
TEST(LoopTransform, AsUnrolled) {
  for (const Case& c : cases()) {
    for (const auto& [name, transform] : kTransforms) {
      SCOPED_TRACE(c.name + ", " + name);
      const TapePtr ofLoop = transform(c.tape);
      const TapePtr ofSteps = transform(unrolled(c.tape));
      const Arrays inputs = fitted(*ofLoop, c.inputs);
      const Arrays got = run(ofLoop, inputs);
      EXPECT_LE(largestError(got, *ofSteps, inputs), 1);
      EXPECT_LE(largestError(got, *ofLoop, inputs), 1);
    }
  }
}

/// Inputs of one lane.
Arrays ofLane(const Tape& t, const Arrays& all, std::size_t lane) {
  Arrays result;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto size = static_cast<std::size_t>(t.count(t.inputs()[i].node));
    const auto first = all[i].begin() + static_cast<std::ptrdiff_t>(lane * size);
    result.emplace_back(first, first + static_cast<std::ptrdiff_t>(size));
  }
  return result;
}

/// Lanes of a function, and transforms of its lanes, are what it gives for each.
void expectLanesAlone(const TapePtr& tape, const Arrays& all, std::size_t lanes) {
  const auto batch = [&](const TapePtr& t) {
    return vmap(t, static_cast<std::int64_t>(lanes), std::vector<bool>(t->inputs().size(), true));
  };
  for (const auto& [name, transform] : kTransforms) {
    if (name.starts_with("vmap") || name.ends_with("vmap")) continue;
    SCOPED_TRACE(name);
    const TapePtr one = transform(tape);
    const TapePtr inner = batch(one);
    const TapePtr outer = transform(batch(tape));
    const Arrays inputs = withSeeds(*inner, all);
    const Arrays got = run(inner, inputs);
    const Arrays same = run(outer, inputs);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const Arrays expected = run(one, ofLane(*one, inputs, lane));
      for (std::size_t i = 0; i < expected.size(); ++i) {
        for (std::size_t k = 0; k < expected[i].size(); ++k) {
          const std::size_t at = lane * expected[i].size() + k;
          EXPECT_EQ(got[i][at], expected[i][k]) << lane << " " << i << " " << k;
          EXPECT_DOUBLE_EQ(same[i][at], expected[i][k]) << lane << " " << i << " " << k;
        }
      }
    }
  }
}

/// The square root of a by Newton's method until two steps agree to 2^-40, and how many it took;
/// the same for as many steps as given.
TapePtr newton(LoopTrips trips, std::int64_t length) {
  Builder builder;
  const Expr a{&builder, builder.input("a", {})};
  const Expr go{&builder, builder.constant(1, {}, DType::Bool)};
  LoopAttributes attributes = loopOf(length, 1, 2);
  attributes.trips = trips;
  const auto items = loop(attributes, {a, go, a}, [](const StepInputs& in) {
    const Expr next = (in[2] + in[0] / in[2]) * 0.5;
    return StepOutputs{apply(Op::Greater, {abs(next - in[2]), constant(next, 0x1p-40)}), next};
  });
  std::vector<Port> ports{{"root", items[1].id}};
  if (trips == LoopTrips::While) ports.push_back({"steps", items[2].id});
  return builder.finish(std::move(ports));
}

TEST(LoopTransform, WhileIsAsManySteps) {
  const TapePtr tape = newton(LoopTrips::While, 60);
  const Arrays got = run(tape, {{2}});
  EXPECT_LE(std::abs(got[0][0] - std::sqrt(2.0)), 0x1p-52);
  EXPECT_EQ(got[1][0], 6);
  const TapePtr root = selectOutputs(tape, Positions{0});
  const TapePtr steps = unrolled(newton(LoopTrips::Fixed, 6));
  for (const auto& [name, transform] : kTransforms) {
    if (name.find("vmap") != std::string::npos) continue;
    SCOPED_TRACE(name);
    const TapePtr t = transform(root);
    const Arrays inputs = fitted(*t, {{2}});
    EXPECT_LE(largestError(run(t, inputs), *transform(steps), inputs), 1);
  }
}

TEST(LoopTransform, WhileLanesEndByThemselves) {
  expectLanesAlone(newton(LoopTrips::While, 60), {{2, 1e6, 1, 0.01}}, 4);
  // The same, within the lanes of lanes.
  const TapePtr t = vmap(newton(LoopTrips::While, 60), 2, {true});
  expectLanesAlone(t, {{2, 1e6, 1, 0.01}}, 2);
}

/// Steps of x -> x/2 or 3x+1 to 1.
TEST(LoopTransform, CollatzCounts) {
  Builder builder;
  const Expr n{&builder, builder.input("n", {})};
  const Expr go = apply(Op::NotEqual, {n, constant(n, 1)});
  LoopAttributes attributes = loopOf(1000, 0, 2);
  attributes.trips = LoopTrips::While;
  const auto items = loop(attributes, {go, n}, [](const StepInputs& in) {
    const Expr half = in[1] * 0.5;
    const Expr isEven = apply(Op::Equal, {half, floor(half)});
    const Expr next = apply(Op::Where, {isEven, half, in[1] * 3.0 + 1.0});
    return StepOutputs{apply(Op::NotEqual, {next, constant(next, 1)}), next};
  });
  const TapePtr tape = builder.finish({{"last", items[1].id}, {"steps", items[2].id}});
  EXPECT_TRUE(identical(run(tape, {{27}}), {{1}, {111}}));
  EXPECT_TRUE(identical(run(vmap(tape, 5, {true}), {{1, 2, 6, 27, 97}}),
                        {{1, 1, 1, 1, 1}, {0, 1, 8, 111, 118}}));
  // 27 -> 41 threes and 70 halves; the number of steps has no derivative.
  const Arrays got = run(pulled(tape), {{27}, {1}, {5}});
  EXPECT_EQ(got[2][0], std::pow(3.0, 41) * 0x1p-70);
  Arrays outputs;
  EXPECT_FALSE(SteppingEvaluator(tape).tryRun({{-1}}, outputs));
}

/// A lane that is done would make NaN of its carry.
TEST(LoopTransform, DoneLanesAreNotLookedAt) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {})};
  const Expr go = apply(Op::Greater, {x, constant(x, 1)});
  LoopAttributes attributes = loopOf(20, 0, 2);
  attributes.trips = LoopTrips::While;
  const auto items = loop(attributes, {go, x}, [](const StepInputs& in) {
    const Expr next = sqrt(in[1] - 1.0);
    return StepOutputs{apply(Op::Greater, {next, constant(next, 1)}), next};
  });
  const TapePtr tape = builder.finish({{"y", items[1].id}});
  EXPECT_EQ(run(pulled(tape), {{0.5}, {1}})[1][0], 1);
  expectLanesAlone(tape, {{0.5, 3, 40, 0.9, 1e5}}, 5);
}

/// y is the sum of the first `count` rows' squares, in their order or backwards, and rows.
TapePtr counted(bool reverse) {
  Builder builder;
  const Expr w{&builder, builder.input("w", {})};
  const Expr x{&builder, builder.input("x", {5})};
  const Expr count{&builder, builder.input("count", {})};
  LoopAttributes attributes = loopOf(5, 1, 1, 1);
  attributes.trips = LoopTrips::Counted;
  attributes.reverse = reverse;
  attributes.indexed = reverse;
  const Expr zero{&builder, builder.constant(0)};
  const auto items = loop(attributes, {w, zero, x, count}, [](const StepInputs& in) {
    const Expr next = in[1] * in[0] + square(in[2]);
    return StepOutputs{next, in.size() > 3 ? next * in[3] : next * in[0]};
  });
  const Expr row = iota(builder, 0, {5});
  const Expr taken = apply(Op::Less, {row, count});
  const Expr rows = apply(Op::Where, {taken, items[1], full(items[1], 0)});
  return builder.finish({{"y", items[0].id}, {"rows", rows.id}});
}

TEST(LoopTransform, CountedIsAsManySteps) {
  for (const bool reverse : {false, true}) {
    const TapePtr tape = counted(reverse);
    const Arrays got = run(tape, {{2}, {1, 2, 3, 4, 5}, {3}});
    EXPECT_TRUE(identical(
        got, reverse ? Arrays{{45}, {0, 22, 18, 0, 0}} : Arrays{{21}, {2, 12, 42, 0, 0}}));
    // dy/dw, dy/dx and nothing of rows that were not read.
    const Arrays bars =
        run(vjp(tape, Positions{0, 1}), {{2}, {1, 2, 3, 4, 5}, {3}, {1}, {0, 0, 0, 0, 0}});
    EXPECT_TRUE(identical({bars[2], bars[3]},
                          reverse ? Arrays{{40}, {2, 8, 24, 0, 0}} : Arrays{{8}, {8, 8, 6, 0, 0}}));
    EXPECT_EQ(run(vjp(tape, Positions{0, 1}), {{2}, {1, 2, 3, 4, 5}, {0}, {1}, Values(5, 1)})[2][0],
              0);
    // As lanes of different counts, none and all among them.
    const TapePtr inner = vjp(tape, Positions{0, 1});
    const std::vector<bool> all(5, true);
    for (const TapePtr& one : {tape, inner, jvp(tape, Positions{0, 1}),
                               jvp(inner, Positions{0, 1, 3}), vjp(inner, Positions{0, 1, 4})}) {
      const TapePtr batch = vmap(one, 4, std::vector<bool>(one->inputs().size(), true));
      Arrays inputs = fitted(*batch, {{2, 0.5, -1, 3}, {1, 2, 3, 4, 5, -1, 7}, {0}});
      inputs[2] = {3, 0, 5, 1};
      const Arrays lanesGot = run(batch, inputs);
      for (std::size_t lane = 0; lane < 4; ++lane) {
        const Arrays expected = run(one, ofLane(*one, inputs, lane));
        for (std::size_t i = 0; i < expected.size(); ++i) {
          for (std::size_t k = 0; k < expected[i].size(); ++k)
            EXPECT_EQ(lanesGot[i][lane * expected[i].size() + k], expected[i][k]);
        }
      }
    }
    Arrays outputs;
    for (const double bad : {-1.0, 6.0, 2.5, std::nan("")}) {
      EXPECT_FALSE(SteppingEvaluator(tape).tryRun({{2}, {1, 2, 3, 4, 5}, {bad}}, outputs));
      EXPECT_FALSE(SteppingEvaluator(vmap(tape, 2, {false, false, true}))
                       .tryRun({{2}, {1, 2, 3, 4, 5}, {3, bad}}, outputs));
    }
  }
}

/// x > 0 ? sqrt(x) : 3x as two loops of at most one step.
TapePtr conditional() {
  Builder builder;
  const Expr x{&builder, builder.input("x", {})};
  const Expr isPositive = apply(Op::Greater, {x, constant(x, 0)});
  LoopAttributes attributes = loopOf(1, 1, 1);
  attributes.trips = LoopTrips::Counted;
  const Expr zero{&builder, builder.constant(0)};
  const Expr first = loop(attributes, {x, zero, apply(Op::ToNumber, {isPositive})},
                          [](const StepInputs& in) { return StepOutputs{sqrt(in[0])}; })[0];
  const Expr otherwise = apply(Op::ToNumber, {apply(Op::LogicalNot, {isPositive})});
  const Expr second = loop(attributes, {x, first, otherwise},
                           [](const StepInputs& in) { return StepOutputs{in[0] * 3.0}; })[0];
  return builder.finish({{"y", second.id}});
}

TEST(LoopTransform, BranchesNotTakenHaveNoDerivative) {
  const TapePtr tape = conditional();
  EXPECT_TRUE(identical(run(pulled(tape), {{0}, {1}}), {{0}, {3}}));
  EXPECT_TRUE(identical(run(pulled(tape), {{4}, {1}}), {{2}, {0.25}}));
  EXPECT_TRUE(identical(run(pushed(tape), {{0}, {1}}), {{0}, {3}}));
  EXPECT_EQ(run(pulled(pulled(tape)), {{0}, {1}, {0}, {1}})[2][0], 0);
  expectLanesAlone(tape, {{0, 4, -2, 0.25}}, 4);
}

std::size_t countOf(const Tape& t, Op op) {
  return static_cast<std::size_t>(
      std::ranges::count_if(t.nodes(), [&](const Node& node) { return opOf(node) == op; }));
}

std::vector<NodeId> loopsOf(const Tape& t) {
  std::vector<NodeId> result;
  for (NodeId id = 0; id < t.size(); ++id) {
    if (opOf(t.node(id)) == Op::Loop) result.push_back(id);
  }
  return result;
}

/// That there are two loops of opposite directions, and how many rows of results of the first, each
/// a carry's, are streams of the second and go nowhere else.
std::size_t pairedStreams(const Tape& t) {
  const std::vector<NodeId> loops = loopsOf(t);
  EXPECT_EQ(loops.size(), 2u) << t.toString();
  if (loops.size() != 2) return 0;
  const LoopAttributes first = LoopAttributes::read(t, t.node(loops[0]));
  const LoopAttributes second = LoopAttributes::read(t, t.node(loops[1]));
  EXPECT_NE(first.reverse, second.reverse);
  EXPECT_EQ(first.length, second.length);
  const auto operands = t.operands(t.node(loops[1]));
  const std::size_t firstStream = second.constants + second.carries;
  std::size_t count = 0;
  for (std::size_t i = firstStream; i < second.inputs(); ++i) {
    const Node& stream = t.node(operands[i]);
    if (opOf(stream) != Op::Item || stream.operand[0] != loops[0]) continue;
    const Tape& step = *t.rule(first.rule).primal;
    const NodeId output = step.outputs()[static_cast<std::size_t>(t.attrs(stream)[0])].node;
    bool isCarry = false;
    for (std::size_t k = 0; k < first.carries; ++k)
      isCarry = isCarry || step.inputs()[first.constants + k].node == output;
    EXPECT_TRUE(isCarry);
    for (NodeId id = 0; id < t.size(); ++id) {
      const auto others = t.operands(t.node(id));
      EXPECT_TRUE(id == loops[1] || std::ranges::find(others, operands[i]) == others.end());
    }
    ++count;
  }
  return count;
}

/// What a plan relies on (docs/design/0026).
TEST(LoopTransform, PairsStayPairs) {
  const TapePtr one = valueAndGrad(logistic(6).tape, Positions{0, 1});
  EXPECT_EQ(pairedStreams(*one), 1u);
  EXPECT_EQ(pairedStreams(*jvp(one, Positions{0, 1})), 2u);
  EXPECT_EQ(pairedStreams(*lanes(one)), 1u);
  EXPECT_EQ(pairedStreams(*allLanes(lanes(one))), 1u);
  EXPECT_EQ(pairedStreams(*lanes(jvp(one, Positions{0, 1}))), 2u);
  EXPECT_EQ(pairedStreams(*jvp(lanes(one), Positions{0, 1})), 2u);
  const TapePtr two =
      valueAndGrad(selectOutputs(newton(LoopTrips::While, 60), Positions{0}), Positions{0});
  EXPECT_EQ(pairedStreams(*two), 1u);
  const TapePtr many = allLanes(two);
  EXPECT_EQ(pairedStreams(*many), 1u);
  // The second takes as many steps as the first, which nobody has to check.
  const Node& second = many->node(loopsOf(*many)[1]);
  const Node& count = many->node(many->operands(second).back());
  EXPECT_EQ(opOf(count), Op::Item);
  EXPECT_EQ(count.operand[0], loopsOf(*many)[0]);
  EXPECT_EQ(many->checks().size(), 1u);
}

/// Of a loop that no derivative goes through there is but the loop; of carries that none goes
/// through, nothing is kept.
TEST(LoopTransform, OnlyWhatIsActive) {
  const TapePtr t = mixedCarries().tape;
  const TapePtr a = vjp(selectOutputs(t, Positions{2}), Positions{0, 1});
  EXPECT_EQ(loopsOf(*a).size(), 1u);
  EXPECT_EQ(LoopAttributes::read(*a, a->node(loopsOf(*a)[0])).carries, 3u);
  const TapePtr b = jvp(t, Positions{1});
  EXPECT_EQ(LoopAttributes::read(*b, b->node(loopsOf(*b)[0])).carries, 5u);
  const TapePtr linear = selectOutputs(recurrence(5, false).tape, Positions{0});
  EXPECT_EQ(pairedStreams(*vjp(linear, Positions{1, 2})), 0u);
}

/// Two derivatives of one function have one loop, and the same print means the same node.
TEST(LoopTransform, EqualLoopsAreOne) {
  const TapePtr t = logistic(6).tape;
  Builder builder;
  std::vector<NodeId> arguments{builder.input("r", {}), builder.input("x", {}),
                                builder.constant(1)};
  const auto first = inlineTape(builder, *pulled(t), arguments);
  const auto second = inlineTape(builder, *pulled(t), arguments);
  EXPECT_EQ(first, second);
  EXPECT_EQ(loopsOf(*builder.finish({{"a", first[1]}, {"b", second[1]}})).size(), 2u);
}

TEST(LoopTransform, CallsInStepsAreExpanded) {
  Builder inner;
  const Expr a{&inner, inner.input("a", {})};
  const auto rule = makeRule(inner.finish({{"b", sin(a).id}}), true, true);
  Builder builder;
  const Expr x{&builder, builder.input("x", {})};
  const Expr y = loop(loopOf(3, 0, 1), {x}, [&](const StepInputs& in) {
    const LoopAttributes deep = loopOf(2, 0, 1);
    return loop(deep, in,
                [&](const StepInputs& last) { return callCustom(*last[0].builder, rule, last); });
  })[0];
  const TapePtr t = builder.finish({{"y", y.id}});
  const TapePtr gradient = valueAndGrad(t, Positions{0});
  Values expected{0.5, 1};
  for (int i = 0; i < 6; ++i)
    expected = {std::sin(expected[0]), expected[1] * std::cos(expected[0])};
  const TapePtr expanded = expandCalls(gradient);
  EXPECT_EQ(expanded->toString().find("custom"), std::string::npos);
  const Arrays got = run(expanded, {{0.5}});
  EXPECT_DOUBLE_EQ(got[0][0], expected[0]);
  EXPECT_DOUBLE_EQ(got[1][0], expected[1]);
}

TEST(LoopTransform, CostsAsManySteps) {
  const double one = estimateCost(*unrolled(logistic(1).tape));
  EXPECT_GT(one, 0);
  EXPECT_EQ(estimateCost(*logistic(100).tape), 100 * one);
  EXPECT_EQ(estimateCost(*newton(LoopTrips::While, 50)),
            estimateCost(*newton(LoopTrips::Fixed, 8)));
}

TEST(LoopTransform, PrintsAreComplete) {
  for (const Case& c : cases()) {
    const TapePtr t = pulled(pushed(c.tape));
    EXPECT_EQ(parsePrint(t->toString())->toString(), t->toString()) << c.name;
  }
}

TEST(LoopTransform, SimplifiedLoopsGiveTheSame) {
  std::vector<Case> all = cases();
  all.push_back({"newton", newton(LoopTrips::While, 60), {{2}}});
  for (const Case& c : all) {
    for (const auto& [name, transform] : kTransforms) {
      SCOPED_TRACE(c.name + ", " + name);
      const TapePtr t = transform(c.tape);
      const Arrays inputs = fitted(*t, c.inputs);
      const Arrays expected = run(t, inputs);
      EXPECT_TRUE(identical(run(simplifyLoops(t), inputs), expected));
      // Each output alone: what only others need is not there.
      for (std::size_t i = 0; i < t->outputs().size(); ++i) {
        const TapePtr one = simplifyLoops(selectOutputs(t, Positions{i}));
        EXPECT_TRUE(identical(run(one, inputs), {expected[i]})) << i;
        EXPECT_EQ(simplifyLoops(one)->toString(), one->toString());
      }
    }
  }
}

TEST(LoopTransform, SimplifiedPairsArePairs) {
  const TapePtr one = valueAndGrad(logistic(6).tape, Positions{0, 1});
  EXPECT_EQ(pairedStreams(*simplifyLoops(jvp(one, Positions{0, 1}))), 2u);
  EXPECT_EQ(pairedStreams(*simplifyLoops(lanes(one))), 1u);
  const TapePtr root = selectOutputs(newton(LoopTrips::While, 60), Positions{0});
  EXPECT_EQ(pairedStreams(*simplifyLoops(allLanes(valueAndGrad(root, Positions{0})))), 1u);
}

TEST(LoopTransform, UnusedPartsAreLeftOut) {
  const TapePtr t = mixedCarries().tape;
  const auto parts = [](const TapePtr& tape) {
    const TapePtr s = simplifyLoops(tape);
    return LoopAttributes::read(*s, s->node(loopsOf(*s).at(0)));
  };
  // The counter alone; what it needs with its rows.
  const LoopAttributes counter = parts(selectOutputs(t, Positions{2}));
  EXPECT_EQ(counter.constants + counter.carries, 1u);
  EXPECT_FALSE(counter.indexed);
  EXPECT_TRUE(parts(selectOutputs(t, Positions{4})).indexed);
  const LoopAttributes two = parts(selectOutputs(t, Positions{0}));
  EXPECT_EQ(two.constants, 1u);
  EXPECT_EQ(two.carries, 2u);
  // A stored carry that the derivative asked for does not read.
  const TapePtr bars = selectOutputs(vjp(recurrence(5, false).tape, Positions{1, 2}), Positions{2});
  EXPECT_EQ(pairedStreams(*vjp(recurrence(5, false).tape, Positions{1, 2})), 1u);
  EXPECT_EQ(loopsOf(*simplifyLoops(bars)).size(), 1u);
}

TEST(LoopTransform, FixedWorkMovesOut) {
  const auto stepSize = [](std::int64_t length) {
    Builder builder;
    const Expr a{&builder, builder.input("a", {2})};
    const Expr x{&builder, builder.input("x", {3, 2})};
    const Expr y = loop(loopOf(length, 2, 1), {a, a, x}, [](const StepInputs& in) {
      return StepOutputs{in[2] * exp(in[0]) + broadcastTo(sin(in[1]), {3, 2})};
    })[0];
    const TapePtr t = simplifyLoops(builder.finish({{"y", y.id}}));
    const Tape& step = *t->rule(0).primal;
    return std::pair(countOf(step, Op::Exp) + countOf(step, Op::Sin), step.inputs().size());
  };
  EXPECT_EQ(stepSize(4), std::pair(std::size_t{0}, std::size_t{3}));
  // A function of one step is one that is not to be kept, or a branch that may not be taken.
  EXPECT_EQ(stepSize(1), std::pair(std::size_t{2}, std::size_t{2}));
}

/// Sums of cotangents are as large as what a step reads, unless its views are larger than all.
TEST(LoopTransform, CotangentsOfSlicesAreSmall) {
  const TapePtr t = vjp(slices(5).tape, Positions{0, 1, 2});
  const Node& second = t->node(loopsOf(*t).at(1));
  const Tape& step = *t->rule(LoopAttributes::read(*t, second).rule).primal;
  std::vector<std::int64_t> sizes;
  for (const Port& port : step.outputs()) sizes.push_back(step.count(port.node));
  std::ranges::sort(sizes);
  // Of the state, of two rows, of one's exponential and of the vector.
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{2, 2, 2, 2, 3}));
  EXPECT_EQ(countOf(step, Op::Exp), 0u);
  // One step may be one that is not taken, or that is not to be kept.
  const TapePtr one = vjp(slices(1).tape, Positions{0});
  const Node& only = one->node(loopsOf(*one).at(1));
  const Tape& taken = *one->rule(LoopAttributes::read(*one, only).rule).primal;
  EXPECT_TRUE(std::ranges::any_of(taken.outputs(),
                                  [&](const Port& port) { return taken.count(port.node) == 12; }));
}

}  // namespace
}  // namespace adjoint::testing

// Derivatives and lanes of loops, against the same steps written out, and by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "ops/build.h"
#include "test/support/loops.h"
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

std::vector<Case> cases() {
  std::vector<Case> result = {recurrence(5, false), recurrence(5, true), recurrence(0, false),
                              recurrence(1, true),  logistic(6),         logistic(0),
                              mixedCarries(),       rungeKutta(3),       nested(),
                              checkpointed()};
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
      const double error = largestError(got, *ofSteps, inputs);
      if (std::getenv("SHOW"))
        std::printf("%s %s %g %s\n", c.name.c_str(), name.c_str(), error,
                    identical(got, evaluate(ofSteps, inputs)) ? "=" : "");
      EXPECT_LE(error, 1);
    }
  }
}

}  // namespace
}  // namespace adjoint::testing

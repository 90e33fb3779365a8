// Plans: what small tapes become, views in every order, memory, empty and unit axes, bad indices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "ops/build.h"
#include "test/support/plan_checker.h"
#include "test/support/reference_evaluator.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

// One by one: the reference's functions of the same names are in the enclosing namespace.
using ex::operator+, ex::operator-, ex::operator*, ex::operator/;
using ex::concat, ex::gather, ex::reshape, ex::Range, ex::scatterSum, ex::sin, ex::slice,
    ex::sliceAxis, ex::square, ex::sum, ex::transpose, ex::exp;

constexpr std::size_t kFirst[] = {0};

/// The print of a plan without the table of its buffers.
std::string stepsOf(const TapePtr& t) {
  const std::string text = makePlan(t, PlanOptions::none())->toString();
  return text.substr(text.find("input "));
}

/// A product and a sum, as this build's plans have them.
double multiplyAdd(double a, double b, double c) {
  return kFusedProducts ? std::fma(a, b, c) : a * b + c;
}

TEST(Plan, ValueAndGradientOfASumAreOneLoop) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {100})};
  const TapePtr t = builder.finish({{"y", sum(square(x) * x, {0}).id}});
  EXPECT_EQ(stepsOf(valueAndGrad(t, kFirst)),
            "input x b0\n"
            "kernel i0<100*\n"
            "  v0 = load b0[0 + 1*i0]\n"
            "  v1 = square v0\n"
            "  v2 = mul v1 v0\n"
            "  sum b1[0] = v2\n"
            "  v4 = 2\n"
            "  v5 = mul v4 v0\n"
            "  v6 = mul v5 v0\n"
            "  v7 = " +
                std::string(kFusedProducts ? "fma v0 v0 v6" : "add v1 v6") +
                "\n"
                "  store b2[0 + 1*i0] = v7\n"
                "output y b1\n"
                "output bar_x b2\n");
}

TEST(Plan, ScalarsAreOneKernelWithoutLoops) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {2})};
  const Expr a = apply(Op::At, {x}, {0});
  const Expr b = apply(Op::At, {x}, {1});
  const TapePtr t = builder.finish({{"y", (a * b + sin(a)).id}});
  EXPECT_EQ(stepsOf(t),
            "input x b0\n"
            "kernel\n"
            "  v0 = load b0[0]\n"
            "  v1 = sin v0\n"
            "  v2 = load b0[1]\n"
            "  v3 = " +
                std::string(kFusedProducts ? "fma v0 v2 v1\n  store b1[0] = v3\n"
                                           : "mul v0 v2\n  v4 = add v3 v1\n  store b1[0] = v4\n") +
                "output y b1\n");
}

TEST(Plan, StencilsReadThroughWindows) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {6})};
  const Expr next = sliceAxis(x, 0, {1, 5, 1});
  const Expr here = sliceAxis(x, 0, {0, 5, 1});
  const TapePtr t = builder.finish({{"y", sum(square(next - here), {0}).id}});
  const TapePtr gradient = selectOutputs(valueAndGrad(t, kFirst), std::vector<std::size_t>{1});
  const std::string steps = stepsOf(gradient);
  EXPECT_NE(steps.find(" if i0 in 1..6"), std::string::npos) << steps;
  EXPECT_EQ(steps.find("scatter"), std::string::npos) << steps;
  EXPECT_EQ(evaluate(gradient, {{1, 2, 4, 7, 11, 16}})[0], (Values{-2, -2, -2, -2, -2, 10}));
}

TEST(Plan, MultiplyAddsAreFused) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {4})};
  const Expr y{&builder, builder.input("y", {4})};
  const Expr c{&builder, builder.input("c", {})};
  const Expr product = x * y;
  const TapePtr t = builder.finish({{"a", (product + c).id},
                                    {"b", (product - x).id},
                                    {"c", (x - product).id},
                                    {"d", (product - square(y)).id},
                                    {"e", (x + c * c).id},
                                    {"f", (product - product).id}});
  const double u = 1 + 0x1p-30;
  const double v = 1 - 0x1p-29;
  const Arrays got = evaluate(t, {Values(4, u), Values(4, v), {3.0}});
  EXPECT_EQ(got[0][3], multiplyAdd(u, v, 3));
  EXPECT_EQ(got[1][3], multiplyAdd(u, v, -u));
  EXPECT_EQ(got[2][3], multiplyAdd(-u, v, u));
  EXPECT_EQ(got[3][3], multiplyAdd(u, v, -(v * v)));
  EXPECT_EQ(got[4][3], multiplyAdd(3, 3, u));
  EXPECT_EQ(got[5][3], 0);
}

/// A scalar product that all elements share is fused as their own would be, in lanes or not.
TEST(Plan, MultiplyAddsAreFusedThroughBroadcasts) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {3})};
  const Expr a{&builder, builder.input("a", {})};
  const TapePtr t = builder.finish({{"y", (x + a * a).id}});
  const Arrays inputs = {{-1, -1, -1}, {1 + 0x1p-30}};
  const double want = multiplyAdd(1 + 0x1p-30, 1 + 0x1p-30, -1);
  EXPECT_EQ(evaluate(t, inputs)[0][1], want);
  const std::vector<std::vector<bool>> sharings = {{true, false}, {false, true}, {true, true}};
  for (const std::vector<bool>& batched : sharings) {
    Arrays twice;
    for (std::size_t i = 0; i < 2; ++i) {
      twice.push_back(inputs[i]);
      if (batched[i]) twice[i].insert(twice[i].end(), inputs[i].begin(), inputs[i].end());
    }
    EXPECT_EQ(evaluate(vmap(t, 2, batched), twice)[0][4], want);
  }
}

/// Draws views of views: slices, flips, transposes, broadcasts, reshapes and places in any order.
class ViewChains {
 public:
  ViewChains(Builder& builder, std::uint64_t seed) : builder_(builder), random_(seed) {}

  Expr step(Expr x) {
    const Shape shape = x.shape();
    const std::int64_t count = elementCount(shape);
    switch (below(7)) {
      case 0: {
        std::vector<Range> ranges;
        for (const std::int64_t e : shape) {
          const std::int64_t step = between(1, 3);
          const std::int64_t start = e == 0 ? 0 : between(0, e - 1);
          const std::int64_t most = e == 0 ? 0 : (e - 1 - start) / step + 1;
          ranges.push_back(
              {start, between(std::min<std::int64_t>(most, below(30) == 0 ? 0 : 1), most), step});
        }
        return slice(x, ranges);
      }
      case 1: {
        std::vector<std::int64_t> axes;
        for (std::size_t k = 0; k < shape.size(); ++k) {
          if (below(2)) axes.push_back(static_cast<std::int64_t>(k));
        }
        return ex::flip(x, axes);
      }
      case 2: {
        std::vector<std::int64_t> axes = ex::allAxes(x);
        std::ranges::shuffle(axes, random_);
        return transpose(x, axes);
      }
      case 3: {
        Shape to = shape;
        for (std::int64_t& e : to) e = e == 1 && below(2) ? between(0, 3) : e;
        if (below(3) == 0 && to.size() < 5) to.insert(to.begin(), between(1, 2));
        return elementCount(to) > 200 ? x : ex::broadcastTo(x, to);
      }
      case 4: {
        Shape to;
        for (std::int64_t rest = count; rest > 1;) {
          std::int64_t factor = 2;
          while (rest % factor != 0) ++factor;
          if (below(3) == 0 && rest / factor % 2 == 0) factor *= 2;
          if (rest % factor != 0) factor = rest;
          to.push_back(factor);
          rest /= factor;
        }
        if (count == 0) to = {between(1, 3), 0};
        std::ranges::shuffle(to, random_);
        while (to.size() < 5 && below(3) == 0)
          to.insert(to.begin() + between(0, static_cast<std::int64_t>(to.size())), 1);
        return reshape(x, to);
      }
      case 5: {
        std::vector<Range> ranges;
        std::int64_t total = 1;
        for (const std::int64_t e : shape) {
          const std::int64_t lo = between(0, 1);
          const std::int64_t step = below(3) == 0 ? 2 : 1;
          ranges.push_back({lo, lo + (e == 0 ? 0 : (e - 1) * step + 1) + between(0, 1), step});
          total *= ranges.back().count;
        }
        return total > 200 ? x : ex::place(x, ranges);
      }
      default:
        return below(6) == 0 ? ex::stopGradient(x) : below(4) == 0 ? sin(x) : x;
    }
  }

  std::size_t below(std::size_t n) { return random_() % n; }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::size_t>(high - low + 1)));
  }

 private:
  Builder& builder_;
  std::mt19937_64 random_;
};

/// A chain as an output, under arithmetic with itself, under a reduction, and into the steps that
/// read memory whole.
TEST(Plan, RandomViewChains) {
  const std::size_t chains = isInstrumented() ? 200 : 4000;
  for (std::size_t seed = 1; seed <= chains; ++seed) {
    Builder builder;
    ViewChains draw(builder, seed);
    const Shape start = seed % 3 == 0 ? Shape{2, 3, 4} : seed % 3 == 1 ? Shape{12} : Shape{1, 6, 2};
    const Expr x{&builder, builder.input("x", start)};
    Expr y = draw.below(2) ? x : exp(x);
    const std::size_t length = 1 + draw.below(9);
    // What stands in the middle is in memory for its sums, and at the end of other views.
    std::vector<Port> outputs;
    for (std::size_t i = 0; i < length; ++i) {
      if (i == length / 2 && seed % 2 == 0 && !y.shape().empty())
        outputs.push_back({"middle", sin(ex::cumsum(y, 0, false)).id});
      y = draw.step(y);
    }
    outputs.push_back({"y", y.id});
    outputs.push_back({"double", (y + y * y).id});
    outputs.push_back({"sum", sum(y, ex::allAxes(y)).id});
    const std::int64_t count = elementCount(y.shape());
    if (!y.shape().empty()) {
      const auto last = static_cast<std::int64_t>(y.shape().size()) - 1;
      outputs.push_back({"cumsum", ex::cumsum(y, last, true).id});
      if (y.shape()[0] > 0)
        outputs.push_back(
            {"gather",
             gather(y, {&builder, builder.data({0, static_cast<double>(y.shape()[0] - 1), 0}, {3})},
                    0)
                 .id});
      if (y.shape().size() >= 2) {
        std::vector<std::int64_t> axes = ex::allAxes(y);
        std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
        outputs.push_back({"product", ex::batchMatmul(y, transpose(y, axes)).id});
      }
      outputs.push_back({"joined", concat({y, ex::flip(y, {0})}, 0).id});
    }
    const TapePtr t = builder.finish(outputs);
    Values point;
    for (std::int64_t i = 0; i < elementCount(start); ++i)
      point.push_back(0.25 + 0.125 * static_cast<double>((i * 7) % 12));
    Evaluator evaluator(t);
    ASSERT_EQ(checkMemory(evaluator.plan()), "") << "seed " << seed << "\n" << t->toString();
    const Arrays got = evaluator({point});
    const std::vector<Numbers> want = evaluateExactly(*t, {point});
    for (std::size_t o = 0; o < want.size(); ++o) {
      ASSERT_EQ(got[o].size(), want[o].size());
      for (std::size_t i = 0; i < want[o].size(); ++i) {
        ASSERT_LE(errorInBounds(got[o][i], want[o][i]), 2)
            << "seed " << seed << ", " << t->outputs()[o].name << "[" << i << "] of " << count
            << ": " << got[o][i] << " instead of " << want[o][i].value.toDouble() << "\n"
            << t->toString();
      }
    }
  }
}

/// Views that are read through one that a later step turns out to need in memory.
TEST(Plan, ViewsThroughOneThatIsKept) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {6, 6})};
  const Expr turned = transpose(ex::cumsum(x, 1, false), {1, 0});
  const Expr places{&builder, builder.data({5, 4, 3, 2, 1, 0}, {6})};
  const Expr picked = gather(turned, places, 1);
  const Expr rows = transpose(sliceAxis(turned, 1, {0, 5, 1}), {1, 0});
  const Expr all = concat({reshape(rows, {30}), reshape(transpose(picked, {1, 0}), {36})}, 0);
  const TapePtr t = builder.finish({{"all", all.id}});
  Values in;
  for (int i = 0; i < 36; ++i) in.push_back(i);
  for (const PlanOptions& options : {PlanOptions{}, PlanOptions::none()})
    EXPECT_EQ(checkMemory(*makePlan(t, options)), "");
  const Values got = evaluate(t, {in})[0];
  for (std::size_t row = 0; row < 5; ++row) {
    double sum = 0;
    for (std::size_t i = 0; i < 6; ++i) {
      sum += in[6 * row + i];
      EXPECT_EQ(got[6 * row + i], sum);
      EXPECT_EQ(got[30 + 6 * (5 - row) + i], sum);
    }
  }
}

TEST(Plan, EmptyAndUnitAxes) {
  const std::vector<Shape> shapes = {{0},       {1},       {0, 3}, {3, 0}, {1, 0, 2},
                                     {1, 1, 1}, {1, 3, 1}, {2, 1}, {}};
  for (const Shape& shape : shapes) {
    Builder builder;
    const Expr x{&builder, builder.input("x", shape)};
    std::vector<Port> outputs;
    const auto add = [&](const std::string& name, auto make) {
      try {
        outputs.push_back({name, make().id});
      } catch (const Error&) {
        // Not for this shape.
      }
    };
    const auto rank = static_cast<std::int64_t>(shape.size());
    add("identity", [&] { return x; });
    add("elementwise", [&] { return sin(x) * x + 1.0; });
    add("sum", [&] { return apply(Op::Sum, {x}, {1}); });
    add("max", [&] { return apply(Op::ReduceMax, {x}, {0}); });
    add("prod", [&] { return apply(Op::Prod, {x}, {0}); });
    add("flat", [&] { return apply(Op::Reshape, {x}, {elementCount(shape)}); });
    add("transposed", [&] { return apply(Op::Transpose, {x}) * 2.0; });
    add("flipped", [&] { return apply(Op::Flip, {x}) - x; });
    add("padded", [&] {
      std::vector<std::int64_t> widths(static_cast<std::size_t>(2 * rank), 1);
      return Expr{&builder, apply(builder, Op::Pad, {&x.id, 1}, widths)} + 0.5;
    });
    for (std::int64_t axis = 0; axis < rank; ++axis) {
      const std::string a = std::to_string(axis);
      add("sum " + a, [&] { return sum(x, {axis}); });
      add("cumsum " + a, [&] { return ex::cumsum(exp(x), axis, false); });
      add("cumprod " + a, [&] { return apply(Op::CumProd, {x}, {axis}); });
      add("sort " + a, [&] { return apply(Op::Sort, {x}, {axis}); });
      add("softmax " + a, [&] { return apply(Op::Softmax, {x}, {axis}); });
      add("argmax " + a, [&] { return apply(Op::ArgMax, {x}, {axis}); });
      add("concat " + a, [&] { return concat({x, x + 1.0}, axis); });
      add("stack " + a, [&] { return apply(Op::Stack, {x, x}, {axis}); });
      add("none gathered " + a,
          [&] { return gather(x, {&builder, builder.data(std::vector<double>{}, {0})}, axis); });
      add("first gathered " + a, [&] {
        if (shape[static_cast<std::size_t>(axis)] == 0) throw Error(ErrorCode::Index, "none");
        return gather(x, {&builder, builder.data({0, 0}, {2})}, axis);
      });
      add("none scattered " + a, [&] {
        Shape none = shape;
        none[static_cast<std::size_t>(axis)] = 0;
        return scatterSum({&builder, builder.data(std::vector<double>{}, {0})},
                          {&builder, builder.constant(1, none)}, axis, 3);
      });
    }
    if (rank >= 2) {
      std::vector<std::int64_t> axes = ex::allAxes(x);
      std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
      add("product", [&] { return ex::batchMatmul(x, transpose(x, axes)); });
      add("product with nothing inside", [&] { return ex::batchMatmul(transpose(x, axes), x); });
    }
    const TapePtr t = builder.finish(outputs);
    const Values point(static_cast<std::size_t>(elementCount(shape)), 0.75);
    const std::vector<std::size_t> wrt = {0};
    const Arrays yBars = [&] {
      Arrays arrays;
      for (const Port& port : t->outputs())
        arrays.emplace_back(static_cast<std::size_t>(t->count(port.node)), 0.5);
      return arrays;
    }();
    for (const TapePtr& each : {t, jvp(t, wrt), vjp(t, wrt), vmap(t, 3, {true}), vmap(t, 0, {true}),
                                vmap(t, 1, {true})}) {
      Arrays inputs;
      for (std::size_t i = 0; i < each->inputs().size(); ++i) {
        inputs.emplace_back(static_cast<std::size_t>(each->count(each->inputs()[i].node)), 0.75);
      }
      Evaluator evaluator(each);
      ASSERT_EQ(checkMemory(evaluator.plan()), "") << toString(shape);
      const Arrays got = evaluator(inputs);
      const std::vector<Numbers> want = evaluateExactly(*each, inputs);
      for (std::size_t o = 0; o < want.size(); ++o) {
        ASSERT_EQ(got[o].size(), want[o].size());
        for (std::size_t i = 0; i < want[o].size(); ++i) {
          EXPECT_LE(errorInBounds(got[o][i], want[o][i]), 2)
              << toString(shape) << " " << each->outputs()[o].name << "[" << i << "]";
        }
      }
    }
    // Jacobians of nothing are empty and of the right shape.
    for (const JacobianMode mode : {JacobianMode::Forward, JacobianMode::Reverse}) {
      const TapePtr j = jacobian(selectOutputs(t, std::vector<std::size_t>{0, 1}), wrt, mode).tape;
      const Arrays got = evaluate(j, {point});
      EXPECT_EQ(got[0].size(), point.size() * point.size());
      for (std::size_t i = 0; i < got[0].size(); ++i)
        EXPECT_EQ(got[0][i], i % (point.size() + 1) == 0 ? 1 : 0);
    }
  }
}

TEST(Plan, IndicesOutsideFailWithTheirNode) {
  const double bad[] = {-1,
                        5,
                        1e300,
                        0.5,
                        std::numeric_limits<double>::quiet_NaN(),
                        std::numeric_limits<double>::infinity()};
  for (const bool scatter : {false, true}) {
    for (const std::int64_t size : {std::int64_t{1}, std::int64_t{40}}) {
      Builder builder;
      const Expr x{&builder, builder.input("x", {5})};
      const Expr at{&builder, builder.input("at", {size})};
      const Expr y = scatter ? scatterSum(at, ex::broadcastTo(sum(x, {0}), {size}), 0, 5)
                             : gather(sin(x), at, 0);
      const TapePtr t = builder.finish({{"y", (y * 2.0).id}});
      Evaluator single(t);
      Evaluator lanes(vmap(t, 3, {true, true}));
      Evaluator shared(vmap(t, 3, {false, true}));
      Arrays outputs;
      Values good(static_cast<std::size_t>(size), 4);
      EXPECT_TRUE(single.tryRun({{1, 2, 3, 4, 5}, good}, outputs).ok);
      for (const double index : bad) {
        Values indices = good;
        indices.back() = index;
        const RunStatus status = single.tryRun({{1, 2, 3, 4, 5}, indices}, outputs);
        ASSERT_FALSE(status.ok) << index;
        EXPECT_EQ(status.code, ErrorCode::Index);
        ASSERT_LT(status.node, single.plan().tape->size());
        EXPECT_EQ(opOf(single.plan().tape->node(status.node)),
                  scatter ? Op::ScatterSum : Op::Gather);
        EXPECT_EQ(status.limit, 5);
        EXPECT_TRUE(identical(status.value, index));
        // In a batch, never a neighboring lane's element.
        Values three;
        for (int lane = 0; lane < 3; ++lane) {
          const Values& own = lane == 1 ? indices : good;
          three.insert(three.end(), own.begin(), own.end());
        }
        EXPECT_FALSE(lanes.tryRun({Values(15, 1.0), three}, outputs).ok) << index;
        EXPECT_FALSE(shared.tryRun({Values(5, 1.0), three}, outputs).ok) << index;
      }
    }
  }
}

/// Gathers of a uniform constant read its one element, and still check their indices.
TEST(Plan, GathersOfConstants) {
  Builder builder;
  const Expr at{&builder, builder.input("at", {2})};
  const Expr table{&builder, builder.constant(7, {3, 4})};
  const TapePtr t = builder.finish({{"y", gather(table, at, 1).id}});
  Evaluator evaluator(t);
  EXPECT_EQ(checkMemory(evaluator.plan()), "");
  EXPECT_EQ(evaluator({{0, 3}})[0], Values(6, 7.0));
  Arrays outputs;
  EXPECT_FALSE(evaluator.tryRun({{0, 4}}, outputs).ok);
}

/// A joined value that begins another one is not copied there, whoever else reads it.
TEST(Plan, JoinedValuesThatBeginOthers) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {40})};
  const Expr inner = concat({x * 2.0, square(x)}, 0);
  const Expr places{&builder, builder.data({3, 79, 41, 3, 0}, {5})};
  const Expr outer = concat({reshape(inner, {80}), gather(inner, places, 0)}, 0);
  const Expr outmost = concat({outer, sum(outer, {0}) + x}, 0);
  const Expr again = concat({inner, x + 1.0}, 0);
  const Expr last{&builder, builder.data({124, 84, 80, 79, 0}, {5})};
  const TapePtr all = builder.finish({{"outmost", outmost.id},
                                      {"again", again.id},
                                      {"inner", inner.id},
                                      {"outer", outer.id},
                                      {"last", gather(outmost, last, 0).id}});
  Values in;
  for (int i = 0; i < 40; ++i) in.push_back(0.25 * i - 3);
  for (unsigned chosen = 1; chosen < 32; ++chosen) {
    std::vector<std::size_t> outputs;
    for (std::size_t i = 0; i < 5; ++i) {
      if (chosen >> i & 1u) outputs.push_back(i);
    }
    const TapePtr t = selectOutputs(all, outputs);
    Evaluator evaluator(t);
    EXPECT_EQ(checkMemory(evaluator.plan()), "") << chosen;
    const Arrays got = evaluator({in});
    const std::vector<Numbers> want = evaluateExactly(*t, {in});
    for (std::size_t o = 0; o < want.size(); ++o) {
      for (std::size_t i = 0; i < want[o].size(); ++i)
        EXPECT_LE(errorInBounds(got[o][i], want[o][i]), 2) << chosen << " " << o << "[" << i << "]";
    }
  }
  constexpr std::size_t kLast[] = {4};
  const std::string steps = stepsOf(selectOutputs(all, kLast));
  EXPECT_EQ(steps.find("kernel i0<80"), std::string::npos) << steps;
}

/// Products over batches whose axes have extent 1, come from broadcasts, or are transposed.
TEST(Plan, ProductsOfBatches) {
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{3, 1, 2, 4}, {3, 1, 4, 2}}, {{1, 3, 2, 4}, {1, 3, 4, 5}}, {{2, 3, 2, 2}, {3, 2, 2}},
      {{2, 1, 3, 1}, {1, 4, 1, 3}}, {{1, 1, 2, 2}, {1, 1, 2, 2}}, {{5, 1, 1, 3, 2}, {1, 1, 2, 1}}};
  for (const auto& [left, right] : shapes) {
    Builder builder;
    const Expr a{&builder, builder.input("a", left)};
    const Expr b{&builder, builder.input("b", right)};
    const Expr direct = apply(Op::MatMul, {a, b});
    std::vector<std::int64_t> axes = ex::allAxes(b);
    std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
    const Expr turned = apply(Op::MatMul, {sin(a), transpose(exp(transpose(b, axes)), axes)});
    const TapePtr t = builder.finish({{"direct", direct.id}, {"turned", turned.id}});
    Arrays inputs(2);
    for (std::int64_t i = 0; i < elementCount(left); ++i)
      inputs[0].push_back(0.1 * static_cast<double>(i % 7 - 3));
    for (std::int64_t i = 0; i < elementCount(right); ++i)
      inputs[1].push_back(0.2 * static_cast<double>(i % 5 - 2));
    for (const TapePtr& each : {t, vmap(t, 2, {true, false})}) {
      Arrays own = inputs;
      if (each != t) own[0].insert(own[0].end(), inputs[0].rbegin(), inputs[0].rend());
      const Arrays got = evaluate(each, own);
      const std::vector<Numbers> want = evaluateExactly(*each, own);
      for (std::size_t o = 0; o < want.size(); ++o) {
        for (std::size_t i = 0; i < want[o].size(); ++i) {
          EXPECT_LE(errorInBounds(got[o][i], want[o][i]), 2)
              << toString(left) << toString(right) << " " << o << "[" << i << "]";
        }
      }
    }
  }
}

}  // namespace
}  // namespace adjoint::testing

// Solutions of differential equations and their derivatives, against exact ones, and against the
// method written out by hand, differentiated by complex steps.
#include "transform/ode.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <complex>
#include <functional>
#include <limits>
#include <numbers>

#include "ops/build.h"
#include "test/support/evaluator.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;

/// Inputs t, y..., constants...; the derivatives of y....
using Rhs = std::function<std::vector<Expr>(const std::vector<Expr>&)>;

struct System {
  std::vector<Shape> y0;
  std::vector<Shape> constants;
  Rhs rhs;
};

OdeOptions tolerances(double tolerance, std::size_t size = 1) {
  OdeOptions options;
  options.rtol.assign(size, tolerance);
  options.atol.assign(size, tolerance);
  return options;
}
OdeOptions rk4(std::int64_t steps) {
  OdeOptions options;
  options.method = OdeMethod::Rk4;
  options.steps = steps;
  return options;
}

TapePtr rhsOf(const System& system) {
  Builder builder;
  std::vector<Expr> in = {{&builder, builder.input("t", {})}};
  for (const Shape& shape : system.y0) in.push_back({&builder, builder.input("y", shape)});
  for (const Shape& shape : system.constants) in.push_back({&builder, builder.input("p", shape)});
  std::vector<Port> ports;
  for (const Expr& slope : system.rhs(in)) ports.push_back({"dy", slope.id});
  return builder.finish(std::move(ports));
}

/// Inputs y0..., times, constants...; outputs rows of y..., steps taken and rejected.
TapePtr solver(const System& system, std::int64_t times, const OdeOptions& options) {
  Builder builder;
  OdeProblem problem;
  problem.rhs = rhsOf(system);
  for (const Shape& shape : system.y0) problem.y0.push_back(builder.input("y0", shape));
  problem.times = builder.input("times", {times});
  for (const Shape& shape : system.constants)
    problem.constants.push_back(builder.input("p", shape));
  const OdeSolution solution = appendOde(builder, problem, options);
  std::vector<Port> ports;
  for (const NodeId y : solution.y) ports.push_back({"y", y});
  ports.push_back({"accepted", solution.accepted});
  ports.push_back({"rejected", solution.rejected});
  return builder.finish(std::move(ports));
}

Arrays solve(const TapePtr& tape, const Arrays& inputs) {
  return evaluate(expandCalls(tape), inputs);
}

/// y' = y cos t, whose solution is exp(sin t).
System growth() {
  return {{{}}, {}, [](const auto& in) { return std::vector<Expr>{in[1] * cos(in[0])}; }};
}
double growthAt(double t) { return std::exp(std::sin(t)); }

/// Lotka & Volterra's prey and predators, one state of two values.
System predators() {
  return {{{2}}, {{4}}, [](const auto& in) {
            const auto part = [](Expr x, std::int64_t i) {
              return reshape(sliceAxis(x, 0, {i, 1, 1}), {});
            };
            const Expr x = part(in[1], 0), y = part(in[1], 1), p = in[2];
            const Expr dx = part(p, 0) * x - part(p, 1) * (x * y);
            const Expr dy = part(p, 2) * (x * y) - part(p, 3) * y;
            return std::vector<Expr>{concat({reshape(dx, {1}), reshape(dy, {1})}, 0)};
          }};
}
const Arrays kPredators = {{10, 5}, {0, 1.5, 4, 4, 7.25}, {1.1, 0.4, 0.1, 0.4}};

/// A system over two values of its own names, a vector and a number, that depends on time.
System driven() {
  return {{{2}, {}}, {{}}, [](const auto& in) {
            const Expr turned = flip(in[1], {0}) * Expr{in[2]};
            return std::vector<Expr>{sin(in[0]) * in[3] - turned,
                                     in[3] * sum(square(in[1]), {0}) - in[2]};
          }};
}
const Arrays kDriven = {{0.5, -0.25}, {0.75}, {0.5, 1.25, 2}, {0.875}};

TEST(Ode, Rk4HasOrder4) {
  double before = 0;
  for (const std::int64_t steps : {20, 40, 80, 160}) {
    const double y = solve(solver(growth(), 2, rk4(steps)), {{1}, {0, 3}})[0][1];
    const double error = std::abs(y - growthAt(3));
    if (before > 0) {
      EXPECT_NEAR(std::log2(before / error), 4, 0.25) << steps;
    }
    before = error;
  }
}

/// One step: its error is of one order more than the method has.
TEST(Ode, Dopri5HasOrder5AndItsExtensionOrder4) {
  double before = 0, beforeInside = 0;
  for (const double h : {0.4, 0.2, 0.1, 0.05}) {
    OdeOptions options = tolerances(1);
    options.firstStep = h;
    const Arrays got = solve(solver(growth(), 3, options), {{1}, {0, 0.4 * h, h}});
    EXPECT_EQ(got[1][0], 1);
    const double inside = std::abs(got[0][1] - growthAt(0.4 * h));
    const double error = std::abs(got[0][2] - growthAt(h));
    if (before > 0) {
      EXPECT_NEAR(std::log2(before / error), 6, 0.5) << h;
      EXPECT_GT(std::log2(beforeInside / inside), 4.5) << h;
    }
    before = error;
    beforeInside = inside;
  }
}

TEST(Ode, ErrorsFollowTolerances) {
  for (const double tolerance : {1e-4, 1e-7, 1e-10}) {
    const Arrays got =
        solve(solver(growth(), 5, tolerances(tolerance)), {{1}, {0, 0.5, 1, 2.25, 6}});
    const Values times = {0, 0.5, 1, 2.25, 6};
    for (std::size_t i = 0; i < times.size(); ++i)
      EXPECT_NEAR(got[0][i], growthAt(times[i]), 50 * tolerance) << tolerance << " " << times[i];
  }
}

TEST(Ode, StepsDoNotDependOnTheTimesBetween) {
  const OdeOptions options = tolerances(1e-8);
  const Arrays few = solve(solver(growth(), 2, options), {{1}, {0, 6}});
  const Arrays many = solve(solver(growth(), 6, options), {{1}, {0, 0, 1e-3, 1, 1, 6}});
  EXPECT_EQ(few[0][1], many[0][5]);
  EXPECT_EQ(few[1], many[1]);
  EXPECT_EQ(few[2], many[2]);
  EXPECT_EQ(many[0][0], 1);
  EXPECT_EQ(many[0][1], 1);
  EXPECT_EQ(many[0][3], many[0][4]);
}

TEST(Ode, RunsBackwards) {
  for (const OdeOptions& options : {tolerances(1e-11), rk4(400)}) {
    const Arrays got = solve(solver(growth(), 3, options), {{growthAt(2)}, {2, 0.5, -1}});
    EXPECT_NEAR(got[0][1], growthAt(0.5), 1e-9);
    EXPECT_NEAR(got[0][2], growthAt(-1), 1e-9);
  }
}

TEST(Ode, OneTimeIsTheBeginning) {
  for (const OdeOptions& options : {tolerances(1e-6), rk4(5)}) {
    const Arrays got = solve(solver(growth(), 1, options), {{1.5}, {2}});
    EXPECT_EQ(got, (Arrays{{1.5}, {0}, {0}}));
  }
}

/// Hairer, Norsett & Wanner I, II.0: a periodic orbit of the restricted problem of three bodies.
TEST(Ode, ArenstorfOrbitCloses) {
  const System orbit = {{{4}}, {}, [](const auto& in) {
                          const auto part = [&](std::int64_t i) {
                            return reshape(sliceAxis(in[1], 0, {i, 1, 1}), {});
                          };
                          const double mu = 0.012277471, mu1 = 1 - mu;
                          const Expr x = part(0), y = part(1), vx = part(2), vy = part(3);
                          const auto cube = [](Expr square) { return square * sqrt(square); };
                          const Expr d1 = cube(square(x + mu) + square(y));
                          const Expr d2 = cube(square(x - mu1) + square(y));
                          const Expr ax =
                              x + 2.0 * vy - mu1 * ((x + mu) / d1) - mu * ((x - mu1) / d2);
                          const Expr ay = y - 2.0 * vx - mu1 * (y / d1) - mu * (y / d2);
                          std::vector<Expr> parts;
                          for (const Expr& e : {vx, vy, ax, ay}) parts.push_back(reshape(e, {1}));
                          return std::vector<Expr>{concat(parts, 0)};
                        }};
  const Values start = {0.994, 0, 0, -2.00158510637908252240537862224};
  const Arrays got =
      solve(solver(orbit, 2, tolerances(1e-12)), {start, {0, 17.0652165601579625588917206249}});
  EXPECT_NEAR(got[0][4], start[0], 1e-6);
  EXPECT_NEAR(got[0][5], start[1], 1e-5);
  EXPECT_GT(got[2][0], 0);
}

TEST(Ode, VanDerPol) {
  const System oscillator = {{{}, {}}, {{}}, [](const auto& in) {
                               return std::vector<Expr>{
                                   in[2], in[3] * ((1.0 - square(in[1])) * in[2]) - in[1]};
                             }};
  const Arrays inputs = {{2}, {0}, {0, 10, 40}, {20}};
  const Arrays rough = solve(solver(oscillator, 3, tolerances(1e-7, 2)), inputs);
  const Arrays tight = solve(solver(oscillator, 3, tolerances(1e-12, 2)), inputs);
  for (const std::size_t row : {1u, 2u}) EXPECT_NEAR(rough[0][row], tight[0][row], 1e-4);
  EXPECT_GT(rough[2][0], 0);
}

// ---- derivatives -------------------------------------------------------------------------------

/// d outputs[0] / d every input, by forward and by reverse mode.
std::array<Arrays, 2> jacobians(const TapePtr& t, const Arrays& inputs) {
  std::array<Arrays, 2> result;
  const std::vector<std::size_t> all = allInputs(*t);
  const std::size_t first[] = {0};
  const TapePtr output = selectOutputs(t, first);
  for (const auto mode : {JacobianMode::Forward, JacobianMode::Reverse})
    result[mode == JacobianMode::Reverse] = solve(jacobian(output, all, mode).tape, inputs);
  return result;
}

void expectNear(const Arrays& got, const Arrays& expected, double relative) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].size(), expected[i].size());
    double size = 0;
    for (const double x : expected[i]) size = std::max(size, std::abs(x));
    for (std::size_t k = 0; k < got[i].size(); ++k)
      EXPECT_NEAR(got[i][k], expected[i][k], relative * size) << "input " << i << ", " << k;
  }
}

TEST(Ode, ReverseModeIsForwardMode) {
  const Arrays inputs[] = {kPredators, kDriven};
  const System systems[] = {predators(), driven()};
  for (std::size_t k = 0; k < 2; ++k) {
    const auto times = static_cast<std::int64_t>(inputs[k][systems[k].y0.size()].size());
    for (const OdeOptions& options :
         {tolerances(1e-7, systems[k].y0.size()), tolerances(1e-2, systems[k].y0.size()), rk4(4)}) {
      const auto [forward, reverse] = jacobians(solver(systems[k], times, options), inputs[k]);
      expectNear(reverse, forward, 1e-12);
    }
  }
}

/// Dormand & Prince's method by hand: steps of given sizes, and the extension of the last one.
using Complex = std::complex<double>;
using Pair = std::array<Complex, 2>;
struct ByHand {
  std::array<Complex, 4> p;
  Pair f(const Pair& y) const {
    return {p[0] * y[0] - p[1] * y[0] * y[1], p[2] * y[0] * y[1] - p[3] * y[1]};
  }
  std::array<Pair, 7> slopes(const Pair& y, double h) const {
    static constexpr double kA[7][6] = {
        {},
        {0.2},
        {0.075, 0.225},
        {44. / 45, -56. / 15, 32. / 9},
        {19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
        {9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
        {35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84}};
    std::array<Pair, 7> k;
    for (int s = 0; s < 7; ++s) {
      Pair at = y;
      for (int j = 0; j < s; ++j)
        for (int i = 0; i < 2; ++i) at[i] += h * kA[s][j] * k[j][i];
      k[s] = f(at);
    }
    return k;
  }
  /// y at the fraction theta of a step of this size, by Shampine's weights (Solving ODEs I, II.6,
  /// (6.12)), in whose last factors theta is 1/2, which leaves a polynomial of degree 4.
  Pair step(const Pair& y, double h, Complex theta) const {
    const auto k = slopes(y, h);
    const Complex t = theta, t2 = t * t, r = t - 1.0;
    const Complex b1 = t2 * (3.0 - 2.0 * t) * (35. / 384) + t * r * r -
                       t2 * r * r * 5.0 * (2558722523. - 31403016. * 0.5) / 11282082432.;
    const Complex b3 = t2 * (3.0 - 2.0 * t) * (500. / 1113) +
                       t2 * r * r * 100.0 * (882725551. - 15701508. * 0.5) / 32700410799.;
    const Complex b4 = t2 * (3.0 - 2.0 * t) * (125. / 192) -
                       t2 * r * r * 25.0 * (443332067. - 31403016. * 0.5) / 1880347072.;
    const Complex b5 = t2 * (3.0 - 2.0 * t) * (-2187. / 6784) +
                       t2 * r * r * 32805.0 * (23143187. - 3489224. * 0.5) / 199316789632.;
    const Complex b6 = t2 * (3.0 - 2.0 * t) * (11. / 84) -
                       t2 * r * r * 55.0 * (29972135. - 7076736. * 0.5) / 822651844.;
    const Complex b7 = t2 * r + t2 * r * r * 10.0 * (7414447. - 829305. * 0.5) / 29380423.;
    Pair result = y;
    for (int i = 0; i < 2; ++i)
      result[i] += h * (b1 * k[0][i] + b3 * k[2][i] + b4 * k[3][i] + b5 * k[4][i] + b6 * k[5][i] +
                        b7 * k[6][i]);
    return result;
  }
};

/// The sizes of the steps taken from a time to a later one, one beyond it: DOPRI5's control, with a
/// first step that is given.
std::vector<double> sizesByHand(const ByHand& method, Pair y, double length, double h,
                                double tolerance) {
  static constexpr double kError[7] = {71. / 57600,      0,         -71. / 16695, 71. / 1920,
                                       -17253. / 339200, 22. / 525, -1. / 40};
  std::vector<double> sizes;
  double t = 0, before = 1e-4;
  for (bool isRetry = false; t < length;) {
    const auto k = method.slopes(y, h);
    const Pair next = method.step(y, h, 1);
    double squares = 0;
    for (int i = 0; i < 2; ++i) {
      double error = 0;
      for (int s = 0; s < 7; ++s) error += h * kError[s] * k[s][i].real();
      const double size = std::max(std::abs(y[i].real()), std::abs(next[i].real()));
      squares += std::pow(error / (tolerance + tolerance * size), 2);
    }
    const double error = std::sqrt(squares / 2);
    const double asked = std::pow(error, 0.17);
    double divisor = std::min(5.0, asked / 0.9);
    if (error <= 1) {
      sizes.push_back(h);
      t += h;
      y = next;
      divisor = std::clamp(asked / std::pow(before, 0.04) / 0.9, 0.1, 5.0);
      if (isRetry) divisor = std::max(divisor, 1.0);
      before = std::max(error, 1e-4);
    }
    isRetry = error > 1;
    h /= divisor;
  }
  return sizes;
}

/// y from step to step of fixed sizes, the last time within the last of them: the same as by hand,
/// and so are all derivatives.
void expectAsByHand(double tolerance, double length) {
  OdeOptions options = tolerances(tolerance);
  options.firstStep = 0.125;
  const Arrays inputs = {kPredators[0], {0.5, 0.5 + length}, kPredators[2]};
  const TapePtr tape = solver(predators(), 2, options);
  const Arrays value = solve(tape, inputs);
  const ByHand plain{{inputs[2][0], inputs[2][1], inputs[2][2], inputs[2][3]}};
  const std::vector<double> sizes =
      sizesByHand(plain, {inputs[0][0], inputs[0][1]}, length, 0.125, tolerance);
  ASSERT_EQ(value[1][0], static_cast<double>(sizes.size()));
  const auto byHand = [&](std::size_t input, std::size_t k) {
    constexpr double kStep = 1e-30;
    std::array<std::vector<Complex>, 3> at;
    for (std::size_t i = 0; i < 3; ++i) at[i].assign(inputs[i].begin(), inputs[i].end());
    if (input < 3) at[input][k] += Complex(0, kStep);
    const ByHand method{{at[2][0], at[2][1], at[2][2], at[2][3]}};
    Pair y = {at[0][0], at[0][1]};
    Complex t = at[1][0];
    for (std::size_t n = 0; n + 1 < sizes.size(); ++n) {
      y = method.step(y, sizes[n], 1);
      t += sizes[n];
    }
    y = method.step(y, sizes.back(), (at[1][1] - t) / sizes.back());
    if (input == 3) return std::array<double, 2>{y[0].real(), y[1].real()};
    return std::array<double, 2>{y[0].imag() / kStep, y[1].imag() / kStep};
  };
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_NEAR(value[0][2 + i], byHand(3, 0)[i], 1e-12 * std::abs(value[0][2 + i]));
  for (const Arrays& jacobian : jacobians(tape, inputs)) {
    for (std::size_t input = 0; input < 3; ++input) {
      const std::size_t n = inputs[input].size();
      for (std::size_t k = 0; k < n; ++k) {
        const auto expected = byHand(input, k);
        for (std::size_t i = 0; i < 2; ++i) {
          const double got = jacobian[input][(2 + i) * n + k];
          EXPECT_NEAR(got, expected[i], 1e-12 * std::max(1.0, std::abs(expected[i])))
              << input << " " << k << " " << i;
        }
      }
    }
  }
}

TEST(Ode, OneStepByHand) { expectAsByHand(1, 0.09375); }
TEST(Ode, StepsByHand) {
  // Tight enough that roundings of step sizes do not show.
  expectAsByHand(1e-7, 10);
  expectAsByHand(1e-8, 20);
}

/// dy(t_i)/dt_i is f, and dy/dt_0 is minus the derivative along f(t_0, y_0).
TEST(Ode, DerivativesByTimes) {
  const Values times = {0.25, 1, 1, 2.5};
  for (OdeOptions options : {tolerances(1e-10), rk4(200)}) {
    for (const OdeAdjoint adjoint : {OdeAdjoint::Discrete, OdeAdjoint::Continuous}) {
      options.adjoint = adjoint;
      const Arrays inputs = {{growthAt(0.25)}, times};
      const auto jacobian = jacobians(solver(growth(), 4, options), inputs)[1];
      for (std::size_t i = 1; i < 4; ++i) {
        const double y = growthAt(times[i]);
        for (std::size_t k = 1; k < 4; ++k)
          EXPECT_NEAR(jacobian[1][4 * i + k], i == k ? y * std::cos(times[i]) : 0, 2e-7)
              << i << " " << k;
        EXPECT_NEAR(jacobian[1][4 * i], -y * std::cos(times[0]), 2e-7) << i;
      }
    }
  }
}

TEST(Ode, DerivativesAtTheBeginningItself) {
  for (const OdeOptions& options : {tolerances(1e-6), rk4(3)}) {
    const Arrays inputs = {{2}, {0.5, 0.5}};
    for (const Arrays& jacobian : jacobians(solver(growth(), 2, options), inputs)) {
      const double f = 2 * std::cos(0.5);
      EXPECT_EQ(jacobian[0], (Values{1, 1}));
      EXPECT_EQ(jacobian[1][0], 0);
      EXPECT_NEAR(jacobian[1][2], -f, 1e-15);
      EXPECT_NEAR(jacobian[1][3], f, 1e-15);
    }
  }
}

/// The two kinds of derivative in reverse differ by errors of the integration only.
TEST(Ode, AdjointsAgree) {
  double before = 1;
  for (const double tolerance : {1e-5, 1e-7, 1e-9}) {
    double largest = 0;
    const Arrays inputs[] = {kPredators, kDriven};
    const System systems[] = {predators(), driven()};
    for (std::size_t k = 0; k < 2; ++k) {
      const auto times = static_cast<std::int64_t>(inputs[k][systems[k].y0.size()].size());
      OdeOptions options = tolerances(tolerance, systems[k].y0.size());
      const Arrays discrete = jacobians(solver(systems[k], times, options), inputs[k])[1];
      options.adjoint = OdeAdjoint::Continuous;
      const auto [forward, continuous] = jacobians(solver(systems[k], times, options), inputs[k]);
      expectNear(forward, discrete, 1e-12);
      for (std::size_t i = 0; i < discrete.size(); ++i) {
        double size = 0;
        for (const double x : discrete[i]) size = std::max(size, std::abs(x));
        for (std::size_t j = 0; j < discrete[i].size(); ++j)
          largest = std::max(largest, std::abs(discrete[i][j] - continuous[i][j]) / size);
      }
    }
    EXPECT_LT(largest, 2000 * tolerance);
    EXPECT_LT(largest, before);
    before = largest / 5;
  }
}

TEST(Ode, CheckpointsChangeNoBit) {
  const auto gradients = [](Checkpoints checkpoints, OdeOptions options) {
    options.checkpoints = checkpoints;
    const TapePtr t = solver(predators(), 3, options);
    Arrays inputs = {kPredators[0], {0, 3, 12}, kPredators[2]};
    for (const Port& port : t->outputs())
      inputs.push_back(Values(static_cast<std::size_t>(t->count(port.node)), 0.75));
    return evaluate(vjp(t, allInputs(*t)), inputs);
  };
  for (const OdeOptions& options : {tolerances(1e-7), rk4(57)}) {
    const Arrays all = gradients({CheckpointPolicy::All}, options);
    for (const Checkpoints& checkpoints :
         {Checkpoints{}, Checkpoints{CheckpointPolicy::Every, 5},
          Checkpoints{CheckpointPolicy::Sqrt}, Checkpoints{CheckpointPolicy::Revolve, 4},
          Checkpoints{CheckpointPolicy::Online, 6}})
      EXPECT_TRUE(identical(gradients(checkpoints, options), all))
          << static_cast<int>(checkpoints.policy);
  }
}

/// Lanes that take different numbers of steps.
TEST(Ode, LanesAreRunsOfTheirOwn) {
  for (const OdeOptions& options : {tolerances(1e-7), rk4(9)}) {
    const TapePtr t = solver(predators(), 3, options);
    const std::size_t first[] = {0};
    const TapePtr pulled = vjp(selectOutputs(t, first), allInputs(*t));
    const TapePtr lanes = vmap(pulled, 3, {true, false, true, false});
    const Arrays one[] = {{{10, 5}, {1.1, 0.4, 0.1, 0.4}},
                          {{1, 9}, {3, 0.5, 0.25, 1.5}},
                          {{4, 4}, {0.1, 0.1, 0.05, 0.2}}};
    const Values times = {0, 2.5, 9}, seed = {1, 0, 0.5, -1, 0.25, 2};
    Arrays inputs = {{}, times, {}, seed};
    for (const Arrays& lane : one) {
      inputs[0].insert(inputs[0].end(), lane[0].begin(), lane[0].end());
      inputs[2].insert(inputs[2].end(), lane[1].begin(), lane[1].end());
    }
    const Arrays got = evaluate(lanes, inputs);
    for (std::size_t lane = 0; lane < 3; ++lane) {
      const Arrays expected = evaluate(pulled, {one[lane][0], times, one[lane][1], seed});
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto n = static_cast<std::ptrdiff_t>(expected[i].size());
        const auto from = got[i].begin() + static_cast<std::ptrdiff_t>(lane) * n;
        EXPECT_TRUE(identical(Arrays{Values(from, from + n)}, Arrays{expected[i]}))
            << lane << " " << i;
      }
    }
  }
}

TEST(Ode, SecondDerivatives) {
  OdeOptions options = tolerances(1e-6);
  const TapePtr t = solver(predators(), 2, options);
  const std::size_t first[] = {0}, wrt[] = {0, 2};
  const TapePtr pulled = vjp(selectOutputs(t, first), wrt);
  // Inputs: y0, times, p, bar, then tangents of y0 and p.
  const std::size_t bars[] = {1, 2};
  const TapePtr gradient = selectOutputs(pulled, bars);
  const Values seed = {0, 0, 1, -0.5}, times = {0, 3};
  const Values d0 = {0.5, -0.25}, dp = {0.125, 0.0625, -0.03125, 0.25};
  const Arrays hvp =
      evaluate(jvp(gradient, wrt), {kPredators[0], times, kPredators[2], seed, d0, dp});
  const auto [forward, reverse] =
      std::array{evaluate(jacobian(gradient, wrt, JacobianMode::Forward).tape,
                          {kPredators[0], times, kPredators[2], seed}),
                 evaluate(jacobian(gradient, wrt, JacobianMode::Reverse).tape,
                          {kPredators[0], times, kPredators[2], seed})};
  expectNear(reverse, forward, 1e-11);
  // The Hessian is symmetric, and the product is its.
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t k = 0; k < 2; ++k)
      EXPECT_NEAR(forward[1][4 * k + i], forward[2][2 * i + k],
                  1e-10 * std::abs(forward[1][4 * k + i]));
    double product = 0;
    for (std::size_t k = 0; k < 2; ++k) product += forward[2][2 * i + k] * d0[k];
    for (std::size_t k = 0; k < 4; ++k) product += forward[3][4 * i + k] * dp[k];
    EXPECT_NEAR(hvp[3][i], product, 1e-10 * std::abs(product)) << i;
  }
}

// ---- failures ----------------------------------------------------------------------------------

RunStatus statusOf(const TapePtr& t, const Arrays& inputs) {
  Arrays outputs;
  return Evaluator(expandCalls(t)).tryRun(inputs, outputs);
}

TEST(Ode, RunsThatCanNotEndFail) {
  const System explosion = {
      {{}}, {}, [](const auto& in) { return std::vector<Expr>{square(in[1])}; }};
  const System nowhere = {
      {{}}, {}, [](const auto& in) { return std::vector<Expr>{sqrt(in[1]) * in[0]}; }};
  OdeOptions options = tolerances(1e-6);
  options.maxSteps = 2000;
  const Values ascending = {0, 2};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const auto& [system, y0, times] : {std::tuple<System, double, Values>{explosion, 1, {0, 2}},
                                          {nowhere, -1, {0.5, 2}},
                                          {nowhere, nan, {0.5, 2}},
                                          {explosion, infinity, {0, 2}},
                                          {growth(), 1, {0, nan}},
                                          {growth(), 1, {nan, 0}},
                                          {growth(), 1, {0, infinity}}}) {
    const RunStatus status = statusOf(solver(system, 2, options), {{y0}, times});
    EXPECT_FALSE(status.ok) << y0 << " " << times[1];
    EXPECT_EQ(status.code, ErrorCode::Limit);
  }
  EXPECT_TRUE(statusOf(solver(explosion, 2, options), {{1}, {0, 0.75}}).ok);
  EXPECT_FALSE(statusOf(solver(growth(), 3, options), {{1}, {0, 2, 1}}).ok);
  EXPECT_FALSE(statusOf(solver(growth(), 3, options), {{1}, {0, -2, 1}}).ok);
  options.maxSteps = 5;
  EXPECT_FALSE(statusOf(solver(growth(), 2, options), {{1}, {0, 20}}).ok);
  EXPECT_FALSE(statusOf(solver(growth(), 3, options), {{1}, {0, 0.01, 20}}).ok);
}

TEST(Ode, RefusesWhatDoesNotFit) {
  const auto codeOf = [](const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::Native;
  };
  System wrong = growth();
  wrong.rhs = [](const auto& in) { return std::vector<Expr>{expandAxes(in[1], {0})}; };
  EXPECT_EQ(codeOf([&] { solver(wrong, 2, tolerances(1e-6)); }), ErrorCode::Shape);
  EXPECT_EQ(codeOf([&] { solver(growth(), 0, tolerances(1e-6)); }), ErrorCode::Shape);
  wrong.rhs = [](const auto& in) { return std::vector<Expr>{less(in[1], 1)}; };
  EXPECT_EQ(codeOf([&] { solver(wrong, 2, tolerances(1e-6)); }), ErrorCode::DType);
  EXPECT_EQ(codeOf([&] { solver(growth(), 2, tolerances(0)); }), ErrorCode::Argument);
  EXPECT_EQ(codeOf([&] { solver(growth(), 2, tolerances(1e-6, 2)); }), ErrorCode::Argument);
  EXPECT_EQ(codeOf([&] { solver(growth(), 2, rk4(0)); }), ErrorCode::Argument);
}

}  // namespace
}  // namespace adjoint::testing

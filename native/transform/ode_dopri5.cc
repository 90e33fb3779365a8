// The method of Dormand & Prince (1980) of order 5 with an embedded one of order 4, as in Hairer,
// Norsett & Wanner, Solving Ordinary Differential Equations I, 2nd ed. 1993: coefficients II.5
// table 5.2, first step II.4, step size control II.4 with the stabilization of IV.2 (beta = 0.04)
// and the constants of their DOPRI5, continuous extension of order 4 II.6.
#include <algorithm>
#include <array>
#include <limits>

#include "transform/ode_steps.h"

namespace adjoint {

using namespace ex;

namespace {

constexpr std::size_t kStages = 7;
constexpr std::array<double, kStages> kNodes = {0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1, 1};
// The last row is the solution of order 5, whose slope is the first one of the next step.
constexpr std::array<std::array<double, kStages - 1>, kStages> kStageWeights = {{
    {},
    {1.0 / 5},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
    {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84},
}};
// Solution of order 5 less that of order 4.
constexpr std::array<double, kStages> kError = {
    71.0 / 57600, 0, -71.0 / 16695, 71.0 / 1920, -17253.0 / 339200, 22.0 / 525, -1.0 / 40};
constexpr std::array<double, kStages> kBend = {
    -12715105075.0 / 11282082432,  0,
    87487479700.0 / 32700410799,   -10690763975.0 / 1880347072,
    701980252875.0 / 199316789632, -1453857185.0 / 822651844,
    69997945.0 / 29380423};

constexpr double kSafety = 0.9;
constexpr double kMostGrowth = 10, kMostShrinking = 5;
constexpr double kBeta = 0.04;
constexpr double kExponent = 0.2 - 0.75 * kBeta;
constexpr double kLeastError = 1e-4;

/// What is carried from step to step. Sizes of steps are signed, and no derivative goes through
/// them or what they are found from.
struct State {
  Expr t, h;
  std::vector<Expr> y, slope;
  // The last step taken, for the continuous extension: where it began, and its fifth coefficient.
  Expr lastT, lastH;
  std::vector<Expr> lastY, lastSlope, bend;
  Expr error;    ///< norm of its error, at least kLeastError
  Expr isRetry;  ///< whether the last try was rejected
  Expr accepted, tried;

  static constexpr std::size_t kScalars = 8;

  template <class Visit>
  void visit(Visit visit) {
    for (Expr* x : {&t, &h, &lastT, &lastH, &error, &isRetry, &accepted, &tried}) visit(*x);
    for (auto* values : {&y, &slope, &lastY, &lastSlope, &bend}) {
      for (Expr& x : *values) visit(x);
    }
  }
  std::vector<Expr> carries() {
    std::vector<Expr> all;
    visit([&](Expr& x) { all.push_back(x); });
    return all;
  }
  static State of(std::span<const Expr> carries) {
    State state;
    const std::size_t n = (carries.size() - kScalars) / 5;
    for (auto* values : {&state.y, &state.slope, &state.lastY, &state.lastSlope, &state.bend})
      values->resize(n);
    std::size_t next = 0;
    state.visit([&](Expr& x) { x = carries[next++]; });
    return state;
  }
};

class Dopri5 {
 public:
  Dopri5(const OdeSystem& system, Expr direction, std::span<const Expr> constants)
      : system_(system), direction_(direction), constants_(constants) {}

  State begin(Expr t, std::span<const Expr> y) const {
    State state;
    state.t = state.lastT = t;
    state.y = state.lastY = {y.begin(), y.end()};
    state.slope = state.lastSlope = system_(t, y, constants_);
    for (const Expr& x : y) state.bend.push_back(full(x, 0));
    // No step was taken: the extension is asked at its beginning only.
    state.lastH = constant(t, 1);
    state.h = stopGradient(firstStep(state) * direction_);
    state.error = constant(t, kLeastError);
    state.isRetry = fullBool(t, false);
    state.accepted = state.tried = constant(t, 0);
    return state;
  }

  /// Whether the steps so far do not reach this time, and another one may be taken.
  Expr goesOn(const State& state, Expr target) const {
    return logicalAnd(isBefore(state, target),
                      logicalAnd(hasSteps(state), logicalNot(isTooSmall(state))));
  }
  /// Where one time is not reached, no later one is.
  void requireReached(const State& state, Expr last) const {
    const Expr isThere = logicalNot(isBefore(state, last));
    require("ode: keeping within maxSteps", logicalOr(isThere, hasSteps(state)));
    require("ode: finding a step size", logicalOr(isThere, logicalNot(hasSteps(state))));
  }

  State next(const State& now) const {
    std::vector<std::vector<Expr>> slopes;  // by value of the state
    for (const Expr& slope : now.slope) slopes.push_back({slope});
    std::vector<Expr> y;
    for (std::size_t s = 1; s < kStages; ++s) {
      y.clear();
      for (std::size_t i = 0; i < now.y.size(); ++i)
        y.push_back(stage(now.y[i], now.h, {kStageWeights[s].data(), s}, slopes[i]));
      const std::vector<Expr> next = system_(now.t + kNodes[s] * now.h, y, constants_);
      for (std::size_t i = 0; i < next.size(); ++i) slopes[i].push_back(next[i]);
    }
    const Expr error = stopGradient(errorNorm(now, y, slopes));
    const Expr isAccepted = lessEqual(error, 1);  // not where it is NaN

    State taken = now;
    taken.t = now.t + now.h;
    taken.y = y;
    taken.lastT = now.t;
    taken.lastH = now.h;
    taken.lastY = now.y;
    taken.lastSlope = now.slope;
    for (std::size_t i = 0; i < y.size(); ++i) {
      taken.slope[i] = slopes[i].back();
      taken.bend[i] = now.h * combination(kBend, slopes[i]);
    }
    taken.error = max(error, constant(error, kLeastError));
    taken.accepted = now.accepted + 1.0;

    State result = now;
    std::vector<Expr> both = taken.carries();
    std::size_t k = 0;
    result.visit([&](Expr& x) {
      const Expr other = both[k++];
      if (other.id != x.id) x = select(isAccepted, other, x);
    });
    result.h = now.h / shrinking(now, error, isAccepted);
    result.isRetry = logicalNot(isAccepted);
    result.tried = now.tried + 1.0;
    return result;
  }

  /// The continuous extension of the last step.
  std::vector<Expr> at(const State& state, Expr time) const {
    const Expr theta = (time - state.lastT) / state.lastH;
    const Expr rest = 1.0 - theta;
    std::vector<Expr> result;
    for (std::size_t i = 0; i < state.y.size(); ++i) {
      const Expr difference = state.y[i] - state.lastY[i];
      const Expr begins = state.lastH * state.lastSlope[i] - difference;
      const Expr ends = difference - state.lastH * state.slope[i] - begins;
      result.push_back(state.lastY[i] +
                       theta *
                           (difference + rest * (begins + theta * (ends + rest * state.bend[i]))));
    }
    return result;
  }

 private:
  Expr isBefore(const State& state, Expr target) const {
    return greater((target - state.t) * direction_, 0);
  }
  Expr hasSteps(const State& state) const {
    return less(state.tried, static_cast<double>(system_.options.maxSteps));
  }
  /// NaN is.
  static Expr isTooSmall(const State& state) {
    constexpr double kRoundoff = std::numeric_limits<double>::epsilon() / 2;
    return logicalNot(greater(0.1 * abs(state.h), kRoundoff * abs(state.t)));
  }

  /// Root of the mean of squares over all values, by what is tolerated of each.
  Expr norm(const std::vector<Expr>& values, const std::vector<Expr>& sizes) const {
    Expr total;
    std::int64_t count = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Expr tolerated = system_.options.atol[i] + system_.options.rtol[i] * sizes[i];
      const Expr squares = square(values[i] / tolerated);
      const Expr part = sum(squares, allAxes(squares));
      total = total ? total + part : part;
      count += elementCount(squares.shape());
    }
    return sqrt(total / static_cast<double>(std::max<std::int64_t>(count, 1)));
  }

  Expr errorNorm(const State& now, const std::vector<Expr>& y,
                 const std::vector<std::vector<Expr>>& slopes) const {
    std::vector<Expr> errors, sizes;
    for (std::size_t i = 0; i < y.size(); ++i) {
      errors.push_back(now.h * combination(kError, slopes[i]));
      sizes.push_back(max(abs(now.y[i]), abs(y[i])));
    }
    return norm(errors, sizes);
  }

  /// What the step size is divided by.
  static Expr shrinking(const State& now, Expr error, Expr isAccepted) {
    const Expr asked = pow(error, kExponent);
    const Expr smooth = asked / pow(now.error, kBeta) / kSafety;
    Expr taken =
        max(constant(error, 1 / kMostGrowth), min(constant(error, kMostShrinking), smooth));
    // After a rejected try steps do not grow.
    taken = select(now.isRetry, max(taken, constant(error, 1)), taken);
    // fmin is kMostShrinking where the error is NaN.
    return select(isAccepted, taken, fmin(asked / kSafety, kMostShrinking));
  }

  /// Its size, after Gladwell, Shampine & Brankin (1987).
  Expr firstStep(const State& state) const {
    if (system_.options.firstStep > 0) return constant(state.t, system_.options.firstStep);
    std::vector<Expr> sizes;
    for (const Expr& y : state.y) sizes.push_back(abs(y));
    const Expr d0 = norm(state.y, sizes);
    const Expr d1 = norm(state.slope, sizes);
    const Expr isSmall = logicalOr(less(d0, 1e-5), less(d1, 1e-5));
    const Expr h0 = select(isSmall, constant(d0, 1e-6), 0.01 * (d0 / d1));
    const Expr step = h0 * direction_;
    std::vector<Expr> y;
    for (std::size_t i = 0; i < state.y.size(); ++i)
      y.push_back(state.y[i] + step * state.slope[i]);
    std::vector<Expr> change = system_(state.t + step, y, constants_);
    for (std::size_t i = 0; i < change.size(); ++i) change[i] = change[i] - state.slope[i];
    const Expr d2 = norm(change, sizes) / h0;
    const Expr largest = max(d1, d2);
    const Expr h1 = select(lessEqual(largest, 1e-15), max(constant(h0, 1e-6), 1e-3 * h0),
                           pow(0.01 / largest, 0.2));
    // Where the system is not defined after h0, fmin leaves that.
    return fmin(100.0 * h0, h1);
  }

  const OdeSystem& system_;
  Expr direction_;
  std::span<const Expr> constants_;
};

/// Makes runs fail where times are neither in this order nor equal, or NaN.
void requireOrder(Expr times, Expr direction) {
  const std::int64_t intervals = times.shape()[0] - 1;
  const Expr forward = direction * (rowsOf(times, 1, intervals) - rowsOf(times, 0, intervals));
  require("ode: putting the times in order", greaterEqual(reduceMin(forward, {0}), 0));
}

}  // namespace

OdeRows integrateDopri5(const OdeSystem& system, std::span<const Expr> y0, Expr times,
                        std::span<const Expr> constants) {
  const std::int64_t intervals = times.shape()[0] - 1;
  const Expr first = rowOf(times, 0);
  const Expr isBackward = less(rowOf(times, intervals), first);
  const Expr direction = select(isBackward, constant(first, -1), constant(first, 1));
  requireOrder(times, direction);

  const auto interval = [&](const StepValues& in) {
    const Expr target = in.rows[0];
    const Dopri5 method(system, in.constants[0], in.constants.subspan(1));
    std::vector<Expr> fixed = {in.constants[0], target};
    fixed.insert(fixed.end(), in.constants.begin() + 1, in.constants.end());
    std::vector<Expr> carries = {method.goesOn(State::of(in.carries), target)};
    carries.insert(carries.end(), in.carries.begin(), in.carries.end());
    LoopAttributes attributes;
    attributes.length = system.options.maxSteps;
    attributes.trips = LoopTrips::While;
    attributes.checkpoints = system.options.checkpoints;
    const std::vector<Expr> last = appendSteps(
        "ode", attributes, fixed, carries, {},
        [&](const StepValues& step) {
          const Dopri5 inner(system, step.constants[0], step.constants.subspan(2));
          State next = inner.next(State::of(step.carries.subspan(1)));
          std::vector<Expr> results = next.carries();
          results.insert(results.begin(), inner.goesOn(next, step.constants[1]));
          return results;
        },
        system.options.directory);
    State reached = State::of(std::span(last).subspan(1, carries.size() - 1));
    std::vector<Expr> results = reached.carries();
    for (const Expr& y : method.at(reached, target)) results.push_back(y);
    return results;
  };

  const Dopri5 method(system, direction, constants);
  State begin = method.begin(first, y0);
  const std::vector<Expr> carries = begin.carries();
  std::vector<Expr> fixed = {direction};
  fixed.insert(fixed.end(), constants.begin(), constants.end());
  const std::vector<Expr> items =
      appendScan("ode", intervals, false, fixed, carries, {rowsOf(times, 1, intervals)}, interval);
  const State end = State::of(std::span(items).first(carries.size()));
  method.requireReached(end, rowOf(times, intervals));
  OdeRows result;
  for (std::size_t i = 0; i < y0.size(); ++i)
    result.y.push_back(prepended(y0[i], items[carries.size() + i]));
  result.accepted = end.accepted;
  result.rejected = end.tried - end.accepted;
  return result;
}

}  // namespace adjoint

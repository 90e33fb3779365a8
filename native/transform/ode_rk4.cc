// The classical Runge-Kutta method of order 4 (Hairer, Norsett & Wanner, Solving Ordinary
// Differential Equations I, 2nd ed. 1993, II.1).
#include "transform/ode_steps.h"

namespace adjoint {

using namespace ex;

namespace {

std::vector<Expr> moved(std::span<const Expr> y, Expr h, std::span<const Expr> slopes) {
  std::vector<Expr> result;
  for (std::size_t i = 0; i < y.size(); ++i) result.push_back(y[i] + h * slopes[i]);
  return result;
}

std::vector<Expr> rk4Step(const OdeSystem& f, Expr t, Expr h, std::span<const Expr> y,
                          std::span<const Expr> constants) {
  const Expr half = 0.5 * h;
  const auto k1 = f(t, y, constants);
  const auto k2 = f(t + half, moved(y, half, k1), constants);
  const auto k3 = f(t + half, moved(y, half, k2), constants);
  const auto k4 = f(t + h, moved(y, h, k3), constants);
  const Expr sixth = h / 6.0;
  std::vector<Expr> next;
  for (std::size_t i = 0; i < y.size(); ++i)
    next.push_back(y[i] + sixth * ((k1[i] + k4[i]) + 2.0 * (k2[i] + k3[i])));
  return next;
}

}  // namespace

OdeRows integrateRk4(const OdeSystem& system, std::span<const Expr> y0, Expr times,
                     std::span<const Expr> constants) {
  const std::int64_t intervals = times.shape()[0] - 1;
  const std::int64_t steps = system.options.steps;
  const auto interval = [&](const StepValues& in) {
    const Expr from = in.rows[0];
    const Expr h = (in.rows[1] - from) / static_cast<double>(steps);
    std::vector<Expr> fixed = {from, h};
    fixed.insert(fixed.end(), in.constants.begin(), in.constants.end());
    LoopAttributes attributes;
    attributes.length = steps;
    attributes.indexed = true;
    attributes.checkpoints = system.options.checkpoints;
    std::vector<Expr> y = appendSteps(
        "ode", attributes, fixed, {in.carries.begin(), in.carries.end()}, {},
        [&](const StepValues& step) {
          const Expr t = step.constants[0] + step.index * step.constants[1];
          return rk4Step(system, t, step.constants[1], step.carries, step.constants.subspan(2));
        },
        system.options.directory);
    // The rows are the carries themselves.
    const std::vector<Expr> rows = y;
    y.insert(y.end(), rows.begin(), rows.end());
    return y;
  };
  const std::vector<Expr> items = appendScan(
      "ode", intervals, false, {constants.begin(), constants.end()}, {y0.begin(), y0.end()},
      {rowsOf(times, 0, intervals), rowsOf(times, 1, intervals)}, interval);
  OdeRows result;
  for (std::size_t i = 0; i < y0.size(); ++i)
    result.y.push_back(prepended(y0[i], items[y0.size() + i]));
  result.accepted = constant(times, static_cast<double>(intervals * steps));
  result.rejected = constant(times, 0);
  return result;
}

}  // namespace adjoint

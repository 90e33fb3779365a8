// The adjoint equation (Pontryagin et al. 1962; Cao, Li, Petzold & Serban, Adjoint sensitivity
// analysis for differential-algebraic equations, 2003). With the cotangents b_i of y(t_i)
//   lambda' = -lambda^T df/dy backwards from t_m, plus b_i at each t_i
// the cotangents are lambda(t_0) of y0, the integral of lambda^T df/dp of constants,
// f(t_i, y_i) . b_i of t_i, and -f(t_0, y_0) . lambda(t_0), without b_0, of t_0.
#include <algorithm>
#include <numeric>

#include "transform/ode_steps.h"
#include "transform/transform.h"

namespace adjoint {

using namespace ex;

namespace {

std::vector<std::size_t> range(std::size_t first, std::size_t count) {
  std::vector<std::size_t> positions(count);
  std::iota(positions.begin(), positions.end(), first);
  return positions;
}

std::vector<Expr> addInputs(Builder& builder, const std::vector<Shape>& shapes,
                            const std::string& prefix) {
  std::vector<Expr> inputs;
  for (std::size_t i = 0; i < shapes.size(); ++i)
    inputs.push_back({&builder, builder.input(prefix + std::to_string(i), shapes[i])});
  return inputs;
}

TapePtr finish(Builder& builder, const std::vector<Expr>& results) {
  std::vector<Port> ports;
  for (const Expr& x : results) ports.push_back({std::to_string(ports.size()), x.id});
  return builder.finish(std::move(ports));
}

std::vector<Expr> joined(std::initializer_list<std::span<const Expr>> parts) {
  std::vector<Expr> all;
  for (const auto part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Expr dot(std::span<const Expr> a, std::span<const Expr> b) {
  Expr total;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const Expr products = a[i] * b[i];
    const Expr part = sum(products, allAxes(products));
    total = total ? total + part : part;
  }
  return total;
}

/// The system of y..., lambda..., and the gradient of constants..., all by time.
OdeSystem adjointSystem(const OdeSystem& system, const std::vector<Shape>& y0,
                        const std::vector<Shape>& constants) {
  const std::size_t n = system.size;
  const TapePtr pulled = vjp(system.rhs, range(1, n + constants.size()));
  Builder builder;
  const Expr t{&builder, builder.input("t", {})};
  const std::vector<Expr> y = addInputs(builder, y0, "y");
  const std::vector<Expr> lambda = addInputs(builder, y0, "lambda");
  addInputs(builder, constants, "gradient");
  const std::vector<Expr> fixed = addInputs(builder, constants, "constant");
  std::vector<NodeId> arguments;
  for (const Expr& x : joined({{&t, 1}, y, fixed, lambda})) arguments.push_back(x.id);
  const std::vector<NodeId> results = inlineTape(builder, *pulled, arguments);
  std::vector<Expr> slopes;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Expr value{&builder, results[i]};
    slopes.push_back(i < n ? value : -value);
  }
  OdeSystem result;
  result.rhs = finish(builder, slopes);
  result.size = 2 * n + constants.size();
  result.options = system.options;
  result.options.firstStep = 0;
  for (std::vector<double>* list : {&result.options.rtol, &result.options.atol}) {
    if (list->empty()) continue;
    const std::vector<double> own = *list;
    list->insert(list->end(), own.begin(), own.end());
    list->insert(list->end(), constants.size(), *std::ranges::min_element(own));
  }
  return result;
}

TapePtr continuousVjp(const OdeSystem& system, const std::vector<Shape>& y0, const Shape& times,
                      const std::vector<Shape>& constants) {
  const std::size_t n = y0.size();
  const std::int64_t intervals = times[0] - 1;
  std::vector<Shape> rows = y0;
  for (Shape& shape : rows) shape.insert(shape.begin(), times[0]);
  const OdeSystem backward = adjointSystem(system, y0, constants);

  Builder builder;
  const std::vector<Expr> start = addInputs(builder, y0, "y0_");
  const Expr t{&builder, builder.input("times", times)};
  const std::vector<Expr> fixed = addInputs(builder, constants, "constant");
  const std::vector<Expr> y = addInputs(builder, rows, "y");
  addInputs(builder, {{}, {}}, "count");
  const std::vector<Expr> bars = addInputs(builder, rows, "bar");
  addInputs(builder, {{}, {}}, "bar_count");

  // Carries: lambda..., gradient...; rows: from, to, y..., cotangents....
  const auto interval = [&](const StepValues& in) {
    const auto yHere = in.rows.subspan(2, n);
    const auto bar = in.rows.subspan(2 + n, n);
    std::vector<Expr> state = {yHere.begin(), yHere.end()};
    for (std::size_t i = 0; i < n; ++i) state.push_back(in.carries[i] + bar[i]);
    state.insert(state.end(), in.carries.begin() + static_cast<std::ptrdiff_t>(n),
                 in.carries.end());
    const Expr span = concat({expandAxes(in.rows[1], {0}), expandAxes(in.rows[0], {0})}, 0);
    const OdeRows solution = integrate(backward, state, span, in.constants);
    std::vector<Expr> results;
    for (std::size_t i = n; i < solution.y.size(); ++i) results.push_back(rowOf(solution.y[i], 1));
    results.push_back(dot(system(in.rows[1], yHere, in.constants), bar));
    return results;
  };

  std::vector<Expr> carries;
  for (const Shape& shape : y0) carries.push_back({&builder, builder.constant(0, shape)});
  for (const Shape& shape : constants) carries.push_back({&builder, builder.constant(0, shape)});
  Expr timeBars;
  if (intervals > 0) {
    std::vector<Expr> streams = {rowsOf(t, 0, intervals), rowsOf(t, 1, intervals)};
    for (const auto* values : {&y, &bars}) {
      for (const Expr& x : *values) streams.push_back(rowsOf(x, 1, intervals));
    }
    carries = appendScan("ode", intervals, true, fixed, carries, streams, interval);
    timeBars = carries.back();
    carries.pop_back();
  }
  const std::span<const Expr> lambda = std::span(carries).first(n);
  const Expr firstBar = -dot(system(rowOf(t, 0), start, fixed), lambda);
  std::vector<Expr> results;
  for (std::size_t i = 0; i < n; ++i) results.push_back(lambda[i] + rowOf(bars[i], 0));
  results.push_back(timeBars ? prepended(firstBar, timeBars) : expandAxes(firstBar, {0}));
  results.insert(results.end(), carries.begin() + static_cast<std::ptrdiff_t>(n), carries.end());
  return finish(builder, results);
}

/// Tangents of the outputs alone.
TapePtr tangents(const TapePtr& primal) {
  const TapePtr pushed = jvp(primal, range(0, primal->inputs().size()));
  const std::size_t count = primal->outputs().size();
  return selectOutputs(pushed, range(count, count));
}

}  // namespace

std::shared_ptr<const CustomRule> continuousRule(const OdeSystem& system,
                                                 const std::vector<Shape>& y0, const Shape& times,
                                                 const std::vector<Shape>& constants) {
  Builder builder;
  const std::vector<Expr> start = addInputs(builder, y0, "y0_");
  const Expr t{&builder, builder.input("times", times)};
  const std::vector<Expr> fixed = addInputs(builder, constants, "constant");
  const OdeRows solution = integrate(system, start, t, fixed);
  std::vector<Expr> results = solution.y;
  results.push_back(solution.accepted);
  results.push_back(solution.rejected);
  auto rule = std::make_shared<CustomRule>();
  rule->name = "ode";
  rule->primal = finish(builder, results);
  rule->jvp = tangents(rule->primal);
  rule->vjp = continuousVjp(system, y0, times, constants);
  return rule;
}

}  // namespace adjoint

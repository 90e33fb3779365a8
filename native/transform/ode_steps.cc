#include "transform/ode_steps.h"

#include <limits>

#include "transform/transform.h"

namespace adjoint {

using namespace ex;

namespace {

std::vector<Expr> joined(std::initializer_list<std::span<const Expr>> parts) {
  std::vector<Expr> all;
  for (const auto part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

std::vector<NodeId> idsOf(std::span<const Expr> values) {
  std::vector<NodeId> ids;
  for (const Expr& value : values) ids.push_back(value.id);
  return ids;
}

std::shared_ptr<const CustomRule> ruleOf(const std::string& name, TapePtr step,
                                         const std::string& directory) {
  auto rule = std::make_shared<CustomRule>();
  rule->name = name;
  rule->primal = std::move(step);
  rule->directory = directory;
  return rule;
}

}  // namespace

std::vector<Expr> OdeSystem::operator()(Expr t, std::span<const Expr> y,
                                        std::span<const Expr> constants) const {
  const std::vector<Expr> arguments = joined({{&t, 1}, y, constants});
  std::vector<Expr> slopes;
  for (const NodeId id : inlineTape(*t.builder, *rhs, idsOf(arguments)))
    slopes.push_back({t.builder, id});
  return slopes;
}

OdeRows integrate(const OdeSystem& system, std::span<const Expr> y0, Expr times,
                  std::span<const Expr> constants) {
  if (times.shape()[0] == 1) {
    OdeRows rows;
    for (const Expr& y : y0) rows.y.push_back(expandAxes(y, {0}));
    rows.accepted = rows.rejected = constant(times, 0);
    return rows;
  }
  const bool isRk4 = system.options.method == OdeMethod::Rk4;
  return (isRk4 ? integrateRk4 : integrateDopri5)(system, y0, times, constants);
}

std::vector<Expr> appendSteps(const std::string& name, LoopAttributes attributes,
                              const std::vector<Expr>& constants, const std::vector<Expr>& carries,
                              const std::vector<Expr>& streams, const StepBody& body,
                              const std::string& directory) {
  const std::vector<Expr> operands = joined({constants, carries, streams});
  Builder& outer = *operands.front().builder;
  Builder builder;
  std::vector<Expr> inputs;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    Shape shape = operands[i].shape();
    if (i >= constants.size() + carries.size()) shape.erase(shape.begin());
    const DType dtype = outer.dtype(operands[i].id);
    inputs.push_back({&builder, builder.input(std::to_string(i), shape, dtype)});
  }
  StepValues values;
  values.constants = {inputs.data(), constants.size()};
  values.carries = {inputs.data() + constants.size(), carries.size()};
  values.rows = {inputs.data() + constants.size() + carries.size(), streams.size()};
  if (attributes.indexed) values.index = {&builder, builder.input("index", {})};
  std::vector<Port> ports;
  for (const Expr& value : body(values)) ports.push_back({std::to_string(ports.size()), value.id});
  attributes.constants = constants.size();
  attributes.carries = carries.size();
  attributes.streams = streams.size();
  const auto rule = ruleOf(name, builder.finish(std::move(ports)), directory);
  std::vector<Expr> items;
  for (const NodeId id : appendLoop(outer, rule, attributes, idsOf(operands)))
    items.push_back({&outer, id});
  return items;
}

std::vector<Expr> appendScan(const std::string& name, std::int64_t length, bool reverse,
                             const std::vector<Expr>& constants, const std::vector<Expr>& carries,
                             const std::vector<Expr>& streams, const StepBody& body) {
  if (length != 1) {
    LoopAttributes attributes;
    attributes.length = length;
    attributes.reverse = reverse;
    return appendSteps(name, attributes, constants, carries, streams, body);
  }
  std::vector<Expr> rows;
  for (const Expr& stream : streams) rows.push_back(rowOf(stream, 0));
  std::vector<Expr> items = body({constants, carries, rows, {}});
  for (std::size_t i = carries.size(); i < items.size(); ++i) items[i] = expandAxes(items[i], {0});
  return items;
}

void require(const std::string& name, Expr condition) {
  // A loop of no steps, whose number of steps is none where the condition does not hold.
  Builder& builder = *condition.builder;
  const Expr none = constant(condition, std::numeric_limits<double>::quiet_NaN());
  const Expr count = apply(Op::Where, {condition, constant(condition, 0), none});
  LoopAttributes attributes;
  attributes.trips = LoopTrips::Counted;
  appendLoop(builder, ruleOf(name, Builder().finish({}), ""), attributes, {&count.id, 1});
}

Expr rowsOf(Expr x, std::int64_t first, std::int64_t count) {
  return sliceAxis(x, 0, {first, count, 1});
}

Expr rowOf(Expr x, std::int64_t row) {
  Shape shape = x.shape();
  shape.erase(shape.begin());
  return reshape(rowsOf(x, row, 1), shape);
}

Expr prepended(Expr row, Expr rows) { return concat({expandAxes(row, {0}), rows}, 0); }

Expr select(Expr condition, Expr a, Expr b) {
  return apply(Op::Where, {broadcastTo(condition, Shape(a.shape())), a, b});
}

Expr combination(std::span<const double> weights, std::span<const Expr> slopes) {
  Expr total;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    const Expr term = weights[i] * slopes[i];
    total = total ? total + term : term;
  }
  return total;
}

Expr stage(Expr y, Expr h, std::span<const double> weights, std::span<const Expr> slopes) {
  return y + h * combination(weights, slopes);
}

}  // namespace adjoint

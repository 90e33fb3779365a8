#include "transform/ode.h"

#include "transform/ode_steps.h"
#include "transform/rules.h"
#include "transform/transform.h"

namespace adjoint {

using namespace ex;

namespace {

std::string describe(const Shape& shape) { return "shape " + toString(shape); }

void checkOptions(const OdeOptions& options, std::size_t size) {
  const auto refuse = [](const char* what) {
    throw Error(ErrorCode::Argument, std::string("ode: ") + what);
  };
  if (options.method == OdeMethod::Rk4) {
    if (options.steps < 1) refuse("steps is a whole number from 1");
    return;
  }
  if (options.maxSteps < 1) refuse("maxSteps is a whole number from 1");
  if (!(options.firstStep >= 0)) refuse("firstStep is a number above 0");
  if (options.rtol.size() != size || options.atol.size() != size)
    refuse("there is one rtol and one atol for each value of the state");
  for (std::size_t i = 0; i < size; ++i) {
    if (!(options.rtol[i] >= 0 && options.atol[i] >= 0 && options.rtol[i] + options.atol[i] > 0))
      refuse("rtol and atol are numbers from 0 on, and not both of them 0");
  }
}

void checkProblem(const Builder& builder, const OdeProblem& problem) {
  const Tape& rhs = *problem.rhs;
  const std::size_t size = problem.y0.size();
  if (size == 0 || rhs.outputs().size() != size ||
      rhs.inputs().size() != 1 + size + problem.constants.size())
    throw Error(ErrorCode::Argument, "ode: the right-hand side does not fit the state");
  const Shape& times = builder.shape(problem.times);
  if (times.size() != 1 || times[0] == 0)
    throw Error(ErrorCode::Shape, "ode: times are a vector of one or more, got " + describe(times));
  if (builder.dtype(problem.times) != DType::F64)
    throw Error(ErrorCode::DType, "ode: times are booleans");
  for (std::size_t i = 0; i < size; ++i) {
    const Shape& shape = builder.shape(problem.y0[i]);
    const NodeId slope = rhs.outputs()[i].node;
    const NodeId input = rhs.inputs()[1 + i].node;
    if (builder.dtype(problem.y0[i]) != DType::F64 || rhs.node(slope).dtype != DType::F64)
      throw Error(ErrorCode::DType, "ode: a value of the state is boolean");
    if (rhs.shape(slope) != shape || rhs.shape(input) != shape) {
      throw Error(ErrorCode::Shape, "ode: a value of the state has " + describe(shape) +
                                        ", its derivative " + describe(rhs.shape(slope)));
    }
  }
}

std::vector<Expr> at(Builder& builder, const std::vector<NodeId>& ids) {
  std::vector<Expr> values;
  for (const NodeId id : ids) values.push_back({&builder, id});
  return values;
}

std::vector<Shape> shapesOf(const std::vector<Expr>& values) {
  std::vector<Shape> shapes;
  for (const Expr& x : values) shapes.push_back(x.shape());
  return shapes;
}

/// The same right-hand side with numbers for constants that are booleans.
TapePtr withNumbers(const Tape& rhs) {
  Builder builder;
  std::vector<NodeId> arguments;
  for (const Port& port : rhs.inputs()) {
    const Expr input{&builder, builder.input(port.name, rhs.shape(port.node))};
    const bool isNumber = rhs.node(port.node).dtype == DType::F64;
    arguments.push_back((isNumber ? input : notEqual(input, 0)).id);
  }
  const std::vector<NodeId> slopes = inlineTape(builder, rhs, arguments, true);
  std::vector<Port> ports = rhs.outputs();
  for (std::size_t i = 0; i < ports.size(); ++i) ports[i].node = slopes[i];
  return builder.finish(std::move(ports));
}

OdeRows appendContinuous(Builder& builder, OdeSystem system, const std::vector<Expr>& y0,
                         Expr times, std::vector<Expr> constants) {
  system.rhs = withNumbers(*system.rhs);
  for (Expr& x : constants) {
    if (builder.dtype(x.id) == DType::Bool) x = toNumber(x);
  }
  const auto rule = continuousRule(system, shapesOf(y0), times.shape(), shapesOf(constants));
  std::vector<NodeId> operands;
  for (const Expr& x : y0) operands.push_back(x.id);
  operands.push_back(times.id);
  for (const Expr& x : constants) operands.push_back(x.id);
  const auto index = static_cast<std::int64_t>(builder.addRule(rule));
  const NodeId call = builder.append(code(Op::Custom), DType::F64, {}, operands, {&index, 1});
  std::vector<Expr> items = at(builder, itemsOf(builder, *rule->primal, call));
  OdeRows rows;
  rows.rejected = items.back();
  items.pop_back();
  rows.accepted = items.back();
  items.pop_back();
  rows.y = items;
  return rows;
}

}  // namespace

OdeSolution appendOde(Builder& builder, const OdeProblem& problem, const OdeOptions& options) {
  checkProblem(builder, problem);
  checkOptions(options, problem.y0.size());
  const OdeSystem system{problem.rhs, problem.y0.size(), options};
  const std::vector<Expr> y0 = at(builder, problem.y0);
  const std::vector<Expr> constants = at(builder, problem.constants);
  const Expr times{&builder, problem.times};
  const OdeRows rows = options.adjoint == OdeAdjoint::Continuous
                           ? appendContinuous(builder, system, y0, times, constants)
                           : integrate(system, y0, times, constants);
  OdeSolution solution;
  for (const Expr& y : rows.y) solution.y.push_back(y.id);
  solution.accepted = rows.accepted.id;
  solution.rejected = rows.rejected.id;
  return solution;
}

}  // namespace adjoint

#include <algorithm>
#include <numeric>

#include "ops/build.h"
#include "ops/loop.h"
#include "ops/row.h"
#include "transform/lane.h"
#include "transform/transform.h"

namespace adjoint {

namespace {

using namespace ex;

/// Elementwise operations that cost about one multiplication.
bool isCheap(Op op) {
  switch (op) {
    case Op::Add:
    case Op::Sub:
    case Op::Mul:
    case Op::Neg:
    case Op::Fma:
    case Op::Square:
    case Op::Abs:
    case Op::Where:
      return true;
    default:
      return rowOf(op).family == Family::Select;
  }
}

constexpr double kTranscendentalCost = 10;
/// Steps of a loop whose number only a run knows: its length is but a limit.
constexpr std::int64_t kUnknownSteps = 8;

double costOf(const Tape& t, const Node& node) {
  const Row& row = rowOf(node);
  const auto count = static_cast<double>(elementCount(t.shape(node)));
  if (row.op == Op::Loop) {
    const LoopAttributes loop = LoopAttributes::read(t, node);
    const std::int64_t steps =
        loop.trips == LoopTrips::Fixed ? loop.length : std::min(loop.length, kUnknownSteps);
    return static_cast<double>(steps) * estimateCost(*t.rule(loop.rule).primal);
  }
  switch (row.family) {
    case Family::Elementwise:
    case Family::Select:
    case Family::Where:
      return count * (isCheap(row.op) ? 1 : kTranscendentalCost);
    case Family::Bilinear:
      return 2 * count * static_cast<double>(t.shape(node.operand[0]).back());
    case Family::Linear:
    case Family::Reduction:
    case Family::Recurrence:
      return row.op == Op::Sum || row.family != Family::Linear
                 ? static_cast<double>(t.count(node.operand[0]))
                 : count * 0.25;
    default:
      return 0;
  }
}

/// For each port a unit direction a lane: lanes [first, first + size) carry the unit vectors of
/// this one.
Expr unitSeeds(Builder& builder, const Shape& shape, std::int64_t first, std::int64_t lanes) {
  std::vector<double> laneOf(static_cast<std::size_t>(elementCount(shape)));
  std::iota(laneOf.begin(), laneOf.end(), static_cast<double>(first));
  return laneSeeds(builder, shape, lanes, laneOf);
}

Expr moveLanesLast(Expr x) {
  Axes axes;
  for (std::size_t i = 1; i < x.shape().size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  axes.push_back(0);
  return transpose(x, axes);
}

Shape joined(const Shape& a, const Shape& b) {
  Shape result = a;
  result.insert(result.end(), b.begin(), b.end());
  return result;
}

struct Sizes {
  std::vector<Shape> shapes;
  std::vector<std::int64_t> first;
  std::int64_t total = 0;

  void add(const Shape& shape) {
    shapes.push_back(shape);
    first.push_back(total);
    total += elementCount(shape);
  }
};

/// Builds the tape from the derivative over unit seeds. `derivative` is jvp or vjp; in both, the
/// inputs are those of t then the seeds, and the outputs those of t then the results.
TapePtr assemble(const TapePtr& t, const TapePtr& derivative, const Sizes& in, const Sizes& out,
                 bool forward) {
  const Sizes& seeds = forward ? in : out;
  const std::int64_t lanes = seeds.total;
  std::vector<bool> batched(t->inputs().size(), false);
  batched.resize(batched.size() + seeds.shapes.size(), true);
  std::vector<std::size_t> wanted;
  for (std::size_t i = t->outputs().size(); i < derivative->outputs().size(); ++i)
    wanted.push_back(i);
  const TapePtr lanesTape = vmap(selectOutputs(derivative, wanted), lanes, batched);

  Builder builder;
  std::vector<NodeId> arguments;
  for (const Port& port : t->inputs()) {
    arguments.push_back(builder.input(port.name, t->shape(port.node), t->node(port.node).dtype));
  }
  for (std::size_t i = 0; i < seeds.shapes.size(); ++i) {
    arguments.push_back(unitSeeds(builder, seeds.shapes[i], seeds.first[i], lanes).id);
  }
  const std::vector<NodeId> results = inlineTape(builder, *lanesTape, arguments, true);
  std::vector<Port> ports;
  for (std::size_t o = 0; o < out.shapes.size(); ++o) {
    for (std::size_t i = 0; i < in.shapes.size(); ++i) {
      const Expr all{&builder, results[forward ? o : i]};
      const std::size_t own = forward ? i : o;
      Expr block = sliceAxis(all, 0, {seeds.first[own], elementCount(seeds.shapes[own]), 1});
      if (forward) block = moveLanesLast(block);
      block = reshape(block, joined(out.shapes[o], in.shapes[i]));
      ports.push_back({t->outputs()[o].name, block.id});
    }
  }
  return builder.finish(std::move(ports));
}

}  // namespace

double estimateCost(const Tape& t) {
  double cost = 0;
  for (const Node& node : t.nodes()) cost += costOf(t, node);
  return cost;
}

JacobianResult jacobian(const TapePtr& t, std::span<const std::size_t> wrt, JacobianMode mode) {
  Sizes in;
  Sizes out;
  for (const std::size_t i : wrt) in.add(t->shape(t->inputs()[i].node));
  for (const Port& port : t->outputs()) out.add(t->shape(port.node));
  const TapePtr forward = jvp(t, wrt);
  const TapePtr reverse = vjp(t, wrt);
  const double primal = estimateCost(*t);
  const auto cost = [&](const TapePtr& derivative, std::int64_t lanes) {
    return primal + static_cast<double>(lanes) * std::max(1.0, estimateCost(*derivative) - primal);
  };
  JacobianResult result;
  result.forwardCost = cost(forward, in.total);
  result.reverseCost = cost(reverse, out.total);
  result.mode = mode != JacobianMode::Auto                 ? mode
                : result.forwardCost <= result.reverseCost ? JacobianMode::Forward
                                                           : JacobianMode::Reverse;
  const bool isForward = result.mode == JacobianMode::Forward;
  result.tape = assemble(t, isForward ? forward : reverse, in, out, isForward);
  return result;
}

}  // namespace adjoint

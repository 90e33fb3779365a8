#include "test/support/reference_evaluator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ops/loop.h"
#include "test/mpfr_reference.h"
#include "transform/copy.h"

namespace adjoint::testing {

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kUnit = 0x1p-53;
/// Decisions nearer than this many bounds count as undecided.
constexpr double kMargin = 16;

using Index = std::vector<std::int64_t>;

/// Calls visit(index) for all positions of a shape in row-major order.
template <class Visit>
void forEachIndex(const Shape& shape, Visit visit) {
  const std::int64_t count = elementCount(shape);
  Index at(shape.size(), 0);
  for (std::int64_t i = 0; i < count; ++i) {
    visit(at);
    for (std::size_t k = shape.size(); k-- > 0;) {
      if (++at[k] < shape[k]) break;
      at[k] = 0;
    }
  }
}

std::size_t flat(const Shape& shape, const Index& at) {
  std::int64_t position = 0;
  for (std::size_t k = 0; k < shape.size(); ++k) position = position * shape[k] + at[k];
  return static_cast<std::size_t>(position);
}

/// Whether two numbers are too near each other to say which is larger.
bool isUndecided(const Number& a, const Number& b) {
  if (a.size == 0 && b.size == 0) return false;
  if (a.value.isNaN() || b.value.isNaN()) return false;
  // Equal to hundreds of bits, by terms of the same size: one value, and equal in doubles too.
  if (a.value == b.value && a.size == b.size && !a.value.isZero()) return false;
  const double gap = abs(a.value - b.value).toDouble();
  return !(gap > kMargin * kUnit * (a.size + b.size));
}

double magnitude(const Real& x) { return std::abs(x.toDouble()); }

Number number(double value) { return {Real(value), 0}; }

/// Rows that are steps: their value is exact unless the step is too near.
double stepSize(Op op, const Number* x, int attr) {
  switch (op) {
    case Op::Equal:
    case Op::NotEqual:
    case Op::Less:
    case Op::LessEqual:
    case Op::Greater:
    case Op::GreaterEqual:
    case Op::MaxWeight:
    case Op::FmaxWeight:
      return isUndecided(x[0], x[1]) ? kInf : 0;
    case Op::Sign:
      return isUndecided(x[0], number(0)) ? kInf : 0;
    case Op::Floor:
    case Op::Ceil:
    case Op::Round:
    case Op::Trunc: {
      if (x[0].size == 0) return 0;
      const Real slack = Real(kMargin * kUnit * x[0].size);
      const Real low[3] = {x[0].value - slack, 0, 0};
      const Real high[3] = {x[0].value + slack, 0, 0};
      return reference(op, low, attr) == reference(op, high, attr) ? 0 : kInf;
    }
    default:
      return 0;
  }
}

bool isLipschitz(Op op) {
  switch (op) {
    case Op::Abs:
    case Op::Relu:
    case Op::Maximum:
    case Op::Minimum:
    case Op::Fmax:
    case Op::Fmin:
    case Op::Clip:
    case Op::Neg:
    case Op::ToNumber:
      return true;
    default:
      return false;
  }
}

double sizeOf(const Row& row, const Number* x, std::size_t arity, const Real& y, int attr) {
  double largest = 0;
  for (std::size_t i = 0; i < arity; ++i) largest = std::max(largest, x[i].size);
  if (row.op == Op::Where) {
    if (x[0].size > 0) return kInf;
    return x[0].value.isZero() ? x[2].size : x[1].size;
  }
  if (row.operandType == DType::Bool && row.result == DType::Bool) return largest;
  if (isLipschitz(row.op)) return largest;
  if (row.op == Op::Copysign) return isUndecided(x[1], number(0)) ? kInf : x[0].size;
  if (row.family == Family::Select) return largest == kInf ? kInf : stepSize(row.op, x, attr);
  if (largest == kInf) return kInf;
  if (row.op == Op::Mod && (x[0].size > 0 || x[1].size > 0)) {
    const Number ratio{
        x[0].value / x[1].value,
        (x[0].size + x[1].size * magnitude(x[0].value / x[1].value)) / magnitude(x[1].value)};
    if (stepSize(Op::Floor, &ratio, 0) > 0) return kInf;
  }
  const Real values[3] = {x[0].value, x[1].value, x[2].value};
  double size = 2 * row.ulp * magnitude(y);
  if (row.ulp > 0) size += 2 * row.ulp * magnitude(largestTerm(row.op, -1, values, attr));
  // Where both partials vanish with the operands, the second order is all there is.
  if (row.op == Op::Mul) size += kUnit * x[0].size * x[1].size;
  if (row.op == Op::Square) size += kUnit * x[0].size * x[0].size;
  for (std::size_t i = 0; i < arity; ++i) {
    if (x[i].size == 0) continue;
    const double partial = magnitude(referencePartial(row.op, static_cast<int>(i), values, attr));
    size += (std::isnan(partial) ? kInf : partial) * x[i].size;
  }
  return size;
}

/// Roundings of a sum of n terms in the order of the plan: each term takes part in at most so many.
double roundings(std::int64_t n) {
  return static_cast<double>(n <= 16 ? n : std::min<std::int64_t>(n, 4096) / 16 + n / 4096 + 24);
}

}  // namespace

ReferenceEvaluator::ReferenceEvaluator(const Tape& tape, std::vector<Numbers> inputs)
    : tape_(tape), inputs_(std::move(inputs)) {}

void ReferenceEvaluator::evaluate() {
  tuples_.resize(tape_.size());
  for (std::size_t id = values_.size(); id < tape_.size(); ++id) {
    values_.push_back(compute(tape_.node(static_cast<NodeId>(id))));
  }
}

std::vector<Numbers> ReferenceEvaluator::outputs() const {
  std::vector<Numbers> result;
  for (const Port& port : tape_.outputs()) result.push_back(values_[port.node]);
  return result;
}

Numbers ReferenceEvaluator::compute(const Node& node) {
  const Shape& shape = tape_.shape(node);
  const auto count = static_cast<std::size_t>(elementCount(shape));
  switch (opOf(node)) {
    case Op::Input:
      return inputs_[node.attr];
    case Op::Constant:
      return Numbers(count, number(Tape::constantValue(node)));
    case Op::Data: {
      Numbers result;
      for (const double v : tape_.data(node)) result.push_back(number(v));
      return result;
    }
    case Op::Iota: {
      Numbers result;
      const auto axis = static_cast<std::size_t>(tape_.attrs(node)[0]);
      forEachIndex(
          shape, [&](const Index& at) { result.push_back(number(static_cast<double>(at[axis]))); });
      return result;
    }
    case Op::Concat:
      return concat(node);
    case Op::Gather:
      return gather(node);
    case Op::ScatterSum:
      return scatter(node);
    case Op::Sum:
    case Op::ReduceMax:
    case Op::ReduceMin:
      return reduce(node);
    case Op::ArgMax:
    case Op::ArgMin:
    case Op::ArgSort:
      return index(node);
    case Op::CumSum:
    case Op::LinearRecurrence:
      return recurrence(node);
    case Op::BatchMatMul:
      return matmul(node);
    case Op::Custom: {
      std::vector<Numbers> arguments;
      for (const NodeId id : tape_.operands(node)) arguments.push_back(values_[id]);
      const Tape& primal = *tape_.rule(static_cast<std::size_t>(tape_.attrs(node)[0])).primal;
      ReferenceEvaluator inner(primal, std::move(arguments));
      inner.evaluate();
      tuples_[values_.size()] = inner.outputs();
      return {};
    }
    case Op::Loop:
      tuples_[values_.size()] = loop(node);
      return {};
    case Op::Item:
      return tuples_[node.operand[0]][static_cast<std::size_t>(tape_.attrs(node)[0])];
    default:
      return rowOf(node).kernel ? elementwise(node) : move(node);
  }
}

Numbers ReferenceEvaluator::elementwise(const Node& node) const {
  const Row& row = rowOf(node);
  const auto operands = tape_.operands(node);
  const auto& attrs = tape_.attrs(node);
  const int attr = attrs.empty() ? 0 : static_cast<int>(attrs[0]);
  Numbers result;
  const std::size_t count = values_[operands[0]].size();
  result.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    Number x[3];
    Real values[3];
    for (std::size_t k = 0; k < operands.size(); ++k) {
      x[k] = values_[operands[k]][i];
      values[k] = x[k].value;
    }
    Real y = reference(row.op, values, attr);
    // The convention at the one point where there is no limit.
    if (row.op == Op::HypotDeriv && values[0].isZero() && values[1].isZero()) y = 0.0;
    const double size = sizeOf(row, x, operands.size(), y, attr);
    result.push_back({std::move(y), size});
  }
  return result;
}

Numbers ReferenceEvaluator::move(const Node& node) const {
  const Numbers& x = operand(node, 0);
  const Shape& from = operandShape(node, 0);
  const Shape& to = tape_.shape(node);
  const auto& attrs = tape_.attrs(node);
  if (opOf(node) == Op::Reshape || opOf(node) == Op::StopGradient) return x;
  Numbers result;
  Index source(from.size());
  if (opOf(node) == Op::Place) {
    result.assign(static_cast<std::size_t>(elementCount(to)), number(0));
    Index target(to.size());
    forEachIndex(from, [&](const Index& at) {
      for (std::size_t k = 0; k < to.size(); ++k)
        target[k] = attrs[3 * k] + at[k] * attrs[3 * k + 2];
      result[flat(to, target)] = x[flat(from, at)];
    });
    return result;
  }
  forEachIndex(to, [&](const Index& at) {
    for (std::size_t k = 0; k < from.size(); ++k) {
      switch (opOf(node)) {
        case Op::BroadcastTo:
          source[k] = from[k] == 1 ? 0 : at[k + to.size() - from.size()];
          break;
        case Op::Slice:
          source[k] = attrs[3 * k] + at[k] * attrs[3 * k + 2];
          break;
        case Op::Flip:
          source[k] =
              std::ranges::count(attrs, static_cast<std::int64_t>(k)) ? from[k] - 1 - at[k] : at[k];
          break;
        default:
          source[static_cast<std::size_t>(attrs[k])] = at[k];
      }
    }
    result.push_back(x[flat(from, source)]);
  });
  return result;
}

Numbers ReferenceEvaluator::concat(const Node& node) const {
  const auto axis = static_cast<std::size_t>(tape_.attrs(node)[0]);
  const auto operands = tape_.operands(node);
  Numbers result;
  forEachIndex(tape_.shape(node), [&](Index at) {
    std::size_t piece = 0;
    while (at[axis] >= tape_.shape(operands[piece])[axis])
      at[axis] -= tape_.shape(operands[piece++])[axis];
    result.push_back(values_[operands[piece]][flat(tape_.shape(operands[piece]), at)]);
  });
  return result;
}

Numbers ReferenceEvaluator::gather(const Node& node) const {
  const auto axis = tape_.attrs(node)[0];
  const Shape& from = operandShape(node, 0);
  const Shape& indexShape = operandShape(node, 1);
  const auto width = static_cast<std::int64_t>(indexShape.size());
  Numbers result;
  forEachIndex(tape_.shape(node), [&](const Index& at) {
    const Number& index =
        operand(node, 1)[flat(indexShape, Index(at.begin() + axis, at.begin() + axis + width))];
    Index source(at.begin(), at.begin() + axis);
    const auto position = static_cast<std::int64_t>(index.value.toDouble());
    source.push_back(position);
    source.insert(source.end(), at.begin() + axis + width, at.end());
    if (position < 0 || position >= from[static_cast<std::size_t>(axis)]) {
      result.push_back({Real(__builtin_nan("")), kInf});
      return;
    }
    result.push_back(operand(node, 0)[flat(from, source)]);
    if (index.size > 0) result.back().size = kInf;
  });
  return result;
}

Numbers ReferenceEvaluator::scatter(const Node& node) const {
  const auto axis = tape_.attrs(node)[0];
  const Shape& indexShape = operandShape(node, 0);
  const Shape& from = operandShape(node, 1);
  const auto width = static_cast<std::int64_t>(indexShape.size());
  const Shape& to = tape_.shape(node);
  Numbers result(static_cast<std::size_t>(elementCount(to)), number(0));
  std::vector<double> terms(result.size(), 0);
  std::vector<std::int64_t> counts(result.size(), 0);
  bool known = true;
  forEachIndex(from, [&](const Index& at) {
    const Number& index =
        operand(node, 0)[flat(indexShape, Index(at.begin() + axis, at.begin() + axis + width))];
    Index target(at.begin(), at.begin() + axis);
    target.push_back(static_cast<std::int64_t>(index.value.toDouble()));
    target.insert(target.end(), at.begin() + axis + width, at.end());
    known = known && index.size == 0;
    if (target[static_cast<std::size_t>(axis)] < 0 ||
        target[static_cast<std::size_t>(axis)] >= to[static_cast<std::size_t>(axis)]) {
      known = false;
      return;
    }
    const Number& update = operand(node, 1)[flat(from, at)];
    const std::size_t i = flat(to, target);
    result[i].value = result[i].value + update.value;
    result[i].size += update.size;
    terms[i] += magnitude(update.value);
    ++counts[i];
  });
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i].size += static_cast<double>(counts[i]) * terms[i];
    if (!known) result[i].size = kInf;
  }
  return result;
}

Numbers ReferenceEvaluator::reduce(const Node& node) const {
  const auto& axes = tape_.attrs(node);
  const Shape& from = operandShape(node, 0);
  const Numbers& x = operand(node, 0);
  const Shape& to = tape_.shape(node);
  const auto count = static_cast<std::size_t>(elementCount(to));
  const bool isSum = opOf(node) == Op::Sum;
  Numbers result(count, number(0));
  std::vector<double> terms(count, 0);
  std::vector<bool> begun(count, false);
  forEachIndex(from, [&](const Index& at) {
    Index target;
    for (std::size_t k = 0; k < from.size(); ++k) {
      if (!std::ranges::count(axes, static_cast<std::int64_t>(k))) target.push_back(at[k]);
    }
    const std::size_t i = flat(to, target);
    const Number& term = x[flat(from, at)];
    Number& total = result[i];
    if (isSum) {
      total.value = begun[i] ? total.value + term.value : term.value;
      total.size += term.size;
      terms[i] += magnitude(term.value);
      begun[i] = true;
      return;
    }
    const bool better =
        opOf(node) == Op::ReduceMax ? term.value > total.value : term.value < total.value;
    // Its error is that of the largest, or of those that may be the largest.
    const bool rivals = begun[i] && isUndecided(term, total);
    const double both = std::max(total.size, term.size);
    if (!begun[i] || better || term.value.isNaN()) total = term;
    if (rivals) total.size = both;
    begun[i] = true;
  });
  if (isSum) {
    const std::int64_t each =
        count == 0 ? 0 : elementCount(from) / static_cast<std::int64_t>(count);
    for (std::size_t i = 0; i < count; ++i)
      result[i].size += each > 1 ? roundings(each) * terms[i] : 0;
  }
  return result;
}

Numbers ReferenceEvaluator::index(const Node& node) const {
  const auto axis = static_cast<std::size_t>(tape_.attrs(node)[0]);
  const Shape& from = operandShape(node, 0);
  const Shape& to = tape_.shape(node);
  Numbers result(static_cast<std::size_t>(elementCount(to)));
  Shape others = from;
  others[axis] = 1;
  const std::int64_t n = from[axis];
  forEachIndex(others, [&](Index at) {
    const auto element = [&](std::int64_t i) -> const Number& {
      at[axis] = i;
      return operand(node, 0)[flat(from, at)];
    };
    std::vector<std::int64_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    const bool descending = opOf(node) == Op::ArgMax;
    std::ranges::stable_sort(order, [&](std::int64_t i, std::int64_t j) {
      const Number& a = element(i);
      const Number& b = element(j);
      if (a.value.isNaN() || b.value.isNaN()) {
        const bool first = opOf(node) == Op::ArgSort ? b.value.isNaN() : a.value.isNaN();
        return first && !(a.value.isNaN() && b.value.isNaN());
      }
      return descending ? b.value < a.value : a.value < b.value;
    });
    bool undecided = false;
    for (std::size_t i = 1; i < order.size(); ++i) {
      const bool matters = opOf(node) == Op::ArgSort || i == 1;
      undecided = undecided || (matters && isUndecided(element(order[i - 1]), element(order[i])));
    }
    if (opOf(node) == Op::ArgSort) {
      for (std::int64_t i = 0; i < n; ++i) {
        at[axis] = i;
        result[flat(to, at)] = {Real(static_cast<double>(order[static_cast<std::size_t>(i)])),
                                undecided ? kInf : 0};
      }
    } else {
      Index target = at;
      target.erase(target.begin() + static_cast<std::ptrdiff_t>(axis));
      result[flat(to, target)] = {Real(static_cast<double>(order[0])), undecided ? kInf : 0};
    }
  });
  return result;
}

Numbers ReferenceEvaluator::recurrence(const Node& node) const {
  const bool hasA = opOf(node) == Op::LinearRecurrence;
  const auto axis = static_cast<std::size_t>(tape_.attrs(node)[0]);
  const bool reverse = tape_.attrs(node)[1] != 0;
  const Shape& shape = tape_.shape(node);
  Numbers result(static_cast<std::size_t>(elementCount(shape)));
  Shape others = shape;
  others[axis] = std::min<std::int64_t>(shape[axis], 1);
  forEachIndex(others, [&](Index at) {
    Number y = number(0);
    for (std::int64_t i = 0; i < shape[axis]; ++i) {
      at[axis] = reverse ? shape[axis] - 1 - i : i;
      const std::size_t position = flat(shape, at);
      const Number& b = operand(node, hasA ? 1 : 0)[position];
      const Number a = hasA ? operand(node, 0)[position] : number(1);
      const double carried = magnitude(a.value) * y.size + a.size * magnitude(y.value);
      const Real product = a.value * y.value;
      y.value = product + b.value;
      y.size = carried + b.size + magnitude(product) + magnitude(b.value);
      if (i == 0) y = b;  // the sign of a zero included
      result[position] = y;
    }
  });
  return result;
}

Numbers ReferenceEvaluator::matmul(const Node& node) const {
  const Shape& a = operandShape(node, 0);
  const Shape& b = operandShape(node, 1);
  const Shape& c = tape_.shape(node);
  const std::size_t rank = c.size();
  Numbers result;
  forEachIndex(c, [&](const Index& at) {
    Number sum = number(0);
    double terms = 0;
    Index left = at;
    Index right = at;
    const std::int64_t n = a[rank - 1];
    for (std::int64_t k = 0; k < n; ++k) {
      left[rank - 1] = k;
      right[rank - 2] = k;
      const Number& x = operand(node, 0)[flat(a, left)];
      const Number& y = operand(node, 1)[flat(b, right)];
      const Real product = x.value * y.value;
      sum.value = sum.value + product;
      sum.size += magnitude(x.value) * y.size + x.size * magnitude(y.value);
      terms += magnitude(product);
    }
    sum.size += static_cast<double>(n) * terms;
    result.push_back(sum);
  });
  return result;
}

/// Where the number of steps is undecided or wrong, nothing is known of what the loop gives.
std::vector<Numbers> ReferenceEvaluator::loop(const Node& node) const {
  const LoopAttributes attributes = LoopAttributes::read(tape_, node);
  const Tape& step = *tape_.rule(attributes.rule).primal;
  const std::size_t constants = attributes.constants, carries = attributes.carries;
  const bool isWhile = attributes.trips == LoopTrips::While;
  const std::int64_t length = attributes.length;
  std::vector<Numbers> items;
  for (std::size_t k = 0; k < carries; ++k) items.push_back(operand(node, constants + k));
  for (std::size_t i = carries; i < step.outputs().size(); ++i) {
    const auto rows = static_cast<std::size_t>(length * step.count(step.outputs()[i].node));
    items.emplace_back(rows, Number{Real(__builtin_nan("")), kInf});
  }
  std::int64_t steps = length;
  bool isKnown = true;
  if (attributes.trips == LoopTrips::Counted) {
    const Number& given = operand(node, attributes.inputs())[0];
    isKnown = given.size == 0 && given.value >= Real(0.0) &&
              !(given.value > Real(static_cast<double>(length)));
    steps = isKnown ? static_cast<std::int64_t>(given.value.toDouble()) : 0;
  }
  std::int64_t taken = 0;
  for (; isWhile ? !items[0][0].value.isZero() && taken < length : taken < steps; ++taken) {
    isKnown = isKnown && (!isWhile || items[0][0].size == 0);
    const auto row = static_cast<std::size_t>(attributes.reverse ? steps - 1 - taken : taken);
    std::vector<Numbers> inputs;
    for (std::size_t i = 0; i < constants; ++i) inputs.push_back(operand(node, i));
    inputs.insert(inputs.end(), items.begin(),
                  items.begin() + static_cast<std::ptrdiff_t>(carries));
    for (std::size_t i = constants + carries; i < attributes.inputs(); ++i) {
      const Numbers& rows = operand(node, i);
      const std::size_t size = rows.size() / static_cast<std::size_t>(length);
      const auto first = rows.begin() + static_cast<std::ptrdiff_t>(row * size);
      inputs.emplace_back(first, first + static_cast<std::ptrdiff_t>(size));
    }
    if (attributes.indexed) inputs.push_back({number(static_cast<double>(row))});
    ReferenceEvaluator inner(step, std::move(inputs));
    inner.evaluate();
    const std::vector<Numbers> outputs = inner.outputs();
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (i < carries) {
        items[i] = outputs[i];
      } else {
        std::ranges::copy(outputs[i],
                          items[i].begin() + static_cast<std::ptrdiff_t>(row * outputs[i].size()));
      }
    }
  }
  if (isWhile) {
    isKnown = isKnown && items[0][0].value.isZero() && items[0][0].size == 0;
    items.push_back({number(static_cast<double>(taken))});
  }
  if (!isKnown) {
    for (Numbers& item : items) {
      for (Number& x : item) x.size = kInf;
    }
  }
  return items;
}

std::vector<Numbers> exact(const Arrays& inputs) {
  std::vector<Numbers> result;
  for (const Values& values : inputs) {
    result.emplace_back();
    for (const double v : values) result.back().push_back(number(v));
  }
  return result;
}

std::vector<Numbers> evaluateExactly(const Tape& tape, const Arrays& inputs) {
  ReferenceEvaluator evaluator(tape, exact(inputs));
  evaluator.evaluate();
  return evaluator.outputs();
}

double errorInBounds(double got, const Number& exact) {
  if (identical(got, exact.value.toDouble())) return 0;
  const double error = abs(Real(got) - exact.value).toDouble();
  if (std::isnan(error)) return kInf;
  return error / (kUnit * exact.size + 1e-300);
}

}  // namespace adjoint::testing

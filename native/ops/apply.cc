#include <algorithm>
#include <cmath>
#include <string>

#include "ops/build.h"
#include "ops/expr.h"
#include "ops/row.h"
#include "ops/structural.h"

namespace adjoint {

namespace {

/// Dense constants up to this many elements are folded; longer ones are cheaper to compute than to
/// keep.
constexpr std::int64_t kMaxFoldedElements = 1024;

bool isConstant(const Builder& builder, NodeId id) {
  return builder.node(id).op == tapeop::kConstant;
}
double constantOf(const Builder& builder, NodeId id) {
  return Tape::constantValue(builder.node(id));
}
bool isConstant(const Builder& builder, NodeId id, double value) {
  return isConstant(builder, id) && constantOf(builder, id) == value;
}
/// +0 and not -0.
bool isPlusZero(const Builder& builder, NodeId id) {
  return isConstant(builder, id, 0.0) && !std::signbit(constantOf(builder, id));
}

void requireCount(const Row& row, std::size_t given) {
  if (row.arity >= 0 && static_cast<std::size_t>(row.arity) != given) {
    throw Error(ErrorCode::Argument, std::string(row.name) + ": takes " +
                                         std::to_string(row.arity) + " values, got " +
                                         std::to_string(given));
  }
}

/// Checks operand kinds; returns the kind of the result.
DType elementwiseType(const Builder& builder, const Row& row, std::span<const NodeId> operands) {
  if (row.family == Family::Where) {
    if (builder.dtype(operands[0]) != DType::Bool) {
      throw Error(ErrorCode::DType, "where: the condition is a number (compare it with something)");
    }
    if (builder.dtype(operands[1]) != builder.dtype(operands[2])) {
      throw Error(ErrorCode::DType, "where: one branch is boolean and the other is not");
    }
    return builder.dtype(operands[1]);
  }
  for (const NodeId id : operands) {
    if (builder.dtype(id) == row.operandType) continue;
    throw Error(
        ErrorCode::DType,
        std::string(row.name) + (row.operandType == DType::Bool
                                     ? ": takes booleans, got a number (compare it with something)"
                                     : ": takes numbers, got a boolean (use toNumber or where)"));
  }
  return row.result;
}

NodeId fold(Builder& builder, const Row& row, DType type, const Shape& shape,
            std::span<const NodeId> operands, int attr) {
  alignas(64) double in[3][8] = {};
  alignas(64) double out[8] = {};
  for (std::size_t i = 0; i < operands.size(); ++i) in[i][0] = constantOf(builder, operands[i]);
  row.kernel(out, in[0], in[1], in[2], 1, attr);
  return builder.constant(out[0], shape, type);
}

/// Folds dense constants of the result's own shape, mixed with uniform ones.
NodeId foldDense(Builder& builder, const Row& row, DType type, const Shape& shape,
                 std::span<const NodeId> operands, int attr) {
  const auto n = static_cast<std::size_t>(elementCount(shape));
  const std::size_t padded = (n + 7) / 8 * 8;
  std::vector<double> in[3];
  for (std::size_t i = 0; i < 3; ++i) {
    in[i].assign(padded, i < operands.size() && isConstant(builder, operands[i])
                             ? constantOf(builder, operands[i])
                             : 0.0);
    if (i < operands.size() && !isConstant(builder, operands[i])) {
      const std::vector<double>& values = builder.tape().data(builder.node(operands[i]));
      std::copy(values.begin(), values.end(), in[i].begin());
    }
  }
  std::vector<double> out(padded);
  row.kernel(out.data(), in[0].data(), in[1].data(), in[2].data(), n, attr);
  out.resize(n);
  return builder.data(std::move(out), shape, type);
}

/// The rewrites that change no row of the edge-case table: x*1, x*-1, x/1, x-0, -(-x) and boolean
/// ones.
NodeId simplify(Builder& builder, Op op, std::span<const NodeId> v) {
  switch (op) {
    case Op::Mul:
      if (isConstant(builder, v[1], 1.0)) return v[0];
      if (isConstant(builder, v[0], 1.0)) return v[1];
      if (isConstant(builder, v[1], -1.0)) return apply(builder, Op::Neg, {&v[0], 1});
      if (isConstant(builder, v[0], -1.0)) return apply(builder, Op::Neg, {&v[1], 1});
      break;
    case Op::Div:
      if (isConstant(builder, v[1], 1.0)) return v[0];
      break;
    case Op::Sub:
      if (isPlusZero(builder, v[1])) return v[0];
      break;
    case Op::Neg:
      if (opOf(builder.node(v[0])) == Op::Neg) return builder.node(v[0]).operand[0];
      break;
    case Op::LogicalNot:
      if (opOf(builder.node(v[0])) == Op::LogicalNot) return builder.node(v[0]).operand[0];
      break;
    case Op::LogicalAnd:
      for (int i = 0; i < 2; ++i) {
        if (isConstant(builder, v[i], 1.0)) return v[1 - i];
        if (isConstant(builder, v[i], 0.0)) return v[i];
      }
      if (v[0] == v[1]) return v[0];
      break;
    case Op::LogicalOr:
      for (int i = 0; i < 2; ++i) {
        if (isConstant(builder, v[i], 0.0)) return v[1 - i];
        if (isConstant(builder, v[i], 1.0)) return v[i];
      }
      if (v[0] == v[1]) return v[0];
      break;
    case Op::Where:
      if (isConstant(builder, v[0])) return constantOf(builder, v[0]) != 0 ? v[1] : v[2];
      if (v[1] == v[2]) return v[1];
      break;
    default:
      break;
  }
  return kNoNode;
}

/// f(broadcast(x), broadcast(y)) = broadcast(f(x, y)) when x and y have one shape (or are uniform
/// constants): the same bits from fewer elements.
NodeId hoistBroadcast(Builder& builder, Op op, const Shape& shape, std::span<const NodeId> operands,
                      std::span<const std::int64_t> attrs) {
  const Shape* source = nullptr;
  for (const NodeId id : operands) {
    const Node& node = builder.node(id);
    if (node.op == tapeop::kConstant) continue;
    if (opOf(node) != Op::BroadcastTo) return kNoNode;
    const Shape& from = builder.shape(node.operand[0]);
    if (source && *source != from) return kNoNode;
    source = &from;
  }
  if (!source) return kNoNode;
  const Shape small = *source;
  NodeId inner[3];
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Node node = builder.node(operands[i]);
    inner[i] = node.op == tapeop::kConstant
                   ? builder.constant(Tape::constantValue(node), small, node.dtype)
                   : node.operand[0];
  }
  const NodeId result = apply(builder, op, {inner, operands.size()}, attrs);
  return ex::broadcastTo({&builder, result}, shape).id;
}

NodeId applyElementwise(Builder& builder, const Row& row, std::span<const NodeId> given,
                        std::span<const std::int64_t> attrs) {
  if (attrs.size() > 1) {
    throw Error(ErrorCode::Argument, std::string(row.name) + ": takes no attributes");
  }
  const DType type = elementwiseType(builder, row, given);
  const Op op = row.op;
  NodeId operands[3] = {kNoNode, kNoNode, kNoNode};
  std::copy(given.begin(), given.end(), operands);
  const std::span<const NodeId> v(operands, given.size());

  ShapeId shapeId = builder.node(v[0]).shape;
  bool uniform = true;
  for (const NodeId id : v) uniform = uniform && builder.node(id).shape == shapeId;
  if (!uniform) {
    Shape shape = builder.shape(v[0]);
    for (const NodeId id : v) shape = broadcastShapes(shape, builder.shape(id), row.name);
    shapeId = builder.intern(shape);
    for (std::size_t i = 0; i < given.size(); ++i) {
      if (builder.node(operands[i]).shape == shapeId) continue;
      operands[i] = ex::broadcastTo({&builder, operands[i]}, shape).id;
    }
  }

  bool allConstant = true;
  bool allDense = true;
  bool anyBroadcast = false;
  for (const NodeId id : v) {
    const Node& node = builder.node(id);
    const bool isUniform = node.op == tapeop::kConstant;
    allConstant = allConstant && isUniform;
    allDense = allDense && (isUniform || node.op == tapeop::kData);
    anyBroadcast = anyBroadcast || opOf(node) == Op::BroadcastTo;
  }
  const int attr = attrs.empty() ? 0 : static_cast<int>(attrs[0]);
  if (allConstant) return fold(builder, row, type, Shape(builder.shape(v[0])), v, attr);
  if (const NodeId simple = simplify(builder, op, v); simple != kNoNode) return simple;
  if (allDense && builder.tape().count(v[0]) <= kMaxFoldedElements) {
    return foldDense(builder, row, type, Shape(builder.shape(v[0])), v, attr);
  }
  if (anyBroadcast) {
    const Shape shape = builder.shape(v[0]);
    const NodeId hoisted = hoistBroadcast(builder, op, shape, v, attrs);
    if (hoisted != kNoNode) return hoisted;
  }
  const AttrId attrId = attr == 0 ? 0 : builder.internAttrs(attrs);
  return builder.appendInterned(code(op), type, shapeId, attrId, v);
}

}  // namespace

NodeId apply(Builder& builder, Op op, std::span<const NodeId> operands,
             std::span<const std::int64_t> attrs) {
  const Row& row = rowOf(op);
  requireCount(row, operands.size());
  switch (row.family) {
    case Family::Elementwise:
    case Family::Select:
    case Family::Where:
      if (row.kernel) return applyElementwise(builder, row, operands, attrs);
      return applyStructural(builder, op, operands, attrs);
    case Family::Composite:
      return applyComposite(builder, op, operands, attrs);
    default:
      return applyStructural(builder, op, operands, attrs);
  }
}

Expr apply(Op op, std::initializer_list<Expr> operands, std::initializer_list<std::int64_t> attrs) {
  NodeId ids[8];
  std::size_t n = 0;
  Builder* builder = nullptr;
  for (const Expr& operand : operands) {
    builder = operand.builder;
    ids[n++] = operand.id;
  }
  return {builder, apply(*builder, op, {ids, n}, {attrs.begin(), attrs.size()})};
}

Expr constant(const Expr& like, double value) {
  return {like.builder, like.builder->constant(value)};
}

}  // namespace adjoint

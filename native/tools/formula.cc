#include "tools/formula.h"

#include <charconv>

#include "tape/builder.h"

namespace adjoint::tools {
namespace {

constexpr int kSum = 1;
constexpr int kProduct = 2;
constexpr int kSign = 3;
constexpr int kAtom = 4;

struct Text {
  std::string text;
  int precedence = kAtom;
};

std::string inParentheses(const Text& inner, int least) {
  return inner.precedence < least ? "(" + inner.text + ")" : inner.text;
}

// Prints nodes of a little tape as a formula. Partials are a dozen nodes deep, so recursion is
// safe.
class Printer {
 public:
  Printer(const Builder& builder, NodeId value) : builder_(builder), value_(value) {}

  Text print(NodeId id) const {
    const Node& node = builder_.node(id);
    if (id == value_) return {"y"};
    if (node.op == tapeop::kInput) return {builder_.tape().inputs()[node.attr].name};
    if (node.op == tapeop::kConstant) return constant(node);
    const auto operands = builder_.tape().operands(node);
    switch (opOf(node)) {
      case Op::Add:
        return infix(operands, " + ", kSum, kSum);
      case Op::Sub:
        return infix(operands, " - ", kSum, kProduct);
      case Op::Mul:
        return infix(operands, " * ", kProduct, kProduct);
      case Op::Div:
        return infix(operands, " / ", kProduct, kSign);
      case Op::Neg:
        return {"-" + inParentheses(print(operands[0]), kProduct), kSign};
      default:
        return call(node);
    }
  }

 private:
  static Text constant(const Node& node) {
    const double value = Tape::constantValue(node);
    if (node.dtype == DType::Bool) return {value != 0 ? "true" : "false"};
    return {formatNumber(value), value < 0 ? kSign : kAtom};
  }

  Text infix(std::span<const NodeId> operands, const char* sign, int left, int right) const {
    const int own = sign[1] == '+' || sign[1] == '-' ? kSum : kProduct;
    return {
        inParentheses(print(operands[0]), left) + sign + inParentheses(print(operands[1]), right),
        own};
  }

  Text call(const Node& node) const {
    std::string text = std::string(opName(node.op)) + "(";
    const char* separator = "";
    for (const NodeId operand : builder_.tape().operands(node)) {
      text += separator + print(operand).text;
      separator = ", ";
    }
    for (const std::int64_t attr : builder_.tape().attrs(node)) {
      text += separator + std::to_string(attr);
      separator = ", ";
    }
    return {text + ")"};
  }

  const Builder& builder_;
  NodeId value_;
};

}  // namespace

std::string formatNumber(double value) {
  char text[32];
  const auto [end, ec] = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end);
}

std::vector<std::string> partialFormulas(const Row& row) {
  if (!row.partials) return {};
  Builder builder;
  const char* const names[] = {"a", "b", "c"};
  Expr operand[3];
  NodeId ids[3];
  for (int i = 0; i < row.arity; ++i) {
    ids[i] = builder.input(names[i], {}, row.operandType);
    operand[i] = {&builder, ids[i]};
  }
  // An internal family is shown at its first derivative: its row with attribute 0 may be another
  // row's value.
  const NodeId value = apply(builder, row.op, {ids, static_cast<std::size_t>(row.arity)});
  const Partials partials =
      row.partials({operand[0], operand[1], operand[2], Expr{&builder, value}, 0});
  const Printer printer(builder, value);
  std::vector<std::string> formulas;
  for (const Expr& partial : partials) {
    formulas.push_back(partial ? printer.print(partial.id).text : "0");
  }
  return formulas;
}

}  // namespace adjoint::tools

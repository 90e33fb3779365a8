#include "tape/dot.h"

#include <charconv>

#include "tape/builder.h"

namespace adjoint {
namespace {

constexpr std::size_t kMaxShownValues = 6;
constexpr std::size_t kMaxShownAttributes = 16;

std::string shown(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

template <typename Values, typename Show>
std::string joined(const Values& values, std::size_t limit, Show show) {
  std::string text;
  std::size_t count = 0;
  for (const auto& value : values) {
    if (count > 0) text += ", ";
    if (count++ == limit) return text + "...";
    text += show(value);
  }
  return text;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    // Graphviz takes newlines inside quotes, and renders them; control characters would spoil the
    // drawing.
    result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result + "\"";
}

}  // namespace

std::string nodeText(const Tape& tape, NodeId id) {
  const Node& node = tape.node(id);
  switch (node.op) {
    case tapeop::kInput:
      return tape.inputs()[node.attr].name;
    case tapeop::kConstant:
      return shown(Tape::constantValue(node));
    case tapeop::kData:
      return "[" + joined(tape.data(node), kMaxShownValues, shown) + "]";
    default:
      break;
  }
  std::string text = opName(node.op);
  text += "(" + joined(tape.operands(node), kMaxShownAttributes,
                       [](NodeId operand) { return "v" + std::to_string(operand); });
  const auto& attributes = tape.attrs(node);
  if (!attributes.empty()) {
    text += "; " + joined(attributes, kMaxShownAttributes,
                          [](std::int64_t attribute) { return std::to_string(attribute); });
  }
  return text + ")";
}

std::string toDot(const Tape& tape) {
  std::string text = "digraph tape {\n  rankdir=LR;\n  node [fontname=\"monospace\"];\n";
  for (std::size_t i = 0; i < tape.size(); ++i) {
    const NodeId id = static_cast<NodeId>(i);
    const Node& node = tape.node(id);
    const bool isLeaf =
        node.op == tapeop::kInput || node.op == tapeop::kConstant || node.op == tapeop::kData;
    const std::string name = "v" + std::to_string(i);
    const std::string shape = tape.shape(node).empty() ? "" : " " + toString(tape.shape(node));
    text += "  " + name + " [label=" + quoted(name + " = " + nodeText(tape, id) + shape) +
            (isLeaf ? ", shape=box" : "") + "];\n";
    for (const NodeId operand : tape.operands(node)) {
      // Constants keep their value's bits in the operands; they have arity 0.
      text += "  v" + std::to_string(operand) + " -> " + name + ";\n";
    }
  }
  for (std::size_t i = 0; i < tape.outputs().size(); ++i) {
    const Port& port = tape.outputs()[i];
    const std::string name = "out" + std::to_string(i);
    text += "  " + name + " [label=" + quoted(port.name) + ", shape=box, style=bold];\n";
    text += "  v" + std::to_string(port.node) + " -> " + name + ";\n";
  }
  return text + "}\n";
}

}  // namespace adjoint

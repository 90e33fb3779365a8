#include "tape/tape.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdio>

#include "tape/builder.h"

namespace adjoint {

namespace {

OpTraits installed;

/// Dense constants longer than this print as a 128-bit digest of their content.
constexpr std::size_t kMaxPrintedValues = 1024;

std::string formatDouble(double value) {
  char text[32];
  const auto [end, ec] = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end);
}

std::string digest(const std::vector<double>& values) {
  std::uint64_t a = 0xcbf29ce484222325ull;
  std::uint64_t b = 0x84222325cbf29ce4ull;
  for (const double v : values) {
    const auto bits = std::bit_cast<std::uint64_t>(v);
    a = (a ^ bits) * 0x9e3779b97f4a7c15ull;
    a ^= a >> 32;
    b = (b + bits) * 0xff51afd7ed558ccdull;
    b ^= b >> 29;
  }
  char text[40];
  std::snprintf(text, sizeof(text), "%016llx%016llx", static_cast<unsigned long long>(a),
                static_cast<unsigned long long>(b));
  return text;
}

}  // namespace

void setOpTraits(OpTraits traits) { installed = traits; }

bool isCommutative(OpCode op) { return installed.isCommutative && installed.isCommutative(op); }

const char* opName(OpCode op) {
  switch (op) {
    case tapeop::kInput:
      return "input";
    case tapeop::kConstant:
      return "constant";
    case tapeop::kData:
      return "data";
    default:
      return installed.name ? installed.name(op) : "?";
  }
}

double Tape::constantValue(const Node& node) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(node.operand[0]) |
                               static_cast<std::uint64_t>(node.operand[1]) << 32);
}

std::string Tape::toString() const {
  std::string text;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    text += "%" + std::to_string(i) + " = ";
    text += opName(node.op);
    if (node.op == tapeop::kInput) {
      text += " " + inputs_[node.attr].name;
    } else if (node.op == tapeop::kConstant) {
      text += " " + formatDouble(constantValue(node));
    } else if (node.op == tapeop::kData) {
      const std::vector<double>& values = *data_[node.attr];
      if (values.size() > kMaxPrintedValues) {
        text += " digest " + digest(values);
      } else {
        for (const double v : values) text += " " + formatDouble(v);
      }
    } else {
      for (const NodeId operand : operands(node)) text += " %" + std::to_string(operand);
      const auto& attributes = attrs_[node.attr];
      if (!attributes.empty()) {
        text += " {";
        for (std::size_t k = 0; k < attributes.size(); ++k) {
          text += (k > 0 ? "," : "") + std::to_string(attributes[k]);
        }
        text += "}";
      }
    }
    text += " : ";
    text += dtypeName(node.dtype);
    text += adjoint::toString(shapes_[node.shape]) + "\n";
  }
  for (const Port& port : outputs_) {
    text += "return " + port.name + " %" + std::to_string(port.node) + "\n";
  }
  for (const NodeId id : checks_) text += "check %" + std::to_string(id) + "\n";
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const CustomRule& rule = *rules_[i];
    text += "rule " + std::to_string(i) + " " + rule.name + "\n" + rule.primal->toString();
    if (rule.jvp) text += "jvp of " + rule.name + "\n" + rule.jvp->toString();
    if (rule.vjp) text += "vjp of " + rule.name + "\n" + rule.vjp->toString();
  }
  return text;
}

bool haveSamePrint(const Tape& a, const Tape& b) {
  const auto samePorts = [](const Port& p, const Port& q) {
    return p.node == q.node && p.name == q.name;
  };
  const auto sameNode = [&](const Node& p, const Node& q) {
    if (p.op != q.op || p.dtype != q.dtype || a.shape(p) != b.shape(q)) return false;
    switch (p.op) {
      case tapeop::kInput:
        return p.attr == q.attr;
      case tapeop::kConstant:
        return p.operand[0] == q.operand[0] && p.operand[1] == q.operand[1];
      case tapeop::kData:
        return a.sharedData(p.attr) == b.sharedData(q.attr) ||
               std::ranges::equal(a.data(p), b.data(q), {}, std::bit_cast<std::uint64_t, double>,
                                  std::bit_cast<std::uint64_t, double>);
      default:
        break;
    }
    if (a.attrs(p) != b.attrs(q) || !std::ranges::equal(a.operands(p), b.operands(q))) return false;
    if (!tapeop::hasRule(p.op)) return true;
    const auto rule = static_cast<std::size_t>(a.attrs(p)[0]);
    return a.sharedRule(rule) == b.sharedRule(rule) || haveSamePrint(a.rule(rule), b.rule(rule));
  };
  return &a == &b || (a.size() == b.size() && a.checks() == b.checks() &&
                      std::ranges::equal(a.inputs(), b.inputs(), samePorts) &&
                      std::ranges::equal(a.outputs(), b.outputs(), samePorts) &&
                      std::ranges::equal(a.nodes(), b.nodes(), sameNode));
}

bool haveSamePrint(const CustomRule& a, const CustomRule& b) {
  const auto same = [](const auto& p, const auto& q) {
    return p == q || (p && q && haveSamePrint(*p, *q));
  };
  return &a == &b || (a.name == b.name && a.isMapped == b.isMapped && same(a.primal, b.primal) &&
                      same(a.jvp, b.jvp) && same(a.vjp, b.vjp) && same(a.each, b.each));
}

std::size_t Tape::bytes() const {
  std::size_t total = sizeof(Tape) + nodes_.capacity() * sizeof(Node) +
                      (pool_.capacity() + checks_.capacity()) * sizeof(NodeId) +
                      counts_.capacity() * sizeof(std::int64_t);
  for (const Shape& shape : shapes_)
    total += sizeof(Shape) + shape.capacity() * sizeof(std::int64_t);
  for (const auto& attrs : attrs_) total += sizeof(attrs) + attrs.capacity() * sizeof(std::int64_t);
  for (const auto& values : data_) total += values->capacity() * sizeof(double);
  return total;
}

}  // namespace adjoint

#include "test/support/print_parser.h"

#include <charconv>
#include <map>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "ops/row.h"
#include "tape/builder.h"

namespace adjoint::testing {

namespace {

double toDouble(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::runtime_error("number " + text);
  return value;
}

std::vector<std::int64_t> toIntegers(const std::string& text) {
  std::vector<std::int64_t> values;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) values.push_back(std::stoll(part));
  return values;
}

class Parser {
 public:
  explicit Parser(const std::string& print) {
    std::istringstream stream(print);
    for (std::string line; std::getline(stream, line);) lines_.push_back(line);
  }

  /// One tape, up to the end or a line that belongs to the tape around it.
  TapePtr tape() {
    const std::size_t first = at_;
    while (at_ < lines_.size() && lines_[at_].starts_with("%")) ++at_;
    const std::size_t returns = at_;
    std::vector<Port> outputs;
    for (; at_ < lines_.size() && lines_[at_].starts_with("return "); ++at_) {
      std::istringstream stream(lines_[at_]);
      std::string word, name, node;
      stream >> word >> name >> node;
      outputs.push_back({name, static_cast<NodeId>(std::stoul(node.substr(1)))});
    }
    std::vector<NodeId> checks;
    for (; at_ < lines_.size() && lines_[at_].starts_with("check %"); ++at_)
      checks.push_back(static_cast<NodeId>(std::stoul(lines_[at_].substr(7))));
    Builder builder;
    const auto count = rulesIn(first, returns);
    for (std::size_t i = 0; i < count; ++i) builder.addRule(rule(i));
    for (std::size_t i = first; i < returns; ++i) node(builder, lines_[i]);
    for (const NodeId id : checks) builder.check(id);
    return builder.finish(std::move(outputs));
  }

 private:
  /// How many rules the nodes name.
  std::size_t rulesIn(std::size_t first, std::size_t last) const {
    std::size_t count = 0;
    for (std::size_t i = first; i < last; ++i) {
      const auto names = [&](const char* op) {
        return lines_[i].find(" = " + std::string(op) + " ") != std::string::npos;
      };
      if (!names("custom") && !names("loop")) continue;
      const std::size_t open = lines_[i].find('{');
      count = std::max(count, static_cast<std::size_t>(std::stoul(lines_[i].substr(open + 1))) + 1);
    }
    return count;
  }

  std::shared_ptr<const CustomRule> rule(std::size_t index) {
    const std::string head = "rule " + std::to_string(index) + " ";
    if (at_ >= lines_.size() || !lines_[at_].starts_with(head))
      throw std::runtime_error("no " + head);
    auto result = std::make_shared<CustomRule>();
    result->name = lines_[at_++].substr(head.size());
    result->primal = tape();
    if (at_ < lines_.size() && lines_[at_] == "jvp of " + result->name) {
      ++at_;
      result->jvp = tape();
    }
    if (at_ < lines_.size() && lines_[at_] == "vjp of " + result->name) {
      ++at_;
      result->vjp = tape();
    }
    return result;
  }

  static void node(Builder& builder, const std::string& line) {
    const std::size_t equals = line.find(" = ");
    const std::size_t colon = line.rfind(" : ");
    std::istringstream stream(line.substr(equals + 3, colon - equals - 3));
    const std::string type = line.substr(colon + 3);
    const std::size_t open = type.find('[');
    const DType dtype = type.substr(0, open) == "bool" ? DType::Bool : DType::F64;
    const Shape shape = toIntegers(type.substr(open + 1, type.size() - open - 2));
    std::string name;
    stream >> name;
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    NodeId id = kNoNode;
    if (name == "input") {
      id = builder.input(words.at(0), shape, dtype);
    } else if (name == "constant") {
      id = builder.constant(toDouble(words.at(0)), shape, dtype);
    } else if (name == "data") {
      std::vector<double> values;
      for (const std::string& word : words) values.push_back(toDouble(word));
      id = builder.data(std::move(values), shape, dtype);
    } else {
      const Row* row = findRow(name);
      if (!row) throw std::runtime_error("row " + name);
      std::vector<NodeId> operands;
      std::vector<std::int64_t> attrs;
      for (const std::string& word : words) {
        if (word[0] == '%') {
          operands.push_back(static_cast<NodeId>(std::stoul(word.substr(1))));
        } else {
          attrs = toIntegers(word.substr(1, word.size() - 2));
        }
      }
      id = builder.append(code(row->op), dtype, shape, operands, attrs);
    }
    if (line.substr(0, equals) != "%" + std::to_string(id))
      throw std::runtime_error("order of " + line);
  }

  std::vector<std::string> lines_;
  std::size_t at_ = 0;
};

}  // namespace

TapePtr parsePrint(const std::string& print) { return Parser(print).tape(); }

}  // namespace adjoint::testing

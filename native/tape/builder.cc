#include "tape/builder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace adjoint {

namespace {

/// Folds the 128-bit product of two words: every bit of both reaches every bit of the result.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const auto product =
      static_cast<unsigned __int128>(a ^ 0x9e3779b97f4a7c15ull) * (b ^ 0xe7037ed1a0b428dbull);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::string keyOf(std::span<const std::int64_t> values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

std::uint64_t hashDoubles(const std::vector<double>& values) {
  std::uint64_t h = values.size();
  for (const double v : values) h = mix(h, std::bit_cast<std::uint64_t>(v));
  return h;
}

bool sameBits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

}  // namespace

Builder::Builder() : tape_(std::make_shared<Tape>()), table_(64) {
  intern({});
  internAttrs({});
}

Builder::Builder(const Tape& tape) : tape_(std::make_shared<Tape>(tape)), table_(64) {}

ShapeId Builder::intern(const Shape& shape) {
  if (lastShape_ < tape_->shapes_.size() && tape_->shapes_[lastShape_] == shape) return lastShape_;
  const std::int64_t count = elementCount(shape);
  const auto [it, isNew] =
      shapeIds_.try_emplace(keyOf(shape), static_cast<ShapeId>(tape_->shapes_.size()));
  if (isNew) {
    tape_->shapes_.push_back(shape);
    tape_->counts_.push_back(count);
  }
  lastShape_ = it->second;
  return it->second;
}

AttrId Builder::internAttrs(std::span<const std::int64_t> attrs) {
  if (attrs.empty() && !tape_->attrs_.empty()) return 0;
  const auto [it, isNew] =
      attrIds_.try_emplace(keyOf(attrs), static_cast<AttrId>(tape_->attrs_.size()));
  if (isNew) tape_->attrs_.emplace_back(attrs.begin(), attrs.end());
  return it->second;
}

NodeId Builder::input(std::string name, const Shape& shape, DType dtype) {
  Node node;
  node.op = tapeop::kInput;
  node.dtype = dtype;
  node.shape = intern(shape);
  node.attr = static_cast<AttrId>(tape_->inputs_.size());
  const NodeId id = cons(node, {});
  tape_->inputs_.push_back({std::move(name), id});
  return id;
}

NodeId Builder::constant(double value, const Shape& shape, DType dtype) {
  // One NaN, so that equal prints are equal nodes.
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  const auto bits = std::bit_cast<std::uint64_t>(value);
  Node node;
  node.op = tapeop::kConstant;
  node.dtype = dtype;
  node.shape = intern(shape);
  node.operand[0] = static_cast<std::uint32_t>(bits);
  node.operand[1] = static_cast<std::uint32_t>(bits >> 32);
  return cons(node, {});
}

NodeId Builder::data(std::vector<double> values, const Shape& shape, DType dtype) {
  return data(std::make_shared<const std::vector<double>>(std::move(values)), shape, dtype);
}

NodeId Builder::data(std::shared_ptr<const std::vector<double>> values, const Shape& shape,
                     DType dtype) {
  const std::int64_t count = elementCount(shape);
  if (count != static_cast<std::int64_t>(values->size())) {
    throw Error(ErrorCode::Shape, "constant of shape " + toString(shape) + " needs " +
                                      std::to_string(count) + " values, got " +
                                      std::to_string(values->size()));
  }
  if (count > 0) {
    const auto first = std::bit_cast<std::uint64_t>(values->front());
    bool uniform = true;
    for (const double v : *values) {
      if (std::bit_cast<std::uint64_t>(v) != first) {
        uniform = false;
        break;
      }
    }
    if (uniform) return constant(values->front(), shape, dtype);
  }
  const std::uint64_t h = hashDoubles(*values);
  std::uint32_t index = static_cast<std::uint32_t>(tape_->data_.size());
  const auto [lo, hi] = dataIds_.equal_range(h);
  for (auto it = lo; it != hi; ++it) {
    if (sameBits(*tape_->data_[it->second], *values)) index = it->second;
  }
  if (index == tape_->data_.size()) {
    dataIds_.emplace(h, index);
    tape_->data_.push_back(std::move(values));
  }
  Node node;
  node.op = tapeop::kData;
  node.dtype = dtype;
  node.shape = intern(shape);
  node.attr = index;
  return cons(node, {});
}

NodeId Builder::append(OpCode op, DType dtype, const Shape& shape, std::span<const NodeId> operands,
                       std::span<const std::int64_t> attrs) {
  return appendInterned(op, dtype, intern(shape), internAttrs(attrs), operands);
}

NodeId Builder::appendInterned(OpCode op, DType dtype, ShapeId shape, AttrId attr,
                               std::span<const NodeId> operands) {
  Node node;
  node.op = op;
  node.dtype = dtype;
  node.shape = shape;
  node.attr = attr;
  if (operands.size() <= 3) {
    node.arity = static_cast<std::uint8_t>(operands.size());
    for (std::size_t i = 0; i < operands.size(); ++i) node.operand[i] = operands[i];
    return cons(node, {});
  }
  node.arity = Node::kVariadic;
  node.operand[0] = static_cast<std::uint32_t>(tape_->pool_.size());
  node.operand[1] = static_cast<std::uint32_t>(operands.size());
  return cons(node, operands);
}

std::size_t Builder::addRule(std::shared_ptr<const CustomRule> rule) {
  for (std::size_t i = 0; i < tape_->rules_.size(); ++i) {
    if (haveSamePrint(*tape_->rules_[i], *rule)) return i;
  }
  tape_->rules_.push_back(std::move(rule));
  return tape_->rules_.size() - 1;
}

std::uint32_t Builder::hash(const Node& node, std::span<const NodeId> variadic) {
  std::uint64_t h = mix(node.op | static_cast<std::uint64_t>(node.dtype) << 16 |
                            static_cast<std::uint64_t>(node.shape) << 32,
                        node.attr);
  if (node.arity == Node::kVariadic) {
    for (const NodeId id : variadic) h = mix(h, id);
  } else {
    std::uint64_t first = node.operand[0];
    std::uint64_t second = node.operand[1];
    if (first > second && isCommutative(node.op)) std::swap(first, second);
    h = mix(h ^ node.operand[2], first | second << 32);
  }
  return static_cast<std::uint32_t>(h);
}

std::size_t Builder::home(const Node& node, std::span<const NodeId> variadic, std::uint32_t h) {
  NodeId latest = 0;
  if (node.arity == 0) return h;
  if (node.arity == Node::kVariadic) {
    latest = *std::ranges::max_element(variadic);
  } else {
    latest = *std::max_element(node.operand, node.operand + node.arity);
  }
  return latest + latest / 2;
}

bool Builder::isSame(NodeId id, const Node& node, std::span<const NodeId> variadic) const {
  const Node& other = tape_->nodes_[id];
  if (other.op != node.op || other.dtype != node.dtype || other.arity != node.arity ||
      other.shape != node.shape || other.attr != node.attr) {
    return false;
  }
  if (node.arity == Node::kVariadic) return std::ranges::equal(tape_->operands(other), variadic);
  if (std::memcmp(other.operand, node.operand, sizeof(node.operand)) == 0) return true;
  return other.operand[0] == node.operand[1] && other.operand[1] == node.operand[0] &&
         isCommutative(node.op);
}

template <class Ends>
std::size_t Builder::probe(std::size_t home, std::uint32_t h, Ends ends) const {
  const std::size_t mask = table_.size() - 1;
  for (std::size_t i = 0; i < kNearSlots; ++i) {
    const std::size_t slot = (home + i) & mask;
    if (ends(table_[slot])) return slot;
  }
  std::size_t slot = h & mask;
  while (!ends(table_[slot])) slot = (slot + 1) & mask;
  return slot;
}

NodeId Builder::cons(const Node& node, std::span<const NodeId> variadic) {
  if (!sharing_) return push(node, variadic);
  const std::uint32_t h = hash(node, variadic);
  const std::size_t slot = probe(home(node, variadic, h), h, [&](const Slot& entry) {
    return entry.id == kNoNode || (entry.hash == h && isSame(entry.id, node, variadic));
  });
  if (table_[slot].id != kNoNode) return table_[slot].id;
  const NodeId id = push(node, variadic);
  table_[slot] = {id, h};
  if (tape_->nodes_.size() * 3 > table_.size() * 2) grow();
  return id;
}

NodeId Builder::push(const Node& node, std::span<const NodeId> variadic) {
  Tape& tape = *tape_;
  if (tape.nodes_.size() >= kNoNode - 1) {
    throw Error(ErrorCode::Limit, "a tape has at most 4294967294 nodes");
  }
  const auto id = static_cast<NodeId>(tape.nodes_.size());
  tape.nodes_.push_back(node);
  tape.nodes_.back().origin = origin_;
  if (node.arity == Node::kVariadic) {
    tape.pool_.insert(tape.pool_.end(), variadic.begin(), variadic.end());
  }
  return id;
}

void Builder::grow() {
  const BigVector<Slot> old = std::exchange(table_, BigVector<Slot>(table_.size() * 2));
  for (const Slot& entry : old) {
    if (entry.id == kNoNode) continue;
    const Node& node = tape_->nodes_[entry.id];
    const std::size_t start = home(node, tape_->operands(node), entry.hash);
    table_[probe(start, entry.hash, [](const Slot& s) { return s.id == kNoNode; })] = entry;
  }
}

void Builder::reserve(std::size_t nodes) {
  tape_->nodes_.reserve(nodes);
  while (sharing_ && nodes * 3 > table_.size() * 2) grow();
}

void Builder::dropUnusedRules() {
  Tape& tape = *tape_;
  if (tape.rules_.empty()) return;
  std::vector<std::int64_t> renumbered(tape.rules_.size(), -1);
  std::vector<std::shared_ptr<const CustomRule>> rules;
  for (Node& node : tape.nodes_) {
    if (!tapeop::hasRule(node.op)) continue;
    std::vector<std::int64_t> attrs = tape.attrs_[node.attr];
    const auto old = static_cast<std::size_t>(attrs[0]);
    if (renumbered[old] < 0) {
      renumbered[old] = static_cast<std::int64_t>(rules.size());
      rules.push_back(tape.rules_[old]);
    }
    attrs[0] = renumbered[old];
    node.attr = internAttrs(attrs);
  }
  tape.rules_ = std::move(rules);
}

TapePtr Builder::finish(std::vector<Port> outputs) {
  Tape& tape = *tape_;
  std::vector<bool> live(tape.nodes_.size(), false);
  for (const Port& port : tape.inputs_) live[port.node] = true;
  for (const Port& port : outputs) live[port.node] = true;
  std::ranges::sort(tape.checks_);
  tape.checks_.erase(std::ranges::unique(tape.checks_).begin(), tape.checks_.end());
  for (const NodeId id : tape.checks_) live[id] = true;
  for (std::size_t i = tape.nodes_.size(); i-- > 0;) {
    if (!live[i]) continue;
    for (const NodeId operand : tape.operands(tape.nodes_[i])) live[operand] = true;
  }
  std::vector<NodeId> renumbered(tape.nodes_.size(), kNoNode);
  std::vector<NodeId> pool;
  std::size_t next = 0;
  for (std::size_t i = 0; i < tape.nodes_.size(); ++i) {
    if (!live[i]) continue;
    Node node = tape.nodes_[i];
    if (node.origin == kNoNode) node.origin = static_cast<std::uint32_t>(i);
    if (node.arity == Node::kVariadic) {
      const auto old = tape.operands(tape.nodes_[i]);
      node.operand[0] = static_cast<std::uint32_t>(pool.size());
      for (const NodeId operand : old) pool.push_back(renumbered[operand]);
    } else {
      for (std::size_t k = 0; k < node.arity; ++k) node.operand[k] = renumbered[node.operand[k]];
    }
    renumbered[i] = static_cast<NodeId>(next);
    tape.nodes_[next++] = node;
  }
  tape.nodes_.resize(next);
  // Shrinking copies.
  if (tape.nodes_.capacity() / 2 > tape.nodes_.size()) tape.nodes_.shrink_to_fit();
  dropUnusedRules();
  tape.pool_ = std::move(pool);
  for (Port& port : tape.inputs_) port.node = renumbered[port.node];
  for (Port& port : outputs) port.node = renumbered[port.node];
  for (NodeId& id : tape.checks_) id = renumbered[id];
  tape.outputs_ = std::move(outputs);
  TapePtr result = std::move(tape_);
  *this = Builder();
  return result;
}

std::size_t Builder::bytes() const { return tape_->bytes() + table_.capacity() * sizeof(Slot); }

}  // namespace adjoint

#include "plan/shifts.h"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>

#include "ops/op.h"
#include "plan/analysis.h"
#include "plan/lanes.h"
#include "transform/copy.h"

namespace adjoint {

namespace {

/// Elements of all values that are stored to be shared: about a processor's last cache.
constexpr std::int64_t kMostElements = 1 << 20;
/// Shorter ones cost less than reading them elsewhere.
constexpr std::int64_t kFewElements = 64;
/// Values that a shared one is computed from, other shared ones not counted.
constexpr std::size_t kMostParts = 64;

/// Lists of numbers as functions of the position: element i of a value is element offset + i of its
/// function.
class ShiftFinder {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffu;
  struct Form {
    std::uint32_t function = kNone;
    std::int64_t offset = 0;
  };
  enum class Kind : std::uint8_t {
    Leaf,      ///< a value of the tape
    Uniform,   ///< one number everywhere
    Computed,  ///< an elementwise operation on functions
  };
  struct Function {
    Kind kind;
    NodeId node;                 ///< the value, or one that is computed so
    std::vector<Form> operands;  ///< offsets counted from the function's own
  };

  explicit ShiftFinder(const Tape& t) : tape_(t), forms_(t.size()) {
    for (NodeId id = 0; id < t.size(); ++id) {
      if (t.shape(id).size() == 1) forms_[id] = formOf(id);
    }
  }

  const Form& form(NodeId id) const { return forms_[id]; }
  const Function& function(std::uint32_t number) const { return functions_[number]; }
  std::size_t functions() const { return functions_.size(); }

 private:
  Form formOf(NodeId id) {
    const Node& node = tape_.node(id);
    const auto operands = tape_.operands(node);
    if (node.op == tapeop::kConstant) {
      const auto bits = std::bit_cast<std::int64_t>(Tape::constantValue(node));
      return {intern({1, static_cast<std::int64_t>(node.dtype), bits}, {Kind::Uniform, id, {}}), 0};
    }
    if (opOf(node) == Op::BroadcastTo && tape_.count(operands[0]) == 1)
      return {intern({2, operands[0]}, {Kind::Uniform, id, {}}), 0};
    if (opOf(node) == Op::Slice && forms_[operands[0]].function != kNone) {
      const auto& attrs = tape_.attrs(node);
      const Form& from = forms_[operands[0]];
      if (attrs[2] == 1) return {from.function, from.offset + attrs[0]};
    }
    if (isElementwise(node)) {
      if (const Form form = computed(id, node); form.function != kNone) return form;
    }
    return {intern({3, id}, {Kind::Leaf, id, {}}), 0};
  }

  Form computed(NodeId id, const Node& node) {
    std::vector<Form> operands;
    std::int64_t base = 0;
    bool hasBase = false;
    for (const NodeId operand : tape_.operands(node)) {
      operands.push_back(forms_[operand]);
      if (operands.back().function == kNone) return {};
      if (functions_[operands.back().function].kind == Kind::Uniform) continue;
      base = hasBase ? std::min(base, operands.back().offset) : operands.back().offset;
      hasBase = true;
    }
    if (!hasBase) return {};
    std::vector<std::int64_t> key = {4, node.op, static_cast<std::int64_t>(node.dtype)};
    for (const std::int64_t attr : tape_.attrs(node)) key.push_back(attr);
    for (Form& operand : operands) {
      operand.offset =
          functions_[operand.function].kind == Kind::Uniform ? 0 : operand.offset - base;
      key.push_back(operand.function);
      key.push_back(operand.offset);
    }
    return {intern(key, {Kind::Computed, id, std::move(operands)}), base};
  }

  std::uint32_t intern(const std::vector<std::int64_t>& key, Function function) {
    const auto [entry, isNew] =
        numbers_.try_emplace(key, static_cast<std::uint32_t>(functions_.size()));
    if (isNew) functions_.push_back(std::move(function));
    return entry->second;
  }

  const Tape& tape_;
  std::vector<Form> forms_;
  std::vector<Function> functions_;
  std::map<std::vector<std::int64_t>, std::uint32_t> numbers_;
};

bool isExpensive(const Node& node) {
  return isElementwise(node) && operationPrice(node) >= kElementaryPrice;
}

class ShiftSharer {
 public:
  explicit ShiftSharer(const Tape& t) : tape_(t), finder_(t), copier_(builder_, t) { findShared(); }

  bool hasAny() const { return hasAny_; }

  TapePtr run() {
    builder_.setSharing(true);
    map_.assign(tape_.size(), kNoNode);
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      builder_.setOrigin(node.origin == kNoNode ? id : node.origin);
      const ShiftFinder::Form& form = finder_.form(id);
      if (node.op == tapeop::kInput) {
        map_[id] = builder_.input(tape_.inputs()[node.attr].name, tape_.shape(node), node.dtype);
      } else if (isInShared(id)) {
        map_[id] = element(form.function, form.offset, tape_.count(id));
      } else {
        map_[id] = copier_.copyMapped(tape_.node(id), map_);
      }
    }
    std::vector<Port> outputs = tape_.outputs();
    for (Port& port : outputs) port.node = map_[port.node];
    return builder_.finish(std::move(outputs));
  }

 private:
  /// The elements of a function that the tape computes.
  struct Range {
    std::int64_t first = 0, last = 0;
    std::int64_t elements = 0;  ///< of all values with some of them
    bool isShared = false;
    NodeId node = kNoNode;  ///< new: all elements
  };

  /// A function at some distance from another one that it is a part of.
  using Part = ShiftFinder::Form;

  void findShared() {
    ranges_.resize(finder_.functions());
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const ShiftFinder::Form& form = finder_.form(id);
      const std::int64_t count = form.function == ShiftFinder::kNone ? 0 : tape_.count(id);
      if (count < kFewElements || !isExpensive(tape_.node(id))) continue;
      Range& range = ranges_[form.function];
      const std::int64_t last = form.offset + count;
      // Apart from those before: there would be elements in between that nobody computes.
      if (range.elements > 0 && (form.offset > range.last || last < range.first)) continue;
      range.first = range.elements > 0 ? std::min(range.first, form.offset) : form.offset;
      range.last = range.elements > 0 ? std::max(range.last, last) : last;
      range.elements += count;
    }
    std::int64_t stored = 0;
    for (std::uint32_t f = 0; f < ranges_.size(); ++f) {
      Range& range = ranges_[f];
      const std::int64_t length = range.last - range.first;
      if (length == 0 || range.elements * 2 < length * 3) continue;
      const auto parts = partsOf(f);
      const auto isThere = [&](const Part& part) {
        const Range& other = ranges_[part.function];
        return !other.isShared ||
               (range.first + part.offset >= other.first && range.last + part.offset <= other.last);
      };
      if (!parts || !std::ranges::all_of(*parts, isThere)) continue;
      range.isShared = hasAny_ = true;
      stored += length;
    }
    // Some of them alone would be a pass over memory more, and save little.
    if (stored > kMostElements) hasAny_ = false;
  }

  /// Whether all elements of a value are among those that are shared.
  bool isInShared(NodeId id) const {
    const ShiftFinder::Form& form = finder_.form(id);
    if (form.function == ShiftFinder::kNone || !isExpensive(tape_.node(id))) return false;
    const Range& range = ranges_[form.function];
    return range.isShared && form.offset >= range.first &&
           form.offset + tape_.count(id) <= range.last;
  }

  /// What a function is computed from, operands first, itself last; nothing where that is much.
  std::optional<std::vector<Part>> partsOf(std::uint32_t function) const {
    std::vector<Part> order, open = {{function, 0}};
    const auto isSame = [](const Part& a, const Part& b) {
      return a.function == b.function && a.offset == b.offset;
    };
    const auto isMissing = [&](const Part& part) {
      return std::ranges::none_of(order, [&](const Part& other) { return isSame(part, other); });
    };
    while (!open.empty()) {
      const Part part = open.back();
      if (order.size() > kMostParts || open.size() > kMostParts) return std::nullopt;
      const bool isOpen = open.size() == 1 || !ranges_[part.function].isShared;
      bool waits = false;
      if (isOpen && isMissing(part)) {
        for (const Part& operand : finder_.function(part.function).operands) {
          const Part at = {operand.function, operand.offset + part.offset};
          if (!isMissing(at)) continue;
          open.push_back(at);
          waits = true;
          break;
        }
      }
      if (waits) continue;
      if (isMissing(part)) order.push_back(part);
      open.pop_back();
    }
    return order;
  }

  /// Elements of a shared function; the first time all of them are computed.
  NodeId element(std::uint32_t function, std::int64_t first, std::int64_t count) {
    Range& range = ranges_[function];
    if (range.node == kNoNode) range.node = whole(function, range.first, range.last - range.first);
    return sliced(range.node, first - range.first, count);
  }

  NodeId sliced(NodeId list, std::int64_t first, std::int64_t count) {
    if (first == 0 && count == elementCount(builder_.shape(list))) return list;
    const std::int64_t attrs[] = {first, count, 1};
    return builder_.append(code(Op::Slice), builder_.node(list).dtype, {count}, {&list, 1}, attrs);
  }

  NodeId whole(std::uint32_t function, std::int64_t first, std::int64_t count) {
    std::map<std::pair<std::uint32_t, std::int64_t>, NodeId> made;
    const std::vector<Part> parts = *partsOf(function);
    for (const Part& part : parts) {
      const ShiftFinder::Function& f = finder_.function(part.function);
      const Node& node = tape_.node(f.node);
      NodeId& result = made[{part.function, part.offset}];
      const bool isSelf = &part == &parts.back();
      if (f.kind == ShiftFinder::Kind::Leaf) {
        result = sliced(map_[f.node], first + part.offset, count);
      } else if (f.kind == ShiftFinder::Kind::Uniform) {
        result = node.op == tapeop::kConstant
                     ? builder_.constant(Tape::constantValue(node), {count}, node.dtype)
                     : builder_.append(node.op, node.dtype, {count}, {&map_[node.operand[0]], 1},
                                       tape_.attrs(node));
      } else if (!isSelf && ranges_[part.function].isShared) {
        result = element(part.function, first + part.offset, count);
      } else {
        std::vector<NodeId> operands;
        for (const Part& operand : f.operands)
          operands.push_back(made.at({operand.function, operand.offset + part.offset}));
        result = builder_.append(node.op, node.dtype, {count}, operands, tape_.attrs(node));
      }
    }
    return made.at({function, 0});
  }

  const Tape& tape_;
  const ShiftFinder finder_;
  Builder builder_;
  Copier copier_;
  std::vector<Range> ranges_;
  std::vector<NodeId> map_;
  bool hasAny_ = false;
};

}  // namespace

TapePtr shareShifts(const TapePtr& t) {
  ShiftSharer sharer(*t);
  return sharer.hasAny() ? sharer.run() : t;
}

}  // namespace adjoint

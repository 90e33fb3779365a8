#include "plan/pieces_apart.h"

#include <algorithm>
#include <map>
#include <set>

#include "ops/build.h"
#include "plan/analysis.h"
#include "transform/copy.h"

namespace adjoint {

namespace {

using namespace ex;

/// More pieces of one value are not worth a kernel each.
constexpr std::size_t kMostCuts = 8;
/// Elements computed for one of a cheap value's, its neighbors' parts included; of others, one. A
/// value that is stored costs another pass over memory, and a read for each neighbor, which takes
/// as long as two cheap operations.
constexpr std::int64_t kMostTimes = 5;

class Divider {
 public:
  explicit Divider(const Tape& t)
      : tape_(t),
        copier_(builder_, t),
        cuts_(t.size()),
        kinds_(t.size(), Kind::Whole),
        demands_(t.size()),
        pieces_(t.size()),
        whole_(t.size(), kNoNode) {}

  /// Whether an elementwise operation has operands that were put together.
  bool findCuts() {
    bool isDivided = false;
    for (NodeId id = 0; id < tape_.size(); ++id) {
      kinds_[id] = kindOf(id);
      cuts_[id] = cutsOf(id);
      if (cuts_[id].size() > kMostCuts) {
        kinds_[id] = Kind::Whole;
        cuts_[id].clear();
      }
      isDivided = isDivided || (kinds_[id] == Kind::Elementwise && !cuts_[id].empty());
    }
    if (isDivided) joinCuts();
    return isDivided;
  }

  void findDemands() {
    for (const Port& port : tape_.outputs()) demandAll(port.node);
    for (const NodeId id : tape_.checks()) demandAll(id);
    for (std::size_t i = tape_.size(); i-- > 0;) demandOf(static_cast<NodeId>(i));
  }

  TapePtr build() {
    builder_.setSharing(true);
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      builder_.setOrigin(node.origin == kNoNode ? id : node.origin);
      if (node.op == tapeop::kInput) {
        whole_[id] = builder_.input(tape_.inputs()[node.attr].name, tape_.shape(node), node.dtype);
      } else if (!demands_[id].empty()) {
        make(id);
      } else if (kinds_[id] == Kind::Whole && isNeeded_.contains(id)) {
        whole_[id] = copyWhole(id);
      }
    }
    std::vector<Port> outputs = tape_.outputs();
    for (Port& port : outputs) port.node = wholeOf(port.node);
    return builder_.finish(std::move(outputs));
  }

 private:
  enum class Kind : std::uint8_t {
    Whole,        ///< anything: as it is
    Constant,     ///< one number everywhere
    Elementwise,  ///< piece by piece
    Stored,       ///< elementwise, but once, and read from memory
    Slice,
    Place,
    Concat,
  };
  struct Range {
    std::int64_t lo = 0, hi = 0;
    auto operator<=>(const Range&) const = default;
  };

  bool isLine(NodeId id) const { return tape_.shape(id).size() == 1 && tape_.count(id) > 0; }
  std::int64_t attr(NodeId id, std::size_t k) const { return tape_.attrs(tape_.node(id))[k]; }

  Kind kindOf(NodeId id) const {
    const Node& node = tape_.node(id);
    if (!isLine(id)) return Kind::Whole;
    const auto operands = tape_.operands(node);
    const bool areLines =
        std::ranges::all_of(operands, [&](NodeId operand) { return isLine(operand); });
    switch (opOf(node)) {
      case Op::Constant:
        return Kind::Constant;
      case Op::Slice:
        return areLines && attr(id, 2) == 1 ? Kind::Slice : Kind::Whole;
      case Op::Place:
        return areLines && attr(id, 2) == 1 ? Kind::Place : Kind::Whole;
      case Op::Concat:
        return areLines ? Kind::Concat : Kind::Whole;
      default:
        break;
    }
    const bool isPlain = isElementwise(node) && std::ranges::all_of(operands, [&](NodeId operand) {
                           return tape_.shape(operand) == tape_.shape(id);
                         });
    return isPlain ? Kind::Elementwise : Kind::Whole;
  }

  /// What of a value comes from one place: calls visit(range, operand or kNoNode for zeros, the
  /// first of its elements).
  template <class Visit>
  void visitParts(NodeId id, Visit visit) const {
    const auto operands = tape_.operands(tape_.node(id));
    const std::int64_t n = tape_.count(id);
    if (kinds_[id] == Kind::Slice) return visit(Range{0, n}, operands[0], attr(id, 0));
    std::int64_t at = 0;
    if (kinds_[id] == Kind::Place) {
      at = attr(id, 0);
      if (at > 0) visit(Range{0, at}, kNoNode, 0);
    }
    for (const NodeId operand : operands) {
      visit(Range{at, at + tape_.count(operand)}, operand, 0);
      at += tape_.count(operand);
    }
    if (at < n) visit(Range{at, n}, kNoNode, 0);
  }

  bool isMovement(NodeId id) const { return kinds_[id] >= Kind::Slice; }

  /// Sorted positions inside a value where its pieces meet.
  std::vector<std::int64_t> cutsOf(NodeId id) const {
    std::set<std::int64_t> found;
    const std::int64_t n = isLine(id) ? tape_.count(id) : 0;
    const auto add = [&](std::int64_t cut) {
      if (cut > 0 && cut < n) found.insert(cut);
    };
    if (kinds_[id] == Kind::Elementwise) {
      for (const NodeId operand : tape_.operands(tape_.node(id)))
        found.insert(cuts_[operand].begin(), cuts_[operand].end());
    } else if (isMovement(id)) {
      visitParts(id, [&](const Range& range, NodeId from, std::int64_t first) {
        add(range.lo);
        if (from == kNoNode) return;
        for (const std::int64_t cut : cuts_[from]) {
          const std::int64_t here = range.lo + cut - first;
          if (here < range.hi) add(here);
        }
      });
    }
    return {found.begin(), found.end()};
  }

  /// Outputs of one length that nothing else reads get the same pieces, so that one loop computes
  /// them together.
  void joinCuts() {
    std::vector<bool> isRead(tape_.size(), false);
    for (const Node& node : tape_.nodes())
      for (const NodeId operand : tape_.operands(node)) isRead[operand] = true;
    std::map<std::int64_t, std::vector<NodeId>> ends;
    for (const Port& port : tape_.outputs()) {
      const NodeId id = port.node;
      if (isLine(id) && kinds_[id] != Kind::Whole && !isRead[id])
        ends[tape_.count(id)].push_back(id);
    }
    for (const auto& [count, ids] : ends) {
      std::set<std::int64_t> joined;
      for (const NodeId id : ids) joined.insert(cuts_[id].begin(), cuts_[id].end());
      if (joined.size() > kMostCuts) continue;
      for (const NodeId id : ids) cuts_[id].assign(joined.begin(), joined.end());
    }
  }

  /// The parts of a range between cuts.
  std::vector<Range> divided(NodeId id, const Range& range) const {
    std::vector<Range> result;
    std::int64_t lo = range.lo;
    for (const std::int64_t cut : cuts_[id]) {
      if (cut <= lo) continue;
      if (cut >= range.hi) break;
      result.push_back({lo, cut});
      lo = cut;
    }
    result.push_back({lo, range.hi});
    return result;
  }

  void demand(NodeId id, const Range& range) {
    isNeeded_.insert(id);
    if (kinds_[id] == Kind::Whole) return;
    for (const Range& part : divided(id, range)) demands_[id].insert(part);
  }
  void demandAll(NodeId id) { demand(id, {0, isLine(id) ? tape_.count(id) : 0}); }

  void demandOf(NodeId id) {
    if (!isNeeded_.contains(id)) return;
    const auto operands = tape_.operands(tape_.node(id));
    switch (kinds_[id]) {
      case Kind::Whole:
        for (const NodeId operand : operands) demandAll(operand);
        break;
      case Kind::Constant:
        break;
      case Kind::Elementwise:
      case Kind::Stored: {
        std::int64_t elements = 0;
        for (const Range& part : demands_[id]) elements += part.hi - part.lo;
        const std::int64_t n = tape_.count(id);
        if (elements > (isCheap(tape_.node(id)) ? kMostTimes : 1) * n) {
          kinds_[id] = Kind::Stored;
          demands_[id].clear();
          for (const Range& part : divided(id, {0, n})) demands_[id].insert(part);
        }
        for (const Range& part : demands_[id])
          for (const NodeId operand : operands) demand(operand, part);
        break;
      }
      default:
        for (const Range& part : demands_[id]) {
          visitParts(id, [&](const Range& range, NodeId from, std::int64_t first) {
            if (from == kNoNode || part.lo < range.lo || part.hi > range.hi) return;
            const std::int64_t moved = first - range.lo;
            demand(from, {part.lo + moved, part.hi + moved});
          });
        }
    }
  }

  /// Elements of a value that is in memory, or of the pieces it is made in.
  Expr read(NodeId id, const Range& range) {
    const Node& node = tape_.node(id);
    if (kinds_[id] == Kind::Constant)
      return {&builder_,
              builder_.constant(Tape::constantValue(node), {range.hi - range.lo}, node.dtype)};
    if (kinds_[id] == Kind::Whole || kinds_[id] == Kind::Stored) {
      const Expr whole{&builder_, whole_[id]};
      if (range == Range{0, tape_.count(id)}) return whole;
      return slice(whole, {{range.lo, range.hi - range.lo, 1}});
    }
    std::vector<Expr> parts;
    for (const Range& part : divided(id, range)) parts.push_back(pieces_[id].at(part));
    return parts.size() == 1 ? parts[0] : concat(parts, 0);
  }

  Expr piece(NodeId id, const Range& part) {
    const Node& node = tape_.node(id);
    if (!isMovement(id)) {
      std::vector<NodeId> operands;
      for (const NodeId operand : tape_.operands(node)) operands.push_back(read(operand, part).id);
      return {&builder_, apply(builder_, opOf(node), operands, tape_.attrs(node))};
    }
    Expr result;
    visitParts(id, [&](const Range& range, NodeId from, std::int64_t first) {
      if (part.lo < range.lo || part.hi > range.hi) return;
      const std::int64_t moved = first - range.lo;
      result = from == kNoNode
                   ? Expr{&builder_, builder_.constant(0, {part.hi - part.lo}, node.dtype)}
                   : read(from, {part.lo + moved, part.hi + moved});
    });
    return result;
  }

  void make(NodeId id) {
    if (kinds_[id] == Kind::Constant) return;
    for (const Range& part : demands_[id]) pieces_[id].emplace(part, piece(id, part));
    if (kinds_[id] != Kind::Stored) return;
    std::vector<Expr> parts;
    for (const auto& [range, value] : pieces_[id]) parts.push_back(value);
    whole_[id] = parts.size() == 1 ? parts[0].id : concat(parts, 0).id;
  }

  NodeId wholeOf(NodeId id) {
    if (whole_[id] != kNoNode) return whole_[id];
    return whole_[id] = read(id, {0, tape_.count(id)}).id;
  }

  NodeId copyWhole(NodeId id) {
    const Node& node = tape_.node(id);
    std::vector<NodeId> operands;
    for (const NodeId operand : tape_.operands(node)) operands.push_back(wholeOf(operand));
    return copier_.copy(node, operands);
  }

  const Tape& tape_;
  Builder builder_;
  Copier copier_;
  std::vector<std::vector<std::int64_t>> cuts_;
  std::vector<Kind> kinds_;
  std::set<NodeId> isNeeded_;
  std::vector<std::set<Range>> demands_;  ///< parts between cuts
  std::vector<std::map<Range, Expr>> pieces_;
  std::vector<NodeId> whole_;
};

}  // namespace

TapePtr computePiecesApart(const TapePtr& t) {
  Divider divider(*t);
  if (!divider.findCuts()) return t;
  divider.findDemands();
  return divider.build();
}

}  // namespace adjoint

#include "plan/signs.h"

#include <algorithm>
#include <cmath>

#include "ops/row.h"
#include "transform/copy.h"

namespace adjoint {

namespace {

/// Rounding to nearest does not look at signs: -a * b is -(a * b), and a + -b is a - b. A sum of
/// two negative values is not the negative of their sum: where they cancel, both are +0. So is a
/// scatter-add of nothing but zeros, whose sign can be carried to a sum with what is never -0.
class SignCarrier {
 public:
  explicit SignCarrier(const Tape& t)
      : tape_(t), copier_(builder_, t), map_(t.size(), kNoNode), plain_(t.size(), kNoNode) {}

  TapePtr run() {
    findTakers();
    builder_.setSharing(false);
    builder_.reserve(tape_.size());
    isNegative_.assign(tape_.size(), false);
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      builder_.setOrigin(node.origin == kNoNode ? id : node.origin);
      if (node.op == tapeop::kInput) {
        map_[id] = builder_.input(tape_.inputs()[node.attr].name, tape_.shape(node), node.dtype);
      } else {
        carry(id, node);
      }
    }
    std::vector<Port> outputs = tape_.outputs();
    for (Port& port : outputs) port.node = plain(port.node);
    return builder_.finish(std::move(outputs));
  }

 private:
  /// Values that are never -0, and scatter-adds that are only added to or subtracted from such.
  void findZeros() {
    std::vector<bool> isPlus(tape_.size(), false);
    isBesidePlus_.assign(tape_.size(), true);
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& node = tape_.node(id);
      const Op op = opOf(node);
      const auto operands = tape_.operands(node);
      const bool isAdd = op == Op::Add, isSub = op == Op::Sub;
      isPlus[id] = op == Op::ScatterSum || ((isAdd || isSub) && isPlus[operands[0]]) ||
                   (isAdd && isPlus[operands[1]]);
      for (std::size_t k = 0; k < operands.size(); ++k) {
        const bool isTaken =
            (isAdd && isPlus[operands[1 - k]]) || (isSub && k == 1 && isPlus[operands[0]]);
        if (!isTaken) isBesidePlus_[operands[k]] = false;
      }
    }
  }

  /// Whether whoever uses a value takes its sign for nothing.
  void findTakers() {
    findZeros();
    takesSign_.assign(tape_.size(), true);
    for (const Port& port : tape_.outputs()) takesSign_[port.node] = false;
    for (const NodeId id : tape_.checks()) takesSign_[id] = false;
    for (NodeId id = tape_.size(); id-- > 0;) {
      const Node& node = tape_.node(id);
      if (isCarriedScatter(id)) {
        takesSign_[node.operand[0]] = false;
        continue;
      }
      const bool takes = isSum(opOf(node)) || (isProduct(opOf(node)) && takesSign_[id]);
      if (takes) continue;
      for (const NodeId operand : tape_.operands(node)) takesSign_[operand] = false;
    }
  }

  bool isCarriedScatter(NodeId id) const {
    return opOf(tape_.node(id)) == Op::ScatterSum && isBesidePlus_[id] && takesSign_[id];
  }

  static bool isSum(Op op) {
    return op == Op::Add || op == Op::Sub || op == Op::Fma || op == Op::Fms || op == Op::Fnma ||
           op == Op::Square || op == Op::Abs;
  }
  static bool isProduct(Op op) { return op == Op::Mul || op == Op::Div || op == Op::Neg; }

  /// The value itself, not its negative.
  NodeId plain(NodeId id) {
    if (!isNegative_[id]) return map_[id];
    if (plain_[id] == kNoNode) plain_[id] = append(Op::Neg, id, {map_[id]});
    return plain_[id];
  }

  NodeId append(Op op, NodeId as, std::initializer_list<NodeId> operands) {
    return builder_.append(code(op), tape_.node(as).dtype, tape_.shape(as),
                           {operands.begin(), operands.size()});
  }

  void carry(NodeId id, const Node& node) {
    const auto x = [&](std::size_t k) { return map_[node.operand[k]]; };
    const auto isMinus = [&](std::size_t k) { return isNegative_[node.operand[k]]; };
    switch (opOf(node)) {
      case Op::Neg:
        map_[id] = x(0);
        isNegative_[id] = !isMinus(0);
        return;
      case Op::Square:
      case Op::Abs:
        map_[id] = append(opOf(node), id, {x(0)});
        return;
      case Op::Mul:
      case Op::Div:
        if (takesSign_[id] || (isMinus(0) && isMinus(1))) {
          map_[id] = product(id, x(0), x(1));
          isNegative_[id] = isMinus(0) != isMinus(1);
        } else {
          map_[id] = product(id, plain(node.operand[0]), plain(node.operand[1]));
        }
        return;
      case Op::ScatterSum:
        if (!isCarriedScatter(id)) return copyPlain(id, node);
        map_[id] = copier_.copyMapped(node, map_);
        isNegative_[id] = isMinus(1);
        return;
      case Op::Add:
        return sum(id, isMinus(0), isMinus(1));
      case Op::Sub:
        return sum(id, isMinus(0), !isMinus(1));
      case Op::Fma:
        return fused(id, isMinus(0) != isMinus(1), isMinus(2));
      case Op::Fms:
        return fused(id, isMinus(0) != isMinus(1), !isMinus(2));
      case Op::Fnma:
        return fused(id, isMinus(0) == isMinus(1), isMinus(2));
      default:
        return copyPlain(id, node);
    }
  }

  /// `map_` of all operands is the value itself for a moment.
  void copyPlain(NodeId id, const Node& node) {
    const auto operands = tape_.operands(node);
    const bool hasSigns = std::ranges::any_of(operands, [&](NodeId o) { return isNegative_[o]; });
    if (!hasSigns) {
      map_[id] = copier_.copyMapped(node, map_);
      return;
    }
    std::vector<NodeId> own;
    for (const NodeId operand : operands) own.push_back(plain(operand));
    map_[id] = copier_.copy(node, own);
  }

  NodeId product(NodeId id, NodeId a, NodeId b) {
    if (opOf(tape_.node(id)) == Op::Mul) {
      if (const NodeId once = scaledOnce(id, a, b); once != kNoNode) return once;
      if (const NodeId once = scaledOnce(id, b, a); once != kNoNode) return once;
    }
    return append(opOf(tape_.node(id)), id, {a, b});
  }

  /// (two * x) * factor as x * (two * factor): the first product is exact, or too large as the
  /// second is.
  NodeId scaledOnce(NodeId id, NodeId scaled, NodeId factor) {
    const Node inner = builder_.node(scaled);
    if (builder_.node(factor).op != tapeop::kConstant || opOf(inner) != Op::Mul) return kNoNode;
    const double by = Tape::constantValue(builder_.node(factor));
    if (!(std::abs(by) >= 1) || std::isinf(by)) return kNoNode;
    for (const int k : {0, 1}) {
      const Node& constant = builder_.node(inner.operand[k]);
      if (constant.op != tapeop::kConstant) continue;
      const double two = Tape::constantValue(constant);
      int exponent;
      const bool isPower = std::abs(std::frexp(two, &exponent)) == 0.5 && std::abs(two) >= 1;
      if (!isPower || std::isinf(two * by)) continue;
      const NodeId both = builder_.constant(two * by, tape_.shape(id), tape_.node(id).dtype);
      return append(Op::Mul, id, {inner.operand[1 - k], both});
    }
    return kNoNode;
  }

  /// ±a ± b.
  void sum(NodeId id, bool isMinusA, bool isMinusB) {
    const Node& node = tape_.node(id);
    const NodeId a = map_[node.operand[0]], b = map_[node.operand[1]];
    if (isMinusA && isMinusB) {
      map_[id] = append(Op::Sub, id, {negative(node.operand[0]), b});
    } else if (isMinusA) {
      map_[id] = append(Op::Sub, id, {b, a});
    } else {
      map_[id] = append(isMinusB ? Op::Sub : Op::Add, id, {a, b});
    }
  }

  /// ±a b ± c.
  void fused(NodeId id, bool isMinusProduct, bool isMinusC) {
    const Node& node = tape_.node(id);
    const NodeId a = map_[node.operand[0]], b = map_[node.operand[1]];
    NodeId c = map_[node.operand[2]];
    Op op = isMinusProduct ? Op::Fnma : isMinusC ? Op::Fms : Op::Fma;
    if (isMinusProduct && isMinusC) c = negative(node.operand[2]);
    map_[id] = append(op, id, {a, b, c});
  }

  /// The negative of what `map_` has for a value.
  NodeId negative(NodeId id) {
    if (isNegative_[id]) return plain(id);
    return append(Op::Neg, id, {map_[id]});
  }

  const Tape& tape_;
  Builder builder_;
  Copier copier_;
  std::vector<NodeId> map_;    ///< by node: the value, or its negative
  std::vector<NodeId> plain_;  ///< by node: the value, where map_ has its negative
  std::vector<bool> isNegative_, takesSign_, isBesidePlus_;
};

}  // namespace

TapePtr carrySigns(const TapePtr& t) {
  const bool hasAny = std::ranges::any_of(t->nodes(), [&](const Node& node) {
    if (opOf(node) == Op::Neg) return true;
    return opOf(node) == Op::Mul && std::ranges::any_of(t->operands(node), [&](NodeId o) {
             return t->node(o).op == tapeop::kConstant;
           });
  });
  return hasAny ? SignCarrier(*t).run() : t;
}

}  // namespace adjoint

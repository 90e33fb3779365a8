#include "sparsity/constants.h"

#include <algorithm>
#include <limits>

#include "ops/op.h"
#include "ops/row.h"
#include "transform/moves.h"

namespace adjoint {

Linear linearOf(const Tape& t, const Node& node) {
  const Move move = movesOf(t, node).front();
  return {t.shape(node), move.from, move.fromStrides};
}

namespace {

/// Operations that `Constants` computes.
bool isComputed(Op op) {
  switch (op) {
    case Op::Constant:
    case Op::Data:
    case Op::Iota:
    case Op::Concat:
    case Op::Gather:
      return true;
    default:
      return movesData(op) || rowOf(op).kernel != nullptr;
  }
}

}  // namespace

Constants::Constants(const Tape& t) : tape_(t), isConstant_(t.size(), false) {
  for (NodeId id = 0; id < t.size(); ++id) {
    const Node& node = t.node(id);
    isConstant_[id] =
        isComputed(opOf(node)) &&
        std::ranges::all_of(t.operands(node), [&](NodeId o) { return isConstant_[o]; });
  }
}

void Constants::compute(NodeId id) {
  const Node& node = tape_.node(id);
  const auto operands = tape_.operands(node);
  const auto n = static_cast<std::size_t>(tape_.count(id));
  std::vector<double>& out = values_[id];
  switch (opOf(node)) {
    case Op::Constant:
      out.assign(n, Tape::constantValue(node));
      return;
    case Op::Data:
      out = tape_.data(node);
      return;
    case Op::Iota: {
      const auto axis = static_cast<std::size_t>(tape_.attrs(node)[0]);
      std::vector<std::int64_t> coefficients(tape_.shape(node).size(), 0);
      coefficients[axis] = 1;
      const Linear position(tape_.shape(node), 0, coefficients);
      for (std::size_t i = 0; i < n; ++i)
        out.push_back(static_cast<double>(position(static_cast<std::int64_t>(i))));
      return;
    }
    case Op::Reshape:
    case Op::StopGradient:
      out = values_.at(operands[0]);
      return;
    case Op::Transpose:
    case Op::BroadcastTo:
    case Op::Slice:
    case Op::Flip: {
      const Linear linear = linearOf(tape_, node);
      const std::vector<double>& from = values_.at(operands[0]);
      for (std::size_t i = 0; i < n; ++i)
        out.push_back(from[static_cast<std::size_t>(linear(static_cast<std::int64_t>(i)))]);
      return;
    }
    case Op::Place:
    case Op::Concat:
      out.assign(n, 0);
      for (const Move& move : movesOf(tape_, node)) {
        const std::vector<double>& from = values_.at(operands[move.operand]);
        visitMove(move, [&](std::int64_t source, std::int64_t to) {
          out[static_cast<std::size_t>(to)] = from[static_cast<std::size_t>(source)];
        });
      }
      return;
    case Op::Gather:
      gather(node, out);
      return;
    default: {
      const std::size_t padded = (n + 7) / 8 * 8;
      std::vector<double> in[3];
      for (std::size_t k = 0; k < 3; ++k) {
        if (k < operands.size()) in[k] = values_.at(operands[k]);
        in[k].resize(padded);
      }
      out.resize(padded);
      const auto& attrs = tape_.attrs(node);
      rowOf(node).kernel(out.data(), in[0].data(), in[1].data(), in[2].data(), n,
                         attrs.empty() ? 0 : static_cast<int>(attrs[0]));
      out.resize(n);
      return;
    }
  }
}

/// An index that is none makes a number that is none.
void Constants::gather(const Node& node, std::vector<double>& out) const {
  const std::vector<double>& from = values_.at(node.operand[0]);
  const Around a = around(tape_.shape(node.operand[0]), tape_.attrs(node)[0]);
  for (std::int64_t o = 0; o < a.outer; ++o) {
    for (const double x : values_.at(node.operand[1])) {
      const bool isIndex = x >= 0 && x < static_cast<double>(a.n) &&
                           x == static_cast<double>(static_cast<std::int64_t>(x));
      for (std::int64_t i = 0; i < a.inner; ++i) {
        const std::int64_t at =
            isIndex ? (o * a.n + static_cast<std::int64_t>(x)) * a.inner + i : 0;
        out.push_back(isIndex ? from[static_cast<std::size_t>(at)]
                              : std::numeric_limits<double>::quiet_NaN());
      }
    }
  }
}

const std::vector<double>* Constants::of(NodeId id) {
  if (!isConstant_[id]) return nullptr;
  std::vector<NodeId> open = {id};
  while (!open.empty()) {
    const NodeId top = open.back();
    const auto operands = tape_.operands(tape_.node(top));
    const auto missing =
        std::ranges::find_if(operands, [&](NodeId o) { return !values_.contains(o); });
    if (missing != operands.end()) {
      open.push_back(*missing);
      continue;
    }
    open.pop_back();
    if (!values_.contains(top)) compute(top);
  }
  return &values_.at(id);
}

const std::vector<std::int64_t>* Constants::indices(NodeId id, std::int64_t extent) {
  if (const auto it = indices_.find(id); it != indices_.end()) {
    return std::ranges::all_of(it->second, [&](std::int64_t i) { return i < extent; }) ? &it->second
                                                                                       : nullptr;
  }
  const std::vector<double>* values = of(id);
  if (values == nullptr) return nullptr;
  std::vector<std::int64_t> result;
  for (const double x : *values) {
    const bool isInside = x >= 0 && x < static_cast<double>(extent) &&
                          x == static_cast<double>(static_cast<std::int64_t>(x));
    if (!isInside) return nullptr;
    result.push_back(static_cast<std::int64_t>(x));
  }
  return &(indices_[id] = std::move(result));
}

}  // namespace adjoint

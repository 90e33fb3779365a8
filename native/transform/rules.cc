#include "transform/rules.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "transform/loops.h"

namespace adjoint {

using namespace ex;

Partials partialsOf(const RuleSite& site) {
  RowArgs args;
  if (site.x.size() > 0) args.a = site.x[0];
  if (site.x.size() > 1) args.b = site.x[1];
  if (site.x.size() > 2) args.c = site.x[2];
  args.y = site.y;
  args.n = site.attrs().empty() ? 0 : static_cast<int>(site.attrs()[0]);
  Partials partials = site.row().partials(args);
  // A constant partial is a scalar until it meets its tangent.
  for (Expr& p : partials) {
    if (p.shape() != site.shape()) p = broadcastTo(p, site.shape());
  }
  return partials;
}

std::vector<Range> rangesOf(const RuleSite& site) {
  std::vector<Range> ranges;
  const auto& attrs = site.attrs();
  for (std::size_t i = 0; i < attrs.size(); i += 3)
    ranges.push_back({attrs[i], attrs[i + 1], attrs[i + 2]});
  return ranges;
}

Extremes extremesOf(const RuleSite& site) {
  const Expr x = site.x[0];
  const Axes& axes = site.attrs();
  const Shape from = x.shape();
  const auto spread = [&](Expr v) { return broadcastTo(expandAxes(v, axes), from); };
  const Expr isNaN = apply(Op::IsNan, {site.y});
  const Expr equal = apply(Op::Equal, {x, spread(site.y)});
  const Expr count = sum(apply(Op::ToNumber, {equal}), axes);
  const Expr share =
      apply(Op::Where, {isNaN, full(count, std::numeric_limits<double>::quiet_NaN()), 1.0 / count});
  return {apply(Op::LogicalOr, {equal, spread(isNaN)}), spread(share)};
}

Expr previous(Expr x, std::int64_t axis, bool reverse) {
  const auto at = static_cast<std::size_t>(axis);
  const Shape shape = x.shape();
  const std::int64_t n = shape[at];
  if (n <= 1) return full(x, 0);
  std::vector<Range> ranges;
  for (const std::int64_t extent : shape) ranges.push_back({0, extent, 1});
  const Expr body = sliceAxis(x, axis, {reverse ? 1 : 0, n - 1, 1});
  ranges[at] = {reverse ? 0 : 1, n, 1};
  return place(body, ranges);
}

Masked recurrent(const Masked& m, Expr value, std::int64_t axis, bool reverse) {
  if (m.always() || !m.structural) return {value, {}, true, false};
  const Expr count = cumsum(apply(Op::ToNumber, {m.mask}), axis, reverse);
  return {value, apply(Op::NotEqual, {count, full(count, 0)}), false, true};
}

std::span<const NodeId> differentiableOperands(const Tape& t, const Node& node) {
  if (node.op == tapeop::kInput || opOf(node) == Op::StopGradient) return {};
  const Family family = rowOf(node).family;
  if (family == Family::Select || family == Family::Leaf || node.dtype == DType::Bool) return {};
  const auto operands = t.operands(node);
  if (opOf(node) == Op::Where || opOf(node) == Op::ScatterSum) return operands.subspan(1);
  if (opOf(node) == Op::Loop) return operands.first(LoopAttributes::read(t, node).inputs());
  return opOf(node) == Op::Gather ? operands.first(1) : operands;
}

std::vector<bool> activeNodes(const Tape& t, std::span<const std::size_t> wrt) {
  std::vector<bool> active(t.size(), false);
  for (const std::size_t i : wrt) active[t.inputs()[i].node] = true;
  std::unordered_map<NodeId, std::vector<bool>> itemsOfLoops;
  for (NodeId id = 0; id < t.size(); ++id) {
    const Node& node = t.node(id);
    const auto operands = differentiableOperands(t, node);
    if (std::ranges::none_of(operands, [&](NodeId operand) { return active[operand]; })) continue;
    active[id] = true;
    if (opOf(node) == Op::Loop) {
      std::vector<bool> isActive;
      for (const NodeId operand : t.operands(node)) isActive.push_back(active[operand]);
      itemsOfLoops[id] = loopActivity(t, node, isActive).outputs;
    }
    if (opOf(node) != Op::Item) continue;
    const auto items = itemsOfLoops.find(node.operand[0]);
    if (items == itemsOfLoops.end()) continue;
    const auto position = static_cast<std::size_t>(t.attrs(node)[0]);
    active[id] = position < items->second.size() && items->second[position];
  }
  return active;
}

}  // namespace adjoint

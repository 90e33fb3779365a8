#include <numeric>

#include "transform/rules.h"
#include "transform/transform.h"

namespace adjoint {

namespace {

std::vector<std::size_t> range(std::size_t first, std::size_t count) {
  std::vector<std::size_t> positions(count);
  std::iota(positions.begin(), positions.end(), first);
  return positions;
}

std::vector<NodeId> addInputs(Builder& builder, const Tape& like, const std::string& prefix) {
  std::vector<NodeId> ids;
  for (const Port& port : like.inputs()) {
    ids.push_back(
        builder.input(prefix + port.name, like.shape(port.node), like.node(port.node).dtype));
  }
  return ids;
}
std::vector<NodeId> addOutputsAsInputs(Builder& builder, const Tape& like,
                                       const std::string& prefix) {
  std::vector<NodeId> ids;
  for (const Port& port : like.outputs())
    ids.push_back(builder.input(prefix + port.name, like.shape(port.node)));
  return ids;
}

/// Where a linear function is transposed does not matter, but for the masks of zero seeds it may
/// hold.
void appendOnes(Builder& builder, std::vector<NodeId>& ids, const Tape& like, bool outputs) {
  for (const Port& port : outputs ? like.outputs() : like.inputs()) {
    ids.push_back(builder.constant(1, like.shape(port.node)));
  }
}

std::vector<NodeId> join(std::initializer_list<std::span<const NodeId>> parts) {
  std::vector<NodeId> all;
  for (const auto part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

TapePtr finish(Builder& builder, std::span<const NodeId> results) {
  std::vector<Port> ports;
  for (std::size_t i = 0; i < results.size(); ++i) ports.push_back({std::to_string(i), results[i]});
  return builder.finish(std::move(ports));
}

}  // namespace

TapePtr customJvp(const CustomRule& rule, const std::vector<bool>& present) {
  const Tape& primal = *rule.primal;
  const std::size_t n = primal.inputs().size();
  const std::size_t m = primal.outputs().size();
  Builder builder;
  const std::vector<NodeId> x = addInputs(builder, primal, "");
  const std::vector<NodeId> y = addOutputsAsInputs(builder, primal, "y_");
  const std::vector<NodeId> dx = addInputs(builder, primal, "d_");
  if (rule.vjp && !rule.jvp) {
    // The vjp is linear in yBar with matrix J^T; its own vjp with respect to yBar applies J.
    const TapePtr transposed = vjp(rule.vjp, range(n + m, m));
    std::vector<NodeId> arguments = join({x, y});
    appendOnes(builder, arguments, primal, true);
    const std::vector<NodeId> all = inlineTape(builder, *transposed, join({arguments, dx}));
    return finish(builder, {all.data() + n, m});
  }
  std::vector<std::size_t> some;
  std::vector<NodeId> tangents;
  for (std::size_t i = 0; i < n; ++i) {
    if (!present[i]) continue;
    some.push_back(i);
    tangents.push_back(dx[i]);
  }
  if (!rule.jvp) {
    const std::vector<NodeId> all =
        inlineTape(builder, *jvp(rule.primal, some), join({x, tangents}));
    return finish(builder, {all.data() + m, m});
  }
  if (some.size() == n) return finish(builder, inlineTape(builder, *rule.jvp, join({x, dx})));
  // The rule is linear in dx: its own tangent along those that are not zero leaves the others
  // alone.
  for (std::size_t& position : some) position += n;
  std::vector<NodeId> arguments = x;
  appendOnes(builder, arguments, primal, false);
  const std::vector<NodeId> all =
      inlineTape(builder, *jvp(rule.jvp, some), join({arguments, tangents}));
  return finish(builder, {all.data() + m, m});
}

std::vector<NodeId> itemsOf(Builder& builder, const Tape& primal, NodeId call) {
  std::vector<NodeId> items;
  for (const Port& port : primal.outputs()) {
    const auto position = static_cast<std::int64_t>(items.size());
    items.push_back(builder.append(code(Op::Item), primal.node(port.node).dtype,
                                   primal.shape(port.node), {&call, 1}, {&position, 1}));
  }
  return items;
}

TapePtr customVjp(const CustomRule& rule) {
  if (rule.vjp) return rule.vjp;
  const Tape& primal = *rule.primal;
  const std::size_t n = primal.inputs().size();
  const std::size_t m = primal.outputs().size();
  Builder builder;
  const std::vector<NodeId> x = addInputs(builder, primal, "");
  addOutputsAsInputs(builder, primal, "y_");
  const std::vector<NodeId> yBar = addOutputsAsInputs(builder, primal, "bar_");
  if (!rule.jvp) {
    const std::vector<NodeId> all =
        inlineTape(builder, *vjp(rule.primal, range(0, n)), join({x, yBar}));
    return finish(builder, {all.data() + m, n});
  }
  // The jvp is linear in dx with matrix J; its vjp with respect to dx applies J^T.
  const TapePtr transposed = vjp(rule.jvp, range(n, n));
  std::vector<NodeId> arguments = x;
  appendOnes(builder, arguments, primal, false);
  arguments = join({arguments, yBar});
  const std::vector<NodeId> all = inlineTape(builder, *transposed, arguments);
  return finish(builder, {all.data() + m, n});
}

}  // namespace adjoint

#include "test/support/loops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ops/build.h"
#include "test/support/reference_evaluator.h"
#include "transform/copy.h"
#include "transform/loops.h"
#include "transform/transform.h"

namespace adjoint::testing {

using namespace ex;

struct SteppingEvaluator::Loop {
  LoopAttributes attributes;
  std::size_t operands = 0;
  std::vector<std::size_t> itemSizes;  ///< of a row, where they are rows
  std::unique_ptr<SteppingEvaluator> step;
};

namespace {

std::pair<Shape, DType> itemType(const Tape& t, const Node& loop, std::size_t i) {
  const LoopAttributes attributes = LoopAttributes::read(t, loop);
  const Tape& step = *t.rule(attributes.rule).primal;
  if (i == step.outputs().size()) return {{}, DType::F64};
  const NodeId output = step.outputs()[i].node;
  Shape shape = step.shape(output);
  if (i >= attributes.carries) shape.insert(shape.begin(), attributes.length);
  return {shape, step.node(output).dtype};
}

}  // namespace

SteppingEvaluator::~SteppingEvaluator() = default;

SteppingEvaluator::SteppingEvaluator(const TapePtr& tape) {
  const Tape& t = *tape;
  // How many loops a node waits for, one after another.
  std::vector<std::size_t> level(t.size(), 0);
  std::size_t count = 0;
  for (NodeId id = 0; id < t.size(); ++id) {
    const Node& node = t.node(id);
    for (const NodeId operand : t.operands(node)) {
      const bool isLoop = opOf(t.node(operand)) == Op::Loop;
      level[id] = std::max(level[id], level[operand] + (isLoop ? 1 : 0));
    }
    if (opOf(node) == Op::Loop) count = std::max(count, level[id] + 1);
  }
  for (std::size_t k = 0; k <= count; ++k) {
    Builder builder;
    Copier copier(builder, t);
    std::vector<NodeId> map(t.size(), kNoNode);
    std::vector<Port> outputs;
    Level result;
    for (const Port& port : t.inputs())
      map[port.node] = builder.input(port.name, t.shape(port.node), t.node(port.node).dtype);
    // Items come after the inputs, level by level.
    for (std::size_t before = 0; before < k; ++before) {
      for (NodeId id = 0; id < t.size(); ++id) {
        const Node& node = t.node(id);
        if (opOf(node) != Op::Loop || level[id] != before) continue;
        std::vector<NodeId> items;
        for (std::size_t i = 0; i < itemCount(t, node); ++i) {
          const auto [shape, dtype] = itemType(t, node, i);
          items.push_back(builder.input("item", shape, dtype));
        }
        for (NodeId item = id + 1; item < t.size(); ++item) {
          if (opOf(t.node(item)) == Op::Item && t.node(item).operand[0] == id)
            map[item] = items[static_cast<std::size_t>(t.attrs(t.node(item))[0])];
        }
      }
    }
    for (NodeId id = 0; id < t.size(); ++id) {
      const Node& node = t.node(id);
      if (map[id] != kNoNode || level[id] > k) continue;
      if (opOf(node) != Op::Loop) {
        map[id] = copier.copyMapped(node, map);
        continue;
      }
      if (level[id] != k) continue;
      Loop loop;
      loop.attributes = LoopAttributes::read(t, node);
      const TapePtr& step = t.rule(loop.attributes.rule).primal;
      loop.operands = t.operands(node).size();
      for (const NodeId operand : t.operands(node)) outputs.push_back({"operand", map[operand]});
      for (const Port& port : step->outputs())
        loop.itemSizes.push_back(static_cast<std::size_t>(step->count(port.node)));
      loop.step = std::make_unique<SteppingEvaluator>(step);
      result.loops.push_back(std::move(loop));
    }
    if (k == count) {
      for (const Port& port : t.outputs()) outputs.push_back({port.name, map[port.node]});
    }
    result.evaluator = std::make_unique<Evaluator>(builder.finish(std::move(outputs)));
    levels_.push_back(std::move(result));
  }
}

bool SteppingEvaluator::tryRun(const Arrays& inputs, Arrays& outputs) {
  Arrays all = inputs;
  for (Level& level : levels_) {
    Arrays results;
    if (!level.evaluator->tryRun(all, results).ok) return false;
    const Values* operands = results.data();
    for (Loop& loop : level.loops) {
      Arrays items;
      if (!runLoop(loop, operands, items)) return false;
      operands += loop.operands;
      all.insert(all.end(), items.begin(), items.end());
    }
    outputs = std::move(results);
  }
  return true;
}

bool SteppingEvaluator::runLoop(Loop& loop, const Values* operands, Arrays& items) {
  const LoopAttributes& attributes = loop.attributes;
  const std::size_t carries = attributes.carries;
  const std::size_t firstStream = attributes.constants + carries;
  const auto length = static_cast<std::size_t>(attributes.length);
  Arrays inputs(operands, operands + firstStream);
  Arrays rows(operands + firstStream, operands + attributes.inputs());
  std::size_t steps = length;
  if (attributes.trips == LoopTrips::Counted) {
    const double given = operands[attributes.inputs()][0];
    if (!(given >= 0 && given <= static_cast<double>(length) && given == std::floor(given)))
      return false;
    steps = static_cast<std::size_t>(given);
  }
  items.assign(operands + attributes.constants, operands + firstStream);
  for (std::size_t i = carries; i < loop.itemSizes.size(); ++i)
    items.emplace_back(length * loop.itemSizes[i], NAN);
  std::size_t taken = 0;
  const bool isWhile = attributes.trips == LoopTrips::While;
  const auto goesOn = [&] { return isWhile ? items[0][0] != 0 : taken < steps; };
  for (; goesOn(); ++taken) {
    if (taken == length) return false;
    const std::size_t row = attributes.reverse ? steps - 1 - taken : taken;
    std::copy(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(carries),
              inputs.begin() + static_cast<std::ptrdiff_t>(attributes.constants));
    inputs.resize(firstStream);
    for (const Values& stream : rows) {
      const std::size_t size = stream.size() / length;
      const auto first = stream.begin() + static_cast<std::ptrdiff_t>(row * size);
      inputs.emplace_back(first, first + static_cast<std::ptrdiff_t>(size));
    }
    if (attributes.indexed) inputs.push_back({static_cast<double>(row)});
    Arrays outputs;
    if (!loop.step->tryRun(inputs, outputs)) return false;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (i < carries) {
        items[i] = outputs[i];
      } else {
        std::ranges::copy(outputs[i],
                          items[i].begin() + static_cast<std::ptrdiff_t>(row * outputs[i].size()));
      }
    }
  }
  if (isWhile) items.push_back({static_cast<double>(taken)});
  return true;
}

Arrays run(const TapePtr& tape, const Arrays& inputs) {
  Arrays outputs;
  EXPECT_TRUE(SteppingEvaluator(tape).tryRun(inputs, outputs));
  return outputs;
}

LoopAttributes loopOf(std::int64_t length, std::size_t constants, std::size_t carries,
                      std::size_t streams) {
  LoopAttributes result;
  result.length = length;
  result.constants = constants;
  result.carries = carries;
  result.streams = streams;
  return result;
}

std::vector<Expr> loop(LoopAttributes attributes, const std::vector<Expr>& operands,
                       const std::function<StepOutputs(const StepInputs&)>& step) {
  Builder& builder = *operands[0].builder;
  Builder inner;
  StepInputs inputs;
  std::vector<NodeId> ids;
  for (std::size_t i = 0; i < operands.size(); ++i) ids.push_back(operands[i].id);
  for (std::size_t i = 0; i < attributes.inputs(); ++i) {
    Shape shape = operands[i].shape();
    if (i >= attributes.constants + attributes.carries) shape.erase(shape.begin());
    inputs.push_back({&inner, inner.input("x" + std::to_string(i), shape, builder.dtype(ids[i]))});
  }
  if (attributes.indexed) inputs.push_back({&inner, inner.input("index", {})});
  std::vector<Port> ports;
  for (const Expr& output : step(inputs))
    ports.push_back({"y" + std::to_string(ports.size()), output.id});
  const auto rule = std::make_shared<CustomRule>();
  rule->name = "step";
  rule->primal = inner.finish(std::move(ports));
  std::vector<Expr> items;
  for (const NodeId item : appendLoop(builder, rule, attributes, ids))
    items.push_back({&builder, item});
  return items;
}

TapePtr unrolled(const TapePtr& tape) {
  const Tape& t = *tape;
  Builder builder;
  Copier copier(builder, t);
  std::vector<NodeId> map(t.size(), kNoNode);
  std::vector<std::vector<NodeId>> items(t.size());
  for (NodeId id = 0; id < t.size(); ++id) {
    const Node& node = t.node(id);
    if (node.op == tapeop::kInput) {
      map[id] = builder.input(t.inputs()[node.attr].name, t.shape(node), node.dtype);
    } else if (opOf(node) == Op::Item && !items[node.operand[0]].empty()) {
      map[id] = items[node.operand[0]][static_cast<std::size_t>(t.attrs(node)[0])];
    } else if (opOf(node) != Op::Loop) {
      map[id] = copier.copyMapped(node, map);
    } else {
      const LoopAttributes attributes = LoopAttributes::read(t, node);
      const TapePtr step = unrolled(t.rule(attributes.rule).primal);
      std::vector<NodeId> operands;
      for (const NodeId operand : t.operands(node)) operands.push_back(map[operand]);
      const std::size_t first = attributes.constants;
      std::vector<NodeId> carries(
          operands.begin() + static_cast<std::ptrdiff_t>(first),
          operands.begin() + static_cast<std::ptrdiff_t>(first + attributes.carries));
      const std::size_t results = step->outputs().size() - attributes.carries;
      std::vector<std::vector<Expr>> rows(results);
      for (std::int64_t i = 0; i < attributes.length; ++i) {
        const std::int64_t row = attributes.reverse ? attributes.length - 1 - i : i;
        std::vector<NodeId> inputs(operands.begin(),
                                   operands.begin() + static_cast<std::ptrdiff_t>(first));
        inputs.insert(inputs.end(), carries.begin(), carries.end());
        for (std::size_t k = first + attributes.carries; k < attributes.inputs(); ++k) {
          const Expr stream{&builder, operands[k]};
          Shape shape = stream.shape();
          shape.erase(shape.begin());
          inputs.push_back(reshape(sliceAxis(stream, 0, {row, 1, 1}), shape).id);
        }
        if (attributes.indexed) inputs.push_back(builder.constant(static_cast<double>(row)));
        const std::vector<NodeId> outputs = inlineTape(builder, *step, inputs);
        for (std::size_t k = 0; k < outputs.size(); ++k) {
          const Expr output{&builder, outputs[k]};
          if (k < attributes.carries) {
            carries[k] = output.id;
          } else {
            auto& column = rows[k - attributes.carries];
            column.insert(attributes.reverse ? column.begin() : column.end(),
                          expandAxes(output, {0}));
          }
        }
      }
      items[id] = carries;
      for (std::size_t k = 0; k < results; ++k) {
        Shape shape = step->shape(step->outputs()[attributes.carries + k].node);
        shape.insert(shape.begin(), 0);
        items[id].push_back(rows[k].empty() ? builder.constant(0, shape) : concat(rows[k], 0).id);
      }
    }
  }
  std::vector<Port> ports = t.outputs();
  for (Port& port : ports) port.node = map[port.node];
  return builder.finish(std::move(ports));
}

double largestError(const Arrays& got, const Tape& tape, const Arrays& inputs) {
  const std::vector<Numbers> exact = evaluateExactly(tape, inputs);
  if (got.size() != exact.size()) return INFINITY;
  double largest = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    if (got[i].size() != exact[i].size()) return INFINITY;
    for (std::size_t k = 0; k < got[i].size(); ++k) {
      if (std::isinf(exact[i][k].size)) return INFINITY;
      largest = std::max(largest, errorInBounds(got[i][k], exact[i][k]));
    }
  }
  return largest;
}

}  // namespace adjoint::testing

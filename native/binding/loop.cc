#include "ops/loop.h"

#include "binding/handles.h"
#include "binding/values.h"
#include "transform/transform.h"

namespace adjoint::binding {
namespace {

/// Most steps of one loop.
constexpr std::int64_t kMaxSteps = (std::int64_t{1} << 31) - 1;
constexpr std::int64_t kMaxBytes = std::int64_t{1} << 53;

/// What JavaScript says about a loop: integers in the order that lib/native.ts gives.
class Reader {
 public:
  explicit Reader(const std::vector<std::int64_t>& numbers) : numbers_(numbers) {}

  std::int64_t number(const char* what, std::int64_t high) {
    if (next_ == numbers_.size()) throw Error(ErrorCode::Argument, "loop: too few numbers");
    const std::int64_t value = numbers_[next_++];
    if (value < 0 || value > high) {
      throw Error(ErrorCode::Argument, std::string("loop: ") + what +
                                           " is a whole number from 0 to " + std::to_string(high) +
                                           ", got " + std::to_string(value));
    }
    return value;
  }
  std::size_t count(const char* what) {
    return static_cast<std::size_t>(number(what, static_cast<std::int64_t>(kMaxList)));
  }
  bool flag(const char* what) { return number(what, 1) != 0; }
  void end() const {
    if (next_ != numbers_.size()) throw Error(ErrorCode::Argument, "loop: too many numbers");
  }

 private:
  const std::vector<std::int64_t>& numbers_;
  std::size_t next_ = 0;
};

struct Loop {
  LoopAttributes attributes;
  std::size_t unread = 0;
};

Loop readLoop(const std::vector<std::int64_t>& numbers, const Tape& step) {
  Reader reader(numbers);
  Loop loop;
  LoopAttributes& a = loop.attributes;
  a.length = reader.number("length", kMaxSteps);
  a.carries = reader.count("carries");
  a.streams = reader.count("streams");
  loop.unread = reader.count("unread");
  a.trips =
      static_cast<LoopTrips>(reader.number("trips", static_cast<std::int64_t>(LoopTrips::Counted)));
  a.reverse = reader.flag("reverse");
  a.indexed = reader.flag("indexed");
  a.checkpoints.policy = static_cast<CheckpointPolicy>(
      reader.number("policy", static_cast<std::int64_t>(CheckpointPolicy::Multistage)));
  a.checkpoints.slots = reader.number("slots", kMaxSteps);
  a.checkpoints.diskSlots = reader.number("diskSlots", kMaxSteps);
  a.checkpoints.bytes = reader.number("bytes", kMaxBytes);
  reader.end();
  const std::size_t given = a.carries + a.streams + (a.indexed ? 1 : 0);
  if (loop.unread > a.carries || a.carries > step.outputs().size() ||
      step.inputs().size() + loop.unread < given)
    throw Error(ErrorCode::Argument, "loop: the step does not fit the loop's operands");
  a.constants = step.inputs().size() + loop.unread - given;
  return loop;
}

/// The step with its inputs as a loop wants them. Those of `step` are in the order in which a body
/// is traced, where constants are found last; and carries it never reads are missing. Nodes keep
/// their origins: they are of the body that was traced.
TapePtr ordered(const Tape& step, const Loop& loop) {
  Builder builder;
  const std::size_t constants = loop.attributes.constants;
  const std::size_t given = step.inputs().size() - constants;
  std::vector<NodeId> arguments(step.inputs().size());
  const auto addInput = [&](std::size_t i) {
    const Port& port = step.inputs()[i];
    arguments[i] = builder.input(port.name, step.shape(port.node), step.node(port.node).dtype);
  };
  for (std::size_t i = given; i < arguments.size(); ++i) addInput(i);
  for (std::size_t k = 0; k < loop.unread; ++k) {
    const Port& port = step.outputs()[k];
    builder.input(port.name, step.shape(port.node), step.node(port.node).dtype);
  }
  for (std::size_t i = 0; i < given; ++i) addInput(i);
  const std::vector<NodeId> nodes = inlineTape(builder, step, arguments, true);
  std::vector<Port> outputs;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    outputs.push_back({step.outputs()[i].name, nodes[i]});
  return builder.finish(std::move(outputs));
}

}  // namespace

napi_value loop(Call& call) {
  const std::string name = readText(call.env, call.arguments[0], "name");
  const std::vector<std::int64_t> numbers = readIntegers(call.env, call.arguments[2], "numbers");
  const std::string directory = readText(call.env, call.arguments[3], "directory");
  const std::vector<NodeId> operands = readNodes(call.env, call.arguments[4], "operands");
  const TapePtr step = tapeOf(call, call.arguments[1], "step");
  BuilderHandle& handle = builderHandleOf(call);
  handle.checkNodes(operands);
  const Loop found = readLoop(numbers, *step);
  const auto rule = std::make_shared<const CustomRule>(
      CustomRule{name, ordered(*step, found), nullptr, nullptr, nullptr, {}, directory});
  // The loop's node is there even where one of its results is refused.
  handle.hasFunctions = true;
  const std::vector<NodeId> items = appendLoop(*handle.builder, rule, found.attributes, operands);
  handle.grown();
  return makeNumbers(call.env, items);
}

}  // namespace adjoint::binding

// Loops whose carries are kept by checkpoints, under every policy: the bits of those that keep all.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "checkpoint/binomial.h"
#include "exec/loop.h"
#include "exec_reference.h"
#include "ops/build.h"
#include "plan/loops.h"
#include "test/support/allocations.h"
#include "test/support/loops.h"
#include "test/support/numbers.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;
namespace fs = std::filesystem;

constexpr Checkpoints kAll{CheckpointPolicy::All};

Checkpoints revolve(std::int64_t slots) { return {CheckpointPolicy::Revolve, slots}; }
Checkpoints multistage(std::int64_t slots, std::int64_t diskSlots) {
  return {CheckpointPolicy::Multistage, slots, diskSlots};
}

std::vector<Checkpoints> policies() {
  std::vector<Checkpoints> result = {{CheckpointPolicy::Sqrt}, {}};
  for (const std::int64_t k : {1, 2, 3, 7, 64, 1'000'000})
    result.push_back({CheckpointPolicy::Every, k});
  for (std::int64_t slots = 1; slots <= 20; ++slots) result.push_back(revolve(slots));
  for (const std::int64_t slots : {1, 2, 3, 5, 10, 1000})
    result.push_back({CheckpointPolicy::Online, slots});
  for (const auto& [memory, disk] : {std::pair{0, 1}, {1, 1}, {2, 3}, {5, 0}, {1, 20}})
    result.push_back(multistage(memory, disk));
  for (const std::int64_t bytes : {1, 64, 192, 1000, 4096})
    result.push_back({CheckpointPolicy::Auto, 0, 0, bytes});
  return result;
}

std::string nameOf(const Checkpoints& c) {
  return "policy " + std::to_string(static_cast<int>(c.policy)) + ", " + std::to_string(c.slots) +
         " slots, " + std::to_string(c.diskSlots) + " on disk, " + std::to_string(c.bytes) +
         " bytes";
}

/// A directory for files, which must be empty in the end.
class Sweeps : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "adjoint-sweep-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
  }
  void TearDown() override {
    expectEmpty();
    fs::remove_all(folder);
  }
  void expectEmpty() const { EXPECT_TRUE(fs::is_empty(folder)) << "something is left"; }

  std::string folder;
};

/// How two loops go, one after the other.
struct Form {
  LoopTrips trips = LoopTrips::Fixed;
  std::int64_t length = 0;
  bool reverse = false;
  std::int64_t cells = 3;
};

/// x <- c sin(x) + u[i], then over its carries backwards bar <- c bar cos(x) + i/8, and the sum of
/// all bar x. Inputs: c, x, u, and the number of steps where it is not fixed.
StepOutputs pairOn(Builder& builder, const Form& form, const Checkpoints& checkpoints,
                   const std::string& folder, const std::string& prefix = "") {
  const Expr c{&builder, builder.input(prefix + "c", {})};
  const Expr x{&builder, builder.input(prefix + "x", {form.cells})};
  const Expr u{&builder, builder.input(prefix + "u", {form.length, form.cells})};
  const bool isFixed = form.trips == LoopTrips::Fixed, isWhile = form.trips == LoopTrips::While;
  const Expr count{&builder, isFixed ? kNoNode : builder.input(prefix + "count", {})};

  LoopAttributes first = loopOf(form.length, 1, isWhile ? 3 : 1, 1);
  first.trips = form.trips;
  first.reverse = form.reverse;
  first.checkpoints = checkpoints;
  std::vector<Expr> operands = {c, x, u};
  if (isWhile) operands = {c, apply(Op::Greater, {count, constant(count, 0)}), count, x, u};
  if (form.trips == LoopTrips::Counted) operands.push_back(count);
  const auto items = loop(
      first, operands,
      [&](const StepInputs& in) {
        const Expr old = in[isWhile ? 3 : 1];
        const Expr next = in[0] * sin(old) + in.back();
        if (!isWhile) return StepOutputs{next, old};
        const Expr left = in[2] - 1.0;
        return StepOutputs{apply(Op::Greater, {left, constant(left, 0)}), left, next, old};
      },
      folder);

  LoopAttributes second = loopOf(form.length, 1, 2, 1);
  second.trips = isFixed ? LoopTrips::Fixed : LoopTrips::Counted;
  second.reverse = !form.reverse;
  second.indexed = true;
  operands = {c, full(x, 1), constant(c, 0), items[isWhile ? 3 : 1]};
  if (!isFixed) operands.push_back(isWhile ? items.back() : count);
  const auto bars = loop(second, operands, [](const StepInputs& in) {
    const Expr bar = in[0] * in[1] * cos(in[3]) + in[4] * 0.125;
    return StepOutputs{bar, in[2] + sum(in[1] * in[3], {0}), in[1]};
  });
  StepOutputs results = {items[isWhile ? 2 : 0], bars[0], bars[1]};
  // Where fewer steps are taken than there may be, the other rows hold anything.
  if (isFixed) results.push_back(bars[2]);
  return results;
}

TapePtr finished(Builder& builder, const StepOutputs& outputs) {
  std::vector<Port> ports;
  for (const Expr& output : outputs)
    ports.push_back({"y" + std::to_string(ports.size()), output.id});
  return builder.finish(std::move(ports));
}

TapePtr pair(const Form& form, const Checkpoints& checkpoints, const std::string& folder) {
  Builder builder;
  return finished(builder, pairOn(builder, form, checkpoints, folder));
}

Arrays inputsOf(const Form& form, std::int64_t count) {
  Arrays inputs = {{0.75}, numbers(form.cells), numbers(form.length * form.cells)};
  if (form.trips != LoopTrips::Fixed) inputs.push_back({static_cast<double>(count)});
  return inputs;
}

std::vector<std::int64_t> lengths() {
  std::vector<std::int64_t> result = {0, 1, 2, 3, 7, 64, 65, 200};
  if (!isInstrumented()) result.push_back(1000);
  return result;
}

TEST_F(Sweeps, OfFixedLengthGiveTheBitsOfAll) {
  for (const bool reverse : {false, true}) {
    for (const std::int64_t length : lengths()) {
      const Form form{LoopTrips::Fixed, length, reverse};
      const Arrays inputs = inputsOf(form, 0);
      const TapePtr all = pair(form, kAll, folder);
      const Arrays expected = evaluate(all, inputs);
      if (length <= 65) {
        EXPECT_TRUE(identical(expected, run(all, inputs))) << length;
      }
      for (const Checkpoints& checkpoints : policies()) {
        Evaluator evaluator(pair(form, checkpoints, folder));
        ASSERT_TRUE(identical(evaluator(inputs), expected))
            << nameOf(checkpoints) << ", length " << length << (reverse ? ", reverse" : "");
      }
    }
  }
}

/// Of a loop that ends by its condition, or by a number, before all the steps there may be.
TEST_F(Sweeps, OfAnyNumberOfStepsGiveTheBitsOfAll) {
  for (const LoopTrips trips : {LoopTrips::While, LoopTrips::Counted}) {
    for (const bool reverse : {false, true}) {
      // Nobody knows which row would be the last one's.
      if (reverse && trips == LoopTrips::While) continue;
      const Form form{trips, lengths().back(), reverse};
      Evaluator all(pair(form, kAll, folder));
      for (const Checkpoints& checkpoints : policies()) {
        SCOPED_TRACE(nameOf(checkpoints));
        Evaluator evaluator(pair(form, checkpoints, folder));
        for (const std::int64_t count : lengths()) {
          const Arrays inputs = inputsOf(form, count);
          ASSERT_TRUE(identical(evaluator(inputs), all(inputs)))
              << count << " steps" << (reverse ? ", reverse" : "");
        }
        // More steps than there may be; then as before.
        Arrays outputs;
        const RunStatus status = evaluator.tryRun(inputsOf(form, form.length + 1), outputs);
        EXPECT_FALSE(status.ok);
        EXPECT_EQ(status.code, ErrorCode::Limit);
        const Arrays inputs = inputsOf(form, 3);
        ASSERT_TRUE(identical(evaluator(inputs), all(inputs)));
      }
    }
  }
}

/// The rows of carries that are worked on are few where they are long.
TEST_F(Sweeps, LongCarries) {
  for (const std::int64_t cells : {1, 8, 31, 32, 500, 681, 682, 683, 1000, 1024, 2048, 5000}) {
    const Form form{LoopTrips::Fixed, 20, false, cells};
    const Arrays inputs = inputsOf(form, 0);
    const Arrays expected = evaluate(pair(form, kAll, folder), inputs);
    for (const Checkpoints& checkpoints :
         {revolve(1), revolve(4), multistage(1, 2), Checkpoints{CheckpointPolicy::Every, 4}})
      EXPECT_TRUE(identical(evaluate(pair(form, checkpoints, folder), inputs), expected))
          << cells << ", " << nameOf(checkpoints);
  }
}

/// Numbers of slots and bytes that no machine has are as many as can be of use.
TEST_F(Sweeps, HugeNumbersOfSlots) {
  const std::int64_t huge = std::int64_t{1} << 53;
  for (const LoopTrips trips : {LoopTrips::Fixed, LoopTrips::While, LoopTrips::Counted}) {
    const Form form{trips, 50};
    const Arrays inputs = inputsOf(form, 40);
    const Arrays expected = evaluate(pair(form, kAll, folder), inputs);
    for (const Checkpoints& checkpoints :
         {revolve(huge), multistage(huge, huge), multistage(1, huge), multistage(huge, 0),
          Checkpoints{CheckpointPolicy::Online, huge}, Checkpoints{CheckpointPolicy::Every, huge},
          Checkpoints{CheckpointPolicy::Auto, 0, 0, std::numeric_limits<std::int64_t>::max()}}) {
      Evaluator evaluator(pair(form, checkpoints, folder));
      EXPECT_TRUE(identical(evaluator(inputs), expected)) << nameOf(checkpoints);
      EXPECT_LT(evaluator.plan().tempDoubles, 4000) << nameOf(checkpoints);
    }
  }
}

TEST(ChooseCheckpoints, KeepsWithinItsBytes) {
  for (const LoopTrips trips : {LoopTrips::Fixed, LoopTrips::While, LoopTrips::Counted}) {
    for (const std::int64_t length : {0, 1, 2, 3, 10, 1000, 1'000'000}) {
      for (const std::int64_t row : {8, 16, 1000}) {
        for (const std::int64_t rows : {2, 3, 10, 1001, 1'000'001}) {
          const std::int64_t bytes = rows * row * 8;
          const Checkpoints chosen =
              chooseCheckpoints({CheckpointPolicy::Auto, 0, 0, bytes}, trips, length, row);
          EXPECT_LE(storageRows(chosen, length), std::max<std::int64_t>(rows, 2));
          EXPECT_EQ(chosen.policy == CheckpointPolicy::All, length < rows);
        }
      }
    }
  }
}

/// Several pairs in one plan, the reverse loops in any order.
TEST_F(Sweeps, SeveralPairsKeepTheirOwn) {
  const auto make = [&](const std::vector<Checkpoints>& checkpoints) {
    Builder builder;
    StepOutputs outputs;
    for (std::size_t i = 0; i < checkpoints.size(); ++i) {
      const Form form{LoopTrips::Fixed, 20 + 7 * static_cast<std::int64_t>(i), i % 2 == 1, 2};
      const StepOutputs results =
          pairOn(builder, form, checkpoints[i], folder, std::string(1, static_cast<char>('a' + i)));
      outputs.insert(outputs.end(), results.begin(), results.end());
    }
    return finished(builder, outputs);
  };
  // The vjp of loops one after the other goes through them backwards: reversals within each other.
  const auto chain = [&](const std::vector<Checkpoints>& checkpoints) {
    Builder builder;
    Expr x{&builder, builder.input("x", {3})};
    for (std::size_t i = 0; i < checkpoints.size(); ++i) {
      LoopAttributes attributes = loopOf(15 + 4 * static_cast<std::int64_t>(i), 0, 1);
      attributes.checkpoints = checkpoints[i];
      const double factor = 1.25 + 0.125 * static_cast<double>(i);
      x = loop(
          attributes, {x}, [&](const StepInputs& in) { return StepOutputs{sin(in[0]) * factor}; },
          folder)[0];
    }
    const TapePtr tape = builder.finish({{"y", x.id}});
    return vjp(tape, allInputs(*tape));
  };
  const std::vector<Checkpoints> alike(4, revolve(3)), all(4, kAll);
  const std::vector<Checkpoints> mixed = {
      multistage(1, 2), revolve(2), {CheckpointPolicy::Every, 4}, multistage(2, 2)};
  for (const auto& tapeOf : {std::function(make), std::function(chain)}) {
    const TapePtr tape = tapeOf(all);
    Arrays inputs;
    for (const Port& port : tape->inputs()) inputs.push_back(numbers(tape->count(port.node)));
    const Arrays expected = evaluate(tape, inputs);
    EXPECT_TRUE(identical(evaluate(tapeOf(alike), inputs), expected));
    EXPECT_TRUE(identical(evaluate(tapeOf(mixed), inputs), expected));
  }
}

/// Loops within loops, each reversed by a schedule of its own.
TEST_F(Sweeps, WithinSweeps) {
  const auto make = [&](const std::vector<Checkpoints>& levels) {
    Builder builder;
    const Expr a{&builder, builder.input("a", {})};
    const Expr x{&builder, builder.input("x", {2})};
    const std::function<Expr(Expr, Expr, std::size_t)> nest = [&](Expr c, Expr y,
                                                                  std::size_t level) {
      if (level == levels.size()) return sin(c * y) * 1.5;
      LoopAttributes attributes = loopOf(7 + static_cast<std::int64_t>(level), 1, 1);
      attributes.checkpoints = levels[level];
      return loop(
          attributes, {c, y},
          [&](const StepInputs& in) {
            return StepOutputs{nest(in[0] * 1.125, in[1], level + 1) + in[1] * 0.25};
          },
          folder)[0];
    };
    const TapePtr tape = builder.finish({{"y", nest(a, x, 0).id}});
    return vjp(tape, allInputs(*tape));
  };
  const Arrays inputs = {{0.75}, {0.5, -1.25}, {1, 0.5}};
  const Arrays expected = evaluate(make({kAll, kAll, kAll}), inputs);
  std::vector<Checkpoints> some = {
      revolve(1), revolve(2), {CheckpointPolicy::Sqrt}, multistage(1, 2)};
  if (isInstrumented()) some.erase(some.begin());
  for (const Checkpoints& outer : some) {
    for (const Checkpoints& middle : some) {
      for (const Checkpoints& inner : some) {
        EXPECT_TRUE(identical(evaluate(make({outer, middle, inner}), inputs), expected))
            << nameOf(outer) << "; " << nameOf(middle) << "; " << nameOf(inner);
      }
    }
  }
}

/// Derivatives of derivatives are pairs again.
TEST_F(Sweeps, OfSecondDerivatives) {
  const auto make = [&](const Checkpoints& checkpoints) {
    Builder builder;
    const Expr r{&builder, builder.input("r", {})};
    const Expr x{&builder, builder.input("x", {2})};
    LoopAttributes attributes = loopOf(30, 1, 1);
    attributes.checkpoints = checkpoints;
    const auto items = loop(
        attributes, {r, x},
        [](const StepInputs& in) { return StepOutputs{in[0] * in[1] * (1.0 - in[1])}; }, folder);
    return builder.finish({{"y", sum(items[0], {0}).id}});
  };
  const std::vector<std::function<TapePtr(const TapePtr&)>> transforms = {
      [](const TapePtr& t) { return vjp(t, allInputs(*t)); },
      [](const TapePtr& t) {
        const TapePtr first = vjp(t, allInputs(*t));
        return jvp(first, allInputs(*first));
      },
      [](const TapePtr& t) {
        const TapePtr first = vjp(t, allInputs(*t));
        return vjp(first, allInputs(*first));
      },
      [](const TapePtr& t) {
        const TapePtr first = vjp(t, allInputs(*t));
        return vmap(first, 3, std::vector<bool>(first->inputs().size(), true));
      }};
  for (const auto& transform : transforms) {
    const TapePtr tape = transform(make(kAll));
    Arrays inputs;
    for (const Port& port : tape->inputs()) {
      inputs.push_back(numbers(tape->count(port.node)));
      for (double& value : inputs.back()) value = 0.5 + value / 4;
    }
    const Arrays expected = evaluate(tape, inputs);
    for (const Checkpoints& checkpoints : {revolve(1), revolve(4), multistage(1, 3)})
      EXPECT_TRUE(identical(evaluate(transform(make(checkpoints)), inputs), expected))
          << nameOf(checkpoints);
  }
}

TEST_F(Sweeps, WithoutCarriesOrElements) {
  for (const std::int64_t cells : {0, 2}) {
    for (const std::size_t carries : {0, 1, 2}) {
      const auto make = [&](const Checkpoints& checkpoints) {
        Builder builder;
        std::vector<Expr> operands = {{&builder, builder.input("c", {cells})}};
        for (std::size_t k = 0; k < carries; ++k)
          operands.push_back({&builder, builder.input("x" + std::to_string(k), {cells})});
        operands.push_back({&builder, builder.input("u", {9, cells})});
        LoopAttributes attributes = loopOf(9, 1, carries, 1);
        attributes.checkpoints = checkpoints;
        const auto items = loop(
            attributes, operands,
            [&](const StepInputs& in) {
              StepOutputs outputs;
              for (std::size_t k = 0; k < carries; ++k)
                outputs.push_back(sin(in[1 + k]) * in[0] + in.back());
              outputs.push_back(exp(in[0] * in.back()));
              return outputs;
            },
            folder);
        const TapePtr tape = finished(builder, items);
        return vjp(tape, allInputs(*tape));
      };
      const TapePtr all = make(kAll);
      Arrays inputs;
      for (const Port& port : all->inputs()) inputs.push_back(numbers(all->count(port.node)));
      const Arrays expected = evaluate(all, inputs);
      for (const Checkpoints& checkpoints : policies())
        ASSERT_TRUE(identical(evaluate(make(checkpoints), inputs), expected))
            << nameOf(checkpoints) << ", " << cells << " cells, " << carries << " carries";
    }
  }
}

/// A step that reads x at an index of the row, and fails where that is none: in the first loop,
/// or in the second.
TapePtr failing(const Checkpoints& checkpoints, const std::string& folder) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {4})};
  const Expr forward{&builder, builder.input("forward", {50, 1})};
  const Expr backward{&builder, builder.input("backward", {50, 1})};
  LoopAttributes attributes = loopOf(50, 0, 1, 1);
  attributes.checkpoints = checkpoints;
  const auto items = loop(
      attributes, {x, forward},
      [](const StepInputs& in) {
        const Expr read = broadcastTo(gather(in[0], in[1], 0), {4});
        return StepOutputs{sin(in[0]) + read * 0.5, in[0]};
      },
      folder);
  attributes = loopOf(50, 0, 1, 2);
  attributes.reverse = true;
  const auto bars = loop(attributes, {x, items[1], backward}, [](const StepInputs& in) {
    const Expr read = broadcastTo(gather(in[1], in[2], 0), {4});
    return StepOutputs{in[0] * cos(in[1]) + read};
  });
  return builder.finish({{"x", items[0].id}, {"bar", bars[0].id}});
}

TEST_F(Sweeps, RunAgainAfterAFailure) {
  Arrays inputs = {numbers(4), Values(50), Values(50)};
  for (std::size_t i = 0; i < 50; ++i) {
    inputs[1][i] = static_cast<double>(i % 4);
    inputs[2][i] = static_cast<double>((i + 1) % 4);
  }
  const Arrays expected = evaluate(failing(kAll, folder), inputs);
  for (const Checkpoints& checkpoints : policies()) {
    SCOPED_TRACE(nameOf(checkpoints));
    Evaluator evaluator(failing(checkpoints, folder));
    for (const std::size_t loopInput : {1, 2}) {
      for (const std::size_t step : {0, 1, 20, 48, 49}) {
        Arrays wrong = inputs;
        wrong[loopInput][step] = 4;
        Arrays outputs;
        const RunStatus status = evaluator.tryRun(wrong, outputs);
        ASSERT_FALSE(status.ok);
        EXPECT_EQ(status.code, ErrorCode::Index);
        EXPECT_EQ(status.value, 4);
        EXPECT_EQ(status.step, static_cast<std::int64_t>(step));
        expectEmpty();
        ASSERT_TRUE(identical(evaluator(inputs), expected)) << step;
      }
    }
  }
}

/// Memory for runs of an executable.
class Memory {
 public:
  explicit Memory(const Executable& executable)
      : executable_(executable),
        io_(static_cast<std::size_t>(executable.plan().ioDoubles)),
        workspace_(static_cast<std::size_t>(executable.workspaceDoubles())) {}

  RunStatus run(const Arrays& inputs, Arrays& outputs, RunControl* control = nullptr) {
    const Plan& plan = executable_.plan();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      std::ranges::copy(inputs[i], io_.data() + plan.buffers[plan.inputs[i].buffer].offset);
    }
    const long before = allocations();
    const RunStatus status = executable_.run(io_.data(), workspace_.data(), control);
    allocated = allocations() - before;
    outputs.clear();
    for (const IoPort& port : plan.outputs) {
      const Buffer& buffer = plan.buffers[port.buffer];
      outputs.emplace_back(io_.data() + buffer.offset,
                           io_.data() + buffer.offset + buffer.elements);
    }
    return status;
  }
  std::vector<double> measure() {
    std::vector<double> seconds;
    EXPECT_TRUE(executable_.measure(io_.data(), workspace_.data(), seconds).ok);
    return seconds;
  }

  long allocated = 0;  ///< how often, by the last run, where no other thread was running

 private:
  const Executable& executable_;
  Aligned io_, workspace_;
};

TEST_F(Sweeps, RunOnTwoThreadsAtOnce) {
  const Form form{LoopTrips::Fixed, 65};
  const Arrays inputs = inputsOf(form, 0);
  const Arrays expected = evaluate(pair(form, kAll, folder), inputs);
  for (const Checkpoints& checkpoints :
       {revolve(3), multistage(1, 4), Checkpoints{CheckpointPolicy::Every, 8}}) {
    const auto executable = makeExecutable(makePlan(pair(form, checkpoints, folder)));
    int wrong[2] = {};
    const auto work = [&](int& failures) {
      Memory memory(*executable);
      Arrays outputs;
      for (int i = 0; i < 100; ++i)
        failures += !memory.run(inputs, outputs).ok || !identical(outputs, expected);
    };
    std::thread other([&] { work(wrong[1]); });
    work(wrong[0]);
    other.join();
    EXPECT_EQ(wrong[0] + wrong[1], 0) << nameOf(checkpoints);
  }
}

/// A run that is canceled leaves nothing behind.
TEST_F(Sweeps, EndWhenCanceled) {
  const Form form{LoopTrips::Fixed, 5000};
  const auto executable = makeExecutable(makePlan(pair(form, multistage(1, 2), folder)));
  Memory memory(*executable);
  Arrays outputs;
  RunControl control;
  control.cancel = true;
  const RunStatus status = memory.run(inputsOf(form, 0), outputs, &control);
  EXPECT_FALSE(status.ok);
  EXPECT_EQ(status.code, ErrorCode::Abort);
}

TEST_F(Sweeps, AllocateByTheRunAndNotByTheStep) {
  for (const Checkpoints& checkpoints :
       {revolve(10), multistage(1, 4), Checkpoints{CheckpointPolicy::Online, 10},
        Checkpoints{CheckpointPolicy::Every, 10}}) {
    for (const LoopTrips trips : {LoopTrips::Fixed, LoopTrips::While, LoopTrips::Counted}) {
      const Form form{trips, 2000};
      const auto executable = makeExecutable(makePlan(pair(form, checkpoints, folder)));
      Memory memory(*executable);
      Arrays outputs;
      ASSERT_TRUE(memory.run(inputsOf(form, 2000), outputs).ok);
      EXPECT_LT(memory.allocated, 150) << nameOf(checkpoints);
    }
  }
}

/// Another executable, whose runs are counted.
class Counted final : public Executable {
 public:
  explicit Counted(std::shared_ptr<const Plan> plan) : inner_(makeExecutable(std::move(plan))) {}

  std::int64_t workspaceDoubles(unsigned threads) const override {
    return inner_->workspaceDoubles(threads);
  }
  RunStatus run(double* io, double* workspace, RunControl* control) const noexcept override {
    return inner_->run(io, workspace, control);
  }
  RunStatus runStep(const StepRows& rows, double* workspace,
                    RunControl* control) const noexcept override {
    ++runs;
    return inner_->runStep(rows, workspace, control);
  }
  const Plan& plan() const override { return inner_->plan(); }
  std::size_t segments() const override { return inner_->segments(); }
  const char* obstacle() const override { return inner_->obstacle(); }
  std::vector<StepCost> costs() const override { return inner_->costs(); }
  RunStatus measure(double* io, double* workspace, std::vector<double>& seconds) const override {
    return inner_->measure(io, workspace, seconds);
  }
  std::size_t bytes() const override { return inner_->bytes(); }

  mutable std::int64_t runs = 0;

 private:
  std::shared_ptr<const Executable> inner_;
};

/// The two loops of a plan, alone, and how often they take a step forward and one back.
std::pair<std::int64_t, std::int64_t> stepsOf(const Plan& plan) {
  std::vector<const LoopStep*> loops;
  for (const Step& step : plan.steps) {
    if (const auto* loop = std::get_if<LoopStep>(&step)) loops.push_back(loop);
  }
  EXPECT_EQ(loops.size(), 2u);
  const auto body = std::make_shared<const Counted>(loops[0]->body);
  const auto again = std::make_shared<const Counted>(loops[1]->replay->loop->body);
  const auto back = std::make_shared<const Counted>(loops[1]->body);
  const exec::LoopProgram first(plan, *loops[0], body, nullptr, 0);
  const exec::LoopProgram second(plan, *loops[1], back, again, 0);
  Aligned io(static_cast<std::size_t>(plan.ioDoubles), 0.5);
  Aligned memory(static_cast<std::size_t>(plan.tempDoubles));
  Aligned scratch(static_cast<std::size_t>(std::max(first.scratch(), second.scratch())));
  exec::Sweep* sweep = nullptr;
  RunStatus status;
  exec::RunContext context;
  std::ranges::fill(context.base, io.data());
  context.base[static_cast<int>(Base::Io)] = io.data();
  context.base[static_cast<int>(Base::Temp)] = memory.data();
  context.base[static_cast<int>(Base::Constant)] = const_cast<double*>(plan.constants.data());
  context.scratch = scratch.data();
  context.sweeps = &sweep;
  context.status = &status;
  EXPECT_TRUE(first.run(context) && second.run(context));
  delete sweep;
  return {body->runs + again->runs, back->runs};
}

/// No step is taken that the schedule does not ask for: t(l, s) of Algorithm 799, and the last one.
TEST_F(Sweeps, TakeTheStepsOfTheirSchedules) {
  for (const std::int64_t length : {1, 2, 65, 1000}) {
    for (const Checkpoints& checkpoints :
         {revolve(1), revolve(7), multistage(2, 3), Checkpoints{CheckpointPolicy::Every, 9}}) {
      const Form form{LoopTrips::Fixed, length};
      const auto plan = makePlan(pair(form, checkpoints, folder));
      const auto expected = checkpoint::counts(*scheduleOf(checkpoints, length));
      EXPECT_EQ(stepsOf(*plan),
                std::pair(expected.forwardSteps + expected.finalSteps, expected.reverseSteps))
          << nameOf(checkpoints) << ", length " << length;
    }
  }
  const std::int64_t length = isInstrumented() ? 10'000 : 1'000'000;
  const auto plan = makePlan(pair({LoopTrips::Fixed, length, false, 1}, revolve(32), folder));
  const auto [forward, back] = stepsOf(*plan);
  EXPECT_EQ(forward, checkpoint::fewestForwardSteps(length, 32) + 1);
  if (length == 1'000'000) {
    EXPECT_EQ(forward, 5'498'058 + 1);
  }
  EXPECT_EQ(back, length);
}

/// Steps that are machine code and nothing else, in rows of carries that are read and written in
/// their slots: the values and the derivatives of those that keep all.
TEST_F(Sweeps, ShortStepsInPlace) {
  constexpr std::int64_t kCells = 300;
  const auto gradientOf = [&](std::int64_t length, const Checkpoints& checkpoints) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {kCells})};
    LoopAttributes attributes = loopOf(length, 0, 2);
    attributes.checkpoints = checkpoints;
    const auto items = loop(
        attributes, {x, full(x, 0.5)},
        [&](const StepInputs& in) {
          const auto part = [](Expr u, std::int64_t start, std::int64_t count) {
            return slice(u, {{start, count, 1}});
          };
          const Expr u = in[0], v = in[1];
          const Expr left = concat({part(u, kCells - 1, 1), part(u, 0, kCells - 1)}, 0);
          const Expr right = place(part(v, 3, kCells - 3), {{0, kCells, 1}});
          return StepOutputs{u * 0.75 + left * left * 0.125 - right * v, v * 0.5 + u * left * 0.25};
        },
        folder);
    const std::vector<std::size_t> wrt = {0};
    return valueAndGrad(builder.finish({{"y", sum(items[0] * items[1], {0}).id}}), wrt);
  };
  for (const std::int64_t length : {1, 2, 23}) {
    const Arrays inputs = {numbers(kCells)};
    const Arrays expected = evaluate(gradientOf(length, kAll), inputs);
    for (const Checkpoints& checkpoints : policies()) {
      EXPECT_TRUE(identical(evaluate(gradientOf(length, checkpoints), inputs), expected))
          << nameOf(checkpoints) << ", length " << length;
    }
  }
}

/// The carries of the step at hand stand in their row; none is copied.
TEST_F(Sweeps, KeptRowsAreReadInPlace) {
  const auto plan = makePlan(pair({LoopTrips::Fixed, 30}, revolve(3), folder));
  int replays = 0;
  for (const Step& step : plan->steps) {
    const auto* loop = std::get_if<LoopStep>(&step);
    if (loop == nullptr || !loop->replay) continue;
    ++replays;
    EXPECT_GE(loop->body->keptDoubles, loop->replay->loop->row);
    EXPECT_TRUE(std::ranges::any_of(
        loop->body->buffers, [](const Buffer& buffer) { return buffer.base == Base::Kept; }));
  }
  EXPECT_EQ(replays, 1);
}

TEST_F(Sweeps, CanBeMeasured) {
  for (const Checkpoints& checkpoints : {kAll, revolve(3), multistage(1, 3)}) {
    const Form form{LoopTrips::Fixed, 30};
    const auto executable = makeExecutable(makePlan(pair(form, checkpoints, folder)));
    EXPECT_GT(Memory(*executable).measure().back(), 0) << nameOf(checkpoints);
  }
}

/// Where no file can be written, the run fails; nothing else does.
TEST_F(Sweeps, WithoutADirectoryFail) {
  const Form form{LoopTrips::Fixed, 30};
  Evaluator evaluator(pair(form, multistage(1, 3), folder + "/none"));
  Arrays outputs;
  const RunStatus status = evaluator.tryRun(inputsOf(form, 0), outputs);
  EXPECT_FALSE(status.ok);
  EXPECT_EQ(status.code, ErrorCode::Data);
  fs::create_directory(folder + "/none");
  EXPECT_TRUE(evaluator.tryRun(inputsOf(form, 0), outputs).ok);
  fs::remove(folder + "/none");
}

}  // namespace
}  // namespace adjoint::testing

// What machine code asks for on its way, and when it does.
#include "exec/line_queue.h"

#include <gtest/gtest.h>

#include <set>

#include "exec/lanes.h"

namespace adjoint::exec {
namespace {

class LineQueues : public ::testing::TestWithParam<InstructionSet> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LineQueues);
INSTANTIATE_TEST_SUITE_P(, LineQueues, ::testing::ValuesIn(instructionSets()),
                         [](const auto& info) { return std::string(nameOf(info.param)); });

/// A chain of additions.
Code chain(int length) {
  Code code;
  CodeWriter writer(code);
  const std::uint32_t x = writer.read(Micro::Load, {0, true, 0});
  std::uint32_t sum = x;
  for (int i = 0; i < length; ++i) sum = writer.add(Micro::Add, sum, x);
  writer.store({1, true, 0}, sum);
  return code;
}

TEST_P(LineQueues, TheLongestCodeAsksForEveryLineOnce) {
  constexpr std::int64_t kAt = 40, kLanes = 48, kRows = 3;
  JitBuilder builder(GetParam());
  const std::uint32_t numbers[] = {builder.add(chain(100)), builder.add(chain(900)),
                                   builder.add(chain(901)), builder.add(chain(300))};
  ASSERT_TRUE(askOnTheWay(builder, {{{numbers[0]}, 5}, {{numbers[1], numbers[2]}, 6}},
                          {kLanes, kRows}, kAt));
  EXPECT_TRUE(builder.codes()[numbers[0]].asked.empty());
  EXPECT_TRUE(builder.codes()[numbers[3]].asked.empty());
  const int lanes = lanesOf(GetParam());
  for (const std::uint32_t number : {numbers[1], numbers[2]}) {
    const Code& code = builder.codes()[number];
    std::multiset<std::int64_t> places;
    for (std::int64_t done = 0; done < kLanes; done += lanes) {
      for (const std::uint32_t address : code.asked) {
        const MemoryOperand& m = code.memory[address];
        EXPECT_EQ(m.slot, 6u);
        EXPECT_TRUE(m.isIndexed);
        places.insert(m.offset / 8 + done);
      }
    }
    ASSERT_EQ(places.size(), static_cast<std::size_t>(kLanes * kRows));
    EXPECT_EQ(*places.begin(), kAt);
    EXPECT_EQ(*places.rbegin(), kAt + kLanes * kRows - 1);
    EXPECT_EQ(std::set(places.begin(), places.end()).size(), places.size());
  }
  EXPECT_NE(builder.finish(), nullptr);
}

TEST_P(LineQueues, ShortCodeDoesNot) {
  JitBuilder builder(GetParam());
  const std::uint32_t number = builder.add(chain(20));
  EXPECT_FALSE(askOnTheWay(builder, {{{number}, 0}}, {48, 3}, 0));
  EXPECT_TRUE(builder.codes()[number].asked.empty());
  EXPECT_FALSE(askOnTheWay(builder, {}, {48, 3}, 0));
}

TEST(LineQueue, HasRoomForWhatABlockTouches) {
  using Port = LaneStep::Port;
  const auto port = [](Port::Kind kind, std::int64_t rows, std::int64_t outer, std::int64_t inner) {
    Port port;
    port.kind = kind;
    port.rows = rows;
    port.outer = outer;
    port.inner = inner;
    return port;
  };
  LaneStep step;
  step.block = 48;
  step.lanes = 100'000;
  step.inputs = {port(Port::Kind::Mapped, 0, 1, 10), port(Port::Kind::Shared, 0, 1, 1000)};
  step.outputs = {port(Port::Kind::Mapped, 0, 2, 1)};
  EXPECT_EQ(lineQueueOf(step).lanes, 48);
  EXPECT_EQ(lineQueueOf(step).rows, 2);  // 60 + 2 times 6 lines
  step.inputs.push_back(port(Port::Kind::Gathered, 10, 1, 9));
  EXPECT_EQ(lineQueueOf(step).rows, 4);  // and two for every lane
  step.lanes = 1000;
  EXPECT_EQ(lineQueueOf(step).rows, 0);
}

}  // namespace
}  // namespace adjoint::exec

#include "exec/jit.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "exec/executor.h"
#include "exec_reference.h"

namespace adjoint::exec {
namespace {

/// Slot `to` = the square of slot `from`.
Code squareOf(std::uint32_t from, std::uint32_t to) {
  Code code;
  code.spillSlot = 2;
  CodeWriter writer(code);
  const std::uint32_t x = writer.read(Micro::Load, {from, true, 0});
  writer.store({to, true, 0}, writer.add(Micro::Mul, x, x));
  return code;
}

std::shared_ptr<const JitModule> moduleOf(std::initializer_list<Code> codes) {
  JitBuilder builder;
  for (const Code& code : codes) builder.add(code);
  return builder.finish();
}

TEST(Jit, EqualPlansShareAModule) {
  if (!JitBuilder::isAvailable()) GTEST_SKIP() << "no code generator for this processor";
  const auto first = moduleOf({squareOf(0, 1), squareOf(1, 2)});
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(moduleOf({squareOf(0, 1), squareOf(1, 2)}), first);
  EXPECT_NE(moduleOf({squareOf(0, 1), squareOf(0, 2)}), first);
  EXPECT_NE(first->function(0), first->function(1));
}

TEST(Jit, ComputesWholeVectors) {
  if (!JitBuilder::isAvailable()) GTEST_SKIP() << "no code generator for this processor";
  const auto module = moduleOf({squareOf(0, 1)});
  alignas(64) double x[24], y[24] = {};
  for (int i = 0; i < 24; ++i) x[i] = i;
  alignas(64) double spills[1024];
  double* const slots[] = {x, y, spills};
  module->function(0)(slots, 9);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(y[i], i * i);
  for (int i = 16; i < 24; ++i) EXPECT_EQ(y[i], 0);
}

TEST(Jit, OperationsOfMoreThanAFewInstructionsAreCalled) {
  EXPECT_FALSE(canLower(Op::Erf));
  EXPECT_TRUE(canLower(Op::Where));
}

/// More values alive than there are registers, each read twice, in an order that spills them.
TEST(Jit, ValuesThatFindNoRegisterAreKept) {
  if (!JitBuilder::isAvailable()) GTEST_SKIP() << "no code generator for this processor";
  for (const bool isScalar : {false, true}) {
    constexpr int kValues = 100;
    Code code;
    code.isScalar = isScalar;
    code.spillSlot = 2;
    CodeWriter writer(code);
    std::vector<std::uint32_t> values;
    std::uint32_t x = writer.read(Micro::Load, {0, !isScalar, 0});
    for (int i = 0; i < kValues; ++i)
      values.push_back(x = writer.add(Micro::Add, x, writer.constant(i % 7)));
    std::uint32_t sum = writer.constant(0.0);
    for (int i = 0; i < kValues; ++i)
      sum = writer.add(Micro::Fma, values[static_cast<std::size_t>(i * 37 % kValues)],
                       values[static_cast<std::size_t>(i)], sum);
    writer.store({1, !isScalar, 0}, sum);
    const std::int64_t doubles = code.spillDoubles(8);
    const auto module = moduleOf({code});
    ASSERT_NE(module, nullptr);
    alignas(64) double in[8], out[8];
    std::vector<double> spills(static_cast<std::size_t>(doubles));
    for (int i = 0; i < 8; ++i) in[i] = i + 0.25;
    double* const slots[] = {in, out, spills.data()};
    module->function(0)(slots, 8);
    for (int lane = 0; lane < (isScalar ? 1 : 8); ++lane) {
      double expected = 0, value[kValues], y = in[lane];
      for (int i = 0; i < kValues; ++i) value[i] = y = y + i % 7;
      for (int i = 0; i < kValues; ++i)
        expected = __builtin_fma(value[i * 37 % kValues], value[i], expected);
      EXPECT_EQ(out[lane], expected) << lane;
    }
  }
}

TEST(Jit, TheEnvironmentSwitchesItOff) {
  testing::PlanMaker maker;
  testing::KernelMaker k;
  k.k.extents = {100};
  const BufferId x = maker.io(100), y = maker.io(100);
  k.storeAll(y, k.op(Op::Square, k.loadAll(x)));
  maker.plan->steps = {k.k};
  const char* const setting = std::getenv("ADJOINT_JIT");
  const std::string before = setting == nullptr ? "" : setting;
  ::setenv("ADJOINT_JIT", "on", 1);
  const bool isPossible = JitBuilder::isAvailable();
  EXPECT_EQ(makeExecutable(maker.plan)->segments(), isPossible ? 1u : 0u);
  EXPECT_EQ(makeExecutable(maker.plan)->obstacle() == nullptr, isPossible);
  ::setenv("ADJOINT_JIT", "off", 1);
  const auto interpreted = makeExecutable(maker.plan);
  ::setenv("ADJOINT_JIT", before.c_str(), 1);
  EXPECT_EQ(interpreted->segments(), 0u);
  ASSERT_NE(interpreted->obstacle(), nullptr);
  if (isPossible) {
    EXPECT_STREQ(interpreted->obstacle(), "ADJOINT_JIT is off");
  }
}

}  // namespace
}  // namespace adjoint::exec

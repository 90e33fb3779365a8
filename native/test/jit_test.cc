#include "exec/jit.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "exec/executor.h"
#include "exec_reference.h"

namespace adjoint::exec {
namespace {

Segment squareOf(std::uint32_t from, std::uint32_t to) {
  Segment segment;
  segment.operations = {{Op::Square, 0, to, from, from, from, true}};
  segment.slots = {{from, SlotKind::Memory}, {to, SlotKind::Memory}};
  segment.padded = 24;
  return segment;
}

std::shared_ptr<const JitModule> moduleOf(std::initializer_list<Segment> segments) {
  JitBuilder builder;
  for (const Segment& segment : segments) builder.add(segment);
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
  double* const slots[] = {x, y};
  module->function(0)(slots, 9);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(y[i], i * i);
  for (int i = 16; i < 24; ++i) EXPECT_EQ(y[i], 0);
}

TEST(Jit, RefusesWhatItCannotGenerate) {
  Segment segment = squareOf(0, 1);
  segment.operations[0].op = Op::Exp;
  EXPECT_FALSE(canGenerate(Op::Exp));
  if (JitBuilder::isAvailable()) {
    EXPECT_EQ(moduleOf({segment}), nullptr);
  }
}

TEST(Jit, TheEnvironmentSwitchesItOff) {
  testing::PlanMaker maker;
  testing::KernelMaker k;
  k.k.extents = {100};
  const BufferId x = maker.io(100), y = maker.io(100);
  k.storeAll(y, k.op(Op::Square, k.loadAll(x)));
  maker.plan->steps = {k.k};
  EXPECT_EQ(makeExecutable(maker.plan)->segments(), JitBuilder::isAvailable() ? 1u : 0u);
  ::setenv("ADJOINT_JIT", "off", 1);
  EXPECT_EQ(makeExecutable(maker.plan)->segments(), 0u);
  ::unsetenv("ADJOINT_JIT");
}

}  // namespace
}  // namespace adjoint::exec

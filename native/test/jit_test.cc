#include "exec/jit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <optional>

#include "exec/abreast.h"
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

class Jit : public ::testing::TestWithParam<InstructionSet> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Jit);
INSTANTIATE_TEST_SUITE_P(, Jit, ::testing::ValuesIn(instructionSets()),
                         [](const auto& info) { return std::string(nameOf(info.param)); });

std::shared_ptr<const JitModule> moduleOf(InstructionSet set, std::initializer_list<Code> codes) {
  JitBuilder builder(set);
  for (const Code& code : codes) builder.add(code);
  return builder.finish();
}

TEST_P(Jit, EqualPlansShareAModule) {
  const auto first = moduleOf(GetParam(), {squareOf(0, 1), squareOf(1, 2)});
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(moduleOf(GetParam(), {squareOf(0, 1), squareOf(1, 2)}), first);
  EXPECT_NE(moduleOf(GetParam(), {squareOf(0, 1), squareOf(0, 2)}), first);
  EXPECT_NE(first->function(0), first->function(1));
}

TEST_P(Jit, ComputesWholeVectors) {
  const auto module = moduleOf(GetParam(), {squareOf(0, 1)});
  alignas(64) double x[24], y[24] = {};
  for (int i = 0; i < 24; ++i) x[i] = i;
  alignas(64) double spills[1024];
  double* const slots[] = {x, y, spills};
  module->function(0)(slots, 9);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(y[i], i * i);
  for (int i = 16; i < 24; ++i) EXPECT_EQ(y[i], 0);
}

/// Two vectors of one code, with a guard for which both leave it, and one number for both.
TEST_P(Jit, TwoAbreastAreTheSameTwice) {
  Code code;
  code.spillSlot = 3;
  CodeWriter writer(code);
  const std::uint32_t x = writer.read(Micro::Load, {0, true, 0});
  const std::uint32_t zero = writer.constant(0.0);
  const std::uint32_t isLess = writer.compare(x, zero, Predicate::Less);
  const std::uint32_t size =
      writer.guard(isLess, x, writer.add(Micro::Add, x, zero), rowOf(Op::Abs).kernel);
  const std::uint32_t one = writer.read(Micro::Broadcast, {2, false, 8});
  writer.store({1, true, 0}, writer.add(Micro::Add, size, one));
  const int lanes = lanesOf(GetParam()), n = 2 * lanes - 1;
  const Code both = twoAbreast(code, (n - lanes) * static_cast<std::int64_t>(sizeof(double)));
  const auto module = moduleOf(GetParam(), {both, code});
  ASSERT_NE(module, nullptr);
  alignas(64) double in[16], out[16] = {}, twice[16] = {}, spills[4096];
  for (int i = 0; i < 16; ++i) in[i] = i % 5 == 0 ? -i : 0.25 * i;
  double numbers[] = {-1, 0.5};
  double* slots[] = {in, twice, numbers, spills};
  ASSERT_LE(both.spillDoubles(lanes), 4096);
  module->function(0)(slots, lanes);
  slots[1] = out;
  module->function(1)(slots, n);
  for (int i = 0; i < n; ++i) {
    EXPECT_EQ(twice[i], out[i]) << i;
    EXPECT_EQ(twice[i], std::fabs(in[i]) + 0.5) << i;
  }
  for (int i = n; i < 16; ++i) EXPECT_EQ(twice[i], 0) << i;
}

#if defined(__AVX512F__)
void sizeAndTakeMasks(double* out, const double* x, const double*, const double*, std::size_t n,
                      std::int32_t) {
  for (std::size_t i = 0; i < n; ++i) out[i] = std::abs(x[i]);
  asm volatile(
      "kxorw %%k0, %%k0, %%k1\n kxorw %%k0, %%k0, %%k2\n kxorw %%k0, %%k0, %%k3\n"
      "kxorw %%k0, %%k0, %%k4\n kxorw %%k0, %%k0, %%k5\n kxorw %%k0, %%k0, %%k6\n"
      "kxorw %%k0, %%k0, %%k7\n" ::
          : "k1", "k2", "k3", "k4", "k5", "k6", "k7");
}

/// Lanes of two vectors and numbers side by side, after calls of which nothing is left in masks.
TEST(JitChoice, PickedLanesOutliveCalls) {
  if (chosenInstructionSet() != InstructionSet::Avx512) GTEST_SKIP() << "for AVX-512 alone";
  constexpr int kVectors = 8;  // more masks than stay in registers
  Code code;
  code.spillSlot = 3;
  CodeWriter writer(code);
  const std::uint32_t x = writer.read(Micro::Load, {0, true, 0});
  const std::uint32_t mask = writer.compare(x, writer.constant(0.0), Predicate::Less);
  const std::uint32_t size = writer.guard(mask, x, x, sizeAndTakeMasks);
  const std::uint32_t square = writer.add(Micro::Mul, x, x);
  std::vector<LanePicks> all(kVectors);
  for (int k = 0; k < kVectors; ++k) {
    LanePicks& picks = all[static_cast<std::size_t>(k)];
    picks.picked = static_cast<std::uint8_t>(1 + 30 * k);
    for (int lane = 0; lane < 8; ++lane) {
      const bool isPicked = picks.picked >> lane & 1;
      picks.lanes[static_cast<std::size_t>(lane)] =
          isPicked ? (lane * 5 + k) % 16 : std::bit_cast<std::int64_t>(100.0 * k + lane);
    }
    writer.store({1, false, 64 * k}, writer.pick(picks, size, square));
  }
  code.moving.push_back({1, 64 * kVectors});
  const auto module = moduleOf(InstructionSet::Avx512, {code});
  ASSERT_NE(module, nullptr);
  constexpr int kPoints = 24;
  alignas(64) double in[kPoints], out[kPoints * kVectors], numbers[8] = {}, spills[2048];
  for (int i = 0; i < kPoints; ++i) in[i] = i % 3 == 1 || i < 16 ? i + 1 : -i;
  double* const slots[] = {in, out, numbers, spills};
  module->function(0)(slots, kPoints);
  for (int at = 0; at < kPoints * kVectors; ++at) {
    const int first = at / (8 * kVectors) * 8, k = at / 8 % kVectors, lane = at % 8;
    const LanePicks& picks = all[static_cast<std::size_t>(k)];
    const std::int64_t from = picks.lanes[static_cast<std::size_t>(lane)];
    const bool isPicked = picks.picked >> lane & 1;
    const double value = isPicked ? in[first + from % 8] : std::bit_cast<double>(from);
    EXPECT_EQ(out[at], !isPicked ? value : from < 8 ? std::abs(value) : value * value) << at;
  }
}
#endif

TEST(JitChoice, OperationsOfMoreThanAFewInstructionsAreCalled) {
  EXPECT_FALSE(canLower(Op::Erf));
  EXPECT_TRUE(canLower(Op::Where));
}

/// More values alive than there are registers, each read twice, in an order that spills them.
TEST_P(Jit, ValuesThatFindNoRegisterAreKept) {
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
      sum = writer.add(Micro::Add, sum,
                       writer.add(Micro::Mul, values[static_cast<std::size_t>(i * 37 % kValues)],
                                  values[static_cast<std::size_t>(i)]));
    writer.store({1, !isScalar, 0}, sum);
    const std::int64_t doubles = code.spillDoubles(8);
    const auto module = moduleOf(GetParam(), {code});
    ASSERT_NE(module, nullptr);
    alignas(64) double in[8], out[8];
    std::vector<double> spills(static_cast<std::size_t>(doubles));
    for (int i = 0; i < 8; ++i) in[i] = i + 0.25;
    double* const slots[] = {in, out, spills.data()};
    module->function(0)(slots, 8);
    for (int lane = 0; lane < (isScalar ? 1 : 8); ++lane) {
      double expected = 0, value[kValues], y = in[lane];
      for (int i = 0; i < kValues; ++i) value[i] = y = y + i % 7;
      for (int i = 0; i < kValues; ++i) expected += value[i * 37 % kValues] * value[i];
      EXPECT_EQ(out[lane], expected) << lane;
    }
  }
}

/// ADJOINT_JIT with other values, while this lives.
class Setting {
 public:
  Setting() {
    if (const char* text = std::getenv("ADJOINT_JIT")) before_ = text;
  }
  ~Setting() { set(before_ ? before_->c_str() : nullptr); }
  void set(const char* text) {
    if (text != nullptr) {
      ::setenv("ADJOINT_JIT", text, 1);
    } else {
      ::unsetenv("ADJOINT_JIT");
    }
  }

 private:
  std::optional<std::string> before_;
};

TEST(JitChoice, TheEnvironmentSwitchesItOff) {
  testing::PlanMaker maker;
  testing::KernelMaker k;
  k.k.extents = {100};
  const BufferId x = maker.io(100), y = maker.io(100);
  k.storeAll(y, k.op(Op::Square, k.loadAll(x)));
  maker.plan->steps = {k.k};
  Setting setting;
  setting.set(nullptr);
  const bool isPossible = JitBuilder::isAvailable();
  EXPECT_EQ(makeExecutable(maker.plan)->segments(), isPossible ? 1u : 0u);
  EXPECT_EQ(makeExecutable(maker.plan)->obstacle() == nullptr, isPossible);
  setting.set("off");
  const auto interpreted = makeExecutable(maker.plan);
  EXPECT_EQ(interpreted->segments(), 0u);
  ASSERT_NE(interpreted->obstacle(), nullptr);
  if (isPossible) {
    EXPECT_STREQ(interpreted->obstacle(), "ADJOINT_JIT is off");
  }
}

TEST(JitChoice, TheEnvironmentNamesAnInstructionSet) {
  Setting setting;
  for (const InstructionSet set : instructionSets()) {
    setting.set(nameOf(set));
    EXPECT_EQ(chosenInstructionSet(), set);
  }
  setting.set("on");
  const auto best = instructionSets().empty() ? InstructionSet::None : instructionSets().front();
  EXPECT_EQ(chosenInstructionSet(), best);
}

}  // namespace
}  // namespace adjoint::exec

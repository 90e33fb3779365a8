#include <gtest/gtest.h>

#include "exec_reference.h"
#include "test/support/allocations.h"

namespace adjoint {
namespace {

using testing::Aligned;
using testing::allocations;
using testing::KernelMaker;
using testing::PlanMaker;
using testing::sameBits;

/// A random straight-line program over `inputs` numbers; stores the last few values.
Kernel randomProgram(PlanMaker& maker, int operations, unsigned seed, int reach) {
  std::mt19937_64 random(seed);
  KernelMaker k;
  const int inputs = 15, outputs = 8;
  const BufferId x = maker.io(inputs), y = maker.io(outputs), t = maker.temp(inputs);
  std::vector<std::uint32_t> values;
  for (int i = 0; i < inputs; ++i)
    values.push_back(k.load(k.access(i % 2 ? x : t, std::vector<std::int64_t>{}, i)));
  values.push_back(k.constant(-0.75));
  const Op unary[] = {Op::Neg, Op::Sin, Op::Sqrt, Op::Square, Op::Abs};
  const Op binary[] = {Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Less, Op::Equal};
  const auto any = [&] {
    const std::size_t back =
        1 + random() % std::min<std::size_t>(values.size(), static_cast<std::size_t>(reach));
    return values[values.size() - back];
  };
  for (int i = 0; i < operations; ++i) {
    const auto a = any(), b = any(), c = any();
    switch (random() % 8) {
      case 0:
        values.push_back(k.op(unary[random() % 5], a));
        break;
      case 1:
        values.push_back(k.op(random() % 2 ? Op::Where : Op::Fma, a, b, c));
        break;
      case 2:
        values.push_back(k.constant(static_cast<double>(random() % 100)));
        break;
      default:
        values.push_back(k.op(binary[random() % 6], a, b));
    }
  }
  for (int i = 0; i < outputs; ++i)
    k.store(k.access(y, std::vector<std::int64_t>{}, i),
            values[values.size() - 1 - static_cast<std::size_t>(i)]);
  return k.k;
}

void compare(PlanMaker& maker, const Kernel& kernel) {
  Plan& plan = *maker.plan;
  plan.steps = {kernel};
  const std::size_t ioSize = static_cast<std::size_t>(plan.ioDoubles);
  const std::size_t tempSize = static_cast<std::size_t>(plan.tempDoubles);
  const auto executable = makeInterpreter(maker.plan);
  Aligned io(ioSize), expected(ioSize), temp(tempSize + 8);
  Aligned work(static_cast<std::size_t>(executable->workspaceDoubles()));
  for (std::size_t i = 0; i < ioSize; ++i) io[i] = expected[i] = 0.1 * static_cast<double>(i + 1);
  for (std::size_t i = 0; i < tempSize; ++i) work[i] = temp[i] = 1.5 - static_cast<double>(i);
  const RunStatus want = testing::referenceKernel(plan, kernel, expected.data(), temp.data());
  const long before = allocations();
  const RunStatus got = executable->run(io.data(), work.data(), nullptr);
  EXPECT_EQ(allocations(), before);
  ASSERT_EQ(got.ok, want.ok);
  if (!want.ok) {
    EXPECT_EQ(got.code, want.code);
    EXPECT_EQ(got.node, want.node);
    EXPECT_EQ(got.limit, want.limit);
    return;
  }
  for (std::size_t i = 0; i < ioSize; ++i) ASSERT_TRUE(sameBits(io[i], expected[i])) << i;
  for (std::size_t i = 0; i < tempSize; ++i) ASSERT_TRUE(sameBits(work[i], temp[i])) << i;
}

TEST(ExecScalar, RandomPrograms) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    for (const int operations : {1, 10, 100, 1023, 1024, 1025, 5000}) {
      PlanMaker maker;
      compare(maker, randomProgram(maker, operations, seed, seed % 2 ? 20 : 100000));
    }
  }
}

/// Code that prefetches itself, whose spilled values have a pointer of their own.
TEST(ExecScalar, LongRandomPrograms) {
  for (unsigned seed = 0; seed < 6; ++seed) {
    for (const int reach : {30, 1000, 1000000}) {
      PlanMaker maker;
      compare(maker, randomProgram(maker, 60000, 100 + seed, reach));
    }
  }
}

TEST(ExecScalar, InlinedOperationsHaveTheBitsOfTheirKernels) {
  const double inf = std::numeric_limits<double>::infinity();
  const double values[] = {0.0, -0.0, 1, -1, inf, -inf, std::nan(""), 5e-324, -1e-310, 1e308, 0.1};
  for (const Op op : {Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Neg, Op::Square, Op::Sqrt, Op::Abs,
                      Op::Fma, Op::Where, Op::Equal, Op::Less, Op::Maximum}) {
    PlanMaker maker;
    KernelMaker k;
    std::vector<std::uint32_t> in;
    for (const double v : values) in.push_back(k.constant(v));
    const std::int64_t n = static_cast<std::int64_t>(in.size());
    const BufferId z = maker.io(n * n * n);
    std::int64_t at = 0;
    for (const auto a : in)
      for (const auto b : in)
        for (const auto c : in)
          k.store(k.access(z, std::vector<std::int64_t>{}, at++), k.op(op, a, b, c));
    compare(maker, k.k);
  }
}

TEST(ExecScalar, LoopsOfOnePoint) {
  PlanMaker maker;
  KernelMaker k;
  k.k.extents = {1, 1};
  const BufferId x = maker.io(4), y = maker.io(4);
  IndexMap in{{3, 1}, {{0, -2, 5, 2}}, 8}, out{{3, 1}, {{1, 1, 5, 1}}, 8};
  const auto a = k.load(k.access(x, in)), b = k.load(k.access(x, out));
  const auto s = k.op(Op::Add, k.op(Op::Add, a, b), k.iota(1));
  k.store(k.access(y, {1, 1}), s);
  k.reduce(ReduceOp::Sum, k.access(y, {0, 0}, 1), 3, s);
  k.store(k.access(y, {1, 1}, 2), k.gather(k.access(x, {1, 1}), k.constant(2), 1, 4));
  compare(maker, k.k);
}

TEST(ExecScalar, IndexErrors) {
  for (const double index : {-1.0, 4.0, 0.5, std::nan(""), 1e300}) {
    PlanMaker maker;
    KernelMaker k;
    const BufferId x = maker.io(4), y = maker.io(1);
    k.store(k.access(y, std::vector<std::int64_t>{}),
            k.gather(k.access(x, std::vector<std::int64_t>{}), k.constant(index), 1, 4));
    compare(maker, k.k);
  }
}

TEST(ExecScalar, StoresAndLoadsOfOnePlaceKeepTheirOrder) {
  PlanMaker maker;
  KernelMaker k;
  const BufferId x = maker.io(2);
  const std::vector<std::int64_t> none;
  const auto a = k.load(k.access(x, none)), b = k.load(k.access(x, none, 1));
  k.store(k.access(x, none), b);
  k.store(k.access(x, none, 1), a);
  const auto c = k.load(k.access(x, none));
  k.store(k.access(x, none, 1), k.op(Op::Neg, c));
  compare(maker, k.k);
}

}  // namespace
}  // namespace adjoint

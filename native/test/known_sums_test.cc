// Sums at known places, point by point and term by term.
#include "exec/known_sums.h"

#include <gtest/gtest.h>

#include "exec/known_scatter.h"
#include "exec/library.h"
#include "exec_reference.h"

namespace adjoint::exec {
namespace {

using testing::Aligned;
using testing::KernelMaker;
using testing::PlanMaker;
using testing::sameBits;

std::vector<double> randomIndices(std::mt19937& random, std::int64_t n, std::int64_t limit) {
  std::vector<double> indices(static_cast<std::size_t>(n));
  for (double& index : indices) index = static_cast<double>(random() % limit);
  return indices;
}

RunContext contextOf(const Plan& plan, double* io, double* temp) {
  RunContext context;
  context.base[static_cast<int>(Base::Io)] = io;
  context.base[static_cast<int>(Base::Temp)] = temp;
  context.base[static_cast<int>(Base::Constant)] = const_cast<double*>(plan.constants.data());
  return context;
}

/// A memory, and how far a plan's run takes it.
struct Memories {
  explicit Memories(const Plan& plan)
      : io(static_cast<std::size_t>(plan.ioDoubles)),
        temp(static_cast<std::size_t>(plan.tempDoubles)) {
    std::mt19937 random(11);
    for (Aligned* memory : {&io, &temp}) {
      for (std::size_t i = 0; i < memory->size(); ++i)
        (*memory)[i] = i % 9 == 0 ? -0.0 : static_cast<double>(random()) / 3;
    }
  }
  Aligned io, temp;
};

void expectSame(Memories& a, Memories& b) {
  for (std::size_t i = 0; i < a.io.size(); ++i) ASSERT_TRUE(sameBits(a.io[i], b.io[i])) << i;
  for (std::size_t i = 0; i < a.temp.size(); ++i) ASSERT_TRUE(sameBits(a.temp[i], b.temp[i])) << i;
}

/// A kernel with one sum of some terms, of which the last is no gather, and another sum of two.
struct Sums {
  PlanMaker maker;
  KernelMaker kernel;

  Sums(std::mt19937& random, std::int64_t points, int terms, bool endsWithLoad) {
    const std::int64_t limit = 3 * points + 5;
    kernel.k.extents = {points};
    const BufferId from = maker.io(limit), to = maker.temp(points), other = maker.io(points);
    const auto gather = [&] {
      const BufferId indices = maker.constant(randomIndices(random, points, limit));
      return kernel.gather(kernel.access(from, {0}), kernel.loadAll(indices), 1, limit);
    };
    std::uint32_t sum = gather();
    for (int k = 1; k < terms; ++k) {
      const std::uint32_t next =
          endsWithLoad && k + 1 == terms ? kernel.load(kernel.access(from, {1}, 2)) : gather();
      sum = kernel.op(Op::Add, sum, next);
    }
    kernel.storeAll(to, sum);
    kernel.storeAll(other, kernel.op(Op::Add, gather(), gather()));
  }
  const Plan& plan() const { return *maker.plan; }
};

TEST(KnownSums, AreThoseOfTheKernel) {
  std::mt19937 random(1);
  for (const std::int64_t points : {2, 7, 64, 1000, 16384}) {
    for (int terms = 1; terms <= 8; ++terms) {
      for (const bool endsWithLoad : {false, true}) {
        Sums sums(random, points, terms, endsWithLoad);
        KnownSums known;
        ASSERT_TRUE(known.add(sums.plan(), sums.kernel.k)) << points << " " << terms;
        Memories actual(sums.plan()), expected(sums.plan());
        testing::referenceKernel(sums.plan(), sums.kernel.k, expected.io.data(),
                                 expected.temp.data());
        known.run(contextOf(sums.plan(), actual.io.data(), actual.temp.data()));
        expectSame(actual, expected);
      }
    }
  }
}

TEST(KnownSums, OthersAreLeftAlone) {
  std::mt19937 random(2);
  KnownSums known;
  const Sums many(random, 20000, 2, false), long_(random, 10, 9, false);
  EXPECT_FALSE(known.add(many.plan(), many.kernel.k));
  EXPECT_FALSE(known.add(long_.plan(), long_.kernel.k));
  for (const Op op : {Op::Sub, Op::Mul}) {
    Sums other(random, 10, 3, false);
    for (Instr& instr : other.kernel.k.body) {
      if (instr.kind == InstrKind::Compute) instr.op = code(op);
    }
    EXPECT_FALSE(known.add(other.plan(), other.kernel.k));
  }
  // Terms from right to left, indices that are no places, and copies without gathers.
  for (const int what : {0, 1, 2}) {
    PlanMaker maker;
    KernelMaker kernel;
    kernel.k.extents = {100};
    const BufferId from = maker.io(100), to = maker.io(100);
    std::vector<double> indices = randomIndices(random, 100, 100);
    if (what == 1) indices[50] = 100;
    const auto gather = [&] {
      return kernel.gather(kernel.access(from, {0}), kernel.loadAll(maker.constant(indices)), 1,
                           100);
    };
    if (what == 0) {
      const std::uint32_t first = gather();
      kernel.storeAll(to, kernel.op(Op::Add, first, kernel.op(Op::Add, gather(), gather())));
    } else {
      kernel.storeAll(to, what == 1 ? gather() : kernel.loadAll(from));
    }
    EXPECT_FALSE(known.add(*maker.plan, kernel.k)) << what;
  }
}

TEST(KnownSums, ScatterAddsStartFromZero) {
  std::mt19937 random(3);
  for (const std::int64_t count : {0, 1, 5, 86, 3000}) {
    for (const std::int64_t size : {1, 8, 500}) {
      PlanMaker maker;
      ScatterAddStep step;
      step.count = count;
      step.size = size;
      step.updates = maker.io(count);
      step.out = maker.temp(size);
      step.indices = maker.constant(randomIndices(random, count, size));
      Plan& plan = *maker.plan;
      KnownSums known;
      ASSERT_TRUE(known.add(plan, step));
      Memories actual(plan), expected(plan);
      known.run(contextOf(plan, actual.io.data(), actual.temp.data()));
      RunContext context = contextOf(plan, expected.io.data(), expected.temp.data());
      ASSERT_TRUE(runScatterAdd(plan, step, context));
      for (std::size_t i = 0; i < static_cast<std::size_t>(size); ++i)
        ASSERT_TRUE(sameBits(actual.temp[i], expected.temp[i])) << i;
      if (count == 0) continue;
      plan.constants[static_cast<std::size_t>(plan.buffers[step.indices].offset + count - 1)] =
          static_cast<double>(size);
      EXPECT_FALSE(known.add(plan, step)) << "the run says what is wrong";
    }
  }
}

TEST(KnownScatter, AddsAsOneUpdateAfterTheOther) {
  std::mt19937 random(4);
  for (const std::int64_t inner : {1, 2, 3, 4, 7, 8, 9, 20}) {
    for (const auto& [outer, count, size] :
         {std::array<std::int64_t, 3>{1, 1, 1}, {3, 40, 7}, {1, 900, 300}, {2, 30000, 501}}) {
      PlanMaker maker;
      ScatterAddStep step{outer, count, inner, size};
      step.updates = maker.io(outer * count * inner);
      step.out = maker.temp(outer * size * inner);
      step.indices = maker.constant(randomIndices(random, count, size));
      Plan& plan = *maker.plan;
      const auto known = KnownScatter::make(plan, step);
      // Many rows in no order are best read one after the other.
      EXPECT_EQ(known == nullptr, count * inner * 8 > (1 << 20));
      if (known == nullptr) continue;
      Memories expected(plan);
      ASSERT_TRUE(
          runScatterAdd(plan, step, contextOf(plan, expected.io.data(), expected.temp.data())));
      for (const unsigned threads : {1U, 2U, 3U, 7U}) {
        Memories actual(plan);
        RunContext context = contextOf(plan, actual.io.data(), actual.temp.data());
        RunControl control;
        control.threads = threads;
        context.control = &control;
        ASSERT_TRUE(known->run(context));
        expectSame(actual, expected);
      }
    }
  }
}

TEST(KnownScatter, TakesManyUpdatesInOrder) {
  std::mt19937 random(5);
  constexpr std::int64_t kCount = 100000;
  std::vector<double> indices = randomIndices(random, kCount, 3000);
  std::ranges::sort(indices);
  PlanMaker maker;
  ScatterAddStep step{1, kCount, 3, 3000};
  step.updates = maker.io(kCount * 3);
  step.out = maker.temp(9000);
  step.indices = maker.constant(indices);
  const auto known = KnownScatter::make(*maker.plan, step);
  ASSERT_NE(known, nullptr);
  EXPECT_GT(known->threads(), 1);
  Memories expected(*maker.plan), actual(*maker.plan);
  ASSERT_TRUE(runScatterAdd(*maker.plan, step,
                            contextOf(*maker.plan, expected.io.data(), expected.temp.data())));
  RunStatus status;
  RunContext context = contextOf(*maker.plan, actual.io.data(), actual.temp.data());
  RunControl control;
  context.control = &control;
  context.status = &status;
  ASSERT_TRUE(known->run(context));
  expectSame(actual, expected);
  control.cancel = true;
  EXPECT_FALSE(known->run(context));
}

TEST(KnownScatter, OthersAreLeftAlone) {
  for (const int what : {0, 1, 2}) {
    PlanMaker maker;
    ScatterAddStep step{1, 3, 2, what == 2 ? 100000 : 5};
    step.updates = maker.io(6);
    step.out = maker.temp(step.size * 2);
    // Not known, no place, and hardly any results that are not zero.
    step.indices = what == 0 ? maker.io(3) : maker.constant({0, what == 1 ? 5.0 : 4.0, 1});
    EXPECT_EQ(KnownScatter::make(*maker.plan, step), nullptr) << what;
  }
}

}  // namespace
}  // namespace adjoint::exec

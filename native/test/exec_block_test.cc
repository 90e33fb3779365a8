#include <gtest/gtest.h>

#include "exec/broadcast.h"
#include "exec_reference.h"

namespace adjoint {
namespace {

using exec::broadcastKernel;
using testing::Aligned;
using testing::KernelMaker;
using testing::PlanMaker;
using testing::sameBits;

constexpr double kCanary = -7.25e77;

using MakeExecutable = std::shared_ptr<const Executable> (*)(std::shared_ptr<const Plan>);

/// Runs plan (one kernel) with an executor and point by point and compares all memory, bit by bit.
/// Paddings of io buffers may differ; anything past the io's end may not.
void compareOne(MakeExecutable make, PlanMaker& maker, const Kernel& kernel, unsigned seed) {
  Plan& plan = *maker.plan;
  plan.steps = {kernel};
  const std::size_t ioSize = static_cast<std::size_t>(plan.ioDoubles);
  const std::size_t tempSize = static_cast<std::size_t>(plan.tempDoubles);
  Aligned io(ioSize + 16, kCanary), expected(ioSize + 16, kCanary);
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(-2, 2);
  for (std::size_t i = 0; i < ioSize; ++i) io[i] = expected[i] = uniform(random);
  const auto executable = make(maker.plan);
  const std::size_t workSize = static_cast<std::size_t>(executable->workspaceDoubles());
  Aligned work(workSize + 16, kCanary), temp(tempSize + 16, kCanary);
  for (std::size_t i = 0; i < tempSize; ++i) work[i] = temp[i] = uniform(random);
  const RunStatus want = testing::referenceKernel(plan, kernel, expected.data(), temp.data());
  const RunStatus got = executable->run(io.data(), work.data(), nullptr);
  ASSERT_EQ(got.ok, want.ok);
  if (!want.ok) {
    EXPECT_EQ(got.code, want.code);
    EXPECT_EQ(got.node, want.node);
    EXPECT_EQ(got.element, want.element);
    EXPECT_TRUE(sameBits(got.value, want.value));
    EXPECT_EQ(got.limit, want.limit);
    return;
  }
  for (std::size_t b = 0; b < plan.buffers.size(); ++b) {
    const Buffer& buffer = plan.buffers[b];
    if (buffer.base == Base::Constant) continue;
    double* x = (buffer.base == Base::Io ? io.data() : work.data()) + buffer.offset;
    double* y = (buffer.base == Base::Io ? expected.data() : temp.data()) + buffer.offset;
    for (std::int64_t i = 0; i < buffer.elements; ++i)
      ASSERT_TRUE(sameBits(x[i], y[i]))
          << "buffer " << b << " element " << i << ": " << x[i] << " instead of " << y[i];
  }
  for (std::size_t i = 0; i < 16; ++i) {
    ASSERT_EQ(io[ioSize + i], kCanary);
    ASSERT_EQ(work[workSize + i], kCanary);
  }
}

/// With the interpreter and with generated code.
void compare(PlanMaker& maker, const Kernel& kernel, unsigned seed = 1) {
  for (const MakeExecutable make : {makeInterpreter, makeExecutable})
    compareOne(make, maker, kernel, seed);
}

const std::int64_t kSizes[] = {0,   1,   2,   7,   8,   9,   15,  16,   17,   31,   127,   128,
                               129, 255, 256, 257, 511, 512, 513, 4095, 4096, 4097, 100000};

TEST(ExecBlock, ElementwiseOfEverySize) {
  for (const std::int64_t n : kSizes) {
    PlanMaker maker;
    const BufferId x = maker.io(n), y = maker.io(n), z = maker.io(n), s = maker.io(1);
    KernelMaker k;
    k.k.extents = {n};
    const auto a = k.loadAll(x), b = k.loadAll(y), c = k.constant(0.25);
    const auto d = k.load(k.access(s, {0}));
    const auto e = k.op(Op::Mul, a, b);
    const auto f = k.op(Op::Add, e, c);
    const auto g = k.op(Op::Mul, f, d);
    k.storeAll(z, g);
    compare(maker, k.k);
  }
}

TEST(ExecBlock, ManyRegisters) {
  for (const int live : {5, 40, 300, 2000}) {
    PlanMaker maker;
    const std::int64_t n = 1000;
    const BufferId x = maker.io(n), z = maker.io(n);
    KernelMaker k;
    k.k.extents = {n};
    std::vector<std::uint32_t> values = {k.loadAll(x)};
    for (int i = 0; i < live; ++i)
      values.push_back(k.op(Op::Add, values.back(), k.constant(i * 0.5)));
    std::uint32_t sum = values[0];
    for (const std::uint32_t v : values) sum = k.op(Op::Add, k.op(Op::Mul, sum, values[1]), v);
    k.storeAll(z, sum);
    compare(maker, k.k);
  }
}

TEST(ExecBlock, SlicesAtOddOffsetsAndTheEndOfTheArena) {
  for (const std::int64_t n : {3, 8, 15, 16, 100, 1000}) {
    PlanMaker maker;
    const BufferId x = maker.io(n + 1), z = maker.io(n + 3), w = maker.io(n + 1);
    KernelMaker k;
    k.k.extents = {n};
    const auto a = k.load(k.access(x, {1}, 1)), b = k.load(k.access(x, {1}, 0));
    const auto c = k.load(k.access(w, {1}, 1));
    const auto d = k.op(Op::Sub, a, b);
    k.store(k.access(z, {1}, 1), k.op(Op::Mul, d, c));
    compare(maker, k.k);
  }
}

TEST(ExecBlock, AccessPatterns) {
  std::mt19937_64 random(5);
  const auto pick = [&](std::initializer_list<std::int64_t> from) {
    return from.begin()[random() % from.size()];
  };
  for (int round = 0; round < 400; ++round) {
    KernelMaker k;
    const int rank = 1 + static_cast<int>(random() % 3);
    for (int l = 0; l < rank; ++l) k.k.extents.push_back(pick({1, 2, 3, 5, 8, 17, 40}));
    PlanMaker maker;
    const std::int64_t n = k.k.points();
    std::uint32_t sum = k.constant(1);
    for (int i = 0; i < 5; ++i) {
      IndexMap map;
      std::int64_t low = 0, high = 0;
      for (int l = 0; l < rank; ++l) {
        const std::int64_t extent = k.k.extents[static_cast<std::size_t>(l)];
        map.stride.push_back(pick({0, 0, 1, 1, 2, -1, 7, 40}));
        std::int64_t last = extent - 1;
        if (random() % 4 == 0) {
          Window w;
          w.loop = static_cast<std::uint32_t>(l);
          w.lo = pick({0, 1, 2, -3});
          w.hi = pick({extent - 1, extent, extent + 2, 2});
          w.step = pick({1, 1, 2, 3});
          map.windows.push_back(w);
          last = extent + 3;
        }
        (map.stride.back() > 0 ? high : low) += last * map.stride.back();
      }
      if (round % 3 == 0) map.stride = k.full(), low = 0, high = 2 * n + 1000;
      map.fill = 0.125 * i;
      const BufferId x = maker.io(high - low + 1);
      sum = k.op(Op::Add, k.op(Op::Mul, sum, k.constant(0.5)), k.load(k.access(x, map, -low)));
    }
    for (int l = 0; l < rank; ++l) sum = k.op(Op::Add, sum, k.iota(l));
    const BufferId z = maker.io(n), t = maker.temp(3 * n);
    k.storeAll(z, sum);
    auto stride = k.full();
    for (auto& s : stride) s *= 3;
    k.store(k.access(t, stride, 2), sum);
    compare(maker, k.k, static_cast<unsigned>(round));
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
}

TEST(ExecBlock, TransposesBothWays) {
  for (const bool storeSide : {false, true}) {
    PlanMaker maker;
    KernelMaker k;
    k.k.extents = {37, 53};
    const BufferId x = maker.io(37 * 53), z = maker.io(37 * 53);
    const auto a = storeSide ? k.loadAll(x) : k.load(k.access(x, {1, 37}));
    const auto b = k.op(Op::Neg, a);
    if (storeSide) {
      k.store(k.access(z, {1, 37}), b);
    } else {
      k.storeAll(z, b);
    }
    compare(maker, k.k);
  }
}

TEST(ExecBlock, UpdatesInPlace) {
  PlanMaker maker;
  KernelMaker k;
  k.k.extents = {1001};
  const BufferId x = maker.io(1001), y = maker.io(1001);
  const auto a = k.loadAll(x), b = k.loadAll(y);
  const auto s = k.op(Op::Add, a, b);
  k.storeAll(x, s);
  k.storeAll(y, k.op(Op::Sub, a, s));
  compare(maker, k.k);
}

TEST(ExecBlock, StoresOneValueTwiceAndLoadsStraightThrough) {
  PlanMaker maker;
  KernelMaker k;
  k.k.extents = {777};
  const BufferId x = maker.io(777), y = maker.io(777), z = maker.io(777), c = maker.io(777);
  const auto a = k.loadAll(x);
  const auto s = k.op(Op::Neg, a);
  k.storeAll(y, s);
  k.storeAll(z, s);
  k.storeAll(c, k.constant(3));
  compare(maker, k.k);
  KernelMaker copy;
  copy.k.extents = {777};
  copy.storeAll(y, copy.loadAll(x));
  compare(maker, copy.k);
}

TEST(ExecBlock, Gathers) {
  for (const std::int64_t n : {1, 5, 16, 500, 3000}) {
    for (const double bad : {0.0, -1.0, 50.0, 0.5, std::nan(""), 1e300, -0.0}) {
      PlanMaker maker;
      KernelMaker k;
      k.k.extents = {n};
      std::vector<double> index;
      for (std::int64_t i = 0; i < n; ++i) index.push_back(static_cast<double>(i * 13 % 50));
      index[static_cast<std::size_t>(n / 2)] = bad;
      const BufferId table = maker.io(200), at = maker.constant(index), z = maker.io(n);
      const auto i = k.loadAll(at);
      const auto g = k.gather(k.access(table, {0}, 1), i, 3, 50);
      k.storeAll(z, g);
      compare(maker, k.k);
    }
  }
}

TEST(ExecBlock, GathersRowsAndWithinWindows) {
  PlanMaker maker;
  KernelMaker k;
  k.k.extents = {30, 4};
  std::vector<double> index;
  for (int i = 0; i < 30; ++i) index.push_back(i * 7 % 20);
  const BufferId table = maker.io(80), at = maker.constant(index), z = maker.io(120);
  const BufferId w = maker.io(120);
  const auto i = k.load(k.access(at, {1, 0}));
  k.storeAll(z, k.gather(k.access(table, {0, 1}), i, 4, 20));
  const auto j = k.op(Op::Add, i, k.constant(0));
  IndexMap map{{0, 1}, {{1, 1, 4, 2}}, 9.5};
  k.storeAll(w, k.gather(k.access(table, map), j, 4, 20));
  compare(maker, k.k);
}

TEST(ExecBlock, SpecialValuesPass) {
  PlanMaker maker;
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> special = {0.0, -0.0, inf, -inf, std::nan(""), 5e-324, -5e-324, 1e-310};
  KernelMaker k;
  k.k.extents = {8, 8};
  const BufferId s = maker.constant(special), z = maker.io(64), w = maker.io(64);
  const auto a = k.load(k.access(s, {1, 0})), b = k.load(k.access(s, {0, 1}));
  k.storeAll(z, a);
  k.storeAll(w, k.op(Op::Mul, a, k.op(Op::Add, b, k.constant(-0.0))));
  compare(maker, k.k);
}

TEST(ExecBlock, StopsWhenTold) {
  PlanMaker maker;
  KernelMaker k;
  k.k.extents = {1000000};
  const BufferId x = maker.io(1000000);
  k.storeAll(x, k.op(Op::Neg, k.constant(1)));
  maker.plan->steps = {k.k};
  const auto executable = makeInterpreter(maker.plan);
  Aligned io(1000000), work(static_cast<std::size_t>(executable->workspaceDoubles()));
  RunControl control;
  control.cancel = true;
  RunStatus status = executable->run(io.data(), work.data(), &control);
  EXPECT_FALSE(status.ok);
  EXPECT_EQ(status.code, ErrorCode::Abort);
  EXPECT_EQ(io[999999], 0);
  control.cancel = false;
  control.deadline = std::chrono::steady_clock::now();
  status = executable->run(io.data(), work.data(), &control);
  EXPECT_EQ(status.code, ErrorCode::Abort);
  control.deadline = std::chrono::steady_clock::time_point::max();
  EXPECT_TRUE(executable->run(io.data(), work.data(), &control).ok);
  EXPECT_EQ(io[999999], -1);
}

TEST(ExecBlock, NumbersAsOperandsGiveTheBitsOfFullLanes) {
  const double inf = std::numeric_limits<double>::infinity();
  const double special[] = {0.0, -0.0, 1.5, -3.25, inf, -inf, std::nan(""), 5e-324, 1e300};
  constexpr std::size_t kMost = 24;
  int found = 0;
  for (const Row& row : allRows()) {
    for (unsigned numbers = 1; numbers < 7; ++numbers) {
      const ElementKernel kernel = broadcastKernel(row.op, numbers);
      if (kernel == nullptr) continue;
      ++found;
      std::mt19937_64 random(numbers);
      for (int round = 0; round < 200; ++round) {
        Aligned full[3] = {Aligned(kMost), Aligned(kMost), Aligned(kMost)};
        Aligned number[3] = {Aligned(1), Aligned(1), Aligned(1)};
        Aligned want(kMost), got(kMost);
        const double* operands[3];
        for (int k = 0; k < 3; ++k) {
          const bool one = numbers >> k & 1u;
          number[k][0] = special[random() % 9];
          for (std::size_t i = 0; i < kMost; ++i)
            full[k][i] = one ? number[k][0] : special[random() % 9];
          operands[k] = one ? number[k].data() : full[k].data();
        }
        const std::size_t n = 1 + random() % kMost;
        row.kernel(want.data(), full[0].data(), full[1].data(), full[2].data(), n, 0);
        kernel(got.data(), operands[0], operands[1], operands[2], n, 0);
        for (std::size_t i = 0; i < n; ++i)
          ASSERT_TRUE(sameBits(got[i], want[i])) << row.name << " " << numbers << " lane " << i;
      }
    }
  }
  EXPECT_GE(found, 40);
}

TEST(ExecBlock, ContiguousWindowsOfManyBlocks) {
  for (const std::int64_t n : {5, 16, 999, 1000, 5000}) {
    for (const std::int64_t lo : {std::int64_t{0}, std::int64_t{1}, n / 2}) {
      for (const std::int64_t hi : {n - 1, n, n / 2 + 3}) {
        PlanMaker maker;
        const BufferId x = maker.io(n + 1), y = maker.temp(n), z = maker.io(n);
        KernelMaker k;
        k.k.extents = {n};
        const auto a = k.load(k.access(x, IndexMap{{1}, {{0, lo, hi, 1}}, 0.5}, 1));
        const auto b = k.load(k.access(y, IndexMap{{1}, {{0, lo, hi, 1}}, -0.0}));
        const auto s = k.op(Op::Sub, a, b);
        k.storeAll(z, s);
        if (lo == 0) k.storeAll(y, k.op(Op::Mul, s, a));  // y is then not read in place
        compare(maker, k.k);
      }
    }
  }
}

TEST(ExecBlock, ManyNumbers) {
  for (const std::int64_t n : {2, 9, 100, 3000}) {
    PlanMaker maker;
    const std::int64_t count = 60;
    const BufferId x = maker.io(n), s = maker.io(count), z = maker.io(n), w = maker.io(n);
    KernelMaker k;
    k.k.extents = {n};
    const auto a = k.loadAll(x);
    auto value = a, product = k.constant(1);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto c = k.load(k.access(s, {0}, i));
      product = k.op(Op::Mul, product, c);  // of numbers alone
      value = k.op(i % 2 ? Op::Fma : Op::Fms, value, a, c);
      value = k.op(Op::Minimum, k.op(Op::Sin, c), value);
      value = k.op(Op::Add, k.op(Op::Atan2, value, c), product);
    }
    k.storeAll(z, value);
    k.storeAll(w, product);
    compare(maker, k.k);
  }
}

// --- reductions ----------------------------------------------------------------------------------

TEST(ExecReduce, OneSumHasTheSameBitsInEveryLayout) {
  for (const std::int64_t terms :
       {1, 2, 3, 15, 16, 17, 31, 33, 100, 4095, 4096, 4097, 4112, 4113, 8192, 70000}) {
    for (const std::int64_t kept : {1, 2, 3, 5, 16, 130}) {
      if (terms * kept > 1000000) continue;
      for (const int layout : {0, 1, 2, 3}) {
        PlanMaker maker;
        KernelMaker k;
        const BufferId x = maker.io(terms * kept), y = maker.io(kept), z = maker.io(3 * kept);
        std::uint32_t mask = 1;
        std::vector<std::int64_t> in, out;
        if (layout == 0) {  // reduced first
          k.k.extents = {terms, kept};
          in = {1, terms}, out = {0, 1};
        } else if (layout == 1) {  // reduced last
          k.k.extents = {kept, terms};
          in = {terms, 1}, out = {1, 0}, mask = 2;
        } else if (layout == 2) {  // in the middle
          k.k.extents = {kept, terms, 1};
          in = {terms, 1, 0}, out = {1, 0, 0}, mask = 2;
        } else {  // two reduced loops, when they split
          const std::int64_t split = terms % 2 == 0 ? 2 : 1;
          k.k.extents = {split, terms / split, kept};
          in = {terms / split, 1, terms}, out = {0, 0, 1}, mask = 3;
        }
        const auto a = k.load(k.access(x, in));
        k.reduce(ReduceOp::Sum, k.access(y, out), mask, a);
        auto wide = out;
        for (auto& s : wide) s *= 3;
        k.reduce(ReduceOp::Max, k.access(z, wide, 1), mask, k.op(Op::Neg, a));
        k.reduce(ReduceOp::Min, k.access(z, wide, 2), mask, a);
        compare(maker, k.k);
        if (::testing::Test::HasFatalFailure())
          FAIL() << terms << " terms, " << kept << " kept, layout " << layout;
      }
    }
  }
}

TEST(ExecReduce, WideRowsGoByTiles) {
  for (const std::int64_t kept : {1000, 1024, 5000}) {
    for (const std::int64_t terms : {1, 5, 40, 5000}) {
      if (terms * kept > 5000000) continue;
      PlanMaker maker;
      KernelMaker k;
      k.k.extents = {2, terms, kept};
      const BufferId x = maker.io(2 * terms * kept), w = maker.io(kept), y = maker.io(2 * kept);
      const BufferId z = maker.io(2 * terms * kept), c = maker.io(terms);
      const auto a = k.loadAll(x), b = k.load(k.access(w, {0, 0, 1}));
      const auto p = k.op(Op::Mul, k.op(Op::Mul, a, b), k.load(k.access(c, {0, 1, 0})));
      k.storeAll(z, p);
      k.reduce(ReduceOp::Sum, k.access(y, {kept, 0, 1}), 2, p);
      compare(maker, k.k);
    }
  }
}

TEST(ExecReduce, SeveralMasksInOneKernel) {
  for (const std::int64_t m : {1, 3, 17, 300}) {
    for (const std::int64_t n : {1, 4, 18, 333}) {
      PlanMaker maker;
      KernelMaker k;
      k.k.extents = {m, n};
      const BufferId x = maker.io(m * n), r = maker.io(m), c = maker.io(n), s = maker.io(1);
      const auto a = k.loadAll(x);
      k.reduce(ReduceOp::Sum, k.access(r, {1, 0}), 2, a);
      k.reduce(ReduceOp::Sum, k.access(c, {0, 1}), 1, a);
      k.reduce(ReduceOp::Sum, k.access(s, {0, 0}), 3, k.op(Op::Mul, a, a));
      compare(maker, k.k);
    }
  }
}

TEST(ExecReduce, SpecialValues) {
  const double inf = std::numeric_limits<double>::infinity();
  for (const std::int64_t n : {0, 1, 5, 20, 5000}) {
    for (const double odd : {-0.0, inf, -inf, std::nan("")}) {
      PlanMaker maker;
      KernelMaker k;
      k.k.extents = {n};
      std::vector<double> values(static_cast<std::size_t>(n), -0.0);
      if (n > 0) values[static_cast<std::size_t>(n / 3)] = odd;
      const BufferId x = maker.constant(values);
      const BufferId s = maker.io(1), h = maker.io(1), l = maker.io(1);
      const auto a = k.loadAll(x);
      k.reduce(ReduceOp::Sum, k.access(s, {0}), 1, a);
      k.reduce(ReduceOp::Max, k.access(h, {0}), 1, a);
      k.reduce(ReduceOp::Min, k.access(l, {0}), 1, a);
      compare(maker, k.k);
    }
  }
}

TEST(ExecReduce, EmptyLoops) {
  PlanMaker maker;
  KernelMaker k;
  k.k.extents = {0, 5};
  const BufferId x = maker.io(8), s = maker.io(5), h = maker.io(15);
  const auto a = k.loadAll(x);
  k.reduce(ReduceOp::Sum, k.access(s, {0, 1}), 1, a);
  k.reduce(ReduceOp::Max, k.access(h, {0, 3}), 1, a);
  compare(maker, k.k);
}

}  // namespace
}  // namespace adjoint

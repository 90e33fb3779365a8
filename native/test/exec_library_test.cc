#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "exec/pool.h"
#include "exec_reference.h"
#include "plan/join_batch.h"

namespace adjoint {
namespace {

using testing::Aligned;
using testing::PlanMaker;
using testing::sameBits;

struct OneStep {
  explicit OneStep(PlanMaker& maker, Step step) {
    maker.plan->steps = {std::move(step)};
    executable = makeInterpreter(maker.plan);
    io = std::make_unique<Aligned>(static_cast<std::size_t>(maker.plan->ioDoubles) + 8, -7.5);
    work = std::make_unique<Aligned>(static_cast<std::size_t>(executable->workspaceDoubles()));
  }
  RunStatus run() { return executable->run(io->data(), work->data(), nullptr); }
  std::shared_ptr<const Executable> executable;
  std::unique_ptr<Aligned> io, work;
};

/// Chains of 128 terms, added in order within chunks of 4096 terms, whose sums are added in order.
double referenceDot(const double* a, std::int64_t aStep, const double* b, std::int64_t bStep,
                    std::int64_t k) {
  double total = 0, sum = 0;
  for (std::int64_t from = 0; from < k; from += 128) {
    double chain = 0;
    for (std::int64_t t = from; t < std::min(k, from + 128); ++t)
#if defined(__FMA__) || defined(__aarch64__)
      chain = std::fma(a[t * aStep], b[t * bStep], chain);
#else
      chain = a[t * aStep] * b[t * bStep] + chain;
#endif
    if (from % 4096 == 0 && from > 0) total = from == 4096 ? sum : total + sum;
    sum = from % 4096 == 0 ? chain : sum + chain;
  }
  return k <= 4096 ? sum : total + sum;
}

TEST(ExecMatMul, EveryShapeAndLayout) {
  const std::int64_t sizes[] = {1, 2, 3, 7, 8, 9, 16, 25, 40, 130};
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (const std::int64_t m : sizes) {
    for (const std::int64_t n : sizes) {
      for (const std::int64_t k : {0, 1, 2, 17, 128, 129, 300}) {
        for (int layout = 0; layout < 5; ++layout) {
          const std::int64_t batch = m * n < 100 ? 3 : 1;
          PlanMaker maker;
          const BufferId a = maker.io(2 * batch * m * k + 1), b = maker.io(2 * batch * k * n + 1);
          const BufferId c = maker.io(batch * m * n);
          MatMulStep step{batch, m, n, k, {a, 0, {m * k, k, 1}}, {b, 0, {k * n, n, 1}}, c};
          if (layout & 1) step.a.stride = {m * k, 1, m};
          if (layout & 2) step.b.stride = {k * n, 1, k};
          if (layout == 4) {
            step.a = {a, 1, {2 * m * k, 2 * k, 2}};
            step.b = {b, 1, {0, 2 * n, 2}};
          }
          OneStep run(maker, step);
          for (std::int64_t i = 0; i < maker.at(c); ++i)
            (*run.io)[static_cast<std::size_t>(i)] = uniform(random);
          ASSERT_TRUE(run.run().ok);
          const double* x = run.io->data() + step.a.offset;
          const double* y = run.io->data() + maker.at(b) + step.b.offset;
          const double* z = run.io->data() + maker.at(c);
          for (std::int64_t p = 0; p < batch; ++p) {
            for (std::int64_t i = 0; i < m; ++i) {
              for (std::int64_t j = 0; j < n; ++j) {
                const double want = referenceDot(
                    x + p * step.a.stride[0] + i * step.a.stride[1], step.a.stride[2],
                    y + p * step.b.stride[0] + j * step.b.stride[2], step.b.stride[1], k);
                ASSERT_TRUE(sameBits(z[(p * m + i) * n + j], want))
                    << m << " x " << n << " x " << k << " layout " << layout << " at " << i << ", "
                    << j << ": " << z[(p * m + i) * n + j] << " instead of " << want;
              }
            }
          }
          for (int i = 0; i < 8; ++i)
            ASSERT_EQ((*run.io)[static_cast<std::size_t>(maker.plan->ioDoubles + i)], -7.5);
        }
      }
    }
  }
}

/// Lanes next to each other, of operands that may lie on their sides.
TEST(ExecMatMul, ProductsOfLanes) {
  std::mt19937_64 random(6);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (const std::int64_t lanes : {8, 16, 48, 56}) {
    for (const std::int64_t m : {1, 2, 3, 4, 5, 7, 11}) {
      for (const std::int64_t n : {1, 2, 3, 4, 5, 6, 11}) {
        for (const std::int64_t k : {1, 2, 30, 128}) {
          for (int layout = 0; layout < 4; ++layout) {
            PlanMaker maker;
            const BufferId a = maker.io(lanes * m * k), b = maker.io(lanes * k * n);
            const BufferId c = maker.io(lanes * m * n);
            MatMulStep step{lanes, m, n, k, {a, 0, {1, k, 1}}, {b, 0, {1, n, 1}}, c};
            if (layout & 1) step.a.stride = {1, 1, m};
            if (layout & 2) step.b.stride = {1, 1, k};
            for (StridedOperand* operand : {&step.a, &step.b}) {
              operand->stride[1] *= lanes;
              operand->stride[2] *= lanes;
            }
            step.isOfLanes = true;
            OneStep run(maker, step);
            for (std::int64_t i = 0; i < maker.at(c); ++i)
              (*run.io)[static_cast<std::size_t>(i)] = uniform(random);
            ASSERT_TRUE(run.run().ok);
            const double* const x = run.io->data();
            const double* const y = x + maker.at(b);
            const double* const z = x + maker.at(c);
            for (std::int64_t at = 0; at < lanes * m * n; ++at) {
              const std::int64_t lane = at % lanes, j = at / lanes % n, i = at / lanes / n;
              const double want =
                  referenceDot(x + lane + i * step.a.stride[1], step.a.stride[2],
                               y + lane + j * step.b.stride[2], step.b.stride[1], k);
              ASSERT_TRUE(sameBits(z[at], want))
                  << m << " x " << n << " x " << k << " layout " << layout << " lane " << lane;
            }
            for (int i = 0; i < 8; ++i)
              ASSERT_EQ((*run.io)[static_cast<std::size_t>(maker.plan->ioDoubles + i)], -7.5);
          }
        }
      }
    }
  }
}

TEST(ExecMatMul, BatchesThatShareAnOperandAreOneProduct) {
  std::mt19937_64 random(4);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (const std::int64_t batch : {1, 2, 5, 40}) {
    for (const std::int64_t m : {1, 3, 20}) {
      for (const std::int64_t n : {1, 6}) {
        for (const std::int64_t k : {0, 1, 9, 130}) {
          for (int layout = 0; layout < 5; ++layout) {
            PlanMaker maker;
            const BufferId a = maker.io(batch * m * k), b = maker.io(batch * k * n);
            const BufferId c = maker.io(batch * m * n);
            MatMulStep step{batch, m, n, k, {a, 0, {m * k, k, 1}}, {b, 0, {k * n, n, 1}}, c};
            if (layout == 1 || layout == 4) step.a.stride[0] = 0;
            if (layout == 2 || layout == 3) step.b.stride[0] = 0;
            // Rows of one product that are not those of the next.
            if (layout == 3) step.a.stride = {k, batch * k, 1};
            if (layout == 4) step.a.stride = {0, 1, m};
            MatMulStep joined = step;
            joinBatch(joined);
            const bool areRows = (layout == 2 || (layout == 3 && m == 1));
            const bool isTurned = (layout == 1 || layout == 4) && n == 1;
            if (k > 0) {
              EXPECT_EQ(joined.batch == 1, batch == 1 || areRows || isTurned) << layout;
            }
            OneStep one(maker, step);
            for (std::int64_t i = 0; i < maker.at(c); ++i)
              (*one.io)[static_cast<std::size_t>(i)] = uniform(random);
            ASSERT_TRUE(one.run().ok);
            OneStep other(maker, joined);
            std::copy_n(one.io->data(), maker.at(c), other.io->data());
            ASSERT_TRUE(other.run().ok);
            for (std::size_t i = 0; i < one.io->size(); ++i)
              ASSERT_TRUE(sameBits((*one.io)[i], (*other.io)[i])) << layout << " at " << i;
          }
        }
      }
    }
  }
}

TEST(ExecMatMul, LongDotsAndWidePanels) {
  for (const std::int64_t k : {1000, 1024, 1025, 5000, 100001}) {
    for (const std::int64_t n : {1, 5, 1000}) {
      if (k * n > 2000000) continue;
      PlanMaker maker;
      const BufferId a = maker.io(k), b = maker.io(k * n), c = maker.io(n);
      OneStep run(maker, MatMulStep{1, 1, n, k, {a, 0, {0, k, 1}}, {b, 0, {0, n, 1}}, c});
      for (std::int64_t i = 0; i < maker.at(c); ++i)
        (*run.io)[static_cast<std::size_t>(i)] = std::sin(static_cast<double>(i));
      ASSERT_TRUE(run.run().ok);
      for (std::int64_t j = 0; j < n; ++j) {
        ASSERT_TRUE(
            sameBits((*run.io)[static_cast<std::size_t>(maker.at(c) + j)],
                     referenceDot(run.io->data(), 1, run.io->data() + maker.at(b) + j, n, k)));
      }
    }
  }
}

TEST(ExecRecurrence, BothWaysWithAndWithoutFactors) {
  for (const std::int64_t n : {0, 1, 2, 100}) {
    for (const std::int64_t inner : {1, 3, 20}) {
      for (const bool reverse : {false, true}) {
        for (const bool hasA : {false, true}) {
          const std::int64_t outer = 3, size = outer * n * inner;
          PlanMaker maker;
          const BufferId a = maker.io(size), b = maker.io(size), y = maker.io(size);
          OneStep run(maker, RecurrenceStep{outer, n, inner, hasA, reverse, a, b, y});
          for (std::int64_t i = 0; i < maker.at(y); ++i)
            (*run.io)[static_cast<std::size_t>(i)] = std::sin(static_cast<double>(i));
          ASSERT_TRUE(run.run().ok);
          const double* io = run.io->data();
          for (std::int64_t o = 0; o < outer; ++o) {
            for (std::int64_t j = 0; j < inner; ++j) {
              double last = 0;
              for (std::int64_t s = 0; s < n; ++s) {
                const std::int64_t i = reverse ? n - 1 - s : s;
                const std::int64_t at = (o * n + i) * inner + j;
                const double add = io[maker.at(b) + at];
                last = hasA ? std::fma(io[maker.at(a) + at], last, add) : s == 0 ? add : last + add;
                ASSERT_TRUE(sameBits(io[maker.at(y) + at], last));
              }
            }
          }
        }
      }
    }
  }
}

TEST(ExecIndex, SortsStablyWithNaNLast) {
  std::mt19937_64 random(9);
  for (const std::int64_t n : {0, 1, 2, 15, 16, 17, 33, 1000}) {
    for (const std::int64_t inner : {1, 3}) {
      PlanMaker maker;
      const std::int64_t size = 2 * n * inner;
      const BufferId x = maker.io(size), y = maker.io(size);
      OneStep run(maker, IndexStep{IndexStep::Kind::ArgSort, 2, n, inner, x, y});
      const double values[] = {0.0, -0.0, 1, 2, -3, std::nan(""), 7, -1e300};
      for (std::int64_t i = 0; i < size; ++i)
        (*run.io)[static_cast<std::size_t>(i)] = values[random() % 8];
      ASSERT_TRUE(run.run().ok);
      const double* io = run.io->data();
      for (std::int64_t o = 0; o < 2; ++o) {
        for (std::int64_t j = 0; j < inner; ++j) {
          const double* in = io + o * n * inner + j;
          std::vector<int> want(static_cast<std::size_t>(n));
          std::iota(want.begin(), want.end(), 0);
          std::stable_sort(want.begin(), want.end(), [&](int p, int q) {
            const double a = in[p * inner], b = in[q * inner];
            return a < b || (b != b && a == a);
          });
          for (std::int64_t i = 0; i < n; ++i)
            ASSERT_EQ(io[maker.at(y) + (o * n + i) * inner + j], want[static_cast<std::size_t>(i)]);
        }
      }
    }
  }
}

TEST(ExecIndex, FirstOfTheLargestAndSmallest) {
  const double nan = std::nan("");
  struct Case {
    std::vector<double> x;
    double largest, smallest;
  };
  for (const Case& c : {Case{{1, 3, 3, 0, 0}, 1, 3}, Case{{0.0, -0.0}, 0, 0},
                        Case{{1, nan, 5, nan}, 1, 1}, Case{{nan, 2}, 0, 0}, Case{{4}, 0, 0}}) {
    for (const bool largest : {true, false}) {
      PlanMaker maker;
      const std::int64_t n = static_cast<std::int64_t>(c.x.size());
      const BufferId x = maker.io(n), y = maker.io(1);
      OneStep run(maker, IndexStep{largest ? IndexStep::Kind::ArgMax : IndexStep::Kind::ArgMin, 1,
                                   n, 1, x, y});
      std::copy(c.x.begin(), c.x.end(), run.io->data());
      ASSERT_TRUE(run.run().ok);
      EXPECT_EQ((*run.io)[static_cast<std::size_t>(maker.at(y))], largest ? c.largest : c.smallest);
    }
  }
}

TEST(ExecScatterAdd, AddsInOrderAndChecksIndices) {
  for (const double bad : {1.0, -1.0, 5.0, 0.5, std::nan("")}) {
    PlanMaker maker;
    const std::int64_t outer = 2, count = 40, inner = 3, size = 5;
    const BufferId i = maker.io(count), u = maker.io(outer * count * inner);
    const BufferId y = maker.io(outer * size * inner);
    OneStep run(maker, ScatterAddStep{outer, count, inner, size, i, u, y, 11});
    double* io = run.io->data();
    for (std::int64_t j = 0; j < count; ++j) io[j] = static_cast<double>(j * 3 % size);
    io[20] = bad;
    for (std::int64_t j = 0; j < outer * count * inner; ++j)
      io[maker.at(u) + j] = std::sin(static_cast<double>(j)) * 1e3;
    const RunStatus status = run.run();
    if (bad != 1.0) {
      EXPECT_FALSE(status.ok);
      EXPECT_EQ(status.code, ErrorCode::Index);
      EXPECT_EQ(status.node, 11u);
      EXPECT_EQ(status.element, 20);
      EXPECT_EQ(status.limit, size);
      continue;
    }
    ASSERT_TRUE(status.ok);
    std::vector<double> want(static_cast<std::size_t>(outer * size * inner), 0.0);
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t j = 0; j < count; ++j)
        for (std::int64_t l = 0; l < inner; ++l)
          want[static_cast<std::size_t>((o * size + static_cast<std::int64_t>(io[j])) * inner +
                                        l)] += io[maker.at(u) + (o * count + j) * inner + l];
    for (std::size_t j = 0; j < want.size(); ++j)
      ASSERT_TRUE(sameBits(io[maker.at(y) + static_cast<std::int64_t>(j)], want[j]));
  }
}

TEST(ExecPool, RunsEveryTaskAndSurvivesExceptions) {
  std::atomic<int> done{0};
  std::promise<void> all;
  constexpr int kTasks = 1000;
  for (int i = 0; i < kTasks; ++i) {
    Pool::shared().submit([&, i] {
      const bool last = ++done == kTasks;
      if (last) all.set_value();
      if (i % 3 == 0) throw std::runtime_error("dropped");
    });
  }
  ASSERT_EQ(all.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_GE(Pool::shared().size(), 1u);
  // A task that never ends must not keep the process: this one sleeps past the end of the tests.
  Pool::shared().submit([] { std::this_thread::sleep_for(std::chrono::hours(1)); });
}

}  // namespace
}  // namespace adjoint

// Runs on several threads: the same bits as on one.
#include <gtest/gtest.h>

#include <atomic>

#include "exec/pool.h"
#include "ops/build.h"
#include "test/support/evaluator.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;

struct Counts {
  std::atomic<std::int64_t> sum{0};
  std::atomic<unsigned> inUse[8] = {};
  std::atomic<bool> wasShared{false};

  static bool add(void* self, unsigned worker, std::int64_t chunk) noexcept {
    auto& counts = *static_cast<Counts*>(self);
    if (counts.inUse[worker].fetch_add(1) != 0) counts.wasShared = true;
    counts.sum += chunk;
    counts.inUse[worker].fetch_sub(1);
    return chunk != 5000;
  }
};

TEST(Threads, LoopsVisitEveryChunkOnce) {
  for (const unsigned threads : {1u, 2u, 3u, 7u}) {
    for (int repetition = 0; repetition < 20; ++repetition) {
      Counts counts;
      Pool::Loop loop;
      loop.body = Counts::add;
      loop.context = &counts;
      loop.chunks = 1000;
      EXPECT_TRUE(Pool::shared().run(loop, threads));
      EXPECT_EQ(counts.sum, 999 * 1000 / 2);
      EXPECT_FALSE(counts.wasShared);
    }
  }
}

TEST(Threads, AChunkCanEndTheLoop) {
  Counts counts;
  Pool::Loop loop;
  loop.body = Counts::add;
  loop.context = &counts;
  loop.chunks = 1'000'000;
  EXPECT_FALSE(Pool::shared().run(loop, 3));
  EXPECT_LT(loop.next, 1'000'000);
}

/// Memory of some doubles, aligned as runs want it.
class Memory {
 public:
  Memory(std::int64_t doubles, double value) : all_(static_cast<std::size_t>(doubles + 8), value) {}
  double* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(all_.data());
    return all_.data() + (64 - address % 64) % 64 / sizeof(double);
  }

 private:
  std::vector<double> all_;
};

/// Runs a plan on some numbers of threads, its inputs some values from -1 to 1.
void expectTheSameBits(const std::shared_ptr<const Plan>& plan) {
  const auto executable = makeExecutable(plan);
  std::vector<std::vector<double>> results;
  for (const unsigned threads : {1u, 2u, 3u, 7u}) {
    Memory io(plan->ioDoubles, 0.5), workspace(executable->workspaceDoubles(threads), 0);
    double* memory = io.data();
    const Buffer& first = plan->buffers[plan->inputs[0].buffer];
    for (std::int64_t i = 0; i < first.elements; ++i)
      memory[first.offset + i] = 0.001 * static_cast<double>(i * 7919 % 2003) - 1;
    RunControl control;
    control.threads = threads;
    const RunStatus status = executable->run(memory, workspace.data(), &control);
    ASSERT_TRUE(status.ok);
    // What lies between the buffers is nobody's.
    std::vector<double>& result = results.emplace_back();
    for (const auto& output : plan->outputs) {
      const Buffer& buffer = plan->buffers[output.buffer];
      const double* from = memory + buffer.offset;
      result.insert(result.end(), from, from + buffer.elements);
    }
  }
  for (const auto& result : results) EXPECT_TRUE(identical(Arrays{result}, Arrays{results[0]}));
}

/// Rows that are picked, kept, summed and multiplied over lanes: all that threads share.
TEST(Threads, TheBitsDoNotDependOnTheirNumber) {
  const std::int64_t n = 20000, m = 5;
  Builder builder;
  const Expr x{&builder, builder.input("x", {n, m})};
  const Expr weight{&builder, builder.input("w", {m})};
  std::vector<double> picks(n);
  for (std::size_t i = 0; i < picks.size(); ++i) picks[i] = static_cast<double>(i * 31 % m);
  const Expr square{&builder, builder.input("s", {m, m})};
  const Expr picked = gather(square, {&builder, builder.data(picks, {n})}, 0);
  const Expr rows = cumsum(exp(x * picked) * broadcastTo(weight, {n, m}), 1, false);
  const Expr total = log(sum(rows, {1}));
  const TapePtr t =
      builder.finish({{"rows", (rows / broadcastTo(reshape(total, {n, 1}), {n, m})).id},
                      {"products", batchMatmul(transpose(rows, {1, 0}), x).id},
                      {"f", sum(total, {0}).id}});
  const TapePtr derivative = vjp(t, std::vector<std::size_t>{0, 1, 2});
  const auto plan = makePlan(derivative);
  EXPECT_NE(plan->toString().find("(product)"), std::string::npos) << plan->toString();
  expectTheSameBits(plan);
}

/// Rows put together piece by piece: of one point each, and of several.
TEST(Threads, RowsAreShared) {
  for (const std::int64_t n : {40'000, 131'073}) {
    for (const std::int64_t shift : {0, 300}) {
      Builder builder;
      const Expr x{&builder, builder.input("x", {n})};
      std::vector<double> positions;
      for (std::int64_t i = 0; i < n - shift; ++i) {
        for (const std::int64_t at : {i, n + i + shift, 2 * n + i})
          positions.push_back(static_cast<double>(i % 77 == 76 && at < n ? at + 2 * n : at));
      }
      const auto count = static_cast<std::int64_t>(positions.size());
      const Expr columns = concat({x * x, x * 3.0, x + 1.0}, 0);
      const TapePtr t = builder.finish(
          {{"y", gather(columns, {&builder, builder.data(positions, {count})}, 0).id}});
      const auto plan = makePlan(t);
      EXPECT_EQ(plan->pieceDoubles > 0, shift == 0);
      expectTheSameBits(plan);
    }
  }
}

/// Rows of which most columns are numbers, written from registers where that can be had.
TEST(Threads, RowsOfNumbersAreShared) {
  for (const std::int64_t n : {40'000, 131'073}) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {n})};
    std::vector<double> positions;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t first = i % 77 == 76 ? 1 : 0;
      for (const std::int64_t column : {first, 1 - first, std::int64_t{2}, std::int64_t{3}})
        positions.push_back(static_cast<double>(column * n + i));
    }
    const Expr columns = concat({x * x, Expr{&builder, builder.constant(2, {n})}, x + 1.0,
                                 Expr{&builder, builder.constant(3, {n})}},
                                0);
    expectTheSameBits(makePlan(builder.finish(
        {{"y", gather(columns, {&builder, builder.data(positions, {4 * n})}, 0).id}})));
  }
}

/// Kernels without lanes: elementwise, sums and extremes of all, of rows and of columns, windows.
TEST(Threads, LargeKernelsAreShared) {
  for (const std::int64_t n : {40000, 200'001, 131'072}) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {n})};
    const Expr y = exp(x) * x;
    const Expr shifted = place(sqrt(exp(sliceAxis(x, 0, {1, n - 1, 1}))), {{0, n, 1}});
    const TapePtr t = builder.finish(
        {{"y", (y + shifted).id}, {"sum", sum(y, {0}).id}, {"most", reduceMax(y * x, {0}).id}});
    EXPECT_GT(makeExecutable(makePlan(t))->workspaceDoubles(3),
              makeExecutable(makePlan(t))->workspaceDoubles(1));
    expectTheSameBits(makePlan(t));
  }
  for (const std::int64_t m : {2, 7, 100, 5000}) {
    const std::int64_t n = 400'000 / m;
    Builder builder;
    const Expr x{&builder, builder.input("x", {n, m})};
    const Expr y = exp(x) * x;
    const TapePtr t = builder.finish({{"rows", sum(y, {1}).id},
                                      {"all", sum(y, {0, 1}).id},
                                      {"columns", sum(x * x, {0}).id},
                                      {"least", reduceMin(y, {1}).id}});
    expectTheSameBits(makePlan(t, {.lanes = false}));
  }
}

/// A sum of all but the last point, beside a loop over all.
TEST(Threads, JoinedSumsAreShared) {
  for (const std::int64_t n : {131'073, 200'001}) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {n})};
    const Expr rise = sliceAxis(x, 0, {1, n - 1, 1}) - sliceAxis(x, 0, {0, n - 1, 1});
    const TapePtr t = builder.finish({{"f", sum(square(rise), {0}).id}});
    const auto plan = makePlan(valueAndGrad(t, std::vector<std::size_t>{0}));
    EXPECT_EQ(plan->steps.size(), 1u);
    expectTheSameBits(plan);
  }
}

TEST(Threads, LargeProductsAreShared) {
  const std::int64_t sizes[][4] = {{1, 300, 200, 100}, {1, 1000, 3, 900}, {40, 60, 50, 70},
                                   {1, 5, 2000, 300},  {1, 30, 40, 5000}, {2, 40, 33, 8200}};
  for (const auto& [batch, m, n, k] : sizes) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {batch, m, k})};
    const Expr y{&builder, builder.input("y", {batch, k, n})};
    const TapePtr t = builder.finish({{"z", batchMatmul(x, y).id}});
    const auto plan = makePlan(t, {.lanes = false});
    EXPECT_GT(makeExecutable(plan)->workspaceDoubles(2), makeExecutable(plan)->workspaceDoubles(1));
    expectTheSameBits(plan);
  }
}

TEST(Threads, TheFirstBadIndexIsNamed) {
  const std::int64_t n = 200'000;
  Builder builder;
  const Expr x{&builder, builder.input("x", {n})};
  const Expr table{&builder, builder.input("t", {10})};
  const TapePtr t = builder.finish({{"y", gather(table, x, 0).id}});
  const auto executable = makeExecutable(makePlan(t));
  for (const unsigned threads : {1u, 2u, 7u}) {
    Memory io(executable->plan().ioDoubles, 1), workspace(executable->workspaceDoubles(threads), 0);
    for (const int bad : {150'001, 190'000, 50'003}) io.data()[bad] = 10;
    RunControl control;
    control.threads = threads;
    const RunStatus status = executable->run(io.data(), workspace.data(), &control);
    EXPECT_EQ(status.code, ErrorCode::Index);
    EXPECT_EQ(status.element, 50'003);
  }
}

}  // namespace
}  // namespace adjoint::testing

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
  const auto executable = makeExecutable(plan);

  std::vector<std::vector<double>> results;
  for (const unsigned threads : {1u, 2u, 3u, 7u}) {
    std::vector<double> io(static_cast<std::size_t>(plan->ioDoubles + 8), 0.5);
    std::vector<double> workspace(
        static_cast<std::size_t>(executable->workspaceDoubles(threads) + 8));
    const auto aligned = [](std::vector<double>& v) {
      const auto address = reinterpret_cast<std::uintptr_t>(v.data());
      return v.data() + (64 - address % 64) % 64 / sizeof(double);
    };
    double* memory = aligned(io);
    for (std::int64_t i = 0; i < n * m; ++i)
      memory[i] = 0.001 * static_cast<double>(i * 7919 % 2003) - 1;
    RunControl control;
    control.threads = threads;
    const RunStatus status = executable->run(memory, aligned(workspace), &control);
    ASSERT_TRUE(status.ok);
    results.emplace_back(memory, memory + plan->ioDoubles);
  }
  for (const auto& result : results) EXPECT_TRUE(identical(Arrays{result}, Arrays{results[0]}));
}

}  // namespace
}  // namespace adjoint::testing

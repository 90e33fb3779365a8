// No run asks for memory: plans of all kinds of steps, in machine code and interpreted, on one
// thread and on several.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "exec/pool.h"
#include "exec_reference.h"
#include "ops/build.h"
#include "plan/planner.h"
#include "sparsity/sparse_derivative.h"
#include "test/support/allocations.h"
#include "test/support/evaluator.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;
using Positions = std::vector<std::size_t>;

/// Memory for runs of one executable.
class Runs {
 public:
  explicit Runs(std::shared_ptr<const Executable> executable, unsigned threads = 1)
      : executable_(std::move(executable)),
        io_(static_cast<std::size_t>(executable_->plan().ioDoubles), 0.5),
        workspace_(static_cast<std::size_t>(executable_->workspaceDoubles(threads))) {
    // Whole numbers, as indices have to be, and not too large for exp.
    for (std::size_t i = 0; i < io_.size(); ++i) io_[i] = static_cast<double>(i % 3);
  }

  /// Allocations of so many runs.
  long of(int times, RunControl* control = nullptr) {
    const long before = allocations();
    bool isWell = true;
    for (int i = 0; i < times; ++i)
      isWell &= executable_->run(io_.data(), workspace_.data(), control).ok;
    const long found = allocations() - before;
    EXPECT_TRUE(isWell);
    return found;
  }

 private:
  std::shared_ptr<const Executable> executable_;
  Aligned io_, workspace_;
};

void expectNone(const TapePtr& tape) {
  Pool::shared();  // made when it is first asked for
  const auto plan = makePlan(tape);
  SCOPED_TRACE(plan->toString().substr(0, 2000));
  EXPECT_EQ(Runs(makeExecutable(plan)).of(3), 0) << "machine code";
  EXPECT_EQ(Runs(makeInterpreter(plan)).of(3), 0) << "interpreter";
  // Loops over whole arrays, which the planner replaces by others where it can.
  const auto plain = makePlan(tape, PlanOptions::none());
  EXPECT_EQ(Runs(makeExecutable(plain)).of(3), 0) << "without lanes";
  EXPECT_EQ(Runs(makeInterpreter(plain)).of(3), 0) << "interpreter, without lanes";
}

/// What `make` computes of an input of this shape, and its gradient.
template <class Make>
void expectNoneOf(const Shape& shape, Make make) {
  Builder builder;
  const Expr y = make(Expr{&builder, builder.input("x", shape)});
  const TapePtr tape = builder.finish({{"y", y.id}});
  expectNone(tape);
  expectNone(vjp(tape, allInputs(*tape)));
}

/// One row of softmax, weighted.
TapePtr rowFunction(std::int64_t m) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {m})};
  const Expr weight{&builder, builder.input("w", {m})};
  const Expr e = exp(x * weight);
  const Expr total = broadcastTo(expandAxes(sum(e, {0}), {0}), {m});
  return builder.finish({{"f", sum(log(e / total) * weight, {0}).id}});
}

TEST(Allocation, ScalarCode) {
  expectNoneOf({}, [](Expr x) { return x + 1.0; });
  expectNoneOf({5}, [](Expr x) { return sum(sin(x) * erf(x) + exp(square(x)), {0}); });
}

TEST(Allocation, Kernels) {
  expectNoneOf({5000}, [](Expr x) { return exp(x) * lgamma(x + 1.0); });
  expectNoneOf({70, 50}, [](Expr x) { return transpose(flip(x, {0}), {1, 0}) * 2.0; });
  expectNoneOf({3000}, [](Expr x) { return sliceAxis(x, 0, {1, 999, 3}) - 1.0; });
}

TEST(Allocation, Reductions) {
  expectNoneOf({10000}, [](Expr x) { return sum(exp(x), {0}); });
  expectNoneOf({300, 70}, [](Expr x) { return sum(square(x), {0}); });
  expectNoneOf({300, 70}, [](Expr x) { return reduceMax(square(x), {1}); });
}

TEST(Allocation, LibrarySteps) {
  expectNoneOf({60, 60}, [](Expr x) { return batchMatmul(x, transpose(x, {1, 0})); });
  expectNoneOf({2, 200, 150}, [](Expr x) { return batchMatmul(x, transpose(x, {0, 2, 1})); });
  expectNoneOf({100, 30}, [](Expr x) { return cumsum(x, 0, true) + cumsum(x, 1, false); });
  expectNoneOf({500}, [](Expr x) { return gather(x, stopGradient(x), 0); });
}

TEST(Allocation, Lanes) {
  const TapePtr row = rowFunction(7);
  expectNone(vmap(row, 3000, {true, false}));
  expectNone(vmap(valueAndGrad(row, Positions{0, 1}), 3000, {true, true}));
  expectNone(gradient(selectOutputs(row, Positions{0}), Positions{0, 1}));
}

TEST(Allocation, Jacobians) {
  const TapePtr row = gradient(rowFunction(40), Positions{0});
  for (const JacobianMode mode : {JacobianMode::Forward, JacobianMode::Reverse})
    expectNone(jacobian(row, Positions{0}, mode).tape);
}

TEST(Allocation, CompressedDerivatives) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {500})};
  const Expr products = sliceAxis(x, 0, {1, 499, 1}) * sliceAxis(x, 0, {0, 499, 1});
  const TapePtr t = builder.finish({{"y", sum(sin(products), {0}).id}});
  for (const auto method : {coloring::Method::Star, coloring::Method::Acyclic}) {
    SparseOptions options;
    options.of = PatternOf::Hessian;
    options.method = SparseMethod::Coloring;
    options.coloring = method;
    options.withValues = true;
    expectNone(sparseDerivative(t, Positions{0}, options).tape);
  }
}

TEST(Allocation, RunsOnThreads) {
  const auto plan =
      makePlan(vmap(valueAndGrad(rowFunction(7), Positions{0, 1}), 20000, {true, false}));
  const auto executable = makeExecutable(plan);
  constexpr unsigned kThreads = 3;
  Runs runs(executable, kThreads);
  RunControl control;
  control.threads = kThreads;
  // The pool starts its threads in the first runs.
  for (int i = 0; i < 1000 && runs.of(1, &control) > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(runs.of(isInstrumented() ? 5 : 50, &control), 0);
}

/// Steps that only plans made by hand have together.
TEST(Allocation, SortsAndProductsOfOnePlan) {
  PlanMaker maker;
  const std::int64_t n = 5000;
  const BufferId x = maker.io(n), y = maker.io(n), s = maker.io(1), o = maker.io(n);
  KernelMaker k;
  k.k.extents = {n};
  const auto e = k.op(Op::Exp, k.loadAll(x));
  k.storeAll(y, e);
  k.reduce(ReduceOp::Sum, k.access(s, {0}), 1, e);
  IndexStep sort{IndexStep::Kind::ArgSort, 1, n, 1, x, o};
  MatMulStep product{1, 50, 100, 50, {x, 0, {0, 50, 1}}, {y, 0, {0, 1, 50}}, o};
  maker.plan->steps = {k.k, sort, product};
  EXPECT_EQ(Runs(makeInterpreter(maker.plan)).of(2), 0);
}

}  // namespace
}  // namespace adjoint::testing

// What asking for an operation gives: checks, sharing, folding, and the rewrites that are allowed.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "ops/build.h"
#include "ops/row.h"
#include "test/support/evaluator.h"
#include "test/tape_lanes.h"

namespace adjoint::testing {
namespace {

using namespace ex;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(Apply, AllowedSimplifications) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {3})};
  EXPECT_EQ((x * 1.0).id, x.id);
  EXPECT_EQ((1.0 * x).id, x.id);
  EXPECT_EQ((x / 1.0).id, x.id);
  EXPECT_EQ((x - 0.0).id, x.id);
  EXPECT_EQ((-(-x)).id, x.id);
  EXPECT_EQ((x * -1.0).id, (-x).id);
  EXPECT_EQ((-1.0 * x).id, (-x).id);
  const Expr c = greater(x, 0.0);
  EXPECT_EQ(logicalNot(logicalNot(c)).id, c.id);
  EXPECT_EQ(logicalAnd(c, c).id, c.id);
  EXPECT_EQ(where(c, x, x).id, x.id);
  EXPECT_EQ(where(fullBool(x, true), x, sin(x)).id, x.id);
}

/// Each of these would change what happens at 0, infinity or NaN, or the sign of a zero.
TEST(Apply, ForbiddenSimplifications) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {})};
  const TapePtr t = builder.finish({{"x + 0", (x + 0.0).id},
                                    {"0 - x", (0.0 - x).id},
                                    {"0 * x", (0.0 * x).id},
                                    {"x - x", (x - x).id},
                                    {"x / x", (x / x).id},
                                    {"x - -0", (x - -0.0).id},
                                    {"0 / x", (0.0 / x).id},
                                    {"x + -x", (x + (-x)).id}});
  struct Case {
    double x;
    Values want;
  };
  const std::vector<Case> cases = {
      {-0.0, {0.0, 0.0, -0.0, 0.0, kNaN, 0.0, kNaN, 0.0}},
      {0.0, {0.0, 0.0, 0.0, 0.0, kNaN, 0.0, kNaN, 0.0}},
      {kInf, {kInf, -kInf, kNaN, kNaN, kNaN, kInf, 0.0, kNaN}},
      {kNaN, Values(8, kNaN)},
      {-2, {-2, 2, -0.0, 0.0, 1, -2, -0.0, 0.0}},
  };
  for (const Case& each : cases) {
    const Arrays got = evaluate(t, {{each.x}});
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_TRUE(identical(got[i][0], each.want[i]))
          << t->outputs()[i].name << " at " << each.x << ": " << got[i][0];
    }
  }
}

/// Every elementwise row folds constants, uniform and dense, to the bits that it computes at run
/// time.
TEST(Apply, FoldedConstantsHaveTheBitsOfRunTime) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> uniform(-3, 3);
  constexpr std::int64_t kCount = 21;
  for (const Row& row : allRows()) {
    if (!row.kernel) continue;
    for (const int attr : attrsOf(row.op)) {
      Arrays inputs;
      for (int i = 0; i < row.arity; ++i) {
        const bool isBool =
            row.operandType == DType::Bool || (row.family == Family::Where && i == 0);
        inputs.emplace_back();
        for (std::int64_t k = 0; k < kCount; ++k) {
          const double special[] = {0.0, -0.0, 1, -1, kInf, -kInf, kNaN, 1e-310};
          inputs.back().push_back(isBool         ? static_cast<double>(random() % 2)
                                  : random() % 3 ? uniform(random)
                                                 : special[random() % 8]);
        }
      }
      Builder folding;
      Builder running;
      std::vector<NodeId> constants;
      std::vector<NodeId> variables;
      std::vector<std::int64_t> attrs;
      if (attr != 0) attrs.push_back(attr);
      for (const Values& values : inputs) {
        const bool isBool =
            row.operandType == DType::Bool || (row.family == Family::Where && constants.empty());
        const DType type = isBool ? DType::Bool : DType::F64;
        constants.push_back(folding.data(values, {kCount}, type));
        variables.push_back(running.input(std::to_string(variables.size()), {kCount}, type));
      }
      const NodeId folded = apply(folding, row.op, constants, attrs);
      EXPECT_EQ(folding.node(folded).arity, 0) << row.name;
      const TapePtr atRunTime = running.finish({{"y", apply(running, row.op, variables, attrs)}});
      const Values want = evaluate(atRunTime, inputs)[0];
      const TapePtr atBuildTime = folding.finish({{"y", folded}});
      const Values got = evaluate(atBuildTime, {})[0];
      for (std::size_t k = 0; k < kCount; ++k) {
        EXPECT_TRUE(identical(got[k], want[k]))
            << row.name << " " << attr << ": " << got[k] << " and " << want[k];
        // And one by one.
        Builder uniformly;
        std::vector<NodeId> scalars;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
          scalars.push_back(uniformly.constant(inputs[i][k], {},
                                               atRunTime->node(atRunTime->inputs()[i].node).dtype));
        }
        const NodeId scalar = apply(uniformly, row.op, scalars, attrs);
        ASSERT_EQ(uniformly.node(scalar).op, tapeop::kConstant) << row.name;
        EXPECT_TRUE(identical(Tape::constantValue(uniformly.node(scalar)), want[k]))
            << row.name << " " << attr;
      }
    }
  }
}

TEST(Apply, ElementwiseWorkIsDoneBeforeBroadcasting) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {3})};
  const Expr wide = broadcastTo(x, {1000, 3});
  const Expr y = sin(wide) * wide + 2.0;
  ASSERT_EQ(opOf(builder.node(y.id)), Op::BroadcastTo);
  EXPECT_EQ(builder.shape(builder.node(y.id).operand[0]), (Shape{3}));
}

struct Wrong {
  const char* name;
  ErrorCode code;
  std::function<void(Builder&, Expr x, Expr flags)> call;
};

/// Operations with axes, lists and kinds that do not fit. x is [2,3], flags a boolean of that
/// shape.
TEST(Apply, WrongCallsNameTheirCode) {
  const auto op = [](Op o, std::vector<std::int64_t> attrs = {}) {
    return [o, attrs](Builder& b, Expr x, Expr) { apply(b, o, {&x.id, 1}, attrs); };
  };
  const auto pair = [](Op o, const Shape& other, std::vector<std::int64_t> attrs = {}) {
    return [o, other, attrs](Builder& b, Expr x, Expr) {
      const NodeId ids[] = {x.id, b.input("other", other)};
      apply(b, o, ids, attrs);
    };
  };
  const std::vector<Wrong> calls = {
      {"add of shapes", ErrorCode::Shape, pair(Op::Add, {2})},
      {"add of one", ErrorCode::Argument, op(Op::Add)},
      {"add with attributes", ErrorCode::Argument, pair(Op::Add, {3}, {1, 2})},
      {"sin of a boolean", ErrorCode::DType, [](Builder&, Expr, Expr f) { sin(f); }},
      {"logic of numbers", ErrorCode::DType, [](Builder&, Expr x, Expr) { logicalNot(x); }},
      {"where of a number", ErrorCode::DType, [](Builder&, Expr x, Expr) { where(x, x, x); }},
      {"where of kinds", ErrorCode::DType, [](Builder&, Expr x, Expr f) { where(f, x, f); }},
      {"reshape to another count", ErrorCode::Shape, op(Op::Reshape, {4})},
      {"reshape with two unknowns", ErrorCode::Shape, op(Op::Reshape, {-1, -1})},
      {"reshape that does not divide", ErrorCode::Shape, op(Op::Reshape, {-1, 4})},
      {"transpose of an axis twice", ErrorCode::Argument, op(Op::Transpose, {0, 0})},
      {"transpose of too few axes", ErrorCode::Shape, op(Op::Transpose, {0})},
      {"transpose past the rank", ErrorCode::Shape, op(Op::Transpose, {0, 2})},
      {"broadcast to another extent", ErrorCode::Shape, op(Op::BroadcastTo, {3, 3})},
      {"broadcast to fewer axes", ErrorCode::Shape, op(Op::BroadcastTo, {3})},
      {"slice past the end", ErrorCode::Index, op(Op::Slice, {0, 2, 1, 1, 3, 1})},
      {"slice backwards", ErrorCode::Index, op(Op::Slice, {0, 2, 1, 0, 3, -1})},
      {"slice of one axis", ErrorCode::Argument, op(Op::Slice, {0, 2, 1})},
      {"slice with a huge step", ErrorCode::Index,
       op(Op::Slice, {0, 2, std::int64_t{1} << 62, 0, 3, 1})},
      {"at past the end", ErrorCode::Index, op(Op::At, {2})},
      {"at before the start", ErrorCode::Index, op(Op::At, {-3})},
      {"at with too many indices", ErrorCode::Shape, op(Op::At, {0, 0, 0})},
      {"pad of one axis", ErrorCode::Argument, op(Op::Pad, {1, 1})},
      {"pad by less than nothing", ErrorCode::Argument, op(Op::Pad, {-1, 1, 0, 0})},
      {"flip past the rank", ErrorCode::Shape, op(Op::Flip, {2})},
      {"concat of shapes", ErrorCode::Shape, pair(Op::Concat, {2, 4}, {0})},
      {"concat of ranks", ErrorCode::Shape, pair(Op::Concat, {2}, {0})},
      {"concat without an axis", ErrorCode::Argument, pair(Op::Concat, {2, 3})},
      {"stack of shapes", ErrorCode::Shape, pair(Op::Stack, {2}, {0})},
      {"gather by booleans", ErrorCode::DType, [](Builder&, Expr x, Expr f) { gather(x, f, 0); }},
      {"gather past the rank", ErrorCode::Shape, pair(Op::Gather, {2}, {2})},
      {"sum past the rank", ErrorCode::Shape, op(Op::Sum, {0, 2})},
      {"sum of an axis twice", ErrorCode::Argument, op(Op::Sum, {0, 1, -1})},
      {"sum of booleans", ErrorCode::DType, [](Builder&, Expr, Expr f) { sum(f, {0}); }},
      {"argmax past the rank", ErrorCode::Shape, op(Op::ArgMax, {2})},
      {"norm of order 3", ErrorCode::Argument, op(Op::Norm, {3, 0})},
      {"linearRecurrence of shapes", ErrorCode::Shape, pair(Op::LinearRecurrence, {2, 2}, {0, 0})},
      {"matmul inside", ErrorCode::Shape, pair(Op::MatMul, {2, 3})},
      {"matmul by a scalar", ErrorCode::Shape, pair(Op::MatMul, {})},
      {"dot of matrices", ErrorCode::Shape, pair(Op::Dot, {2, 3})},
      {"outer of matrices", ErrorCode::Shape, pair(Op::Outer, {2})},
      {"diag of booleans past everything", ErrorCode::Argument,
       op(Op::Diag, {std::int64_t{1} << 40})},
      {"tril of a vector", ErrorCode::Shape,
       [](Builder&, Expr x, Expr) { apply(Op::Tril, {apply(Op::At, {x}, {0})}, {0}); }},
      {"einsum of bad letters", ErrorCode::Argument, op(Op::Einsum, {'i', '1'})},
      {"einsum of too few letters", ErrorCode::Argument, op(Op::Einsum, {'i'})},
      {"einsum of extents", ErrorCode::Shape, op(Op::Einsum, {'i', 'i'})},
      {"einsum of two", ErrorCode::Argument, op(Op::Einsum, {'i', 'j', ',', 'k'})},
      {"einsum to a stranger", ErrorCode::Argument, op(Op::Einsum, {'i', 'j', '-', '>', 'k'})},
      {"custom by itself", ErrorCode::Argument, op(Op::Custom, {0})},
      {"no such operation", ErrorCode::Argument, op(static_cast<Op>(999))},
      {"a broadcast beyond all memory", ErrorCode::Limit, op(Op::BroadcastTo, {1 << 30, 2, 3})},
  };
  for (const Wrong& wrong : calls) {
    Builder builder;
    const Expr x{&builder, builder.input("x", {2, 3})};
    const Expr flags{&builder, builder.input("flags", {2, 3}, DType::Bool)};
    try {
      wrong.call(builder, x, flags);
      ADD_FAILURE() << wrong.name << " was accepted";
    } catch (const Error& error) {
      EXPECT_STREQ(errorCodeName(error.code()), errorCodeName(wrong.code))
          << wrong.name << ": " << error.what();
      EXPECT_GT(error.message().size(), 8u) << wrong.name;
    }
  }
}

TEST(Apply, ReductionsOfNothing) {
  Builder builder;
  const Expr none{&builder, builder.input("none", {0, 3})};
  const auto code = [&](Op op, std::initializer_list<std::int64_t> attrs) {
    try {
      apply(op, {none}, attrs);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::Native;
  };
  EXPECT_EQ(code(Op::ReduceMax, {0, 0}), ErrorCode::Shape);
  EXPECT_EQ(code(Op::ArgMin, {0}), ErrorCode::Shape);
  EXPECT_EQ(code(Op::Median, {0}), ErrorCode::Shape);
  // Nothing of nothing is fine.
  EXPECT_EQ(apply(Op::ReduceMax, {none}, {0, 1}).shape(), (Shape{0}));
  const TapePtr t =
      builder.finish({{"sum", sum(none, {0}).id}, {"prod", apply(Op::Prod, {none}, {0, 0}).id}});
  EXPECT_TRUE(identical(evaluate(t, {{}}), {{0, 0, 0}, {1, 1, 1}}));
}

}  // namespace
}  // namespace adjoint::testing

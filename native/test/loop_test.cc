// The loop node itself: what is refused, and what a run gives.
#include "ops/loop.h"

#include <gtest/gtest.h>

#include "ops/build.h"
#include "test/support/loops.h"

namespace adjoint::testing {
namespace {

using namespace ex;

ErrorCode codeOf(LoopAttributes attributes, const Shape& constant, const Shape& carry,
                 const Shape& stream, const std::function<StepOutputs(const StepInputs&)>& step) {
  Builder builder;
  const std::vector<Expr> operands = {{&builder, builder.input("c", constant)},
                                      {&builder, builder.input("x", carry)},
                                      {&builder, builder.input("u", stream)}};
  try {
    loop(attributes, operands, step);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::Native;  // nothing was wrong
}

TEST(Loop, ChecksItsStep) {
  const LoopAttributes attributes = loopOf(4, 1, 1, 1);
  const auto next = [](const StepInputs& in) { return StepOutputs{in[0] * in[1] + in[2]}; };
  EXPECT_EQ(codeOf(attributes, {}, {}, {4}, next), ErrorCode::Native);
  EXPECT_EQ(codeOf(attributes, {}, {}, {3}, next), ErrorCode::Shape);
  EXPECT_EQ(codeOf(attributes, {2}, {}, {4}, next), ErrorCode::Shape);
  const auto boolean = [](const StepInputs& in) {
    return StepOutputs{apply(Op::Less, {in[0], in[1]})};
  };
  EXPECT_EQ(codeOf(attributes, {}, {}, {4}, boolean), ErrorCode::DType);
  LoopAttributes other = attributes;
  other.trips = LoopTrips::While;
  EXPECT_EQ(codeOf(other, {}, {}, {4}, next), ErrorCode::DType);
  other.trips = LoopTrips::Counted;
  EXPECT_EQ(codeOf(other, {}, {}, {4}, next), ErrorCode::Argument);
  other = attributes;
  other.length = -1;
  EXPECT_NE(codeOf(other, {}, {}, {4}, next), ErrorCode::Native);
}

/// A loop that reads u[index] backwards and gives what it read.
TEST(Loop, RowsAndIndexRunTogether) {
  Builder builder;
  const Expr x{&builder, builder.input("x", {})};
  const Expr u{&builder, builder.input("u", {3})};
  LoopAttributes attributes = loopOf(3, 0, 1, 1);
  attributes.reverse = attributes.indexed = true;
  const auto items = loop(attributes, {x, u}, [](const StepInputs& in) {
    return StepOutputs{in[0] * 10.0 + in[1], in[2] * 100.0 + in[1], in[0]};
  });
  const TapePtr t =
      builder.finish({{"x", items[0].id}, {"rows", items[1].id}, {"before", items[2].id}});
  const Arrays inputs = {{7}, {1, 2, 3}};
  const Arrays expected = {{7321}, {1, 102, 203}, {732, 73, 7}};
  EXPECT_TRUE(identical(run(t, inputs), expected));
  EXPECT_TRUE(identical(evaluate(unrolled(t), inputs), expected));
  EXPECT_EQ(largestError(expected, *t, inputs), 0);
}

}  // namespace
}  // namespace adjoint::testing

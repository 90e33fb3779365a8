// Products whose operands have known zeros, and results that nobody reads: the same values as
// without that knowledge.
#include "plan/structure.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "ops/build.h"
#include "test/support/evaluator.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

using namespace ex;

constexpr std::int64_t kSize = 24;

/// For each element of a lower triangular matrix its position among the packed ones, with a zero at
/// their end.
Values placesOfTriangle() {
  Values places;
  std::int64_t packed = 0;
  for (std::int64_t i = 0; i < kSize; ++i)
    for (std::int64_t j = 0; j < kSize; ++j)
      places.push_back(static_cast<double>(j <= i ? packed++ : kSize * (kSize + 1) / 2));
  return places;
}

Values numbers(std::int64_t n) {
  Values result;
  for (std::int64_t i = 0; i < n; ++i)
    result.push_back(static_cast<double>(i * 7919 % 1000) / 500 - 1);
  return result;
}

/// Sum of the squares of L x by point, where L is triangular: put together from its packed
/// elements, or given as a matrix.
TapePtr transformed(std::int64_t points, bool isPacked) {
  Builder builder;
  const std::int64_t packed = kSize * (kSize + 1) / 2;
  const Expr given{&builder, builder.input("l", isPacked ? Shape{packed} : Shape{kSize, kSize})};
  const Expr x{&builder, builder.input("x", {points, kSize})};
  Expr factor = given;
  if (isPacked) {
    const Expr zero{&builder, builder.constant(0.0, {1})};
    const Expr places{&builder, builder.data(placesOfTriangle(), {kSize * kSize})};
    factor = reshape(gather(concat({given, zero}, 0), places, 0), {kSize, kSize});
  }
  const Expr z = batchMatmul(factor, transpose(x, {1, 0}));
  return builder.finish({{"f", sum(exp(-0.1 * sum(square(z), {0})), {0}).id}});
}

Values triangleOf(const Values& packed) {
  Values result;
  for (const double place : placesOfTriangle()) {
    const auto at = static_cast<std::size_t>(place);
    result.push_back(at < packed.size() ? packed[at] : 0.0);
  }
  return result;
}

class Triangles : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(Triangles, HaveTheValuesOfFullMatrices) {
  const std::int64_t points = GetParam();
  const Values packed = numbers(kSize * (kSize + 1) / 2);
  const TapePtr own = valueAndGrad(transformed(points, true), std::vector<std::size_t>{0, 1});
  const TapePtr full = valueAndGrad(transformed(points, false), std::vector<std::size_t>{0, 1});
  for (const double special :
       {0.5, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    Values x = numbers(points * kSize);
    x[static_cast<std::size_t>(points / 2 * kSize + kSize - 1)] = special;
    const Arrays found = evaluate(own, {packed, x});
    const Arrays wanted = evaluate(full, {triangleOf(packed), x});
    EXPECT_TRUE(identical(Arrays{found[0]}, Arrays{wanted[0]}));
    EXPECT_TRUE(identical(Arrays{found[2]}, Arrays{wanted[2]}));
    Values lower;
    for (std::int64_t i = 0; i < kSize; ++i)
      for (std::int64_t j = 0; j <= i; ++j)
        lower.push_back(wanted[1][static_cast<std::size_t>(i * kSize + j)]);
    EXPECT_TRUE(identical(Arrays{found[1]}, Arrays{lower}));
  }
}

// In a loop over lanes, and too few points for one.
INSTANTIATE_TEST_SUITE_P(Points, Triangles, ::testing::Values(9, 31, 32, 200, 5000));

TEST(Structure, FindsZerosAndWhatIsRead) {
  const TapePtr t = valueAndGrad(transformed(20, true), std::vector<std::size_t>{0});
  const Structure structure(*t, {});
  bool hasZeros = false, hasUnread = false;
  for (NodeId id = 0; id < t->size(); ++id) {
    if (opOf(t->node(id)) != Op::BatchMatMul) continue;
    const auto zeros = structure.nonzeroSpans(t->node(id).operand[0]);
    const auto needed = structure.neededSpans(id);
    for (const auto* spans : {&zeros, &needed}) {
      for (std::size_t row = 0; row < spans->size(); ++row) {
        EXPECT_EQ((*spans)[row].first, 0);
        EXPECT_EQ((*spans)[row].last, static_cast<std::int64_t>(row) + 1);
      }
    }
    hasZeros = hasZeros || !zeros.empty();
    hasUnread = hasUnread || !needed.empty();
  }
  EXPECT_TRUE(hasZeros);
  EXPECT_TRUE(hasUnread);
}

}  // namespace
}  // namespace adjoint::testing

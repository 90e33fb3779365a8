// Elements whose places are written out are those that a walk finds.
#include "exec/known_places.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace adjoint::exec {
namespace {

/// A pattern of rows times columns; `stride` elements a row, `step` a column.
Pattern matrixPattern(std::int64_t rows, std::int64_t columns, std::int64_t stride,
                      std::int64_t step) {
  IndexMap map;
  map.stride = {stride, step};
  return makePattern(map, {rows, columns});
}

/// Indices in runs of up to `longest`, the last element among them.
std::vector<double> indicesInRuns(std::mt19937_64& random, std::size_t n, std::int64_t limit,
                                  std::int64_t longest) {
  std::vector<double> indices{static_cast<double>(limit - 1)};
  while (indices.size() < n) {
    const auto length = 1 + static_cast<std::int64_t>(random() % std::uint64_t(longest));
    const auto first = static_cast<std::int64_t>(random() % std::uint64_t(limit - length + 1));
    for (std::int64_t i = 0; i < length; ++i) indices.push_back(static_cast<double>(first + i));
  }
  indices.resize(n);
  return indices;
}

TEST(KnownPlaces, GathersAreThoseOfAWalk) {
  std::mt19937_64 random(5);
  constexpr std::int64_t kLimit = 97;
  for (const std::int64_t longest : {1, 2, 3, 5, 40}) {
    for (const std::int64_t points : {1, 3, 255, 256, 1031}) {
      const std::vector<double> constants =
          indicesInRuns(random, static_cast<std::size_t>(points), kLimit, longest);
      std::vector<double> memory(kLimit);
      for (double& x : memory) x = static_cast<double>(random() % 1000);
      const Pattern one = matrixPattern(1, points, 0, 0);
      const Pattern index = matrixPattern(1, points, 0, 1);
      const auto found = placesOfGather({one, 1, kLimit}, index, constants.data(), points);
      ASSERT_TRUE(found);
      const KnownPlaces places = KnownPlaces::ofPlaces(*found, kLimit);
      for (std::int64_t from = 0; from < points; from += 1 + from / 3) {
        for (const std::int64_t n : {std::int64_t{1}, std::int64_t{7}, points}) {
          const std::int64_t count = std::min(n, points - from);
          std::vector<double> out(static_cast<std::size_t>(count) + 1, -1);
          places.load(memory.data(), from, out.data(), count);
          for (std::int64_t i = 0; i < count; ++i)
            ASSERT_EQ(out[std::size_t(i)], memory[std::size_t(constants[std::size_t(from + i)])]);
          ASSERT_EQ(out.back(), -1) << "nothing past the end is written";
        }
      }
    }
  }
}

TEST(KnownPlaces, RowsAreGatheredWhole) {
  const std::vector<double> constants{3, 0, 2, 2};
  const Pattern columns = matrixPattern(4, 5, 0, 1);
  const Pattern index = matrixPattern(4, 5, 1, 0);
  std::vector<double> memory(20);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<double>(i);
  const auto found = placesOfGather({columns, 5, 4}, index, constants.data(), 20);
  ASSERT_TRUE(found);
  const KnownPlaces places = KnownPlaces::ofPlaces(*found, 20);
  std::vector<double> out(20);
  places.load(memory.data(), 0, out.data(), 20);
  for (std::size_t i = 0; i < 20; ++i)
    EXPECT_EQ(out[i], memory[5 * static_cast<std::size_t>(constants[i / 5]) + i % 5]);
}

TEST(KnownPlaces, BadIndicesAreLeftToTheRun) {
  const Pattern one = matrixPattern(1, 3, 0, 0);
  const Pattern index = matrixPattern(1, 3, 0, 1);
  for (const double bad : {-1.0, 4.0, 0.5, 1e300, -HUGE_VAL, std::nan("")}) {
    const std::vector<double> constants{0, bad, 1};
    EXPECT_FALSE(placesOfGather({one, 1, 4}, index, constants.data(), 3)) << bad;
  }
}

TEST(KnownPlaces, FewPointsGoWhereTheyCameFrom) {
  const Pattern pattern = matrixPattern(3, 4, 1, 3);  // a transpose
  const KnownPlaces places = KnownPlaces::ofFew(pattern, 12);
  std::vector<double> memory(12), lanes(12), back(12);
  for (std::size_t i = 0; i < 12; ++i) memory[i] = static_cast<double>(i);
  places.load(memory.data(), 0, lanes.data(), 12);
  EXPECT_EQ(lanes[1], 3);
  EXPECT_EQ(lanes[4], 1);
  places.store(back.data(), 0, lanes.data(), 7);
  places.store(back.data(), 7, lanes.data() + 7, 5);
  EXPECT_EQ(back, memory);
}

}  // namespace
}  // namespace adjoint::exec

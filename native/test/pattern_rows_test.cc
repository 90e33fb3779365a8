// Rows of patterns against std::set, whichever way they are added.
#include "sparsity/pattern_rows.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tape/error.h"

namespace adjoint {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 30;

/// All elements, as short rows as long as they are.
void addAll(PatternRows& rows, const std::vector<std::vector<SetId>>& layers, std::int64_t count) {
  std::vector<const SetId*> data;
  for (const auto& layer : layers) data.push_back(layer.data());
  for (std::int64_t i = 0; i < count; ++i) {
    i += rows.addShort(data, i, count);
    if (i == count) return;
    std::vector<SetId> ids;
    for (const auto& layer : layers) ids.push_back(layer[static_cast<std::size_t>(i)]);
    rows.add(ids);
  }
}

TEST(PatternRows, RandomLayers) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 500; ++trial) {
    const std::int64_t columns = 1 + random() % 20;
    const std::size_t count = random() % 30;
    IndexSets sets(columns);
    const auto single = [&] { return sets.single(random() % static_cast<unsigned>(columns)); };
    // Few kinds of elements, so that rows also repeat.
    std::vector<SetId> kinds = {kEmptySet, single(), single(), single()};
    if (trial % 2 == 0) kinds.push_back(sets.unite(single(), single()));
    if (trial % 5 == 0) {
      std::vector<SetId> parts;
      for (int i = 0; i < 10; ++i) parts.push_back(single());
      kinds.push_back(sets.unite(parts));
    }
    std::vector<std::vector<SetId>> layers(random() % 30);
    for (auto& layer : layers) {
      for (std::size_t i = 0; i < count; ++i) layer.push_back(kinds[random() % kinds.size()]);
    }
    PatternRows rows(sets, static_cast<std::int64_t>(count), kMost);
    addAll(rows, layers, static_cast<std::int64_t>(count));
    const SparsePattern found = std::move(rows).finish();
    ASSERT_EQ(found.rowIndex.size(), count + 1);
    SetMembers members(sets);
    for (std::size_t i = 0; i < count; ++i) {
      std::set<std::int32_t> expected;
      for (const auto& layer : layers) {
        for (const std::int32_t column : members.of({&layer[i], 1})) expected.insert(column);
      }
      const std::vector<std::int32_t> row(found.columnIndex.begin() + found.rowIndex[i],
                                          found.columnIndex.begin() + found.rowIndex[i + 1]);
      EXPECT_EQ(row, std::vector<std::int32_t>(expected.begin(), expected.end()));
    }
  }
}

TEST(PatternRows, ShortRowsKeepTheLimit) {
  IndexSets sets(4);
  PatternRows rows(sets, 4, 5);
  EXPECT_THROW(addAll(rows, {{1, 2, 3, 4}, {2, 3, 4, 1}}, 4), Error);
}

}  // namespace
}  // namespace adjoint

// Unions of sets against std::set.
#include "sparsity/index_sets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace adjoint {
namespace {

using Members = std::set<std::int32_t>;

Members membersOf(SetMembers& members, SetId id) {
  const auto all = members.of({&id, 1});
  return {all.begin(), all.end()};
}

TEST(IndexSets, RandomUnions) {
  for (const std::int64_t columns : {5, 60, 3000}) {
    std::mt19937 random(static_cast<unsigned>(columns));
    IndexSets sets(columns);
    std::vector<SetId> ids = {kEmptySet};
    std::vector<Members> all = {{}};
    for (int step = 0; step < 600; ++step) {
      std::vector<SetId> parts;
      Members expected;
      const std::size_t count = random() % 12;
      for (std::size_t i = 0; i < count; ++i) {
        if (random() % 2 == 0) {
          const auto column = static_cast<std::int32_t>(random() % static_cast<unsigned>(columns));
          parts.push_back(sets.single(column));
          expected.insert(column);
        } else {
          const std::size_t k = random() % ids.size();
          parts.push_back(ids[k]);
          expected.insert(all[k].begin(), all[k].end());
        }
      }
      ids.push_back(sets.unite(parts));
      all.push_back(expected);
    }
    SetMembers members(sets);
    for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(membersOf(members, ids[i]), all[i]);
    // Sets of few runs with the same members are one.
    for (std::size_t i = 0; i < ids.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (all[i] == all[j] && all[i].size() <= 60) {
          EXPECT_EQ(ids[i], ids[j]);
        }
      }
    }
  }
}

TEST(IndexSets, LargeUnionsTakeNoCopies) {
  const std::int32_t columns = 100000;
  IndexSets sets(columns);
  std::vector<SetId> singles;
  for (std::int32_t i = 0; i < columns; ++i) singles.push_back(sets.single(i));
  const SetId whole = sets.unite(singles);
  EXPECT_EQ(sets.unions(), 1u);
  // What it has anyway adds nothing.
  EXPECT_EQ(sets.unite(whole, sets.single(77)), whole);
  SetId chain = kEmptySet;
  std::size_t parts = 0;
  for (std::int32_t i = 0; i < columns; ++i) chain = sets.unite(chain, sets.single(i));
  for (std::size_t i = 0; i < sets.unions(); ++i)
    parts += sets.parts(static_cast<SetId>(columns + 1 + static_cast<std::int32_t>(i))).size();
  EXPECT_LT(parts, 4u * columns);
  SetMembers members(sets);
  EXPECT_EQ(members.of({&chain, 1}).size(), static_cast<std::size_t>(columns));
  EXPECT_EQ(members.of({&whole, 1}).size(), static_cast<std::size_t>(columns));
}

/// Few runs far from each other, many close together, and all in order.
TEST(ColumnRuns, RandomRuns) {
  std::mt19937 random(5);
  ColumnRuns runs;
  for (int trial = 0; trial < 3000; ++trial) {
    const unsigned extent = trial % 3 == 0 ? 100000 : trial % 3 == 1 ? 700 : 130;
    const unsigned longest = 1 + random() % 150;
    Members expected;
    std::vector<ColumnRun> given;
    for (unsigned i = random() % 30; i > 0; --i) {
      const auto first = static_cast<std::int32_t>(random() % extent);
      const auto last = first + static_cast<std::int32_t>(random() % longest);
      given.push_back({first, last});
      for (std::int32_t column = first; column <= last; ++column) expected.insert(column);
    }
    if (trial % 5 == 0) std::ranges::sort(given, {}, &ColumnRun::first);
    runs.clear();
    for (const ColumnRun& run : given) runs.add(run);
    Members got;
    std::int32_t before = -2;
    for (const ColumnRun& run : runs.merged()) {
      EXPECT_GT(run.first, before + 1);
      for (std::int32_t column = run.first; column <= run.last; ++column) got.insert(column);
      before = run.last;
    }
    ASSERT_EQ(got, expected);
  }
}

TEST(IndexSets, Makers) {
  IndexSets sets(200);
  std::vector<SetId> half;
  for (std::int32_t i = 0; i < 100; ++i) half.push_back(sets.single(i));
  sets.setMaker(7);
  const SetId first = sets.unite(half);
  sets.setMaker(8);
  const SetId more = sets.unite(first, sets.single(150));
  EXPECT_EQ(sets.madeBy(more, 100), 7u);
  EXPECT_EQ(sets.madeBy(more, 101), 8u);
  EXPECT_EQ(sets.madeBy(more, 102), kNoNode);
  EXPECT_EQ(sets.madeBy(sets.single(3), 1), kNoNode);
}

TEST(IndexSets, Limit) { EXPECT_THROW(IndexSets(std::int64_t{1} << 31), Error); }

}  // namespace
}  // namespace adjoint

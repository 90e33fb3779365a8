#include <gtest/gtest.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "checkpoint/binomial.h"
#include "checkpoint/schedule.h"
#include "checkpoint_checker.h"
#include "tape/error.h"

namespace adjoint::testing {
namespace {

using namespace checkpoint;

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();

/// t(l, s) from its definition: the least over all first checkpoints.
std::vector<std::vector<std::int64_t>> optimaBySearch(int lengths, int slots) {
  std::vector<std::vector<std::int64_t>> t(lengths + 1, std::vector<std::int64_t>(slots + 1, 0));
  for (std::int64_t l = 2; l <= lengths; ++l) {
    t[l][1] = l * (l - 1) / 2;
    for (int s = 2; s <= slots; ++s) {
      std::int64_t least = kLargest;
      for (std::int64_t k = 1; k < l; ++k) least = std::min(least, k + t[l - k][s - 1] + t[k][s]);
      t[l][s] = least;
    }
  }
  return t;
}

std::int64_t forwardSteps(Schedule& schedule) {
  ScheduleChecker checker;
  checker.run(schedule);
  return checker.forward;
}

TEST(CheckpointSchedule, RevolveIsOptimal) {
  const auto t = optimaBySearch(200, 20);
  for (int l = 1; l <= 200; ++l) {
    for (int s = 1; s <= 20; ++s) {
      SCOPED_TRACE("l " + std::to_string(l) + ", s " + std::to_string(s));
      EXPECT_EQ(fewestForwardSteps(l, s), t[l][s]);
      EXPECT_EQ(forwardSteps(*revolve(l, s)), t[l][s]);
      if (HasFailure()) return;
    }
  }
}

TEST(CheckpointSchedule, RevolveTakesTheStepsOfThePaper) {
  EXPECT_EQ(forwardSteps(*revolve(250, 25)), 473);
  EXPECT_EQ(forwardSteps(*revolve(1000, 10)), 3636);
  EXPECT_EQ(fewestForwardSteps(1000000, 32), 5498058);
  const auto schedule = revolve(1000000, 32);
  const Counts c = counts(*schedule);
  EXPECT_EQ(c.forwardSteps, 5498058);
  EXPECT_EQ(c.finalSteps, 1);
  EXPECT_EQ(c.reverseSteps, 1000000);
  EXPECT_EQ(c.memoryStores, 564103);
  EXPECT_EQ(c.memoryRestores, 999999);
  EXPECT_EQ(c.mostMemorySlots, 32);
}

TEST(CheckpointSchedule, PrintsOneActionALine) {
  EXPECT_EQ(toString(*revolve(3, 1)),
            "store 0 in memory 0\n"
            "advance 0 to 2\n"
            "advance 2 to 3\n"
            "turn\n"
            "reverse 2\n"
            "restore 0 from memory 0\n"
            "advance 0 to 1\n"
            "reverse 1\n"
            "restore 0 from memory 0\n"
            "free memory 0\n"
            "reverse 0\n");
  EXPECT_EQ(toString(*multistage(3, 1, 1)),
            "store 0 in disk 0\n"
            "advance 0 to 1\n"
            "store 1 in memory 0\n"
            "advance 1 to 2\n"
            "advance 2 to 3\n"
            "turn\n"
            "reverse 2\n"
            "restore 1 from memory 0\n"
            "free memory 0\n"
            "reverse 1\n"
            "restore 0 from disk 0\n"
            "free disk 0\n"
            "reverse 0\n");
  EXPECT_EQ(toString(*storeAll(0)), "turn\n");
  EXPECT_EQ(toString(*revolve(0, 3)), "turn\n");
  EXPECT_EQ(toString(*storeAll(1)), "advance 0 to 1\nturn\nreverse 0\n");
  EXPECT_EQ(toString(*revolve(1, 1)), "advance 0 to 1\nturn\nreverse 0\n");
}

TEST(CheckpointSchedule, EveryKthStoresPartsWhole) {
  for (std::int64_t l = 0; l <= 60; ++l) {
    for (std::int64_t k = 1; k <= 62; ++k) {
      SCOPED_TRACE("l " + std::to_string(l) + ", k " + std::to_string(k));
      const std::int64_t parts = (l + k - 1) / k;
      const auto schedule = everyKth(l, k);
      // One sweep, and all parts but the last once more, each but for its last step.
      const std::int64_t expected = l == 0 ? 0 : l - 1 + (parts - 1) * (k - 1);
      EXPECT_EQ(forwardSteps(*schedule), expected);
      EXPECT_LE(schedule->memorySlots(), parts + std::max<std::int64_t>(k - 2, 0));
      if (HasFailure()) return;
    }
    EXPECT_EQ(forwardSteps(*storeAll(l)), std::max<std::int64_t>(l - 1, 0));
    EXPECT_EQ(storeAll(l)->memorySlots(), std::max<std::int64_t>(l - 1, 0));
  }
  EXPECT_EQ(everyRoot(10000)->memorySlots(), 198);
  EXPECT_EQ(forwardSteps(*everyRoot(10000)), 9999 + 99 * 99);
  EXPECT_EQ(everyRoot(10001)->memorySlots(), 199);
}

TEST(CheckpointSchedule, MultistageTakesTheStepsOfRevolve) {
  for (int l = 0; l <= 120; l += 7) {
    for (int memory = 0; memory <= 12; ++memory) {
      for (int disk = memory == 0; disk <= 12; ++disk) {
        SCOPED_TRACE(std::to_string(l) + " " + std::to_string(memory) + " " + std::to_string(disk));
        EXPECT_EQ(forwardSteps(*multistage(l, memory, disk)), fewestForwardSteps(l, memory + disk));
        if (HasFailure()) return;
      }
    }
  }
}

/// No choice of slots accesses the disk less: against the accesses of each depth, counted.
TEST(CheckpointSchedule, MultistageAccessesTheDiskLeast) {
  for (int l = 2; l <= 300; l += 3) {
    for (int slots = 1; slots <= 24; ++slots) {
      std::vector<std::int64_t> accesses(slots, 0);
      const auto memory = revolve(l, slots);
      for (Action a = memory->next(); a.kind != ActionKind::Done; a = memory->next()) {
        accesses[a.slot.index] += a.kind == ActionKind::Store || a.kind == ActionKind::Restore;
      }
      accesses.resize(memory->memorySlots());
      std::sort(accesses.begin(), accesses.end());
      std::int64_t least = 0;
      for (std::size_t disk = 0; disk < accesses.size(); ++disk) {
        const auto rest = static_cast<std::int32_t>(accesses.size() - disk);
        const auto schedule = multistage(l, rest, static_cast<std::int32_t>(disk));
        const Counts c = counts(*schedule);
        ASSERT_EQ(c.diskStores + c.diskRestores, least) << l << " " << rest << " " << disk;
        least += accesses[disk];
      }
    }
  }
}

TEST(CheckpointSchedule, MultistageCounts) {
  struct Known {
    int length, memory, disk;
    std::int64_t forward, memoryStores, memoryRestores, diskStores, diskRestores;
  };
  const Known all[] = {
      {10, 1, 1, 20, 3, 6, 1, 3},         {10, 2, 2, 14, 3, 5, 2, 4},
      {20, 3, 5, 30, 6, 9, 5, 10},        {50, 4, 16, 78, 8, 12, 21, 37},
      {100, 10, 20, 168, 30, 40, 39, 59}, {250, 10, 20, 468, 87, 97, 132, 152},
  };
  for (const Known& k : all) {
    SCOPED_TRACE(k.length);
    const Counts c = counts(*multistage(k.length, k.memory, k.disk));
    EXPECT_EQ(c.forwardSteps, k.forward);
    EXPECT_EQ(c.memoryStores, k.memoryStores);
    EXPECT_EQ(c.memoryRestores, k.memoryRestores);
    EXPECT_EQ(c.diskStores, k.diskStores);
    EXPECT_EQ(c.diskRestores, k.diskRestores);
  }
}

TEST(CheckpointSchedule, BinomialsOfLongChainsSaturate) {
  const std::int64_t l = std::int64_t{1} << 40;
  EXPECT_EQ(beta(0, 5), 1);
  EXPECT_EQ(beta(5, 0), 1);
  EXPECT_EQ(beta(-1, 3), 0);
  EXPECT_EQ(beta(3, -1), 0);
  EXPECT_EQ(beta(32, 32), 1832624140942590534);
  EXPECT_EQ(beta(33, 33), 7219428434016265740);
  EXPECT_EQ(beta(34, 34), kLargest);
  EXPECT_EQ(beta(l, l), kLargest);
  EXPECT_EQ(beta(1, kLongestChain), kLongestChain + 1);
  EXPECT_EQ(fewestForwardSteps(l, 1), kLargest);
  EXPECT_EQ(fewestForwardSteps(std::int64_t{1} << 32, 1), 9223372034707292160);
  EXPECT_EQ(fewestForwardSteps(l, l), l - 1);
  for (const std::int64_t s : {1, 2, 3, 4, 5, 7, 40, 100000}) {
    for (const std::int64_t length : {l, kLongestChain}) {
      const std::int64_t r = repetitions(length, s);
      EXPECT_GE(beta(s, r), length) << s;
      EXPECT_LT(beta(s, r - 1), length) << s;
    }
  }
}

/// The sweep of a chain of 2^40 steps stores as often as there are slots, and turns.
TEST(CheckpointSchedule, OfALongChain) {
  const std::int64_t l = std::int64_t{1} << 40;
  for (const std::int32_t slots : {1, 2, 3, 4, 5, 10, 100, 1000}) {
    for (const std::int32_t disk : {0, 1, 40}) {
      SCOPED_TRACE(std::to_string(slots) + " " + std::to_string(disk));
      const auto schedule = multistage(l, slots, disk);
      ScheduleChecker checker;
      for (int i = 0; i < 100000; ++i) checker.take(schedule->next());
      EXPECT_TRUE(checker.hasTurned);
      EXPECT_EQ(checker.mostMemory + checker.mostDisk, static_cast<std::size_t>(slots + disk));
      if (HasFailure()) return;
    }
  }
  const auto schedule = everyRoot(l);
  ScheduleChecker checker;
  for (int i = 0; i < 10; ++i) checker.take(schedule->next());
  EXPECT_EQ(checker.current, 5 * (std::int64_t{1} << 20));
}

template <class Make>
void expectError(ErrorCode code, const Make& make) {
  try {
    make();
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.message();
  }
}

TEST(CheckpointSchedule, RefusesWhatCanNotBe) {
  expectError(ErrorCode::Argument, [] { revolve(-1, 3); });
  expectError(ErrorCode::Argument, [] { revolve(10, 0); });
  expectError(ErrorCode::Argument, [] { multistage(10, -1, 3); });
  expectError(ErrorCode::Argument, [] { multistage(10, 0, 0); });
  expectError(ErrorCode::Argument, [] { everyKth(10, 0); });
  expectError(ErrorCode::Argument, [] { everyRoot(-1); });
  expectError(ErrorCode::Limit, [] { revolve(kLongestChain + 1, 3); });
  expectError(ErrorCode::Limit, [] { storeAll(std::int64_t{1} << 40); });
}

/// The rows of a table of integers, by file; none where ADJOINT_DATA is not set.
std::vector<std::vector<std::int64_t>> readTable(const std::string& name) {
  std::vector<std::vector<std::int64_t>> rows;
  const char* folder = std::getenv("ADJOINT_DATA");
  if (folder == nullptr) return rows;
  std::ifstream file(std::string(folder) + "/checkpointing/" + name);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream words(line);
    std::vector<std::int64_t>& row = rows.emplace_back();
    for (std::int64_t value = 0; words >> value;) row.push_back(value);
  }
  EXPECT_FALSE(rows.empty()) << name;
  return rows;
}

TEST(CheckpointSchedule, AgreesWithTables) {
  if (std::getenv("ADJOINT_DATA") == nullptr) {
    GTEST_SKIP() << "ADJOINT_DATA is not set: 3 tables of checkpointing not compared";
  }
  for (const auto& row : readTable("beta_s_r.csv")) EXPECT_EQ(beta(row[0], row[1]), row[2]);
  for (const auto& row : readTable("binomial_t_l_s.csv")) {
    const std::int64_t l = row[0], s = row[1];
    SCOPED_TRACE("l " + std::to_string(l) + ", s " + std::to_string(s));
    EXPECT_EQ(repetitions(l, s), row[2]);
    EXPECT_EQ(fewestForwardSteps(l, s), row[3]);
    if (l > 1000) continue;
    EXPECT_EQ(forwardSteps(*revolve(l, static_cast<std::int32_t>(s))), row[3]);
  }
  for (const auto& row : readTable("multistage_ram_disk.csv")) {
    SCOPED_TRACE("n " + std::to_string(row[0]));
    const Counts c = counts(
        *multistage(row[0], static_cast<std::int32_t>(row[1]), static_cast<std::int32_t>(row[2])));
    // Their total counts the step that each adjoint step computes anew.
    EXPECT_EQ(c.forwardSteps + c.reverseSteps, row[3]);
    EXPECT_EQ(c.memoryStores, row[4]);
    EXPECT_EQ(c.memoryRestores, row[5]);
    EXPECT_EQ(c.diskStores, row[6]);
    EXPECT_EQ(c.diskRestores, row[7]);
  }
}

/// A trace of stores, advances and restores, in the words of toString; theirs moves a state out of
/// its slot where ours restores and frees it, and tapes a step where ours reverses it.
TEST(CheckpointSchedule, AgreesWithTraces) {
  const char* folder = std::getenv("ADJOINT_DATA");
  if (folder == nullptr) GTEST_SKIP() << "ADJOINT_DATA is not set: 7 traces not compared";
  std::ifstream file(std::string(folder) + "/checkpointing/revolve_traces.txt");
  std::string line, theirs;
  std::int64_t length = 0;
  std::int32_t slots = 0;
  int traces = 0;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string word;
    std::int64_t a = 0, b = 0;
    words >> word;
    if (word == "#") {
      ASSERT_EQ(std::sscanf(line.c_str(), "# n=%" SCNd64 " s=%d", &length, &slots), 2);
      theirs.clear();
    } else if (word == "F") {
      words >> a >> b;
      if (words >> word) theirs += "store " + std::to_string(a) + "\n";
      theirs += "advance " + std::to_string(a) + " to " + std::to_string(b) + "\n";
    } else if (word == "C" || word == "M") {
      words >> a;
      theirs += "restore " + std::to_string(a) + "\n";
      if (word == "M") theirs += "free\n";
    } else if (word == "B") {
      words >> a;
      theirs += "reverse " + std::to_string(a) + "\n";
    } else if (word == "END") {
      std::string ours;
      const auto schedule = revolve(length, slots);
      for (Action x = schedule->next(); x.kind != ActionKind::Done; x = schedule->next()) {
        if (x.kind == ActionKind::Turn || x.to == length) continue;
        std::string text = toString(x);
        if (x.kind == ActionKind::Store) text.erase(text.find(" in "));
        if (x.kind == ActionKind::Restore) text.erase(text.find(" from "));
        if (x.kind == ActionKind::Free) text = "free";
        ours += text + "\n";
      }
      EXPECT_EQ(ours, theirs) << "n " << length << ", s " << slots;
      ++traces;
    }
  }
  EXPECT_EQ(traces, 7);
}

}  // namespace
}  // namespace adjoint::testing

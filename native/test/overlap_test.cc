// The same operations in another order.
#include "exec/overlap.h"

#include <gtest/gtest.h>

#include <random>

#include "exec/uses.h"

namespace adjoint::exec {
namespace {

/// What an operation computes, whatever its place.
std::vector<std::uint64_t> meanings(const Code& code) {
  std::vector<std::uint64_t> result;
  const auto mix = [](std::uint64_t hash, std::uint64_t x) {
    hash = (hash ^ x) * 0x9e3779b97f4a7c15ull;
    return hash ^ hash >> 29;
  };
  for (const MicroOp& op : code.ops) {
    std::uint64_t hash =
        mix(static_cast<std::uint64_t>(op.kind), static_cast<std::uint32_t>(op.extra));
    const std::uint32_t operands[3] = {op.a, op.b, op.c};
    for (int k = 0; k < arityOf(op.kind); ++k) {
      EXPECT_LT(operands[k], result.size()) << "an operand that is not earlier";
      hash = mix(hash, result[operands[k]]);
    }
    result.push_back(hash);
  }
  return result;
}

std::vector<std::uint64_t> stored(const Code& code) {
  const std::vector<std::uint64_t> all = meanings(code);
  std::vector<std::uint64_t> result;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (code.ops[i].kind == Micro::Store) result.push_back(all[i]);
  }
  for (const LoopSum& sum : code.sums) result.push_back(all[sum.value]);
  return result;
}

/// Some functions of what is in memory and of each other, of which some are stored.
Code someCode(std::uint32_t seed, int operations) {
  Code code;
  CodeWriter writer(code);
  Lowering lowering(writer);
  std::mt19937 random(seed);
  std::vector<Lowering::Value> values;
  for (int i = 0; i < 4; ++i) {
    values.emplace_back();
    values.back().number = writer.read(Micro::Load, {0, true, 64 * i});
  }
  for (int i = 0; i < operations; ++i) {
    const auto pick = [&]() -> Lowering::Value& {
      const std::size_t back = random() % std::min<std::size_t>(values.size(), 12);
      return values[values.size() - 1 - back];
    };
    constexpr Op kOps[] = {Op::Add, Op::Mul, Op::Sub,  Op::Exp,
                           Op::Sin, Op::Neg, Op::Less, Op::Where};
    const Op op = kOps[random() % std::size(kOps)];
    Lowering::Value a = pick(), b = pick(), c = pick(), result;
    // Without fused multiply-adds some functions have no code.
    EXPECT_TRUE(lowering.lower(canLower(op) ? op : Op::Mul, a, b, c, result));
    values.push_back(result);
    if (random() % 8 == 0) writer.store({1, true, 64 * i}, lowering.number(values.back()));
  }
  writer.sum({2, false, 0}, lowering.number(values.back()));
  writer.sum({2, false, 128}, values[0].number);
  return code;
}

TEST(Overlap, ComputesTheSame) {
  for (const InstructionSet set :
       {InstructionSet::Sse4, InstructionSet::Avx2, InstructionSet::Avx512}) {
    for (std::uint32_t seed = 0; seed < 20; ++seed) {
      const Code code = someCode(seed, 30 + 40 * static_cast<int>(seed));
      const Code other = overlapped(code, set);
      EXPECT_EQ(stored(other), stored(code));
      EXPECT_LE(other.ops.size(), code.ops.size());
    }
  }
}

/// A mask that one instruction decides by takes no register.
TEST(Overlap, LeavesComparisonsBesideWhatDecidesByThem) {
  const auto pairs = [](const Code& code) {
    const Uses uses(code);
    int count = 0;
    for (std::uint32_t i = 0; i < code.ops.size(); ++i)
      count += code.ops[i].kind == Micro::Compare && uses.isReadOnlyNext(i);
    return count;
  };
  const Code code = someCode(7, 400);
  EXPECT_GT(pairs(code), 50);
  EXPECT_GE(pairs(overlapped(code, InstructionSet::Avx512)), pairs(code));
}

/// Memory that is written is read before.
TEST(Overlap, StoresWaitForReadersOfTheirMemory) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    Code code;
    CodeWriter writer(code);
    std::mt19937 random(seed);
    std::vector<std::uint32_t> values;
    for (int i = 0; i < 8; ++i) values.push_back(writer.read(Micro::Load, {0, true, 64 * i}));
    for (int i = 0; i < 400; ++i) {
      const auto pick = [&] { return static_cast<std::size_t>(random() % values.size()); };
      const std::uint32_t value = writer.add(Micro::Mul, values[pick()], values[pick()]);
      const std::size_t at = pick();
      values[at] = value;
      if (random() % 4 == 0) writer.store({0, true, 64 * static_cast<std::int64_t>(at)}, value);
    }
    const Code other = overlapped(code, InstructionSet::Avx512);
    EXPECT_EQ(stored(other), stored(code));
    std::vector<bool> isWritten(8, false);
    for (const MicroOp& op : other.ops) {
      const std::uint32_t operands[3] = {op.a, op.b, op.c};
      for (int k = 0; k < arityOf(op.kind); ++k) {
        const MicroOp& from = other.ops[operands[k]];
        if (from.kind != Micro::Load) continue;
        EXPECT_FALSE(isWritten[static_cast<std::size_t>(
            other.memory[static_cast<std::size_t>(from.extra)].offset / 64)]);
      }
      if (op.kind == Micro::Store)
        isWritten[static_cast<std::size_t>(other.memory[static_cast<std::size_t>(op.extra)].offset /
                                           64)] = true;
    }
  }
}

/// Chains that wait for each other are begun before the ones before are done.
TEST(Overlap, InterleavesChains) {
  Code code;
  CodeWriter writer(code);
  Lowering lowering(writer);
  constexpr int kChains = 12, kLength = 24;
  for (int chain = 0; chain < kChains; ++chain) {
    std::uint32_t x = writer.read(Micro::Load, {0, true, 64 * chain});
    for (int i = 0; i < kLength; ++i) x = writer.add(Micro::Mul, x, x);
    writer.store({1, true, 64 * chain}, x);
  }
  const auto neighbors = [](const Code& c) {
    int count = 0;
    for (std::uint32_t i = 1; i < c.ops.size(); ++i)
      count += c.ops[i].kind == Micro::Mul && c.ops[i].a == i - 1;
    return count;
  };
  EXPECT_EQ(neighbors(code), kChains * kLength);
  EXPECT_LT(neighbors(overlapped(code, InstructionSet::Avx512)), 2 * kLength);
  // A short one is left to the processor.
  const Code brief = someCode(1, 6);
  EXPECT_EQ(overlapped(brief, InstructionSet::Avx512).key(), brief.key());
}

}  // namespace
}  // namespace adjoint::exec

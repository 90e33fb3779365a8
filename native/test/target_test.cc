// Machine code of random programs against the definition of every instruction, for all instruction
// sets that the processor has.
#include "exec/target.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <random>

#include "exec/jit.h"
#include "ops/math/core_ops.h"

namespace adjoint::exec {
namespace {

constexpr int kLanes = 16;  ///< whole vectors of every instruction set, two of the widest
constexpr int kRows = 6;    ///< of inputs
constexpr std::int64_t kFar = 1 << 15;  ///< doubles; past what an instruction of ARM reaches
constexpr std::uint32_t kInputs = 0, kOutputs = 1, kNumbers = 2, kSpills = 3, kOthers = 4;
constexpr std::uint32_t kSlots = 24;  ///< more than there are registers for

using Lanes = std::array<std::uint64_t, kLanes>;

double number(std::uint64_t bits) { return std::bit_cast<double>(bits); }
std::uint64_t bits(double x) { return std::bit_cast<std::uint64_t>(x); }
constexpr std::uint64_t kAllOnes = ~0ull;

bool holds(Predicate predicate, double a, double b) {
  switch (predicate) {
    case Predicate::Equal:
      return a == b;
    case Predicate::Less:
      return a < b;
    case Predicate::LessEqual:
      return a <= b;
    case Predicate::Unordered:
      return std::isnan(a) || std::isnan(b);
    case Predicate::NotEqual:
      return a != b;
    case Predicate::GreaterEqual:
      return a >= b;
    case Predicate::Greater:
      return a > b;
    case Predicate::NotLess:
      return !(a < b);
  }
  return false;
}

double rounded(Rounding mode, double x) {
  switch (mode) {
    case Rounding::Nearest:
      return std::nearbyint(x);
    case Rounding::Down:
      return std::floor(x);
    case Rounding::Up:
      return std::ceil(x);
    case Rounding::Zero:
      return std::trunc(x);
  }
  return x;
}

/// A lane of an instruction that computes.
std::uint64_t definition(const MicroOp& op, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  const double x = number(a), y = number(b), z = number(c);
  switch (op.kind) {
    case Micro::Add:
      return bits(x + y);
    case Micro::Sub:
      return bits(x - y);
    case Micro::Mul:
      return bits(x * y);
    case Micro::Div:
      return bits(x / y);
    case Micro::Min:
      return x < y ? a : b;
    case Micro::Max:
      return x > y ? a : b;
    case Micro::Fma:
      return bits(std::fma(x, y, z));
    case Micro::Fms:
      return bits(std::fma(x, y, -z));
    case Micro::Fnma:
      return bits(std::fma(-x, y, z));
    case Micro::Sqrt:
      return bits(std::sqrt(x));
    case Micro::Round:
      return bits(rounded(static_cast<Rounding>(op.extra), x));
    case Micro::Compare:
      return holds(static_cast<Predicate>(op.extra), x, y) ? kAllOnes : 0;
    case Micro::And:
      return a & b;
    case Micro::Or:
      return a | b;
    case Micro::Xor:
      return a ^ b;
    case Micro::Select:
      return a != 0 ? b : c;
    case Micro::Negative:
      return a >> 63 != 0 ? b : c;
    case Micro::AddBits:
      return a + b;
    case Micro::ShiftLeft:
      return a << op.extra;
    case Micro::ShiftRight:
      return a >> op.extra;
    default:
      ADD_FAILURE() << "not an instruction that computes";
      return 0;
  }
}

/// A random program and what its values are.
class Program {
 public:
  Program(std::uint64_t seed, InstructionSet set, bool isScalar, int length)
      : random_(seed),
        set_(set),
        vector_(isScalar ? 1 : lanesOf(set)),
        inputs_(kFar + kRows * kLanes),
        numbers_(kFar + kRows),
        writer_(code_) {
    code_.isScalar = isScalar;
    code_.spillSlot = kSpills;
    for (auto* memory : {&inputs_, &numbers_}) {
      for (double& x : *memory) x = draw();
    }
    while (static_cast<int>(code_.ops.size()) < length) step();
    storeSome();
    if (!isScalar) askForSome();
  }

  const Code& code() const { return code_; }

  /// Runs the machine code and compares what it stored.
  void check(CodeFunction function) {
    std::vector<double> outputs(results_.size() * kLanes, -1);
    const auto spillDoubles = static_cast<std::size_t>(code_.spillDoubles(lanesOf(set_)));
    std::vector<double> spills(spillDoubles + 8, -2);
    double* slots[kSlots];
    for (double*& slot : slots) slot = inputs_.data();
    slots[kOutputs] = outputs.data();
    slots[kNumbers] = numbers_.data();
    slots[kSpills] = spills.data();
    function(slots, kLanes);
    for (std::size_t i = 0; i < results_.size(); ++i) {
      for (int lane = 0; lane < (code_.isScalar ? 1 : kLanes); ++lane) {
        const double got = outputs[i * kLanes + static_cast<std::size_t>(lane)];
        const Value& want = values_[results_[i]];
        const double expected = number(want.lanes[static_cast<std::size_t>(lane)]);
        if (want.isLoose && std::isnan(got) && std::isnan(expected)) continue;
        ASSERT_EQ(bits(got), bits(expected))
            << got << " instead of " << expected << ", lane " << lane << " of instruction "
            << results_[i] << ", kind " << static_cast<int>(code_.ops[results_[i]].kind);
      }
    }
    for (std::size_t i = spillDoubles; i < spills.size(); ++i) ASSERT_EQ(spills[i], -2);
  }

 private:
  struct Value {
    Lanes lanes;
    bool isMask = false;
    bool isLoose = false;  ///< some lane is a NaN of which IEEE 754 leaves the bits open
  };

  int below(int n) { return static_cast<int>(random_() % static_cast<std::uint64_t>(n)); }

  double draw() {
    constexpr double kSpecial[] = {0.0,     -0.0,    INFINITY, -INFINITY, NAN, 5e-324,
                                   -1e-310, 1.7e308, -1.0,     1.0,       0.5, 2.5,
                                   -3.5,    0x1p52,  0x1p-537, 0x1p1000};
    if (below(4) == 0) return kSpecial[below(16)];
    return std::ldexp(static_cast<double>(below(2000) - 1000) + 1.0 / (1 + below(9)),
                      below(3) == 0 ? below(60) - 30 : 0);
  }

  /// The lanes of a value; scalar code has the first.
  template <class F>
  void put(std::uint32_t id, F lane, bool isMask = false) {
    EXPECT_EQ(id, code_.ops.size() - 1);
    values_.resize(code_.ops.size());
    Value& v = values_[id];
    v.isMask = isMask;
    for (std::size_t i = 0; i < kLanes; ++i) v.lanes[i] = lane(i);
    known_.push_back(id);
  }

  /// One of the values, or kNone of this kind.
  static constexpr std::uint32_t kNone = 0xffffffffu;
  template <class Is>
  std::uint32_t pick(Is is) {
    for (int attempt = 0; attempt < 20 && !known_.empty(); ++attempt) {
      // Late ones mostly, so that values of all ages meet.
      const int n = static_cast<int>(known_.size());
      const int back = below(3) == 0 ? below(n) : std::min(n - 1, below(12));
      const std::uint32_t id = known_[static_cast<std::size_t>(n - 1 - back)];
      if (is(values_[id])) return id;
    }
    return kNone;
  }
  std::uint32_t pickAny() {
    return pick([](const Value&) { return true; });
  }
  std::uint32_t pickExact() {
    return pick([](const Value& v) { return !v.isLoose; });
  }
  std::uint32_t pickMask() {
    return pick([](const Value& v) { return v.isMask; });
  }

  void step() {
    switch (below(14)) {
      case 0:
      case 1:
        return read();
      case 2: {
        const double x = draw();
        const std::size_t before = code_.ops.size();
        const std::uint32_t id = writer_.constant(x);
        if (code_.ops.size() > before) put(id, [&](std::size_t) { return bits(x); });
        return;
      }
      case 3:
        return code_.isScalar && below(4) == 0 ? called() : guarded();
      case 4:
      case 5:
        return patterns();
      case 6:
        return chosen();
      case 7:
        return compute(Micro::Compare, pickAny(), pickAny(), 0, below(8));
      default:
        return arithmetic();
    }
  }

  /// At addresses that may be anything.
  void askForSome() {
    for (int n = below(40); n > 0; --n) {
      code_.asked.push_back(static_cast<std::uint32_t>(code_.memory.size()));
      const std::uint32_t slot =
          below(4) == 0 ? kOthers + static_cast<std::uint32_t>(below(kSlots - kOthers)) : kInputs;
      code_.memory.push_back({slot, true, (below(2) * kFar + below(kRows * kLanes / 2)) * 8});
    }
  }

  void read() {
    const bool isOne = below(3) == 0;
    const std::int64_t row = below(kRows), far = below(2) * kFar;
    const Micro kind = isOne ? Micro::Broadcast : below(3) == 0 ? Micro::LoadNow : Micro::Load;
    MemoryOperand from{kNumbers, false, (far + row) * 8};
    if (!isOne) from = {kInputs, !code_.isScalar, (far + row * kLanes) * 8};
    // Slots whose address finds no register.
    if (!isOne && !code_.isScalar && below(4) == 0)
      from.slot = kOthers + static_cast<std::uint32_t>(below(kSlots - kOthers));
    const std::vector<double>& memory = isOne ? numbers_ : inputs_;
    put(writer_.read(kind, from), [&](std::size_t lane) {
      return bits(memory[static_cast<std::size_t>(from.offset / 8) + (isOne ? 0 : lane)]);
    });
  }

  void compute(Micro kind, std::uint32_t a, std::uint32_t b, std::uint32_t c, int extra) {
    const std::uint32_t operands[3] = {a, b, c};
    const int n = arityOf(kind);
    for (int k = 0; k < n; ++k) {
      if (operands[k] == kNone) return;
    }
    const std::uint32_t id = writer_.add(kind, a, n > 1 ? b : 0, n > 2 ? c : 0, extra);
    const MicroOp op = code_.ops[id];
    const auto lane = [&](std::uint32_t v, std::size_t i) { return values_[v].lanes[i]; };
    put(
        id,
        [&](std::size_t i) { return definition(op, lane(op.a, i), lane(op.b, i), lane(op.c, i)); },
        kind == Micro::Compare);
    Value& v = values_[id];
    if (kind == Micro::Compare) return;
    for (int k = 0; k < n; ++k) v.isLoose |= values_[operands[k]].isLoose;
    if (isArithmetic(kind)) {
      for (const std::uint64_t x : v.lanes) v.isLoose |= std::isnan(number(x));
    } else if (kind == Micro::And || kind == Micro::Or || kind == Micro::Xor) {
      v.isMask = values_[a].isMask && values_[b].isMask;
    }
  }

  static bool isArithmetic(Micro kind) {
    switch (kind) {
      case Micro::Add:
      case Micro::Sub:
      case Micro::Mul:
      case Micro::Div:
      case Micro::Fma:
      case Micro::Fms:
      case Micro::Fnma:
      case Micro::Sqrt:
      case Micro::Round:
        return true;
      default:
        return false;
    }
  }

  void arithmetic() {
    constexpr Micro kKinds[] = {Micro::Add, Micro::Sub, Micro::Mul,  Micro::Div,
                                Micro::Min, Micro::Max, Micro::Sqrt, Micro::Round,
                                Micro::Fma, Micro::Fms, Micro::Fnma};
    const int n = set_ == InstructionSet::Sse4 ? 8 : 11;
    compute(kKinds[below(n)], pickAny(), pickAny(), pickAny(), below(4));
  }

  void patterns() {
    constexpr Micro kKinds[] = {Micro::And,     Micro::Or,        Micro::Xor,
                                Micro::AddBits, Micro::ShiftLeft, Micro::ShiftRight};
    const Micro kind = kKinds[below(6)];
    const bool ofMasks = below(3) == 0 && arityOf(kind) == 2 && kind != Micro::AddBits;
    const std::uint32_t a = ofMasks ? pickMask() : pickExact();
    const std::uint32_t b = ofMasks ? pickMask() : pickExact();
    compute(kind, a, b, 0, 1 + below(63));
  }

  void chosen() {
    if (below(2) == 0) return compute(Micro::Select, pickMask(), pickAny(), pickAny(), 0);
    compute(Micro::Negative, pickExact(), pickAny(), pickAny(), 0);
  }

  void guarded() {
    const std::uint32_t mask = pickMask(), x = pickAny(), otherwise = pickAny();
    if (mask == kNone || x == kNone || otherwise == kNone) return;
    const ElementKernel kernel = rowOf(Op::Erf).kernel;
    const std::uint32_t id = writer_.guard(mask, x, otherwise, kernel);
    put(id, [&](std::size_t i) {
      const auto n = static_cast<std::size_t>(vector_);
      bool leaves = false;
      for (std::size_t k = i / n * n; k < i / n * n + n; ++k) leaves |= values_[mask].lanes[k] != 0;
      if (!leaves) return values_[otherwise].lanes[i];
      const double in = number(values_[x].lanes[i]);
      double out;
      kernel(&out, &in, &in, &in, 1, 0);
      return bits(out);
    });
    Value& v = values_[id];
    v.isLoose = values_[otherwise].isLoose;
    for (const std::uint64_t bit : v.lanes) v.isLoose |= std::isnan(number(bit));
  }

  /// A kernel of two operands on several values at once.
  void called() {
    const ElementKernel kernel = rowOf(Op::Atan2).kernel;
    const int n = 1 + below(8);
    std::vector<std::array<double, 2>> operands;
    const auto place = [](int operand, int lane) {
      return MemoryOperand{kSpills, false, (operand * 8 + lane) * 8};
    };
    for (int lane = 0; lane < n; ++lane) {
      const std::uint32_t a = pickAny(), b = pickAny();
      if (a == kNone || b == kNone) return;
      operands.push_back({number(values_[a].lanes[0]), number(values_[b].lanes[0])});
      writer_.store(place(1, lane), a);
      writer_.store(place(2, lane), b);
    }
    code_.calls.push_back({kernel, 0, n});
    writer_.add(Micro::Call, 0, 0, 0, static_cast<std::int32_t>(code_.calls.size() - 1));
    for (int lane = 0; lane < n; ++lane) {
      const auto& [a, b] = operands[static_cast<std::size_t>(lane)];
      double out;
      kernel(&out, &a, &b, &b, 1, 0);
      const std::uint32_t id = writer_.read(Micro::LoadNow, place(0, lane));
      put(id, [&](std::size_t) { return bits(out); });
      values_[id].isLoose = std::isnan(out);
    }
  }

  /// Many, so that all of them wait for it.
  void storeSome() {
    for (int i = 0; i < 60; ++i) {
      const std::uint32_t id =
          known_[static_cast<std::size_t>(below(static_cast<int>(known_.size())))];
      results_.push_back(id);
      writer_.store({kOutputs, !code_.isScalar, i * kLanes * 8}, id);
    }
  }

  std::mt19937_64 random_;
  const InstructionSet set_;
  const int vector_;
  Code code_;
  std::vector<double> inputs_, numbers_;
  CodeWriter writer_;
  std::vector<Value> values_;  ///< by instruction
  std::vector<std::uint32_t> known_, results_;
};

class Targets : public ::testing::TestWithParam<InstructionSet> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Targets);
INSTANTIATE_TEST_SUITE_P(, Targets, ::testing::ValuesIn(instructionSets()),
                         [](const auto& info) { return std::string(nameOf(info.param)); });

TEST_P(Targets, RandomProgramsComputeTheirDefinition) {
  for (const bool isScalar : {false, true}) {
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
      SCOPED_TRACE((isScalar ? "scalar " : "vectors ") + std::to_string(seed));
      Program program(seed, GetParam(), isScalar, static_cast<int>(10 + seed % 20 * 20));
      JitBuilder builder(GetParam());
      builder.add(program.code());
      const auto module = builder.finish();
      ASSERT_NE(module, nullptr);
      program.check(module->function(0));
      if (HasFatalFailure()) return;
    }
  }
}

/// Constants and the code of rare lanes are farther away than a branch of ARM reaches.
TEST_P(Targets, LongCodeFindsItsConstantsAndDetours) {
  for (const bool isScalar : {false, true}) {
    Program program(7, GetParam(), isScalar, 260000);
    JitBuilder builder(GetParam());
    builder.add(program.code());
    const auto module = builder.finish();
    ASSERT_NE(module, nullptr);
    EXPECT_GT(module->bytes(), 1u << 20);
    program.check(module->function(0));
  }
}

/// They are for processors whose builds do not fuse.
TEST_P(Targets, OnlySse4LacksFusedMultiplyAdds) {
  Code code;
  CodeWriter writer(code);
  const std::uint32_t x = writer.constant(3);
  writer.store({0, true, 0}, writer.add(Micro::Fma, x, x, x));
  EXPECT_EQ(generateCode(code, GetParam()).empty(), GetParam() == InstructionSet::Sse4);
}

TEST(InstructionSets, NoneHasNoCode) {
  EXPECT_TRUE(generateCode(Code(), InstructionSet::None).empty());
}

}  // namespace
}  // namespace adjoint::exec

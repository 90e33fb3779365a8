#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "ops/row.h"
#include "tape/big_vector.h"

namespace adjoint::exec {

/// Instructions every vector unit has, on values that are vectors of doubles, of masks (all ones or
/// all zeros a lane) or of 64-bit integers.
enum class Micro : std::uint8_t {
  Load,       ///< lanes at memory[extra]; memory that does not change, read when it is wanted
  Broadcast,  ///< the double at memory[extra] in every lane; likewise
  Constant,   ///< the double constants[extra] in every lane
  Pattern,    ///< picks[extra].lanes
  LoadNow,    ///< lanes at memory[extra], read at once
  Store,      ///< memory[extra] = a
  Call,       ///< calls[extra]; every vector register is the callee's
  Add,
  Sub,
  Mul,
  Div,
  Min,   ///< a < b ? a : b
  Max,   ///< a > b ? a : b
  Fma,   ///< a * b + c
  Fms,   ///< a * b - c
  Fnma,  ///< c - a * b
  Sqrt,
  Round,    ///< extra: Rounding
  Compare,  ///< a mask; extra: Predicate. For targets, c: only the next instruction reads it
  And,
  Or,
  Xor,
  Select,     ///< mask a ? b : c
  Negative,   ///< b where a's sign bit is set, else c
  AddBits,    ///< as 64-bit integers that wrap around
  ShiftLeft,  ///< of 64-bit patterns, by extra
  ShiftRight,
  Guard,  ///< c; where mask a holds in some lane, calls[extra] of b in all lanes instead
  Pick,   ///< lanes of a and of b, and numbers of the pattern c, picks[extra]: for AVX-512 alone
};

enum class Rounding : std::uint8_t { Nearest = 0, Down = 1, Up = 2, Zero = 3 };

/// False for NaN, but for those that say otherwise and "not equal" and "unordered".
enum class Predicate : std::uint8_t {
  Equal,
  Less,
  LessEqual,
  Unordered,
  NotEqual,
  GreaterEqual,
  Greater,
  NotLess,  ///< true for NaN
};

/// Operands are positions of earlier instructions.
struct MicroOp {
  Micro kind = Micro::Load;
  std::uint32_t a = 0, b = 0, c = 0;
  std::int32_t extra = 0;
};

/// How many of a, b, c an instruction reads.
int arityOf(Micro kind);
/// What needs no place while it waits: it is read again.
inline bool isReread(Micro kind) {
  return kind == Micro::Load || kind == Micro::Broadcast || kind == Micro::Constant ||
         kind == Micro::Pattern;
}
/// Whether it does something beside making a value.
inline bool hasEffect(Micro kind) { return kind == Micro::Store || kind == Micro::Call; }

/// offset bytes past the address in slots[slot], past the lanes done so far where `isIndexed`.
struct MemoryOperand {
  std::uint32_t slot = 0;
  bool isIndexed = false;
  std::int64_t offset = 0;
  bool operator==(const MemoryOperand&) const = default;
};

/// Eight lanes: where a bit of `picked` is set, lane 0..7 of a vector or 8..15 of another one;
/// elsewhere a number's bits.
struct LanePicks {
  std::array<std::int64_t, 8> lanes = {};
  std::uint8_t picked = 0;
  bool operator==(const LanePicks&) const = default;
};

/// A slot whose address moves on in every round of a loop.
struct MovingSlot {
  std::uint32_t slot = 0;
  std::int32_t bytes = 0;
};

/// A row's kernel on `lanes` doubles at the call area: out, and the operands in the order they
/// follow it, eight doubles each.
struct KernelCall {
  ElementKernel kernel = nullptr;
  std::int32_t attr = 0;
  std::int32_t lanes = 0;
};

/// A sum over the lanes of all rounds of a loop, which are whole groups of kSumLanes: lane i is
/// added to partial i % kSumLanes.
struct LoopSum {
  std::uint32_t value = 0;  ///< the instruction whose lanes are added
  /// In Code::memory, where the partials are: this one and those after it, two each.
  std::uint32_t partials = 0;
};

/// A straight-line program for a vector unit, the same for every processor. In a loop over lanes,
/// or once for scalar code.
struct Code {
  bool isScalar = false;
  BigVector<MicroOp> ops;
  std::vector<MemoryOperand> memory;
  std::vector<double> constants;
  std::vector<KernelCall> calls;
  std::vector<LanePicks> picks;
  std::vector<MovingSlot> moving;  ///< of loops; for x86-64 alone
  std::vector<LoopSum> sums;       ///< of loops
  /// Of loops: in `memory`, addresses of lines that every round asks for.
  std::vector<std::uint32_t> asked;
  /// The slot whose memory holds spilled values (kCallDoubles of calls before them), aligned as
  /// vectors of two doubles.
  std::uint32_t spillSlot = 0;

  static constexpr std::int64_t kCallDoubles = 4 * 8;
  /// Past them, room for all vector registers, where there are guards.
  static constexpr std::int64_t kSavedDoubles = 32 * 8;
  /// The first spill slots, which hold values for a short time.
  static constexpr std::uint32_t kNearSpills = 32;
  /// Of the others, one in so many may be free when another one is added.
  static constexpr std::uint32_t kFreeSpills = 8;

  /// All that decides the machine code, as text.
  std::string key() const;
  /// Doubles needed at spillSlot where a vector has this many lanes.
  std::int64_t spillDoubles(std::int64_t lanes) const;
};

/// A function of generated code. Vector code computes whole vectors until n lanes are done.
using CodeFunction = void (*)(double* const* slots, std::int64_t n);

/// Appends instructions to a Code.
class CodeWriter {
 public:
  explicit CodeWriter(Code& code) : code_(code) {}

  std::uint32_t add(Micro kind, std::uint32_t a = 0, std::uint32_t b = 0, std::uint32_t c = 0,
                    std::int32_t extra = 0) {
    code_.ops.push_back({kind, a, b, c, extra});
    return static_cast<std::uint32_t>(code_.ops.size() - 1);
  }
  std::uint32_t constant(double x);
  bool isConstant(std::uint32_t op, double x) const {
    const MicroOp& made = code_.ops[op];
    return made.kind == Micro::Constant &&
           code_.constants[static_cast<std::size_t>(made.extra)] == x;
  }
  std::uint32_t bits(std::uint64_t x) { return constant(std::bit_cast<double>(x)); }
  std::uint32_t read(Micro kind, const MemoryOperand& from) {
    return add(kind, 0, 0, 0, put(from));
  }
  std::uint32_t pick(const LanePicks& picks, std::uint32_t a, std::uint32_t b);
  void sum(const MemoryOperand& partials, std::uint32_t value);
  void store(const MemoryOperand& to, std::uint32_t a) { add(Micro::Store, a, 0, 0, put(to)); }
  /// `otherwise`, but the kernel's values of x where the mask holds in some lane.
  std::uint32_t guard(std::uint32_t mask, std::uint32_t x, std::uint32_t otherwise,
                      ElementKernel kernel);
  std::uint32_t compare(std::uint32_t a, std::uint32_t b, Predicate predicate) {
    return add(Micro::Compare, a, b, 0, static_cast<std::int32_t>(predicate));
  }

 private:
  std::int32_t put(const MemoryOperand& operand) {
    code_.memory.push_back(operand);
    return static_cast<std::int32_t>(code_.memory.size() - 1);
  }

  Code& code_;
  std::unordered_map<std::uint64_t, std::uint32_t> constants_;  ///< instruction by bits
  std::vector<std::uint32_t> patterns_;                         ///< instruction by number
};

/// Translates operations of the table. Masks stay masks until somebody wants their number.
class Lowering {
 public:
  explicit Lowering(CodeWriter& writer);
  ~Lowering();
  Lowering(const Lowering&) = delete;
  Lowering& operator=(const Lowering&) = delete;

  /// A value as number (1 and 0 for masks), as mask, or as both.
  struct Value {
    static constexpr std::uint32_t kNone = 0xffffffffu;
    std::uint32_t number = kNone;
    std::uint32_t mask = kNone;
  };

  /// False: an operation of more than a few instructions, to be called.
  bool lower(Op op, Value& a, Value& b, Value& c, Value& result);
  std::uint32_t number(Value& v);

 private:
  bool lowerCore(Op op, Value& a, Value& result);
  std::uint32_t mask(Value& v);
  std::uint32_t extreme(Op op, std::uint32_t a, std::uint32_t b);

  /// What functions of the same argument share.
  struct Shared;

  CodeWriter& writer_;
  std::unique_ptr<Shared> shared_;
};

/// Whether Lowering knows the operation. The others are called: in vector code a block of lanes at
/// a time, which costs less than saving a loop's registers around every call.
bool canLower(Op op);
/// Whether it is one of those of many instructions, made of a core (ops/math): exp, log, tanh, ...
bool hasCore(Op op);

}  // namespace adjoint::exec

#include "exec/code.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "ops/math/exp_core.h"
#include "ops/math/log_core.h"
#include "ops/math/logistic_core.h"
#include "ops/math/sincos_core.h"
#include "ops/order.h"

namespace adjoint::exec {

int arityOf(Micro kind) {
  switch (kind) {
    case Micro::Load:
    case Micro::Broadcast:
    case Micro::Constant:
    case Micro::Pattern:
    case Micro::LoadNow:
    case Micro::Call:
      return 0;
    case Micro::Store:
    case Micro::Sqrt:
    case Micro::Round:
    case Micro::ShiftLeft:
    case Micro::ShiftRight:
      return 1;
    case Micro::Fma:
    case Micro::Fms:
    case Micro::Fnma:
    case Micro::Select:
    case Micro::Negative:
    case Micro::Guard:
    case Micro::Pick:
      return 3;
    default:
      return 2;
  }
}

std::string Code::key() const {
  std::string key;
  const auto append = [&](auto value) {
    key.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  key.reserve(ops.size() * 17 + memory.size() * 13 + constants.size() * 8 + 64);
  append(isScalar);
  append(spillSlot);
  append(ops.size());
  for (const MicroOp& op : ops) {
    append(op.kind);
    append(op.a);
    append(op.b);
    append(op.c);
    append(op.extra);
  }
  append(memory.size());
  for (const MemoryOperand& m : memory) {
    append(m.slot);
    append(m.isIndexed);
    append(m.offset);
  }
  append(constants.size());
  for (const double x : constants) append(x);
  for (const KernelCall& call : calls) {
    append(call.kernel);
    append(call.attr);
    append(call.lanes);
  }
  append(picks.size());
  for (const LanePicks& pick : picks) {
    for (const std::int64_t lane : pick.lanes) append(lane);
    append(pick.picked);
  }
  append(moving.size());
  for (const MovingSlot& m : moving) {
    append(m.slot);
    append(m.bytes);
  }
  append(asked.size());
  for (const std::uint32_t address : asked) append(address);
  for (const LoopSum& sum : sums) {
    append(sum.value);
    append(sum.partials);
  }
  return key;
}

std::int64_t Code::spillDoubles(std::int64_t lanes) const {
  // At most all values that are alive at one time.
  std::vector<std::uint8_t> isAlive(ops.size(), 0);
  std::int64_t alive = 0, most = 0;
  for (std::size_t i = ops.size(); i-- > 0;) {
    const MicroOp& op = ops[i];
    if (isAlive[i]) {
      isAlive[i] = 0;
      --alive;
    }
    const std::uint32_t operands[3] = {op.a, op.b, op.c};
    const int n = arityOf(op.kind);
    for (int k = 0; k < n; ++k) {
      if (isReread(ops[operands[k]].kind) || isAlive[operands[k]]) continue;
      isAlive[operands[k]] = 1;
      ++alive;
    }
    most = std::max(most, alive);
  }
  const std::int64_t far = most * kFreeSpills / (kFreeSpills - 1) + 1;
  return kCallDoubles + kSavedDoubles + (kNearSpills + far) * lanes;
}

std::uint32_t CodeWriter::constant(double x) {
  const auto key = std::bit_cast<std::uint64_t>(x);
  const auto [entry, isNew] = constants_.try_emplace(key, 0);
  if (isNew) {
    code_.constants.push_back(x);
    entry->second =
        add(Micro::Constant, 0, 0, 0, static_cast<std::int32_t>(code_.constants.size() - 1));
  }
  return entry->second;
}

std::uint32_t CodeWriter::pick(const LanePicks& picks, std::uint32_t a, std::uint32_t b) {
  const auto same = std::ranges::find(code_.picks, picks);
  const auto number = static_cast<std::size_t>(same - code_.picks.begin());
  const auto extra = static_cast<std::int32_t>(number);
  if (same == code_.picks.end()) {
    code_.picks.push_back(picks);
    patterns_.push_back(add(Micro::Pattern, 0, 0, 0, extra));
  }
  return add(Micro::Pick, a, b, patterns_[number], extra);
}

void CodeWriter::sum(const MemoryOperand& partials, std::uint32_t value) {
  const auto first = static_cast<std::uint32_t>(code_.memory.size());
  for (std::int64_t i = 0; i < kSumLanes; i += 2)
    put({partials.slot, false, partials.offset + i * static_cast<std::int64_t>(sizeof(double))});
  code_.sums.push_back({value, first});
}

std::uint32_t CodeWriter::guard(std::uint32_t mask, std::uint32_t x, std::uint32_t otherwise,
                                ElementKernel kernel) {
  code_.calls.push_back({kernel, 0, 0});
  return add(Micro::Guard, mask, x, otherwise, static_cast<std::int32_t>(code_.calls.size() - 1));
}

std::uint32_t Lowering::number(Value& v) {
  if (v.number == Value::kNone) v.number = writer_.add(Micro::And, v.mask, writer_.constant(1.0));
  return v.number;
}

/// Where the value is not 0.
std::uint32_t Lowering::mask(Value& v) {
  if (v.mask == Value::kNone)
    v.mask = writer_.compare(v.number, writer_.constant(0.0), Predicate::NotEqual);
  return v.mask;
}

/// NaN where either is; of zeros the maximum is +0 where one is, the minimum -0.
std::uint32_t Lowering::extreme(Op op, std::uint32_t a, std::uint32_t b) {
  const bool isMax = op == Op::Maximum;
  const std::uint32_t one = writer_.add(isMax ? Micro::Max : Micro::Min, a, b);
  const std::uint32_t zeros = writer_.add(isMax ? Micro::And : Micro::Or, a, b);
  const std::uint32_t same = writer_.compare(a, b, Predicate::Equal);
  const std::uint32_t ordered = writer_.add(Micro::Select, same, zeros, one);
  const std::uint32_t unordered = writer_.compare(a, b, Predicate::Unordered);
  return writer_.add(Micro::Select, unordered, writer_.add(Micro::Add, a, b), ordered);
}

namespace {

/// A value of generated code, for the cores of functions (ops/math/core_ops.h).
struct Symbol {
  CodeWriter* writer = nullptr;
  std::uint32_t id = 0;

  Symbol with(std::uint32_t other) const { return {writer, other}; }
};

Symbol binary(Micro kind, Symbol a, Symbol b) { return a.with(a.writer->add(kind, a.id, b.id)); }

Symbol constantLike(Symbol like, double x) { return like.with(like.writer->constant(x)); }
Symbol bitsLike(Symbol like, long long x) {
  return like.with(like.writer->bits(static_cast<std::uint64_t>(x)));
}
Symbol add(Symbol a, Symbol b) { return binary(Micro::Add, a, b); }
Symbol sub(Symbol a, Symbol b) { return binary(Micro::Sub, a, b); }
Symbol mul(Symbol a, Symbol b) { return binary(Micro::Mul, a, b); }
Symbol div(Symbol a, Symbol b) { return binary(Micro::Div, a, b); }
Symbol mulAdd(Symbol a, Symbol b, Symbol c) {
  if constexpr (simd::kIsFused) return a.with(a.writer->add(Micro::Fma, a.id, b.id, c.id));
  return add(mul(a, b), c);
}
Symbol subMul(Symbol c, Symbol a, Symbol b) {
  if constexpr (simd::kIsFused) return a.with(a.writer->add(Micro::Fnma, a.id, b.id, c.id));
  return sub(c, mul(a, b));
}
Symbol mulSub(Symbol a, Symbol b, Symbol c) {
  if constexpr (simd::kIsFused) return a.with(a.writer->add(Micro::Fms, a.id, b.id, c.id));
  return sub(mul(a, b), c);
}
Symbol larger(Symbol a, Symbol b) { return binary(Micro::Max, a, b); }
Symbol andBits(Symbol a, Symbol b) { return binary(Micro::And, a, b); }
Symbol orBits(Symbol a, Symbol b) { return binary(Micro::Or, a, b); }
Symbol xorBits(Symbol a, Symbol b) { return binary(Micro::Xor, a, b); }
Symbol addBits(Symbol a, Symbol b) { return binary(Micro::AddBits, a, b); }
Symbol shiftLeftBits(Symbol a, int n) {
  return a.with(a.writer->add(Micro::ShiftLeft, a.id, 0, 0, n));
}
Symbol shiftRightBits(Symbol a, int n) {
  return a.with(a.writer->add(Micro::ShiftRight, a.id, 0, 0, n));
}
Symbol notLess(Symbol a, Symbol b) {
  return a.with(a.writer->compare(a.id, b.id, Predicate::NotLess));
}
Symbol chooseNegative(Symbol s, Symbol a, Symbol b) {
  return s.with(s.writer->add(Micro::Negative, s.id, a.id, b.id));
}

}  // namespace

/// By the argument. What nobody reads in the end takes no instructions.
struct Lowering::Shared {
  std::unordered_map<std::uint32_t, simd::SigmoidParts<Symbol>> sigmoids;
  std::unordered_map<std::uint32_t, simd::TanhParts<Symbol>> tanhs;

  const simd::SigmoidParts<Symbol>& sigmoid(Symbol x) {
    const auto [entry, isNew] = sigmoids.try_emplace(x.id);
    if (isNew) entry->second = simd::sigmoidParts(x);
    return entry->second;
  }
  const simd::TanhParts<Symbol>& tanh(Symbol x) {
    const auto [entry, isNew] = tanhs.try_emplace(x.id);
    if (isNew) entry->second = simd::tanhParts(x);
    return entry->second;
  }
};

Lowering::Lowering(CodeWriter& writer) : writer_(writer), shared_(std::make_unique<Shared>()) {}
Lowering::~Lowering() = default;

/// The core of a function, and its kernel where the core is not the function.
bool Lowering::lowerCore(Op op, Value& a, Value& result) {
  const Symbol x{&writer_, number(a)};
  simd::CoreResult<Symbol> core;
  switch (op) {
    case Op::Exp:
      core = simd::expCore(x);
      break;
    case Op::Log:
      core = simd::logCore(x);
      break;
    case Op::Sin:
      core = simd::sinCore(x);
      break;
    case Op::Cos:
      core = simd::cosCore(x);
      break;
    case Op::Sigmoid:
      core = simd::sigmoidCore(x, shared_->sigmoid(x));
      break;
    case Op::SigmoidGrad:
      core = simd::sigmoidGradCore(shared_->sigmoid(x));
      break;
    case Op::Tanh:
      result.number = simd::tanhCore(x, shared_->tanh(x)).id;
      return true;
    case Op::Sech2:
      core = simd::sech2Core(shared_->tanh(x));
      break;
    default:
      return false;
  }
  result.number = writer_.guard(core.outside.id, x.id, core.value.id, rowOf(op).kernel);
  return true;
}

bool Lowering::lower(Op op, Value& a, Value& b, Value& c, Value& result) {
  result = {};
  const auto unary = [&](Micro kind, std::int32_t extra = 0) {
    result.number = writer_.add(kind, number(a), 0, 0, extra);
    return true;
  };
  const auto binary = [&](Micro kind) {
    const std::uint32_t x = number(a), y = number(b);
    result.number = writer_.add(kind, x, y);
    return true;
  };
  const auto ternary = [&](Micro kind) {
    const std::uint32_t x = number(a), y = number(b), z = number(c);
    result.number = writer_.add(kind, x, y, z);
    return true;
  };
  const auto compared = [&](Predicate predicate) {
    const std::uint32_t x = number(a), y = number(b);
    result.mask = writer_.compare(x, y, predicate);
    return true;
  };
  const auto combined = [&](Micro kind) {
    const std::uint32_t x = mask(a), y = mask(b);
    result.mask = writer_.add(kind, x, y);
    return true;
  };
  const auto inverse = [&](std::uint32_t x) {
    return writer_.add(Micro::Div, writer_.constant(1.0), x);
  };
  const auto rounded = [&](Rounding mode) {
    return unary(Micro::Round, static_cast<std::int32_t>(mode));
  };
  switch (op) {
    case Op::Add:
      return binary(Micro::Add);
    case Op::Sub:
      return binary(Micro::Sub);
    case Op::Mul: {
      // Doubling is left to the adders: multipliers are what most loops wait for.
      const std::uint32_t x = number(a), y = number(b);
      const std::uint32_t doubled = writer_.isConstant(y, 2.0)   ? x
                                    : writer_.isConstant(x, 2.0) ? y
                                                                 : Value::kNone;
      result.number = doubled == Value::kNone ? writer_.add(Micro::Mul, x, y)
                                              : writer_.add(Micro::Add, doubled, doubled);
      return true;
    }
    case Op::Div:
      return binary(Micro::Div);
    // Without the instruction a library's function, which is called.
    case Op::Fma:
      return simd::kIsFused && ternary(Micro::Fma);
    case Op::Fms:
      return simd::kIsFused && ternary(Micro::Fms);
    case Op::Fnma:
      return simd::kIsFused && ternary(Micro::Fnma);
    case Op::Square: {
      const std::uint32_t x = number(a);
      result.number = writer_.add(Micro::Mul, x, x);
      return true;
    }
    case Op::Neg:
      result.number = writer_.add(Micro::Xor, number(a), writer_.bits(0x8000000000000000ull));
      return true;
    case Op::Abs:
      result.number = writer_.add(Micro::And, number(a), writer_.bits(0x7fffffffffffffffull));
      return true;
    case Op::Sqrt:
      return unary(Micro::Sqrt);
    case Op::Reciprocal:
      result.number = inverse(number(a));
      return true;
    case Op::Rsqrt:
      result.number = inverse(writer_.add(Micro::Sqrt, number(a)));
      return true;
    case Op::Relu: {
      // Max gives its second operand where either is NaN or both are zeros; then -0 becomes +0.
      const std::uint32_t zero = writer_.constant(0.0);
      result.number = writer_.add(Micro::Add, writer_.add(Micro::Max, zero, number(a)), zero);
      return true;
    }
    case Op::Maximum:
    case Op::Minimum: {
      const std::uint32_t x = number(a), y = number(b);
      result.number = extreme(op, x, y);
      return true;
    }
    case Op::Floor:
      return rounded(Rounding::Down);
    case Op::Ceil:
      return rounded(Rounding::Up);
    case Op::Trunc:
      return rounded(Rounding::Zero);
    case Op::Round:
      return rounded(Rounding::Nearest);
    case Op::Equal:
      return compared(Predicate::Equal);
    case Op::NotEqual:
      return compared(Predicate::NotEqual);
    case Op::Less:
      return compared(Predicate::Less);
    case Op::LessEqual:
      return compared(Predicate::LessEqual);
    case Op::Greater:
      return compared(Predicate::Greater);
    case Op::GreaterEqual:
      return compared(Predicate::GreaterEqual);
    case Op::IsNan: {
      const std::uint32_t x = number(a);
      result.mask = writer_.compare(x, x, Predicate::Unordered);
      return true;
    }
    case Op::LogicalAnd:
      return combined(Micro::And);
    case Op::LogicalOr:
      return combined(Micro::Or);
    case Op::LogicalXor:
      return combined(Micro::Xor);
    case Op::LogicalNot:
      result.mask = writer_.add(Micro::Xor, mask(a), writer_.bits(~0ull));
      return true;
    case Op::Where: {
      if (a.mask == Value::kNone && writer_.isConstant(a.number, 1.0)) {
        result = b;
        return true;
      }
      const std::uint32_t m = mask(a), x = number(b), y = number(c);
      result.number = writer_.add(Micro::Select, m, x, y);
      return true;
    }
    case Op::ToNumber:
      result = a;
      return true;
    case Op::Sign: {
      const std::uint32_t x = number(a), zero = writer_.constant(0.0), one = writer_.constant(1.0);
      const auto share = [&](Predicate predicate) {
        return writer_.add(Micro::And, writer_.compare(x, zero, predicate), one);
      };
      const std::uint32_t positive = share(Predicate::Greater), negative = share(Predicate::Less);
      const std::uint32_t sign = writer_.add(Micro::Sub, positive, negative);
      const std::uint32_t isNaN = writer_.compare(x, x, Predicate::Unordered);
      result.number = writer_.add(Micro::Select, isNaN, x, sign);
      return true;
    }
    case Op::MaxWeight: {
      const std::uint32_t x = number(a), y = number(b);
      const std::uint32_t larger = writer_.compare(x, y, Predicate::Greater);
      const std::uint32_t same = writer_.compare(x, y, Predicate::Equal);
      const std::uint32_t unordered = writer_.compare(x, y, Predicate::Unordered);
      const std::uint32_t share =
          writer_.add(Micro::Or, writer_.add(Micro::And, larger, writer_.constant(1.0)),
                      writer_.add(Micro::And, same, writer_.constant(0.5)));
      result.number = writer_.add(Micro::Select, unordered, writer_.add(Micro::Add, x, y), share);
      return true;
    }
    default:
      return hasCore(op) && lowerCore(op, a, result);
  }
}

bool hasCore(Op op) {
  switch (op) {
    case Op::Exp:
    case Op::Log:
    case Op::Sigmoid:
      return true;
    case Op::Sin:
    case Op::Cos:
    case Op::Tanh:
    case Op::Sech2:
    case Op::SigmoidGrad:
      return simd::kIsFused;
    default:
      return false;
  }
}

bool canLower(Op op) {
  enum : std::uint8_t { kUnknown, kYes, kNo };
  static std::array<std::atomic<std::uint8_t>, 512> known{};
  std::atomic<std::uint8_t>& entry = known.at(static_cast<std::size_t>(op));
  if (entry.load(std::memory_order_relaxed) == kUnknown) {
    Code code;
    CodeWriter writer(code);
    Lowering lowering(writer);
    Lowering::Value a, b, c, result;
    a.number = writer.constant(0.0);
    c = b = a;
    entry.store(lowering.lower(op, a, b, c, result) ? kYes : kNo, std::memory_order_relaxed);
  }
  return entry.load(std::memory_order_relaxed) == kYes;
}

}  // namespace adjoint::exec

// Machine code for segments, by asmjit: AVX2, also where the build has AVX-512.
#include "exec/jit.h"
#include "ops/row.h"

#if defined(ADJOINT_ASMJIT) && defined(__AVX2__) && defined(__FMA__)

#include <asmjit/core.h>
#include <asmjit/x86.h>
#include <dlfcn.h>
#include <immintrin.h>

#include <unordered_map>

/// Debian's asmjit is a static library that is not position-independent where it names stderr,
/// which it writes to from failed assertions: a shared object links with it only if it has that
/// symbol itself.
__attribute__((visibility("hidden"))) void* adjointStderr __asm__("stderr") = nullptr;

namespace {

__attribute__((constructor)) void findStderr() {
  if (void* theirs = dlsym(RTLD_DEFAULT, "stderr")) adjointStderr = *static_cast<void**>(theirs);
}

}  // namespace

namespace adjoint::exec {
namespace {

namespace x86 = asmjit::x86;

constexpr int kVectorLanes = 4;
constexpr std::size_t kVectorBytes = kVectorLanes * sizeof(double);
/// Predicates of vcmppd, as the kernels' comparisons: false for NaN, but for "not equal".
enum Predicate : std::uint8_t {
  kEqual = 0,
  kLess = 1,
  kLessEqual = 2,
  kUnordered = 3,
  kNotEqual = 4,
  kGreaterEqual = 13,
  kGreater = 14
};

class Failure : public asmjit::ErrorHandler {
 public:
  void handleError(asmjit::Error, const char*, asmjit::BaseEmitter*) override { failed = true; }
  bool failed = false;
};

class Generator {
 public:
  explicit Generator(const Segment& segment) : segment_(segment) {
    for (const Segment::Slot& slot : segment.slots) kinds_[slot.index] = slot.kind;
  }

  std::string run() {
    code_.init(asmjit::Environment::host());
    code_.setErrorHandler(&failure_);
    code_.attach(&cc_);
    emitFunction();
    if (failure_.failed || cc_.finalize() != asmjit::kErrorOk) return {};
    if (code_.flatten() != asmjit::kErrorOk || code_.resolveUnresolvedLinks() != asmjit::kErrorOk ||
        code_.relocateToBase(0) != asmjit::kErrorOk)
      return {};
    std::string bytes(code_.codeSize(), '\0');
    if (code_.copyFlattenedData(bytes.data(), bytes.size()) != asmjit::kErrorOk) return {};
    return failure_.failed ? std::string() : bytes;
  }

 private:
  /// A value in this pass of the loop. Comparisons leave a mask, and a number when one is asked
  /// for.
  struct Value {
    x86::Vec number;
    x86::Vec mask;
    bool hasNumber = false, hasMask = false;
  };

  x86::Vec newVector() { return cc_.newYmm(); }

  // --- the loop ------------------------------------------------------------------------------

  void emitFunction() {
    asmjit::FuncNode* function =
        cc_.addFunc(asmjit::FuncSignatureT<void, const void*, std::int64_t>());
    function->frame().setAvxEnabled();
    function->frame().setAvxCleanup();
    x86::Gp slots = cc_.newIntPtr(), n = cc_.newIntPtr();
    function->setArg(0, slots);
    function->setArg(1, n);
    cc_.shl(n, 3);  // bytes
    loadPointers(slots);
    at_ = cc_.newIntPtr();
    cc_.xor_(at_.r32(), at_.r32());
    const asmjit::Label loop = cc_.newLabel();
    cc_.bind(loop);
    values_.clear();
    for (const Segment::Operation& o : segment_.operations) emitOperation(o);
    cc_.add(at_, static_cast<int>(kVectorBytes));
    cc_.cmp(at_, n);
    cc_.jl(loop);
    cc_.ret();
    cc_.endFunc();
  }

  void loadPointers(const x86::Gp& slots) {
    registers_ = cc_.newIntPtr();
    cc_.mov(registers_, x86::ptr(slots));
    for (const Segment::Slot& slot : segment_.slots) {
      if (slot.kind == SlotKind::Register) continue;
      const x86::Gp pointer = cc_.newIntPtr();
      cc_.mov(pointer, x86::ptr(slots, static_cast<int>(slot.index * sizeof(double*))));
      pointers_.emplace(slot.index, pointer);
    }
  }

  x86::Mem lanesOf(std::uint32_t slot) {
    const int size = static_cast<int>(kVectorBytes);
    switch (kinds_.at(slot)) {
      case SlotKind::Register: {
        const auto offset = static_cast<std::int64_t>(slot) * segment_.padded * 8;
        return x86::Mem(registers_, at_, 0, static_cast<int>(offset), size);
      }
      case SlotKind::Memory:
        return x86::Mem(pointers_.at(slot), at_, 0, 0, size);
      default:
        return x86::Mem(pointers_.at(slot), 0, size);
    }
  }

  // --- values --------------------------------------------------------------------------------

  Value& value(std::uint32_t slot) {
    const auto found = values_.find(slot);
    if (found != values_.end()) return found->second;
    Value loaded;
    loaded.hasNumber = true;
    loaded.number = newVector();
    if (kinds_.at(slot) == SlotKind::Number) {
      const x86::Mem one = x86::qword_ptr(pointers_.at(slot));
      cc_.vbroadcastsd(loaded.number.as<x86::Ymm>(), one);
    } else {
      cc_.vmovupd(loaded.number, lanesOf(slot));
    }
    return values_.emplace(slot, loaded).first->second;
  }

  x86::Vec number(std::uint32_t slot) {
    Value& v = value(slot);
    if (!v.hasNumber) {
      v.number = newVector();
      v.hasNumber = true;
      cc_.vandpd(v.number, v.mask, constant(1.0));
    }
    return v.number;
  }

  /// Where the value is not 0.
  Value& withMask(std::uint32_t slot) {
    Value& v = value(slot);
    if (v.hasMask) return v;
    compareInto(v, v.number, zero(), kNotEqual);
    return v;
  }

  void compareInto(Value& v, const x86::Vec& a, const x86::Vec& b, Predicate predicate) {
    v.hasMask = true;
    v.mask = newVector();
    cc_.vcmppd(v.mask, a, b, predicate);
  }

  x86::Mem constant(double x) {
    double lanes[kVectorLanes];
    for (double& lane : lanes) lane = x;
    return cc_.newConst(asmjit::ConstPoolScope::kLocal, lanes, sizeof lanes);
  }
  x86::Mem bits(std::uint64_t x) { return constant(std::bit_cast<double>(x)); }

  x86::Vec zero() {
    const x86::Vec z = newVector();
    cc_.vxorpd(z, z, z);
    return z;
  }

  /// d = mask ? a : b.
  void choose(const x86::Vec& d, const Value& mask, const x86::Vec& a, const x86::Vec& b) {
    cc_.vblendvpd(d, b, a, mask.mask);
  }

  // --- operations ----------------------------------------------------------------------------

  void emitOperation(const Segment::Operation& o) {
    Value result;
    if (!emitComparison(o, result)) {
      result.hasNumber = true;
      result.number = emitNumber(o);
    }
    values_[o.d] = result;
    if (o.isStored) {
      const x86::Vec stored = number(o.d);
      cc_.vmovupd(lanesOf(o.d), stored);
    }
  }

  bool emitComparison(const Segment::Operation& o, Value& result) {
    switch (o.op) {
      case Op::Equal:
        return compared(o, result, kEqual);
      case Op::NotEqual:
        return compared(o, result, kNotEqual);
      case Op::Less:
        return compared(o, result, kLess);
      case Op::LessEqual:
        return compared(o, result, kLessEqual);
      case Op::Greater:
        return compared(o, result, kGreater);
      case Op::GreaterEqual:
        return compared(o, result, kGreaterEqual);
      case Op::LogicalAnd:
      case Op::LogicalOr:
        return combined(o, result);
      case Op::ToNumber:
        result = value(o.a);
        return true;
      default:
        return false;
    }
  }

  bool compared(const Segment::Operation& o, Value& result, Predicate predicate) {
    const x86::Vec a = number(o.a), b = number(o.b);
    compareInto(result, a, b, predicate);
    return true;
  }

  bool combined(const Segment::Operation& o, Value& result) {
    const Value a = withMask(o.a), b = withMask(o.b);
    const bool isAnd = o.op == Op::LogicalAnd;
    result.hasMask = true;
    result.mask = newVector();
    if (isAnd) {
      cc_.vandpd(result.mask, a.mask, b.mask);
    } else {
      cc_.vorpd(result.mask, a.mask, b.mask);
    }
    return true;
  }

  x86::Vec emitNumber(const Segment::Operation& o) {
    if (o.op == Op::Where) {
      const Value mask = withMask(o.a);
      const x86::Vec a = number(o.b), b = number(o.c), d = newVector();
      choose(d, mask, a, b);
      return d;
    }
    if (o.op == Op::Fma || o.op == Op::Fms || o.op == Op::Fnma) return emitFused(o);
    const int arity = rowOf(o.op).arity;
    const x86::Vec a = number(o.a);
    const x86::Vec b = arity > 1 ? number(o.b) : a;
    const x86::Vec d = newVector();
    switch (o.op) {
      case Op::Add:
        cc_.vaddpd(d, a, b);
        break;
      case Op::Sub:
        cc_.vsubpd(d, a, b);
        break;
      case Op::Mul:
        cc_.vmulpd(d, a, b);
        break;
      case Op::Div:
        cc_.vdivpd(d, a, b);
        break;
      case Op::Square:
        cc_.vmulpd(d, a, a);
        break;
      case Op::Neg:
        cc_.vxorpd(d, a, bits(0x8000000000000000ull));
        break;
      case Op::Abs:
        cc_.vandpd(d, a, bits(0x7fffffffffffffffull));
        break;
      case Op::Sqrt:
        cc_.vsqrtpd(d, a);
        break;
      case Op::Reciprocal:
        cc_.vmovupd(d, constant(1.0));
        cc_.vdivpd(d, d, a);
        break;
      case Op::Rsqrt: {
        const x86::Vec root = newVector();
        cc_.vsqrtpd(root, a);
        cc_.vmovupd(d, constant(1.0));
        cc_.vdivpd(d, d, root);
        break;
      }
      case Op::Relu:
        // The second operand where either is NaN or both are zeros; then -0 becomes +0.
        cc_.vmaxpd(d, zero(), a);
        cc_.vaddpd(d, d, zero());
        break;
      case Op::Maximum:
      case Op::Minimum:
        emitExtreme(o.op, d, a, b);
        break;
      case Op::Floor:
        cc_.vroundpd(d, a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
        break;
      case Op::Ceil:
        cc_.vroundpd(d, a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
        break;
      case Op::Trunc:
        cc_.vroundpd(d, a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
        break;
      case Op::Round:
        cc_.vroundpd(d, a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        break;
      default:
        failure_.failed = true;
    }
    return d;
  }

  /// NaN where either is; of zeros the maximum is +0 where one is, the minimum -0.
  void emitExtreme(Op op, const x86::Vec& d, const x86::Vec& a, const x86::Vec& b) {
    const x86::Vec extreme = newVector(), zeros = newVector(), sum = newVector();
    Value same, unordered;
    if (op == Op::Maximum) {
      cc_.vmaxpd(extreme, a, b);
      cc_.vandpd(zeros, a, b);
    } else {
      cc_.vminpd(extreme, a, b);
      cc_.vorpd(zeros, a, b);
    }
    cc_.vaddpd(sum, a, b);
    compareInto(same, a, b, kEqual);
    compareInto(unordered, a, b, kUnordered);
    choose(extreme, same, zeros, extreme);
    choose(d, unordered, sum, extreme);
  }

  x86::Vec emitFused(const Segment::Operation& o) {
    const x86::Vec a = number(o.a), b = number(o.b), c = number(o.c), d = newVector();
    cc_.vmovapd(d, a);
    if (o.op == Op::Fma) cc_.vfmadd213pd(d, b, c);
    if (o.op == Op::Fms) cc_.vfmsub213pd(d, b, c);
    if (o.op == Op::Fnma) cc_.vfnmadd213pd(d, b, c);
    return d;
  }

  const Segment& segment_;
  std::unordered_map<std::uint32_t, SlotKind> kinds_;
  Failure failure_;
  asmjit::CodeHolder code_;
  x86::Compiler cc_;
  x86::Gp registers_, at_;
  std::unordered_map<std::uint32_t, x86::Gp> pointers_;
  std::unordered_map<std::uint32_t, Value> values_;  ///< by slot
};

}  // namespace

bool canGenerateCode() { return true; }
std::string generateCode(const Segment& segment) { return Generator(segment).run(); }

}  // namespace adjoint::exec

#else

namespace adjoint::exec {

bool canGenerateCode() { return false; }
std::string generateCode(const Segment&) { return {}; }

}  // namespace adjoint::exec

#endif

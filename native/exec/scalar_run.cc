#include <bit>

#include "exec/scalar.h"

namespace adjoint::exec {
namespace {

/// A row's kernel on one lane. Kernels may touch eight lanes, so they get buffers of their own.
[[gnu::noinline]] double call(ElementKernel kernel, double a, double b, double c, int attr) {
  alignas(64) double x[4][8];
  for (int i = 0; i < 8; ++i) {
    x[1][i] = a;
    x[2][i] = b;
    x[3][i] = c;
  }
  kernel(x[0], x[1], x[2], x[3], 1, attr);
  return x[0][0];
}

[[gnu::noinline]] bool gather(const ScalarProgram::Gather& g, const RunContext& context,
                              double index, double& out) {
  if (isIndex(index, g.limit)) {
    out = *context.at(g.place.base, g.place.offset + g.stride * static_cast<std::int64_t>(index));
    return true;
  }
  RunStatus& status = *context.status;
  status.ok = false;
  status.code = ErrorCode::Index;
  status.node = g.node;
  status.element = 0;
  status.value = index;
  status.limit = g.limit;
  return false;
}

}  // namespace

// One indirect jump at the end of every operation: each has its own history in the branch
// predictor, and the compiler of the program groups equal operations.
bool runScalar(const ScalarProgram& program, const RunContext& context) noexcept {
  static const void* const kLabels[] = {
#define X(name, id, value) &&label##id,
      ADJOINT_SCALAR_UNARY(X) ADJOINT_SCALAR_BINARY(X)
#undef X
          && labelFma,
      &&labelWhere,
      &&labelCall,
      &&labelConst,
      &&labelLoadIo,
      &&labelLoadTemp,
      &&labelLoadConstant,
      &&labelLoadNext,
      &&labelLoadKept,
      &&labelStoreIo,
      &&labelStoreTemp,
      &&labelStoreNext,
      &&labelGather,
      &&labelEnd,
  };
  double* const r = context.scratch;
  double* const io = context.base[static_cast<int>(Base::Io)];
  double* const temp = context.base[static_cast<int>(Base::Temp)];
  const double* const constants = context.base[static_cast<int>(Base::Constant)];
  double* const next = context.base[static_cast<int>(Base::Next)];
  const double* const kept = context.base[static_cast<int>(Base::Kept)];
  const ScalarInstr* in = program.code.data();

#define NEXT(slots)        \
  do {                     \
    in += (slots);         \
    goto* kLabels[in->op]; \
  } while (0)
  goto* kLabels[in->op];

#define X(name, id, value)     \
  label##id : {                \
    const double a = r[in->a]; \
    r[in->d] = value;          \
  }                            \
  NEXT(1);
  ADJOINT_SCALAR_UNARY(X)
#undef X
#define X(name, id, value)     \
  label##id : {                \
    const double a = r[in->a]; \
    const double b = r[in->b]; \
    r[in->d] = value;          \
  }                            \
  NEXT(1);
  ADJOINT_SCALAR_BINARY(X)
#undef X
labelFma:
  r[in->d] = __builtin_fma(r[in->a], r[in->b], r[in[1].a]);
  NEXT(2);
labelWhere:
  r[in->d] = r[in->a] != 0 ? r[in->b] : r[in[1].a];
  NEXT(2);
labelCall:
  r[in->d] = call(program.functions[in->function], r[in->a], r[in->b], r[in[1].a],
                  static_cast<int>(in[1].b));
  NEXT(2);
labelConst:
  r[in->d] = std::bit_cast<double>(static_cast<std::uint64_t>(in->b) << 32 | in->a);
  NEXT(1);
labelLoadIo:
  r[in->d] = io[in->a];
  NEXT(1);
labelLoadTemp:
  r[in->d] = temp[in->a];
  NEXT(1);
labelLoadConstant:
  r[in->d] = constants[in->a];
  NEXT(1);
labelLoadNext:
  r[in->d] = next[in->a];
  NEXT(1);
labelLoadKept:
  r[in->d] = kept[in->a];
  NEXT(1);
labelStoreIo:
  io[in->d] = r[in->a];
  NEXT(1);
labelStoreTemp:
  temp[in->d] = r[in->a];
  NEXT(1);
labelStoreNext:
  next[in->d] = r[in->a];
  NEXT(1);
labelGather:
  if (!gather(program.gathers[in->b], context, r[in->a], r[in->d])) return false;
  NEXT(1);
labelEnd:
  return true;
#undef NEXT
}

}  // namespace adjoint::exec

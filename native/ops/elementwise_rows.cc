#include "ops/elementwise_rows.h"

#include "ops/math/kernels.h"

namespace adjoint {
namespace {

enum class Flag { Public, Internal, Compare, Logic, Convert, Choice };

Row makeRow(Op op, const char* id, int arity, const char* name, int version, const char* formula,
            Domain domain, double ulp, double partialUlp, Partial partial, Flag flag,
            Partials (*partials)(const RowArgs&), ElementKernel kernel) {
  Row row{};
  row.op = op;
  row.id = id;
  row.name = name;
  row.version = version;
  row.family = flag == Flag::Choice       ? Family::Where
               : partial == Partial::None ? Family::Select
                                          : Family::Elementwise;
  row.arity = arity;
  row.formula = formula;
  row.domain = domain;
  row.ulp = ulp;
  row.partialUlp = partialUlp;
  row.partial = partial;
  row.result = flag == Flag::Compare || flag == Flag::Logic ? DType::Bool : DType::F64;
  row.operandType = flag == Flag::Logic || flag == Flag::Convert ? DType::Bool : DType::F64;
  row.internal = flag == Flag::Internal;
  row.partials = partial == Partial::None ? nullptr : partials;
  row.kernel = kernel;
  return row;
}

// Every formula sees the same names, whether it needs them or not.
#define ADJOINT_PARTIALS(...)                                           \
  [](const RowArgs& r) -> Partials {                                    \
    using namespace ex;                                                 \
    [[maybe_unused]] const Expr &a = r.a, &b = r.b, &c = r.c, &y = r.y; \
    [[maybe_unused]] const int n = r.n;                                 \
    [[maybe_unused]] const Expr none{};                                 \
    return {__VA_ARGS__};                                               \
  }
#define ADJOINT_ROW(id, arity, fn, name, version, formula, domain, ulp, partialUlp, partial, flag, \
                    ...)                                                                           \
  makeRow(Op::id, #id, arity, name, version, formula, Domain::domain, ulp, partialUlp,             \
          Partial::partial, Flag::flag, ADJOINT_PARTIALS(__VA_ARGS__), kernel::fn),
#define UNARY(code, id, fn, ...) ADJOINT_ROW(id, 1, fn, __VA_ARGS__)
#define BINARY(code, id, fn, ...) ADJOINT_ROW(id, 2, fn, __VA_ARGS__)
#define TERNARY(code, id, fn, ...) ADJOINT_ROW(id, 3, fn, __VA_ARGS__)

const Row kRows[] = {
#include "ops/elementwise.def"
};

#undef UNARY
#undef BINARY
#undef TERNARY

}  // namespace

std::span<const Row> elementwiseRows() { return kRows; }

}  // namespace adjoint

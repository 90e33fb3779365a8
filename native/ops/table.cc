#include <algorithm>
#include <array>
#include <string_view>

#include "ops/elementwise_rows.h"
#include "ops/row.h"
#include "tape/builder.h"

namespace adjoint {

namespace {

Row structural(Op op, const char* id, const char* name, int version, Family family, int arity,
               bool internal, const char* formula, const char* signature) {
  Row row{};
  row.op = op;
  row.id = id;
  row.name = name;
  row.version = version;
  row.family = family;
  row.arity = arity;
  row.internal = internal;
  row.formula = formula;
  row.signature = signature;
  return row;
}

std::vector<Row> makeTable() {
  constexpr bool Public = false;
  constexpr bool Internal = true;
  std::vector<Row> rows{
      structural(Op::Input, "Input", "input", 1, Family::Leaf, 0, Internal, "an input", ""),
      structural(Op::Constant, "Constant", "constant", 1, Family::Leaf, 0, Internal,
                 "a uniform constant", ""),
      structural(Op::Data, "Data", "data", 1, Family::Leaf, 0, Internal, "a dense constant", ""),
#define STRUCTURAL(code, id, name, version, family, arity, flags, formula, signature) \
  structural(Op::id, #id, name, version, Family::family, arity, flags, formula, signature),
#define COMPOSITE(code, id, name, version, arity, formula, signature) \
  structural(Op::id, #id, name, version, Family::Composite, arity, Public, formula, signature),
#include "ops/structural.def"
#undef STRUCTURAL
#undef COMPOSITE
  };
  const auto elementwise = elementwiseRows();
  rows.insert(rows.end(), elementwise.begin(), elementwise.end());
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.op < b.op; });
  return rows;
}

const std::vector<Row>& table() {
  static const std::vector<Row> rows = makeTable();
  return rows;
}

constexpr std::size_t kCodes = 1024;

/// Rows by code; codes without a row stay null.
const std::array<const Row*, kCodes>& byCode() {
  static const std::array<const Row*, kCodes> index = [] {
    std::array<const Row*, kCodes> result{};
    for (const Row& row : table()) result[code(row.op)] = &row;
    return result;
  }();
  return index;
}

bool isCommutativeOp(OpCode code) {
  const auto op = static_cast<Op>(code);
  return op == Op::Add || op == Op::Mul || op == Op::LogicalAnd || op == Op::LogicalOr;
}

[[maybe_unused]] const bool traitsInstalled = [] {
  setOpTraits({[](OpCode op) { return rowOf(static_cast<Op>(op)).name; }, isCommutativeOp});
  return true;
}();

}  // namespace

const Row& rowOf(Op op) {
  const std::size_t index = code(op);
  const Row* row = index < kCodes ? byCode()[index] : nullptr;
  if (!row) throw Error(ErrorCode::Argument, "no operation has code " + std::to_string(index));
  return *row;
}

std::span<const Row> allRows() { return table(); }

const Row* findRow(std::string_view name) {
  for (const Row& row : table()) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

}  // namespace adjoint

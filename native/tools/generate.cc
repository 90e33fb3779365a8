// adjoint_generate <out-root>
//
// Writes the files that are derived from the lists of operations and errors, at their paths in the
// repository below <out-root>:
//
//   lib/generated/operations.ts   codes, methods and functions of the elementwise rows
//   lib/generated/errors.ts       one class for each error
//   lib/generated/error-codes.ts  the class of each code
//   docs/operations.md            the reference of operations
//   docs/errors.md                the reference of errors
//
// The same tables give the same bytes.
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "ops/row.h"
#include "tools/formula.h"

namespace adjoint::tools {
namespace {

constexpr const char* kTypeScriptHeader =
    "// Written by adjoint_generate from the tables in native/; `npm run generate` writes it "
    "again.\n";
constexpr const char* kMarkdownHeader =
    "<!-- Written by adjoint_generate from the tables in native/; `npm run generate` writes it "
    "again. "
    "-->\n\n";

bool isElementwise(const Row& row) {
  return row.family == Family::Elementwise || row.family == Family::Where ||
         (row.family == Family::Select && row.kernel != nullptr);
}

/// Rows whose TypeScript methods and functions are generated; `where` has a wrapper written by
/// hand.
bool hasGeneratedFunction(const Row& row) {
  return !row.internal && isElementwise(row) && row.family != Family::Where;
}

bool takesBooleans(const Row& row) { return row.operandType == DType::Bool; }
bool givesBooleans(const Row& row) { return row.result == DType::Bool; }

const char* domainText(Domain domain) {
  switch (domain) {
    case Domain::Real:
      return "all numbers";
    case Domain::Positive:
      return "a > 0";
    case Domain::NonNegative:
      return "a >= 0";
    case Domain::UnitClosed:
      return "-1 <= a <= 1";
    case Domain::UnitOpen:
      return "-1 < a < 1";
    case Domain::AboveOne:
      return "a >= 1";
    case Domain::AboveMinusOne:
      return "a > -1";
    case Domain::NotPole:
      return "a other than 0, -1, -2, ...";
    case Domain::NonZero:
      return "a != 0";
    case Domain::PowPair:
      return "a > 0; a = 0 with b >= 0; a < 0 with b an integer";
    case Domain::XLogY:
      return "b > 0";
    case Domain::XLog1pY:
      return "b > -1";
    case Domain::NonZeroSecond:
      return "b != 0";
    case Domain::Boolean:
      return "booleans";
  }
  return "";
}

std::string accuracyText(const Row& row) {
  if (row.ulp == 0) return "exact";
  if (row.ulp == 0.5) return "correctly rounded";
  return "within " + formatNumber(row.ulp) + " ULP";
}

/// "by a: 1 / b; by b: -y / b", or "cos(a)" for one operand.
std::string derivativeText(const Row& row) {
  const auto formulas = partialFormulas(row);
  if (formulas.empty()) return "";
  if (formulas.size() == 1) return formulas[0];
  const char* const names[] = {"a", "b", "c"};
  std::string text;
  for (std::size_t i = 0; i < formulas.size(); ++i) {
    text += std::string(i > 0 ? "; " : "") + "by " + names[i] + ": " + formulas[i];
  }
  return text;
}

/// Whether a formula mentions y by itself, not as a letter of a name.
bool namesValue(const std::string& formula) {
  const auto isLetter = [&](std::size_t i) {
    return i < formula.size() && std::isalpha(static_cast<unsigned char>(formula[i])) != 0;
  };
  for (std::size_t i = 0; i < formula.size(); ++i) {
    if (formula[i] == 'y' && !isLetter(i + 1) && (i == 0 || !isLetter(i - 1))) return true;
  }
  return false;
}

std::string docComment(const Row& row, const std::string& indent) {
  std::string text = indent + "/**\n" + indent + " * " + row.formula + "\n";
  if (!takesBooleans(row)) {
    text += indent + " *\n" + indent + " * Elementwise; domain: " + domainText(row.domain) + "; " +
            accuracyText(row) + ".\n";
  }
  if (const std::string derivative = derivativeText(row); !derivative.empty()) {
    text += indent + " * Derivative: " + derivative +
            (namesValue(derivative) ? " (y is the value).\n" : ".\n");
  }
  return text + indent + " */\n";
}

/// The pieces a method or function is put together from.
struct Signature {
  std::string generics;    // of the operands after the first
  std::string parameters;  // the same
  std::string dims;        // of the result
  std::string arguments;   // for the call
};

Signature signatureOf(const Row& row, const std::string& first, const std::string& firstArgument) {
  const std::string kind = takesBooleans(row) ? "BoolOperand" : "Operand";
  Signature signature;
  signature.dims = "DimsOf<" + first + ">";
  signature.arguments = firstArgument;
  const char* const names[] = {"a", "b", "c"};
  for (int i = 1; i < row.arity; ++i) {
    const std::string type(1, static_cast<char>('A' + i));
    signature.generics += ", " + type + " extends " + kind;
    signature.parameters += std::string(", ") + names[i] + ": " + type + " & Fits<" +
                            signature.dims + ", DimsOf<" + type + ">>";
    signature.dims = "Broadcast<" + signature.dims + ", DimsOf<" + type + ">>";
    signature.arguments += std::string(", ") + names[i];
  }
  return signature;
}

std::string callText(const Row& row, const std::string& arguments) {
  const std::string door =
      takesBooleans(row) || givesBooleans(row) ? "opBool" : "op" + std::to_string(row.arity);
  return "return " + door + "(" + std::to_string(code(row.op)) + ", " + arguments + ");";
}

std::string resultText(const Row& row, const std::string& dims) {
  return "Value<" + dims + (givesBooleans(row) ? ", \"bool\">" : ">");
}

/// A scalar takes the shape of what it meets, also where that is a type parameter; only an overload
/// says so. Of three operands none is told apart.
bool hasScalarOverload(const Row& row) { return row.arity == 2; }

std::string methodText(const Row& row) {
  const Signature s = signatureOf(row, "S", "this");
  const std::string operand = takesBooleans(row) ? "BoolOperand" : "Operand";
  const std::string kind = takesBooleans(row) ? ", \"bool\">" : ">";
  const std::string signature = std::string("  ") + row.name + "<S extends Value<Dims" + kind +
                                s.generics + ">(this: S" + s.parameters +
                                "): " + resultText(row, s.dims);
  std::string head = signature;
  if (hasScalarOverload(row)) {
    head = std::string("  ") + row.name + "<B extends " + operand + ">(this: Value<[]" + kind +
           ", b: B): " + resultText(row, "DimsOf<B>") + ";\n" + signature + ";\n  " + row.name +
           "(this: Value<Dims" + kind + ", b: " + operand + "): " + resultText(row, "Dims");
  }
  return docComment(row, "  ") + head + " {\n    " + callText(row, s.arguments) + "\n  }\n";
}

std::string functionText(const Row& row) {
  const Signature s = signatureOf(row, "A", "a");
  const std::string operand = takesBooleans(row) ? "BoolOperand" : "Operand";
  const std::string scalar =
      takesBooleans(row) ? "boolean | Value<[], \"bool\">" : "number | Value<[]>";
  const std::string name = std::string("export function ") + row.name;
  const std::string signature = name + "<A extends " + operand + s.generics + ">(a: A" +
                                s.parameters + "): " + resultText(row, s.dims);
  std::string head = signature;
  if (hasScalarOverload(row)) {
    head = name + "<B extends " + operand + ">(a: " + scalar +
           ", b: B): " + resultText(row, "DimsOf<B>") + ";\n" + signature + ";\n" + name +
           "(a: " + operand + ", b: " + operand + "): " + resultText(row, "Dims");
  }
  return docComment(row, "") + head + " {\n  " + callText(row, s.arguments) + "\n}\n";
}

std::string operationsTypeScript() {
  std::string text = kTypeScriptHeader;
  text +=
      "import { op1, op2, op3, opBool } from \"../trace.js\";\n"
      "import type { BoolOperand, Broadcast, Dims, DimsOf, Fits, Operand } from \"../types.js\";\n"
      "import type { Value } from \"../value.js\";\n\n"
      "/** The code of every operation. */\n"
      "export const Op = {\n";
  for (const Row& row : allRows()) {
    text += std::string("  ") + row.id + ": " + std::to_string(code(row.op)) + ",\n";
  }
  text +=
      "} as const;\n\n"
      "/** Names of the operations that programs use, in order of their codes. */\n"
      "export const publicOperations = [\n";
  for (const Row& row : allRows()) {
    if (!row.internal) text += std::string("  \"") + row.name + "\",\n";
  }
  text +=
      "] as const;\n\n"
      "/** What a formula needs to know of an elementwise operation. */\n"
      "export interface ElementwiseRow {\n"
      "  readonly code: number;\n"
      "  readonly arity: 1 | 2 | 3;\n"
      "  readonly takes: \"f64\" | \"bool\";\n"
      "  readonly gives: \"f64\" | \"bool\";\n"
      "}\n\n"
      "/** The elementwise operations by name. */\n"
      "export const elementwiseRows: ReadonlyMap<string, ElementwiseRow> = new Map([\n";
  for (const Row& row : allRows()) {
    if (!hasGeneratedFunction(row)) continue;
    text += std::string("  [\"") + row.name + "\", { code: " + std::to_string(code(row.op)) +
            ", arity: " + std::to_string(row.arity) + ", takes: \"" + dtypeName(row.operandType) +
            "\", gives: \"" + dtypeName(row.result) + "\" }],\n";
  }
  text +=
      "]);\n\n"
      "/** The elementwise operations as methods; the class of traced values extends it. */\n"
      "export abstract class ElementwiseMethods {\n";
  const char* separator = "";
  for (const Row& row : allRows()) {
    if (!hasGeneratedFunction(row)) continue;
    text += separator + methodText(row);
    separator = "\n";
  }
  text += "}\n";
  for (const Row& row : allRows()) {
    if (hasGeneratedFunction(row)) text += "\n" + functionText(row);
  }
  return text;
}

struct ErrorRow {
  const char* code;
  const char* className;
  const char* doc;
};
constexpr ErrorRow kErrors[] = {
#define ADJOINT_ERROR(name, code, className, doc) {code, className, doc},
#include "tape/errors.def"
#undef ADJOINT_ERROR
};

std::string errorsTypeScript() {
  std::string text = kTypeScriptHeader;
  text += "import { AdjointError, nameClass } from \"../error.js\";\n";
  for (const ErrorRow& row : kErrors) {
    const std::string name = row.className;
    text += std::string("\n/** ") + row.doc + " */\n";
    text += "export class " + name + " extends AdjointError {\n";
    text += std::string("  override readonly code = \"") + row.code + "\";\n";
    text += "  static {\n    nameClass(" + name + ", \"" + name + "\");\n  }\n}\n";
  }
  return text;
}

std::string errorCodesTypeScript() {
  std::string text = kTypeScriptHeader;
  text +=
      "import * as errors from \"./errors.js\";\n\n/** The class of each code. */\nexport const "
      "errorClasses = {\n";
  for (const ErrorRow& row : kErrors) {
    text += std::string("  ") + row.code + ": errors." + row.className + ",\n";
  }
  return text + "} as const;\n";
}

/// Text inside a cell of a Markdown table.
std::string cell(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '|') result += '\\';
    result += c;
  }
  return result;
}

std::string codeCell(const std::string& text) { return text.empty() ? "" : "`" + cell(text) + "`"; }

std::string elementwiseTable(bool internal) {
  std::string text =
      "| Operation | Value | Domain | Accuracy | Derivative |\n|---|---|---|---|---|\n";
  for (const Row& row : allRows()) {
    if (!isElementwise(row) || row.internal != internal || (!internal && !row.partials)) continue;
    text += std::string("| `") + row.name + "` | " + cell(row.formula) + " | " +
            cell(domainText(row.domain)) + " | " + accuracyText(row) + " | " +
            codeCell(derivativeText(row)) + " |\n";
  }
  return text;
}

/// The line of a public row: its TypeScript signature, the formula and what else there is to say;
/// not the core's attributes.
std::string signatureLine(const Row& row) {
  std::string text = row.signature;
  text = text.substr(0, text.find(" // "));
  const std::size_t end = text.find("; ");
  const std::string remarks = end == std::string::npos ? "" : text.substr(end + 2);
  return "| " + codeCell(text.substr(0, end)) + " | " + cell(row.formula) + " | " + cell(remarks) +
         " |\n";
}

std::string operationsMarkdown() {
  std::string text = "# Operations\n\n";
  text += kMarkdownHeader;
  text +=
      "Every operation is a function and, but for those marked \"a function only\", a method of "
      "its "
      "first operand: `sum(a, { axis: 0 })` is `a.sum({ axis: 0 })`. Numbers stand wherever a "
      "value does. In the derivatives, `a`, `b` and `c` are the operands and `y` is the value.\n\n"
      "## Elementwise\n\n"
      "Operands broadcast as in NumPy. Accuracy is that of the value against the exact result; ULP "
      "is the distance "
      "between neighboring doubles.\n\n";
  text += elementwiseTable(false);
  text +=
      "\n## Elementwise, without a derivative\n\n"
      "Rounding has derivative zero; comparisons give booleans, which `where` and the logical "
      "operations "
      "take.\n\n| Operation | Value | Takes | Gives |\n|---|---|---|---|\n";
  for (const Row& row : allRows()) {
    if (!isElementwise(row) || row.internal || row.partials) continue;
    const bool isWhere = row.family == Family::Where;
    text += std::string("| `") + row.name + "` | " + cell(row.formula) + " | " +
            (isWhere              ? "a boolean, two values; a function only"
             : takesBooleans(row) ? "booleans"
                                  : "numbers") +
            " | " +
            (isWhere              ? "a value"
             : givesBooleans(row) ? "booleans"
                                  : "numbers") +
            " |\n";
  }
  text +=
      "\n## Shapes, reductions, products\n\n"
      "Axes count from 0, or from the end when negative. `AxisOptions` is `{ axis?: number }`; "
      "`ReduceOptions` is `{ axis?: number | number[], keepDims?: boolean }`, all axes by default; "
      "`VarianceOptions` has `ddof?: number` too and `NormOptions` `order?: 1 | 2 | Infinity`. An "
      "`Operand` is a value or a number, a `BoolOperand` a boolean value or `true` or `false`; "
      "`Indices` are a value or nested arrays of integers; `Dims` are extents or axes. "
      "`constant(values, shape?)` makes a value of nested or typed arrays.\n\n"
      "| Operation | Result | Remarks |\n|---|---|---|\n";
  for (const Row& row : allRows()) {
    if (isElementwise(row) || row.internal) continue;
    text += signatureLine(row);
  }
  text +=
      "\n## Internal rows\n\n"
      "Partials of the rows above, each with its own accurate formula, and the fused operations of "
      "plans. They appear in printed tapes and have no function. An attribute `n` counts "
      "derivatives; the derivative shown is that of `n` = 0.\n\n";
  text += elementwiseTable(true);
  text += "\n| Operation | Result | Operands; attributes |\n|---|---|---|\n";
  for (const Row& row : allRows()) {
    if (isElementwise(row) || !row.internal) continue;
    text += std::string("| `") + row.name + "` | " + cell(row.formula) + " | " +
            cell(row.signature) + " |\n";
  }
  return text;
}

std::string errorsMarkdown() {
  std::string text = "# Errors\n\n";
  text += kMarkdownHeader;
  text +=
      "Every error this package throws is an `AdjointError`. Its `code` is stable; its message "
      "names the operation, "
      "the shapes and, where known, the line of the program at fault, which `location` holds "
      "too.\n\n"
      "| Code | Class | Meaning |\n|---|---|---|\n";
  for (const ErrorRow& row : kErrors) {
    text +=
        std::string("| `") + row.code + "` | `" + row.className + "` | " + cell(row.doc) + " |\n";
  }
  return text;
}

bool write(const std::filesystem::path& path, const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) std::fprintf(stderr, "adjoint_generate: can not write %s\n", path.c_str());
  return static_cast<bool>(file);
}

}  // namespace
}  // namespace adjoint::tools

int main(int argc, char** argv) {
  using namespace adjoint::tools;
  if (argc != 2) {
    std::fprintf(stderr, "usage: adjoint_generate <out-root>\n");
    return 2;
  }
  const std::filesystem::path root = argv[1];
  const bool written = write(root / "lib/generated/operations.ts", operationsTypeScript()) &&
                       write(root / "lib/generated/errors.ts", errorsTypeScript()) &&
                       write(root / "lib/generated/error-codes.ts", errorCodesTypeScript()) &&
                       write(root / "docs/operations.md", operationsMarkdown()) &&
                       write(root / "docs/errors.md", errorsMarkdown());
  return written ? 0 : 1;
}

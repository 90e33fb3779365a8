/** Sparse matrices in the Matrix Market exchange format: writing. */
import { here } from "../fail.js";
import { ArgumentError, LimitError } from "../generated/errors.js";
import { rowsOf } from "./compress.js";
import { type AnyPattern, eachEntry, type Places } from "./pattern.js";

/** Characters of the longest string that Node 20 makes. */
export const maxCharacters = 2 ** 29 - 24;
/** "1 1 0\n" is the shortest line. */
const minLine = 6;
/** Lines that are joined at once. */
const chunk = 65_536;

/** A number in the fewest digits that read as the same one; zero keeps its sign. */
const decimal = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

function tooLong(cause?: unknown): LimitError {
  return new LimitError(
    `toMatrixMarket: the text is longer than a string can be, ${maxCharacters} characters`,
    { cause, ...here() },
  );
}

/** The pattern with one entry a place. */
function withoutRepeats(pattern: AnyPattern, values: Float64Array): [Places, Float64Array] {
  if (pattern.format !== "coo") return [pattern, values];
  const { starts, indices, values: sums } = rowsOf(pattern, values);
  // A list without repetitions keeps its order.
  if (indices.length === pattern.nonzeros) return [pattern, values];
  const { rowIndices: _, ...others } = pattern;
  return [{ ...others, format: "csr", rowStarts: starts, columnIndices: indices }, sums];
}

export function marketText(given: AnyPattern, givenValues: Float64Array): string {
  const [pattern, values] = withoutRepeats(given, givenValues);
  if (values.length * minLine > maxCharacters) throw tooLong();
  const { rows, columns, triangle } = pattern;
  const symmetry = triangle === "full" ? "general" : "symmetric";
  const parts = [
    `%%MatrixMarket matrix coordinate real ${symmetry}\n${rows} ${columns} ${values.length}\n`,
  ];
  let lines: string[] = [];
  const flush = () => {
    parts.push(lines.join(""));
    lines = [];
  };
  eachEntry(pattern, (row, column, entry) => {
    const value = values[entry]!;
    if (!Number.isFinite(value)) {
      throw new ArgumentError(
        `toMatrixMarket: the value at row ${row}, column ${column} is ${value}`,
        here(),
      );
    }
    const [i, j] = triangle === "upper" ? [column, row] : [row, column];
    if (lines.push(`${i + 1} ${j + 1} ${decimal(value)}\n`) === chunk) flush();
  });
  flush();
  try {
    return parts.join("");
  } catch (cause) {
    throw tooLong(cause);
  }
}

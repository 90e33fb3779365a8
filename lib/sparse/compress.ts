/** From coordinates to compressed rows or columns. */
import { here } from "../fail.js";
import { LimitError } from "../generated/errors.js";
import { allocate } from "../numbers.js";
import { type AnyPattern, eachEntry } from "./pattern.js";

/** Rows and columns of entries, in any order. */
export interface Coordinates {
  readonly rows: number;
  readonly columns: number;
  readonly rowIndices: Int32Array;
  readonly columnIndices: Int32Array;
}

/** Lines (rows or columns) one after another, the indices of the others ascending within each. */
export interface Compressed {
  readonly starts: Int32Array;
  readonly indices: Int32Array;
  /** None where none were given. */
  readonly values: Float64Array;
}

/** Whatever has something for every row and column takes gigabytes beyond. */
const maxLines = 2 ** 28;

/** @throws LimitError for so many rows or columns that memory for each of them is out of the question */
export function requireLines({ rows, columns }: Pick<Coordinates, "rows" | "columns">): void {
  if (Math.max(rows, columns) <= maxLines) return;
  throw new LimitError(
    `${rows} rows and ${columns} columns: more than ${maxLines} take too much memory`,
    here(),
  );
}

/** The line of every entry, of lines that start there. */
export function expanded(starts: Int32Array): Int32Array {
  const lines = new Int32Array(starts.at(-1)!);
  for (let line = 0; line + 1 < starts.length; line++) {
    lines.fill(line, starts[line]!, starts[line + 1]!);
  }
  return lines;
}

/** Entries by their line, those of one line in the order in which they come in `before`. */
function byLine(lineOf: Int32Array, lines: number, before?: Int32Array) {
  const starts = new Int32Array(lines + 1);
  for (const line of lineOf) starts[line + 1]!++;
  for (let line = 0; line < lines; line++) starts[line + 1]! += starts[line]!;
  const order = new Int32Array(lineOf.length);
  const next = starts.slice();
  for (let k = 0; k < order.length; k++) {
    const entry = before === undefined ? k : before[k]!;
    order[next[lineOf[entry]!]!++] = entry;
  }
  return { starts, order };
}

/**
 * Compressed rows or columns of these entries. Those of one place become one: they are added, in order.
 * @param onRepeat is told of entries whose place another one has already
 * @throws LimitError for too many rows or columns
 */
export function compress(
  coordinates: Coordinates,
  values: Float64Array,
  by: "rows" | "columns",
  onRepeat: (entry: number) => void = () => {},
): Compressed {
  requireLines(coordinates);
  const { rows, columns, rowIndices, columnIndices } = coordinates;
  const isByRows = by === "rows";
  const [lineOf, indexOf] = isByRows ? [rowIndices, columnIndices] : [columnIndices, rowIndices];
  const [lines, extent] = isByRows ? [rows, columns] : [columns, rows];
  const { starts, order } = byLine(lineOf, lines, byLine(indexOf, extent).order);
  const sorted = new Int32Array(order.length);
  const sums = allocate(values.length, by);
  let count = 0;
  let next = 0;
  for (let line = 0; line < lines; line++) {
    const end = starts[line + 1]!;
    const first = count;
    for (; next < end; next++) {
      const entry = order[next]!;
      const isRepeated = count > first && sorted[count - 1] === indexOf[entry];
      if (isRepeated) {
        onRepeat(entry);
        sums[count - 1]! += values[entry]!;
      } else {
        sums[count] = values[entry]!;
        sorted[count++] = indexOf[entry]!;
      }
    }
    starts[line + 1] = count;
  }
  return { starts, indices: sorted.subarray(0, count), values: sums.subarray(0, count) };
}

const none = new Float64Array(0);

/** The entries of a pattern by rows, one a place, with values where they are given. */
export function rowsOf(pattern: AnyPattern, values: Float64Array = none): Compressed {
  if (pattern.format === "csr") {
    return { starts: pattern.rowStarts, indices: pattern.columnIndices, values };
  }
  const { rows, columns, rowIndices } = pattern;
  const columnIndices =
    pattern.format === "csc" ? expanded(pattern.columnStarts) : pattern.columnIndices;
  return compress({ rows, columns, rowIndices, columnIndices }, values, "rows");
}

/** The rows of a pattern; of a triangle those of the whole symmetric matrix. */
export function wholeRowsOf(pattern: AnyPattern): Compressed {
  if (pattern.triangle === "full") return rowsOf(pattern);
  const { rows, columns, nonzeros } = pattern;
  const [rowIndices, columnIndices] = [new Int32Array(2 * nonzeros), new Int32Array(2 * nonzeros)];
  eachEntry(pattern, (row, column, entry) => {
    rowIndices.set([row, column], 2 * entry);
    columnIndices.set([column, row], 2 * entry);
  });
  return compress({ rows, columns, rowIndices, columnIndices }, none, "rows");
}

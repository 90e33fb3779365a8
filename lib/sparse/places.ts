/** Patterns that programs give, checked and copied. */
import { here } from "../fail.js";
import { ArgumentError, IndexError, LimitError, ShapeError } from "../generated/errors.js";
import { describe, shown } from "../numbers.js";
import {
  type AnyPattern,
  eachEntry,
  isPattern,
  makePattern,
  type Places,
  type SparsePattern,
  type Triangle,
  triangles,
  wholeRanges,
} from "./pattern.js";

/** A pattern of one's own: the shape, and the arrays of a format. */
export type PatternArrays = (
  | { readonly rowStarts: Int32Array; readonly columnIndices: Int32Array }
  | { readonly columnStarts: Int32Array; readonly rowIndices: Int32Array }
  | { readonly rowIndices: Int32Array; readonly columnIndices: Int32Array }
) & {
  readonly rows: number;
  readonly columns: number;
  /** "full" by default. */
  readonly triangle?: Triangle;
};

/** Indices and rows have 32 bits. */
export const maxIndex = 2 ** 31 - 2;

type Given = { readonly [K in keyof SparsePattern | ArrayName]?: unknown };
type ArrayName = "rowStarts" | "columnStarts" | "rowIndices" | "columnIndices";

/** A number of rows or columns. @throws ShapeError, ArgumentError, LimitError */
export function extentOf(what: string, name: "rows" | "columns", given: unknown): number {
  if (!Number.isSafeInteger(given) || (given as number) < 0) {
    const WrongError = typeof given === "number" ? ShapeError : ArgumentError;
    throw new WrongError(`${what}: ${name} is a whole number from 0, got ${shown(given)}`, here());
  }
  if ((given as number) > maxIndex) {
    throw new LimitError(`${what}: ${String(given)} ${name} are more than ${maxIndex}`, here());
  }
  return given as number;
}

/** A copy, so that what is checked stays as it is. */
function arrayOf(what: string, given: Given, name: ArrayName): Int32Array {
  const array = given[name];
  if (ArrayBuffer.isView(array) && array instanceof Int32Array) return new Int32Array(array);
  throw new ArgumentError(`${what}: ${name} is an Int32Array, got ${describe(array)}`, here());
}

function checkIndices(what: string, name: ArrayName, indices: Int32Array, extent: number): void {
  const at = indices.findIndex((index) => index < 0 || index >= extent);
  if (at < 0) return;
  throw new IndexError(
    `${what}: ${name}[${at}] is ${indices[at]}, the last ${name === "rowIndices" ? "row" : "column"} is ${extent - 1}`,
    here(),
  );
}

function checkCompressed(
  what: string,
  lines: number,
  [startsName, starts]: readonly [ArrayName, Int32Array],
  [indicesName, indices]: readonly [ArrayName, Int32Array],
): void {
  const isSound =
    starts.length === lines + 1 &&
    starts[0] === 0 &&
    starts[lines] === indices.length &&
    starts.every((start, line) => line === 0 || starts[line - 1]! <= start);
  if (!isSound) {
    throw new ShapeError(
      `${what}: ${startsName} are ${lines + 1} positions from 0 up to ${indices.length}, none below the one before`,
      here(),
    );
  }
  for (let line = 0; line < lines; line++) {
    for (let k = starts[line]! + 1; k < starts[line + 1]!; k++) {
      if (indices[k - 1]! < indices[k]!) continue;
      throw new ArgumentError(
        `${what}: ${indicesName} ascend from ${startsName}[${line}] on, got ${indices[k - 1]} and ${indices[k]}`,
        here(),
      );
    }
  }
}

function checkTriangle(what: string, places: Places): void {
  const { rows, columns, triangle } = places;
  if (triangle === "full") return;
  if (rows !== columns) {
    throw new ShapeError(
      `${what}: a triangle is of a square matrix, not ${rows} x ${columns}`,
      here(),
    );
  }
  eachEntry(places, (row, column) => {
    if (row === column || (triangle === "lower") === column < row) return;
    throw new ArgumentError(
      `${what}: row ${row}, column ${column} is not in the ${triangle} triangle`,
      here(),
    );
  });
}

function placesOf(what: string, given: Given): Places {
  const rows = extentOf(what, "rows", given.rows);
  const columns = extentOf(what, "columns", given.columns);
  const triangle = (given.triangle ?? "full") as Triangle;
  if (!triangles.includes(triangle)) {
    throw new ArgumentError(
      `${what}: triangle is "full", "lower" or "upper", got ${shown(triangle)}`,
      here(),
    );
  }
  const common = { rows, columns, triangle, ...wholeRanges(rows, columns) };
  if (given.rowStarts !== undefined) {
    const rowStarts = arrayOf(what, given, "rowStarts");
    const columnIndices = arrayOf(what, given, "columnIndices");
    checkIndices(what, "columnIndices", columnIndices, columns);
    checkCompressed(what, rows, ["rowStarts", rowStarts], ["columnIndices", columnIndices]);
    return { format: "csr", ...common, rowStarts, columnIndices };
  }
  const rowIndices = arrayOf(what, given, "rowIndices");
  checkIndices(what, "rowIndices", rowIndices, rows);
  if (given.columnStarts !== undefined) {
    const columnStarts = arrayOf(what, given, "columnStarts");
    checkCompressed(what, columns, ["columnStarts", columnStarts], ["rowIndices", rowIndices]);
    return { format: "csc", ...common, columnStarts, rowIndices };
  }
  const columnIndices = arrayOf(what, given, "columnIndices");
  checkIndices(what, "columnIndices", columnIndices, columns);
  if (rowIndices.length !== columnIndices.length) {
    throw new ShapeError(
      `${what}: ${rowIndices.length} row indices do not fit ${columnIndices.length} column indices`,
      here(),
    );
  }
  return { format: "coo", ...common, rowIndices, columnIndices };
}

/**
 * A pattern of this package as it is, one of the program's own checked and copied.
 * @throws ArgumentError, ShapeError, IndexError, LimitError
 */
export function patternFrom(what: string, given: unknown): AnyPattern {
  if (typeof given !== "object" || given === null) {
    throw new ArgumentError(`${what}: expected a pattern, got ${describe(given)}`, here());
  }
  if (isPattern(given)) return given;
  const places = placesOf(what, given as Given);
  checkTriangle(what, places);
  return makePattern(places);
}

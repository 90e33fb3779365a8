/** Which entries of a sparse matrix there are. */
import { here } from "../fail.js";
import { ArgumentError, ShapeError } from "../generated/errors.js";
import type { NativeSparseDerivative } from "../native.js";
import { allocate, describe, isNumericArray, lengthOf } from "../numbers.js";
import { leavesOf, type Tree } from "../tree.js";
import type { TypedArray } from "../types.js";

export const formats = ["csr", "csc", "coo"] as const;
export const triangles = ["full", "lower", "upper"] as const;

/** How the places of a sparse matrix are given. */
export type SparseFormat = (typeof formats)[number];

/** Which entries of a symmetric matrix there are; the diagonal is in both triangles. */
export type Triangle = (typeof triangles)[number];

/** A range of rows that are an output's elements, or of columns that are an input's. */
export interface PatternRange {
  /** The output's or input's name, nested ones by path; "" where there is but one without a name. */
  readonly path: string;
  /** The first row or column. */
  readonly start: number;
  /** Their number. */
  readonly count: number;
}

/** Which entries of a sparse matrix there are. It is known when the transform is made, and does not change. */
export interface SparsePattern {
  readonly format: SparseFormat;
  readonly rows: number;
  readonly columns: number;
  /** The number of entries: the length of the values. */
  readonly nonzeros: number;
  /** "full", or the half of a symmetric matrix that the entries are. */
  readonly triangle: Triangle;
  /** Rows are the elements of all outputs, row-major, one output after another. */
  readonly outputs: readonly PatternRange[];
  /** Columns are the elements of the inputs, likewise. */
  readonly inputs: readonly PatternRange[];
  /**
   * The whole matrix with these values of the entries, row-major.
   * @throws ShapeError when there are not as many values as entries; LimitError when the matrix is too large.
   */
  toDense(values: TypedArray | readonly number[]): Float64Array;
}

/** Compressed sparse rows: rows in order, columns ascending within each. */
export interface CsrPattern extends SparsePattern {
  readonly format: "csr";
  /** The entries of row i are those from rowStarts[i] to rowStarts[i + 1] (excluded). */
  readonly rowStarts: Int32Array;
  /** The column of each entry. */
  readonly columnIndices: Int32Array;
}

/** Compressed sparse columns: columns in order, rows ascending within each. */
export interface CscPattern extends SparsePattern {
  readonly format: "csc";
  /** The entries of column j are those from columnStarts[j] to columnStarts[j + 1] (excluded). */
  readonly columnStarts: Int32Array;
  /** The row of each entry. */
  readonly rowIndices: Int32Array;
}

/** Coordinates, in any order; entries of one place add up. */
export interface CooPattern extends SparsePattern {
  readonly format: "coo";
  /** The row of each entry. */
  readonly rowIndices: Int32Array;
  /** The column of each entry. */
  readonly columnIndices: Int32Array;
}

/** The pattern of a format. */
export type PatternOf<F extends SparseFormat> = [F] extends ["csr"]
  ? CsrPattern
  : [F] extends ["csc"]
    ? CscPattern
    : [F] extends ["coo"]
      ? CooPattern
      : AnyPattern;

export type AnyPattern = CsrPattern | CscPattern | CooPattern;

/** What patterns are made of. */
export type Places = Omit<CsrPattern, Common> | Omit<CscPattern, Common> | Omit<CooPattern, Common>;
type Common = "nonzeros" | "toDense";

/** Patterns that this file made, so that their arrays fit each other. */
const made = new WeakSet<object>();

export const isPattern = (value: object): value is AnyPattern => made.has(value);

/** A pattern of places that are right. */
export function makePattern(places: Places): AnyPattern {
  const nonzeros = (places.format === "csc" ? places.rowIndices : places.columnIndices).length;
  const pattern: AnyPattern = Object.freeze({
    ...places,
    nonzeros,
    toDense: (values: TypedArray | readonly number[]) => dense(pattern, values),
  });
  made.add(pattern);
  return pattern;
}

/** Calls `visit` with the row and column of every entry, in order. */
export function eachEntry(
  places: Places,
  visit: (row: number, column: number, entry: number) => void,
): void {
  const { format } = places;
  if (format === "coo") {
    const { rowIndices, columnIndices } = places;
    for (let k = 0; k < rowIndices.length; k++) visit(rowIndices[k]!, columnIndices[k]!, k);
  } else if (format === "csr") {
    const { rows, rowStarts, columnIndices } = places;
    for (let row = 0; row < rows; row++) {
      for (let k = rowStarts[row]!; k < rowStarts[row + 1]!; k++) visit(row, columnIndices[k]!, k);
    }
  } else {
    const { columns, columnStarts, rowIndices } = places;
    for (let column = 0; column < columns; column++) {
      for (let k = columnStarts[column]!; k < columnStarts[column + 1]!; k++) {
        visit(rowIndices[k]!, column, k);
      }
    }
  }
}

function dense(pattern: AnyPattern, values: TypedArray | readonly number[]): Float64Array {
  checkCount(pattern, values, "toDense");
  const { rows, columns } = pattern;
  const matrix = allocate(rows * columns, "toDense");
  eachEntry(pattern, (row, column, entry) => {
    matrix[row * columns + column]! += values[entry]!;
  });
  return matrix;
}

/** Checks that there is a value for every entry. */
export function checkCount(
  { nonzeros }: SparsePattern,
  values: TypedArray | readonly number[],
  what: string,
): void {
  const isArray = isNumericArray(values);
  if (!isArray && !Array.isArray(values)) {
    throw new ArgumentError(`${what}: expected an array, got ${describe(values)}`, here());
  }
  const length = isArray ? lengthOf(values) : values.length;
  if (length !== nonzeros) {
    throw new ShapeError(`${what}: expected ${nonzeros} values, got ${length}`, here());
  }
}

/** Where the elements of each leaf are among those of all. */
export function rangesOf(tree: Tree): PatternRange[] {
  let start = 0;
  return leavesOf(tree).map(({ path, count }) => {
    const range = { path, start, count };
    start += count;
    return range;
  });
}

/** The number of elements of all leaves. */
export const sizeOf = (tree: Tree): number =>
  leavesOf(tree).reduce((sum, { count }) => sum + count, 0);

type Extents = Pick<SparsePattern, "rows" | "columns">;

/** Checks that a pattern has this shape. */
export function requireShape(what: string, given: Extents, rows: number, columns: number): void {
  if (given.rows === rows && given.columns === columns) return;
  throw new ShapeError(
    `${what}: expected a pattern of ${rows} rows and ${columns} columns, got ${given.rows} and ${given.columns}`,
    here(),
  );
}

/** Checks that a pattern is no triangle unless it is a Hessian's. */
export function requireWhole(what: string, triangle: Triangle, of: "jacobian" | "hessian"): void {
  if (of === "hessian" || triangle === "full") return;
  throw new ArgumentError(`${what}: a pattern of a triangle is for Hessians`, here());
}

/** One range without a name of all rows, and of all columns. */
export const wholeRanges = (rows: number, columns: number) => ({
  outputs: [{ path: "", start: 0, count: rows }],
  inputs: [{ path: "", start: 0, count: columns }],
});

/** A pattern by the row and the column of each entry, in the place of which are the starts of rows (CSR) or columns (CSC). */
export function patternIn(
  format: SparseFormat,
  common: Pick<SparsePattern, "rows" | "columns" | "triangle" | "outputs" | "inputs">,
  rowIndex: Int32Array,
  columnIndex: Int32Array,
): AnyPattern {
  switch (format) {
    case "csr":
      return makePattern({ format, ...common, rowStarts: rowIndex, columnIndices: columnIndex });
    case "csc":
      return makePattern({ format, ...common, columnStarts: columnIndex, rowIndices: rowIndex });
    case "coo":
      return makePattern({ format, ...common, rowIndices: rowIndex, columnIndices: columnIndex });
  }
}

/** The pattern of a Jacobian with these outputs and inputs. */
export function patternOf(
  { rows, columns, rowIndex, columnIndex }: NativeSparseDerivative,
  format: SparseFormat,
  triangle: Triangle,
  outputs: Tree,
  inputs: Tree,
): AnyPattern {
  const ranges = { outputs: rangesOf(outputs), inputs: rangesOf(inputs) };
  return patternIn(format, { rows, columns, triangle, ...ranges }, rowIndex, columnIndex);
}

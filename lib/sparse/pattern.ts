/** Which entries of a sparse matrix there are. */
import { here } from "../fail.js";
import { ArgumentError, ShapeError } from "../generated/errors.js";
import type { NativeSparseJacobian } from "../native.js";
import { allocate, describe, isNumericArray, lengthOf } from "../numbers.js";
import { leavesOf, type Tree } from "../tree.js";
import type { TypedArray } from "../types.js";

/** How the places of a sparse matrix are given. */
export type SparseFormat = "csr" | "coo";

/** Which entries of a symmetric matrix are computed; the diagonal is in both triangles. */
export type Triangle = "full" | "lower" | "upper";

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
  /** The column of each entry. */
  readonly columnIndices: Int32Array;
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

/** Compressed sparse rows. */
export interface CsrPattern extends SparsePattern {
  readonly format: "csr";
  /** The entries of row i are those from rowStarts[i] to rowStarts[i + 1] (excluded). */
  readonly rowStarts: Int32Array;
}

/** Coordinates. */
export interface CooPattern extends SparsePattern {
  readonly format: "coo";
  /** The row of each entry. */
  readonly rowIndices: Int32Array;
}

/** The pattern of a format. */
export type PatternOf<F extends SparseFormat> = [F] extends ["csr"]
  ? CsrPattern
  : [F] extends ["coo"]
    ? CooPattern
    : CsrPattern | CooPattern;

export function rangesOf(tree: Tree): PatternRange[] {
  let start = 0;
  return leavesOf(tree).map(({ path, count }) => {
    const range = { path, start, count };
    start += count;
    return range;
  });
}

export function patternOf(
  { rows, columns, rowIndex, columnIndex }: NativeSparseJacobian,
  format: SparseFormat,
  outputs: Tree,
  inputs: Tree,
): CsrPattern | CooPattern {
  const common = {
    rows,
    columns,
    nonzeros: columnIndex.length,
    columnIndices: columnIndex,
    outputs: rangesOf(outputs),
    inputs: rangesOf(inputs),
  };
  const dense = (values: TypedArray | readonly number[], eachRow: EachRow): Float64Array => {
    const isArray = isNumericArray(values);
    if (!isArray && !Array.isArray(values)) {
      throw new ArgumentError(`toDense: expected an array, got ${describe(values)}`, here());
    }
    const length = isArray ? lengthOf(values) : values.length;
    if (length !== columnIndex.length) {
      throw new ShapeError(`toDense: expected ${columnIndex.length} values, got ${length}`, here());
    }
    const matrix = allocate(rows * columns, "toDense");
    eachRow((row, entry) => {
      matrix[row * columns + columnIndex[entry]!]! += values[entry]!;
    });
    return matrix;
  };
  if (format === "coo") {
    const byEntry: EachRow = (visit) => {
      for (let entry = 0; entry < rowIndex.length; entry++) visit(rowIndex[entry]!, entry);
    };
    return {
      format,
      ...common,
      rowIndices: rowIndex,
      toDense: (values) => dense(values, byEntry),
    };
  }
  const byRow: EachRow = (visit) => {
    for (let row = 0; row < rows; row++) {
      for (let entry = rowIndex[row]!; entry < rowIndex[row + 1]!; entry++) visit(row, entry);
    }
  };
  return { format, ...common, rowStarts: rowIndex, toDense: (values) => dense(values, byRow) };
}

/** Calls `visit` with every entry and its row. */
type EachRow = (visit: (row: number, entry: number) => void) => void;

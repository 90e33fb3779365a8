/** Jacobians and Hessians of functions of many instances, without the zeros. */
import type { Core, Note } from "./core.js";
import { here } from "./fail.js";
import { type AdjointFunction, coreOf } from "./function.js";
import { ArgumentError, ShapeError } from "./generated/errors.js";
import type { NativeJacobianBlock, NativeSparseJacobian } from "./native.js";
import { allocate, describe, isNumericArray, lengthOf, oneOf } from "./numbers.js";
import {
  choice,
  derived,
  type JacobianOptions,
  modeOf,
  requireScalar,
  wrtOf,
} from "./transforms.js";
import { leavesOf, type Tree } from "./tree.js";
import type { NamesOf, ScalarResult, TypedArray } from "./types.js";
import type { Value } from "./value.js";

/** How the places of a sparse matrix are given. */
export type SparseFormat = "csr" | "coo";

/** How a sparse Jacobian is computed, and how its pattern is given. */
export interface SparseJacobianOptions<W extends string, F extends SparseFormat = SparseFormat>
  extends JacobianOptions<W> {
  /**
   * "csr" (the default): rows in order, columns ascending within each, one entry for each place.
   * "coo": instance by instance, without an order of rows; entries of one place, where there are several, add up.
   */
  readonly format?: F;
}

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

/** A function that gives the values of a sparse Jacobian's entries. */
export type SparseFunction<A extends readonly unknown[], F extends SparseFormat> = AdjointFunction<
  A,
  Value<[number]>
> & { readonly pattern: PatternOf<F> };

/**
 * The Jacobian of a function that does the same for many instances (a `vmap`, differences of neighbors, gathered
 * parameters), each of which depends on a few elements of the inputs. `sparseJacobian(f)(x)` is a Float64Array with the
 * entries' values; `sparseJacobian(f).pattern` says where they belong. The derivatives of an instance are taken forward
 * or reverse, whichever is cheaper. What has no such structure, or indices known only at run time, is a dense block:
 * always right, and `explain()` names the operation that made it so.
 * @throws NameError when `wrt` names no input; LimitError when there are more rows, columns or entries than 2^31 - 1.
 */
export function sparseJacobian<
  A extends readonly [unknown, ...unknown[]],
  R,
  const W extends string = never,
  const F extends SparseFormat = "csr",
>(
  f: AdjointFunction<A, R>,
  options?: SparseJacobianOptions<NamesOf<A[0], W>, F>,
): SparseFunction<A, F> {
  const core = coreOf(f, "sparseJacobian");
  const inputs = wrtOf(core, "sparseJacobian", options, ["mode", "format"]);
  return sparse(core, inputs, "sparseJacobian", {
    mode: modeOf("sparseJacobian", options),
    format: oneOf("sparseJacobian", "format", options?.format, formats),
    triangle: "full",
  });
}

/** Which entries of a symmetric matrix are computed; the diagonal is in both triangles. */
export type Triangle = "full" | "lower" | "upper";

/** How a sparse Hessian is computed, and how its pattern is given. */
export interface SparseHessianOptions<W extends string, F extends SparseFormat = SparseFormat>
  extends SparseJacobianOptions<W, F> {
  /** "full" (the default), or the half that solvers ask for: "lower" has columns up to the row's, "upper" from it on. */
  readonly triangle?: Triangle;
}

/**
 * The Hessian of a function with one scalar result that is a sum over many instances, each of which depends on a few
 * elements of the inputs: the sparse Jacobian of its gradient. `sparseHessian(f)(x)` is a Float64Array with the entries'
 * values, `sparseHessian(f).pattern` says where they belong. For a Lagrangian make the weights an input that `wrt` does not
 * name.
 * @throws ShapeError when the result is not one scalar; NameError when `wrt` names no input; LimitError when there are
 * more rows, columns or entries than 2^31 - 1.
 */
export function sparseHessian<
  A extends readonly [unknown, ...unknown[]],
  R,
  const W extends string = never,
  const F extends SparseFormat = "csr",
>(
  f: AdjointFunction<A, R> & ScalarResult<R>,
  options?: SparseHessianOptions<NamesOf<A[0], W>, F>,
): SparseFunction<A, F> {
  const core = coreOf(f, "sparseHessian");
  requireScalar(core, "sparseHessian");
  const inputs = wrtOf(core, "sparseHessian", options, ["mode", "format", "triangle"]);
  return sparse(core, inputs, "sparseHessian", {
    mode: modeOf("sparseHessian", options),
    format: oneOf("sparseHessian", "format", options?.format, formats),
    triangle: oneOf("sparseHessian", "triangle", options?.triangle, triangles),
  });
}

interface Layout {
  readonly mode: "auto" | "forward" | "reverse";
  readonly format: SparseFormat;
  readonly triangle: Triangle;
}

/** The Jacobian of a function, or of its gradient. */
function sparse<A extends readonly unknown[], F extends SparseFormat>(
  core: Core,
  { tree, positions }: ReturnType<typeof wrtOf>,
  transform: "sparseJacobian" | "sparseHessian",
  { mode, format, triangle }: Layout,
): SparseFunction<A, F> {
  const isHessian = transform === "sparseHessian";
  let found: NativeSparseJacobian | undefined;
  const result = derived<A, Value<[number]>>(core, transform, () => {
    const tape = isHessian ? core.tape.gradient(positions) : core.tape;
    try {
      found = tape.sparseJacobian(positions, mode, format, triangle);
    } finally {
      if (isHessian) tape.dispose();
    }
    const kind = `sparse ${isHessian ? "Hessian" : "Jacobian"}`;
    const shape = [format, ...(triangle === "full" ? [] : [`${triangle} triangle`])].join(", ");
    return {
      tape: found.tape,
      result: leaf,
      notes: notesOf(core, found, `${kind} (${shape})`, mode),
    };
  });
  const pattern = patternOf(found!, format, isHessian ? tree : core.result, tree);
  return Object.defineProperty(result, "pattern", { value: pattern }) as SparseFunction<A, F>;
}

const formats = ["csr", "coo"] as const;
const triangles = ["full", "lower", "upper"] as const;

/** One value; its shape is the tape's. */
const leaf: Tree = { kind: "leaf", index: 0, path: "", shape: [0], isBool: false, count: 0 };

function rangesOf(tree: Tree): PatternRange[] {
  let start = 0;
  return leavesOf(tree).map(({ path, count }) => {
    const range = { path, start, count };
    start += count;
    return range;
  });
}

function patternOf(
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

/** Blocks that are said one by one. */
const maxBlocks = 12;

function notesOf(
  core: Core,
  { rows, columns, columnIndex, blocks }: NativeSparseJacobian,
  what: string,
  mode: string,
): Note[] {
  const size = `${rows} rows, ${columns} columns, ${columnIndex.length} entries`;
  const left = blocks.length - maxBlocks;
  return [
    `${what}: ${size}`,
    ...blocks.slice(0, maxBlocks).map((block) => noteOf(core, block, mode)),
    ...(left > 0 ? [`and ${left} more blocks`] : []),
  ];
}

function noteOf(core: Core, block: NativeJacobianBlock, mode: string): Note {
  const { lanes, outputs, inputs, operation, node } = block;
  const how = choice(block, mode);
  if (operation === undefined || node === undefined) {
    return `${lanes} times ${outputs} by ${inputs}: ${how}`;
  }
  return () => {
    const place = core.locate(node);
    const where = place === undefined ? "" : ` at ${place.file}:${place.line}:${place.column}`;
    return `dense ${outputs} by ${inputs} because of ${operation}${where}: ${how}`;
  };
}

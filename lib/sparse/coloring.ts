/** Colorings of sparse patterns: which columns or rows of a matrix can be computed together. */
import { completed, here, outOfMemory } from "../fail.js";
import { ArgumentError } from "../generated/errors.js";
import { native } from "../native.js";
import { describe, oneOf, optionsOf, wholeOf } from "../numbers.js";
import { requireLines, rowsOf, wholeRowsOf } from "./compress.js";
import { SparseMatrix } from "./matrix.js";
import { type AnyPattern, type CsrPattern, isPattern } from "./pattern.js";
import { extentOf, type PatternArrays, patternFrom } from "./places.js";

/**
 * What gets colors, and how the matrix is read from the compressed one:
 * - "columns", "rows": those of one color share no row (column); every nonzero is read directly (partial distance-2 coloring).
 * - "rowsAndColumns": some nonzeros are read by rows, the others by columns (star bicoloring): few colors for dense rows
 *   and columns, as of an arrow.
 * - "distanceTwo", "star", "acyclic": of symmetric matrices. Every nonzero is read directly; one of two mirrored ones is;
 *   they are computed by substitution.
 */
export type ColoringMethod =
  | "columns"
  | "rows"
  | "rowsAndColumns"
  | "distanceTwo"
  | "star"
  | "acyclic";

/** In which order columns, rows or vertices are taken, each with the least color that is possible. */
export type ColoringOrder =
  | "natural"
  | "largestFirst"
  | "smallestLast"
  | "incidenceDegree"
  | "dynamicLargestFirst"
  | "random";

/** Compressed sparse rows, columns ascending within each: what `sparseJacobian(f).pattern` is. */
export interface ColorablePattern {
  readonly rows: number;
  readonly columns: number;
  /** rows + 1 positions among the column indices. */
  readonly rowStarts: Int32Array;
  readonly columnIndices: Int32Array;
}

export interface ColoringOptions {
  /** "columns" by default. */
  readonly method?: ColoringMethod;
  /** "natural" by default. */
  readonly order?: ColoringOrder;
  /** Of the order "random": a whole number from 0, by default 0. */
  readonly seed?: number;
  /**
   * Of the methods "columns", "rows" and "distanceTwo": how often to color once more, class by class, which never takes more
   * colors and often fewer. From 0, the default, to 1000.
   */
  readonly passes?: number;
}

/** Colors from 0 on; -1 for what is not needed to find every nonzero. */
export interface Coloring {
  readonly method: ColoringMethod;
  readonly order: ColoringOrder;
  /** How many columns (and rows) the compressed matrix has: colors of columns and of rows together. */
  readonly count: number;
  /** By column, or vertex of a symmetric matrix; empty when rows are colored. */
  readonly columnColors: Int32Array;
  /** By row; empty unless rows are colored. */
  readonly rowColors: Int32Array;
}

export const methods = [
  ...(["columns", "rows", "rowsAndColumns"] as const),
  ...(["distanceTwo", "star", "acyclic"] as const),
] as const satisfies readonly ColoringMethod[];
export const orders = [
  ...(["natural", "largestFirst", "smallestLast", "incidenceDegree"] as const),
  ...(["dynamicLargestFirst", "random"] as const),
] as const satisfies readonly ColoringOrder[];

/** Whether it is of symmetric matrices. */
export const isOfSymmetric = (method: ColoringMethod): boolean =>
  method === "star" || method === "acyclic" || method === "distanceTwo";

/** A pattern that is given: rows as they are, for the core to check, others checked. */
export function givenPattern(what: string, of: unknown): ColorablePattern | AnyPattern {
  const pattern: unknown = of instanceof SparseMatrix ? of.pattern : of;
  if (typeof pattern !== "object" || pattern === null) {
    throw new ArgumentError(`${what}: expected a pattern, got ${describe(pattern)}`, here());
  }
  const { rowStarts, triangle = "full", rows, columns } = pattern as Partial<CsrPattern>;
  if (rowStarts === undefined || triangle !== "full" || isPattern(pattern)) {
    return patternFrom(what, pattern);
  }
  extentOf(what, "rows", rows);
  extentOf(what, "columns", columns);
  return pattern as ColorablePattern;
}

/** Its rows; of a triangle, where the matrix has to be symmetric, those of the whole one. */
export function colorable(
  pattern: ColorablePattern | AnyPattern,
  isSymmetric: boolean,
): ColorablePattern {
  if (!isPattern(pattern)) return pattern;
  const { rows, columns } = pattern;
  const { starts, indices } = isSymmetric ? wholeRowsOf(pattern) : rowsOf(pattern);
  return { rows, columns, rowStarts: starts, columnIndices: indices };
}

const maxPasses = 1000;

/**
 * A coloring of any pattern or matrix, the same every time; a triangle's by star, acyclic and distance-two colors is that of the
 * whole symmetric matrix. (Gebremedhin, Manne and Pothen, What color is your Jacobian?, 2005; star and
 * acyclic ones: Gebremedhin, Tarafdar, Manne and Pothen, 2007).
 * @throws ArgumentError for malformed options, unsorted or repeated indices, and a pattern that is not symmetric where it has to
 * be; ShapeError when the arrays do not fit the shape; IndexError for indices out of range; LimitError for more
 * than 2^28 rows or columns, or 2^31 - 2 nonzeros.
 */
export function colorPattern(
  pattern: PatternArrays | SparseMatrix,
  options?: ColoringOptions,
): Coloring {
  const given = optionsOf("colorPattern", options, ["method", "order", "seed", "passes"]);
  const method = oneOf("colorPattern", "method", given.method, methods);
  const order = oneOf("colorPattern", "order", given.order, orders);
  const seed = wholeOf("colorPattern", "seed", given.seed ?? 0, 0);
  const passes = wholeOf("colorPattern", "passes", given.passes ?? 0, 0, maxPasses);
  try {
    const found = givenPattern("colorPattern", pattern);
    requireLines(found);
    const { rows, columns, rowStarts, columnIndices } = colorable(found, isOfSymmetric(method));
    const numbers = [rows, columns, seed, passes];
    const { columnCount, rowCount, columnColors, rowColors } = native.colorPattern(
      method,
      order,
      numbers,
      rowStarts,
      columnIndices,
    );
    return { method, order, count: columnCount + rowCount, columnColors, rowColors };
  } catch (error) {
    throw completed(outOfMemory(error), "colorPattern");
  }
}

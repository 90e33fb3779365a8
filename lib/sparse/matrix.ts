/** Sparse matrices as values: a pattern with a number for each entry. */
import { completed, outOfMemory } from "../fail.js";
import { allocate, copyNested } from "../numbers.js";
import type { TypedArray } from "../types.js";
import { marketText } from "./market.js";
import {
  type AnyPattern,
  type CooPattern,
  type CscPattern,
  type CsrPattern,
  checkCount,
} from "./pattern.js";
import { type PatternArrays, patternFrom } from "./places.js";
import { type SpyOptions, spyHtml } from "./spy.js";

/** A sparse matrix: `sparseMatrix(pattern, values)` makes one, `parseMatrixMarket(text)` reads one. */
export class SparseMatrix<P extends AnyPattern = AnyPattern> {
  readonly pattern: P;
  /** The entries' values, in the pattern's order. */
  readonly values: Float64Array;

  /** As `sparseMatrix`. */
  constructor(pattern: P | PatternArrays, values: TypedArray | readonly number[]) {
    try {
      this.pattern = patternFrom("sparseMatrix", pattern) as P;
      const { nonzeros } = this.pattern;
      checkCount(this.pattern, values, "sparseMatrix");
      this.values = allocate(nonzeros, "sparseMatrix");
      copyNested(values, [nonzeros], 0, this.values, 0, "values");
    } catch (error) {
      throw completed(outOfMemory(error), "sparseMatrix");
    }
  }

  get rows(): number {
    return this.pattern.rows;
  }

  get columns(): number {
    return this.pattern.columns;
  }

  /**
   * The whole matrix, row-major.
   * @throws LimitError when it is too large
   */
  toDense(): Float64Array {
    return this.pattern.toDense(this.values);
  }

  /**
   * The matrix as a text in the Matrix Market exchange format (Boisvert, Pozo and Remington, NISTIR 5935, 1996): coordinate real
   * general, and of a triangle symmetric, its lower half. Numbers are the shortest decimals that read as the same
   * number.
   * @throws ArgumentError for values that are not finite, which the format has no words for; LimitError when the text is
   * longer than a string can be
   */
  toMatrixMarket(): string {
    try {
      return marketText(this.pattern, this.values);
    } catch (error) {
      throw completed(outOfMemory(error), "toMatrixMarket");
    }
  }

  /** A picture of it as one HTML page; the same as `spyHtml`. */
  toHtml(options?: SpyOptions): string {
    return spyHtml(this, options);
  }
}

/**
 * A sparse matrix with this pattern, of a transform or of one's own, and these values. Both stay as they are: values and
 * arrays of one's own are copied.
 * @throws ShapeError when there are not as many values as entries, or arrays do not fit the shape; IndexError for indices out
 * of range; ArgumentError for indices that do not ascend, entries outside their triangle, and what is no pattern or number;
 * LimitError for more than 2^31 - 2 rows or columns.
 */
export function sparseMatrix<P extends AnyPattern>(
  pattern: P,
  values: TypedArray | readonly number[],
): SparseMatrix<P>;
export function sparseMatrix(
  pattern: PatternArrays & { readonly rowStarts: Int32Array },
  values: TypedArray | readonly number[],
): SparseMatrix<CsrPattern>;
export function sparseMatrix(
  pattern: PatternArrays & { readonly columnStarts: Int32Array },
  values: TypedArray | readonly number[],
): SparseMatrix<CscPattern>;
export function sparseMatrix(
  pattern: PatternArrays & { readonly rowIndices: Int32Array; readonly columnIndices: Int32Array },
  values: TypedArray | readonly number[],
): SparseMatrix<CooPattern>;
export function sparseMatrix(
  pattern: PatternArrays,
  values: TypedArray | readonly number[],
): SparseMatrix {
  return new SparseMatrix(pattern, values);
}

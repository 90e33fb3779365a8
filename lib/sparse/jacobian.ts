/** Jacobians and Hessians without the zeros. */
import { type AdjointFunction, coreOf } from "../function.js";
import { oneOf } from "../numbers.js";
import { type JacobianOptions, modeOf, requireScalar, wrtOf } from "../transforms.js";
import { record } from "../tree.js";
import type { NamesOf, ScalarResult, Select } from "../types.js";
import type { Value } from "../value.js";
import type { Coloring, ColoringMethod, ColoringOrder } from "./coloring.js";
import { entries, flagOf, type Request, requestOf, sparse } from "./derivative.js";
import type { SparseMatrix } from "./matrix.js";
import { formats, type PatternOf, type SparseFormat, type Triangle, triangles } from "./pattern.js";
import type { PatternArrays } from "./places.js";
import type { SpyOptions } from "./spy.js";

/**
 * How entries are computed: "instances" takes the derivatives of each instance of what the function does many times;
 * "coloring" adds up columns that share no row (or rows that share no column) and reads the entries from the sums; "auto" takes
 * instances unless they would be dense blocks and colors take fewer operations.
 */
export type SparseMethod = "auto" | "instances" | "coloring";

/** Which coloring; what is not given is chosen. */
export interface SparseColoringOptions<M extends ColoringMethod> {
  /** Of Jacobians by default the cheapest; of Hessians "star". */
  readonly method?: M;
  /** By default "natural" or "smallestLast", whichever takes fewer colors. */
  readonly order?: ColoringOrder;
  /** Of the order "random": a whole number from 0, by default 0. */
  readonly seed?: number;
}

/** How sparse derivatives are computed, and how their pattern is given. */
export interface SparseDerivativeOptions<
  W extends string,
  F extends SparseFormat,
  M extends ColoringMethod,
> extends JacobianOptions<W> {
  /**
   * "csr" (the default): rows in order, columns ascending within each, one entry for each place.
   * "csc": likewise, columns in order, rows ascending within each.
   * "coo": by coloring in the order of "csr"; else instance by instance, without an order of rows, and entries of one
   * place, where there are several, add up.
   */
  readonly format?: F;
  /** "auto" by default. */
  readonly method?: SparseMethod;
  /** Of the methods "coloring" and "auto". */
  readonly coloring?: SparseColoringOptions<M>;
  /**
   * Entries to compute, by coloring; those of `sparsity(f)` by default. What is not zero and not among them makes others
   * wrong: `checkPattern` finds it. A triangle stands for the whole symmetric matrix.
   */
  readonly pattern?: PatternArrays | SparseMatrix;
  /** Colorings of more colors are not used; no limit by default. */
  readonly maxColors?: number;
  /** More entries are refused: by default 2^31 - 1, and 2^27 of a pattern that is detected. */
  readonly maxNonzeros?: number;
}

/** How a sparse Jacobian is computed, and what its function gives. */
export interface SparseJacobianOptions<
  W extends string,
  F extends SparseFormat = SparseFormat,
  V extends boolean = boolean,
> extends SparseDerivativeOptions<W, F, "columns" | "rows" | "rowsAndColumns"> {
  /** Whether the function's value is computed along with it; false by default. */
  readonly withValue?: V;
}

/** A function that gives the values of a sparse matrix's entries, alone or with others. */
export type SparseFunction<
  A extends readonly unknown[],
  F extends SparseFormat,
  R = Value<[number]>,
> = AdjointFunction<A, R> & {
  readonly pattern: PatternOf<F>;
  /** The coloring by which they are computed; undefined where they are not. */
  readonly coloring: Coloring | undefined;
  /** A picture of the pattern with this coloring as one HTML page; see `spyHtml`. */
  toHtml(options?: SpyOptions): string;
};

/** What a sparse Jacobian's function gives: the entries, or with the function's value. */
export type SparseJacobianResult<R, V extends boolean> = V extends true
  ? { readonly value: R; readonly jacobian: Value<[number]> }
  : Value<[number]>;

const common = [
  ...(["mode", "format", "method", "coloring", "pattern", "maxColors", "maxNonzeros"] as const),
] as const;

/**
 * The Jacobian without its zeros. `sparseJacobian(f)(x)` is a Float64Array with the entries' values;
 * `sparseJacobian(f).pattern` says where they belong. Of a function that does the same for many instances (a `vmap`, differences of
 * neighbors, gathered parameters), each of which depends on a few elements of the inputs, the derivatives of each instance
 * are taken, forward or reverse, whichever is cheaper. What has no such structure is a dense block, or computed by
 * coloring, where that is cheaper: `explain()` says what was taken, why, and which operation made a block dense.
 * (Colorings: Gebremedhin, Manne and Pothen, What color is your Jacobian?, 2005.)
 * @throws NameError when `wrt` names no input; ArgumentError for malformed options and patterns; ShapeError for a pattern
 * of another size; LimitError when there are more rows or columns than 2^31 - 1, or more entries or colors than allowed.
 */
export function sparseJacobian<
  A extends readonly [unknown, ...unknown[]],
  R,
  const W extends string = never,
  const F extends SparseFormat = "csr",
  const V extends boolean = false,
>(
  f: AdjointFunction<A, R>,
  options?: SparseJacobianOptions<NamesOf<A[0], W>, F, V>,
): SparseFunction<A, F, SparseJacobianResult<R, V>> {
  const what = "sparseJacobian";
  const core = coreOf(f, what);
  const inputs = wrtOf(core, what, options, [...common, "withValue"]);
  const withValue = flagOf(what, "withValue", options?.withValue);
  const request: Request = {
    of: "jacobian",
    inputs,
    mode: modeOf(what, options),
    format: oneOf(what, "format", options?.format, formats),
    triangle: "full",
    ...requestOf(what, options, ["columns", "rows", "rowsAndColumns"]),
    withValues: withValue,
    result: withValue ? record({ value: core.result, jacobian: entries }) : entries,
  };
  return sparse(core, what, request);
}

/** How a sparse Hessian is computed, and what its function gives. */
export interface SparseHessianOptions<
  W extends string,
  F extends SparseFormat = SparseFormat,
  V extends boolean = boolean,
> extends SparseDerivativeOptions<W, F, "star" | "acyclic" | "distanceTwo"> {
  /** "full" (the default), or the half that solvers ask for: "lower" has columns up to the row's, "upper" from it on. */
  readonly triangle?: Triangle;
  /** Whether value and gradient are computed along with it; false by default. */
  readonly withGradient?: V;
}

/** What a sparse Hessian's function gives: the entries, or with value and gradient G. */
export type SparseHessianResult<R, G, V extends boolean> = V extends true
  ? { readonly value: R; readonly gradient: G; readonly hessian: Value<[number]> }
  : Value<[number]>;

/**
 * The Hessian of a function with one scalar result, without its zeros: of a sum over many instances, each of which depends on
 * a few elements of the inputs, the sparse Jacobian of its gradient; where that would have dense blocks, forward over reverse by
 * coloring, if that is cheaper. `sparseHessian(f)(x)` is a Float64Array with the entries' values,
 * `sparseHessian(f).pattern` says where they belong. For a Lagrangian make the weights an input that `wrt` does not name.
 * (Colorings: Gebremedhin, Tarafdar, Manne and Pothen, New acyclic and star coloring algorithms, 2007.)
 * @throws ShapeError when the result is not one scalar, or for a pattern of another size; NameError when `wrt` names no input;
 * ArgumentError for malformed options and patterns; LimitError when there are more rows or columns than 2^31 - 1,
 * or more entries or colors than allowed.
 */
export function sparseHessian<
  A extends readonly [unknown, ...unknown[]],
  R,
  const W extends string = never,
  const F extends SparseFormat = "csr",
  const V extends boolean = false,
>(
  f: AdjointFunction<A, R> & ScalarResult<R>,
  options?: SparseHessianOptions<NamesOf<A[0], W>, F, V>,
): SparseFunction<A, F, SparseHessianResult<R, Select<A[0], W>, V>> {
  const what = "sparseHessian";
  const core = coreOf(f, what);
  requireScalar(core, what);
  const inputs = wrtOf(core, what, options, [...common, "triangle", "withGradient"]);
  const { tree } = inputs;
  const withGradient = flagOf(what, "withGradient", options?.withGradient);
  const request: Request = {
    of: "hessian",
    inputs,
    mode: modeOf(what, options),
    format: oneOf(what, "format", options?.format, formats),
    triangle: oneOf(what, "triangle", options?.triangle, triangles),
    ...requestOf(what, options, ["star", "acyclic", "distanceTwo"]),
    withValues: withGradient,
    result: withGradient
      ? record({ value: core.result, gradient: tree, hessian: entries })
      : entries,
  };
  return sparse(core, what, request);
}

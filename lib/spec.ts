/** What a function takes, described: shapes under names. */
import { here } from "./fail.js";
import { ArgumentError, LimitError, ShapeError } from "./generated/errors.js";
import type { Dims } from "./types.js";
import type { Value } from "./value.js";

/** One input: a number or tensor of a fixed shape. Made by `scalar`, `vector`, `matrix` and `tensor`. */
export class TensorSpec<out D extends Dims = Dims> {
  /** Extents, outermost first; `[]` for a scalar. */
  readonly shape: D;
  /** What only the constructor can give: prototypes can be forged. */
  readonly #made = true;

  /** @internal */
  constructor(shape: D) {
    if (!Array.isArray(shape)) {
      throw new ArgumentError("TensorSpec: takes an array of extents; use tensor", here());
    }
    for (const each of shape as Dims) extent(each, "TensorSpec");
    this.shape = shape;
    Object.freeze(shape);
    Object.freeze(this);
  }

  /** @internal */
  static isSpec(given: unknown): given is TensorSpec {
    return typeof given === "object" && given !== null && #made in given;
  }
}

/** A tree of inputs: an input, or a record of such trees. */
export type SpecTree = TensorSpec | { readonly [name: string]: SpecTree };

/** The inputs of a function by name; records nest. */
export interface Spec {
  readonly [name: string]: SpecTree;
}

/** The tree of traced values that the body of a function with this spec is given. */
export type ValuesOf<S> =
  S extends TensorSpec<infer D> ? Value<D> : { readonly [K in keyof S]: ValuesOf<S[K]> };

function extent(value: unknown, what: string): number {
  if (typeof value !== "number") {
    throw new ArgumentError(`${what}: an extent is a number, got ${typeof value}`, here());
  }
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new ShapeError(`${what}: an extent is a whole number from 0, got ${value}`, here());
  }
  return value;
}

/** A number. */
export function scalar(): TensorSpec<[]> {
  return new TensorSpec([]);
}

/** `n` numbers. @throws ShapeError when `n` is not a whole number. */
export function vector<const N extends number>(n: N): TensorSpec<[N]> {
  return new TensorSpec([extent(n, "vector") as N]);
}

/** `rows` times `columns` numbers, row-major. @throws ShapeError when an extent is not a whole number. */
export function matrix<const M extends number, const N extends number>(
  rows: M,
  columns: N,
): TensorSpec<[M, N]> {
  return new TensorSpec([extent(rows, "matrix") as M, extent(columns, "matrix") as N]);
}

/** Numbers of any shape, row-major. @throws ShapeError when an extent is not a whole number. */
export function tensor<const D extends Dims>(
  shape: D,
): TensorSpec<{ -readonly [K in keyof D]: D[K] }> {
  if (!Array.isArray(shape)) {
    throw new ArgumentError("tensor: takes an array of extents, e.g. tensor([2, 3, 4])", here());
  }
  if (shape.length > 16) throw new LimitError("tensor: at most 16 axes", here());
  const extents = Array.from(shape as Dims, (value) => extent(value, "tensor"));
  return new TensorSpec(extents as { -readonly [K in keyof D]: D[K] });
}

/** Types of loops: what their steps are given and give. Nothing here exists at run time. */
import type { AnyValue, Dims, Exactly, Kind, ResultTree, SameDim, ValueTree } from "./types.js";
import type { Value } from "./value.js";

/** The tree without the leading axis of its values: what one step of a loop over it sees. */
export type RowOf<T> = ValueTree extends T ? AnyValue : RowTree<T>;

type RowTree<T> =
  T extends Value<readonly [number, ...infer D extends Dims], infer K>
    ? Value<D, K>
    : T extends AnyValue
      ? Value<Dims>
      : { readonly [K in keyof T]: RowTree<T[K]> };

/** The extent of a value's leading axis; of a record's it is not known. */
export type LeadingOf<T> =
  T extends Value<infer D, Kind> ? (number extends D["length"] ? number : D[0] & number) : number;

// The compiler infers what a body gives only as a whole, and where it is not what it should be the loop's result tells:
// a return type made of shapes would be the contextual type of the operations in the body, too deep for it.

/** The next carry of what a step of a scan gives. */
export type CarryOf<S> = S extends readonly [infer N, unknown?] ? N : S;

/** Rows of what a step of a scan gives, one for each step, as one tree; nothing where it gives none. */
export type Stacked<S, N extends number> = S extends readonly [unknown, infer Y]
  ? [Y] extends [undefined]
    ? undefined
    : StackedTree<Y, N>
  : undefined;

type StackedTree<Y, N extends number> =
  Y extends Value<infer D, infer K>
    ? Value<[N, ...D], K>
    : Y extends number
      ? Value<[N]>
      : { readonly [P in keyof Y]: StackedTree<Y[P], N> };

type SameDims<A extends Dims, B extends Dims> =
  Exactly<A> extends Exactly<B>
    ? 1
    : number extends A["length"]
      ? 1
      : number extends B["length"]
        ? 1
        : A extends readonly [infer H extends number, ...infer T extends Dims]
          ? B extends readonly [infer G extends number, ...infer U extends Dims]
            ? [SameDim<H, G, 1>] extends [never]
              ? never
              : SameDims<T, U>
            : never
          : B extends readonly []
            ? 1
            : never;

/** What a tree lacks whose place another one takes: the compiler names both. */
export interface TreesDiffer<A, B> {
  readonly "this differs from what stands in its place": [A, B];
}

/** What of B is not like the tree A, in structure, kind or shape; `never` when nothing is, or may not be. */
type Misfits<A, B> =
  A extends Value<infer D, infer K>
    ? B extends number
      ? Misfit<K, D, "f64", [], A, B>
      : B extends Value<infer E, infer L>
        ? Misfit<K, D, L, E, A, B>
        : TreesDiffer<A, B>
    : {
        [P in keyof A]: P extends keyof B ? Misfits<A[P], B[P]> : TreesDiffer<A[P], B>;
      }[A extends readonly unknown[] ? keyof A & number : keyof A];

type Misfit<K extends Kind, D extends Dims, L extends Kind, E extends Dims, A, B> = [L] extends [K]
  ? [SameDims<D, E>] extends [never]
    ? TreesDiffer<A, B>
    : never
  : TreesDiffer<A, B>;

/** The result R of a loop or branch where N is like I; else what differs, which is no value to go on with. */
export type IfLike<I, N, R> = [Misfits<ResultTree<I>, N>] extends [never]
  ? R
  : Misfits<ResultTree<I>, N>;

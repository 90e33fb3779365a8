/**
 * Shapes at the level of types: how a spec becomes the types of values, arguments and results.
 * Nothing here exists at run time.
 *
 * A "tree" is a value, or a record or array of trees. Functions are typed by trees of values: one for
 * each argument and one for the result; every other type (what a call takes, what it gives, what a
 * session shows) is a tree of the same form with other leaves.
 */
import type { Difference, IsLess, Product, Sum } from "./arithmetic.js";
import type { Value } from "./value.js";

/** Extents of a tensor, outermost first; `[]` is a scalar. Literal where the program knows them. */
export type Dims = readonly number[];

/** What the elements of a value are. */
export type Kind = "f64" | "bool";

/** A traced number or tensor of any shape. */
export type AnyValue = Value<Dims, Kind>;

/** A traced value whose elements are truth values. */
export type BoolValue<D extends Dims = Dims> = Value<D, "bool">;

/** What stands wherever a numeric value is wanted. */
export type Operand = Value<Dims, "f64"> | number;

/** What stands wherever a condition is wanted. */
export type BoolOperand = Value<Dims, "bool"> | boolean;

/** The shape of an operand; numbers and booleans are scalars. */
export type DimsOf<T> = T extends Value<infer D, Kind> ? D : [];

/** The typed arrays that are accepted as numbers. */
export type TypedArray =
  | Float64Array
  | Float32Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

// --- broadcasting ---------------------------------------------------------------------------------

// Of a type parameter the compiler knows nothing but that it is itself. So shapes are asked first whether
// they are the same: `a.add(b)` of two Value<D> is a Value<D>, whatever D.

/** What the compiler finds the same only for the same A. */
export type Exactly<A> = <T>() => T extends A ? 1 : 2;

type BroadcastDim<A extends number, B extends number> = number extends A
  ? B extends 1
    ? number
    : B
  : number extends B
    ? A extends 1
      ? number
      : A
    : A extends B
      ? A
      : A extends 1
        ? B
        : B extends 1
          ? A
          : never;

type BroadcastWalk<A extends Dims, B extends Dims, R extends Dims> = A extends readonly [
  ...infer AHead extends Dims,
  infer ALast extends number,
]
  ? B extends readonly [...infer BHead extends Dims, infer BLast extends number]
    ? Exactly<ALast> extends Exactly<BLast>
      ? BroadcastWalk<AHead, BHead, [ALast, ...R]>
      : [BroadcastDim<ALast, BLast>] extends [never]
        ? never
        : BroadcastWalk<AHead, BHead, [BroadcastDim<ALast, BLast>, ...R]>
    : [...A, ...R]
  : [...B, ...R];

/** The shape two shapes broadcast to, by NumPy's rule; `never` when they do not. */
export type Broadcast<A extends Dims, B extends Dims> =
  Exactly<B> extends Exactly<A> | Exactly<[]>
    ? A
    : number extends A["length"]
      ? Dims
      : number extends B["length"]
        ? Dims
        : BroadcastWalk<A, B, []>;

/** The shape of the result of an elementwise operation on these operands. */
export type BroadcastOf<A, B> = A extends number | boolean
  ? DimsOf<B>
  : Broadcast<DimsOf<A>, DimsOf<B>>;

/** What an argument lacks when its shape does not fit: the compiler names both shapes. */
export interface ShapesDoNotFit<A extends Dims, B extends Dims> {
  readonly "these shapes do not fit": [A, B];
}

/** `unknown` when the shapes broadcast; else a type no argument has. */
export type Fits<A extends Dims, B extends Dims> =
  Exactly<B> extends Exactly<A> | Exactly<[]>
    ? unknown
    : [Broadcast<A, B>] extends [never]
      ? ShapesDoNotFit<A, B>
      : unknown;

/** The same for operands. */
export type FitsOf<A, B> = A extends number | boolean ? unknown : Fits<DimsOf<A>, DimsOf<B>>;

// --- axes -----------------------------------------------------------------------------------------

type Count<N extends number, R extends unknown[] = []> = R["length"] extends N
  ? R
  : R["length"] extends 20
    ? unknown[]
    : Count<N, [...R, unknown]>;

type Subtract<A extends number, B extends number> =
  Count<A> extends [...infer R, ...Count<B>] ? R["length"] : never;

/** An axis counted from 0; negative ones count from the end. */
type AxisOf<D extends Dims, A extends number> = `${A}` extends `-${infer N extends number}`
  ? Subtract<D["length"], N>
  : A;

type AxesOf<D extends Dims, A extends number> = A extends A ? AxisOf<D, A> : never;

type DropAxes<
  D extends Dims,
  A extends number,
  Keep extends boolean,
  Seen extends unknown[] = [],
  R extends Dims = [],
> = D extends readonly [infer H extends number, ...infer T extends Dims]
  ? Seen["length"] extends A
    ? DropAxes<T, A, Keep, [...Seen, unknown], Keep extends true ? [...R, 1] : R>
    : DropAxes<T, A, Keep, [...Seen, unknown], [...R, H]>
  : R;

type Ones<D extends Dims> = { -readonly [K in keyof D]: 1 };

/** Which axes an operation works on, and whether they stay as axes of extent 1. */
export interface ReduceOptions {
  /** One axis or several, negative ones from the end; all of them by default. */
  readonly axis?: number | readonly number[];
  /** Keep reduced axes with extent 1, so that the result broadcasts against the operand. */
  readonly keepDims?: boolean;
}

type OptionAxis<O> = O extends { readonly axis: infer A }
  ? A extends readonly (infer N extends number)[]
    ? N
    : A extends number
      ? A
      : undefined
  : undefined;

/** What an option lacks when the axis is none of the shape's. */
export interface NoSuchAxis<A, D extends Dims> {
  readonly "no such axis in this shape": [A, D];
}

/** `unknown` when the axes are the shape's, or may be; else a type no option has. */
export type AxesFit<D extends Dims, O> = [AllPositions<D["length"], AxisList<O>>] extends [never]
  ? NoSuchAxis<OptionAxis<O>, D>
  : unknown;

type AxisList<O> = O extends { readonly axis: infer A }
  ? A extends readonly unknown[]
    ? A
    : readonly [A]
  : readonly [];

type AllPositions<N extends number, I extends readonly unknown[]> = I extends readonly [
  infer First extends number,
  ...infer Rest,
]
  ? [Position<N, First>] extends [never]
    ? never
    : AllPositions<N, Rest>
  : 1;

/** 1 when I is, or may be, a position among N, where negative ones count from the end; else `never`. */
type Position<N extends number, I extends number> = `${I}` extends `-${infer P extends number}`
  ? IsLess<N, P> extends true
    ? never
    : 1
  : IsLess<I, N> extends false
    ? never
    : 1;

type OptionKeep<O> = O extends { readonly keepDims: infer K extends boolean } ? K : false;

/** The shape left by a reduction. */
export type ReduceDims<D extends Dims, O> = [OptionAxis<O>, OptionKeep<O>] extends [
  undefined,
  false,
]
  ? []
  : number extends D["length"]
    ? Dims
    : boolean extends OptionKeep<O>
      ? Dims
      : [OptionAxis<O>] extends [undefined]
        ? Ones<D>
        : [OptionAxis<O>] extends [number]
          ? number extends OptionAxis<O>
            ? Dims
            : DropAxes<D, AxesOf<D, OptionAxis<O> & number>, OptionKeep<O>>
          : Dims;

// Told apart without asking for the shape, which may be a type parameter.
type AnyOperand = number | { readonly shape: unknown };

/** What `max` and `min` lack: of two values shapes that fit, of one value the axes. */
export type ExtremeFits<A, B> = B extends AnyOperand ? FitsOf<A, B> : AxesFit<DimsOf<A>, B>;

type LoosenWalk<
  D extends Dims,
  A extends number,
  Seen extends unknown[] = [],
  R extends Dims = [],
> = D extends readonly [infer H extends number, ...infer T extends Dims]
  ? LoosenWalk<T, A, [...Seen, unknown], [...R, Seen["length"] extends A ? number : H]>
  : R;

/** The shape with the extent of one axis unknown. */
export type LoosenAxis<D extends Dims, A extends number> = number extends D["length"]
  ? Dims
  : number extends A
    ? LoosenAll<D>
    : LoosenWalk<D, AxisOf<D, A>>;

/** The rank kept, every extent unknown. */
export type LoosenAll<D extends Dims> = { -readonly [K in keyof D]: number };

/** The shape without its leading `I.length` axes. */
export type DropLeading<D extends Dims, I extends readonly unknown[]> = number extends D["length"]
  ? Dims
  : number extends I["length"]
    ? Dims
    : I extends readonly [unknown, ...infer Rest]
      ? D extends readonly [unknown, ...infer T extends Dims]
        ? DropLeading<T, Rest>
        : never
      : [...D];

/** What indices lack when one is outside its axis. */
export interface IndexOutside<I extends readonly unknown[], D extends Dims> {
  readonly "an index is outside this shape": [I, D];
}

type OnAxes<D extends Dims, I extends readonly unknown[]> = I extends readonly [
  infer First extends number,
  ...infer More,
]
  ? [D] extends [readonly [infer H extends number, ...infer T extends Dims]]
    ? [Position<H, First>] extends [never]
      ? never
      : OnAxes<T, More>
    : [D] extends [readonly []]
      ? never
      : 1
  : 1;

/** `unknown` when the indices are positions in this shape, or may be; else a type they do not have. */
export type IndicesFit<D extends Dims, I extends readonly unknown[]> = [OnAxes<D, I>] extends [
  never,
]
  ? IndexOutside<I, D>
  : unknown;

/** The shape of a reshape: what was asked for, -1 standing for an unknown extent. */
export type ReshapeDims<S extends Dims> = {
  -readonly [K in keyof S]: S[K] extends -1 ? number : S[K];
};

/** What a shape lacks that has another number of elements. */
export interface SizesDiffer<A extends Dims, B extends Dims> {
  readonly "these shapes have different numbers of elements": [A, B];
}

/** The number of elements, `number` when not known. */
type SizeOf<D extends Dims, R extends number = 1> = D extends readonly [
  infer H extends number,
  ...infer T extends Dims,
]
  ? SizeOf<T, Product<R, H>>
  : D extends readonly []
    ? R
    : number;

type SameSize<A extends number, B extends number> = [number] extends [A | B]
  ? 1
  : A extends B
    ? 1
    : never;

/** `unknown` when both shapes have as many elements, or may have; else a type no shape has. */
export type SizesFit<A extends Dims, B extends Dims> = [
  SameSize<SizeOf<A>, SizeOf<ReshapeDims<B>>>,
] extends [never]
  ? SizesDiffer<A, B>
  : unknown;

/** The axes permuted, or reversed when no permutation is given. */
export type TransposeDims<D extends Dims, P> = P extends Dims
  ? number extends P["length"]
    ? Dims
    : { -readonly [K in keyof P]: DimAt<D, P[K] & number> }
  : ReverseDims<D>;

type DimAt<D extends Dims, A extends number> = number extends D["length"]
  ? number
  : D[AxisOf<D, A>] extends infer E extends number
    ? E
    : number;

type ReverseDims<D extends Dims> = number extends D["length"]
  ? Dims
  : D extends readonly [infer H extends number, ...infer T extends Dims]
    ? [...ReverseDims<T>, H]
    : [];

/** One range of a slice: `[start, stop, step]` as in NumPy, or `null` for the whole axis. */
export type Range =
  | readonly [start?: number | null, stop?: number | null, step?: number | null]
  | null;

type Entry<R, I extends string, Default extends number> = I extends keyof R
  ? [R[I]] extends [number]
    ? R[I]
    : [R[I]] extends [null | undefined]
      ? Default
      : number
  : Default;

type Length<H extends number, Start extends number, Stop extends number> =
  IsLess<H, Stop> extends infer Less
    ? boolean extends Less
      ? number
      : Difference<Less extends true ? H : Stop, Start>
    : never;

type RangeExtent<H extends number, R> = R extends null
  ? H
  : Entry<R, "2", 1> extends 1
    ? Length<H, Entry<R, "0", 0>, Entry<R, "1", H>>
    : number;

/** The shape of a slice: known where ranges are literal, not negative and without a step. */
export type SliceDims<D extends Dims, R extends readonly Range[]> = number extends D["length"]
  ? Dims
  : R extends readonly [infer First, ...infer More extends readonly Range[]]
    ? D extends readonly [infer H extends number, ...infer T extends Dims]
      ? [RangeExtent<H, First>, ...SliceDims<T, More>]
      : never
    : number extends R["length"]
      ? LoosenAll<D>
      : [...D];

type JoinWalk<A extends Dims, B extends Dims, Axis, R extends Dims = []> = A extends readonly [
  infer H extends number,
  ...infer T extends Dims,
]
  ? B extends readonly [infer G extends number, ...infer U extends Dims]
    ? R["length"] extends Axis
      ? JoinWalk<T, U, Axis, [...R, Sum<H, G>]>
      : [SameDim<H, G, 0>] extends [never]
        ? never
        : JoinWalk<T, U, Axis, [...R, number extends H ? G : H]>
    : never
  : B extends readonly []
    ? R
    : never;

type JoinTwo<A extends Dims, B extends Dims, Axis extends number> = [number] extends [
  A["length"] | B["length"],
]
  ? Dims
  : number extends Axis
    ? LoosenAll<A>
    : JoinWalk<A, B, AxisOf<A, Axis>>;

type JoinAll<
  V extends readonly unknown[],
  Axis extends number,
  R extends Dims,
> = V extends readonly [infer First, ...infer More]
  ? [JoinTwo<R, DimsOf<First>, Axis>] extends [never]
    ? never
    : JoinAll<More, Axis, JoinTwo<R, DimsOf<First>, Axis>>
  : R;

/** The shape of values joined along an axis; `never` when they do not fit. */
export type ConcatDims<
  V extends readonly unknown[],
  Axis extends number,
> = number extends V["length"]
  ? LoosenAxis<DimsOf<V[number]>, Axis>
  : V extends readonly [infer First, ...infer More]
    ? JoinAll<More, Axis, DimsOf<First>>
    : Dims;

/** What a list of values lacks that can not be joined. */
export interface ShapesCanNotBeJoined<S> {
  readonly "these shapes differ beside the axis": S;
}

/** `unknown` when the values can be joined, or may be; else a type no list has. */
export type ConcatFits<V extends readonly unknown[], Axis extends number> = [
  ConcatDims<V, Axis>,
] extends [never]
  ? ShapesCanNotBeJoined<{ -readonly [K in keyof V]: DimsOf<V[K]> }>
  : unknown;

// --- products -------------------------------------------------------------------------------------

/** R when two extents are the same, or may be; else `never`. */
export type SameDim<A, B, R> =
  Exactly<A> extends Exactly<B>
    ? R
    : number extends A
      ? R
      : number extends B
        ? R
        : A extends B
          ? R
          : never;

/** The shape of a matrix product; `never` when the inner extents differ. */
export type MatMulDims<A extends Dims, B extends Dims> = number extends A["length"]
  ? Dims
  : number extends B["length"]
    ? Dims
    : A extends readonly [infer K1]
      ? B extends readonly [infer K2]
        ? SameDim<K1, K2, []>
        : B extends readonly [...infer Batch extends Dims, infer K2, infer N extends number]
          ? SameDim<K1, K2, [...Batch, N]>
          : never
      : A extends readonly [...infer BatchA extends Dims, infer M extends number, infer K1]
        ? B extends readonly [infer K2]
          ? SameDim<K1, K2, [...BatchA, M]>
          : B extends readonly [...infer BatchB extends Dims, infer K2, infer N extends number]
            ? [Broadcast<BatchA, BatchB>] extends [never]
              ? never
              : SameDim<K1, K2, [...Broadcast<BatchA, BatchB>, M, N]>
            : never
        : never;

/** `unknown` when the matrices can be multiplied; else a type no argument has. */
export type MatMulFits<A extends Dims, B extends Dims> = [MatMulDims<A, B>] extends [never]
  ? ShapesDoNotFit<A, B>
  : unknown;

type DotDims<A extends Dims, B extends Dims> = number extends A["length"]
  ? unknown
  : number extends B["length"]
    ? unknown
    : A extends readonly [infer N]
      ? B extends readonly [infer M]
        ? SameDim<N, M, unknown>
        : never
      : never;

/** `unknown` when both are vectors of one length; else a type no argument has. */
export type DotFits<A extends Dims, B extends Dims> = [DotDims<A, B>] extends [never]
  ? ShapesDoNotFit<A, B>
  : unknown;

type Letters<T extends string> = T extends `${infer C}${infer Rest}`
  ? C extends " "
    ? Letters<Rest>
    : [C, ...Letters<Rest>]
  : [];

type Zip<L extends readonly string[], D extends Dims> = L extends readonly [
  infer C extends string,
  ...infer CT extends readonly string[],
]
  ? D extends readonly [infer E extends number, ...infer ET extends Dims]
    ? { readonly [K in C]: E } & Zip<CT, ET>
    : unknown
  : unknown;

type EinsumExtents<In extends string, V extends readonly unknown[]> = V extends readonly [
  infer First,
  ...infer More extends readonly unknown[],
]
  ? In extends `${infer Head},${infer Tail}`
    ? Zip<Letters<Head>, DimsOf<First>> & EinsumExtents<Tail, More>
    : Zip<Letters<In>, DimsOf<First>>
  : unknown;

type Pluck<L extends readonly string[], E> = {
  -readonly [K in keyof L]: L[K] extends keyof E
    ? E[L[K]] extends infer N extends number
      ? N
      : number
    : number;
};

/** The shape of an einsum whose subscripts name their output, e.g. "ij,jk->ik". */
export type EinsumDims<
  S extends string,
  V extends readonly unknown[],
> = S extends `${infer In}->${infer Out}` ? Pluck<Letters<Out>, EinsumExtents<In, V>> : Dims;

/** What subscripts lack that do not fit their values. */
export interface SubscriptsDoNotFit<Why> {
  readonly "these subscripts do not fit": Why;
}

type Unknown<Out, In extends string> = Out extends string
  ? In extends `${string}${Out}${string}`
    ? never
    : Out
  : never;

/** `unknown` when the subscripts fit the values, or may; else a type no text has. */
export type EinsumFits<
  S extends string,
  V extends readonly unknown[],
> = S extends `${infer In}->${infer Out}`
  ? [Unknown<Letters<Out>[number], In>] extends [never]
    ? ExtentsAgree<In, V>
    : SubscriptsDoNotFit<["only in the result:", Unknown<Letters<Out>[number], In>]>
  : ExtentsAgree<S, V>;

type ExtentsAgree<In extends string, V extends readonly unknown[]> = [
  EinsumExtents<In, V>,
] extends [never]
  ? SubscriptsDoNotFit<{ -readonly [K in keyof V]: DimsOf<V[K]> }>
  : unknown;

// --- trees ----------------------------------------------------------------------------------------

/** A traced value, or a record or array of such trees. */
export type ValueTree = AnyValue | { readonly [name: string]: ValueTree } | readonly ValueTree[];

/** What a body may return: plain numbers are constants. */
export type BodyResult =
  | AnyValue
  | number
  | { readonly [name: string]: BodyResult }
  | readonly BodyResult[];

/** The tree of values that a body's result stands for; of a body that returns anything, unknown. */
export type ResultTree<R> = BodyResult extends R ? AnyValue : TreeOf<R>;

type TreeOf<R> = R extends AnyValue
  ? R
  : R extends number
    ? Value<[]>
    : { readonly [K in keyof R]: TreeOf<R[K]> };

type Nested<D extends Dims> = D extends readonly [number, ...infer Rest extends Dims]
  ? readonly Nested<Rest>[] | (Rest extends readonly [] ? TypedArray : never)
  : number;

/** Arrays of numbers nested to any depth. */
export type NestedNumbers = number | TypedArray | readonly NestedNumbers[];

/** Plain numbers accepted for a value of this shape: nested arrays, or a flat typed array. */
export type PlainLeaf<D extends Dims> = number extends D["length"]
  ? NestedNumbers
  : D extends readonly []
    ? number
    : Nested<D> | TypedArray;

/** Plain numbers given for a tree of values. */
export type Plain<T> =
  T extends Value<infer D, Kind> ? PlainLeaf<D> : { readonly [K in keyof T]: Plain<T[K]> };

/** Traced values given for a tree of values; numbers stand for scalars. */
export type Traced<T> =
  T extends Value<infer D, infer K>
    ? Value<Readonly<D>, K> | (D extends readonly [] ? number : never)
    : { readonly [K in keyof T]: Traced<T[K]> };

/** Where the compiler finds G; it holds nothing. */
type InferredFrom<D extends Dims, G> = [G] extends [never] ? Value<D, G & Kind> : never;

/** What a call takes: traced values when there is one among them, whose kind G then is; else numbers. */
type Given<T, G> =
  T extends Value<infer D, infer K>
    ? [G] extends [never]
      ? PlainLeaf<D>
      : [G] extends [Kind]
        ? Value<Readonly<D>, K> | (D extends readonly [] ? number : never)
        : PlainLeaf<D> | InferredFrom<D, G>
    : { readonly [K in keyof T]: Given<T[K], G> };

type LeafResult<D extends Dims> = number extends D["length"]
  ? number | Float64Array
  : D extends readonly []
    ? number
    : Float64Array;

/** Plain results for a tree of values: numbers for scalars, row-major arrays for tensors. */
export type Result<T> =
  T extends Value<infer D, Kind> ? LeafResult<D> : { -readonly [K in keyof T]: Result<T[K]> };

/** What a call gives: traced values for traced values, else numbers. */
export type CallResult<R, G> = [G] extends [never] ? Result<R> : [G] extends [Kind] ? R : Result<R>;

/** Views on a session's memory for a tree of values; a scalar is an array of length 1. */
export type Views<T> = T extends AnyValue ? Float64Array : { readonly [K in keyof T]: Views<T[K]> };

/** Plain numbers for many instances: the same with a leading axis, or one instance's for all. */
export type PlainBatch<T> =
  T extends Value<infer D, Kind>
    ? PlainLeaf<D> | PlainLeaf<readonly [number, ...D]>
    : { readonly [K in keyof T]: PlainBatch<T[K]> };

/** Results for many instances: row-major arrays with a leading axis. */
export type BatchResult<T> = T extends AnyValue
  ? Float64Array
  : { -readonly [K in keyof T]: BatchResult<T[K]> };

/** The arguments of a function in each of these forms. */
export type PlainArguments<A extends readonly unknown[]> = {
  readonly [K in keyof A]: Plain<A[K]>;
};
export type TracedArguments<A extends readonly unknown[]> = {
  readonly [K in keyof A]: Traced<A[K]>;
};
export type CallArguments<A extends readonly unknown[], G> = {
  readonly [K in keyof A]: Given<A[K], G>;
};
export type BatchArguments<A extends readonly unknown[]> = {
  readonly [K in keyof A]: PlainBatch<A[K]>;
};
export type ViewArguments<A extends readonly unknown[]> = {
  readonly [K in keyof A]: Views<A[K]>;
};

// --- names ----------------------------------------------------------------------------------------

/** Names of the values of a tree, nested ones by path ("camera.focal"), whole records included. */
export type PathsOf<T> = T extends AnyValue
  ? never
  : {
      [K in keyof T & string]: K | (T[K] extends AnyValue ? never : `${K}.${PathsOf<T[K]>}`);
    }[keyof T & string];

/** The names W when they are known only at run time; else those of the tree, so that W is one of them. */
export type NamesOf<T, W extends string> = string extends W ? W : PathsOf<T>;

type TailOf<K extends string, W extends string> = W extends `${K}.${infer Tail}` ? Tail : never;

/** The part of a tree that these names select, nested as before; names not known yet select any part. */
export type Select<T, W extends string> = T extends AnyValue
  ? T
  : [W] extends [never]
    ? T
    : string extends W
      ? { readonly [name: string]: Select<T[keyof T], W> }
      : {
          readonly [K in keyof T as K extends string
            ? IsNamed<K, W> extends true
              ? K
              : never
            : never]: K extends W ? T[K] : K extends string ? Select<T[K], TailOf<K, W>> : never;
        };

/** Whether a name of W is K or begins with it, or K stands for any name. */
type IsNamed<K extends string, W extends string> = K extends W
  ? true
  : string extends K
    ? true
    : [TailOf<K, W>] extends [never]
      ? false
      : true;

// --- derivatives ----------------------------------------------------------------------------------

type JacobianLeaf<O extends Dims, T> =
  T extends Value<infer I, Kind>
    ? Value<[...O, ...I]>
    : { readonly [K in keyof T]: JacobianLeaf<O, T[K]> };

/** The tree with numbers for booleans, as rules of derivatives take and give it. */
export type Tangent<T> =
  T extends Value<infer D, Kind> ? Value<D> : { readonly [K in keyof T]: Tangent<T[K]> };

/** By output (where outputs are a record), by input: values of shape [...output, ...input]. */
export type JacobianOf<R, T> =
  R extends Value<infer O, Kind>
    ? JacobianLeaf<O, T>
    : { readonly [K in keyof R]: JacobianOf<R[K], T> };

/** What a function lacks that has no gradient because its result is not one scalar. */
export interface ResultIsNotAScalar {
  readonly "a gradient needs a function with one scalar result": never;
}

/** `unknown` when the result is one scalar, or may be. */
export type ScalarResult<R> =
  R extends Value<infer D, Kind>
    ? number extends D["length"]
      ? unknown
      : D extends readonly []
        ? unknown
        : ResultIsNotAScalar
    : ResultIsNotAScalar;

/** The tree with a leading axis of extent N on every value. */
export type WithLeading<T, N extends number> =
  T extends Value<infer D, infer K>
    ? Value<[N, ...D], K>
    : { readonly [K in keyof T]: WithLeading<T[K], N> };

/** The same, but for the values that these names select. */
export type WithLeadingExcept<T, N extends number, W extends string> =
  T extends Value<infer D, infer K>
    ? Value<[N, ...D], K>
    : {
        readonly [K in keyof T]: K extends W
          ? T[K] | (string extends W ? WithLeading<T[K], N> : never)
          : K extends string
            ? WithLeadingExcept<T[K], N, TailOf<K, W>>
            : WithLeading<T[K], N>;
      };

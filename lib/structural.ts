/**
 * Operations with shapes of their own: thin wrappers that give the core's operations NumPy's arguments
 * and types. Axes count from 0, or from the end when negative. Every function throws ShapeError when the
 * shapes do not fit, DTypeError when booleans stand for numbers, and names the user's line.
 */
import { here } from "./fail.js";
import { ArgumentError, IndexError, ShapeError } from "./generated/errors.js";
import { maximum, minimum, Op } from "./generated/operations.js";
import { flatNumbers, isList, shown } from "./numbers.js";
import { badOperand, dataOn, isValue, op3, opN, requireTrace } from "./trace.js";
import type {
  AnyValue,
  AxesFit,
  BoolOperand,
  Broadcast,
  BroadcastOf,
  ConcatDims,
  ConcatFits,
  Dims,
  DimsOf,
  DotFits,
  DropLeading,
  EinsumDims,
  EinsumFits,
  ExtremeFits,
  FitsOf,
  IndicesFit,
  LoosenAll,
  MatMulDims,
  MatMulFits,
  NestedNumbers,
  Operand,
  Range,
  ReduceDims,
  ReduceOptions,
  ReshapeDims,
  SizesFit,
  SliceDims,
  TransposeDims,
} from "./types.js";
import type { Value } from "./value.js";

/** Positions: a traced value, or plain integers. */
export type Indices = Operand | NestedNumbers;

/** An axis, for operations that work along one. */
export interface AxisOptions {
  readonly axis?: number;
}

type OneAxis<O, Default extends number> = O extends { readonly axis: infer A extends number }
  ? A
  : Default;

type WithoutAxis<D extends Dims, O> = O extends { readonly axis: number } ? ReduceDims<D, O> : [];

type FlattenedUnlessAxis<D extends Dims, O> = O extends { readonly axis: number } ? D : [number];

function shapeOf(operand: Operand | AnyValue): Dims {
  if (isValue(operand)) return operand.shape;
  return typeof operand === "number" ? [] : badOperand(operand);
}

function integersOf(name: string, given: unknown): number[] {
  if (!isList(given, name)) throw new ArgumentError(`${name}: expected an array`, here());
  return given as number[];
}

function reduceAttributes(name: string, options: ReduceOptions | undefined): number[] {
  const { axis, keepDims } = optionsOf(name, options);
  const axes = axis === undefined ? [] : typeof axis === "number" ? [axis] : integersOf(name, axis);
  if (axis !== undefined && axes.length === 0) {
    throw new ArgumentError(
      `${name}: the list of axes is empty; leave it out for all axes`,
      here(),
    );
  }
  return [keepDims === true ? 1 : 0, ...axes];
}

function optionsOf<O extends object>(name: string, options: O | undefined): Partial<O> {
  if (options === undefined) return {};
  if (typeof options !== "object" || options === null || isValue(options)) {
    throw new ArgumentError(`${name}: options are an object, e.g. { axis: 0 }`, here());
  }
  return options;
}

function reduction<T extends AnyValue>(
  name: string,
  op: number,
  a: Operand,
  options: ReduceOptions | undefined,
  leading: readonly number[] = [],
): T {
  return opN(name, op, [a], [...leading, ...reduceAttributes(name, options)]);
}

/** Indices along an axis of `a`. Numbers are checked here, traced ones when they have values. */
function indexOperand(name: string, indices: Indices, a: Operand, axis: number): Operand {
  if (isValue(indices)) return indices as Operand;
  const extent = Number.isInteger(axis) ? shapeOf(a).at(axis) : undefined;
  if (typeof indices === "number") {
    requireIndices(name, [indices], extent);
    return indices;
  }
  const { values, shape } = flatNumbers(indices, name);
  requireIndices(name, values, extent);
  return dataOn<Value>(requireTrace(name), values, shape);
}

/** `extent` is undefined where there is no such axis, which the core says. */
function requireIndices(name: string, indices: ArrayLike<number>, extent: number | undefined) {
  if (extent === undefined) return;
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    if (Number.isInteger(index) && index >= 0 && index < extent) continue;
    const text = `${name}: index ${index} at element ${i} is not in [0, ${extent})`;
    throw new IndexError(text, here());
  }
}

// --- making values --------------------------------------------------------------------------------

/**
 * A constant tensor from nested arrays or a typed array, row-major; `shape` gives a flat one its shape.
 * It is copied. Numbers need no `constant`: they stand wherever a value does.
 */
export function constant<const D extends Dims = Dims>(
  values: NestedNumbers,
  shape?: D,
): Value<{ -readonly [K in keyof D]: D[K] }> {
  const flat = flatNumbers(values, "constant");
  const trace = requireTrace("constant");
  const given = shape === undefined ? flat.shape : integersOf("constant", shape);
  return dataOn(trace, flat.values, given);
}

/** Positions along an axis: a tensor whose element at index i (along `axis`) is i. */
export function iota<const D extends Dims>(shape: D, options?: AxisOptions): Value<ReshapeDims<D>> {
  requireTrace("iota");
  const { axis = 0 } = optionsOf("iota", options);
  return opN("iota", Op.Iota, [], [axis, ...integersOf("iota", shape)]);
}

// --- moving elements ------------------------------------------------------------------------------

/** The same elements, row-major, in a new shape; one extent may be -1. */
export function reshape<A extends Operand, const B extends Dims>(
  a: A,
  shape: B & SizesFit<DimsOf<A>, B>,
): Value<ReshapeDims<B>> {
  return opN("reshape", Op.Reshape, [a], integersOf("reshape", shape));
}

/** The axes permuted; reversed when no permutation is given. */
export function transpose<A extends Operand, const P extends Dims | undefined = undefined>(
  a: A,
  axes?: P,
): Value<TransposeDims<DimsOf<A>, P>> {
  return opN("transpose", Op.Transpose, [a], axes === undefined ? [] : integersOf("axes", axes));
}

/** Repeated along new leading axes and along axes of extent 1, as NumPy broadcasts. */
export function broadcastTo<const S extends Dims>(a: Operand, shape: S): Value<ReshapeDims<S>> {
  return opN("broadcastTo", Op.BroadcastTo, [a], integersOf("broadcastTo", shape));
}

/**
 * Ranges along the leading axes: `[start, stop, step]` as in NumPy, where negative positions count from
 * the end, positions past the end are cut, a negative step runs backwards, and null or a missing entry is
 * the default; `null` takes a whole axis. `slice(x, [1, null], [null, null, 2])` is `x[1:, ::2]`.
 */
export function slice<A extends Operand, const R extends readonly Range[]>(
  a: A,
  ...ranges: R
): Value<SliceDims<DimsOf<A>, R>> {
  const shape = shapeOf(a);
  if (ranges.length > shape.length) {
    throw new ShapeError(`slice: ${ranges.length} ranges for shape [${shape.join(",")}]`, here());
  }
  const attrs: number[] = [];
  const flipped: number[] = [];
  for (const [axis, extent] of shape.entries()) {
    const { start, count, step } = resolveRange(ranges[axis] ?? null, extent);
    if (step < 0) {
      flipped.push(axis);
      attrs.push(count === 0 ? 0 : extent - 1 - start, count, -step);
    } else {
      attrs.push(start, count, step);
    }
  }
  const source = flipped.length === 0 ? a : opN<Value>("slice", Op.Flip, [a], flipped);
  return opN("slice", Op.Slice, [source], attrs);
}

function resolveRange(
  range: Range,
  extent: number,
): { start: number; count: number; step: number } {
  if (range === null) return { start: 0, count: extent, step: 1 };
  if (!Array.isArray(range)) {
    throw new ArgumentError("slice: a range is [start, stop, step] or null", here());
  }
  const [first, last, by] = range as readonly (number | null | undefined)[];
  for (const entry of [first, last, by]) {
    if (entry !== null && entry !== undefined && !Number.isSafeInteger(entry)) {
      throw new ArgumentError(`slice: ${shown(entry)} is not an integer`, here());
    }
  }
  const step = by ?? 1;
  if (step === 0) throw new ArgumentError("slice: the step is 0", here());
  // NumPy's rule: positions are clamped to [0, extent], or to [-1, extent - 1] when running backwards.
  const low = step > 0 ? 0 : -1;
  const high = step > 0 ? extent : extent - 1;
  const clamp = (position: number) =>
    Math.min(high, Math.max(low, position < 0 ? position + extent : position));
  const start = first === null || first === undefined ? (step > 0 ? low : high) : clamp(first);
  const stop = last === null || last === undefined ? (step > 0 ? high : low) : clamp(last);
  const count = Math.max(0, Math.ceil((stop - start) / step));
  return count === 0 ? { start: 0, count, step: Math.abs(step) } : { start, count, step };
}

/** The element, row or block at these positions of the leading axes; negative ones from the end. */
export function at<A extends Operand, const I extends readonly number[]>(
  a: A,
  ...indices: I & IndicesFit<DimsOf<A>, I>
): Value<DropLeading<DimsOf<A>, I>> {
  return opN("at", Op.At, [a], indices);
}

/** Values of one rank joined along an axis (0 by default). */
export function concat<
  const V extends readonly Operand[],
  const O extends AxisOptions = { axis: 0 },
>(values: V & ConcatFits<V, OneAxis<O, 0>>, options?: O): Value<ConcatDims<V, OneAxis<O, 0>>> {
  const { axis = 0 } = optionsOf("concat", options as AxisOptions | undefined);
  return opN("concat", Op.Concat, listOf("concat", values), [axis]);
}

/** Values of one shape joined along a new axis (0 by default). */
export function stack<const A extends readonly Operand[], const O extends AxisOptions>(
  values: A,
  options?: O,
): Value<
  O extends { readonly axis: number } ? readonly number[] : [A["length"], ...DimsOf<A[number]>]
> {
  const { axis = 0 } = optionsOf("stack", options as AxisOptions | undefined);
  return opN("stack", Op.Stack, listOf("stack", values), [axis]);
}

function listOf(name: string, values: readonly Operand[]): readonly Operand[] {
  if (!isList(values, name)) {
    throw new ArgumentError(`${name}: takes an array of values`, here());
  }
  return values;
}

/**
 * Surrounded by a fill value (0 by default): `widths` is a count for both sides of every axis, or
 * `[before, after]` for each axis.
 */
export function pad<A extends Operand>(
  a: A,
  widths: number | readonly (readonly [before: number, after: number])[],
  fill?: Operand,
): Value<LoosenAll<DimsOf<A>>> {
  const { length } = shapeOf(a);
  const pairs: unknown =
    typeof widths === "number" ? new Array(length).fill([widths, widths]) : widths;
  if (!Array.isArray(pairs) || pairs.length !== length) {
    throw new ShapeError(`pad: ${length} pairs of widths are needed, one for each axis`, here());
  }
  const attrs = pairs.flatMap((pair: unknown) => integersOf("pad", pair));
  return opN("pad", Op.Pad, fill === undefined ? [a] : [a, fill], attrs);
}

/** The order of elements reversed along these axes; all of them by default. */
export function flip<A extends Operand>(
  a: A,
  options?: { readonly axis?: number | readonly number[] },
): Value<DimsOf<A>> {
  const { axis } = optionsOf("flip", options);
  if (axis === undefined) return opN("flip", Op.Flip, [a]);
  return opN("flip", Op.Flip, [a], typeof axis === "number" ? [axis] : integersOf("flip", axis));
}

/**
 * Elements at `indices` along an axis (0 by default): the axis is replaced by the axes of `indices`.
 * Indices known only at run time that fall outside make the call throw IndexError.
 */
export function gather(a: Operand, indices: Indices, options?: AxisOptions): Value {
  const { axis = 0 } = optionsOf("gather", options);
  return opN("gather", Op.Gather, [a, indexOperand("gather", indices, a, axis)], [axis]);
}

/** `a` with `updates` added at `indices` along an axis (0 by default); repeated indices add up. */
export function scatterAdd<A extends Operand>(
  a: A,
  indices: Indices,
  updates: Operand,
  options?: AxisOptions,
): Value<DimsOf<A>> {
  const { axis = 0 } = optionsOf("scatterAdd", options);
  const operands = [a, indexOperand("scatterAdd", indices, a, axis), updates];
  return opN("scatterAdd", Op.ScatterAdd, operands, [axis]);
}

/** Elements at `indices`, which has the rank of `a`, along an axis (-1 by default). */
export function takeAlongAxis(a: Operand, indices: Indices, options?: AxisOptions): Value {
  const { axis = -1 } = optionsOf("takeAlongAxis", options);
  const operands = [a, indexOperand("takeAlongAxis", indices, a, axis)];
  return opN("takeAlongAxis", Op.TakeAlongAxis, operands, [axis]);
}

/** The diagonal of a matrix, or the matrix with this diagonal; `offset` > 0 lies above. */
export function diag<A extends Operand>(
  a: A,
  offset = 0,
): Value<DimsOf<A> extends readonly [infer N extends number] ? DiagDims<N> : [number]> {
  return opN("diag", Op.Diag, [a], [offset]);
}

type DiagDims<N extends number> = number extends N ? [number, number] : [number, number];

/** The lower triangle up to the diagonal `offset`, zeros above it. */
export function tril<A extends Operand>(a: A, offset = 0): Value<DimsOf<A>> {
  return opN("tril", Op.Tril, [a], [offset]);
}

/** The upper triangle from the diagonal `offset`, zeros below it. */
export function triu<A extends Operand>(a: A, offset = 0): Value<DimsOf<A>> {
  return opN("triu", Op.Triu, [a], [offset]);
}

// --- reductions -----------------------------------------------------------------------------------

/** The sum over axes; 0 of no elements. The order of the additions follows from their number alone. */
export function sum<A extends Operand, const O extends ReduceOptions>(
  a: A,
  options?: O & AxesFit<DimsOf<A>, O>,
): Value<ReduceDims<DimsOf<A>, O>> {
  return reduction("sum", Op.Sum, a, options);
}

/** The mean over axes. */
export function mean<A extends Operand, const O extends ReduceOptions>(
  a: A,
  options?: O & AxesFit<DimsOf<A>, O>,
): Value<ReduceDims<DimsOf<A>, O>> {
  return reduction("mean", Op.Mean, a, options);
}

/** The product over axes; 1 of no elements. Its derivative is exact where elements are zero. */
export function prod<A extends Operand, const O extends ReduceOptions>(
  a: A,
  options?: O & AxesFit<DimsOf<A>, O>,
): Value<ReduceDims<DimsOf<A>, O>> {
  return reduction("prod", Op.Prod, a, options);
}

/**
 * With two values: the larger, elementwise (`maximum`). With one: the largest over axes.
 * NaN if any is NaN; ties share the derivative evenly.
 */
export function max<A extends Operand, const B extends Operand>(
  a: A,
  b: B & FitsOf<A, B>,
): Value<BroadcastOf<A, B>>;
export function max<A extends Operand, const O extends ReduceOptions>(
  a: A,
  options?: O & AxesFit<DimsOf<A>, O>,
): Value<ReduceDims<DimsOf<A>, O>>;
// Both at once, for the compiler's message on a wrong call is about the last signature.
export function max<A extends Operand, const B extends Operand | ReduceOptions>(
  a: A,
  b: B & ExtremeFits<A, B>,
): Value<Dims>;
export function max(a: Operand, b?: Operand | ReduceOptions): Value {
  if (isOperand(b)) return maximum(a, b);
  return reduction("max", Op.ReduceMax, a, b);
}

/**
 * With two values: the smaller, elementwise (`minimum`). With one: the smallest over axes.
 * NaN if any is NaN; ties share the derivative evenly.
 */
export function min<A extends Operand, const B extends Operand>(
  a: A,
  b: B & FitsOf<A, B>,
): Value<BroadcastOf<A, B>>;
export function min<A extends Operand, const O extends ReduceOptions>(
  a: A,
  options?: O & AxesFit<DimsOf<A>, O>,
): Value<ReduceDims<DimsOf<A>, O>>;
// Both at once, for the compiler's message on a wrong call is about the last signature.
export function min<A extends Operand, const B extends Operand | ReduceOptions>(
  a: A,
  b: B & ExtremeFits<A, B>,
): Value<Dims>;
export function min(a: Operand, b?: Operand | ReduceOptions): Value {
  if (isOperand(b)) return minimum(a, b);
  return reduction("min", Op.ReduceMin, a, b);
}

function isOperand(b: Operand | ReduceOptions | undefined): b is Operand {
  return typeof b === "number" || isValue(b);
}

function alongOrFlat<T extends AnyValue>(
  name: string,
  op: number,
  a: Operand,
  options: AxisOptions | undefined,
  attrs: readonly number[] = [],
): T {
  const { axis } = optionsOf(name, options);
  const source = axis === undefined ? opN<Value>(name, Op.Reshape, [a], [-1]) : a;
  return opN(name, op, [source], [axis ?? 0, ...attrs]);
}

/** The position of the first largest element along an axis; of the flattened value without one. */
export function argmax<A extends Operand, const O extends AxisOptions>(
  a: A,
  options?: O & AxesFit<DimsOf<A>, O>,
): Value<WithoutAxis<DimsOf<A>, O>> {
  return alongOrFlat("argmax", Op.ArgMax, a, options);
}

/** The position of the first smallest element along an axis; of the flattened value without one. */
export function argmin<A extends Operand, const O extends AxisOptions>(
  a: A,
  options?: O & AxesFit<DimsOf<A>, O>,
): Value<WithoutAxis<DimsOf<A>, O>> {
  return alongOrFlat("argmin", Op.ArgMin, a, options);
}

/** Axes, and what is subtracted from the count ("delta degrees of freedom"). */
export interface VarianceOptions extends ReduceOptions {
  /** The divisor is count - ddof; 0 by default. */
  readonly ddof?: number;
}

/** The variance over axes: the mean square of the distance from the mean, divided by count - ddof. */
export function variance<A extends Operand, const O extends VarianceOptions>(
  a: A,
  options?: O & AxesFit<DimsOf<A>, O>,
): Value<ReduceDims<DimsOf<A>, O>> {
  return reduction("var", Op.Var, a, options, [optionsOf("var", options).ddof ?? 0]);
}

/** The standard deviation over axes; its derivative is 0 where all elements are equal. */
export function std<A extends Operand, const O extends VarianceOptions>(
  a: A,
  options?: O & AxesFit<DimsOf<A>, O>,
): Value<ReduceDims<DimsOf<A>, O>> {
  return reduction("std", Op.Std, a, options, [optionsOf("std", options).ddof ?? 0]);
}

/** Axes, and the order of a vector norm. */
export interface NormOptions extends ReduceOptions {
  /** 2 (Euclidean, the default), 1 (sum of magnitudes) or Infinity (largest magnitude). */
  readonly order?: 1 | 2 | typeof Number.POSITIVE_INFINITY;
}

/** A vector norm over axes; its derivative at 0 is 0, the subgradient of least norm. */
export function norm<A extends Operand, const O extends NormOptions>(
  a: A,
  options?: O & AxesFit<DimsOf<A>, O>,
): Value<ReduceDims<DimsOf<A>, O>> {
  const { order = 2 } = optionsOf("norm", options as NormOptions | undefined);
  if (order !== 1 && order !== 2 && order !== Number.POSITIVE_INFINITY) {
    throw new ArgumentError(`norm: the order is 1, 2 or Infinity, got ${shown(order)}`, here());
  }
  const code = order === Number.POSITIVE_INFINITY ? 0 : order;
  return reduction("norm", Op.Norm, a, options, [code]);
}

/** The logarithm of the sum of exponentials over axes, without overflow. */
export function logsumexp<A extends Operand, const O extends ReduceOptions>(
  a: A,
  options?: O & AxesFit<DimsOf<A>, O>,
): Value<ReduceDims<DimsOf<A>, O>> {
  return reduction("logsumexp", Op.LogSumExp, a, options);
}

/** logsumexp over the elements where the mask is true: -Infinity, with derivative 0, where none is. */
export function maskedLogsumexp<A extends Operand, const O extends ReduceOptions>(
  a: A,
  mask: BoolOperand,
  options?: O,
): Value<ReduceDims<DimsOf<A>, O>> {
  const name = "maskedLogsumexp";
  return opN(name, Op.MaskedLogSumExp, [a, mask], reduceAttributes(name, options));
}

/** The middle of the sorted elements over axes, or the mean of the two middle ones. */
export function median<A extends Operand, const O extends ReduceOptions>(
  a: A,
  options?: O & AxesFit<DimsOf<A>, O>,
): Value<ReduceDims<DimsOf<A>, O>> {
  return reduction("median", Op.Median, a, options);
}

// --- along an axis --------------------------------------------------------------------------------

/** Running sums along an axis; of the flattened value without one. */
export function cumsum<A extends Operand, const O extends AxisOptions>(
  a: A,
  options?: O & AxesFit<DimsOf<A>, O> & { readonly reverse?: boolean },
): Value<FlattenedUnlessAxis<DimsOf<A>, O>> {
  const { reverse } = optionsOf("cumsum", options as { readonly reverse?: boolean } | undefined);
  return alongOrFlat("cumsum", Op.CumSum, a, options, [reverse === true ? 1 : 0]);
}

/** Running products along an axis; of the flattened value without one. */
export function cumprod<A extends Operand, const O extends AxisOptions>(
  a: A,
  options?: O & AxesFit<DimsOf<A>, O>,
): Value<FlattenedUnlessAxis<DimsOf<A>, O>> {
  return alongOrFlat("cumprod", Op.CumProd, a, options);
}

/**
 * The first-order linear recurrence y[i] = a[i] y[i-1] + b[i] along an axis (-1 by default), with
 * y[-1] = 0; from the other end when `reverse`. Both operands have one shape.
 */
export function linearRecurrence<A extends Operand>(
  a: A,
  b: Operand,
  options?: AxisOptions & { readonly reverse?: boolean },
): Value<DimsOf<A>> {
  const { axis = -1, reverse } = optionsOf("linearRecurrence", options);
  const attrs = [axis, reverse === true ? 1 : 0];
  return opN("linearRecurrence", Op.LinearRecurrence, [a, b], attrs);
}

function along<T extends AnyValue>(
  name: string,
  op: number,
  a: Operand,
  options: AxisOptions | undefined,
): T {
  return opN(name, op, [a], [optionsOf(name, options).axis ?? -1]);
}

/** exp(a) / sum(exp(a)) along an axis (-1 by default). */
export function softmax<A extends Operand>(a: A, options?: AxisOptions): Value<DimsOf<A>> {
  return along("softmax", Op.Softmax, a, options);
}

/** a - logsumexp(a) along an axis (-1 by default). */
export function logSoftmax<A extends Operand>(a: A, options?: AxisOptions): Value<DimsOf<A>> {
  return along("logSoftmax", Op.LogSoftmax, a, options);
}

/** Ascending along an axis (-1 by default); stable, NaN last. */
export function sort<A extends Operand>(a: A, options?: AxisOptions): Value<DimsOf<A>> {
  return along("sort", Op.Sort, a, options);
}

/** The positions that sort along an axis (-1 by default); stable, NaN last. */
export function argsort<A extends Operand>(a: A, options?: AxisOptions): Value<DimsOf<A>> {
  return along("argsort", Op.ArgSort, a, options);
}

// --- products -------------------------------------------------------------------------------------

/** The sum of products of two vectors of one length. */
export function dot<A extends Operand, const B extends Operand>(
  a: A,
  b: B & DotFits<DimsOf<A>, DimsOf<B>>,
): Value<[]> {
  return opN("dot", Op.Dot, [a, b]);
}

/** The matrix product, as NumPy's: vectors gain an axis that goes again, leading axes broadcast. */
export function matmul<A extends Operand, const B extends Operand>(
  a: A,
  b: B & MatMulFits<DimsOf<A>, DimsOf<B>>,
): Value<MatMulDims<DimsOf<A>, DimsOf<B>>> {
  return opN("matmul", Op.MatMul, [a, b]);
}

/** a[i] b[j] of two vectors. */
export function outer<A extends Operand, B extends Operand>(
  a: A,
  b: B,
): Value<[...DimsOf<A>, ...DimsOf<B>]> {
  return opN("outer", Op.Outer, [a, b]);
}

/** A sum of products by index letters, e.g. `einsum("ij,jk->ik", a, b)`; letters not in the result are summed. */
export function einsum<const S extends string, V extends readonly Operand[]>(
  subscripts: S & EinsumFits<S, V>,
  ...values: V
): Value<EinsumDims<S, V>> {
  if (typeof subscripts !== "string" || subscripts.length > 1000) {
    throw new ArgumentError('einsum: subscripts are a short string, e.g. "ij,jk->ik"', here());
  }
  const codes = Array.from(subscripts, (letter) => letter.codePointAt(0) ?? 0);
  return opN("einsum", Op.Einsum, values, codes);
}

// --- choice and derivatives -----------------------------------------------------------------------

/**
 * `a` where the condition is true, `b` where it is false, elementwise. The branch not taken contributes
 * exactly zero to every derivative, whatever its own value.
 */
export function where<C extends BoolOperand, const A extends Operand, const B extends Operand>(
  condition: C,
  a: A,
  b: B & FitsOf<A, B>,
): Value<Broadcast<DimsOf<C>, BroadcastOf<A, B>>> {
  return op3(Op.Where, condition, a, b);
}

/** The same value, with derivative zero. */
export function stopGradient<A extends Operand>(a: A): Value<DimsOf<A>> {
  return opN("stopGradient", Op.StopGradient, [a]);
}

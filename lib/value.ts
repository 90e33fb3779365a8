import { inspect } from "node:util";
import { here } from "./fail.js";
import { TraceError } from "./generated/errors.js";
import { ElementwiseMethods } from "./generated/operations.js";
import type { NodeId } from "./native.js";
import * as structural from "./structural.js";
import { badOperand, isValue, setValueClass, type Trace } from "./trace.js";
import type {
  AxesFit,
  BroadcastOf,
  Dims,
  DimsOf,
  DotFits,
  DropLeading,
  ExtremeFits,
  Fits,
  IndicesFit,
  Kind,
  LoosenAll,
  MatMulDims,
  MatMulFits,
  Operand,
  Range,
  ReduceDims,
  ReduceOptions,
  ReshapeDims,
  SizesFit,
  SliceDims,
  TransposeDims,
} from "./types.js";

/**
 * A traced number or tensor: what the body of a function computes with. It has a shape but no numbers
 * yet. Every method records an operation and returns a new value; the functions of the same names do the
 * same. It lives as long as the body it belongs to runs.
 */
export class Value<
  out D extends Dims = Dims,
  out K extends Kind = "f64",
> extends ElementwiseMethods {
  /** @internal */
  readonly trace: Trace;
  /** @internal */
  readonly id: NodeId;

  /** @internal */
  constructor(trace: Trace, id: NodeId) {
    super();
    this.trace = trace;
    this.id = id;
  }

  static {
    setValueClass(Value, (operand) => #requireOpen in operand);
  }

  /** Extents, outermost first; `[]` for a scalar. */
  get shape(): D {
    if (!isValue(this)) badOperand(this, "shape");
    this.#requireOpen();
    // The type was computed from the operands' types by the rule that the core applied to the shapes.
    return this.trace.builder.shape(this.id) as readonly number[] as D;
  }

  /** "f64" for numbers, "bool" for the results of comparisons. */
  get dtype(): K {
    if (!isValue(this)) badOperand(this, "dtype");
    this.#requireOpen();
    return (this.trace.builder.isBool(this.id) ? "bool" : "f64") as K;
  }

  #requireOpen(): void {
    if (this.trace.open) return;
    throw new TraceError("a traced value is used outside the function it belongs to", here());
  }

  /** The same elements, row-major, in a new shape; one extent may be -1. */
  reshape<S extends Value<Dims>, const B extends Dims>(
    this: S,
    shape: B & SizesFit<DimsOf<S>, B>,
  ): Value<ReshapeDims<B>> {
    return structural.reshape<S, B>(this, shape);
  }
  /** The axes permuted; reversed when no permutation is given. */
  transpose<S extends Value<Dims>, const P extends Dims | undefined = undefined>(
    this: S,
    axes?: P,
  ): Value<TransposeDims<DimsOf<S>, P>> {
    return structural.transpose(this, axes);
  }
  /** Repeated along new leading axes and along axes of extent 1. */
  broadcastTo<const S extends Dims>(this: Value<Dims>, shape: S): Value<ReshapeDims<S>> {
    return structural.broadcastTo(this, shape);
  }
  /** Ranges `[start, stop, step]` along the leading axes, or `null` for a whole axis. */
  slice<S extends Value<Dims>, const R extends readonly Range[]>(
    this: S,
    ...ranges: R
  ): Value<SliceDims<DimsOf<S>, R>> {
    return structural.slice(this, ...ranges);
  }
  /** The element, row or block at these positions of the leading axes; negative ones from the end. */
  at<S extends Value<Dims>, const I extends readonly number[]>(
    this: S,
    ...indices: I & IndicesFit<DimsOf<S>, I>
  ): Value<DropLeading<DimsOf<S>, I>> {
    const positions: readonly number[] = indices;
    return structural.at<Operand, readonly number[]>(this, ...positions) as Value<
      DropLeading<DimsOf<S>, I>
    >;
  }
  /** Surrounded by a fill value, 0 by default. */
  pad<S extends Value<Dims>>(
    this: S,
    widths: number | readonly (readonly [before: number, after: number])[],
    fill?: Operand,
  ): Value<LoosenAll<DimsOf<S>>> {
    return structural.pad(this, widths, fill);
  }
  /** The order of elements reversed along these axes; all of them by default. */
  flip<S extends Value<Dims>>(
    this: S,
    options?: { readonly axis?: number | readonly number[] },
  ): Value<DimsOf<S>> {
    return structural.flip(this, options);
  }
  /** Elements at `indices` along an axis, 0 by default. */
  gather(
    this: Value<Dims>,
    indices: structural.Indices,
    options?: structural.AxisOptions,
  ): Value<Dims> {
    return structural.gather(this, indices, options);
  }
  /** This with `updates` added at `indices` along an axis, 0 by default. */
  scatterAdd<S extends Value<Dims>>(
    this: S,
    indices: structural.Indices,
    updates: Operand,
    options?: structural.AxisOptions,
  ): Value<DimsOf<S>> {
    return structural.scatterAdd(this, indices, updates, options);
  }
  /** Elements at `indices`, of the same rank, along an axis, -1 by default. */
  takeAlongAxis(
    this: Value<Dims>,
    indices: structural.Indices,
    options?: structural.AxisOptions,
  ): Value<Dims> {
    return structural.takeAlongAxis(this, indices, options);
  }
  /** The diagonal of a matrix, or the matrix with this diagonal. */
  diag<S extends Value<Dims>>(this: S, offset = 0) {
    return structural.diag(this, offset);
  }
  /** The lower triangle, zeros above it. */
  tril<S extends Value<Dims>>(this: S, offset = 0): Value<DimsOf<S>> {
    return structural.tril(this, offset);
  }
  /** The upper triangle, zeros below it. */
  triu<S extends Value<Dims>>(this: S, offset = 0): Value<DimsOf<S>> {
    return structural.triu(this, offset);
  }

  /** The sum over axes. */
  sum<S extends Value<Dims>, const O extends ReduceOptions>(
    this: S,
    options?: O & AxesFit<DimsOf<S>, O>,
  ): Value<ReduceDims<DimsOf<S>, O>> {
    return structural.sum<S, O>(this, options);
  }
  /** The mean over axes. */
  mean<S extends Value<Dims>, const O extends ReduceOptions>(
    this: S,
    options?: O & AxesFit<DimsOf<S>, O>,
  ): Value<ReduceDims<DimsOf<S>, O>> {
    return structural.mean<S, O>(this, options);
  }
  /** The product over axes. */
  prod<S extends Value<Dims>, const O extends ReduceOptions>(
    this: S,
    options?: O & AxesFit<DimsOf<S>, O>,
  ): Value<ReduceDims<DimsOf<S>, O>> {
    return structural.prod<S, O>(this, options);
  }
  /** With a value: the larger of both, elementwise. Else: the largest over axes. */
  max<S extends Value<Dims>, const B extends Operand>(
    this: S,
    other: B & Fits<DimsOf<S>, DimsOf<B>>,
  ): Value<BroadcastOf<S, B>>;
  max<S extends Value<Dims>, const O extends ReduceOptions>(
    this: S,
    options?: O & AxesFit<DimsOf<S>, O>,
  ): Value<ReduceDims<DimsOf<S>, O>>;
  // Both at once, for the compiler's message on a wrong call is about the last signature.
  max<S extends Value<Dims>, const B extends Operand | ReduceOptions>(
    this: S,
    other: B & ExtremeFits<S, B>,
  ): Value<Dims>;
  max(this: Value<Dims>, other?: Operand | ReduceOptions): Value<Dims> {
    return structural.max(this, other as ReduceOptions);
  }
  /** With a value: the smaller of both, elementwise. Else: the smallest over axes. */
  min<S extends Value<Dims>, const B extends Operand>(
    this: S,
    other: B & Fits<DimsOf<S>, DimsOf<B>>,
  ): Value<BroadcastOf<S, B>>;
  min<S extends Value<Dims>, const O extends ReduceOptions>(
    this: S,
    options?: O & AxesFit<DimsOf<S>, O>,
  ): Value<ReduceDims<DimsOf<S>, O>>;
  // Both at once, for the compiler's message on a wrong call is about the last signature.
  min<S extends Value<Dims>, const B extends Operand | ReduceOptions>(
    this: S,
    other: B & ExtremeFits<S, B>,
  ): Value<Dims>;
  min(this: Value<Dims>, other?: Operand | ReduceOptions): Value<Dims> {
    return structural.min(this, other as ReduceOptions);
  }
  /** The position of the first largest element along an axis, or of the flattened value. */
  argmax<S extends Value<Dims>, const O extends structural.AxisOptions>(
    this: S,
    options?: O & AxesFit<DimsOf<S>, O>,
  ) {
    return structural.argmax<S, O>(this, options);
  }
  /** The position of the first smallest element along an axis, or of the flattened value. */
  argmin<S extends Value<Dims>, const O extends structural.AxisOptions>(
    this: S,
    options?: O & AxesFit<DimsOf<S>, O>,
  ) {
    return structural.argmin<S, O>(this, options);
  }
  /** The variance over axes. */
  var<S extends Value<Dims>, const O extends structural.VarianceOptions>(
    this: S,
    options?: O & AxesFit<DimsOf<S>, O>,
  ): Value<ReduceDims<DimsOf<S>, O>> {
    return structural.variance<S, O>(this, options);
  }
  /** The standard deviation over axes. */
  std<S extends Value<Dims>, const O extends structural.VarianceOptions>(
    this: S,
    options?: O & AxesFit<DimsOf<S>, O>,
  ): Value<ReduceDims<DimsOf<S>, O>> {
    return structural.std<S, O>(this, options);
  }
  /** A vector norm over axes: order 2 (the default), 1 or Infinity. */
  norm<S extends Value<Dims>, const O extends structural.NormOptions>(
    this: S,
    options?: O & AxesFit<DimsOf<S>, O>,
  ): Value<ReduceDims<DimsOf<S>, O>> {
    return structural.norm<S, O>(this, options);
  }
  /** The logarithm of the sum of exponentials over axes. */
  logsumexp<S extends Value<Dims>, const O extends ReduceOptions>(
    this: S,
    options?: O & AxesFit<DimsOf<S>, O>,
  ): Value<ReduceDims<DimsOf<S>, O>> {
    return structural.logsumexp<S, O>(this, options);
  }
  /** The middle of the sorted elements over axes. */
  median<S extends Value<Dims>, const O extends ReduceOptions>(
    this: S,
    options?: O & AxesFit<DimsOf<S>, O>,
  ): Value<ReduceDims<DimsOf<S>, O>> {
    return structural.median<S, O>(this, options);
  }

  /** Running sums along an axis, or of the flattened value. */
  cumsum<S extends Value<Dims>, const O extends structural.AxisOptions>(
    this: S,
    options?: O & AxesFit<DimsOf<S>, O> & { readonly reverse?: boolean },
  ) {
    return structural.cumsum<S, O>(this, options);
  }
  /** Running products along an axis, or of the flattened value. */
  cumprod<S extends Value<Dims>, const O extends structural.AxisOptions>(
    this: S,
    options?: O & AxesFit<DimsOf<S>, O>,
  ) {
    return structural.cumprod<S, O>(this, options);
  }
  /** exp(x) / sum(exp(x)) along an axis, -1 by default. */
  softmax<S extends Value<Dims>>(this: S, options?: structural.AxisOptions): Value<DimsOf<S>> {
    return structural.softmax(this, options);
  }
  /** x - logsumexp(x) along an axis, -1 by default. */
  logSoftmax<S extends Value<Dims>>(this: S, options?: structural.AxisOptions): Value<DimsOf<S>> {
    return structural.logSoftmax(this, options);
  }
  /** Ascending along an axis, -1 by default. */
  sort<S extends Value<Dims>>(this: S, options?: structural.AxisOptions): Value<DimsOf<S>> {
    return structural.sort(this, options);
  }
  /** The positions that sort along an axis, -1 by default. */
  argsort<S extends Value<Dims>>(this: S, options?: structural.AxisOptions): Value<DimsOf<S>> {
    return structural.argsort(this, options);
  }

  /** The sum of products with a vector of the same length. */
  dot<S extends Value<Dims>, const B extends Operand>(
    this: S,
    other: B & DotFits<DimsOf<S>, DimsOf<B>>,
  ): Value<[]> {
    return structural.dot<S, B>(this, other);
  }
  /** The matrix product with another value. */
  matmul<S extends Value<Dims>, const B extends Operand>(
    this: S,
    other: B & MatMulFits<DimsOf<S>, DimsOf<B>>,
  ): Value<MatMulDims<DimsOf<S>, DimsOf<B>>> {
    return structural.matmul<S, B>(this, other);
  }
  /** All products of this vector's elements with another's. */
  outer<S extends Value<Dims>, B extends Operand>(
    this: S,
    other: B,
  ): Value<[...DimsOf<S>, ...DimsOf<B>]> {
    return structural.outer(this, other);
  }
  /** The same value, with derivative zero. */
  stopGradient<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return structural.stopGradient(this);
  }
}

function noNumber(how: string): never {
  throw new TraceError(
    `a traced value has no number yet, so ${how}; to choose by value use where(condition, a, b), ` +
      "for numbers call the function",
    here(),
  );
}

// These are not declared on the class: the compiler should refuse what they are there to catch.
Object.defineProperties(Value.prototype, {
  [Symbol.toPrimitive]: {
    value(hint: string): never {
      return noNumber(
        hint === "string"
          ? "it can not be made a string"
          : "it can not be converted, compared or used in JavaScript arithmetic",
      );
    },
  },
  valueOf: {
    value(): never {
      return noNumber("it can not be converted to one");
    },
  },
  toString: {
    value(): never {
      return noNumber("it can not be made a string");
    },
  },
  toJSON: {
    value(): never {
      return noNumber("it can not be written as JSON");
    },
  },
  [Symbol.iterator]: {
    value(): never {
      return noNumber("it can not be iterated; use at(i) for its elements");
    },
  },
  // A loop up to `undefined` would run not once, and trace another graph.
  length: {
    get(): never {
      return noNumber("it has no length; its extents are shape[0], shape[1], ...");
    },
  },
  [inspect.custom]: {
    value(this: unknown): string {
      if (!isValue(this)) return "Value {}";
      if (!this.trace.open) return "Value (of a function that was traced)";
      return `Value ${this.dtype}[${this.shape.join(",")}]`;
    },
  },
});

import { type Body, traceBody } from "./body.js";
import type { Core } from "./core.js";
import type { SourceLocation } from "./error.js";
import { type Explanation, explain } from "./explain.js";
import { here } from "./fail.js";
import { ArgumentError } from "./generated/errors.js";
import { describe, optionsOf, shown } from "./numbers.js";
import { type TraceTable, traceTable } from "./report.js";
import { type AsyncOptions, Session } from "./session.js";
import type { Spec, TensorSpec, ValuesOf } from "./spec.js";
import { specTree } from "./tree.js";
// Makes the class of values known to traces.
import "./value.js";
import type {
  BatchArguments,
  BatchResult,
  BodyResult,
  CallArguments,
  CallResult,
  Plain,
  PlainArguments,
  Result,
  ResultTree,
  TracedArguments,
} from "./types.js";

/**
 * A function made of traced operations: it can be called, bound to memory, derived and made part of other
 * functions. `A` is the tuple of its arguments and `R` its result, both as trees of values.
 *
 * Called with numbers it computes: scalars are numbers, tensors nested arrays or row-major typed arrays in,
 * and row-major Float64Arrays out; booleans come out as 0 and 1. Called with traced values, in the body of
 * another function, it becomes part of that one.
 *
 * @throws NameError for missing and unknown inputs; ShapeError, ArgumentError for inputs of the wrong shape
 *   or kind; StateError after dispose; IndexError when an index computed at run time is outside its axis.
 */
export interface AdjointFunction<A extends readonly unknown[], R> {
  (...inputs: PlainArguments<A>): Result<R>;
  (...inputs: TracedArguments<A>): R;
  // Both at once, for the compiler's message on a wrong call is about the last signature: it wants traced
  // values when there is one among the arguments, else numbers.
  <G = never>(...inputs: CallArguments<A, G>): CallResult<R, G>;

  /** For messages and prints. */
  readonly name: string;

  /** Memory of its own to run in: no copies, no allocation per run. */
  session(): Session<A, R>;

  /** The same call on the core's own threads. Its last argument may be `{ signal, deadline }`. */
  async(...inputs: [...PlainArguments<A>, options?: AsyncOptions]): Promise<Result<R>>;

  /**
   * Many instances at once: each value with a leading axis (nested, or flat and row-major), or with one
   * instance's shape for all. Results have the leading axis.
   * @throws ShapeError when the numbers of instances differ, or there is none.
   */
  batch(...inputs: BatchArguments<A>): BatchResult<R>;

  /**
   * What will run: nodes, kernels, bytes, flops, what was chosen and why, and what every step should cost. With the
   * arguments of a call it runs that for a tenth of a second (three times, if that takes longer) and says what every
   * step does cost.
   */
  explain(...inputs: [] | PlainArguments<A>): Explanation;

  /**
   * The table of a textbook: value, tangent and adjoint of every step. Tangents are for `seed`, an input
   * like `inputs`; without it for the first element of the first input. Adjoints need one scalar result.
   */
  trace(inputs: Plain<A[0]>, seed?: Plain<A[0]>): TraceTable;

  /** The user's line that made a node, by the number that errors carry. */
  locate(node: number): SourceLocation | undefined;

  /** The graph in Graphviz' language. */
  toDot(): string;

  /** The tape, one operation a line. */
  toString(): string;

  /** Frees native memory now; using the function afterwards throws StateError. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** Any function made by `fn` or a transform, where its arguments and result do not matter. */
export interface AnyFunction {
  (...inputs: never[]): unknown;
  readonly name: string;
  batch(...inputs: never[]): unknown;
  explain(): Explanation;
  locate(node: number): SourceLocation | undefined;
  toString(): string;
  dispose(): void;
}

const coreKey = Symbol("core");

interface Holder {
  readonly [coreKey]: Core;
}

/** Whether this was made by `fn` or a transform. */
export function isFunction(f: unknown): f is AdjointFunction<readonly unknown[], unknown> {
  return typeof f === "function" && Object.hasOwn(f, coreKey);
}

/** The core of a function. @throws ArgumentError when this is not one. */
export function coreOf(f: unknown, what = "a transform"): Core {
  if (isFunction(f)) return (f as unknown as Holder)[coreKey];
  throw new ArgumentError(
    `${what} takes a function made by fn or by another transform, got ${describe(f)}`,
    here(),
  );
}

/** The methods that every function has. */
class Methods implements Holder {
  declare readonly [coreKey]: Core;

  session(): unknown {
    const core = this[coreKey];
    return core.guard(() => new Session(core.newSlot(), core.compiled));
  }

  async(...given: unknown[]): Promise<unknown> {
    return this[coreKey].callAsync(given);
  }

  batch(...given: unknown[]): unknown {
    return this[coreKey].batch(given);
  }

  explain(...given: unknown[]): Explanation {
    const core = this[coreKey];
    return core.guard(() => explain(core, given));
  }

  trace(inputs: unknown, seed?: unknown): TraceTable {
    const core = this[coreKey];
    return core.guard(() => traceTable(core, inputs, seed));
  }

  locate(node: number): SourceLocation | undefined {
    if (!Number.isSafeInteger(node)) {
      throw new ArgumentError(
        `locate: expected the number of a node, got ${describe(node)}`,
        here(),
      );
    }
    return this[coreKey].locate(node);
  }

  toDot(): string {
    const core = this[coreKey];
    return core.guard(() => core.tape.toDot());
  }

  toString(): string {
    const core = this[coreKey];
    return core.guard(() => core.tape.toString());
  }

  dispose(): void {
    this[coreKey].dispose();
  }

  [Symbol.dispose](): void {
    this[coreKey].dispose();
  }
}

Object.setPrototypeOf(Methods.prototype, Function.prototype);

/** The callable of a core. */
export function makeFunction<A extends readonly unknown[], R>(core: Core): AdjointFunction<A, R> {
  const call = (...given: unknown[]) => core.call(given);
  Object.setPrototypeOf(call, Methods.prototype);
  Object.defineProperty(call, "name", { value: core.name });
  Object.defineProperty(call, coreKey, { value: core });
  return call as unknown as AdjointFunction<A, R>;
}

/** How a function is made. */
export interface FunctionOptions {
  /** For messages and prints; the body's own name by default. */
  readonly name?: string;
  /**
   * What to do about a comparison whose result is never used. That is what `if (x.greater(0))` leaves,
   * where JavaScript takes the branch for granted; so it throws TraceError unless "allow" is given.
   */
  readonly unusedComparisons?: "error" | "allow";
}

const functionOptions = ["name", "unusedComparisons"] as const;

/**
 * A function from inputs of the shapes in `spec` to what `body` returns: a value, a number, or a nested
 * record or array of them. The body runs once, now, on traced values nested as in the spec; it describes
 * the computation and must not depend on anything that changes, since it is run again to find lines.
 *
 * @throws TraceError, ShapeError, DTypeError, ... where the graph decides it, naming the line in the body;
 *   NameError for names that are empty, "__proto__" or contain a dot.
 */
export function fn<const S extends Spec, const R extends BodyResult>(
  spec: S,
  body: (values: ValuesOf<S>) => R,
  options: FunctionOptions = {},
): AdjointFunction<[ValuesOf<S>], ResultTree<R>> {
  if (typeof body !== "function") {
    throw new ArgumentError(`fn: the body is a function, got ${describe(body)}`, here());
  }
  const { name: given, unusedComparisons } = optionsOf("fn", options, functionOptions);
  if (
    unusedComparisons !== undefined &&
    !["error", "allow"].includes(unusedComparisons as string)
  ) {
    const got = shown(unusedComparisons);
    throw new ArgumentError(`fn: unusedComparisons is "error" or "allow", got ${got}`, here());
  }
  const { tree, leaves } = specTree(spec, here());
  const name = functionName(given, body);
  const shapes = leaves.map(({ shape }: TensorSpec) => shape);
  const allows = unusedComparisons === "allow";
  return makeFunction(traceBody(name, [{ tree, shapes }], body as Body, allows));
}

function functionName(given: unknown, body: unknown): string {
  if (given === undefined) return (body as { name?: string }).name || "f";
  if (typeof given !== "string") throw new ArgumentError("fn: name is a string", here());
  return given;
}

import { Core } from "./core.js";
import type { SourceLocation } from "./error.js";
import { type Explanation, explain } from "./explain.js";
import { completed, here } from "./fail.js";
import { ArgumentError, TraceError } from "./generated/errors.js";
import { describe, optionsOf, shown } from "./numbers.js";
import { type TraceTable, traceTable } from "./report.js";
import { type AsyncOptions, Session } from "./session.js";
import type { Spec, TensorSpec, ValuesOf } from "./spec.js";
import { isValue, Located, Trace, type Watch } from "./trace.js";
import { assemble, buildTree, specTree, type Tree } from "./tree.js";
// Makes the class of values known to traces.
import "./value.js";
import type {
  AnyValue,
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
   * @throws ShapeError when the numbers of instances differ.
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

/** The core of a function. @throws ArgumentError when this is not one. */
export function coreOf(f: unknown, what = "a transform"): Core {
  if (typeof f === "function" && Object.hasOwn(f, coreKey)) {
    return (f as unknown as Holder)[coreKey];
  }
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

type Body = (...values: never[]) => unknown;

/**
 * Traces a body on its arguments' trees. The one place where users' bodies run.
 * @param specs the leaves of each argument, for their shapes
 */
export function traceBody(
  name: string,
  args: readonly { readonly tree: Tree; readonly shapes: readonly (readonly number[])[] }[],
  body: Body,
  allowsUnused = false,
): Core {
  const run = (trace: Trace) => {
    const values = args.map(({ tree, shapes }, position) =>
      assemble(tree, (leaf) => {
        const path = leaf.path === "" ? `argument${position}` : leaf.path;
        const shape = shapes[leaf.index]!;
        return trace.make(
          trace.builder.input(args.length > 1 ? `${position}.${path}` : path, shape),
        );
      }),
    );
    return trace.run(() => body(...(values as never[])));
  };
  const find = (watch: Watch): SourceLocation | undefined => {
    const trace = new Trace(watch);
    try {
      silence(run(trace));
    } catch (error) {
      if (error instanceof Located) return error.location;
    } finally {
      trace.close();
    }
    return undefined;
  };
  const trace = new Trace();
  try {
    const { tree, leaves } = resultTree(name, run(trace));
    const nodes = leaves.map((leaf) =>
      typeof leaf === "number" ? trace.builder.constant(leaf) : trace.own(leaf),
    );
    if (!allowsUnused && trace.unused.size > 0) {
      const [number] = trace.unused.values();
      throw branched(find({ comparison: number! }));
    }
    const size = trace.builder.size();
    const tape = trace.builder.finish(pathsOf(tree, nodes.length), nodes);
    return new Core({
      name,
      tape,
      args: args.map((argument) => argument.tree),
      result: tree,
      locate: remembered((node) => (node >= 0 && node < size ? find({ node }) : undefined)),
    });
  } catch (error) {
    throw completed(error, name);
  } finally {
    trace.close();
  }
}

/** Looking for a line runs the whole body again: once for each node is enough. */
function remembered<T>(find: (node: number) => T): (node: number) => T {
  const found = new Map<number, T>();
  return (node) => {
    if (!found.has(node)) found.set(node, find(node));
    return found.get(node)!;
  };
}

/**
 * Whether a body's result is a promise: then its rejection, which nobody waits for, is taken care of. It
 * would end the process.
 */
function silence(result: unknown): boolean {
  if (typeof result !== "object" || result === null || isValue(result)) return false;
  if (result instanceof Promise) {
    Promise.prototype.then.call(result, undefined, () => {});
    return true;
  }
  return "then" in result && typeof result.then === "function";
}

function pathsOf(tree: Tree, count: number): string[] {
  const paths = new Array<string>(count);
  assemble(tree, (leaf) => {
    paths[leaf.index] = leaf.path === "" ? "value" : leaf.path;
  });
  return paths;
}

function branched(location: SourceLocation | undefined): TraceError {
  return new TraceError(
    "the result of a comparison is never used: `if`, `?:`, `&&` and `!` can not branch on a traced value, " +
      "which is always truthy; use where(condition, a, b), or logicalAnd, logicalOr and logicalNot",
    { location },
  );
}

function resultTree(
  name: string,
  result: unknown,
): { tree: Tree; leaves: readonly (AnyValue | number)[] } {
  if (result === undefined) {
    throw new ArgumentError(`${name}: the body returns nothing`);
  }
  const found = buildTree<AnyValue | number>(
    result,
    `${name}: result`,
    (value) => {
      if (!silence(value)) return isValue(value) || typeof value === "number" ? value : undefined;
      throw new ArgumentError(`${name}: the body is asynchronous; a body only builds a graph`);
    },
    true,
  );
  if (found.leaves.length === 0) {
    throw new ArgumentError(`${name}: the body returns no value`);
  }
  return found;
}

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

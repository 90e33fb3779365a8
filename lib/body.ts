/** Where the bodies of users run: those of functions, on traces of their own, and those of loops, inside another. */
import { Core } from "./core.js";
import type { SourceLocation } from "./error.js";
import { completed } from "./fail.js";
import { ArgumentError, TraceError } from "./generated/errors.js";
import type { NativePort, NativeTape, NodeId } from "./native.js";
import { isValue, Located, Trace, type TraceOptions, type Watch } from "./trace.js";
import { assemble, buildTree, type Tree } from "./tree.js";
import type { AnyValue } from "./types.js";

export type Body = (...values: never[]) => unknown;

/** What stands for one value of a result: numbers are constants. */
export type ResultLeaf = AnyValue | number;

/** Finds the user's line that made a node of a body. */
type Locate = (node: number) => SourceLocation | undefined;

/**
 * Runs a body on a new trace and gives what `use` makes of the trace, the nodes of its results, and what
 * finds lines.
 * @param run makes the inputs, runs the body and tells its results; again for each line that is looked for
 */
function record<T>(
  name: string,
  options: TraceOptions,
  run: (trace: Trace) => readonly ResultLeaf[],
  use: (trace: Trace, nodes: NodeId[], locate: Locate) => T,
): T {
  const find = (watch: Watch): SourceLocation | undefined => {
    const trace = new Trace({ ...options, watch });
    try {
      run(trace);
    } catch (error) {
      if (error instanceof Located) return error.location;
    } finally {
      trace.close();
    }
    return undefined;
  };
  const trace = new Trace(options);
  try {
    const nodes = nodesOf(trace, run(trace));
    if (!trace.allowsUnused && trace.unused.size > 0) {
      const [number] = trace.unused.values();
      throw branched(find({ comparison: number! }));
    }
    const size = trace.builder.size();
    const locate = remembered((node) => (node >= 0 && node < size ? find({ node }) : undefined));
    return use(trace, nodes, locate);
  } catch (error) {
    throw completed(error, name);
  } finally {
    trace.close();
  }
}

/** The nodes of values and numbers on a trace. */
export function nodesOf(trace: Trace, leaves: readonly ResultLeaf[]): NodeId[] {
  return leaves.map((leaf) =>
    typeof leaf === "number" ? trace.builder.constant(leaf) : trace.own(leaf),
  );
}

/**
 * Traces a body on its arguments' trees, as a function.
 * @param args the trees of the arguments, with the shapes of their leaves
 */
export function traceBody(
  name: string,
  args: readonly { readonly tree: Tree; readonly shapes: readonly (readonly number[])[] }[],
  body: Body,
  allowsUnused = false,
): Core {
  let result: Tree;
  const run = (trace: Trace): readonly ResultLeaf[] => {
    const values = args.map(({ tree, shapes }, position) =>
      assemble(tree, (leaf) => {
        const path = leaf.path === "" ? `argument${position}` : leaf.path;
        const shape = shapes[leaf.index]!;
        return trace.make(
          trace.builder.input(args.length > 1 ? `${position}.${path}` : path, shape),
        );
      }),
    );
    const found = resultTree(
      name,
      trace.run(() => body(...(values as never[]))),
    );
    result = found.tree;
    return found.leaves;
  };
  return record(name, { allowsUnused }, run, (trace, nodes, locate) => {
    const tape = trace.builder.finish(pathsOf(result, nodes.length), nodes);
    return new Core({ name, tape, args: args.map(({ tree }) => tree), result, locate });
  });
}

/** The traced step of a loop. Inputs of its tape are those it was given, then one for each captured value. */
export interface Step {
  readonly tape: NativeTape;
  /** Nodes on the trace around it. */
  readonly captured: readonly NodeId[];
}

/**
 * Traces the body of a loop on a trace inside `parent`.
 * @param body is given one value for each of `inputs`
 */
export function traceStep(
  name: string,
  parent: Trace,
  inputs: readonly NativePort[],
  body: (values: readonly AnyValue[], trace: Trace) => readonly ResultLeaf[],
): Step {
  const run = (trace: Trace): readonly ResultLeaf[] => {
    const values = inputs.map((port) =>
      trace.make<AnyValue>(trace.builder.input(port.name, port.shape, port.isBool)),
    );
    return trace.run(() => body(values, trace));
  };
  return record(name, { parent }, run, (trace, nodes) => {
    const captured = [...trace.captured.keys()];
    const names = nodes.map((_, i) => `result${i}`);
    return { tape: trace.builder.finish(names, nodes), captured };
  });
}

/** Looking for a line runs the whole body again: once for each node is enough. */
function remembered(find: Locate): Locate {
  const found = new Map<number, SourceLocation | undefined>();
  return (node) => {
    if (!found.has(node)) found.set(node, find(node));
    return found.get(node);
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

/** What a body returned, as a tree of values and numbers. */
export function valueTree(
  name: string,
  result: unknown,
): { tree: Tree; leaves: readonly ResultLeaf[] } {
  if (result === undefined) {
    throw new ArgumentError(`${name}: the body returns nothing`);
  }
  return buildTree<ResultLeaf>(
    result,
    `${name}: result`,
    (value) => {
      if (!silence(value)) return isValue(value) || typeof value === "number" ? value : undefined;
      throw new ArgumentError(`${name}: the body is asynchronous; a body only builds a graph`);
    },
    true,
  );
}

/** The same for one that must not be empty. */
export function resultTree(name: string, result: unknown): ReturnType<typeof valueTree> {
  const found = valueTree(name, result);
  if (found.leaves.length > 0) return found;
  throw new ArgumentError(`${name}: the body returns no value`);
}
